//! The health checks about reports that nobody has archived yet.

use super::{Crash, text};
use axon_proto::Release;
use axon_proto::health::{HealthCheckMap, HealthStatus};

/// Pacific shows so many crashes and then counts.
const DETAIL_MAX: usize = 30;

pub(super) fn checks<'a>(recent: impl Iterator<Item = &'a Crash>, release: Release) -> HealthCheckMap {
    let of_modules = |crash: &&Crash| release >= Release::Reef && crash.contains_key("mgr_module");
    let (modules, daemons): (Vec<_>, Vec<_>) = recent.partition(of_modules);
    let place = |crash: &Crash| {
        let host = text(crash, "utsname_hostname", "(unknown)");
        format!("on host {host} at {}", text(crash, "timestamp", "unknown time"))
    };
    let entity = |crash| text(crash, "entity_name", "unidentified daemon");
    let daemons = daemons.iter().map(|crash| format!("{} crashed {}", entity(crash), place(crash)));
    let modules = modules.iter().map(|crash| {
        let module = text(crash, "mgr_module", "unidentified module");
        format!("mgr module {module} crashed in daemon {} {}", entity(crash), place(crash))
    });
    let mut out = HealthCheckMap::default();
    let mut add = |code: &str, what: &str, mut detail: Vec<String>| {
        let count = detail.len();
        if count == 0 {
            return;
        }
        if release < Release::Reef && count > DETAIL_MAX {
            detail.truncate(DETAIL_MAX);
            detail.push(format!("and {} more", count - DETAIL_MAX));
        }
        let number = i64::try_from(count).unwrap_or(i64::MAX);
        out.add(code, HealthStatus::WARN, format!("{count} {what} have recently crashed"), number).detail =
            detail;
    };
    add("RECENT_CRASH", "daemons", daemons.collect());
    add("RECENT_MGR_MODULE_CRASH", "mgr modules", modules.collect());
    out
}
