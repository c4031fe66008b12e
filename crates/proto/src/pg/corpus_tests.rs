//! Decodes what Ceph's own daemons encoded (the corpus beside the workspace, when it is there) and encodes it again.

use super::{EVersion, ObjectStatSum, OsdStat, PerfStat, Pg, PgMapDump, PgShard, PgStat, PoolStat, Pow2Hist};
use super::{Spg, StoreStatfs};
use crate::health::{DaemonHealthMetric, HealthCheck, HealthCheckMap};
use crate::msgs::mon_mgr_report::ProgressEvent;
use crate::pg_map_digest::{PgCount, PgMapDigest};
use axon_denc::{Decode, Encode, Features};
use std::fmt::Debug;
use std::path::PathBuf;

/// Features of a peer before Tentacle.
const REEF: Features = Features(!(1 << 50));

/// Reads every sample, with how far decoding went; `same_bytes` where our version is the sample's.
fn check<T: Encode + Decode + PartialEq + Debug>(type_name: &str, same_bytes: bool) {
    let root = std::env::var_os("AXON_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus")),
        PathBuf::from,
    );
    for release in ["16.2.0", "18.2.0"] {
        let Ok(samples) = std::fs::read_dir(root.join(release).join(type_name)) else { continue };
        for sample in samples.flatten() {
            let bytes = std::fs::read(sample.path()).unwrap();
            let at = sample.path();
            let value = T::from_bytes(&bytes).unwrap_or_else(|e| panic!("{}: {e}", at.display()));
            let again = value.to_bytes(REEF);
            assert_eq!(T::from_bytes(&again).unwrap(), value, "{}", at.display());
            if same_bytes {
                let without_ns = value.to_bytes(Features(REEF.0 & !(1 << 17)));
                assert!(again == bytes || without_ns == bytes, "{}: {value:?}", at.display());
            }
            for len in 0..bytes.len().min(600) {
                assert!(T::from_bytes(&bytes[..len]).is_err(), "{} cut to {len} bytes", at.display());
            }
        }
    }
}

#[derive(Debug, PartialEq)]
struct Collection(ObjectStatSum);
impl Encode for Collection {
    fn encode(&self, w: &mut axon_denc::Writer, features: Features) {
        self.0.encode_collection(w, features);
    }
}
impl Decode for Collection {
    fn decode(r: &mut axon_denc::Reader<'_>) -> axon_denc::Result<Self> {
        ObjectStatSum::decode_collection(r).map(Collection)
    }
}

#[test]
fn what_ceph_encoded_decodes_and_encodes_to_the_same_bytes() {
    check::<Pg>("pg_t", true);
    check::<Spg>("spg_t", true);
    check::<PgShard>("pg_shard_t", true);
    check::<EVersion>("eversion_t", true);
    check::<ObjectStatSum>("object_stat_sum_t", true);
    check::<Collection>("object_stat_collection_t", true);
    check::<StoreStatfs>("store_statfs_t", true);
    check::<Pow2Hist>("pow2_hist_t", true);
    check::<PerfStat>("objectstore_perf_stat_t", true);
    check::<PoolStat>("pool_stat_t", true);
    check::<OsdStat>("osd_stat_t", true);
    check::<PgCount>("PGMapDigest::pg_count", true);
    check::<HealthCheck>("health_check_t", true);
    check::<HealthCheckMap>("health_check_map_t", true);
    check::<DaemonHealthMetric>("DaemonHealthMetric", true);
    check::<ProgressEvent>("ProgressEvent", true);
    // An unordered map of upstream's: the bytes come in another order.
    check::<PgMapDigest>("PGMapDigest", false);
    // An older version of `pg_stat_t` inside.
    check::<PgMapDump>("PGMap", false);
    check::<PgStat>("pg_stat_t", false);
}
