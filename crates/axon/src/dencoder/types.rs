//! The types that `axon dencoder` knows, under upstream's names.
//!
//! A type is a row: name, our type, where its JSON comes from (`serialize`: the type's own, the same in all releases; `dump`: the type's own by
//! release; `json(…)`, `by_release(…)`: a function, most of them in `json`), and a form of its own where a value's bytes do not follow from features
//! alone (given the bytes that were read: some versions stand in them).

use super::json;
use axon_cephx::{CryptoKey, wire};
use axon_denc::{Decode, DecodeError, Encode, Features, Reader, Writer, denc_struct};
use axon_proto::fs_map::{CompatSet, FeatureBits, Filesystem, MdsForm, MdsInfo, MdsMap};
use axon_proto::health::{DaemonHealthMetric, HealthCheck, HealthCheckMap};
use axon_proto::json::map_of;
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
    CounterDescriptor, MdsMetricPayload, MdsPerfMetricReport, MetricConfig, MetricReport, OsdMetricPayload,
    OsdPerfMetricQueries, PerfMetricQuery, PerfMetricReport, SubKeyDescriptor,
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
use serde_json::{Value, json};

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

macro_rules! json_of {
    (serialize, $value:ident, $type:ty, $release:ident) => {
        serde_json::to_value(&$value).map_err(|e| e.to_string())
    };
    (dump, $value:ident, $type:ty, $release:ident) => {
        serde_json::to_value($value.dumped($release)).map_err(|e| e.to_string())
    };
    (json($form:expr), $value:ident, $type:ty, $release:ident) => {{
        let form: fn(&$type) -> Value = $form;
        Ok(form(&$value))
    }};
    (by_release($form:expr), $value:ident, $type:ty, $release:ident) => {{
        let form: fn(&$type, Release) -> Value = $form;
        Ok(form(&$value, $release))
    }};
}

