//! `balancer …`.

use super::clock::Moment;
use super::eval::Eval;
use super::mapping::Mapping;
use super::options::{Settings, modes};
use super::plan::Plan;
use super::{Balancer, optimize, pool_ids};
use crate::python::{dumps, list};
use crate::{Action, Done, EINVAL, ENOENT, Memory, Row};
use axon_core::Command;
use axon_core::commands::Ask;
use axon_proto::Release;
use axon_proto::osd_map::OSDMap;
use axon_proto::release::release_name;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const POOL_LS: &str = "List automatic balancing pools  Note that empty list means all existing pools will be automatic balancing \
                       targets, which is the default behaviour of balancer.";
const POOL_ADD: &str = "Enable automatic balancing for specific pools";
const POOL_RM: &str = "Disable automatic balancing for specific pools";
const EVAL: &str = "Evaluate data distribution for the current cluster or specific pool or specific plan";
const EVAL_VERBOSE: &str =
    "Evaluate data distribution for the current cluster or specific pool or specific plan (verbosely)";
const OPTIMIZE: &str = "Run optimizer to create a new plan";
const EXECUTE: &str = "Execute an optimization plan";
const MODE: &str = "Set balancer mode";

const REEF: Release = Release::Reef;
const TENTACLE: Release = Release::Tentacle;

pub(super) const ROWS: &[Row] = &[
    Row::remembering("balancer status", "Show balancer status", "r", status),
    Row::remembering("balancer status detail", "Show balancer status (detailed)", "r", status_detail).since(TENTACLE),
    Row::new("balancer mode name=mode,type=CephChoices,strings=none|crush-compat|upmap", MODE, "rw", mode).until(REEF),
    Row::new("balancer mode name=mode,strings=none|crush-compat|upmap,type=CephChoices", MODE, "rw", mode)
        .since(REEF)
        .until(TENTACLE),
    Row::new(
        "balancer mode name=mode,strings=none|crush-compat|upmap|read|upmap-read,type=CephChoices",
        MODE,
        "rw",
        mode,
    )
    .since(TENTACLE),
    Row::new("balancer on", "Enable automatic balancing", "rw", on),
    Row::new("balancer off", "Disable automatic balancing", "rw", off),
    Row::new(
        "balancer pool ls",
        "List automatic balancing pools. Note that empty list means all existing pools will be automatic balancing targets, \
         which is the default behaviour of balancer.",
        "r",
        pool_ls,
    )
    .until(REEF),
    Row::new("balancer pool ls", POOL_LS, "r", pool_ls).since(REEF),
    Row::new("balancer pool add name=pools,type=CephString,n=N", POOL_ADD, "rw", pool_add).until(REEF),
    Row::new("balancer pool add name=pools,n=N,type=CephString", POOL_ADD, "rw", pool_add).since(REEF),
    Row::new("balancer pool rm name=pools,type=CephString,n=N", POOL_RM, "rw", pool_rm).until(REEF),
    Row::new("balancer pool rm name=pools,n=N,type=CephString", POOL_RM, "rw", pool_rm).since(REEF),
    Row::remembering("balancer eval name=option,type=CephString,req=false", EVAL, "r", eval).until(REEF),
    Row::remembering("balancer eval name=option,req=false,type=CephString", EVAL, "r", eval).since(REEF),
    Row::remembering("balancer eval-verbose name=option,type=CephString,req=false", EVAL_VERBOSE, "r", eval_verbose)
        .until(REEF),
    Row::remembering("balancer eval-verbose name=option,req=false,type=CephString", EVAL_VERBOSE, "r", eval_verbose)
        .since(REEF),
    Row::remembering(
        "balancer optimize name=plan,type=CephString name=pools,type=CephString,n=N,req=false",
        OPTIMIZE,
        "rw",
        make_plan,
    )
    .until(REEF),
    Row::remembering(
        "balancer optimize name=plan,type=CephString name=pools,req=false,n=N,type=CephString",
        OPTIMIZE,
        "r",
        make_plan,
    )
    .since(REEF),
    Row::remembering("balancer show name=plan,type=CephString", "Show details of an optimization plan", "r", show),
    Row::remembering("balancer rm name=plan,type=CephString", "Discard an optimization plan", "rw", rm),
    Row::remembering("balancer reset", "Discard all optimization plans", "rw", reset),
    Row::remembering("balancer dump name=plan,type=CephString", "Show an optimization plan", "r", dump),
    Row::remembering("balancer ls", "List all plans", "r", ls),
    Row::remembering("balancer execute name=plan,type=CephString", EXECUTE, "rw", execute).until(REEF),
    Row::remembering("balancer execute name=plan,type=CephString", EXECUTE, "r", execute).since(REEF),
];

const EPERM: i32 = 1;

fn refuse(errno: i32, why: impl Into<String>) -> Done {
    Done::refused(-errno, why)
}

fn argument(ask: &Ask<'_>, name: &str) -> Result<String, Done> {
    ask.text(name).ok_or_else(|| refuse(EINVAL, format!("argument '{name}' is missing")))
}

