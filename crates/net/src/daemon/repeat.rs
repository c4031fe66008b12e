//! Which `tell` commands may be sent again after a lost session. Upstream's `Objecter::_kick_requests` repeats all of them;
//! here one is repeated only when a second run does no harm.

/// Whether a second run after a first does no harm. What is not listed counts as harmful.
#[must_use]
pub(crate) fn may_run_twice(prefix: &str) -> bool {
    SAFE.contains(&prefix)
        || STARTS.iter().any(|start| prefix.starts_with(start))
        || ENDS.iter().any(|end| prefix.ends_with(end))
}

/// How commands begin and end that only read; the manager's own and its modules' among them.
const STARTS: &[&str] =
    &["dump_", "get_", "perf ", "list_", "show ", "pg dump", "pg ls", "osd ok-to-", "osd safe-to-destroy"];
const ENDS: &[&str] = &[
    " ls",
    " dump",
    " show",
    " get",
    " status",
    " stat",
    " stats",
    " df",
    " perf",
    " ps",
    " list",
    " blocked-by",
    " getmap",
    " map",
    " dump-osd-network",
    "autoscale-status",
    " ls-by-host",
    " ls-by-daemon",
];

/// Commands that only read, or set something to a value whatever it was before.
const SAFE: &[&str] = &[
    "config diff",
    "config diff get",
    "config help",
    "config set",
    "config unset",
    "damage ls",
    "deep_scrub",
    "deep-scrub",
    "flush_pg_stats",
    "git_version",
    "help",
    "injectargs",
    "list_unfound",
    "log dump",
    "log flush",
    "mon_status",
    "ops",
    "query",
    "quorum_status",
    "scrub",
    "session config",
    "sessions",
    "smart",
    "status",
    "version",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_may_run_twice_and_the_unknown_may_not() {
        let of_daemons = ["version", "perf dump", "dump_historic_ops", "config get", "client ls", "smart"];
        let of_managers =
            ["osd df", "pg stat", "pg dump_stuck", "pg ls-by-pool", "osd pool stats", "balancer status"];
        for prefix in of_daemons.into_iter().chain(of_managers) {
            assert!(may_run_twice(prefix), "{prefix}");
        }
        for prefix in ["bench", "client evict", "respawn", "exit", "cache drop", "assert", ""] {
            assert!(!may_run_twice(prefix), "{prefix}");
        }
    }
}
