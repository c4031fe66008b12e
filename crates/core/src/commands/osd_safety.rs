//! Whether OSDs can be taken away (`DaemonServer::_handle_command`): `osd safe-to-destroy`, `osd ok-to-stop`, and `osd
//! destroy` and `osd purge`, which ask that first and then have the monitors do it. They look only at the PGs of the OSDs that are
//! named ([`PgMap::pgs_of`](crate::pg_map::PgMap::pgs_of)), for a large cluster has hundreds of thousands.

use super::request::{Ask, EAGAIN, EBUSY, EINVAL, Format, osd_id, osd_id_fault, refuse, told};
use super::{Done, Reads, Row};
use crate::command::{Command, CommandOutput};
use crate::state::State;
use axon_proto::pg::{Pg, PgStat, PgState};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub(super) const ROWS: &[Row] = &[
    Row::read(
        "osd safe-to-destroy name=ids,type=CephString,n=N",
        "check whether osd(s) can be safely destroyed without reducing data durability",
        "osd",
        safe_to_destroy,
    )
    .of(Reads::Maps)
    .through(|ask| match names_all(&ask.texts("ids")) {
        true => ask.state.osd_map.osds().count(),
        false => ask.texts("ids").len(),
    }),
    Row::read(
        "osd ok-to-stop name=ids,type=CephString,n=N name=max,type=CephInt,req=false",
        "check whether osd(s) can be safely stopped without reducing immediate data availability",
        "osd",
        ok_to_stop,
    )
    .of(Reads::Maps),
    Row::write(
        "osd destroy name=id,type=CephOsdName name=force,type=CephBool,req=false name=yes_i_really_mean_it,type=CephBool,req=false",
        "mark osd as being destroyed. Keeps the ID intact (allowing reuse), but removes cephx keys, config-key data and lockbox keys, rendering data permanently unreadable.",
        "osd",
        |ask| take_away(ask, "osd destroy-actual"),
    ),
    Row::write(
        "osd purge name=id,type=CephOsdName name=force,type=CephBool,req=false name=yes_i_really_mean_it,type=CephBool,req=false",
        "purge all osd data from the monitors including the OSD id and CRUSH position",
        "osd",
        |ask| take_away(ask, "osd purge-actual"),
    ),
];

/// The OSDs that `ids` names, or a refusal.
fn ids(ask: &Ask<'_>) -> Result<BTreeSet<i32>, Done> {
    let names = ask.texts("ids");
    if names_all(&names) {
        return Ok(ask.state.osd_map.osds().collect());
    }
    let parse = |name: &String| osd_id(name).ok_or_else(|| refuse(EINVAL, not_an_osd(name)));
    let osds = names.iter().map(parse).collect::<Result<BTreeSet<_>, _>>()?;
    if osds.is_empty() {
        return Err(refuse(EINVAL, "must specify one or more OSDs"));
    }
    Ok(osds)
}

fn names_all(names: &[String]) -> bool {
    matches!(names.first().map(String::as_str), Some("any" | "all" | "*"))
}

fn not_an_osd(name: &str) -> String {
    format!("{}invalid osd id '{name}'", osd_id_fault(name))
}

