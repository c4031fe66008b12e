//! The options that the checks depend on, with upstream's defaults (`src/common/options/*.yaml.in`).

use crate::config::typed::{Text, typed_options};

typed_options! {
    /// Values by upstream's option names.
    HealthOptions;
    mon_health_max_detail: usize = 50;
    /// Seconds.
    mon_pg_stuck_threshold: u32 = 60;
    mon_pg_warn_min_per_osd: u64 = 0;
    mon_max_pg_per_osd: u64 = 250;
    mon_warn_on_too_few_osds: bool = true;
    osd_pool_default_size: usize = 3;
    /// Milliseconds; 0: by the ratio.
    mon_warn_on_slow_ping_time: f64 = 0.0;
    /// Of `osd_heartbeat_grace`.
    mon_warn_on_slow_ping_ratio: f64 = 0.05;
    /// Seconds.
    osd_heartbeat_grace: u32 = 20;
    mon_osd_warn_num_repaired: u64 = 10;
    mon_pg_warn_min_objects: i64 = 10_000;
    mon_pg_warn_min_pool_objects: i64 = 1000;
    mon_pg_warn_max_object_skew: f64 = 10.0;
    /// Per cent of the quota; 0: never.
    mon_pool_quota_warn_threshold: u32 = 0;
    mon_pool_quota_crit_threshold: u32 = 0;
    mon_cache_target_full_warn_ratio: f64 = 0.66;
    mon_warn_on_misplaced: bool = false;
    mon_warn_pg_not_scrubbed_ratio: f64 = 0.5;
    mon_warn_pg_not_deep_scrubbed_ratio: f64 = 0.75;
    /// Seconds.
    osd_scrub_max_interval: f64 = 604_800.0;
    osd_deep_scrub_interval: f64 = 604_800.0;
    mon_warn_on_pool_no_app: bool = true;
    /// Seconds; since Squid.
    mon_warn_on_pool_no_app_grace: u32 = 300;
    mon_osd_snap_trim_queue_warn_on: u32 = 32_768;
    mon_osd_reporter_subtree_level: Text = Text("host".to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_options_count_and_unreadable_ones_do_not() {
        let set = [
            ("mon_pg_stuck_threshold", "120"),
            ("mon_warn_on_pool_no_app", "no"),
            ("mon_max_pg_per_osd", "many"),
            ("osd_scrub_max_interval", "86400.000000"),
        ];
        let options = HealthOptions::from_config(|name| {
            set.iter().find(|(set, _)| *set == name).map(|(_, value)| *value)
        });
        assert_eq!((options.mon_pg_stuck_threshold, options.mon_warn_on_pool_no_app), (120, false));
        assert_eq!((options.mon_max_pg_per_osd, options.osd_scrub_max_interval), (250, 86_400.0));
    }
}
