//! Mode `crush-compat`: weights of OSDs in the compat weight-set, changed step by step as long as the score gets better and not
//! too much would move; OSDs' own reweights are led back to 1 on the way (`do_crush_compat`).

use super::eval::{Eval, METRICS, Root};
use super::optimize::{Dice, Refusal};
use super::options::Settings;
use super::plan::Plan;
use super::weights::compat_weights;
use crate::EINVAL;
use axon_core::State;
use axon_proto::UTime;
use std::collections::BTreeMap;

const EDOM: i32 = 33;
const EOPNOTSUPP: i32 = 95;
const EALREADY: i32 = 114;

const PGS_PER_OSD_MIN: i64 = 2;

/// Weights to try: in the weight-set, and the OSDs' reweights.
#[derive(Clone, PartialEq)]
struct Weights {
    set: BTreeMap<i32, f64>,
    own: BTreeMap<i32, f64>,
}

pub(super) fn optimize(
    plan: &mut Plan,
    settings: &Settings,
    state: &State,
    now: UTime,
) -> Result<(), Refusal> {
    if settings.iterations_max < 1 {
        return Err((EINVAL, "\"crush_compat_max_iterations\" must be >= 1".to_owned()));
    }
    if settings.step <= 0.0 || settings.step >= 1.0 {
        return Err((EINVAL, "\"crush_compat_step\" must be in (0, 1)".to_owned()));
    }
    let initial = plan.initial();
    let first = Eval::of(state, &initial, &plan.pools, &settings.metrics);
    if first.score <= settings.min_score {
        let why = match first.score == 0.0 {
            true => "Distribution is already perfect".to_owned(),
            false => {
                format!("score {:.6} <= min_score {:.6}, will not optimize", first.score, settings.min_score)
            }
        };
        return Err((EALREADY, why));
    }
    refuse_overlaps(&first.roots)?;
    let own = |osd| (osd, f64::from(plan.map.weightf(osd)));
    let begin = Weights { set: compat_weights(&plan.map.crush), own: plan.map.osds().map(own).collect() };
    // The first metric leads.
    let key = settings.metrics.first().and_then(|name| METRICS.iter().position(|m| m == name)).unwrap_or(0);
    let mut dice = Dice::new(now);
    let (mut best, mut best_eval) = (begin.clone(), first.clone());
    let (mut next, mut step, mut bad_steps) = (best.clone(), settings.step, 0);
    for _ in 0..settings.iterations_max {
        for root in &best_eval.roots {
            adjust(root, key, step, &best, &begin, &mut next, &plan.map.crush);
        }
        plan.compat_ws.clone_from(&next.set);
        let mapping = plan.final_state(String::new());
        let eval = Eval::of(state, &mapping, &plan.pools, &settings.metrics);
        if mapping.misplaced_from(&initial) > settings.misplaced_max {
            if best_eval.score < first.score {
                break;
            }
            step /= 2.0;
            next = best.clone();
        } else if eval.score > best_eval.score * 1.0001 {
            bad_steps += 1;
            // Worse before better, sometimes.
            if bad_steps >= 5 || dice.below(101) >= 70 {
                step /= 2.0;
                next = best.clone();
            }
        } else {
            (bad_steps, best, best_eval) = (0, next.clone(), eval);
            if best_eval.score == 0.0 {
                break;
            }
        }
    }
    // A little worse is well where reweights are led back.
    let fudge = if best.own == begin.own { 0.0 } else { 0.001 };
    if best_eval.score < first.score + fudge {
        let changed = best.own.iter().filter(|(osd, weight)| begin.own.get(osd) != Some(*weight));
        plan.inc.new_weight = changed.map(|(osd, weight)| (*osd, (weight * 65_536.0) as u32)).collect();
        plan.compat_ws = best.set;
        return Ok(());
    }
    plan.compat_ws.clear();
    let why = "Unable to find further optimization, change balancer mode and retry might help";
    Err((EDOM, why.to_owned()))
}

/// One step of a root's OSDs towards their targets.
fn adjust(
    root: &Root,
    key: usize,
    step: f64,
    best: &Weights,
    begin: &Weights,
    next: &mut Weights,
    crush: &axon_proto::crush::CrushMap,
) {
    let osds = i64::try_from(root.target.len()).unwrap_or(i64::MAX);
    if root.total.get(key).copied().unwrap_or(0) < osds.saturating_mul(PGS_PER_OSD_MIN) {
        return;
    }
    for (osd, target) in &root.target {
        let own = begin.own.get(osd).copied().unwrap_or(0.0);
        let (actual, Some(weight)) = (root.actual(*osd, key), best.set.get(osd).copied()) else { continue };
        if own == 0.0 || *target == actual {
            continue;
        }
        // A new OSD takes a step towards its target and catches up.
        let wanted = if actual > 0.0 { target / actual * weight * own } else { *target };
        next.set.insert(*osd, weight * (1.0 - step) + wanted * step);
        if own < 1.0 {
            next.own.insert(*osd, f64::max(step + (1.0 - step) * own, own + 0.005).min(1.0));
        }
    }
    let weight = crush.bucket(root.id).map_or(0.0, |bucket| f64::from(bucket.weight) / 65_536.0);
    let sum: f64 = root.target.keys().filter_map(|osd| next.set.get(osd)).sum();
    if sum > 0.0 && weight > 0.0 {
        for osd in root.target.keys() {
            if let Some(set) = next.set.get_mut(osd) {
                *set /= sum / weight;
            }
        }
    }
}

fn refuse_overlaps(roots: &[Root]) -> Result<(), Refusal> {
    let mut by_osd: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
    for root in roots {
        for osd in root.target.keys() {
            by_osd.entry(*osd).or_default().push(&root.name);
        }
    }
    let overlaps = by_osd.iter().filter(|(_, roots)| roots.len() > 1);
    let overlaps: Vec<String> = overlaps
        .map(|(osd, roots)| format!("{osd}: {}", crate::python::list(roots.iter().copied())))
        .collect();
    match overlaps.is_empty() {
        true => Ok(()),
        false => {
            let why = format!("Some osds belong to multiple subtrees: {{{}}}", overlaps.join(", "));
            Err((EOPNOTSUPP, why))
        }
    }
}