fn listed(osds: &BTreeSet<i32>) -> String {
    osds.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// OSDs by whether they still hold data that is needed.
#[derive(Default)]
struct Durability {
    unknown_pgs: i64,
    safe: BTreeSet<i32>,
    active: BTreeSet<i32>,
    affected_pgs: i32,
    missing_stats: BTreeSet<i32>,
    stored_pgs: BTreeSet<i32>,
}

impl Durability {
    fn of(state: &State, osds: &BTreeSet<i32>) -> Self {
        let (map, osd_map) = (&state.pg_map, &state.osd_map);
        let mut found = Durability { unknown_pgs: map.num_pg_unknown, ..Default::default() };
        if found.unknown_pgs > 0 {
            return found;
        }
        let clean = PgState::ACTIVE.with(PgState::CLEAN);
        let states = map.num_pg_by_state.iter().filter(|(state, _)| state.has(clean));
        let all_clean = states.map(|(_, count)| i64::from(*count)).sum::<i64>() >= map.num_pg();
        for osd in osds {
            let counts = map.num_pg_by_osd.get(osd).copied().unwrap_or_default();
            let mapped = counts.acting + counts.up_not_acting;
            let stat = map.osd_stat.get(osd).filter(|_| osd_map.is_up(*osd));
            if !osd_map.exists(*osd) {
                found.safe.insert(*osd);
            } else if mapped > 0 {
                found.active.insert(*osd);
                found.affected_pgs += mapped;
            } else if all_clean {
                found.safe.insert(*osd);
            } else {
                match stat {
                    None => found.missing_stats.insert(*osd),
                    Some(stat) if stat.num_pgs > 0 => found.stored_pgs.insert(*osd),
                    Some(_) => found.safe.insert(*osd),
                };
            }
        }
        found
    }

    /// Why not all of the OSDs are safe; errno and words.
    fn objection(&self) -> Option<(i32, String)> {
        if self.unknown_pgs > 0 {
            let count = self.unknown_pgs;
            return Some((EAGAIN, format!("{count} pgs have unknown state; cannot draw any conclusions")));
        }
        let mut why = String::new();
        if !self.active.is_empty() {
            let (osds, pgs) = (listed(&self.active), self.affected_pgs);
            why.push_str(&format!("OSD(s) {osds} have {pgs} pgs currently mapped to them. "));
        }
        if !self.missing_stats.is_empty() {
            let osds = listed(&self.missing_stats);
            why.push_str(&format!(
                "OSD(s) {osds} have no reported stats, and not all PGs are active+clean; we cannot draw any conclusions. "
            ));
        }
        if !self.stored_pgs.is_empty() {
            let osds = listed(&self.stored_pgs);
            why.push_str(&format!(
                "OSD(s) {osds} last reported they still store some PG data, and not all PGs are active+clean; we \
                 cannot be sure they aren't still needed."
            ));
        }
        if why.is_empty() {
            return None;
        }
        if !self.safe.is_empty() {
            let safe = listed(&self.safe);
            why = format!("OSD(s) {safe} are safe to destroy without reducing data durability. {why}");
        }
        let busy = !self.active.is_empty() || !self.stored_pgs.is_empty();
        Some((if busy { EBUSY } else { EAGAIN }, why))
    }
}

fn safe_to_destroy(ask: &Ask<'_>) -> Done {
    let osds = match ids(ask) {
        Ok(osds) => osds,
        Err(refusal) => return refusal,
    };
    let found = Durability::of(ask.state, &osds);
    let objection = found.objection();
    match (ask.format(), objection) {
        (_, Some((errno, why))) if found.unknown_pgs > 0 => refuse(errno, why),
        (Format::Plain, Some((errno, why))) => refuse(errno, why),
        (Format::Plain, None) => {
            told(format!("OSD(s) {} are safe to destroy without reducing data durability.", listed(&osds)))
        }
        _ => {
            let body = || {
                json!({
                    "safe_to_destroy": found.safe,
                    "active": found.active,
                    "missing_stats": found.missing_stats,
                    "stored_pgs": found.stored_pgs,
                })
            };
            ask.answer("osd_status", body, String::new)
        }
    }
}

fn take_away(ask: &Ask<'_>, actual: &str) -> Done {
    let Some(osd) = ask.number("id").and_then(|id| i32::try_from(id).ok()) else {
        return refuse(EINVAL, "must specify OSD id");
    };
    let forced = ask.switch("force") || ask.switch("yes_i_really_mean_it");
    let objection = Durability::of(ask.state, &[osd].into()).objection();
    if let Some((errno, why)) = objection.filter(|_| !forced) {
        return refuse(
            errno,
            format!(
                "{why}\nYou can proceed by passing --force, but be warned that this will likely mean real, permanent \
                 data loss."
            ),
        );
    }
    let command = Command::plain(actual).arg("id", osd).arg("yes_i_really_mean_it", true);
    Done { to_mon: Some(Box::new(command)), ..Done::default() }
}

/// What would become of the PGs (`offline_pg_report`).
#[derive(Default)]
pub(super) struct Outage {
    osds: BTreeSet<i32>,
    ok: usize,
    not_ok: usize,
    pub(super) unknown: Vec<Pg>,
    no_pool: Vec<Pg>,
    already_inactive: Vec<Pg>,
    become_inactive: Vec<Pg>,
    become_degraded: Vec<Pg>,
    become_more_degraded: Vec<Pg>,
}

impl Outage {
    pub(super) fn of(state: &State, osds: &BTreeSet<i32>) -> Self {
        let map = &state.pg_map;
        let mut report = Outage { osds: osds.clone(), ..Default::default() };
        // Who has reported nothing about a PG stands in no index.
        if map.num_pg_unknown > 0 {
            let unknown = map.pg_stat.iter().filter(|(_, stat)| stat.state == PgState::UNKNOWN);
            report.unknown = unknown.map(|(pg, _)| *pg).collect();
        }
        let mut holders = Vec::new();
        for pg in map.pgs_of(osds) {
            if let Some(stat) = map.pg_stat.get(&pg).filter(|stat| stat.state != PgState::UNKNOWN) {
                report.judge(state, pg, stat, &mut holders);
            }
        }
        report
    }

    /// `holders` is room for the OSDs that hold the PG.
    fn judge(&mut self, state: &State, pg: Pg, stat: &PgStat, holders: &mut Vec<i32>) {
        const NONE: i32 = 0x7fff_ffff;
        let degraded = stat.state.has(PgState::DEGRADED);
        holders.clear();
        // Of a degraded PG only the shards that miss nothing count.
        if degraded {
            holders.extend(stat.avail_no_missing.iter().map(|shard| shard.osd));
        } else {
            holders.extend(&stat.acting);
        }
        holders.sort_unstable();
        holders.dedup();
        let all = holders.len();
        holders.retain(|osd| !self.osds.contains(osd));
        if holders.len() == all {
            return;
        }
        let left = holders.iter().filter(|osd| **osd != NONE).count();
        let Some(pool) = state.osd_map.pool(pg.pool) else {
            self.not_ok += 1;
            return self.no_pool.push(pg);
        };
        let inactive = !stat.state.has(PgState::ACTIVE);
        let too_few = left < usize::from(pool.min_size);
        if inactive {
            self.already_inactive.push(pg);
        }
        if too_few {
            self.become_inactive.push(pg);
        }
        if inactive || too_few {
            self.not_ok += 1;
        } else {
            self.ok += 1;
            if degraded { &mut self.become_more_degraded } else { &mut self.become_degraded }.push(pg);
        }
    }

    pub(super) fn ok_to_stop(&self) -> bool {
        self.not_ok == 0 && self.unknown.is_empty()
    }

    fn json(&self) -> Value {
        let mut out = Map::new();
        out.insert("ok_to_stop".to_owned(), self.ok_to_stop().into());
        out.insert("osds".to_owned(), json!(self.osds));
        out.insert("num_ok_pgs".to_owned(), self.ok.into());
        out.insert("num_not_ok_pgs".to_owned(), self.not_ok.into());
        let lists = [
            ("unknown_pgs", &self.unknown),
            ("bad_no_pool_pgs", &self.no_pool),
            ("bad_already_inactive", &self.already_inactive),
            ("bad_become_inactive", &self.become_inactive),
            ("ok_become_degraded", &self.become_degraded),
            ("ok_become_more_degraded", &self.become_more_degraded),
        ];
        for (key, pgs) in lists.into_iter().filter(|(_, pgs)| !pgs.is_empty()) {
            out.insert(key.to_owned(), json!(pgs));
        }
        out.into()
    }
}

fn ok_to_stop(ask: &Ask<'_>) -> Done {
    let osds = match ids(ask) {
        Ok(osds) => osds,
        Err(refusal) => return refusal,
    };
    let max = ask.number("max").and_then(|max| usize::try_from(max).ok()).unwrap_or(1);
    let report = largest_stop(ask.state, osds, max);
    let format = ask.format().or(Format::Json);
    let mut output = CommandOutput::ok(format!("{}\n", format.text("ok_to_stop", &report.json())));
    if !report.unknown.is_empty() {
        output.retval = -EAGAIN;
        output.outs = format!("{} pgs have unknown state; cannot draw any conclusions", report.unknown.len());
    } else if report.not_ok > 0 {
        output.retval = -EBUSY;
        output.outs =
            format!("unsafe to stop osd(s) at this time ({} PGs are or would become offline)", report.not_ok);
    }
    output.into()
}

/// Adds neighbours in the CRUSH tree to OSDs that may stop together, as long as all stay safe and there are fewer than `max`
/// (`_maximize_ok_to_stop_set`).
fn largest_stop(state: &State, osds: BTreeSet<i32>, max: usize) -> Outage {
    let crush = &state.osd_map.crush;
    let mut best = Outage::of(state, &osds);
    let Some(mut place) = osds.first().copied() else { return best };
    let mut tried = osds.clone();
    while best.ok_to_stop() && best.osds.len() < max {
        let Some(parent) = crush.parent(place) else { break };
        place = parent;
        let below = crush.devices_below(parent);
        let mut failed = false;
        for osd in below.into_iter().filter(|osd| state.osd_map.is_up(*osd)) {
            if !tried.insert(osd) || best.osds.len() >= max {
                continue;
            }
            let mut more = best.osds.clone();
            more.insert(osd);
            let report = Outage::of(state, &more);
            if report.ok_to_stop() {
                best = report;
            } else {
                failed = true;
            }
        }
        if failed {
            break;
        }
    }
    best
}