fn status_json(ask: &Ask<'_>, memory: &mut Memory) -> Value {
    let (settings, duration) = (Settings::of(ask.state), memory.measured());
    let balancer = memory.of::<Balancer>();
    let (secs, micros) = (duration.as_secs(), duration.subsec_micros());
    let duration = match balancer.last_optimize_started.is_empty() {
        true => String::new(),
        // As `str(datetime.timedelta)`.
        false => format!("{}:{:02}:{:02}.{micros:06}", secs / 3600, secs / 60 % 60, secs % 60),
    };
    json!({
        "plans": balancer.plans.iter().map(|plan| plan.name.as_str()).collect::<Vec<_>>(),
        "active": settings.active,
        "last_optimize_started": balancer.last_optimize_started,
        "last_optimize_duration": duration,
        "optimize_result": balancer.optimize_result,
        "no_optimization_needed": balancer.no_optimization_needed,
        "mode": settings.mode,
    })
}

fn status(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    Done::out(dumps(&status_json(ask, memory), true, 4))
}

fn status_detail(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    if !Settings::of(ask.state).update_pg_upmap_activity {
        return Done::out(
            "This command is disabled.\nTo enable, run `ceph config set mgr mgr/balancer/update_pg_upmap_activity True`.\n",
        );
    }
    let mut out = status_json(ask, memory);
    let kinds = [
        "pg_upmap_items_added",
        "pg_upmap_items_removed",
        "pg_upmap_primaries_added",
        "pg_upmap_primaries_removed",
    ];
    let activity = &memory.of::<Balancer>().activity;
    if let Some(out) = out.as_object_mut() {
        let of = |kind: &'static str| activity.get(kind).cloned().unwrap_or_else(|| json!([]));
        out.extend(kinds.map(|kind| (kind.to_owned(), of(kind))));
    }
    Done::out(dumps(&out, true, 4))
}

fn mode(ask: &Ask<'_>) -> Done {
    let mode = match argument(ask, "mode") {
        Ok(mode) if modes(ask.state.release).contains(&mode.as_str()) => mode,
        Ok(mode) => return refuse(EINVAL, format!("{mode} not in {}", modes(ask.state.release).join("|"))),
        Err(missing) => return missing,
    };
    let client = u32::from(ask.state.osd_map.require_min_compat_client);
    let needs = match mode.as_str() {
        "upmap" => Some((12, "luminous", "pg-upmap", "Mode.upmap")),
        "read" => Some((18, "reef", "pg-upmap-primary", "Mode.read")),
        "upmap-read" => Some((18, "reef", "pg-upmap-primary", "Mode.upmap_read")),
        _ => None,
    };
    if let Some((number, release, what, word)) = needs {
        let name = release_name(client);
        if client == 0 && ask.state.release >= TENTACLE {
            let why = format!("Unable to apply mode {word} due to unknown min_compat_client {name}.");
            return refuse(EPERM, why);
        }
        if client != 0 && client < number {
            let why = format!(
                "min_compat_client \"{name}\" < \"{release}\", which is required for {what}. Try \"ceph osd \
                 set-require-min-compat-client {release}\" before enabling this mode"
            );
            return refuse(EPERM, why);
        }
    }
    let option = Action::Option { name: "mode", value: mode.clone() };
    let create = (mode == "crush-compat")
        .then(|| Action::Mon(Box::new(Command::json("osd crush weight-set create-compat"))));
    Done::act(create.into_iter().chain([option]).collect())
}

fn switch(ask: &Ask<'_>, on: bool) -> Done {
    if Settings::of(ask.state).active == on {
        return Done::default();
    }
    Done::act(vec![Action::Option { name: "active", value: on.to_string() }])
}

fn on(ask: &Ask<'_>) -> Done {
    switch(ask, true)
}

fn off(ask: &Ask<'_>) -> Done {
    switch(ask, false)
}

fn pool_ls(ask: &Ask<'_>) -> Done {
    let ids = Settings::of(ask.state).pool_ids;
    if ids.is_empty() {
        return Done::default();
    }
    let names = &ask.state.osd_map.pool_name;
    let (known, gone): (Vec<i64>, Vec<i64>) = ids.into_iter().partition(|id| names.contains_key(id));
    let mut listed: Vec<&str> = known.iter().filter_map(|id| names.get(id)).map(String::as_str).collect();
    listed.sort_unstable();
    let actions = if gone.is_empty() { Vec::new() } else { vec![pool_ids(known.iter())] };
    Done { actions, ..Done::out(dumps(&json!(listed), true, 4)) }
}

fn pool_add(ask: &Ask<'_>) -> Done {
    let (map, names) = (&ask.state.osd_map, ask.texts("pools"));
    let unknown = unknown_pools(map, &names);
    if !unknown.is_empty() {
        return refuse(EINVAL, format!("pool(s) {} not found", list(unknown.into_iter())));
    }
    let added = names.iter().filter_map(|name| map.pool_id(name));
    let all: BTreeSet<i64> = added.chain(Settings::of(ask.state).pool_ids).collect();
    Done::act(vec![pool_ids(all.iter())])
}

