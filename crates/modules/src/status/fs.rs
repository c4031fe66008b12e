//! `fs status`: ranks, followers, pools, clients, standbys and versions. The JSON of 16.2 gives a version alone where all
//! daemons have the same, and a follower's rank as a number.

use super::{latest, rate};
use crate::python::{PrettyTable, bold, colorize, dumps, format_bytes, format_dimless};
use crate::{Done, EINVAL, wants_json};
use axon_core::State;
use axon_core::commands::{Ask, Format};
use axon_core::daemons::DaemonKey;
use axon_proto::Release;
use axon_proto::fs_map::{Filesystem, MdsInfo, MdsState};
use serde_json::{Value, json};

const GREEN: u8 = 2;
const YELLOW: u8 = 3;

/// The answer in both forms, as it grows.
#[derive(Default)]
struct Status {
    text: String,
    mdsmap: Vec<Value>,
    pools: Vec<Value>,
    clients: Vec<Value>,
    /// In the order in which they were met.
    versions: Vec<(String, Vec<String>)>,
}

pub(super) fn status(ask: &Ask<'_>) -> Done {
    let state = ask.state;
    let filter = ask.text("fs").filter(|name| !name.is_empty());
    let mut out = Status::default();
    for fs in state.fs_map.filesystems.values() {
        if filter.as_ref().is_none_or(|name| *name == fs.mdsmap.fs_name) {
            out.filesystem(state, fs);
        }
    }
    // Later releases mean to, but their JSON is never empty.
    if let Some(name) = filter.filter(|_| out.clients.is_empty() && state.release < Release::Reef) {
        return Done::refused(EINVAL, format!("Invalid filesystem: {name}"));
    }
    out.standbys(state);
    out.version_table();
    if !wants_json(ask) {
        return Done::out(out.text);
    }
    let body = out.json(state.release);
    Done::out(dumps(&body, true, if ask.format() == Format::JsonPretty { 4 } else { 0 }))
}

/// Counters of an MDS's cache, in the order of the columns.
struct Cache([u64; 4]);

impl Cache {
    fn of(state: &State, mds: &DaemonKey) -> Self {
        Cache(
            ["mds_mem.dn", "mds_mem.ino", "mds_mem.dir", "mds_mem.cap"].map(|path| latest(state, mds, path)),
        )
    }

    fn cells(&self) -> [String; 4] {
        self.0.map(|n| format_dimless(n as f64, 5))
    }
}

