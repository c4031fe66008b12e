//! A host with `ceph-mgr`, Axon put in its place by the lines of `docs/install.md`, and `ceph-mgr` again.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axon_launcher::{Kind, WITHOUT_PYTHON};
use serde_json::json;

use super::{CHECKOUT, Service, UNIT, sandbox};
use crate::Bench;

const INSTALL: &str = include_str!("../../../../../docs/install.md");
const DROP_IN: &str = include_str!("../../../../../packaging/systemd/ceph-mgr@.service.d/axon.conf");
const ROTATION: &str = include_str!("../../../../../packaging/logrotate/axon");
const FOLDER: &str = "/var/lib/ceph/mgr/ceph-x";

/// The unit starts upstream's manager.
pub fn host_of_upstreams(service: &Service) -> Result<()> {
    let (host, cluster) = (service.host, &service.bench.cluster);
    // As the package's own does when a host boots.
    host.sh("systemd-tmpfiles --create ceph-common.conf 2>/dev/null || install -d -o ceph -g ceph -m 770 /run/ceph")?;
    host.sh(&format!("install -d -o ceph -g ceph -m 750 {FOLDER} /var/lib/ceph/crash; mkdir -p /etc/ceph"))?;
    // What is not where daemons expect it by themselves is the test's folder.
    let conf = fs::read_to_string(cluster.conf_path())?;
    let folder = cluster.dir().display().to_string();
    let own = conf.lines().filter(|line| !line.contains(&folder) && *line != WITHOUT_PYTHON);
    let own: String = own.map(|line| format!("{line}\n")).collect();
    fs::write(host.path("/etc/ceph/ceph.conf"), own + "[mgr]\nlog to journald = true\n")?;
    fs::copy(cluster.dir().join("mgr/x/keyring"), host.path(&format!("{FOLDER}/keyring")))?;
    host.sh(&format!("chown ceph:ceph {FOLDER}/keyring; chmod 600 {FOLDER}/keyring"))?;
    // The roots are smaller than a host: the unit's ExecReload wants procps.
    host.sh("test -e /bin/kill || { printf '#!/bin/sh\\nkill \"$@\"\\n' >/bin/kill; chmod 755 /bin/kill; }")?;
    sandbox::install(host)?;

    host.systemctl(&["start", UNIT])?;
    service.runs("ceph-mgr")?;
    let unit = host.show(UNIT)?;
    ensure!(unit.of("Type") == "simple" && unit.of("DropInPaths").is_empty(), "{unit:?}");
    Ok(())
}

/// By the documented lines, while no monitor can be reached.
pub fn is_installed(service: &Service) -> Result<()> {
    let (host, cluster) = (service.host, &service.bench.cluster);
    let place = |path: &str, text: &str| -> Result<()> {
        let path = host.path(&format!("{CHECKOUT}/{path}"));
        fs::create_dir_all(path.parent().context("no folder")?)?;
        Ok(fs::write(path, text)?)
    };
    place("packaging/systemd/ceph-mgr@.service.d/axon.conf", DROP_IN)?;
    place("packaging/logrotate/axon", ROTATION)?;
    let axon = cluster.dir().join("bin/axon");
    host.sh(&format!(
        "cd {CHECKOUT}; mkdir -p target/release; ln -s {} target/release/axon",
        axon.display()
    ))?;

    cluster.stop("mon.a")?;
    host.sh(&format!("cd {CHECKOUT}\n{}", documented(0)?))?;
    let unit = host.show(UNIT)?;
    ensure!(unit.of("ActiveState") == "active" && unit.of("SubState") == "running", "{unit:?}");
    service.says("looking for a monitor")?;
    for (key, wanted) in [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("KillMode", "mixed"),
        ("WatchdogUSec", "2min"),
        ("TimeoutStopUSec", "30s"),
        ("Restart", "on-failure"),
        ("RestartUSec", "10s"),
        ("StartLimitBurst", "3"),
        ("DropInPaths", "/etc/systemd/system/ceph-mgr@.service.d/axon.conf"),
    ] {
        ensure!(unit.of(key) == wanted, "{key}: {}", unit.of(key));
    }
    service.runs("axon")?;
    host.systemctl(&["status", UNIT])?;
    // Upstream's manager reports modules that it could not load.
    host.sh("rm -rf /var/lib/ceph/crash/2*")?;
    cluster.start("mon.a")?;
    Ok(())
}

/// Without the drop-in the unit is upstream's again.
pub fn makes_room(service: &Service) -> Result<()> {
    let host = service.host;
    host.systemctl(&["start", UNIT])?;
    service.says("standby")?;
    host.sh(&format!("cd {CHECKOUT}\n{}", documented(1)?))?;
    service.runs("ceph-mgr")?;
    let unit = host.show(UNIT)?;
    ensure!(unit.of("Type") == "simple" && unit.of("ActiveState") == "active", "{unit:?}");
    let pid = service.main()?;
    service.wait_ok(|| {
        // One that waits is in no hurry to become active, and one that was there before is not meant.
        service.bench.mon(json!({"prefix": "mgr fail", "who": Bench::id(Kind::Ceph)}))?;
        std::thread::sleep(Duration::from_secs(1));
        service.is_available()
    })?;
    ensure!(service.main()? == pid, "it was started again");
    host.systemctl(&["stop", UNIT])?;
    Ok(())
}

/// The nth block of commands of `docs/install.md`.
fn documented(nth: usize) -> Result<String> {
    let paragraphs = INSTALL.split("\n\n").filter(|text| text.lines().all(|line| line.starts_with("    ")));
    let block = paragraphs.filter(|text| !text.is_empty()).nth(nth);
    Ok(block.context("docs/install.md has too few blocks of commands")?.to_owned())
}
