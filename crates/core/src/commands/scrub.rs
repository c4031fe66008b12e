//! Scrub, deep scrub and repair of a PG, of the PGs of OSDs and of pools (`DaemonServer::_handle_command`). The request goes
//! to each PG's acting primary; one without a session to this manager does not get it.

use super::request::{Ask, EAGAIN, EINVAL, ENOENT, osd_id, osd_id_fault, refuse, told};
use super::{Done, Row};
use crate::state::State;
use axon_proto::Message;
use axon_proto::msgs::osd_scrub2::MOSDScrub2;
use axon_proto::pg::{Pg, Spg, id::NO_SHARD};
use std::collections::{BTreeMap, BTreeSet};

macro_rules! row {
    ($cmdstring:literal, $help:literal, $module:literal, $run:ident, $kind:ident) => {
        Row::write($cmdstring, $help, $module, |ask| $run(ask, Kind::$kind))
    };
}

pub(super) const ROWS: &[Row] = &[
    row!("pg scrub name=pgid,type=CephPgid", "start scrub on <pgid>", "pg", pg, Scrub),
    row!("pg deep-scrub name=pgid,type=CephPgid", "start deep-scrub on <pgid>", "pg", pg, DeepScrub),
    row!("pg repair name=pgid,type=CephPgid", "start repair on <pgid>", "pg", pg, Repair),
    row!("osd pool scrub name=who,type=CephPoolname,n=N", "initiate scrub on pool <who>", "osd", pool, Scrub),
    row!(
        "osd pool deep-scrub name=who,type=CephPoolname,n=N",
        "initiate deep-scrub on pool <who>",
        "osd",
        pool,
        DeepScrub
    ),
    row!(
        "osd pool repair name=who,type=CephPoolname,n=N",
        "initiate repair on pool <who>",
        "osd",
        pool,
        Repair
    ),
    row!(
        "osd scrub name=who,type=CephString",
        "initiate scrub on osd <who>, or use <all|any> to scrub all",
        "osd",
        osd,
        Scrub
    ),
    row!(
        "osd deep-scrub name=who,type=CephString",
        "initiate deep scrub on osd <who>, or use <all|any> to deep scrub all",
        "osd",
        osd,
        DeepScrub
    ),
    row!(
        "osd repair name=who,type=CephString",
        "initiate repair on osd <who>, or use <all|any> to repair all",
        "osd",
        osd,
        Repair
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Scrub,
    DeepScrub,
    Repair,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Scrub => "scrub",
            Kind::DeepScrub => "deep-scrub",
            Kind::Repair => "repair",
        }
    }
}

fn pg(ask: &Ask<'_>, kind: Kind) -> Done {
    let text = ask.text("pgid").unwrap_or_default();
    let Ok(pg) = text.parse::<Pg>() else { return refuse(EINVAL, format!("invalid pgid '{text}'")) };
    let map = &ask.state.osd_map;
    if map.pool(pg.pool).is_none_or(|pool| pg.seed >= pool.pg_num) {
        return refuse(ENOENT, format!("pg {pg} does not exist"));
    }
    let Some((primary, spg)) = primary_shard(ask.state, pg) else {
        return refuse(EAGAIN, format!("pg {pg} has no primary osd"));
    };
    let mut done = told(format!("instructing pg {spg} on osd.{primary} to {}", kind.name()));
    done.to_osds.push((primary, message(ask.state, vec![spg], kind)));
    done
}

fn pool(ask: &Ask<'_>, kind: Kind) -> Done {
    let names = ask.texts("who");
    if names.is_empty() {
        return refuse(EINVAL, "must specify one or more pool names");
    }
    let mut by_primary = BTreeMap::new();
    for name in names {
        let Some(pool) = ask.state.osd_map.pool_id(&name) else {
            return refuse(ENOENT, format!("unrecognized pool '{name}'"));
        };
        group(ask.state, ask.state.osd_map.pgs_of(pool), &mut by_primary);
    }
    let mut done = told("");
    done.to_osds = messages(ask.state, by_primary, kind);
    done
}

fn osd(ask: &Ask<'_>, kind: Kind) -> Done {
    let (map, who) = (&ask.state.osd_map, ask.text("who").unwrap_or_default());
    let osds: BTreeSet<i32> = if matches!(who.as_str(), "*" | "all" | "any") {
        map.osds().filter(|osd| map.is_up(*osd)).collect()
    } else {
        let Some(osd) = osd_id(&who) else {
            return refuse(EINVAL, format!("{}invalid osd '{who}'", osd_id_fault(&who)));
        };
        if !map.is_up(osd) {
            return refuse(EAGAIN, format!("osd.{osd} is not up"));
        }
        [osd].into()
    };
    let mut by_primary = BTreeMap::new();
    for osd in &osds {
        let pgs = ask.state.pg_map.pg_by_osd.get(osd).map(|pgs| pgs.iter().copied()).into_iter().flatten();
        let mut found = BTreeMap::new();
        group(ask.state, pgs, &mut found);
        by_primary.insert(*osd, found.remove(osd).unwrap_or_default());
    }
    let names: Vec<String> = osds.iter().map(ToString::to_string).collect();
    let mut done = told(format!("instructed osd(s) {} to {}", names.join(","), kind.name()));
    done.to_osds = messages(ask.state, by_primary, kind);
    done
}

/// A PG's acting primary, and the PG with the shard that it holds (`OSDMap::get_primary_shard`).
pub(super) fn primary_shard(state: &State, pg: Pg) -> Option<(i32, Spg)> {
    let pool = state.osd_map.pool(pg.pool)?;
    let placed = state.osd_map.pg_to_up_acting(pg);
    let primary = placed.acting_primary;
    if primary < 0 {
        return None;
    }
    let place = || placed.acting.iter().position(|osd| *osd == primary);
    let shard = if pool.is_erasure() { i8::try_from(place()?).ok()? } else { NO_SHARD };
    Some((primary, Spg { pgid: pg, shard }))
}

/// Sorts PGs by their primaries.
pub(super) fn group(state: &State, pgs: impl Iterator<Item = Pg>, to: &mut BTreeMap<i32, Vec<Spg>>) {
    for (primary, spg) in pgs.filter_map(|pg| primary_shard(state, pg)) {
        to.entry(primary).or_default().push(spg);
    }
}

fn messages(state: &State, by_primary: BTreeMap<i32, Vec<Spg>>, kind: Kind) -> Vec<(i32, Message)> {
    by_primary.into_iter().map(|(osd, pgs)| (osd, message(state, pgs, kind))).collect()
}

fn message(state: &State, scrub_pgs: Vec<Spg>, kind: Kind) -> Message {
    MOSDScrub2 {
        fsid: state.fsid,
        epoch: state.osd_map.epoch,
        scrub_pgs,
        repair: kind == Kind::Repair,
        deep: kind == Kind::DeepScrub,
    }
    .into()
}
