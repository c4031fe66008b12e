//! What an active manager does, under the unit: the distribution's modules run, and answer commands and requests.

use std::fs;

use anyhow::{Context, Result, ensure};
use axon_launcher::Kind;

use super::{ALWAYS_ON, Service};
use crate::http;

const USER: &str = "service-admin";
const PASSWORD: &str = "Under-The-Unit-1!";

pub fn serves(service: &Service) -> Result<()> {
    let cluster = &service.bench.cluster;
    service.wait("not all modules run", || {
        let names = service.modules()?;
        Ok(ALWAYS_ON.iter().all(|module| names.iter().any(|(name, _)| module.starts_with(name.as_str()))))
    })?;
    for words in [&["fs", "subvolume", "ls", "demo"][..], &["rbd", "task", "list"], &["telemetry", "status"]]
    {
        service.wait_ok(|| cluster.ceph_ok(words))?;
    }
    let file = cluster.dir().join("service.password");
    fs::write(&file, PASSWORD)?;
    let path = file.to_str().context("the folder's name is not UTF-8")?;
    let made = cluster.ceph(&["dashboard", "ac-user-create", USER, "-i", path, "administrator"])?;
    fs::remove_file(&file)?;
    let url = service.bench.url(Kind::Axon).context("no port")?;
    let token = service.wait_ok(|| http::login(&url, USER, PASSWORD)).with_context(|| format!("{made:?}"))?;
    let bearer = format!("Bearer {token}");
    // The second is the stock dashboard's, whose process it starts.
    for (path, version) in [("/api/summary", "1.0"), ("/api/block/image?offset=0&limit=5", "2.0")] {
        let accept = format!("application/vnd.ceph.api.v{version}+json");
        let headers = [("accept", accept.as_str()), ("authorization", bearer.as_str())];
        service.wait_ok(|| {
            let answer = http::send(&url, "GET", path, &headers, None)?;
            ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.json());
            Ok(())
        })?;
    }
    let health = cluster.ceph_ok(&["health", "detail"])?;
    ensure!(!health.contains("MGR_MODULE"), "{health}");
    for entry in fs::read_dir(service.host.path("/var/lib/ceph/crash"))?.flatten() {
        let report = fs::read_to_string(entry.path().join("meta")).unwrap_or_default();
        ensure!(report.is_empty(), "something has crashed: {report}");
    }
    Ok(())
}
