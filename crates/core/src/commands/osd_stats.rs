//! Commands about OSDs and pools that only read the PG map: `osd perf`, `osd blocked-by`, `osd pool stats`.

use super::request::{Ask, ENOENT, Flushed, Format, refuse};
use super::{Done, Reads, Row};
use crate::pg_map::OsdView;
use crate::text::{Column, Table};
use axon_proto::json::{List, Object, Then};
use axon_proto::pg::OsdStat;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const ROWS: &[Row] = &[
    Row::read("osd perf", "print dump of OSD perf summary stats", "osd", perf)
        .of(Reads::Maps)
        .through(|ask| ask.state.pg_map.osd_stat.len()),
    Row::read("osd blocked-by", "print histogram of which OSDs are blocking their peers", "osd", blocked_by)
        .of(Reads::Maps)
        .through(|ask| ask.state.pg_map.blocked_by_sum.len()),
    Row::read(
        "osd pool stats name=pool_name,type=CephPoolname,req=false",
        "obtain stats from all pools, or from specified pool",
        "osd",
        pool_stats,
    )
    .of(Reads::Maps)
    .through(|ask| ask.state.osd_map.pools.len()),
];

fn perf(ask: &Ask<'_>) -> Done {
    let osds = &ask.state.pg_map.osd_stat;
    let json = || {
        let one = |(osd, stat): (&i32, &Arc<OsdStat>)| {
            Object(Then(("id", *osd), ("perf_stats", stat.os_perf_stat.dump())))
        };
        ("osdstats", Object(("osd_perf_infos", List(move || osds.iter().map(one)))))
    };
    ask.pg_answer(Flushed::Lines, json, || {
        const NS_PER_MS: u64 = 1_000_000;
        let names = ["osd", "commit_latency(ms)", "apply_latency(ms)"];
        let mut table = Table::new(names.map(Column::number));
        for (osd, stat) in osds {
            let perf = &stat.os_perf_stat;
            let ms = [perf.commit_latency_ns, perf.apply_latency_ns].map(|ns| (ns / NS_PER_MS).to_string());
            table.row([osd.to_string()].into_iter().chain(ms));
        }
        table.to_string()
    })
}

fn blocked_by(ask: &Ask<'_>) -> Done {
    let sums = &ask.state.pg_map.blocked_by_sum;
    let json = || {
        let one = |(osd, count): (&i32, &i32)| Object(Then(("id", *osd), ("num_blocked", *count)));
        ("osd_blocked_by", Object(("osd_blocked_by_infos", List(move || sums.iter().map(one)))))
    };
    ask.pg_answer(Flushed::Lines, json, || {
        let mut table = Table::new(["osd", "num_blocked"].map(Column::number));
        for (osd, count) in sums {
            table.row([osd.to_string(), count.to_string()]);
        }
        table.to_string()
    })
}

fn pool_stats(ask: &Ask<'_>) -> Done {
    let (map, osd_map) = (&ask.state.pg_map, &*ask.state.osd_map);
    let mut pools = osd_map.pools();
    if let Some(name) = ask.text("pool_name").filter(|name| !name.is_empty()) {
        pools.retain(|(_, pool)| pool.name == name);
        if pools.is_empty() {
            return refuse(ENOENT, format!("unrecognized pool '{name}'"));
        }
    } else if pools.is_empty() {
        let mut none = ask.answer("pool_stats", || json!([]), String::new);
        if ask.format() == Format::Plain {
            none.output.outs = "there are no pools!".to_owned();
        }
        return none;
    }
    let json = || pools.iter().map(|(id, pool)| map.pool_io_json(*id, pool)).collect::<Value>();
    ask.answer("pool_stats", json, || pools.iter().map(|(id, pool)| map.pool_io_text(*id, pool)).collect())
}
