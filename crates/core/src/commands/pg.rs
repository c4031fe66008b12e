//! Commands about placement groups that only read the PG map (`process_pg_map_command` in `src/mon/PGMap.cc`).

use super::request::{Ask, EAGAIN, EINVAL, ENOENT, Flushed, Format, refuse};
use super::{Done, Reads, Row};
use crate::command::CommandOutput;
use crate::pg_map::{PgFilter, PgMap, Stuck, cutoff, pg_stats_json, pg_table, pg_table_brief, since};
use crate::text::{Column, OsdList, Table, age};
use axon_denc::{Encode, Features};
use axon_proto::Release;
use axon_proto::json::{Entries, Object};
use axon_proto::pg::{Pg, PgStat, PgState};
use serde::ser::SerializeMap;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const ROWS: &[Row] = &[
    Row::read("pg stat", "show placement group status.", "pg", stat).through(|_| 0),
    Row::read("pg getmap", "get binary pg map to -o/stdout", "pg", getmap).of(Reads::Maps),
    Row::read(
        "pg dump name=dumpcontents,type=CephChoices,strings=all|summary|sum|delta|pools|osds|pgs|pgs_brief,n=N,req=false",
        "show human-readable versions of pg map (only 'all' valid with plain)",
        "pg",
        |ask| dump(ask, &ask.texts("dumpcontents"), ask.format()),
    )
    .of(Reads::Maps),
    Row::read(
        "pg dump_json name=dumpcontents,type=CephChoices,strings=all|summary|sum|pools|osds|pgs,n=N,req=false",
        "show human-readable version of pg map in json only",
        "pg",
        |ask| dump(ask, &[], Format::Json),
    )
    .of(Reads::Maps),
    Row::read("pg dump_pools_json", "show pg pools info in json only", "pg", |ask| {
        dump(ask, &["pools".to_owned()], Format::Json)
    })
    .of(Reads::Maps),
    Row::read(
        "pg ls-by-pool name=poolstr,type=CephString name=states,type=CephString,n=N,req=false",
        "list pg with pool = [poolname]",
        "pg",
        |ask| {
            let name = ask.text("poolstr").unwrap_or_default();
            match ask.state.osd_map.pool_id(&name) {
                Some(pool) => list(ask, PgFilter { pool: Some(pool), ..Default::default() }),
                None => ask.pg_refuse(ENOENT, format!("pool {name} does not exist")),
            }
        },
    )
    .of(Reads::MapsUnlessPlain),
    Row::read(
        "pg ls-by-primary name=osd,type=CephOsdName name=pool,type=CephInt,req=false name=states,type=CephString,n=N,req=false",
        "list pg with primary = [osd]",
        "pg",
        |ask| list(ask, PgFilter { primary: true, ..asked(ask) }),
    )
    .of(Reads::MapsUnlessPlain),
    Row::read(
        "pg ls-by-osd name=osd,type=CephOsdName name=pool,type=CephInt,req=false name=states,type=CephString,n=N,req=false",
        "list pg on osd [osd]",
        "pg",
        |ask| list(ask, asked(ask)),
    )
    .of(Reads::MapsUnlessPlain),
    Row::read(
        "pg ls name=pool,type=CephInt,req=false name=states,type=CephString,n=N,req=false",
        "list pg with specific pool, osd, state",
        "pg",
        |ask| list(ask, asked(ask)),
    )
    .of(Reads::MapsUnlessPlain),
    Row::read(
        "pg dump_stuck name=stuckops,type=CephChoices,strings=inactive|unclean|stale|undersized|degraded,n=N,req=false name=threshold,type=CephInt,req=false",
        "show information about stuck pgs",
        "pg",
        dump_stuck,
    ),
    Row::read(
        "pg debug name=debugop,type=CephChoices,strings=unfound_objects_exist|degraded_pgs_exist",
        "show debug info about pgs",
        "pg",
        debug,
    ),
];

/// Stands below every table with omap counts.
const OMAP_NOTE: &str = "\n* NOTE: Omap statistics are gathered during deep scrub and may be inaccurate soon \
                         afterwards depending on utilization. See \
                         http://docs.ceph.com/en/latest/dev/placement-group/#omap-statistics for further details.\n";

fn stat(ask: &Ask<'_>) -> Done {
    let map = &ask.state.pg_map;
    let json = || ("pg_summary", map.oneline_json());
    ask.pg_answer(Flushed::Lines, json, || format!("{}\n", map.oneline()))
}

