//! Health: the whole of it, parts by scope, and the plain values.

use axon_launcher::Release;

use crate::compare::{Ask, May, Rule, get};

pub fn asks(_: Release) -> Vec<Ask> {
    let mut out = Vec::new();
    for path in [
        "/api/health/full",
        "/api/health/minimal",
        "/api/health/snapshot",
        "/api/health/get_cluster_capacity",
        "/api/health/get_cluster_fsid",
        "/api/health/get_telemetry_status",
    ] {
        out.extend(get(path).by_everyone());
        out.extend([get(path).version("1.1"), get(path).version("0.1"), get(path).any_version()]);
    }
    out.extend([get("/api/health"), get("/api/health/"), get("/api/health/nope")]);
    out
}

const MANAGER: &str = "which manager is active, its address, clients and modules";

pub const RULES: &[Rule] = &[
    Rule {
        on: "GET /api/health/*",
        at: "body.osd_map.osd_xinfo.[].last_purged_snaps_scrub",
        may: May::Move,
        why: "OSDs scrub some minutes after their start",
    },
    Rule { on: "GET /api/health/*", at: "body.osd_map.crush_version", may: May::Move, why: OTHERS },
    Rule { on: "GET /api/health/*", at: "body.osd_map.pools.[].last_change", may: May::Move, why: OTHERS },
    Rule { on: "GET /api/health/*", at: "body.pools.[].last_change", may: May::Move, why: OTHERS },
    Rule { on: "GET /api/health/*", at: "body.osd_map.max_osd", may: May::Move, why: OTHERS },
    Rule { on: "GET /api/health/*", at: "body.osd_map.last_in_change", may: May::Move, why: OTHERS },
    Rule { on: "GET /api/health/*", at: "body.osd_map.last_up_change", may: May::Move, why: OTHERS },
    Rule { on: "GET /api/health/*", at: "body.osd_map.osds.[].up_thru", may: May::Move, why: OTHERS },
    Rule { on: "GET /api/health/*", at: "body.mgr_map.**", may: May::Differ, why: MANAGER },
    Rule { on: "GET /api/health/*", at: "body.mon_status.quorum_age", may: May::Move, why: "time" },
    Rule { on: "GET /api/health/*", at: "body.mon_status.uptime", may: May::Move, why: "time" },
    Rule {
        on: "GET /api/health/*",
        at: "body.mon_status.feature_map.client",
        may: May::Differ,
        why: "the stock manager's modules are clients of the monitors",
    },
    Rule {
        on: "GET /api/health/*",
        at: "body.osd_map.epoch",
        may: May::Move,
        why: "a failover makes an epoch",
    },
    Rule {
        on: "GET /api/health/*",
        at: "body.osd_map.modified",
        may: May::Move,
        why: "a failover makes an epoch",
    },
    Rule {
        on: "GET /api/health/*",
        at: "body.osd_map.new_*_snaps",
        may: May::Move,
        why: "of one epoch only, and a failover makes another",
    },
    Rule {
        on: "GET /api/health/*",
        at: "body.osd_map.blocklist",
        may: May::Move,
        why: "a failover blocklists the manager before",
    },
    Rule {
        on: "GET /api/health/*",
        at: "body.df.stats.total_**",
        may: May::Move,
        why: "what the stores use moves",
    },
    Rule {
        on: "GET /api/health/*",
        at: "body.df.pools.[].stats.*",
        may: May::Move,
        why: "what the stores use moves",
    },
    Rule {
        on: "GET /api/health/*",
        at: "body.pools.[].stats.*.rates",
        may: May::Differ,
        why: "samples count once per report: docs/differences.md",
    },
    Rule { on: "GET /api/health/*", at: "body.pools.[].stats.*.rate", may: May::Move, why: "as the rates" },
    Rule {
        on: "GET /api/health/*",
        at: "body.pools.[].stats.*.latest",
        may: May::Move,
        why: "what the stores use moves",
    },
    Rule {
        on: "GET /api/health/*",
        at: "body.pg_info.object_stats.*",
        may: May::Move,
        why: "modules keep objects",
    },
    Rule { on: "GET /api/health/*", at: "body.client_perf.*", may: May::Move, why: "rates" },
    Rule {
        on: "GET /api/health/snapshot",
        at: "body.pgmap.bytes_used",
        may: May::Move,
        why: "what the stores use moves",
    },
    Rule {
        on: "GET /api/health/snapshot",
        at: "body.pgmap.*_sec",
        may: May::Differ,
        why: "rates: absent while nothing moves",
    },
    Rule {
        on: "GET /api/health/get_cluster_capacity",
        at: "body.*",
        may: May::Move,
        why: "what the stores use moves",
    },
];

/// Requests of other resources mark OSDs and make and remove them.
const OTHERS: &str = "what was asked before moved it";
