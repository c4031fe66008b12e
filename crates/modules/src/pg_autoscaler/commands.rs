//! `osd pool autoscale-status`, the threshold, and the switch for all pools.

use super::adjustment::Adjustments;
use super::status::Status;
use super::{noautoscale, threshold};
use crate::python::{Align, PrettyTable, dumps, float_text, format_bytes};
use crate::{Action, Done, EINVAL, Memory, Row, wants_json};
use axon_core::Command;
use axon_core::commands::Ask;
use axon_proto::Release;

const STATUS: &str = "report on pool pg_num sizing recommendation and intent";
const GET: &str = "Get the noautoscale flag to see if all pools are setting the autoscaler on or off as well as newly created \
                   pools in the future.";

pub(super) const ROWS: &[Row] = &[
    Row::new("osd pool autoscale-status name=format,req=false,type=CephString", STATUS, "r", autoscale_status)
        .until(Release::Reef),
    Row::new(
        "osd pool autoscale-status name=format,positional=False,req=false,type=CephString",
        STATUS,
        "r",
        autoscale_status,
    )
    .since(Release::Reef),
    Row::new(
        "osd pool set threshold name=num,type=CephFloat",
        "set the autoscaler threshold  A.K.A. the factor by which the new PG_NUM must vary from the existing PG_NUM",
        "w",
        set_threshold,
    )
    .since(Release::Reef)
    .until(Release::Tentacle),
    Row::new(
        "osd pool set threshold name=num,type=CephFloat",
        "set the autoscaler threshold  A.K.A. the factor by which the new pg_num must vary from the existing pg_num before \
         action is taken",
        "w",
        set_threshold,
    )
    .since(Release::Tentacle),
    Row::new(
        "osd pool get threshold",
        "return the autoscaler threshold value A.K.A. the factor by which the new pg_num must vary from the existing pg_num \
         before action is taken",
        "r",
        get_threshold,
    )
    .since(Release::Tentacle),
    Row::new("osd pool get noautoscale", GET, "w", get_noautoscale),
    Row::new(
        "osd pool unset noautoscale",
        "Unset the noautoscale flag so all pools will have autoscale enabled (including newly created pools in the future).",
        "w",
        unset_noautoscale,
    )
    .until(Release::Reef),
    Row::new(
        "osd pool unset noautoscale",
        "Unset the noautoscale flag so all pools will go back to its previous mode. Newly created pools in the future will \
         autoscaler on by default.",
        "w",
        unset_noautoscale,
    )
    .since(Release::Reef),
    Row::remembering(
        "osd pool set noautoscale",
        "set the noautoscale for all pools (including newly created pools in the future) and complete all on-going progress \
         events regarding PG-autoscaling.",
        "w",
        set_noautoscale,
    ),
];

fn autoscale_status(ask: &Ask<'_>) -> Done {
    let status = Status::of(ask.state);
    if wants_json(ask) {
        return Done::out(dumps(&status.pools.into_iter().map(|pool| pool.json).collect(), true, 4));
    }
    use Align::{Left, Right};
    let mut table = PrettyTable::new(&[
        ("POOL", Left),
        ("SIZE", Right),
        ("TARGET SIZE", Right),
        ("RATE", Right),
        ("RAW CAPACITY", Right),
        ("RATIO", Right),
        ("TARGET RATIO", Right),
        ("EFFECTIVE RATIO", Right),
        ("BIAS", Right),
        ("PG_NUM", Right),
        ("NEW PG_NUM", Right),
        ("AUTOSCALE", Left),
        ("BULK", Left),
    ]);
    let ratio = |ratio: f64| if ratio > 0.0 { format!("{ratio:.4}") } else { String::new() };
    let bytes = |n: i64| if n > 0 { format_bytes(n as f64, 6) } else { String::new() };
    for pool in &status.pools {
        table.row([
            pool.name.clone(),
            format_bytes(pool.logical_used, 6),
            bytes(pool.target_bytes),
            float_text(pool.raw_used_rate),
            format_bytes(pool.capacity as f64, 6),
            format!("{:.4}", pool.capacity_ratio),
            ratio(pool.target_ratio),
            ratio(pool.effective_target_ratio),
            float_text(pool.bias),
            pool.pg_num_target.to_string(),
            if pool.would_adjust { pool.pg_num_final.to_string() } else { String::new() },
            pool.mode.to_owned(),
            if pool.bulk { "True" } else { "False" }.to_owned(),
        ]);
    }
    Done::out(table.text())
}

fn set_threshold(ask: &Ask<'_>) -> Done {
    match ask.float("num") {
        Some(num) if num >= 1.0 => Done {
            out: "threshold updated".to_owned(),
            actions: vec![Action::Option { name: "threshold", value: float_text(num) }],
            ..Done::default()
        },
        Some(_) => Done::refused(EINVAL, "threshold cannot be set less than 1.0"),
        None => Done::refused(-EINVAL, "argument 'num' must be a number"),
    }
}

fn get_threshold(ask: &Ask<'_>) -> Done {
    Done::out(float_text(threshold(ask.state)))
}

fn get_noautoscale(ask: &Ask<'_>) -> Done {
    Done::err(if noautoscale(ask.state) { "noautoscale is on" } else { "noautoscale is off" })
}

fn unset_noautoscale(ask: &Ask<'_>) -> Done {
    if !noautoscale(ask.state) {
        return Done::err("noautoscale is already unset!");
    }
    let told = match ask.state.release < Release::Reef {
        true => "noautoscale is unset, all pools now have autoscale on",
        false => "noautoscale is unset, all pools now back to its previous mode",
    };
    Done { err: told.to_owned(), actions: switch(ask, false), ..Done::default() }
}

fn set_noautoscale(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    if noautoscale(ask.state) {
        return Done::err("noautoscale is already set!");
    }
    let told = "noautoscale is set, all pools now have autoscale off";
    let mut actions = switch(ask, true);
    actions.extend(memory.of::<Adjustments>().end().map(Action::Operation));
    Done { err: told.to_owned(), actions, ..Done::default() }
}

/// The default of new pools, and all pools: by their modes in 16.2, by a flag of the OSD map since.
fn switch(ask: &Ask<'_>, off: bool) -> Vec<Action> {
    let mode = if off { "off" } else { "on" };
    let mon = |command: Command| Action::Mon(Box::new(command));
    let config = Command::json("config set").arg("who", "global");
    let default = mon(config.arg("name", "osd_pool_default_pg_autoscale_mode").arg("value", mode));
    if ask.state.release >= Release::Reef {
        let prefix = if off { "osd set" } else { "osd unset" };
        return vec![default, mon(Command::json(prefix).arg("key", "noautoscale"))];
    }
    let value = if off { "True" } else { "False" }.to_owned();
    let pools = ask.state.osd_map.pool_name.values().map(|name| {
        let command = Command::json("osd pool set").arg("pool", name.clone());
        mon(command.arg("var", "pg_autoscale_mode").arg("val", mode))
    });
    [Action::Option { name: "noautoscale", value }, default].into_iter().chain(pools).collect()
}
