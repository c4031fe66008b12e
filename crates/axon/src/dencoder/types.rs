//! The types that `axon dencoder` knows, under upstream's names.
//!
//! A type is a row: name, our type, where its JSON comes from (`serialize`: the same in all releases; `dump`: by release; `bytes`: it has none here), and
//! a form of its own where a value's bytes do not follow from features alone (given the bytes that were read: some versions stand in them).

use axon_cephx::{CryptoKey, wire};
use axon_denc::{Decode, DecodeError, Encode, Features, Reader, Writer};
use axon_proto::fs_map::{CompatSet, FeatureBits, MdsInfo, MdsMap};
use axon_proto::health::{DaemonHealthMetric, HealthCheck, HealthCheckMap};
use axon_proto::log_entry::LogEntry;
use axon_proto::mgr_map::{ModuleInfo, ModuleOption, StandbyInfo};
use axon_proto::mon_feature::MonFeatures;
use axon_proto::mon_map::MonInfo;
use axon_proto::msgs::mgr_report::PerfCounterType;
use axon_proto::msgs::mon_mgr_report::ProgressEvent;
use axon_proto::osd_map::{
    HitSetParams, Incremental, OsdInfo, OsdXInfo, PgMergeMeta, PgPool, PoolOpts, PoolSnapInfo,
};
use axon_proto::perf_metric::{
    MdsMetricPayload, MdsPerfMetricReport, MetricConfig, MetricReport, OsdMetricPayload,
};
use axon_proto::pg::{
    EVersion, ObjectStatSum, OsdStat, PerfStat, Pg, PgMapDump, PgShard, PgStat, PoolStat, Pow2Hist, Spg,
    StoreStatfs,
};
use axon_proto::pg_map_digest::{PgCount, PgMapDigest};
use axon_proto::service_map::{Service, ServiceDaemon};
use axon_proto::{
    AuthEntity, Dump, EntityAddr, EntityAddrVec, EntityName, FsMap, Fsid, MgrMap, MonMap, OSDMap, Release,
    ServiceMap, UTime, crush, features,
};
use serde_json::Value;

