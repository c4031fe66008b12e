//! The manager's own options (`src/common/options/{mgr,global,mon}.yaml.in`), with upstream's defaults. Read anew from the newest
//! configuration wherever they are used, so that `ceph config set mgr …` counts at once.

use crate::config::typed::{Secs, Text, typed_options};
use axon_proto::Release;

typed_options! {
    /// Values by upstream's option names.
    MgrOptions;
    /// Seconds between two reports of a daemon.
    mgr_stats_period: u32 = 5;
    /// Counters of a lower priority are not reported.
    mgr_stats_threshold: u32 = 5;
    /// Between two beacons and reports to the monitors.
    mgr_tick_period: Secs = Secs(2);
    /// Seconds after which a silent daemon of a service is dropped.
    mgr_service_beacon_grace: f64 = 60.0;
    /// How far `pg_num` may be ahead of `pgp_num`.
    mgr_max_pg_num_change: u32 = 128;
    /// Since Tentacle; see [`MgrOptions::max_pg_creating`].
    mgr_max_pg_creating: u64 = 1024;
    /// Before Tentacle.
    mon_osd_max_creating_pgs: u64 = 1024;
    /// Of all objects' copies.
    target_max_misplaced_ratio: f64 = 0.05;
    mgr_debug_aggressive_pg_num_changes: bool = false;
    /// Channels whose lines go to the monitors: `default=true audit=false …`.
    clog_to_monitors: Text = Text("default=true".to_owned());
    /// The same for the machine's syslog; from which level on; and as which facility.
    clog_to_syslog: Text = Text("false".to_owned());
    clog_to_syslog_level: Text = Text("info".to_owned());
    clog_to_syslog_facility: Text = Text("default=daemon audit=local0".to_owned());
    /// Seconds between two messages with lines for the cluster log.
    mon_client_log_interval: f64 = 1.0;
    mon_client_max_log_entries_per_message: usize = 1000;
}

impl MgrOptions {
    /// How many PGs may be in the making at once.
    #[must_use]
    pub fn max_pg_creating(&self, release: Release) -> u64 {
        let max = if release >= Release::Tentacle {
            self.mgr_max_pg_creating
        } else {
            self.mon_osd_max_creating_pgs
        };
        max.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_on_new_pgs_has_another_name_since_tentacle() {
        let options =
            MgrOptions { mgr_max_pg_creating: 7, mon_osd_max_creating_pgs: 0, ..Default::default() };
        assert_eq!(options.max_pg_creating(Release::Tentacle), 7);
        assert_eq!(options.max_pg_creating(Release::Reef), 1);
    }
}