fn getmap(ask: &Ask<'_>) -> Done {
    let map = ask.state.pg_map.to_dump();
    let outs = format!("got pgmap version {}", map.version);
    CommandOutput { retval: 0, outs, outbl: map.to_bytes(Features::ALL) }.into()
}

fn dump(ask: &Ask<'_>, what: &[String], format: Format) -> Done {
    let mut what: BTreeSet<&str> = what.iter().map(String::as_str).collect();
    if what.is_empty() {
        what.insert("all");
    }
    let (map, release) = (&ask.state.pg_map, ask.state.release);
    let body = if format == Format::Plain {
        dump_text(map, &what, release)
    } else {
        ask.pg_text(format, Flushed::Whole, &Dump { map, what: &what, release })
    };
    let outs = format!("dumped {}", what.into_iter().collect::<Vec<_>>().join(","));
    CommandOutput { outs, ..CommandOutput::ok(body) }.into()
}

/// What is asked for of the map, as JSON.
struct Dump<'a> {
    map: &'a PgMap,
    what: &'a BTreeSet<&'a str>,
    release: Release,
}

impl Entries for Dump<'_> {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        let Dump { map, what, release } = self;
        if what.contains("all") {
            return out.serialize_entry("pg_map", &Object(map.dump(*release, PgMap::with_net(*release))));
        }
        if what.contains("summary") || what.contains("sum") {
            return out.serialize_entry("pg_map", &map.dump_basic());
        }
        if what.contains("pools") {
            out.serialize_entry("pool_stats", &map.dump_pool_stats())?;
        }
        if what.contains("osds") {
            map.dump_osd_stats(PgMap::with_net(*release)).entries(out)?;
        }
        if what.contains("pgs") {
            out.serialize_entry("pg_stats", &map.dump_pg_stats(*release))?;
        } else if what.contains("pgs_brief") {
            out.serialize_entry("pg_stats", &map.dump_pg_stats_brief())?;
        }
        if what.contains("delta") {
            out.serialize_entry("delta", &map.dump_delta())?;
        }
        Ok(())
    }
}

fn dump_text(map: &PgMap, what: &BTreeSet<&str>, release: Release) -> String {
    let pgs = || map.pg_stat.iter().map(|(pg, stat)| (*pg, stat));
    if what.contains("all") {
        return format!("{}{OMAP_NOTE}", map.dump_text(release));
    }
    if what.contains("summary") || what.contains("sum") {
        return format!("{}{}{}{OMAP_NOTE}", map.basic_text(), map.sum_table(true), map.osd_sum_table());
    }
    let (mut out, mut omap) = (String::new(), false);
    if what.contains("pgs_brief") {
        out.push_str(&pg_table_brief(pgs()).to_string());
    }
    if what.contains("pgs") {
        out.push_str(&pg_table(pgs(), release).to_string());
        omap = true;
    }
    if what.contains("pools") {
        // Below the table of PGs its columns are not named again.
        out.push_str(&map.pool_table(!what.contains("pgs")).to_string());
        omap = true;
    }
    if what.contains("osds") {
        out.push_str(&map.osd_table().to_string());
    }
    if omap {
        out.push_str(OMAP_NOTE);
    }
    out
}

fn asked(ask: &Ask<'_>) -> PgFilter {
    PgFilter {
        pool: ask.number("pool"),
        osd: ask.number("osd").and_then(|osd| i32::try_from(osd).ok()),
        ..Default::default()
    }
}

fn list(ask: &Ask<'_>, mut filter: PgFilter) -> Done {
    let (map, osd_map) = (&ask.state.pg_map, &ask.state.osd_map);
    if let Some(pool) = filter.pool.filter(|pool| osd_map.pool(*pool).is_none()) {
        return ask.pg_refuse(ENOENT, format!("pool {pool} does not exist"));
    }
    if let Some(osd) = filter.osd.filter(|osd| !osd_map.is_up(*osd)) {
        return ask.pg_refuse(EAGAIN, format!("osd {osd} is not up"));
    }
    let names = ask.texts("states");
    if !names.is_empty() && !names.iter().any(|name| name == "all") {
        let mut states = PgState::UNKNOWN;
        for name in &names {
            let Some(state) = PgState::from_name(name) else {
                let choices = PgState(0xffff_ffff);
                return ask.pg_refuse(
                    EINVAL,
                    format!("'{name}' is not a valid pg state, available choices: {choices}"),
                );
            };
            states = states.with(state);
        }
        filter.state = Some(states);
    }
    let found: Vec<_> = map.filtered(filter).collect();
    let json = || {
        let pgs = pg_stats_json(|| found.iter().copied(), ask.state.release);
        (!found.is_empty()).then_some(("pg_stats", pgs))
    };
    ask.pg_answer(Flushed::Whole, json, || {
        let mut out = String::new();
        if !found.is_empty() {
            list_table(ask, &found).write(&mut out);
            out.push_str(OMAP_NOTE);
        }
        out
    })
}

