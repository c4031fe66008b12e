//! A file system with its ranks, pools, standbys and versions: what `ceph fs status` and `GET /api/cephfs/{id}` show
//! (`fs_status` of `dashboard/controllers/cephfs.py`; same fields since 16.2, `flags` since 18.2). Fields are the keys of
//! the JSON. Values come from the file systems' map, the MDSs' performance counters and the pools' statistics.
//!
//! Not here: clients, which only the MDS knows (`session ls`).

use crate::daemons::DaemonKey;
use crate::perf::DaemonPerf;
use crate::state::State;
use axon_proto::Release;
use axon_proto::fs_map::{Filesystem, FlagsState, MdsInfo, MdsState};
use serde::Serialize;
use std::collections::BTreeMap;

/// The whole answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FsStatus {
    pub cephfs: FsRow,
    pub standbys: Vec<StandbyRow>,
    /// Names of daemons by their version.
    pub versions: BTreeMap<String, Vec<String>>,
}

/// The file system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FsRow {
    pub id: i32,
    pub name: String,
    /// Sessions of rank 0; of another rank while that one is down.
    pub client_count: u64,
    pub ranks: Vec<RankRow>,
    pub pools: Vec<PoolRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<FlagsState>,
}

/// A rank, or a daemon that follows one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RankRow {
    pub rank: RankName,
    pub state: String,
    pub mds: String,
    /// Requests per second; of a follower, replayed events per second.
    pub activity: f64,
    pub dns: u64,
    pub inos: u64,
    pub dirs: u64,
    pub caps: u64,
}

/// `0`, or `0-s` of a daemon that follows rank 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RankName {
    Rank(i32),
    Follower(String),
}

/// A pool of the file system; bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolRow {
    pub pool: String,
    pub r#type: &'static str,
    pub used: i64,
    pub avail: i64,
}

/// A daemon that stands by for any file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StandbyRow {
    pub name: String,
}

impl FsStatus {
    /// Of the file system of that id, if there is one.
    #[must_use]
    pub fn of(state: &State, id: i32) -> Option<FsStatus> {
        let fs = state.fs_map.filesystems.get(&id)?;
        let mut versions = BTreeMap::new();
        let mut ranks = Vec::new();
        for rank in &fs.mdsmap.r#in {
            let info = fs.mdsmap.by_rank(*rank);
            if let Some(info) = info {
                count_version(state, &info.name, &mut versions);
            }
            ranks.push(info.map_or_else(|| failed(*rank), |info| held(state, *rank, info)));
        }
        let followers = fs.mdsmap.info.values().filter(|info| info.state == MdsState::STANDBY_REPLAY);
        ranks.extend(followers.map(|info| follower(state, info)));
        let standbys = state.fs_map.standbys.values();
        standbys.clone().for_each(|info| count_version(state, &info.name, &mut versions));
        let cephfs = FsRow {
            id,
            name: fs.mdsmap.fs_name.clone(),
            client_count: client_count(state, fs),
            ranks,
            pools: pools(state, fs),
            flags: (state.release >= Release::Reef).then(|| FlagsState::of(fs.mdsmap.flags)),
        };
        let standbys = standbys.map(|info| StandbyRow { name: info.name.clone() }).collect();
        Some(FsStatus { cephfs, standbys, versions })
    }
}

fn held(state: &State, rank: i32, info: &MdsInfo) -> RankRow {
    let name = info.state.name();
    let mut shown = name.split_once(':').map_or(name, |(_, shown)| shown).to_owned();
    if !info.laggy_since.is_zero() {
        shown.push_str("(laggy)");
    }
    // A laggy daemon is not busy, whatever it did before.
    let path = (shown == "active").then_some("mds_server.handle_client_request");
    row(state, RankName::Rank(rank), shown, &info.name, path)
}

fn follower(state: &State, info: &MdsInfo) -> RankRow {
    let rank = RankName::Follower(format!("{}-s", info.rank));
    row(state, rank, "standby-replay".to_owned(), &info.name, Some("mds_log.replay"))
}

