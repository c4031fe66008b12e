//! `systemctl reload` and the distribution's logrotate: the manager's log and the other daemons' are rotated, each once.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{Service, UNIT};

const LOG: &str = "/var/log/ceph/ceph-mgr.x.log";
const OTHER: &str = "/var/log/ceph/ceph-osd.7.log";

pub fn works(service: &Service) -> Result<()> {
    let (host, log) = (service.host, service.host.path(LOG));
    let pid = service.main()?;
    let before = fs::metadata(&log)?;
    fs::rename(&log, log.with_extension("log.away"))?;
    host.systemctl(&["reload", UNIT])?;
    opened_anew(service, &log, before.ino()).context("after `systemctl reload`")?;
    let unit = host.show(UNIT)?;
    ensure!(unit.of("ActiveState") == "active" && unit.of("StatusText") == "active", "{unit:?}");

    // Together with the package's own, as a host's logrotate reads them.
    fs::write(host.path(OTHER), "a line\n")?;
    fs::write(host.path("/root/logrotate.conf"), "include /root/logrotate.d\n")?;
    host.sh("chown ceph:ceph /var/log/ceph/ceph-osd.7.log; mkdir /root/logrotate.d")?;
    host.sh("cp /etc/logrotate.d/axon /etc/logrotate.d/ceph-common /root/logrotate.d")?;
    let before = fs::metadata(&log)?.ino();
    host.sh("logrotate --force --state /root/logrotate.state /root/logrotate.conf")?;
    opened_anew(service, &log, before).context("after logrotate")?;
    for rotated in [format!("{LOG}.1.gz"), format!("{OTHER}.1.gz")] {
        ensure!(host.path(&rotated).exists(), "there is no {rotated}");
    }
    ensure!(!host.path(&format!("{LOG}.2.gz")).exists(), "the manager's log was rotated twice");
    ensure!(service.main()? == pid, "it was started again");

    // Its lines reach the journal with their fields, too.
    host.sh("journalctl --sync; journalctl -q -n 1 CEPH_SUBSYS=mgr | grep .")?;
    Ok(())
}

/// Waits until the log is another file, with something in it, of the same owner.
fn opened_anew(service: &Service, log: &Path, before: u64) -> Result<()> {
    let owner = fs::metadata(service.host.path("/var/lib/ceph/mgr/ceph-x"))?;
    service.wait("the log was not opened anew", || {
        let Ok(now) = fs::metadata(log) else { return Ok(false) };
        Ok(now.ino() != before && now.len() > 0 && (now.uid(), now.gid()) == (owner.uid(), owner.gid()))
    })
}
