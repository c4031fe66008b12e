use super::*;

fn settings() -> Settings {
    Settings::new(Variables {
        cluster: "ceph".into(),
        name: "mgr.x".parse().unwrap(),
        host: "h".into(),
        pid: 7,
        home: "/root".into(),
    })
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn a_higher_level_wins_and_shows_the_lower_one_again_when_it_goes() {
    let mut s = settings();
    for (level, value) in [
        (Level::Default, "0"),
        (Level::CommandLine, "4"),
        (Level::Mon, "1"),
        (Level::Env, "3"),
        (Level::File, "2"),
        (Level::Override, "5"),
    ] {
        s.set(level, "debug-mgr", value);
    }
    for (level, expect) in [
        (Level::Override, "5"),
        (Level::CommandLine, "4"),
        (Level::Env, "3"),
        (Level::File, "2"),
        (Level::Mon, "1"),
        (Level::Default, "0"),
    ] {
        assert_eq!(s.value("debug_mgr").as_deref(), Some(expect));
        s.unset(level, "debug_mgr");
    }
    assert_eq!(s.value("debug_mgr"), None);
}

#[test]
fn the_own_section_wins_over_the_types_and_that_over_global() {
    let file = ConfFile::parse(
        b"[mgr.x]\na = own\n[mgr]\na = type\nb = type\n[global]\na = g\nb = g\nc = g\n[mgr.y]\nc = other\n",
    );
    let mut s = settings();
    s.set_file(&file.unwrap());
    let values = ["a", "b", "c"].map(|name| s.value(name).unwrap());
    assert_eq!(values, ["own", "type", "g"]);
    assert_eq!(s.levels("a").unwrap().keys().copied().collect::<Vec<_>>(), [Level::File]);
}

#[test]
fn values_refer_to_variables_and_options() {
    let mut s = settings();
    s.set_file(&ConfFile::parse(b"[global]\nrun dir = /tmp/$cluster/$type\n").unwrap());
    assert_eq!(s.value("admin_socket").as_deref(), Some("/tmp/ceph/mgr/ceph-mgr.x.asok"));
    assert_eq!(s.value("mgr_data").as_deref(), Some("/var/lib/ceph/mgr/ceph-x"));
    s.set(Level::CommandLine, "log_file", "$log_file");
    assert_eq!(s.value("log_file").as_deref(), Some("$log_file"));
}

#[test]
fn what_the_monitors_say_replaces_what_they_said() {
    let mut s = settings();
    s.set(Level::File, "log_level", "file");
    let changed = s.set_mon(&map(&[
        ("debug_mgr", "5/5"),
        ("log_level", "mon"),
        ("keyring", "/elsewhere"),
        ("mgr/dashboard/ssl", "false"),
        ("mgr/dashboard/x/server_port", "1"),
        ("mgr/dashboard/server_port", "2"),
        ("mgr/dashboardish/server_port", "3"),
        ("mgr/dashboard/empty", ""),
    ]));
    assert_eq!(
        changed,
        [
            "debug_mgr",
            "mgr/dashboard/server_port",
            "mgr/dashboard/ssl",
            "mgr/dashboard/x/server_port",
            "mgr/dashboardish/server_port"
        ]
    );
    assert_eq!(s.value("log_level").as_deref(), Some("file"));
    assert_eq!(s.value("keyring"), None);
    assert_eq!(s.ignored(), &map(&[("keyring", "/elsewhere")]));
    assert_eq!(s.module_option("dashboard", Some("x"), "server_port"), Some("1"));
    assert_eq!(s.module_option("dashboard", Some("y"), "server_port"), Some("2"));
    assert_eq!(s.module_option("dashboard", None, "server_port"), Some("2"));
    assert_eq!(s.module_option("dashboard", None, "empty"), None);
    assert_eq!(
        s.module_options("dashboard").collect::<Vec<_>>(),
        [("server_port", "2"), ("ssl", "false"), ("x/server_port", "1")]
    );
    assert_eq!(s.set_mon(&map(&[("mgr/dashboard/ssl", "false"), ("log_level", "mon2")])).len(), 4);
    assert_eq!((s.value("debug_mgr"), s.module_option("dashboard", None, "server_port")), (None, None));
}

#[test]
fn a_report_has_levels_above_the_default_and_neither_fsid_nor_host() {
    let mut s = settings();
    s.set(Level::File, "fsid", "f");
    s.set(Level::File, "debug_mgr", "1");
    s.set_mon(&map(&[("debug_mgr", "2"), ("key", "k")]));
    let report = s.report();
    let levels = BTreeMap::from([(1, "2".to_owned()), (2, "1".to_owned())]);
    assert_eq!(report.config, [("debug_mgr".to_owned(), levels)].into());
    assert_eq!(report.ignored_mon_config, map(&[("key", "k")]));
}

#[test]
fn the_file_is_looked_for_where_upstream_looks() {
    assert_eq!(
        conf_paths(None, &settings()),
        ["/var/lib/ceph/mgr/ceph-x/config", "/etc/ceph/ceph.conf", "/root/.ceph/ceph.conf", "ceph.conf"]
    );
    assert_eq!(conf_paths(Some("/a/$cluster.conf; b"), &settings()), ["/a/ceph.conf", "b"]);
    assert_eq!((cluster_of("/etc/ceph/backup.conf"), cluster_of("/x/conf")), ("backup", "ceph"));
}

#[test]
fn debug_shows_no_value() {
    let mut s = settings();
    s.set(Level::CommandLine, "key", "sesame");
    assert!(!format!("{s:?}").contains("sesame"));
}
