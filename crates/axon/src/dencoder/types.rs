//! The types that `axon dencoder` knows, under upstream's names.
//!
//! A type is a row: name, our type, where its JSON comes from (`serialize`: the same in all releases; `dump`: by release), and
//! a form of its own where a value's bytes do not follow from features alone (given the first byte, the version).

use axon_denc::{Decode, DecodeError, Encode, Features, Reader, Writer};
use axon_proto::fs_map::{CompatSet, MdsInfo, MdsMap};
use axon_proto::health::{DaemonHealthMetric, HealthCheck, HealthCheckMap};
use axon_proto::mgr_map::{ModuleInfo, ModuleOption, StandbyInfo};
use axon_proto::mon_feature::MonFeatures;
use axon_proto::osd_map::{HitSetParams, OsdInfo, PgPool, PoolOpts};
use axon_proto::pg::{EVersion, ObjectStatSum, Pg, PgShard, PoolStat, Pow2Hist, StoreStatfs};
use axon_proto::service_map::{Service, ServiceDaemon};
use axon_proto::{
    Dump, EntityAddr, EntityAddrVec, FsMap, Fsid, MgrMap, MonMap, OSDMap, Release, ServiceMap, crush,
    features,
};
use serde_json::Value;

/// One value, read.
pub struct Decoded {
    /// As the release's `ceph-dencoder` prints it.
    pub json: Result<Value, String>,
    /// How many bytes it took.
    pub used: usize,
    /// Its bytes as each supported release writes them, newest first.
    pub encoded: Vec<Vec<u8>>,
}

pub struct Type {
    pub name: &'static str,
    pub decode: fn(&[u8], Release) -> Result<Decoded, DecodeError>,
}

macro_rules! json {
    (serialize, $value:ident, $release:ident) => {
        serde_json::to_value(&$value)
    };
    (dump, $value:ident, $release:ident) => {
        serde_json::to_value($value.dumped($release))
    };
}

macro_rules! types {
    ($($name:literal = $type:ty, $json:ident $(, $own:expr)?;)*) => {
        pub const TYPES: &[Type] = &[$(Type {
            name: $name,
            decode: |bytes, release| {
                let mut reader = Reader::named(bytes, $name);
                let value: $type = Decode::decode(&mut reader)?;
                let _ = release;
                Ok(Decoded {
                    json: json!($json, value, release).map_err(|e| e.to_string()),
                    used: reader.offset(),
                    encoded: {
                        #[allow(unused_mut, reason = "most types have no form of their own")]
                        let mut encoded: Vec<_> = forms().map(|f| value.to_bytes(f).to_vec()).collect();
                        $(
                            let own: fn(&$type, u8) -> Vec<u8> = $own;
                            encoded.push(own(&value, bytes.first().copied().unwrap_or_default()));
                        )?
                        encoded
                    },
                })
            },
        }),*];
    };
}

/// The features by which encodings differ: everything, what each release has, and what `ceph-dencoder` writes by default.
fn forms() -> impl Iterator<Item = Features> {
    let releases = Release::ALL.into_iter().rev().map(Release::features);
    // SERVER_NAUTILUS' and older stand-ins that the corpus was written without.
    let plain = Features(features::SUPPORTED & !(1 << 38) & !(1 << 33));
    [Features::ALL].into_iter().chain(releases).chain([plain])
}

fn written(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_vec()
}

types! {
    "CompatSet" = CompatSet, serialize;
    "CrushWrapper" = crush::CrushMap, dump;
    "DaemonHealthMetric" = DaemonHealthMetric, serialize;
    "FSMap" = FsMap, dump;
    "HitSet::Params" = HitSetParams, serialize;
    "MDSMap" = MdsMap, dump;
    "MDSMap::mds_info_t" = MdsInfo, serialize, |info, version| written(|w| info.encode_version(w, Features::ALL, version));
    "MgrMap" = MgrMap, dump, |map, version| written(|w| map.encode_version(w, Features::ALL, version));
    "MgrMap::ModuleInfo" = ModuleInfo, serialize;
    "MgrMap::ModuleOption" = ModuleOption, serialize;
    "MgrMap::StandbyInfo" = StandbyInfo, serialize;
    "MonMap" = MonMap, dump;
    "OSDMap" = OSDMap, dump, |map, _| map.to_bytes(map.encoding_features()).to_vec();
    "ServiceMap" = ServiceMap, serialize;
    "ServiceMap::Daemon" = ServiceDaemon, serialize;
    "ServiceMap::Service" = Service, serialize;
    "entity_addr_t" = EntityAddr, serialize;
    "entity_addrvec_t" = EntityAddrVec, serialize;
    "eversion_t" = EVersion, serialize;
    "health_check_map_t" = HealthCheckMap, serialize;
    "health_check_t" = HealthCheck, serialize;
    "mon_feature_t" = MonFeatures, serialize;
    "object_stat_sum_t" = ObjectStatSum, serialize;
    "osd_info_t" = OsdInfo, serialize;
    "pg_pool_t" = PgPool, dump;
    "pg_shard_t" = PgShard, serialize;
    "pg_t" = Pg, serialize;
    "pool_opts_t" = PoolOpts, serialize;
    "pool_stat_t" = PoolStat, serialize;
    "pow2_hist_t" = Pow2Hist, serialize;
    "store_statfs_t" = StoreStatfs, serialize;
    "uuid_d" = Fsid, serialize;
}