fn failed(rank: i32) -> RankRow {
    let (state, mds) = ("failed".to_owned(), String::new());
    RankRow { rank: RankName::Rank(rank), state, mds, activity: 0.0, dns: 0, inos: 0, dirs: 0, caps: 0 }
}

fn row(state: &State, rank: RankName, shown: String, mds: &str, activity: Option<&str>) -> RankRow {
    let perf = perf(state, mds);
    let latest = |path: &str| perf.and_then(|perf| perf.latest(path)).map_or(0, |point| point.value);
    RankRow {
        rank,
        state: shown,
        mds: mds.to_owned(),
        activity: activity.zip(perf).map_or(0.0, |(path, perf)| perf.rate(path)),
        dns: latest("mds_mem.dn"),
        inos: latest("mds_mem.ino"),
        dirs: latest("mds_mem.dir"),
        caps: latest("mds_mem.cap"),
    }
}

fn client_count(state: &State, fs: &Filesystem) -> u64 {
    let mut count = 0;
    for info in fs.mdsmap.r#in.iter().filter_map(|rank| fs.mdsmap.by_rank(*rank)) {
        if count == 0 {
            let point = perf(state, &info.name).and_then(|perf| perf.latest("mds_sessions.session_count"));
            count = point.map_or(0, |point| point.value);
        }
    }
    count
}

fn pools(state: &State, fs: &Filesystem) -> Vec<PoolRow> {
    let metadata = fs.mdsmap.metadata_pool;
    let ids = [metadata].into_iter().chain(fs.mdsmap.data_pools.iter().copied());
    ids.map(|id| {
        let df = state.pg_map.df_of_pool(id, &*state.osd_map, state.release);
        let bytes = |key: &str| df.as_ref().and_then(|df| df.get(key)?.as_i64()).unwrap_or(0);
        PoolRow {
            pool: state.osd_map.pool_name.get(&id).cloned().unwrap_or_default(),
            r#type: if id == metadata { "metadata" } else { "data" },
            used: bytes("stored"),
            avail: bytes("max_avail"),
        }
    })
    .collect()
}

fn perf<'a>(state: &'a State, mds: &str) -> Option<&'a DaemonPerf> {
    state.perf.daemon(&DaemonKey::new("mds", mds)).map(|perf| &**perf)
}