macro_rules! types {
    ($($name:literal = $type:ty, $json:ident $(($form:expr))? $(, $own:expr)?;)*) => {
        pub const TYPES: &[Type] = &[$(Type {
            name: $name,
            decode: |bytes, release| {
                let mut reader = Reader::named(bytes, $name);
                let value: $type = Decode::decode(&mut reader)?;
                let _ = release;
                Ok(Decoded {
                    json: json_of!($json $(($form))?, value, $type, release),
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

/// The form of the maps about MDSs that the bytes have; versions stand at several places in them.
fn in_form(bytes: &[u8], encode: impl Fn(&mut Writer, MdsForm)) -> Vec<u8> {
    let forms = (16..=19).flat_map(|mds_map| (9..=10).map(move |mds_info| (mds_map, mds_info)));
    let mut all = forms.map(|(mds_map, mds_info)| {
        written(|w| encode(w, MdsForm { fs_map: at(bytes, 0), mds_map, mds_info }))
    });
    all.find(|form| bytes.starts_with(form)).unwrap_or_default()
}

/// `object_stat_collection_t`: the sum within its envelope.
struct StatCollection(ObjectStatSum);

impl Encode for StatCollection {
    fn encode(&self, w: &mut Writer, features: Features) {
        self.0.encode_collection(w, features);
    }
}
impl Decode for StatCollection {
    fn decode(r: &mut Reader<'_>) -> axon_denc::Result<Self> {
        ObjectStatSum::decode_collection(r).map(StatCollection)
    }
}

/// `MDSConfigPayload`: what `MetricConfigMessage` holds for an MDS.
struct MdsConfigPayload {
    config: OsdPerfMetricQueries,
}
denc_struct!(MDSConfigPayload, 1, 1; MdsConfigPayload { config });

types! {
    "AuthCapsInfo" = wire::AuthCapsInfo, json(json::auth_caps);
    "AuthTicket" = wire::AuthTicket, json(json::auth_ticket);
    "CephXAuthenticate" = wire::CephXAuthenticate, json(json::authenticate);
    "CephXAuthorize" = wire::CephXAuthorize, json(|v| json!({"nonce": v.nonce, "have_challenge": u8::from(v.have_challenge), "server_challenge_plus_one": v.server_challenge_plus_one}));
    "CephXAuthorizeChallenge" = wire::CephXAuthorizeChallenge, json(|v| json!({"server_challenge": v.server_challenge}));
    "CephXAuthorizeReply" = wire::CephXAuthorizeReply, json(|v| json!({"nonce_plus_one": v.nonce_plus_one, "connection_secret": String::from_utf8_lossy(&v.connection_secret)}));
    "CephXChallengeBlob" = wire::CephXChallengeBlob, json(|v| json!({"server_challenge": v.server_challenge, "client_challenge": v.client_challenge}));
    "CephXRequestHeader" = wire::CephXRequestHeader, json(|v| json!({"request_type": v.request_type}));
    "CephXResponseHeader" = wire::CephXResponseHeader, json(|v| json!({"request_type": v.request_type, "status": v.status}));
    "CephXServerChallenge" = wire::CephXServerChallenge, json(|v| json!({"server_challenge": v.server_challenge}));
    "CephXServiceTicket" = wire::CephXServiceTicket, json(json::service_ticket);
    "CephXServiceTicketInfo" = wire::CephXServiceTicketInfo, json(json::service_ticket_info);
    "CephXServiceTicketRequest" = wire::CephXServiceTicketRequest, json(|v| json!({"keys": v.keys}));
    "CephXTicketBlob" = wire::CephXTicketBlob, json(json::ticket_blob);
    "CompatSet" = CompatSet, serialize;
    "CrushWrapper" = crush::CrushMap, dump;
    "CryptoKey" = CryptoKey, json(json::crypto_key);
    "DaemonHealthMetric" = DaemonHealthMetric, serialize;
    "EntityAuth" = wire::EntityAuth, json(json::entity_auth);
    "EntityName" = AuthEntity, json(json::auth_entity);
    "ExpiringCryptoKey" = wire::ExpiringCryptoKey, json(json::expiring_key);
    "FSMap" = FsMap, dump, |map, bytes| in_form(bytes, |w, form| map.encode_form(w, Features::ALL, form));
    "Filesystem" = Filesystem, dump, |map, bytes| in_form(bytes, |w, form| map.encode_form(w, Features::ALL, form));
    "HitSet::Params" = HitSetParams, serialize;
    "LogEntry" = LogEntry, serialize;
    "MDSConfigPayload" = MdsConfigPayload, json(|v| json::mds_config(&v.config));
    "MDSMap" = MdsMap, dump, |map, bytes| in_form(bytes, |w, form| map.encode_form(w, Features::ALL, form));
    "MDSMap::mds_info_t" = MdsInfo, serialize, |info, bytes| written(|w| info.encode_version(w, Features::ALL, at(bytes, 0)));
    "MDSMetricPayload" = MdsMetricPayload, json(|v| json::mds_report(&v.metric_report));
    "MDSPerfMetricReport" = MdsPerfMetricReport, json(json::mds_report);
    "MetricConfigMessage" = MetricConfig, json(json::metric_config);
    "MetricReportMessage" = MetricReport, json(json::metric_report);
    "MgrMap" = MgrMap, dump, |map, bytes| written(|w| map.encode_version(w, Features::ALL, at(bytes, 0)));
    "MgrMap::ModuleInfo" = ModuleInfo, json(|v| json!({"module": v}));
    "MgrMap::ModuleOption" = ModuleOption, serialize;
    "MgrMap::StandbyInfo" = StandbyInfo, json(json::standby);
    "MonMap" = MonMap, dump;
    "OSDMap" = OSDMap, dump, |map, _| map.to_bytes(map.encoding_features()).to_vec();
    "OSDMap::Incremental" = Incremental, dump, |inc, bytes| written(|w| inc.encode_with_client_version(w, at(bytes, 6), inc.encode_features));
    "OSDMetricPayload" = OsdMetricPayload, json(json::osd_payload);
    "OSDPerfMetricQuery" = PerfMetricQuery, json(json::osd_query);
    "OSDPerfMetricReport" = PerfMetricReport, json(json::osd_report);
    "OSDPerfMetricSubKeyDescriptor" = SubKeyDescriptor, json(json::sub_key);
    "PGMap" = PgMapDump, by_release(json::pg_map);
    "PGMapDigest" = PgMapDigest, by_release(json::digest);
    "PGMapDigest::pg_count" = PgCount, json(|v| json!({"acting": v.acting, "up_not_acting": v.up_not_acting, "primary": v.primary}));
    "PerfCounterType" = PerfCounterType, json(|v| json!({"path": v.path, "description": v.description, "nick": v.nick, "type": v.kind, "priority": v.priority, "unit": v.unit}));
    "PerformanceCounterDescriptor" = CounterDescriptor, json(json::counter);
    "ProgressEvent" = ProgressEvent, json(|v| json!({"message": v.message, "progress": f64::from(v.progress), "add_to_ceph_s": v.add_to_ceph_s}));
    "RotatingSecrets" = wire::RotatingSecrets, json(json::rotating);
    "ServiceMap" = ServiceMap, serialize;
    "ServiceMap::Daemon" = ServiceDaemon, serialize;
    "ServiceMap::Service" = Service, serialize;
    "entity_addr_t" = EntityAddr, serialize;
    "entity_addrvec_t" = EntityAddrVec, serialize;
    "entity_name_t" = EntityName, json(|v| json!({"type": v.kind.name(), "num": v.num.cast_unsigned()}));
    "eversion_t" = EVersion, json(|v| json!({"version": v.version, "epoch": v.epoch}));
    "feature_bitset_t" = FeatureBits, json(json::feature_bits);
    "health_check_map_t" = HealthCheckMap, serialize;
    "health_check_t" = HealthCheck, serialize;
    "mon_feature_t" = MonFeatures, json(|v| json!({"features": v}));
    "mon_info_t" = MonInfo, dump, |info, bytes| written(|w| info.encode_version(w, Features::ALL, at(bytes, 0)));
    "object_stat_collection_t" = StatCollection, json(|v| json!({"stat_sum": v.0}));
    "object_stat_sum_t" = ObjectStatSum, serialize;
    "objectstore_perf_stat_t" = PerfStat, json(|perf| json!(perf.dump()));
    "osd_info_t" = OsdInfo, serialize;
    "osd_stat_t" = OsdStat, json(json::osd_stat);
    "osd_xinfo_t" = OsdXInfo, serialize;
    "pg_merge_meta_t" = PgMergeMeta, serialize;
    "pg_pool_t" = PgPool, dump;
    "pg_shard_t" = PgShard, json(json::pg_shard);
    "pg_stat_t" = PgStat, by_release(|v, release| map_of(&v.dump(release)).into());
    "pg_t" = Pg, json(json::pg);
    "pool_opts_t" = PoolOpts, serialize;
    "pool_snap_info_t" = PoolSnapInfo, serialize;
    "pool_stat_t" = PoolStat, serialize;
    "pow2_hist_t" = Pow2Hist, serialize;
    "spg_t" = Spg, json(json::spg);
    "store_statfs_t" = StoreStatfs, serialize;
    "utime_t" = UTime, json(|v| json!({"seconds": v.sec, "nanoseconds": v.nsec}));
    "uuid_d" = Fsid, json(|v| json!({"uuid": v}));
}