impl Status {
    fn filesystem(&mut self, state: &State, fs: &Filesystem) {
        let names = ["RANK", "STATE", "MDS", "ACTIVITY", "DNS", "INOS", "DIRS", "CAPS"];
        let mut table = PrettyTable::centred(&names);
        let map = &fs.mdsmap;
        let mut clients = 0;
        for rank in &map.r#in {
            let Some(info) = map.by_rank(*rank) else {
                self.mdsmap.push(json!({"rank": rank, "state": "failed"}));
                let empty = std::iter::repeat_n(String::new(), 6);
                table.row([rank.to_string(), "failed".to_owned()].into_iter().chain(empty));
                continue;
            };
            if *rank == 0 || clients == 0 {
                clients = latest(state, &DaemonKey::new("mds", &*info.name), "mds_sessions.session_count");
            }
            table.row(self.held(state, *rank, info));
        }
        for info in map.info.values().filter(|info| info.state == MdsState::STANDBY_REPLAY) {
            table.row(self.follower(state, info));
        }
        let pools = self.pool_table(state, fs);
        self.clients.push(json!({"fs": map.fs_name, "clients": clients}));
        let line = "=".repeat(map.fs_name.chars().count());
        self.text += &format!("{} - {clients} clients\n{line}\n{}\n{pools}\n", map.fs_name, table.text());
    }

    fn held(&mut self, state: &State, rank: i32, info: &MdsInfo) -> Vec<String> {
        let mds = DaemonKey::new("mds", &*info.name);
        let cache = Cache::of(state, &mds);
        let name = info.state.name();
        let mut shown = name.split_once(':').map_or(name, |(_, shown)| shown).to_owned();
        if !info.laggy_since.is_zero() {
            shown.push_str("(laggy)");
        }
        let active = shown == "active";
        let requests = rate(state, &mds, "mds_server.handle_client_request");
        self.count_version(state, &info.name);
        let [dns, inos, dirs, caps] = cache.0;
        self.mdsmap.push(json!({
            "rank": rank, "name": info.name, "state": shown,
            "rate": if active { json!(requests) } else { json!("0") },
            "dns": dns, "inos": inos, "dirs": dirs, "caps": caps,
        }));
        let activity =
            if active { format!("Reqs: {}/s", format_dimless(requests as f64, 5)) } else { String::new() };
        let color = if active { GREEN } else { YELLOW };
        let mut row = vec![bold(&rank.to_string()), colorize(&shown, color), info.name.clone(), activity];
        row.extend(cache.cells());
        row
    }

    fn follower(&mut self, state: &State, info: &MdsInfo) -> Vec<String> {
        let mds = DaemonKey::new("mds", &*info.name);
        let cache = Cache::of(state, &mds);
        let events = rate(state, &mds, "mds_log.replayed");
        self.count_version(state, &info.name);
        let rank = format!("{}-s", info.rank);
        let [dns, inos, dirs, caps] = cache.0;
        self.mdsmap.push(json!({
            "rank": if state.release < Release::Reef { json!(info.rank) } else { json!(rank) },
            "name": info.name, "state": "standby-replay", "events": events,
            "dns": dns, "inos": inos, "dirs": dirs, "caps": caps,
        }));
        let activity = format!("Evts: {}/s", format_dimless(events as f64, 5));
        let mut row = vec![rank, "standby-replay".to_owned(), info.name.clone(), activity];
        row.extend(cache.cells());
        row
    }

    fn pool_table(&mut self, state: &State, fs: &Filesystem) -> String {
        let mut table = PrettyTable::centred(&["POOL", "TYPE", "USED", "AVAIL"]);
        let metadata = fs.mdsmap.metadata_pool;
        for id in [metadata].into_iter().chain(fs.mdsmap.data_pools.iter().copied()) {
            let df = state.pg_map.df_of_pool(id, &*state.osd_map, state.release);
            let bytes = |key: &str| df.as_ref().and_then(|df| df.get(key)?.as_i64()).unwrap_or(0);
            let (used, avail) = (bytes("bytes_used"), bytes("max_avail"));
            let name = state.osd_map.pool_name.get(&id).cloned().unwrap_or_default();
            let kind = if id == metadata { "metadata" } else { "data" };
            self.pools.push(json!({"id": id, "name": name, "type": kind, "used": used, "avail": avail}));
            table.row([name, kind.to_owned(), format_bytes(used as f64, 5), format_bytes(avail as f64, 5)]);
        }
        table.text()
    }

    fn standbys(&mut self, state: &State) {
        let mut table = PrettyTable::centred(&["STANDBY MDS"]);
        for info in state.fs_map.standbys.values() {
            self.count_version(state, &info.name);
            self.mdsmap.push(json!({"name": info.name, "state": "standby"}));
            table.row([info.name.clone()]);
        }
        self.text += &format!("\n{}\n", table.text());
    }

    fn version_table(&mut self) {
        if let [(version, _)] = self.versions.as_slice() {
            self.text += &format!("MDS version: {version}");
            return;
        }
        let mut table = PrettyTable::centred(&["VERSION", "DAEMONS"]);
        for (version, daemons) in &self.versions {
            table.row([version.clone(), daemons.join(", ")]);
        }
        self.text += &format!("{}\n", table.text());
    }

    fn count_version(&mut self, state: &State, mds: &str) {
        let version = state.daemons.named("mds", mds).and_then(|daemon| daemon.metadata.get("ceph_version"));
        let version = version.map_or("unknown", String::as_str);
        match self.versions.iter_mut().find(|(known, _)| known == version) {
            Some((_, daemons)) => daemons.push(mds.to_owned()),
            None => self.versions.push((version.to_owned(), vec![mds.to_owned()])),
        }
    }

    fn json(&self, release: Release) -> Value {
        let versions = match self.versions.as_slice() {
            [(version, _)] if release < Release::Reef => json!(version),
            // Upstream's keys: `daemon` where there is one version.
            [(version, daemons)] => json!([{"version": version, "daemon": daemons}]),
            several => several.iter().map(|(v, daemons)| json!({"version": v, "daemons": daemons})).collect(),
        };
        let lists = [
            ("mdsmap", self.mdsmap.clone().into()),
            ("pools", self.pools.clone().into()),
            ("clients", self.clients.clone().into()),
            ("mds_version", versions),
        ];
        // Pacific has no empty lists.
        let is_shown =
            |list: &Value| release >= Release::Reef || list.as_array().is_none_or(|l| !l.is_empty());
        let shown = lists.into_iter().filter(|(_, list)| is_shown(list));
        Value::Object(shown.map(|(name, list)| (name.to_owned(), list)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::Command;
    use axon_proto::UTime;
    use axon_proto::fs_map::{FsMap, MdsMap};
    use std::sync::Arc;

    /// Rank 0 (a, active), rank 1 (nobody); s follows, b stands by.
    fn state(release: Release) -> State {
        let mds = |gid: u64, name: &str, rank: i32, state: MdsState| {
            (gid, MdsInfo { gid, name: name.to_owned(), rank, state, ..MdsInfo::default() })
        };
        let mdsmap = MdsMap {
            fs_name: "demo".to_owned(),
            r#in: [0, 1].into(),
            up: [(0, 10)].into(),
            info: [mds(10, "a", 0, MdsState::ACTIVE), mds(11, "s", 0, MdsState::STANDBY_REPLAY)].into(),
            metadata_pool: 3,
            data_pools: vec![4],
            ..MdsMap::default()
        };
        let filesystems = [(1, Filesystem { id: 1, mdsmap, ..Filesystem::default() })].into();
        let standbys = [mds(12, "b", -1, MdsState::STANDBY)].into();
        let fs_map = Arc::new(FsMap { filesystems, standbys, ..FsMap::default() });
        State { release, fs_map, ..State::default() }
    }

    fn ask(release: Release, command: Command) -> Done {
        status(&Ask { command: &command, state: &state(release), now: UTime::ZERO })
    }

    #[test]
    fn every_rank_is_a_row() {
        let text = ask(Release::Tentacle, Command::plain("fs status")).lines();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["demo - 0 clients", "===="]);
        let row = "0-s   standby-replay   s   Evts:    0 /s     0      0      0      0   ";
        assert_eq!(lines[5], row, "{text}");
        assert!(lines[3].contains("active") && lines[4].contains("failed"), "{text}");
        assert_eq!(lines[9..], ["STANDBY MDS  ", "     b       ", "MDS version: unknown"], "{text}");
    }

    #[test]
    fn json_is_the_releases() {
        let json = |release| {
            let done = ask(release, Command::json("fs status"));
            serde_json::from_str::<Value>(&done.out).unwrap()
        };
        let (pacific, reef) = (json(Release::Pacific), json(Release::Reef));
        assert_eq!((&pacific["mds_version"], &pacific["mdsmap"][2]["rank"]), (&json!("unknown"), &json!(0)));
        assert_eq!(reef["mds_version"], json!([{"version": "unknown", "daemon": ["a", "s", "b"]}]));
        assert_eq!(reef["mdsmap"][2]["rank"], "0-s");
        assert_eq!(reef["mdsmap"][1], json!({"rank": 1, "state": "failed"}));
    }

    #[test]
    fn only_pacific_refuses_a_file_system_that_is_not_there() {
        let command = || Command::plain("fs status").arg("fs", "nope");
        let refused = ask(Release::Pacific, command());
        assert_eq!((refused.retval, refused.err.as_str()), (22, "Invalid filesystem: nope"));
        assert_eq!(ask(Release::Tentacle, command()).retval, 0);
    }
}
