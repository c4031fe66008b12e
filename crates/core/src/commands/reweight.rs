//! `osd reweight-by-utilization`, `osd reweight-by-pg` and their dry runs (`reweight::by_utilization` in `src/mon/PGMap.cc`,
//! `OSDMap::summarize_mapping_stats`): lower the override weight of overfull OSDs a little, raise that of others back.

use super::request::{Ask, EINVAL, ENOENT, Format, refuse};
use super::{Done, Reads, Row};
use crate::command::{Command, CommandOutput};
use crate::state::State;
use crate::text::short_float;
use axon_proto::osd_map::{OSDMap, WEIGHT_IN};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

macro_rules! row {
    ($kind:ident, $prefix:literal, $last:literal, $help:literal, $run:expr) => {
        Row::$kind(
            concat!(
                $prefix,
                " name=oload,type=CephInt,req=false name=max_change,type=CephFloat,req=false ",
                "name=max_osds,type=CephInt,req=false ",
                $last
            ),
            $help,
            "osd",
            $run,
        )
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(
        write,
        "osd reweight-by-utilization",
        "name=no_increasing,type=CephBool,req=false",
        "reweight OSDs by utilization [overload-percentage-for-consideration, default 120]",
        |ask| reweight(ask, By::Utilization, false)
    ),
    row!(
        read,
        "osd test-reweight-by-utilization",
        "name=no_increasing,type=CephBool,req=false",
        "dry run of reweight OSDs by utilization [overload-percentage-for-consideration, default 120]",
        |ask| reweight(ask, By::Utilization, true)
    )
    .of(Reads::Maps),
    row!(
        write,
        "osd reweight-by-pg",
        "name=pools,type=CephPoolname,n=N,req=false",
        "reweight OSDs by PG distribution [overload-percentage-for-consideration, default 120]",
        |ask| reweight(ask, By::Pgs, false)
    ),
    row!(
        read,
        "osd test-reweight-by-pg",
        "name=pools,type=CephPoolname,n=N,req=false",
        "dry run of reweight OSDs by PG distribution [overload-percentage-for-consideration, default 120]",
        |ask| reweight(ask, By::Pgs, true)
    )
    .of(Reads::Maps),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Utilization,
    Pgs,
}

const EDOM: i32 = 33;

/// How full the OSDs are, and the mean.
struct Load {
    average: f64,
    by_osd: Vec<(i32, f32)>,
}

fn reweight(ask: &Ask<'_>, by: By, dry_run: bool) -> Done {
    let state = ask.state;
    let mut pools = BTreeSet::new();
    for name in ask.texts("pools") {
        match state.osd_map.pool_id(&name) {
            Some(pool) => drop(pools.insert(pool)),
            None => return refuse(ENOENT, format!("pool '{name}' does not exist")),
        }
    }
    let max_change = ask.float("max_change").unwrap_or_else(|| state.option("mon_reweight_max_change", 0.05));
    if max_change <= 0.0 {
        return refuse(EINVAL, format!("max_change {max_change} must be positive"));
    }
    let max_osds = ask.number("max_osds").unwrap_or_else(|| state.option("mon_reweight_max_osds", 4));
    if max_osds <= 0 {
        return refuse(EINVAL, format!("max_osds {max_osds} must be positive"));
    }
    let overload = ask.number("oload").unwrap_or(120);
    if overload <= 100 {
        return failed(
            EINVAL,
            "You must give a percentage higher than 100. The reweighting threshold will be calculated as \
             <average-utilization> times <input-percentage>. For example, an argument of 200 would reweight OSDs which \
             are twice as utilized as the average OSD.\n",
        );
    }
    let load = match by {
        By::Utilization => by_utilization(state),
        By::Pgs => by_pgs(state, &pools),
    };
    let load = match load {
        Ok(load) => load,
        Err(why) => return failed(EDOM, &why),
    };
    let limits = Limits { overload, max_change, max_osds, no_increasing: ask.switch("no_increasing") };
    let changes = changes(&state.osd_map, &load, &limits);
    let body = report(ask, &load, &limits, &changes, &pools);
    if changes.is_empty() || dry_run {
        return CommandOutput {
            outs: "no change".to_owned(),
            retval: changes.len() as i32,
            outbl: body.into(),
        }
        .into();
    }
    // The monitors read an object with single quotes.
    let weights: Vec<String> = changes.iter().map(|c| format!("'{}':'{}'", c.osd, c.to)).collect();
    let command = Command::plain("osd reweightn").arg("weights", format!("{{{}}}", weights.join(",")));
    Done { output: CommandOutput::ok(body), to_mon: Some(Box::new(command)), ..Done::default() }
}

fn failed(errno: i32, why: &str) -> Done {
    refuse(errno, format!("{why}FAILED reweight-by-pg"))
}

fn by_utilization(state: &State) -> Result<Load, String> {
    let sum = &state.pg_map.osd_sum.statfs;
    let osds = state.pg_map.osd_stat.len().max(1) as i64;
    let least: i64 = state.option("mon_reweight_min_bytes_per_osd", 100 << 20);
    if sum.total / osds < least {
        return Err(format!("Refusing to reweight: we only have {} kb across all osds!\n", sum.kb()));
    }
    if sum.used_raw() / osds < least {
        return Err(format!(
            "Refusing to reweight: we only have {} kb used across all osds!\n",
            sum.kb_used_raw()
        ));
    }
    let share = |used: i64, total: i64| used as f64 / total as f64;
    let by_osd = state.pg_map.osd_stat.iter();
    let by_osd = by_osd.map(|(osd, s)| (*osd, share(s.statfs.used_raw(), s.statfs.total) as f32)).collect();
    Ok(Load { average: share(sum.used_raw(), sum.total), by_osd })
}

fn by_pgs(state: &State, pools: &BTreeSet<i64>) -> Result<Load, String> {
    let weights = crush_weights(&state.osd_map);
    let mut pgs: BTreeMap<i32, u32> = BTreeMap::new();
    let mut copies = 0u32;
    for (pg, stat) in &state.pg_map.pg_stat {
        if !pools.is_empty() && !pools.contains(&pg.pool) {
            continue;
        }
        let weighed = |osd: &&i32| state.osd_map.exists(**osd) && weights.get(osd).is_some_and(|w| *w > 0.0);
        for osd in stat.acting.iter().filter(weighed) {
            *pgs.entry(*osd).or_default() += 1;
            copies += 1;
        }
    }
    let osds = pgs.len() as u32;
    let least: u32 = state.option("mon_reweight_min_pgs_per_osd", 10);
    if osds == 0 || copies / osds < least {
        return Err(format!("Refusing to reweight: we only have {copies} PGs across {osds} osds!\n"));
    }
    let weight_of = |osd: &i32| weights.get(osd).copied().unwrap_or_default();
    let weight: f64 = pgs.keys().map(|osd| f64::from(weight_of(osd))).sum();
    let reported = |osd: &&i32| state.pg_map.osd_stat.contains_key(*osd);
    let by_osd = pgs.keys().filter(reported).map(|osd| (*osd, pgs[osd] as f32 / weight_of(osd))).collect();
    Ok(Load { average: f64::from(copies) / weight, by_osd })
}

/// Devices' CRUSH weights, as their first bucket has them.
fn crush_weights(map: &OSDMap) -> BTreeMap<i32, f32> {
    let mut out = BTreeMap::new();
    for bucket in map.crush.buckets() {
        for (pos, item) in bucket.items.iter().enumerate().filter(|(_, item)| **item >= 0) {
            out.entry(*item).or_insert(bucket.item_weight(pos) as f32 / WEIGHT_IN as f32);
        }
    }
    out
}

struct Limits {
    overload: i64,
    max_change: f64,
    max_osds: i64,
    no_increasing: bool,
}

struct Change {
    osd: i32,
    from: u32,
    to: u32,
}

/// New weights, of the OSDs farthest from the mean first.
fn changes(map: &OSDMap, load: &Load, limits: &Limits) -> Vec<Change> {
    let threshold = load.average * limits.overload as f64 / 100.0;
    let step = (limits.max_change * f64::from(WEIGHT_IN)) as u32;
    let mut osds = load.by_osd.clone();
    let distance = |util: f32| (f64::from(util) - load.average).abs();
    osds.sort_by(|a, b| distance(b.1).total_cmp(&distance(a.1)));
    let mut out = Vec::new();
    for (osd, util) in osds {
        let from = map.weight(osd);
        if from == 0 {
            continue;
        }
        let fair = (load.average / f64::from(util) * f64::from(from as f32)) as u32;
        let to = if f64::from(util) >= threshold {
            if from > step { fair.max(from - step) } else { fair }
        } else if !limits.no_increasing && f64::from(util) <= load.average {
            let to = fair.min(from.saturating_add(step)).min(WEIGHT_IN);
            if to <= from {
                continue;
            }
            to
        } else {
            continue;
        };
        out.push(Change { osd, from, to });
        if out.len() as i64 >= limits.max_osds {
            break;
        }
    }
    out
}

fn report(ask: &Ask<'_>, load: &Load, limits: &Limits, changes: &[Change], pools: &BTreeSet<i64>) -> String {
    let map = &ask.state.osd_map;
    let mut after = (**map).clone();
    let weights = Arc::make_mut(&mut after.osd_weight);
    for change in changes {
        if let Some(weight) = usize::try_from(change.osd).ok().and_then(|osd| weights.get_mut(osd)) {
            *weight = change.to;
        }
    }
    let spread = Spread::of(map, &after, pools);
    let threshold = load.average * limits.overload as f64 / 100.0;
    let float = |weight: u32| weight as f32 / WEIGHT_IN as f32;
    if ask.format() != Format::Plain {
        // As upstream: only what goes down is listed.
        let down = changes.iter().filter(|c| c.to < c.from);
        let reweights: Vec<Value> =
            down.map(|c| json!({"osd": c.osd, "weight": float(c.from), "new_weight": float(c.to)})).collect();
        let mut out = json!({
            "overload_min": limits.overload,
            "max_change": limits.max_change,
            "max_change_osds": limits.max_osds,
            "average_utilization": load.average,
            "overload_utilization": threshold,
            "reweights": reweights,
        });
        if let (Some(out), Some(spread)) = (out.as_object_mut(), &spread) {
            out.insert("utilization".to_owned(), spread.json().into());
        }
        return ask.format().text("reweight_by_utilization", &out);
    }
    let mut out = spread.map(|s| s.text()).unwrap_or_default();
    out.push_str(&format!(
        "\noload {}\nmax_change {}\nmax_change_osds {}\naverage_utilization {:.4}\noverload_utilization {threshold:.4}\n",
        limits.overload,
        short_float(limits.max_change as f32),
        limits.max_osds,
        load.average,
    ));
    for c in changes {
        out.push_str(&format!("osd.{} weight {:.4} -> {:.4}\n", c.osd, float(c.from), float(c.to)));
    }
    out
}

/// PGs by OSD before and after.
struct Spread {
    moved: usize,
    total: u32,
    average: f32,
    deviation: [f32; 2],
    expected: f32,
    /// OSD, its PGs before and after.
    least: (i32, u32, u32),
    most: (i32, u32, u32),
}

impl Spread {
    /// Of two maps that differ in weights alone. `None` when no OSD is up and in.
    fn of(before: &OSDMap, after: &OSDMap, pools: &BTreeSet<i64>) -> Option<Self> {
        let mut counts: BTreeMap<i32, (u32, u32)> = before
            .osds()
            .filter(|osd| before.is_up(*osd) && before.is_in(*osd))
            .map(|osd| (osd, (0, 0)))
            .collect();
        let (mut moved, mut total) = (0, 0);
        let same = before.osd_weight == after.osd_weight;
        for (id, pool) in before.pools.iter().filter(|(id, _)| pools.is_empty() || pools.contains(id)) {
            for pg in before.pgs_of(*id) {
                let was = before.pg_to_up_acting(pg).up;
                let is = if same { was.clone() } else { after.pg_to_up_acting(pg).up };
                total += u32::from(pool.size);
                for osd in &was {
                    counts.entry(*osd).and_modify(|c| c.0 += 1);
                }
                for osd in &is {
                    counts.entry(*osd).and_modify(|c| c.1 += 1);
                }
                moved += match pool.is_erasure() {
                    true => was.iter().zip(&is).filter(|(was, is)| was != is).count(),
                    false => was.iter().filter(|osd| !is.contains(osd)).count(),
                };
            }
        }
        let osds = counts.len() as f32;
        let average = total as f32 / osds;
        let deviation = |count: fn(&(u32, u32)) -> u32| {
            let squares: f32 = counts.values().map(|c| (count(c) as f32 - average).powi(2)).sum();
            (squares / osds).sqrt()
        };
        let row = |(osd, (was, is)): (&i32, &(u32, u32))| (*osd, *was, *is);
        Some(Spread {
            moved,
            total,
            average,
            deviation: [deviation(|c| c.0), deviation(|c| c.1)],
            expected: (f64::from(average) * (1.0 - 1.0 / f64::from(osds))).sqrt() as f32,
            least: counts.iter().min_by_key(|(_, c)| c.0).map(row)?,
            // The first of equals, as for the least.
            most: counts.iter().rev().max_by_key(|(_, c)| c.0).map(row)?,
        })
    }

    fn json(&self) -> Map<String, Value> {
        let fields = [
            ("moved_pgs", json!(self.moved)),
            ("total_pgs", json!(self.total)),
            ("avg_pgs", json!(self.average)),
            ("std_dev", json!(self.deviation[0])),
            ("expected_baseline_std_dev", json!(self.expected)),
            ("new_std_dev", json!(self.deviation[1])),
            ("min_osd", json!(self.least.0)),
            ("min_osd_pgs", json!(self.least.1)),
            ("new_min_osd_pgs", json!(self.least.2)),
            ("max_osd", json!(self.most.0)),
            ("max_osd_pgs", json!(self.most.1)),
            ("new_max_osd_pgs", json!(self.most.2)),
        ];
        fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn text(&self) -> String {
        let percent = if self.total == 0 { 0.0 } else { self.moved as f32 * 100.0 / self.total as f32 };
        let mut out = format!(
            "moved {} / {} ({}%)\navg {}\nstddev {} -> {} (expected baseline {})\n",
            self.moved,
            self.total,
            short_float(percent),
            short_float(self.average),
            short_float(self.deviation[0]),
            short_float(self.deviation[1]),
            short_float(self.expected),
        );
        for (name, (osd, was, is)) in [("min", self.least), ("max", self.most)] {
            out.push_str(&format!(
                "{name} osd.{osd} with {was} -> {is} pgs ({} -> {} * mean)\n",
                short_float(was as f32 / self.average),
                short_float(is as f32 / self.average),
            ));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(weights: &[u32]) -> OSDMap {
        OSDMap { max_osd: weights.len() as i32, osd_weight: Arc::new(weights.to_vec()), ..Default::default() }
    }

    fn weights(map: &OSDMap, by_osd: &[(i32, f32)], limits: Limits) -> Vec<(i32, u32)> {
        let average = by_osd.iter().map(|(_, util)| f64::from(*util)).sum::<f64>() / by_osd.len() as f64;
        let load = Load { average, by_osd: by_osd.to_vec() };
        changes(map, &load, &limits).iter().map(|c| (c.osd, c.to)).collect()
    }

    #[test]
    fn overfull_osds_go_down_by_a_step_and_others_come_back_up() {
        let map = map(&[WEIGHT_IN, WEIGHT_IN / 2, WEIGHT_IN, 0]);
        let load = [(0, 0.9), (1, 0.25), (2, 0.6), (3, 0.0)];
        let limits =
            |max_osds, no_increasing| Limits { overload: 120, max_change: 0.05, max_osds, no_increasing };
        let step = (0.05 * f64::from(WEIGHT_IN)) as u32;
        assert_eq!(
            weights(&map, &load, limits(4, false)),
            [(0, WEIGHT_IN - step), (1, WEIGHT_IN / 2 + step), (2, WEIGHT_IN - step)]
        );
        assert_eq!(weights(&map, &load, limits(1, false)), [(0, WEIGHT_IN - step)]);
        assert_eq!(weights(&map, &load, limits(4, true)), [(0, WEIGHT_IN - step), (2, WEIGHT_IN - step)]);
    }
}
