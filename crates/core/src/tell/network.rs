//! `dump_osd_network`: heartbeats between OSDs that take longest (`ClusterState::asok_command`, `src/mgr/ClusterState.cc`).

use super::{Answer, Ask, Row, active, row};
use axon_proto::pg::HbInterfaces;
use axon_proto::pg::osd_stat::ctime;
use serde_json::{Value, json};
use std::cmp::Reverse;

pub(super) const ROWS: &[Row] = &[active(row(
    "dump_osd_network name=value,type=CephInt,req=false",
    "Dump osd heartbeat network ping times",
    dump,
))];

/// One interface of one OSD to another.
struct Path<'a> {
    slowest_micros: u32,
    from: i32,
    to: i32,
    back: bool,
    times: &'a HbInterfaces,
}

fn dump(ask: &Ask<'_>) -> Answer {
    let threshold = threshold_micros(ask);
    let old_secs: u32 = ask.state.option("osd_mon_heartbeat_stat_stale", 3600);
    let age_secs = |times: &HbInterfaces| ask.now.sec.saturating_sub(times.last_update);
    let mut paths = Vec::new();
    for (from, stat) in &ask.state.pg_map.osd_stat {
        for (to, times) in &stat.hb_pingtime {
            if times.last_update == 0 || age_secs(times) > old_secs {
                continue;
            }
            let path = |back, averages: &[u32]| Path {
                slowest_micros: averages.iter().copied().max().unwrap_or(0),
                from: *from,
                to: *to,
                back,
                times,
            };
            paths.push(path(true, &times.back_pingtime));
            if times.front_last != 0 {
                paths.push(path(false, &times.front_pingtime));
            }
        }
    }
    paths.retain(|path| u64::from(path.slowest_micros) >= threshold);
    paths.sort_by_key(|path| Reverse((path.slowest_micros, path.from, path.to, path.back)));
    let stale_secs: u32 = ask.state.option("osd_heartbeat_stale", 600);
    let entries: Vec<Value> = paths.iter().map(|path| path.json(age_secs(path.times) > stale_secs)).collect();
    Answer::json(json!({ "threshold": threshold / 1000, "entries": entries }))
}

/// What the caller gave in milliseconds, or what the health check goes by.
fn threshold_micros(ask: &Ask<'_>) -> u64 {
    let given = match ask.command.args.get("value") {
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let micros = match given {
        Some(millis) => millis.saturating_mul(1000),
        None => {
            let set = ask.state.option("mon_warn_on_slow_ping_time", 0.0) as i64 * 1000;
            let grace: f64 = ask.state.option("osd_heartbeat_grace", 20.0);
            let ratio: f64 = ask.state.option("mon_warn_on_slow_ping_ratio", 0.05);
            if set == 0 { (grace * 1e6 * ratio) as i64 } else { set }
        }
    };
    u64::try_from(micros).unwrap_or(0)
}

impl Path<'_> {
    fn json(&self, stale: bool) -> Value {
        let t = self.times;
        let (average, min, max, last) = match self.back {
            true => (t.back_pingtime, t.back_min, t.back_max, t.back_last),
            false => (t.front_pingtime, t.front_min, t.front_max, t.front_last),
        };
        let millis = |micros: u32| f64::from(micros) / 1000.0;
        let row = |[one, five, fifteen]: [u32; 3]| json!({ "1min": millis(one), "5min": millis(five), "15min": millis(fifteen) });
        json!({
            "last update": ctime(t.last_update),
            "stale": stale,
            "from osd": self.from,
            "to osd": self.to,
            "interface": if self.back { "back" } else { "front" },
            "average": row(average),
            "min": row(min),
            "max": row(max),
            "last": millis(last),
        })
    }
}
