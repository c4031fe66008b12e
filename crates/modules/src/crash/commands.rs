//! `ceph crash …`.

use super::{Crash, age_secs, crashes, post, removal, text};
use crate::python::{Align, PrettyTable, dumps};
use crate::{Action, Done, EINVAL, Row, wants_json};
use axon_core::commands::Ask;
use axon_proto::{Release, UTime};
use serde_json::Value;
use std::collections::BTreeMap;

const LS: &str = "Show new and archived crash dumps";
const LS_NEW: &str = "Show new crash dumps";
const PRUNE: &str = "Remove crashes older than <keep> days";
const REPORT: &str = "Crashes in the last <hours> hours";

pub(super) const ROWS: &[Row] = &[
    Row::new("crash info name=id,type=CephString", "show crash dump metadata", "r", info),
    Row::new("crash ls", LS, "r", ls).until(Release::Reef),
    Row::new("crash ls name=format,positional=False,req=false,type=CephString", LS, "r", ls)
        .since(Release::Reef),
    Row::new("crash ls-new", LS_NEW, "r", ls_new).until(Release::Reef),
    Row::new("crash ls-new name=format,positional=False,req=false,type=CephString", LS_NEW, "r", ls_new)
        .since(Release::Reef),
    Row::new("crash post", "Add a crash dump (use -i <jsonfile>)", "rw", post),
    Row::new("crash prune name=keep,type=CephString", PRUNE, "rw", prune).until(Release::Reef),
    Row::new("crash prune name=keep,type=CephInt", PRUNE, "rw", prune).since(Release::Reef),
    Row::new("crash rm name=id,type=CephString", "Remove a saved crash <id>", "rw", rm),
    Row::new("crash stat", "Summarize recorded crashes", "r", stat),
    Row::new("crash json_report name=hours,type=CephString", REPORT, "r", json_report).until(Release::Reef),
    Row::new("crash json_report name=hours,type=CephInt", REPORT, "r", json_report).since(Release::Reef),
    Row::new(
        "crash archive name=id,type=CephString",
        "Acknowledge a crash and silence health warning(s)",
        "w",
        archive,
    ),
    Row::new(
        "crash archive-all",
        "Acknowledge all new crashes and silence health warning(s)",
        "w",
        archive_all,
    ),
];

/// The report that the command names, or the refusal.
fn named(ask: &Ask<'_>) -> Result<(String, Crash), Done> {
    let id = ask.text("id");
    let known = id.as_ref().and_then(|id| crashes(ask.state).remove(id));
    let id = id.unwrap_or_else(|| "None".to_owned());
    match known {
        Some(crash) => Ok((id, crash)),
        None => Err(Done::refused(EINVAL, format!("crash info: {id} not found"))),
    }
}

fn info(ask: &Ask<'_>) -> Done {
    match named(ask) {
        Ok((_, crash)) => Done::out(dumps(&crash.into(), true, 4)),
        Err(refused) => refused,
    }
}

fn ls(ask: &Ask<'_>) -> Done {
    list(ask, |_| true)
}

fn ls_new(ask: &Ask<'_>) -> Done {
    list(ask, |crash| !crash.contains_key("archived"))
}

fn list(ask: &Ask<'_>, wanted: impl Fn(&Crash) -> bool) -> Done {
    let found = crashes(ask.state).into_values().filter(wanted);
    if wants_json(ask) {
        return Done::out(dumps(&found.collect(), true, 4));
    }
    let mut table = PrettyTable::new(&[("ID", Align::Left), ("ENTITY", Align::Left), ("NEW", Align::Centre)]);
    for crash in found {
        let new = if crash.contains_key("archived") { "" } else { "*" };
        let cells = [text(&crash, "crash_id", "None"), text(&crash, "entity_name", "unknown"), new];
        table.row(cells.map(str::to_owned));
    }
    Done::out(table.text())
}

fn post(ask: &Ask<'_>) -> Done {
    match post::accepted(&ask.command.input) {
        Err(why) => Done::refused(EINVAL, format!("malformed crash metadata: {why}")),
        Ok((id, _)) if crashes(ask.state).contains_key(&id) => Done::default(),
        Ok((id, crash)) => Done::act(vec![stored(&id, crash)]),
    }
}

fn stored(id: &str, crash: Crash) -> Action {
    Action::Store { key: format!("crash/{id}"), value: Some(dumps(&crash.into(), false, 0)) }
}

fn rm(ask: &Ask<'_>) -> Done {
    let known = ask.text("id").filter(|id| crashes(ask.state).contains_key(id));
    Done::act(known.iter().map(|id| removal(id)).collect())
}

fn prune(ask: &Ask<'_>) -> Done {
    let Some(days) = ask.number("keep") else {
        return Done::refused(EINVAL, "keep argument must be integer");
    };
    let old = |crash: &Crash| age_secs(crash, ask.now).is_some_and(|age| age >= days as f64 * 86_400.0);
    let old = crashes(ask.state).into_iter().filter(|(_, crash)| old(crash));
    Done::act(old.map(|(id, _)| removal(&id)).collect())
}

fn archive(ask: &Ask<'_>) -> Done {
    match named(ask) {
        Ok((id, crash)) => Done::act(archived(&id, crash, ask.now).into_iter().collect()),
        Err(refused) => refused,
    }
}

fn archive_all(ask: &Ask<'_>) -> Done {
    let all = crashes(ask.state).into_iter();
    Done::act(all.filter_map(|(id, crash)| archived(&id, crash, ask.now)).collect())
}

fn archived(id: &str, mut crash: Crash, now: UTime) -> Option<Action> {
    if crash.get("archived").and_then(Value::as_str).is_some_and(|at| !at.is_empty()) {
        return None;
    }
    let (year, month, day, hour, minute, second) = now.civil();
    let micros = now.nsec / 1000;
    let at = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}");
    crash.insert("archived".to_owned(), at.into());
    Some(stored(id, crash))
}

fn stat(ask: &Ask<'_>) -> Done {
    let all = crashes(ask.state);
    let mut lines = vec![format!("{} crashes recorded", all.len())];
    for days in [1, 3, 7] {
        let old =
            |crash: &Crash| age_secs(crash, ask.now).is_some_and(|age| age >= f64::from(days) * 86_400.0);
        let ids: Vec<String> = all.iter().filter(|(_, crash)| old(crash)).map(|(id, _)| id.clone()).collect();
        if !ids.is_empty() {
            lines.push(format!("{} older than {days} days old:", ids.len()));
            lines.extend(ids);
        }
    }
    Done::out(lines.join("\n"))
}

/// By name of the process. The hours are asked for and, as upstream, do not count.
fn json_report(ask: &Ask<'_>) -> Done {
    if ask.number("hours").is_none() {
        return Done::refused(EINVAL, "<hours> argument must be integer");
    }
    let mut report: BTreeMap<String, u64> = BTreeMap::new();
    for crash in crashes(ask.state).values() {
        let name = match text(crash, "process_name", "unknown") {
            "" => "unknown",
            name => name,
        };
        *report.entry(name.to_owned()).or_default() += 1;
    }
    let report: Value =
        report.into_iter().map(|(name, count)| (name, count.into())).collect::<Crash>().into();
    Done::err(dumps(&report, true, 0))
}
