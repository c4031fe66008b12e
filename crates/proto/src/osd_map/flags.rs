//! Flags of the map (`CEPH_OSDMAP_*`, `src/include/rados.h`) and of pools (`pg_pool_t::FLAG_*`), with upstream's names.

/// `CEPH_OSDMAP_*`.
pub mod map_flag {
    pub const NEARFULL: u32 = 1;
    pub const FULL: u32 = 1 << 1;
    pub const PAUSERD: u32 = 1 << 2;
    pub const PAUSEWR: u32 = 1 << 3;
    pub const PAUSEREC: u32 = 1 << 4;
    pub const NOUP: u32 = 1 << 5;
    pub const NODOWN: u32 = 1 << 6;
    pub const NOOUT: u32 = 1 << 7;
    pub const NOIN: u32 = 1 << 8;
    pub const NOBACKFILL: u32 = 1 << 9;
    pub const NORECOVER: u32 = 1 << 10;
    pub const NOSCRUB: u32 = 1 << 11;
    pub const NODEEP_SCRUB: u32 = 1 << 12;
    pub const NOTIERAGENT: u32 = 1 << 13;
    pub const NOREBALANCE: u32 = 1 << 14;
    pub const SORTBITWISE: u32 = 1 << 15;
    pub const REQUIRE_JEWEL: u32 = 1 << 16;
    pub const REQUIRE_KRAKEN: u32 = 1 << 17;
    pub const REQUIRE_LUMINOUS: u32 = 1 << 18;
    pub const RECOVERY_DELETES: u32 = 1 << 19;
    pub const PURGED_SNAPDIRS: u32 = 1 << 20;
    pub const NOSNAPTRIM: u32 = 1 << 21;
    pub const PGLOG_HARDLIMIT: u32 = 1 << 22;
    pub const NOAUTOSCALE: u32 = 1 << 23;

    /// The flags that a release number replaced.
    pub const LEGACY_REQUIRE: u32 = REQUIRE_JEWEL | REQUIRE_KRAKEN | REQUIRE_LUMINOUS;
    /// Flags that summaries leave out.
    pub const SEMIHIDDEN: u32 =
        LEGACY_REQUIRE | RECOVERY_DELETES | SORTBITWISE | PURGED_SNAPDIRS | PGLOG_HARDLIMIT;

    /// All that have a name, in the order in which the text form lists them.
    const NAMES: [(u32, &str); 22] = [
        (PAUSERD, "pauserd"),
        (PAUSEWR, "pausewr"),
        (PAUSEREC, "pauserec"),
        (NOUP, "noup"),
        (NODOWN, "nodown"),
        (NOOUT, "noout"),
        (NOIN, "noin"),
        (NOBACKFILL, "nobackfill"),
        (NOREBALANCE, "norebalance"),
        (NORECOVER, "norecover"),
        (NOSCRUB, "noscrub"),
        (NODEEP_SCRUB, "nodeep-scrub"),
        (NOTIERAGENT, "notieragent"),
        (NOSNAPTRIM, "nosnaptrim"),
        (SORTBITWISE, "sortbitwise"),
        (REQUIRE_JEWEL, "require_jewel_osds"),
        (REQUIRE_KRAKEN, "require_kraken_osds"),
        (REQUIRE_LUMINOUS, "require_luminous_osds"),
        (RECOVERY_DELETES, "recovery_deletes"),
        (PURGED_SNAPDIRS, "purged_snapdirs"),
        (PGLOG_HARDLIMIT, "pglog_hardlimit"),
        (NOAUTOSCALE, "noautoscale"),
    ];

    /// The flags joined by commas (`OSDMap::get_flag_string`).
    #[must_use]
    pub fn text(flags: u32) -> String {
        let names: Vec<_> = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
        names.join(",")
    }

    /// The flags' names in the order of the alphabet (`flags_set`); a flag without a name gives an empty one.
    #[must_use]
    pub fn names(flags: u32) -> Vec<&'static str> {
        let mut out: Vec<_> = (0..32).map(|n| 1 << n).filter(|bit| flags & bit != 0).map(name).collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    fn name(bit: u32) -> &'static str {
        NAMES.iter().find(|(b, _)| *b == bit).map_or("", |(_, name)| name)
    }
}

/// `pg_pool_t::FLAG_*`.
pub mod pool_flag {
    pub const HASHPSPOOL: u64 = 1;
    pub const FULL: u64 = 1 << 1;
    pub const EC_OVERWRITES: u64 = 1 << 2;
    pub const INCOMPLETE_CLONES: u64 = 1 << 3;
    pub const NODELETE: u64 = 1 << 4;
    pub const NOPGCHANGE: u64 = 1 << 5;
    pub const NOSIZECHANGE: u64 = 1 << 6;
    pub const WRITE_FADVISE_DONTNEED: u64 = 1 << 7;
    pub const NOSCRUB: u64 = 1 << 8;
    pub const NODEEP_SCRUB: u64 = 1 << 9;
    pub const FULL_QUOTA: u64 = 1 << 10;
    pub const NEARFULL: u64 = 1 << 11;
    pub const BACKFILLFULL: u64 = 1 << 12;
    pub const SELFMANAGED_SNAPS: u64 = 1 << 13;
    pub const POOL_SNAPS: u64 = 1 << 14;
    pub const CREATING: u64 = 1 << 15;
    pub const EIO: u64 = 1 << 16;
    pub const BULK: u64 = 1 << 17;
    pub const CRIMSON: u64 = 1 << 18;
    pub const EC_OPTIMIZATIONS: u64 = 1 << 19;

    /// Names by bit.
    const NAMES: [&str; 20] = [
        "hashpspool",
        "full",
        "ec_overwrites",
        "incomplete_clones",
        "nodelete",
        "nopgchange",
        "nosizechange",
        "write_fadvise_dontneed",
        "noscrub",
        "nodeep-scrub",
        "full_quota",
        "nearfull",
        "backfillfull",
        "selfmanaged_snaps",
        "pool_snaps",
        "creating",
        "eio",
        "bulk",
        "crimson",
        "ec_optimizations",
    ];

    /// The flags joined by commas (`pg_pool_t::get_flags_string`).
    #[must_use]
    pub fn text(flags: u64) -> String {
        let names: Vec<_> = (0..64usize)
            .filter(|bit| flags >> bit & 1 != 0)
            .map(|bit| NAMES.get(bit).copied().unwrap_or("???"))
            .collect();
        names.join(",")
    }
}