/// One value, read.
pub struct Decoded {
    /// As the release's `ceph-dencoder` prints it; a type of which only bytes are known says so.
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
    (bytes, $value:ident, $release:ident) => {
        Err::<Value, _>("its JSON is not made here; roundtrip works")
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
                            let own: fn(&$type, &[u8]) -> Vec<u8> = $own;
                            encoded.push(own(&value, bytes));
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
    // Before Tentacle, and without SERVER_NAUTILUS.
    let older = [Features(!(1 << 50)), Features(!(1 << 50) & !(1 << 17))];
    [Features::ALL].into_iter().chain(releases).chain([plain]).chain(older)
}

/// A version that stands in the bytes.
fn at(bytes: &[u8], place: usize) -> u8 {
    bytes.get(place).copied().unwrap_or_default()
}

fn written(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_vec()
}

types! {
    "AuthCapsInfo" = wire::AuthCapsInfo, bytes;
    "AuthTicket" = wire::AuthTicket, bytes;
    "CephXAuthenticate" = wire::CephXAuthenticate, bytes;
    "CephXAuthorize" = wire::CephXAuthorize, bytes;
    "CephXAuthorizeChallenge" = wire::CephXAuthorizeChallenge, bytes;
    "CephXAuthorizeReply" = wire::CephXAuthorizeReply, bytes;
    "CephXChallengeBlob" = wire::CephXChallengeBlob, bytes;
    "CephXRequestHeader" = wire::CephXRequestHeader, bytes;
    "CephXResponseHeader" = wire::CephXResponseHeader, bytes;
    "CephXServerChallenge" = wire::CephXServerChallenge, bytes;
    "CephXServiceTicket" = wire::CephXServiceTicket, bytes;
    "CephXServiceTicketInfo" = wire::CephXServiceTicketInfo, bytes;
    "CephXServiceTicketRequest" = wire::CephXServiceTicketRequest, bytes;
    "CephXTicketBlob" = wire::CephXTicketBlob, bytes;
    "CompatSet" = CompatSet, serialize;
    "CrushWrapper" = crush::CrushMap, dump;
    "CryptoKey" = CryptoKey, bytes;
    "DaemonHealthMetric" = DaemonHealthMetric, serialize;
    "EntityAuth" = wire::EntityAuth, bytes;
    "EntityName" = AuthEntity, bytes;
    "ExpiringCryptoKey" = wire::ExpiringCryptoKey, bytes;
    "FSMap" = FsMap, dump;
    "HitSet::Params" = HitSetParams, serialize;
    "LogEntry" = LogEntry, bytes;
    "MDSMap" = MdsMap, dump;
    "MDSMap::mds_info_t" = MdsInfo, serialize, |info, bytes| written(|w| info.encode_version(w, Features::ALL, at(bytes, 0)));
    "MDSMetricPayload" = MdsMetricPayload, bytes;
    "MDSPerfMetricReport" = MdsPerfMetricReport, bytes;
    "MetricConfigMessage" = MetricConfig, bytes;
    "MetricReportMessage" = MetricReport, bytes;
    "MgrMap" = MgrMap, dump, |map, bytes| written(|w| map.encode_version(w, Features::ALL, at(bytes, 0)));
    "MgrMap::ModuleInfo" = ModuleInfo, serialize;
    "MgrMap::ModuleOption" = ModuleOption, serialize;
    "MgrMap::StandbyInfo" = StandbyInfo, serialize;
    "MonMap" = MonMap, dump;
    "OSDMap" = OSDMap, dump, |map, _| map.to_bytes(map.encoding_features()).to_vec();
    "OSDMap::Incremental" = Incremental, bytes, |inc, bytes| written(|w| inc.encode_with_client_version(w, at(bytes, 6), inc.encode_features));
    "OSDMetricPayload" = OsdMetricPayload, bytes;
    "PGMap" = PgMapDump, bytes;
    "PGMapDigest" = PgMapDigest, bytes;
    "PGMapDigest::pg_count" = PgCount, bytes;
    "PerfCounterType" = PerfCounterType, bytes;
    "ProgressEvent" = ProgressEvent, bytes;
    "RotatingSecrets" = wire::RotatingSecrets, bytes;
    "ServiceMap" = ServiceMap, serialize;
    "ServiceMap::Daemon" = ServiceDaemon, serialize;
    "ServiceMap::Service" = Service, serialize;
    "entity_addr_t" = EntityAddr, serialize;
    "entity_addrvec_t" = EntityAddrVec, serialize;
    "entity_name_t" = EntityName, bytes;
    "eversion_t" = EVersion, serialize;
    "feature_bitset_t" = FeatureBits, bytes;
    "health_check_map_t" = HealthCheckMap, serialize;
    "health_check_t" = HealthCheck, serialize;
    "mon_feature_t" = MonFeatures, serialize;
    "mon_info_t" = MonInfo, bytes, |info, bytes| written(|w| info.encode_version(w, Features::ALL, at(bytes, 0)));
    "object_stat_sum_t" = ObjectStatSum, serialize;
    "objectstore_perf_stat_t" = PerfStat, bytes;
    "osd_info_t" = OsdInfo, serialize;
    "osd_stat_t" = OsdStat, bytes;
    "osd_xinfo_t" = OsdXInfo, bytes;
    "pg_merge_meta_t" = PgMergeMeta, bytes;
    "pg_pool_t" = PgPool, dump;
    "pg_shard_t" = PgShard, serialize;
    "pg_stat_t" = PgStat, bytes;
    "pg_t" = Pg, serialize;
    "pool_opts_t" = PoolOpts, serialize;
    "pool_snap_info_t" = PoolSnapInfo, bytes;
    "pool_stat_t" = PoolStat, serialize;
    "pow2_hist_t" = Pow2Hist, serialize;
    "spg_t" = Spg, bytes;
    "store_statfs_t" = StoreStatfs, serialize;
    "utime_t" = UTime, bytes;
    "uuid_d" = Fsid, serialize;
}
