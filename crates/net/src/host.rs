//! This machine's name.

/// The host name up to its first dot (`ceph_get_short_hostname`); empty when the system has none.
#[must_use]
pub fn short_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().split('.').next().unwrap_or_default().to_owned()
}
