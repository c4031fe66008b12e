//! OSD maps and increments that a module works with (`PyOSDMap.cc`): Axon holds them, the module has their numbers.
//!
//! Not here: how PGs are spread evenly (`axon_core::upmap`).

use super::arguments::Arguments;
use super::{Answered, Caller, Desk, missing, runtime};
use crate::link::Refusal;
use axon_core::pg_map::OsdView;
use axon_core::primaries::balance_primaries;
use axon_core::upmap::calc_pg_upmaps;
use axon_denc::{Decode, Encode, Features};
use axon_proto::crush::CrushMap;
use axon_proto::osd_map::{Incremental, OSDMap};
use axon_proto::pg::Pg;
use axon_proto::release::Dump;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, MutexGuard, PoisonError};

/// How many a module may hold; a map costs what differs from the cluster's.
const HELD_MAX: usize = 1024;

enum Held {
    Map(Arc<OSDMap>),
    Increment(Box<Incremental>),
}

/// What one host holds, by number.
#[derive(Default)]
pub struct Maps {
    held: HashMap<i64, Held>,
    last: i64,
}

impl Maps {
    fn hold(&mut self, what: Held) -> Result<Value, Refusal> {
        if self.held.len() >= HELD_MAX {
            return Err(Refusal::new("MemoryError", format!("the module holds {HELD_MAX} OSD maps already")));
        }
        self.last += 1;
        self.held.insert(self.last, what);
        Ok(self.last.into())
    }

    pub fn drop_one(&mut self, number: i64) {
        self.held.remove(&number);
    }

    fn map(&self, number: i64) -> Result<Arc<OSDMap>, Refusal> {
        match self.held.get(&number) {
            Some(Held::Map(map)) => Ok(map.clone()),
            _ => Err(Refusal::new("ValueError", "the OSD map is not held any more")),
        }
    }

    fn increment(&mut self, number: i64) -> Result<&mut Incremental, Refusal> {
        match self.held.get_mut(&number) {
            Some(Held::Increment(inc)) => Ok(inc),
            _ => Err(Refusal::new("ValueError", "the increment is not held any more")),
        }
    }
}

impl Caller {
    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A map that the module holds.
    pub fn map(&self, number: i64) -> Result<Arc<OSDMap>, Refusal> {
        self.maps().map(number)
    }
}

impl Desk {
    pub(super) async fn osd_map(&self, caller: &Arc<Caller>, args: Arguments<'_>) -> Answered {
        let what = args.text(0)?;
        let of = |number: i64| caller.map(number);
        let value = match what {
            "open" => {
                let map = self.cluster.state().osd_map.clone();
                caller.maps().hold(Held::Map(map))?
            }
            "build_simple" => return Err(missing("OSDMap.build_simple")),
            "balance_primaries" => return self.balance_primaries(caller, args).await,
            "set_crush_compat_weight_set_weights" => {
                let weights = weights(args.list(2)?)?;
                let mut maps = caller.maps();
                let inc = maps.increment(args.number(1)?)?;
                inc.crush = with_compat_weights(&inc.crush, &weights)?;
                Value::Null
            }
            "calc_pg_upmaps" => return self.calc_pg_upmaps(caller, args).await,
            "epoch" => of(args.number(1)?)?.epoch.into(),
            "crush_version" => of(args.number(1)?)?.crush_version.into(),
            "new_incremental" => {
                let map = of(args.number(1)?)?;
                let crush = map.crush.to_bytes(Features::ALL);
                let inc = Incremental { fsid: map.fsid, epoch: map.epoch + 1, crush, ..Default::default() };
                caller.maps().hold(Held::Increment(Box::new(inc)))?
            }
            "apply_incremental" => {
                let mut next = OSDMap::clone(&*of(args.number(1)?)?);
                let mut maps = caller.maps();
                let inc = maps.increment(args.number(2)?)?;
                next.apply(inc).map_err(runtime)?;
                maps.hold(Held::Map(Arc::new(next)))?
            }
            "pools_by_take" => {
                let (map, take) = (of(args.number(1)?)?, args.int(2)?);
                let takes = |rule: i32| map.crush.takes_of(rule).contains(&take);
                let pools = map.pools.iter().filter(|(_, pool)| takes(pool.crush_rule.into()));
                json!(pools.map(|(id, _)| id).collect::<Vec<_>>())
            }
            "map_pool_pgs_up" => {
                let (map, pool) = (of(args.number(1)?)?, args.number(2)?);
                known_pool(&map, pool)?;
                let up = |pg: Pg| (pg.to_string(), json!(map.pg_to_up_acting(pg).up));
                map.pgs_of(pool).map(up).collect::<Map<_, _>>().into()
            }
            "pg_to_up_acting_osds" => {
                let seed = u32::try_from(args.number(3)?).map_err(runtime)?;
                let found = of(args.number(1)?)?.pg_to_up_acting(Pg { pool: args.number(2)?, seed });
                json!({
                    "up_primary": found.up_primary, "acting_primary": found.acting_primary,
                    "up": found.up, "acting": found.acting,
                })
            }
            "pool_raw_used_rate" => {
                let (map, pool) = (of(args.number(1)?)?, args.number(2)?);
                let view = OsdView::pool(&*map, pool).ok_or_else(|| no_pool(pool))?;
                f64::from(view.raw_used_rate).into()
            }
            "incremental_epoch" => caller.maps().increment(args.number(1)?)?.epoch.into(),
            "incremental_dump" => {
                let release = self.cluster.state().release;
                serde_json::to_value(caller.maps().increment(args.number(1)?)?.dumped(release))
                    .map_err(runtime)?
            }
            "set_osd_reweights" => {
                let weights = weights(args.list(2)?)?;
                let mut maps = caller.maps();
                let inc = maps.increment(args.number(1)?)?;
                let fixed = |weight: f64| (weight.clamp(0.0, 1.0) * 65_536.0) as u32;
                inc.new_weight.extend(weights.into_iter().map(|(osd, weight)| (osd, fixed(weight))));
                Value::Null
            }
            "item_weight" => {
                let (map, item) = (of(args.number(1)?)?, args.int(2)?);
                item_weight(&map, item).map_or(Value::Null, Value::from)
            }
            "item_name" => json!(of(args.number(1)?)?.crush.item_name(args.int(2)?)),
            "roots" => json!(of(args.number(1)?)?.crush.roots()),
            "takes" => {
                let crush = of(args.number(1)?)?.crush.clone();
                let takes: BTreeSet<i32> = crush.rules().flat_map(|(id, _)| crush.takes_of(id)).collect();
                json!(takes)
            }
            "take_weights" => {
                let (map, root) = (of(args.number(1)?)?, args.int(2)?);
                let shares = take_weights(&map, root).ok_or_else(|| runtime(format!("no bucket {root}")))?;
                shares
                    .iter()
                    .map(|(osd, w)| (osd.to_string(), Value::from(f64::from(*w))))
                    .collect::<Map<_, _>>()
                    .into()
            }
            other => return Err(missing(other)),
        };
        Ok(value.into())
    }

