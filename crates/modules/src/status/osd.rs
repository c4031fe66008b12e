//! `osd status`. Since 18.2 also in JSON.

use super::rate;
use crate::python::{Align, PrettyTable, dumps, format_bytes, format_dimless};
use crate::{Done, ENOENT};
use axon_core::State;
use axon_core::commands::{Ask, Format};
use axon_core::daemons::DaemonKey;
use axon_proto::Release;
use axon_proto::osd_map::state as osd_state;
use serde_json::{Value, json};
use std::collections::BTreeSet;

struct Osd {
    id: i32,
    host: String,
    used: i64,
    avail: i64,
    wr_ops: i64,
    wr_bytes: i64,
    rd_ops: i64,
    rd_bytes: i64,
    state: Vec<&'static str>,
}

pub(super) fn status(ask: &Ask<'_>) -> Done {
    let state = ask.state;
    let bucket = ask.text("bucket");
    let wanted = match bucket.as_deref().map(|pattern| items_of(state, pattern)) {
        // Upstream puts the sentence where the answer belongs.
        Some(None) => {
            let name = bucket.unwrap_or_default();
            return Done { retval: ENOENT, out: format!("Bucket '{name}' not found"), ..Done::default() };
        }
        wanted => wanted.flatten().filter(|_| bucket.as_deref() != Some("")),
    };
    let ids = state.osd_map.osds().filter(|id| wanted.as_ref().is_none_or(|wanted| wanted.contains(id)));
    let osds: Vec<Osd> = ids.map(|id| osd(state, id)).collect();
    match ask.format() {
        Format::Json if state.release >= Release::Reef => Done::out(dumps(&shown(&osds), true, 0)),
        Format::JsonPretty if state.release >= Release::Reef => Done::out(dumps(&shown(&osds), true, 4)),
        _ => Done::out(table(&osds)),
    }
}

/// What the buckets whose names match hold directly; `None` when none matches.
fn items_of(state: &State, pattern: &str) -> Option<BTreeSet<i32>> {
    let pattern = glob(pattern)?;
    let crush = &state.osd_map.crush;
    let matches = |id: &i32| crush.name_map.get(id).is_some_and(|name| pattern.is_match(name));
    let mut found = crush.buckets().filter(|bucket| matches(&bucket.id)).peekable();
    found.peek()?;
    Some(found.flat_map(|bucket| bucket.items.iter().copied()).collect())
}

/// A shell pattern (`fnmatch`): `*`, `?` and `[…]`.
fn glob(pattern: &str) -> Option<regex::Regex> {
    let mut out = "(?s)^".to_owned();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let after = rest.strip_prefix(c).unwrap_or_default();
        rest = after;
        match (c, after.split_once(']')) {
            ('*', _) => out.push_str(".*"),
            ('?', _) => out.push('.'),
            ('[', Some((set, tail))) if !set.is_empty() => {
                let (not, set) = set.strip_prefix('!').map_or(("", set), |set| ("^", set));
                out.push_str(&format!("[{not}{}]", set.replace('\\', r"\\").replace('[', r"\[")));
                rest = tail;
            }
            _ => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex::Regex::new(&(out + "$")).ok()
}

fn osd(state: &State, id: i32) -> Osd {
    let key = DaemonKey::new("osd", id.to_string());
    let stat = state.pg_map.osd_stat.get(&id);
    let host = stat.and_then(|_| state.daemons.daemon(&key)).map(|daemon| daemon.hostname.clone());
    let rate = |path: &str| rate(state, &key, path);
    Osd {
        id,
        host: host.unwrap_or_default(),
        used: stat.map_or(0, |stat| stat.statfs.kb_used_raw() << 10),
        avail: stat.map_or(0, |stat| stat.statfs.kb_avail() << 10),
        wr_ops: rate("osd.op_w") + rate("osd.op_rw"),
        wr_bytes: rate("osd.op_in_bytes"),
        rd_ops: rate("osd.op_r"),
        rd_bytes: rate("osd.op_out_bytes"),
        state: osd_state::names(state.osd_map.state(id)),
    }
}

fn table(osds: &[Osd]) -> String {
    use Align::{Left, Right};
    let mut table = PrettyTable::new(&[
        ("ID", Right),
        ("HOST", Left),
        ("USED", Right),
        ("AVAIL", Right),
        ("WR OPS", Right),
        ("WR DATA", Right),
        ("RD OPS", Right),
        ("RD DATA", Right),
        ("STATE", Left),
    ]);
    let bytes = |n: i64| format_bytes(n as f64, 5);
    let ops = |n: i64| format_dimless(n as f64, 5);
    for osd in osds {
        table.row([
            osd.id.to_string(),
            osd.host.clone(),
            bytes(osd.used),
            bytes(osd.avail),
            ops(osd.wr_ops),
            bytes(osd.wr_bytes),
            ops(osd.rd_ops),
            bytes(osd.rd_bytes),
            osd.state.join(","),
        ]);
    }
    table.text()
}

fn shown(osds: &[Osd]) -> Value {
    let rows = osds.iter().map(|osd| {
        json!({
            "id": osd.id, "host name": osd.host, "kb used": osd.used, "kb available": osd.avail,
            "write ops rate": osd.wr_ops, "write byte rate": osd.wr_bytes,
            "read ops rate": osd.rd_ops, "read byte rate": osd.rd_bytes, "state": osd.state,
        })
    });
    json!({"OSDs": rows.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::Command;
    use axon_proto::UTime;

    #[test]
    fn buckets_are_found_by_shell_patterns() {
        let matches = |pattern: &str, name: &str| glob(pattern).unwrap().is_match(name);
        assert!(matches("rack*", "rack12") && matches("h?st", "host") && matches("h[!a]st", "host"));
        assert!(!matches("rack", "rack12") && !matches("h[!o]st", "host") && matches("a.b", "a.b"));
        assert!(!matches("a.b", "axb"));
    }

    #[test]
    fn a_bucket_that_is_not_there_is_an_answer_with_a_positive_errno() {
        let command = Command::plain("osd status").arg("bucket", "nope");
        let done = status(&Ask { command: &command, state: &State::default(), now: UTime::ZERO });
        assert_eq!((done.retval, done.lines().as_str()), (2, "Bucket 'nope' not found\n"));
    }
}
