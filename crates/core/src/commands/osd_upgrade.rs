//! `osd ok-to-upgrade` (`DaemonServer::_maximize_ok_to_upgrade_set`, since Tentacle): which OSDs of a rack, chassis or host that
//! do not run a version yet may stop together for it.

use super::osd_safety::Outage;
use super::request::{Ask, EAGAIN, EBUSY, EINVAL, ENOENT, Format, refuse};
use super::{Done, Row};
use crate::command::CommandOutput;
use crate::daemons::DaemonKey;
use crate::state::State;
use axon_proto::Release;
use regex::Regex;
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(super) const ROWS: &[Row] = &[Row::read(
    "osd ok-to-upgrade name=crush_bucket,type=CephString name=ceph_version,type=CephString name=max,type=CephInt,req=false",
    "determine a safe number of osd(s) subject to a maximum(if specified) within the provided CRUSH bucket that can be safely upgraded without reducing immediate data availability",
    "osd",
    ok_to_upgrade,
)
.since(Release::Tentacle)];

/// A short version as builds between releases have it.
static SHORT_VERSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(\d+)\.(\d+)\.(\d+)-(\d+)(-g[0-9a-f]+|\.el\d+[a-z]+)$").ok());

/// `mgr_osd_upgrade_check_convergence_factor`.
const CONVERGENCE_FACTOR: f64 = 0.8;

/// `upgrade_osd_report`; OSDs with fewest PGs first.
#[derive(Default)]
struct Upgrade {
    osds: Vec<i32>,
    ok_upgrade: Vec<i32>,
    ok_upgraded: Vec<i32>,
    bad_no_version: Vec<i32>,
}

impl Upgrade {
    fn ok_to_upgrade(&self) -> bool {
        !self.ok_upgrade.is_empty() && self.bad_no_version.is_empty()
    }

    fn all_osds_upgraded(&self) -> bool {
        self.osds.len() == self.ok_upgraded.len()
            && self.ok_upgrade.is_empty()
            && self.bad_no_version.is_empty()
    }

    fn json(&self) -> Value {
        json!({
            "ok_to_upgrade": self.ok_to_upgrade(),
            "all_osds_upgraded": self.all_osds_upgraded(),
            "osds_in_crush_bucket": self.osds,
            "osds_ok_to_upgrade": self.ok_upgrade,
            "osds_upgraded": self.ok_upgraded,
            "bad_no_version": self.bad_no_version,
        })
    }
}

fn ok_to_upgrade(ask: &Ask<'_>) -> Done {
    let (bucket, version) =
        (ask.text("crush_bucket").unwrap_or_default(), ask.text("ceph_version").unwrap_or_default());
    let max = ask.number("max").unwrap_or(0);
    let Ok(max) = usize::try_from(max) else {
        return refuse(EINVAL, format!("Invalid 'max' value: {max}. 'max' must be non-negative."));
    };
    if !SHORT_VERSION.as_ref().is_some_and(|form| form.is_match(&version)) {
        return refuse(
            EINVAL,
            "Invalid Ceph version (short) format. The format to use is the same as 'ceph_version_short' found in OSD \
             metadata. Examples: \"20.3.0-3803-g63ca1ffb5a2\", \"20.1.0-144.el9cp\".",
        );
    }
    let osds = match osds_below(ask.state, &bucket) {
        Ok(osds) => osds,
        Err((errno, why)) => return refuse(errno, why),
    };
    let max = if max == 0 { osds.len() } else { max };
    let (upgrade, outage) = largest_upgrade(ask.state, osds, max, &version);
    let format = ask.format().or(Format::Json);
    let mut output = CommandOutput::ok(format!("{}\n", format.text("ok_to_upgrade", &upgrade.json())));
    (output.retval, output.outs) = verdict(&upgrade, &outage, &bucket, &version);
    output.into()
}

fn verdict(upgrade: &Upgrade, outage: &Outage, bucket: &str, version: &str) -> (i32, String) {
    let osds = upgrade.osds.len();
    if upgrade.ok_to_upgrade() {
        (0, String::new())
    } else if !outage.unknown.is_empty() {
        let why = format!(
            "{} pgs have unknown state; cannot draw any conclusions at this time; re-try after pgs transition to known states",
            outage.unknown.len()
        );
        (-EBUSY, why)
    } else if !upgrade.bad_no_version.is_empty() {
        let why = format!(
            "{} osds have unknown version; cannot draw any conclusions",
            upgrade.bad_no_version.len()
        );
        (-EAGAIN, why)
    } else if !outage.ok_to_stop() {
        let why = format!(
            "unsafe to upgrade OSD(s) at this time (one or more PG(s) will become offline if any OSD out of the {osds} in \
             CRUSH bucket '{bucket}' is stopped)"
        );
        (-EBUSY, why)
    } else {
        (0, format!("all {osds} osd(s) are running the new Ceph version({version})"))
    }
}