fn count_version(state: &State, mds: &str, versions: &mut BTreeMap<String, Vec<String>>) {
    let Some(daemon) = state.daemons.named("mds", mds) else { return };
    let version = daemon.metadata.get("ceph_version").map_or("unknown", String::as_str);
    versions.entry(version.to_owned()).or_default().push(mds.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemons::{DaemonIndex, DaemonState};
    use crate::perf::PerfIndex;
    use axon_denc::Writer;
    use axon_proto::UTime;
    use axon_proto::fs_map::{FsMap, MdsMap};
    use axon_proto::msgs::mgr_report::{MMgrReport, PerfCounterType};
    use serde_json::json;
    use std::sync::Arc;

    fn mds(gid: u64, name: &str, rank: i32, state: MdsState) -> (u64, MdsInfo) {
        (gid, MdsInfo { gid, name: name.to_owned(), rank, state, ..MdsInfo::default() })
    }

    /// Ranks 0 (m0, active), 1 (nobody) and 2 (m2, laggy); s0 follows rank 0, spare stands by.
    fn fs_map() -> FsMap {
        let mut late = mds(12, "m2", 2, MdsState::REJOIN);
        late.1.laggy_since = UTime { sec: 5, nsec: 0 };
        let mdsmap = MdsMap {
            fs_name: "demo".to_owned(),
            r#in: [0, 1, 2].into(),
            up: [(0, 10), (2, 12)].into(),
            info: [mds(10, "m0", 0, MdsState::ACTIVE), mds(11, "s0", 0, MdsState::STANDBY_REPLAY), late]
                .into(),
            metadata_pool: 3,
            data_pools: vec![4],
            ..MdsMap::default()
        };
        let fs = Filesystem { id: 7, mdsmap, ..Filesystem::default() };
        let standbys = [mds(13, "spare", -1, MdsState::STANDBY)].into();
        FsMap { filesystems: [(7, fs)].into(), standbys, ..FsMap::default() }
    }

    /// Two reports, four seconds apart; the second value of each path.
    fn perf(index: &mut PerfIndex, name: &str, counters: &[(&str, u64, u64)]) {
        let key = DaemonKey::new("mds", name);
        let declare = counters.iter().map(|(path, ..)| PerfCounterType {
            path: (*path).to_owned(),
            description: String::new(),
            nick: String::new(),
            kind: 10,
            priority: 5,
            unit: 1,
        });
        let packed = |values: &[u64]| {
            let mut w = Writer::new();
            w.envelope(1, 1, |w| values.iter().for_each(|v| w.u64(*v)));
            w.into_bytes()
        };
        let values =
            |second: bool| counters.iter().map(|c| if second { c.2 } else { c.1 }).collect::<Vec<_>>();
        let first = MMgrReport {
            declare_types: declare.collect(),
            packed: packed(&values(false)),
            ..Default::default()
        };
        let next = MMgrReport { packed: packed(&values(true)), ..Default::default() };
        index.apply(&key, &first, UTime { sec: 10, nsec: 0 }).unwrap();
        index.apply(&key, &next, UTime { sec: 14, nsec: 0 }).unwrap();
    }

    fn state(release: Release) -> State {
        let mut index = PerfIndex::default();
        // In the order of the paths, as they travel.
        perf(
            &mut index,
            "m0",
            &[("mds_mem.cap", 1, 2), ("mds_mem.dn", 3, 4), ("mds_server.handle_client_request", 10, 30)],
        );
        perf(&mut index, "s0", &[("mds_log.replay", 0, 2)]);
        perf(
            &mut index,
            "m2",
            &[("mds_server.handle_client_request", 0, 9), ("mds_sessions.session_count", 5, 6)],
        );
        let mut daemons = DaemonIndex::default();
        for (name, version) in [("m0", "v1"), ("m2", "v2"), ("spare", "v1")] {
            let metadata = [("hostname", "h"), ("ceph_version", version)];
            let metadata = metadata.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            daemons.insert(DaemonKey::new("mds", name), DaemonState::from_metadata(metadata).unwrap());
        }
        State {
            release,
            fs_map: Arc::new(fs_map()),
            perf: Arc::new(index),
            daemons: Arc::new(daemons),
            ..State::default()
        }
    }

    #[test]
    fn every_rank_is_shown_with_who_holds_it_and_how_busy_it_is() {
        let status = FsStatus::of(&state(Release::Pacific), 7).unwrap();
        let shown = serde_json::to_value(&status).unwrap();
        let row = |rank: serde_json::Value, state: &str, mds: &str, activity: f64, dns: u64, caps: u64| {
            json!({"rank": rank, "state": state, "mds": mds, "activity": activity,
                "dns": dns, "inos": 0, "dirs": 0, "caps": caps})
        };
        let expected = [
            row(json!(0), "active", "m0", 5.0, 4, 2),
            row(json!(1), "failed", "", 0.0, 0, 0),
            row(json!(2), "rejoin(laggy)", "m2", 0.0, 0, 0),
            row(json!("0-s"), "standby-replay", "s0", 0.5, 0, 0),
        ];
        assert_eq!(shown["cephfs"]["ranks"], json!(expected));
        assert_eq!(shown["cephfs"]["client_count"], 6, "rank 0 has none, so the next that is up");
        assert_eq!(shown["standbys"], json!([{"name": "spare"}]));
        assert_eq!(
            shown["versions"],
            json!({"v1": ["m0", "spare"], "v2": ["m2"]}),
            "followers are not counted"
        );
        assert!(shown["cephfs"].get("flags").is_none());
    }

    #[test]
    fn flags_are_shown_since_reef_and_an_unknown_id_is_nothing() {
        let state = state(Release::Reef);
        let shown = serde_json::to_value(FsStatus::of(&state, 7).unwrap()).unwrap();
        assert_eq!(shown["cephfs"]["flags"]["joinable"], true);
        assert_eq!(FsStatus::of(&state, 8), None);
    }
}
