//! Which `tell` commands may be sent again after a lost session. Upstream's `Objecter::_kick_requests` repeats all of them;
//! here one is repeated only when a second run does no harm.

/// Whether a second run after a first does no harm. What is not listed counts as harmful.
#[must_use]
pub(crate) fn may_run_twice(prefix: &str) -> bool {
    SAFE.contains(&prefix)
        || ["dump_", "get_", "perf ", "list_", "show "].iter().any(|start| prefix.starts_with(start))
        || [" ls", " dump", " show", " get", " status"].iter().any(|end| prefix.ends_with(end))
}

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
        for prefix in ["version", "perf dump", "dump_historic_ops", "config get", "client ls", "smart"] {
            assert!(may_run_twice(prefix), "{prefix}");
        }
        for prefix in ["bench", "client evict", "respawn", "exit", "cache drop", "assert", ""] {
            assert!(!may_run_twice(prefix), "{prefix}");
        }
    }
}
