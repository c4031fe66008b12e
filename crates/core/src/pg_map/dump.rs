//! The map as JSON and as tables: `pg dump` in its parts (`PGMap::dump*`), and the forms that only `mgr.get()` has.

use super::PgMap;
use super::summary::{cache_rate, client_rate, recovery, recovery_rate};
use super::{OsdView, PoolView};
use crate::text::{Bytes, Cells, Column, OsdList, OsdListRaw, Table};
use axon_proto::Release;
use axon_proto::json::{Entries, List, Object, Then, map_of};
use axon_proto::pg::{ObjectStatSum, OsdStat, Pg, PgStat, PoolStat};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

fn object(value: impl serde::Serialize) -> Map<String, Value> {
    match json!(value) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// JSON.
impl PgMap {
    /// All of it, as `mgr.get("pg_dump")`; `with_net` adds the heartbeat times.
    pub fn dump(&self, release: Release, with_net: bool) -> impl Entries {
        let pgs = ("pg_stats", self.dump_pg_stats(release));
        Then(
            Then(self.dump_basic(), pgs),
            Then(("pool_stats", self.dump_pool_stats()), self.dump_osd_stats(with_net)),
        )
    }

    /// Version and sums.
    #[must_use]
    pub fn dump_basic(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("version".to_owned(), self.version.into());
        out.insert("stamp".to_owned(), json!(self.stamp));
        // Only a monitor's PG map, gone since Luminous, had them.
        out.insert("last_osdmap_epoch".to_owned(), 0.into());
        out.insert("last_pg_scan".to_owned(), 0.into());
        out.insert("pg_stats_sum".to_owned(), json!(self.pg_sum));
        out.insert("osd_stats_sum".to_owned(), map_of(&self.osd_sum.dump(true)).into());
        out.extend(self.dump_delta());
        out
    }

    /// The changes that rates come from; `mgr.get("io_rate")`.
    #[must_use]
    pub fn dump_delta(&self) -> Map<String, Value> {
        let mut delta = object(self.pg_sum_deltas.stat());
        delta.insert("stamp_delta".to_owned(), json!(self.pg_sum_deltas.span()));
        [("pg_stats_delta".to_owned(), delta.into())].into_iter().collect()
    }

    pub fn dump_pg_stats(&self, release: Release) -> impl Serialize {
        pg_stats_json(move || self.pg_stat.iter().map(|(pg, stat)| (*pg, stat)), release)
    }

    pub fn dump_pg_stats_brief(&self) -> impl Serialize {
        List(|| self.pg_stat.iter().map(|(pg, stat)| Object(Then(("pgid", *pg), stat.dump_brief()))))
    }

    /// `mgr.get("pool_stats")`, without the key around it.
    pub fn dump_pool_stats(&self) -> impl Serialize {
        List(|| {
            self.pg_pool_sum.iter().map(|(pool, stat)| {
                let num_pg = self.num_pg_by_pool.get(pool).copied().unwrap_or(0);
                Object(Then(Then(("poolid", *pool), ("num_pg", num_pg)), object(stat)))
            })
        })
    }

    /// `osd_stats` and `pool_statfs`; `mgr.get("osd_stats")`.
    pub fn dump_osd_stats(&self, with_net: bool) -> impl Entries {
        let osds = List(move || {
            self.osd_stat.iter().map(move |(osd, stat)| Object(Then(("osd", *osd), stat.dump(with_net))))
        });
        let statfs = List(|| {
            self.pool_statfs.iter().map(|((pool, osd), statfs)| {
                Object(Then(Then(("poolid", *pool), ("osd", *osd)), object(statfs)))
            })
        });
        Then(("osd_stats", osds), ("pool_statfs", statfs))
    }

    /// Whether the commands and `ceph-dencoder` of a release print the heartbeat times of OSDs (`with_net`, whose default 20.2 turned).
    #[must_use]
    pub fn with_net(release: Release) -> bool {
        release < Release::Tentacle
    }

    /// `mgr.get("osd_ping_times")`.
    #[must_use]
    pub fn dump_osd_ping_times(&self) -> Value {
        let one = |(osd, stat): (&i32, &Arc<OsdStat>)| {
            let times: Vec<Value> =
                stat.hb_pingtime.iter().map(|(to, times)| json!(times.dump(*to))).collect();
            json!({"osd": osd, "network_ping_times": times})
        };
        json!({"osd_ping_times": self.osd_stat.iter().map(one).collect::<Vec<_>>()})
    }

    /// `mgr.get("pg_summary")`: PGs by state, for each OSD, each pool and all.
    #[must_use]
    pub fn pg_summary(&self) -> Value {
        let mut by_osd: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
        for (osd, pgs) in &self.pg_by_osd {
            for stat in pgs.iter().filter_map(|pg| self.pg_stat.get(pg)).filter(|s| s.acting.contains(osd)) {
                *by_osd.entry(osd.to_string()).or_default().entry(stat.state.to_string()).or_default() += 1;
            }
        }
        let states = |counts: &BTreeMap<_, i32>| {
            counts.iter().map(|(state, count)| (format!("{state}"), *count)).collect::<BTreeMap<_, _>>()
        };
        let by_pool: BTreeMap<String, _> = self
            .num_pg_by_pool_state
            .iter()
            .map(|(pool, counts)| (pool.to_string(), states(counts)))
            .collect();
        json!({
            "by_osd": by_osd,
            "by_pool": by_pool,
            "all": states(&self.num_pg_by_state),
            "pg_stats_sum": self.pg_sum,
        })
    }

    /// `mgr.get("pg_progress")` without `pg_ready`: how far each PG's recovery is.
    #[must_use]
    pub fn pg_progress(&self) -> Value {
        let one = |(pg, stat): (&Pg, &Arc<PgStat>)| {
            let value = json!({
                "num_bytes_recovered": stat.stats.num_bytes_recovered,
                "num_bytes": stat.stats.num_bytes,
                "reported_epoch": stat.reported_epoch,
                "state": stat.state,
            });
            (pg.to_string(), value)
        };
        self.pg_stat.iter().map(one).collect::<Map<_, _>>().into()
    }

    /// `osd pool stats` of one pool as JSON.
    #[must_use]
    pub fn pool_io_json(&self, id: i64, pool: &PoolView) -> Value {
        let sum = self.pg_pool_sum.get(&id).map(|sum| sum.stats).unwrap_or_default();
        let deltas = self.per_pool_deltas.get(&id).cloned().unwrap_or_default();
        let mut out = json!({
            "pool_name": pool.name,
            "pool_id": id,
            "recovery": recovery(&sum).1,
            "recovery_rate": recovery_rate(&deltas).json,
            "client_io_rate": client_rate(&deltas).json,
        });
        if let (true, Some(out)) = (pool.is_tier, out.as_object_mut()) {
            out.insert("cache_io_rate".to_owned(), cache_rate(&deltas).json.into());
        }
        out
    }

    /// `osd pool stats` of one pool as text.
    #[must_use]
    pub fn pool_io_text(&self, id: i64, pool: &PoolView) -> String {
        let sum = self.pg_pool_sum.get(&id).map(|sum| sum.stats).unwrap_or_default();
        let deltas = self.per_pool_deltas.get(&id).cloned().unwrap_or_default();
        let mut lines: Vec<String> = recovery(&sum).0;
        let mut rate = |what: &str, text: String| {
            if !text.is_empty() {
                lines.push(format!("{what} {text}"));
            }
        };
        rate("recovery io", recovery_rate(&deltas).text);
        rate("client io", client_rate(&deltas).text);
        if pool.is_tier {
            rate("cache tier io", cache_rate(&deltas).text);
        }
        if lines.is_empty() {
            lines.push("nothing is going on".to_owned());
        }
        let lines: String = lines.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "  {line}");
            text
        });
        format!("pool {} id {id}\n{lines}\n", pool.name)
    }

    /// `mgr.get("osd_pool_stats")`.
    #[must_use]
    pub fn osd_pool_stats(&self, osds: &impl OsdView) -> Value {
        let pools = osds.pools();
        json!({"pool_stats": pools.iter().map(|(id, pool)| self.pool_io_json(*id, pool)).collect::<Vec<_>>()})
    }
}

