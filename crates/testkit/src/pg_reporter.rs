//! A made-up OSD that reports the PGs of a whole pool to the active manager, for measuring what many of them cost: a machine that runs
//! three OSDs cannot have the hundreds of thousands of PGs that belong to the thousands of OSDs of its map.
//!
//! The manager believes any OSD of the map about any PG of it. A PG's primary is one of the real OSDs, for managers take a PG whose
//! primary is down for stale; the others are spread over all.

use crate::manager_session::ManagerSession;
use anyhow::{Result, ensure};
use axon_launcher::Cluster;
use axon_proto::msgs::pg_stats::MPGStats;
use axon_proto::pg::{EVersion, ObjectStatSum, OsdStat, Pg, PgStat, PgState};
use axon_proto::{Message, UTime};
use std::path::PathBuf;

/// PGs in one message, as an OSD has them.
const PGS_A_MESSAGE: u32 = 500;
/// The launcher's OSDs.
const REAL_OSDS: i64 = 3;
const COPIES: i64 = 3;

/// Keeps its session open as long as it lives.
pub struct PgReporter {
    _session: ManagerSession,
}

impl PgReporter {
    /// Reports `pgs` PGs of a pool, on `osds` OSDs of which the last one is who reports; the manager has them when it settles next.
    ///
    /// # Errors
    /// When the manager cannot be reached.
    pub async fn report(cluster: &Cluster, pool: i64, pgs: u32, osds: u32) -> Result<Self> {
        ensure!(i64::from(osds) > REAL_OSDS, "there is no made-up OSD");
        let name = format!("osd.{}", osds - 1);
        let keyring = keyring(cluster, &name)?;
        let replaced = [("keyring", &*keyring.to_string_lossy())];
        let session = ManagerSession::open(cluster, &name, &replaced).await?;
        let dump = cluster.ceph_json(&["osd", "dump"])?;
        let epoch = u32::try_from(dump["epoch"].as_u64().unwrap_or_default())?;
        for first in (0..pgs).step_by(PGS_A_MESSAGE as usize) {
            let seeds = first..pgs.min(first + PGS_A_MESSAGE);
            let report = MPGStats {
                osd_stat: OsdStat { seq: u64::from(first) + 1, num_osds: 1, ..OsdStat::default() },
                pg_stat: seeds.map(|seed| (Pg::new(pool, seed), stat(seed, osds, epoch))).collect(),
                epoch,
                ..MPGStats::default()
            };
            session.connected.handle.send(Message::from(report)).await?;
        }
        Ok(PgReporter { _session: session })
    }
}

/// A file with the key of the OSD, which gets one.
fn keyring(cluster: &Cluster, name: &str) -> Result<PathBuf> {
    let caps = ["mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"];
    let key = cluster.ceph_ok(&[&["auth", "get-or-create", name], &caps[..]].concat())?;
    let path = cluster.dir().join("keyring.made-up-osd");
    std::fs::write(&path, key)?;
    Ok(path)
}

/// What a PG that is well says after years of work.
fn stat(seed: u32, osds: u32, epoch: u32) -> PgStat {
    let at = |step: i64| (i64::from(seed) * 7919 + step * 104_729) % i64::from(osds);
    let first = i64::from(seed) % REAL_OSDS;
    let acting: Vec<i32> = (0..COPIES).map(|step| if step == 0 { first } else { at(step) } as i32).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let stamp = UTime::from(now);
    let version = EVersion { version: 1000 + u64::from(seed), epoch };
    let objects = i64::from(seed % 1000);
    PgStat {
        version,
        reported_seq: 10_000 + u64::from(seed),
        reported_epoch: epoch,
        state: PgState::ACTIVE.with(PgState::CLEAN),
        last_fresh: stamp,
        last_change: stamp,
        last_active: stamp,
        last_peered: stamp,
        last_clean: stamp,
        last_became_active: stamp,
        last_became_peered: stamp,
        last_unstale: stamp,
        last_undegraded: stamp,
        last_fullsized: stamp,
        last_scrub_stamp: stamp,
        last_deep_scrub_stamp: stamp,
        last_clean_scrub_stamp: stamp,
        last_epoch_clean: epoch,
        mapping_epoch: epoch,
        log_size: 1234,
        ondisk_log_size: 1234,
        up_primary: acting.first().copied().unwrap_or(-1),
        acting_primary: acting.first().copied().unwrap_or(-1),
        up: acting.clone(),
        acting,
        stats: ObjectStatSum {
            num_objects: objects,
            num_object_copies: objects * COPIES,
            num_bytes: objects << 22,
            ..ObjectStatSum::default()
        },
        ..PgStat::default()
    }
}
