//! Named feature bits (`src/include/ceph_features.h`). A name is a mask: upstream reuses bits, and a reused bit counts
//! only together with the bits of its incarnation.

/// Both bits mark the second and third life of reused bits.
const INCARNATION_2: u64 = 1 << 57;
const INCARNATION_3: u64 = INCARNATION_2 | (1 << 28);

macro_rules! bits {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $incarnation:literal;)*) => {
        $(
            $(#[$doc])*
            pub const $name: u64 = (1 << $bit) | match $incarnation { 1 => 0, 2 => INCARNATION_2, _ => INCARNATION_3 };
        )*
        /// Every feature that Axon tells its peers it supports.
        pub const SUPPORTED: u64 = 0 $(| $name)*;
    };
}

bits! {
    UID = 0, 1;
    NOSRCADDR = 1, 1;
    SERVER_NAUTILUS = 2, 3;
    FLOCK = 3, 1;
    SUBSCRIBE2 = 4, 1;
    MONNAMES = 5, 1;
    RECONNECT_SEQ = 6, 1;
    DIRLAYOUTHASH = 7, 1;
    OBJECTLOCATOR = 8, 1;
    PGID64 = 9, 1;
    INCSUBOSDMAP = 10, 1;
    PGPOOL3 = 11, 1;
    OSDREPLYMUX = 12, 1;
    OSDENC = 13, 1;
    SERVER_KRAKEN = 14, 2;
    MONENC = 15, 1;
    SERVER_OCTOPUS = 16, 3;
    OS_PERF_STAT_NS = 17, 3;
    CRUSH_TUNABLES = 18, 1;
    OSD_PGLOG_HARDLIMIT = 19, 2;
    SERVER_PACIFIC = 20, 3;
    /// Also `OSDMAP_PG_UPMAP`, `CRUSH_CHOOSE_ARGS`.
    SERVER_LUMINOUS = 21, 2;
    OSD_FIXED_COLLECTION_LIST = 22, 2;
    MSG_AUTH = 23, 1;
    RECOVERY_RESERVATION_2 = 24, 2;
    CRUSH_TUNABLES2 = 25, 1;
    CREATEPOOLID = 26, 1;
    REPLY_CREATE_INODE = 27, 1;
    SERVER_MIMIC = 28, 2;
    MDSENC = 29, 1;
    OSDHASHPSPOOL = 30, 1;
    SERVER_REEF = 31, 3;
    STRETCH_MODE = 32, 3;
    SERVER_QUINCY = 33, 3;
    RANGE_BLOCKLIST = 34, 3;
    OSD_CACHEPOOL = 35, 1;
    CRUSH_V2 = 36, 1;
    EXPORT_PEER = 37, 1;
    CRUSH_MSR = 38, 2;
    OSDMAP_ENC = 39, 1;
    MDS_INLINE_DATA = 40, 1;
    /// Also `OSD_PRIMARY_AFFINITY`.
    CRUSH_TUNABLES3 = 41, 1;
    MSGR_KEEPALIVE2 = 42, 1;
    OSD_POOLRESEND = 43, 1;
    NVMEOFHA = 44, 2;
    NVMEOFHAMAP = 45, 2;
    OSD_FADVISE_FLAGS = 46, 1;
    MDS_QUOTA = 47, 1;
    CRUSH_V4 = 48, 1;
    SERVER_SQUID = 49, 2;
    SERVER_TENTACLE = 50, 2;
    NEW_OSDOP_ENCODING = 56, 1;
    /// Also `SERVER_JEWEL`.
    MON_STATEFUL_SUB = 57, 1;
    /// Also `NEW_OSDOPREPLY_ENCODING`, `FS_FILE_LAYOUT_V2`.
    CRUSH_TUNABLES5 = 58, 1;
    /// Also `FS_BTIME`, `FS_CHANGE_ATTR`.
    MSG_ADDR2 = 59, 1;
    OSD_RECOVERY_DELETES = 60, 1;
    CEPHX_V2 = 61, 1;
}