/// The list of `pg ls` and `pg dump_stuck`.
pub fn pg_stats_json<'a, I>(pgs: impl Fn() -> I, release: Release) -> impl Serialize
where
    I: Iterator<Item = (Pg, &'a Arc<PgStat>)>,
{
    List(move || pgs().map(move |(pg, stat)| Object(Then(("pgid", pg), stat.dump(release)))))
}

const SUM_COLUMNS: [&str; 10] = [
    "OBJECTS",
    "MISSING_ON_PRIMARY",
    "DEGRADED",
    "MISPLACED",
    "UNFOUND",
    "BYTES",
    "OMAP_BYTES*",
    "OMAP_KEYS*",
    "LOG",
    "DISK_LOG",
];

fn sum_cells(sum: &ObjectStatSum) -> [i64; 8] {
    [
        sum.num_objects,
        sum.num_objects_missing_on_primary,
        sum.num_objects_degraded,
        sum.num_objects_misplaced,
        sum.num_objects_unfound,
        sum.num_bytes,
        sum.num_omap_bytes,
        sum.num_omap_keys,
    ]
}

fn sum_table(first: &'static str, header: bool, rows: impl Iterator<Item = (String, PoolStat)>) -> Table {
    let columns = [Column::left(first)].into_iter().chain(SUM_COLUMNS.map(Column::number));
    let mut table = Table::new(columns.map(|column| if header { column } else { column.without_heading() }));
    for (name, stat) in rows {
        let logs = [stat.log_size, stat.ondisk_log_size];
        table.add().text(&name).numbers(sum_cells(&stat.stats)).numbers(logs);
    }
    table
}

/// Tables.
impl PgMap {
    /// All of it.
    #[must_use]
    pub fn dump_text(&self, release: Release) -> String {
        let pgs = self.pg_stat.iter().map(|(pg, stat)| (*pg, stat));
        let mut out = self.basic_text();
        for table in [pg_table(pgs, release), self.pool_table(false), self.sum_table(false), self.osd_table()]
        {
            table.write(&mut out);
        }
        out
    }

    #[must_use]
    pub fn basic_text(&self) -> String {
        format!("version {}\nstamp {}\nlast_osdmap_epoch 0\nlast_pg_scan 0\n", self.version, self.stamp)
    }

    #[must_use]
    pub fn pool_table(&self, header: bool) -> Table {
        let rows = self.pg_pool_sum.iter().map(|(pool, stat)| (pool.to_string(), stat.clone()));
        sum_table("POOLID", header, rows)
    }

    #[must_use]
    pub fn sum_table(&self, header: bool) -> Table {
        sum_table("PG_STAT", header, [("sum".to_owned(), self.pg_sum.clone())].into_iter())
    }

    #[must_use]
    pub fn osd_table(&self) -> Table {
        let names = ["USED", "AVAIL", "USED_RAW", "TOTAL", "HB_PEERS", "PG_SUM", "PRIMARY_PG_SUM"];
        let mut table = Table::new([Column::left("OSD_STAT")].into_iter().chain(names.map(Column::number)));
        for (osd, stat) in &self.osd_stat {
            let primary = self.num_pg_by_osd.get(osd).map_or(0, |count| count.primary);
            let mut row = table.add();
            space(row.number(*osd), stat);
            row.put(OsdList(&stat.hb_peers)).number(self.num_pg_on(*osd)).number(primary);
        }
        space(table.add().text("sum"), &self.osd_sum);
        table
    }

    #[must_use]
    pub fn osd_sum_table(&self) -> Table {
        let names = ["USED", "AVAIL", "USED_RAW", "TOTAL"];
        let mut table = Table::new([Column::left("OSD_STAT")].into_iter().chain(names.map(Column::number)));
        space(table.add().text("sum"), &self.osd_sum);
        table
    }
}

fn space(row: &mut Cells<'_>, stat: &OsdStat) {
    let statfs = &stat.statfs;
    for amount in [statfs.used(), statfs.available, statfs.used_raw(), statfs.total] {
        row.put(Bytes(amount));
    }
}

/// The long table of PGs (`dump_pg_stats_plain`).
#[must_use]
pub fn pg_table<'a>(pgs: impl Iterator<Item = (Pg, &'a Arc<PgStat>)>, release: Release) -> Table {
    let reef = release >= Release::Reef;
    let number = |names: &[&'static str]| names.iter().map(|name| Column::number(name)).collect::<Vec<_>>();
    let mut columns = vec![Column::left("PG_STAT")];
    columns.extend(number(SUM_COLUMNS.split_last().map_or(&[][..], |(_, but_last)| but_last)));
    if reef {
        columns.extend(number(&["LOG_DUPS"]));
    }
    columns.extend(number(&["DISK_LOG", "STATE", "STATE_STAMP", "VERSION", "REPORTED", "UP", "UP_PRIMARY"]));
    columns.extend(number(&["ACTING", "ACTING_PRIMARY", "LAST_SCRUB", "SCRUB_STAMP", "LAST_DEEP_SCRUB"]));
    columns.extend(number(&["DEEP_SCRUB_STAMP", "SNAPTRIMQ_LEN"]));
    if reef {
        columns.extend(number(&["LAST_SCRUB_DURATION"]));
        columns.push(Column::left("SCRUB_SCHEDULING"));
        columns.extend(number(&["OBJECTS_SCRUBBED", "OBJECTS_TRIMMED"]));
    }
    let mut table = Table::new(columns);
    for (pg, s) in pgs {
        let mut row = table.add();
        row.put(pg).numbers(sum_cells(&s.stats)).number(s.log_size);
        if reef {
            row.number(s.log_dups_size);
        }
        row.number(s.ondisk_log_size).put(s.state).put(s.last_change).put(s.version);
        row.put(format_args!("{}:{}", s.reported_epoch, s.reported_seq));
        row.put(OsdList(&s.up)).number(s.up_primary).put(OsdList(&s.acting)).number(s.acting_primary);
        row.put(s.last_scrub).put(s.last_scrub_stamp).put(s.last_deep_scrub).put(s.last_deep_scrub_stamp);
        row.number(s.snaptrimq_len);
        if reef {
            row.number(s.last_scrub_duration).put(s.scrub_schedule);
            row.number(s.objects_scrubbed).number(s.objects_trimmed);
        }
    }
    table
}

/// The short table of PGs.
#[must_use]
pub fn pg_table_brief<'a>(pgs: impl Iterator<Item = (Pg, &'a Arc<PgStat>)>) -> Table {
    let names = ["STATE", "UP", "UP_PRIMARY", "ACTING", "ACTING_PRIMARY"];
    let mut table = Table::new([Column::left("PG_STAT")].into_iter().chain(names.map(Column::number)));
    for (pg, s) in pgs {
        // Here a hole is shown as its number, as upstream's `vector` output does.
        let mut row = table.add();
        row.put(pg).put(s.state);
        row.put(OsdListRaw(&s.up)).number(s.up_primary).put(OsdListRaw(&s.acting)).number(s.acting_primary);
    }
    table
}