    async fn balance_primaries(&self, caller: &Arc<Caller>, args: Arguments<'_>) -> Answered {
        let (map, pool, number) = (caller.map(args.number(1)?)?, args.number(2)?, args.number(3)?);
        known_pool(&map, pool)?;
        let found =
            tokio::task::spawn_blocking(move || balance_primaries(&map, pool)).await.map_err(runtime)?;
        let changes = found.set.len() + found.removed.len();
        let mut maps = caller.maps();
        let inc = maps.increment(number)?;
        inc.new_pg_upmap_primary.extend(found.set);
        inc.old_pg_upmap_primary.extend(found.removed);
        Ok(json!(changes).into())
    }

    async fn calc_pg_upmaps(&self, caller: &Arc<Caller>, args: Arguments<'_>) -> Answered {
        let (map, number) = (caller.map(args.number(1)?)?, args.number(2)?);
        let deviation_max = u32::try_from(args.number(3)?).unwrap_or(1);
        let changes_max = usize::try_from(args.number(4)?).unwrap_or(0);
        let mut pools = BTreeSet::new();
        for name in args.list(5)?.iter().filter_map(Value::as_str) {
            let unknown = || Refusal::new("ValueError", format!("pool '{name}' does not exist"));
            pools.insert(map.pool_id(name).ok_or_else(unknown)?);
        }
        // Beside the runtime's threads: it walks over all PGs of the pools.
        let work = move || calc_pg_upmaps(&map, &pools, deviation_max, changes_max);
        let upmaps = tokio::task::spawn_blocking(work).await.map_err(runtime)?;
        let changes = upmaps.len();
        let mut maps = caller.maps();
        let inc = maps.increment(number)?;
        inc.new_pg_upmap_items.extend(upmaps.set);
        inc.old_pg_upmap_items.extend(upmaps.removed);
        Ok(json!(changes).into())
    }
}

/// The CRUSH map with other weights of devices in the weight-set for all pools, which is made if there is none
/// (`create_choose_args`, `choose_args_adjust_item_weightf`).
fn with_compat_weights(crush: &Bytes, weights: &[(i32, f64)]) -> Result<Bytes, Refusal> {
    let mut crush = CrushMap::from_bytes(crush).map_err(runtime)?;
    for (device, weight) in weights {
        let fixed = (weight.max(0.0) * 65_536.0) as u32;
        crush.set_compat_weight(*device, fixed);
    }
    Ok(crush.to_bytes(Features::ALL))
}

fn no_pool(pool: i64) -> Refusal {
    Refusal::new("ValueError", format!("there is no pool {pool}"))
}

fn known_pool(map: &OSDMap, pool: i64) -> Result<(), Refusal> {
    map.pool(pool).map(drop).ok_or_else(|| no_pool(pool))
}

fn weights(list: &[Value]) -> Result<Vec<(i32, f64)>, Refusal> {
    let pair = |v: &Value| Some((i32::try_from(v.get(0)?.as_i64()?).ok()?, v.get(1)?.as_f64()?));
    let bad = || Refusal::new("TypeError", "weights must be numbers by OSD");
    list.iter().map(|v| pair(v).ok_or_else(bad)).collect()
}

/// A bucket's own weight, or a device's in its bucket, as a number (`get_item_weightf`).
fn item_weight(map: &OSDMap, item: i32) -> Option<f64> {
    let crush = &map.crush;
    let fixed = if item < 0 { crush.bucket(item)?.weight } else { crush.device_weight(item)? };
    Some(f64::from(fixed as f32 / 65_536.0))
}

/// Each device's share of what lies below a root (`get_take_weight_osd_map`).
fn take_weights(map: &OSDMap, root: i32) -> Option<BTreeMap<i32, f32>> {
    let crush = &map.crush;
    if root >= 0 {
        return crush.item_name(root).map(|_| BTreeMap::from([(root, 1.0)]));
    }
    crush.bucket(root)?;
    let (mut out, mut sum) = (BTreeMap::new(), 0f32);
    for bucket in crush.subtree(root).into_iter().filter_map(|id| crush.bucket(id)) {
        for (place, item) in bucket.items.iter().enumerate().filter(|(_, item)| **item >= 0) {
            let weight = bucket.item_weight(place) as f32;
            out.insert(*item, weight);
            sum += weight;
        }
    }
    out.values_mut().for_each(|weight| *weight /= sum);
    Some(out)
}