/// The table of `pg ls` (`dump_filtered_pg_stats`).
fn list_table(ask: &Ask<'_>, pgs: &[(Pg, &Arc<PgStat>)]) -> Table {
    let reef = ask.state.release >= Release::Reef;
    let number = |names: &[&'static str]| names.iter().map(|name| Column::number(name)).collect::<Vec<_>>();
    let mut columns = vec![Column::left("PG")];
    columns.extend(number(&["OBJECTS", "DEGRADED", "MISPLACED", "UNFOUND", "BYTES", "OMAP_BYTES*"]));
    columns.extend(number(&["OMAP_KEYS*", "LOG"]));
    if reef {
        columns.extend(number(&["LOG_DUPS"]));
    }
    columns.extend(number(&["STATE", "SINCE", "VERSION", "REPORTED", "UP", "ACTING", "SCRUB_STAMP"]));
    columns.extend(number(&["DEEP_SCRUB_STAMP"]));
    if reef {
        columns.extend(number(&["LAST_SCRUB_DURATION"]));
        columns.push(Column::left("SCRUB_SCHEDULING"));
    }
    let mut table = Table::new(columns);
    for (pg, s) in pgs {
        let sum = &s.stats;
        let counts = [
            sum.num_objects,
            sum.num_objects_degraded,
            sum.num_objects_misplaced,
            sum.num_objects_unfound,
            sum.num_bytes,
            sum.num_omap_bytes,
            sum.num_omap_keys,
            s.log_size,
        ];
        let mut row = table.add();
        row.put(pg).numbers(counts);
        if reef {
            row.number(s.log_dups_size);
        }
        row.put(s.state).text(&age(since(s.last_change, ask.now).into())).put(s.version);
        row.put(format_args!("{}:{}", s.reported_epoch, s.reported_seq));
        row.put(format_args!("{}p{}", OsdList(&s.up), s.up_primary));
        row.put(format_args!("{}p{}", OsdList(&s.acting), s.acting_primary));
        row.put(s.last_scrub_stamp).put(s.last_deep_scrub_stamp);
        if reef {
            row.number(s.last_scrub_duration).put(s.scrub_schedule);
        }
    }
    table
}

fn dump_stuck(ask: &Ask<'_>) -> Done {
    let mut names = ask.texts("stuckops");
    if names.is_empty() {
        names.push("unclean".to_owned());
    }
    let mut ways = Vec::new();
    for name in &names {
        match Stuck::from_name(name) {
            Some(way) => ways.push(way),
            // Upstream answers with success here, and says what failed in words.
            None => {
                let output = CommandOutput::ok(format!("Unknown type: {name}\n"));
                return CommandOutput { outs: "failed".to_owned(), ..output }.into();
            }
        }
    }
    let threshold = ask.number("threshold").and_then(|secs| u32::try_from(secs).ok());
    let threshold = threshold.unwrap_or(ask.state.health_options().mon_pg_stuck_threshold);
    let at = cutoff(ask.now, threshold);
    let found: Vec<_> = ask.state.pg_map.stuck(&ways, at).collect();
    let json = || ("stuck_pg_stats", pg_stats_json(|| found.iter().copied(), ask.state.release));
    let text = || {
        if found.is_empty() { String::new() } else { pg_table_brief(found.iter().copied()).to_string() }
    };
    let mut done = ask.pg_answer(Flushed::Lines, json, text);
    done.output.outs = "ok".to_owned();
    done
}

fn debug(ask: &Ask<'_>) -> Done {
    let sum = &ask.state.pg_map.pg_sum.stats;
    let exists = match ask.text("debugop").as_deref() {
        None | Some("unfound_objects_exist") => sum.num_objects_unfound > 0,
        Some("degraded_pgs_exist") => sum.num_objects_degraded > 0,
        Some(other) => return refuse(EINVAL, format!("unknown debugop '{other}'")),
    };
    let text = if exists { "TRUE\n" } else { "FALSE\n" };
    ask.answer("pg_info", || json!({"pg_ready": ask.state.pg_ready, "exist": exists}), || text.to_owned())
}