fn pool_rm(ask: &Ask<'_>) -> Done {
    let map = &ask.state.osd_map;
    let existing = Settings::of(ask.state).pool_ids;
    if existing.is_empty() {
        return Done::default();
    }
    let gone: BTreeSet<i64> = ask.texts("pools").iter().filter_map(|name| map.pool_id(name)).collect();
    let left: BTreeSet<i64> =
        existing.into_iter().filter(|id| map.pools.contains_key(id) && !gone.contains(id)).collect();
    Done::act(vec![pool_ids(left.iter())])
}

fn unknown_pools<'a>(map: &OSDMap, names: &'a [String]) -> Vec<&'a str> {
    names.iter().map(String::as_str).filter(|name| map.pool_id(name).is_none()).collect()
}

fn evaluate(ask: &Ask<'_>, memory: &mut Memory) -> Result<Eval, Done> {
    let state = ask.state;
    let here = |desc: String| Mapping::of(state.osd_map.clone(), state.pg_map.clone(), desc);
    let (mapping, pools) = match ask.text("option") {
        None => (here("current cluster".to_owned()), Vec::new()),
        Some(option) => match memory.of::<Balancer>().plan(&option) {
            Some(plan) => {
                let desc = match plan.mode.as_str() {
                    "upmap" => format!("plan \"{option}\""),
                    _ => format!("plan {option} final"),
                };
                (plan.final_state(desc), plan.pools.clone())
            }
            None if state.osd_map.pool_id(&option).is_some() => {
                (here(format!("pool \"{option}\"")), vec![option])
            }
            None => return Err(refuse(EINVAL, format!("option \"{option}\" not a plan or a pool"))),
        },
    };
    Ok(Eval::of(state, &mapping, &pools, &Settings::of(state).metrics))
}

fn eval(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    evaluate(ask, memory).map_or_else(|refused| refused, |eval| Done::out(eval.brief(ask.state.release)))
}

fn eval_verbose(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    evaluate(ask, memory).map_or_else(|refused| refused, |eval| Done::out(eval.verbose(ask.state.release)))
}

fn make_plan(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    let (state, settings) = (ask.state, Settings::of(ask.state));
    if settings.active {
        return refuse(EINVAL, "Balancer enabled, disable to optimize manually");
    }
    let name = match argument(ask, "plan") {
        Ok(name) => name,
        Err(missing) => return missing,
    };
    let pools = ask.texts("pools");
    let unknown = unknown_pools(&state.osd_map, &pools);
    if !unknown.is_empty() {
        return refuse(EINVAL, format!("pools {} not found", list(unknown.into_iter())));
    }
    let (map, pgs) = (state.osd_map.clone(), state.pg_map.clone());
    let mut plan = Plan::new(name, settings.mode.clone(), map, pgs, pools);
    memory.measure();
    let balancer = memory.of::<Balancer>();
    balancer.last_optimize_started = Moment::of(ask.now).asctime();
    match balancer.optimize(&mut plan, &settings, state, ask.now) {
        Ok(()) => {
            balancer.optimize_result = optimize::SUCCESS.to_owned();
            balancer.plans.retain(|other| other.name != plan.name);
            balancer.plans.push(plan);
            Done::default()
        }
        Err((errno, why)) => {
            balancer.optimize_result.clone_from(&why);
            refuse(errno, why)
        }
    }
}

fn named<'a>(ask: &Ask<'_>, memory: &'a mut Memory) -> Result<&'a Plan, Done> {
    let name = argument(ask, "plan")?;
    memory.of::<Balancer>().plan(&name).ok_or_else(|| refuse(ENOENT, format!("plan {name} not found")))
}

fn show(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    named(ask, memory).map_or_else(|refused| refused, |plan| Done::out(plan.show()))
}

fn dump(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    named(ask, memory).map_or_else(|refused| refused, |plan| Done::out(plan.dump()))
}

fn ls(_: &Ask<'_>, memory: &mut Memory) -> Done {
    let names = memory.of::<Balancer>().plans.iter().map(|plan| plan.name.as_str());
    Done::out(dumps(&names.collect(), true, 4))
}

fn rm(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    match argument(ask, "plan") {
        Ok(name) => {
            memory.of::<Balancer>().plans.retain(|plan| plan.name != name);
            Done::default()
        }
        Err(missing) => missing,
    }
}

fn reset(_: &Ask<'_>, memory: &mut Memory) -> Done {
    memory.of::<Balancer>().plans.clear();
    Done::default()
}

fn execute(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    let settings = Settings::of(ask.state);
    if settings.active {
        return refuse(EINVAL, "Balancer enabled, disable to execute a plan");
    }
    let plan = match named(ask, memory) {
        Ok(plan) => plan.clone(),
        Err(refused) => return refused,
    };
    let balancer = memory.of::<Balancer>();
    if settings.update_pg_upmap_activity {
        balancer.remember(&plan);
    }
    balancer.plans.retain(|other| other.name != plan.name);
    Done::act(plan.actions())
}
