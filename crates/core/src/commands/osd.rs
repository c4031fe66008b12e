//! Commands about OSDs: `osd scrub`, `osd deep-scrub`, `osd repair` (`DaemonServer::_handle_command`).

use super::Done;
use crate::command::{Command, CommandOutput};
use crate::state::State;
use axon_proto::Message;
use axon_proto::msgs::osd_scrub2::MOSDScrub2;
use axon_proto::pg::Spg;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the OSDs are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Scrub {
    pub deep: bool,
    pub repair: bool,
}

/// Asks one OSD, or all that are up, to scrub the PGs whose primary it is.
pub fn scrub(command: &Command, state: &State, scrub: Scrub) -> Done {
    let map = &state.osd_map;
    let who = match command.args.get("who") {
        Some(Value::String(who)) => who.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => return CommandOutput::failed(22, "missing required parameter who(<string>)").into(),
    };
    let osds: Vec<i32> = match who.as_str() {
        "*" | "all" | "any" => map.osds().filter(|osd| map.is_up(*osd)).collect(),
        one => {
            let Ok(osd) = one.trim_start_matches("osd.").parse::<i32>() else {
                return CommandOutput::failed(22, format!("invalid osd id '{one}'")).into();
            };
            if !map.exists(osd) {
                return CommandOutput::failed(2, format!("osd.{osd} does not exist")).into();
            }
            if !map.is_up(osd) {
                return CommandOutput::failed(11, format!("osd.{osd} is not up")).into();
            }
            vec![osd]
        }
    };
    let what = if scrub.repair {
        "repair"
    } else if scrub.deep {
        "deep-scrub"
    } else {
        "scrub"
    };
    let names: Vec<String> = osds.iter().map(ToString::to_string).collect();
    let outs = format!("instructed osd(s) {} to {what}", names.join(","));
    Done {
        output: CommandOutput { outs, ..CommandOutput::default() },
        to_osds: messages(state, &osds, scrub),
    }
}

fn messages(state: &State, osds: &[i32], scrub: Scrub) -> Vec<(i32, Message)> {
    /// `shard_id_t::NO_SHARD`: PGs of replicated pools have none.
    const NO_SHARD: i8 = -1;
    let mut by_primary: BTreeMap<i32, Vec<Spg>> = BTreeMap::new();
    for (pg, stat) in &state.pg_map.pg_stat {
        let primary = stat.acting_primary;
        if !osds.contains(&primary) {
            continue;
        }
        let erasure = state.osd_map.pool(pg.pool).is_some_and(|pool| pool.is_erasure());
        let place = stat.acting.iter().position(|osd| *osd == primary).filter(|_| erasure);
        let shard = place.and_then(|place| i8::try_from(place).ok()).unwrap_or(NO_SHARD);
        by_primary.entry(primary).or_default().push(Spg { pgid: *pg, shard });
    }
    let message = |scrub_pgs: Vec<Spg>| MOSDScrub2 {
        fsid: state.fsid,
        epoch: state.osd_map.epoch,
        scrub_pgs,
        repair: scrub.repair,
        deep: scrub.deep,
    };
    by_primary.into_iter().map(|(osd, pgs)| (osd, message(pgs).into())).collect()
}