/// OSDs of a bucket that is small enough to ask about, those with fewest PGs first.
fn osds_below(state: &State, bucket: &str) -> Result<Vec<i32>, (i32, String)> {
    let crush = &state.osd_map.crush;
    let Some(id) = crush.item_id(bucket) else {
        return Err((ENOENT, format!("\"{bucket}\" does not exist")));
    };
    let kind = crush.type_name(crush.item_type(id)).unwrap_or_default();
    if !matches!(kind, "rack" | "chassis" | "host" | "osd") {
        let why = format!(
            "crush bucket \"{bucket}\" of type \"{kind}\" is incompatible for upgradability check; valid types are: 'rack', \
             'chassis', 'host' and 'osd'"
        );
        return Err((EINVAL, why));
    }
    let mut osds: Vec<i32> = if id >= 0 { vec![id] } else { crush.devices_below(id).into_iter().collect() };
    if osds.is_empty() {
        let childless = crush.buckets().find(|b| b.id == id).is_none_or(|b| b.items.is_empty());
        let why = if childless && matches!(kind, "rack" | "chassis") {
            format!("crush bucket \"{bucket}\" of type: {kind} has no children!")
        } else {
            format!("no osds found in crush bucket: \"{bucket}\"")
        };
        return Err((ENOENT, why));
    }
    osds.sort_by_key(|osd| (state.pg_map.num_pg_by_osd.get(osd).map_or(0, |counts| counts.acting), *osd));
    Ok(osds)
}

/// The largest safe set: first by cutting the whole back, then by trying those that were cut off one by one.
fn largest_upgrade(state: &State, osds: Vec<i32>, max: usize, version: &str) -> (Upgrade, Outage) {
    let mut report = Upgrade { osds, ..Upgrade::default() };
    for osd in &report.osds {
        let daemon = state.daemons.daemon(&DaemonKey::new("osd", osd.to_string()));
        let runs = daemon.and_then(|d| d.metadata.get("ceph_version_short")).filter(|v| !v.is_empty());
        match runs {
            None => report.bad_no_version.push(*osd),
            Some(runs) if runs == version => report.ok_upgraded.push(*osd),
            Some(_) => report.ok_upgrade.push(*osd),
        }
    }
    if !report.bad_no_version.is_empty() || report.ok_upgrade.is_empty() {
        return (report, Outage::default());
    }
    let factor: f64 = state.option("mgr_osd_upgrade_check_convergence_factor", CONVERGENCE_FACTOR);
    let outage_of = |osds: &[i32]| Outage::of(state, &osds.iter().copied().collect());
    let candidates = std::mem::take(&mut report.ok_upgrade);
    let mut chosen = candidates.clone();
    let mut outage = outage_of(&chosen);
    while !outage.ok_to_stop() || chosen.len() > max {
        if outage.ok_to_stop() {
            chosen.truncate(max);
        } else if chosen.len() == 1 {
            return (report, outage);
        } else {
            // A factor of 1 or more would never end.
            let fewer = (chosen.len() as f64 * factor) as usize;
            chosen.truncate(fewer.clamp(1, chosen.len() - 1));
        }
        outage = outage_of(&chosen);
    }
    for candidate in candidates.into_iter().skip(chosen.len()) {
        if chosen.len() >= max {
            break;
        }
        chosen.push(candidate);
        let with_it = outage_of(&chosen);
        if with_it.ok_to_stop() {
            outage = with_it;
        } else {
            chosen.pop();
        }
    }
    report.ok_upgrade = chosen;
    (report, outage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrades_are_reported_in_upstreams_words() {
        let report = |ok: &[i32], upgraded: &[i32], unknown: &[i32]| Upgrade {
            osds: vec![0, 1, 2],
            ok_upgrade: ok.to_vec(),
            ok_upgraded: upgraded.to_vec(),
            bad_no_version: unknown.to_vec(),
        };
        let said = |report: &Upgrade| verdict(report, &Outage::default(), "h", "20.3.0-1-gab");
        assert_eq!(said(&report(&[1, 0], &[2], &[])), (0, String::new()));
        let all = (0, "all 3 osd(s) are running the new Ceph version(20.3.0-1-gab)".to_owned());
        assert_eq!(said(&report(&[], &[0, 1, 2], &[])), all);
        assert_eq!(said(&report(&[0], &[], &[1, 2])).0, -EAGAIN);
        assert_eq!(report(&[], &[0, 1, 2], &[]).json()["all_osds_upgraded"], true);
    }

    #[test]
    fn versions_are_those_of_builds() {
        let form = SHORT_VERSION.as_ref().unwrap();
        assert!(form.is_match("20.3.0-3803-g63ca1ffb5a2") && form.is_match("20.1.0-144.el9cp"));
        assert!(!form.is_match("20.2.4") && !form.is_match("tentacle"));
    }
}
