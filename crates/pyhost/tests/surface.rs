//! The surface of upstream's `ceph_module` (`src/pybind/mgr/ceph_module.pyi` and the method tables of `BaseMgrModule.cc`,
//! `BaseMgrStandbyModule.cc`, `PyOSDMap.cc`): every method of 16.2 to 20.2 is there, and can be called with upstream's arguments.

use std::process::Command;

/// Classes and their methods.
const SURFACE: &[(&str, &[&str])] = &[
    (
        "BaseMgrModule",
        &[
            "_ceph_add_mds_perf_query",
            "_ceph_add_osd_perf_query",
            "_ceph_clear_all_progress_events",
            "_ceph_cluster_log",
            "_ceph_complete_progress_event",
            "_ceph_dispatch_remote",
            "_ceph_exit",
            "_ceph_get",
            "_ceph_get_ceph_conf_path",
            "_ceph_get_context",
            "_ceph_get_counter",
            "_ceph_get_daemon_health_metrics",
            "_ceph_get_daemon_status",
            "_ceph_get_foreign_option",
            "_ceph_get_latest_counter",
            "_ceph_get_latest_unlabeled_counter",
            "_ceph_get_mds_perf_counters",
            "_ceph_get_metadata",
            "_ceph_get_mgr_id",
            "_ceph_get_module_option",
            "_ceph_get_option",
            "_ceph_get_osd_perf_counters",
            "_ceph_get_osdmap",
            "_ceph_get_perf_schema",
            "_ceph_get_release_name",
            "_ceph_get_rocksdb_version",
            "_ceph_get_server",
            "_ceph_get_store",
            "_ceph_get_store_prefix",
            "_ceph_get_unlabeled_counter",
            "_ceph_get_unlabeled_perf_schema",
            "_ceph_get_version",
            "_ceph_have_mon_connection",
            "_ceph_is_authorized",
            "_ceph_log",
            "_ceph_lookup_release_name",
            "_ceph_notify_all",
            "_ceph_register_client",
            "_ceph_remove_mds_perf_query",
            "_ceph_remove_osd_perf_query",
            "_ceph_reregister_mds_perf_queries",
            "_ceph_send_command",
            "_ceph_set_device_wear_level",
            "_ceph_set_health_checks",
            "_ceph_set_module_option",
            "_ceph_set_store",
            "_ceph_set_uri",
            "_ceph_unregister_client",
            "_ceph_update_progress_event",
        ],
    ),
    (
        "BaseMgrStandbyModule",
        &[
            "_ceph_get",
            "_ceph_get_active_uri",
            "_ceph_get_mgr_id",
            "_ceph_get_module_option",
            "_ceph_get_option",
            "_ceph_get_store",
            "_ceph_log",
        ],
    ),
    (
        "BasePyOSDMap",
        &[
            "_apply_incremental",
            "_balance_primaries",
            "_build_simple",
            "_calc_pg_upmaps",
            "_dump",
            "_get_crush",
            "_get_crush_version",
            "_get_epoch",
            "_get_pools_by_take",
            "_map_pool_pgs_up",
            "_new_incremental",
            "_pg_to_up_acting_osds",
            "_pool_raw_used_rate",
        ],
    ),
    (
        "BasePyOSDMapIncremental",
        &["_dump", "_get_epoch", "_set_crush_compat_weight_set_weights", "_set_osd_reweights"],
    ),
    (
        "BasePyCRUSH",
        &[
            "_dump",
            "_find_roots",
            "_find_takes",
            "_get_item_name",
            "_get_item_weight",
            "_get_take_weight_osd_map",
        ],
    ),
];

/// Takes what is asked for from the arguments, and prints what is not there.
const LOOK: &str = r#"
import json, sys, types
for name in "axon_link", "axon_counters", "ceph_module":
    module = types.ModuleType(name)
    exec(compile(open(sys.argv[1] + name + ".py").read(), name + ".py", "exec"), module.__dict__)
    sys.modules[name] = module
lacking = []
for name, methods in json.loads(sys.argv[2]):
    cls = getattr(module, name, None)
    lacking += [name + "." + method for method in methods if not callable(getattr(cls, method, None))]
print("\n".join(lacking))
"#;

#[test]
fn every_method_of_upstreams_ceph_module_is_there() {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/src/python/");
    let surface = serde_json::to_string(SURFACE).unwrap();
    let args = [LOOK, python, &surface];
    let out = Command::new("python3").arg("-c").args(args).output().expect("python3 runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let lacking = String::from_utf8_lossy(&out.stdout);
    assert_eq!(lacking.trim(), "", "ceph_module lacks these");
}
