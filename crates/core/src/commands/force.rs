//! Forcing recovery or backfill of PGs or pools before others, and taking that back (`DaemonServer::_handle_command`).

use super::request::{Ask, EINVAL, ENOENT, refuse, told};
use super::scrub::group;
use super::{Done, Row};
use axon_proto::msgs::osd_force_recovery::MOSDForceRecovery;
use axon_proto::pg::{Pg, PgState};
use std::collections::{BTreeMap, BTreeSet};

const RECOVERY: u8 = MOSDForceRecovery::RECOVERY;
const BACKFILL: u8 = MOSDForceRecovery::BACKFILL;
const CANCEL: u8 = MOSDForceRecovery::CANCEL;

pub(super) const ROWS: &[Row] = &[
    Row::write(
        "pg force-recovery name=pgid,type=CephPgid,n=N",
        "force recovery of <pgid> first",
        "pg",
        |ask| pgs(ask, RECOVERY),
    ),
    Row::write(
        "pg force-backfill name=pgid,type=CephPgid,n=N",
        "force backfill of <pgid> first",
        "pg",
        |ask| pgs(ask, BACKFILL),
    ),
    Row::write(
        "pg cancel-force-recovery name=pgid,type=CephPgid,n=N",
        "restore normal recovery priority of <pgid>",
        "pg",
        |ask| pgs(ask, RECOVERY | CANCEL),
    ),
    Row::write(
        "pg cancel-force-backfill name=pgid,type=CephPgid,n=N",
        "restore normal backfill priority of <pgid>",
        "pg",
        |ask| pgs(ask, BACKFILL | CANCEL),
    ),
    Row::write(
        "osd pool force-recovery name=who,type=CephPoolname,n=N",
        "force recovery of specified pool <who> first",
        "osd",
        |ask| pools(ask, RECOVERY),
    ),
    Row::write(
        "osd pool force-backfill name=who,type=CephPoolname,n=N",
        "force backfill of specified pool <who> first",
        "osd",
        |ask| pools(ask, BACKFILL),
    ),
    Row::write(
        "osd pool cancel-force-recovery name=who,type=CephPoolname,n=N",
        "restore normal recovery priority of specified pool <who>",
        "osd",
        |ask| pools(ask, RECOVERY | CANCEL),
    ),
    Row::write(
        "osd pool cancel-force-backfill name=who,type=CephPoolname,n=N",
        "restore normal recovery priority of specified pool <who>",
        "osd",
        |ask| pools(ask, BACKFILL | CANCEL),
    ),
];

fn pgs(ask: &Ask<'_>, options: u8) -> Done {
    let (mut named, mut outs, mut errno) = (BTreeSet::new(), String::new(), 0);
    for text in ask.texts("pgid") {
        match text.parse::<Pg>() {
            Ok(pg) => drop(named.insert(pg)),
            Err(_) => {
                outs.push_str(&format!("invalid pgid '{text}'; "));
                errno = EINVAL;
            }
        }
    }
    force(ask, options, named, outs, errno)
}

fn pools(ask: &Ask<'_>, options: u8) -> Done {
    let names = ask.texts("who");
    if names.is_empty() {
        return refuse(EINVAL, "must specify one or more pool names");
    }
    let mut named = BTreeSet::new();
    for name in names {
        let Some(pool) = ask.state.osd_map.pool_id(&name) else {
            return refuse(ENOENT, format!("unrecognized pool '{name}'"));
        };
        named.extend(ask.state.osd_map.pgs_of(pool));
    }
    force(ask, options, named, String::new(), 0)
}

/// Fails only when none of the PGs is left to be forced.
fn force(ask: &Ask<'_>, options: u8, named: BTreeSet<Pg>, mut outs: String, mut errno: i32) -> Done {
    let mut forced = Vec::new();
    for pg in named {
        let Some(stat) = ask.state.pg_map.pg_stat.get(&pg) else {
            outs.push_str(&format!("pg {pg} does not exist; "));
            errno = ENOENT;
            continue;
        };
        match pointless(stat.state, options) {
            None => forced.push(pg),
            Some((why, is_error)) => {
                outs.push_str(&format!("pg {pg} {why}; "));
                errno = if is_error { EINVAL } else { errno };
            }
        }
    }
    let mut by_primary = BTreeMap::new();
    group(ask.state, forced.iter().copied(), &mut by_primary);
    let name = match options {
        RECOVERY => "force-recovery",
        BACKFILL => "force-backfill",
        o if o & RECOVERY != 0 => "cancel-force-recovery",
        _ => "cancel-force-backfill",
    };
    let mut messages = Vec::new();
    for (osd, forced_pgs) in by_primary.into_iter().filter(|(osd, _)| ask.state.osd_map.is_up(*osd)) {
        let pgs: Vec<String> = forced_pgs.iter().map(ToString::to_string).collect();
        outs.push_str(&format!("instructing pg(s) [{}] on osd.{osd} to {name}; ", pgs.join(",")));
        messages.push((osd, MOSDForceRecovery { fsid: ask.state.fsid, forced_pgs, options }.into()));
    }
    outs.push('\n');
    let mut done = if forced.is_empty() && errno != 0 { refuse(errno, outs) } else { told(outs) };
    done.to_osds = messages;
    done
}

/// Why there is nothing to do, and whether that may be a mistake of the caller.
fn pointless(state: PgState, options: u8) -> Option<(&'static str, bool)> {
    let recovering = PgState::DEGRADED.with(PgState::RECOVERY_WAIT).with(PgState::RECOVERING);
    let backfilling = PgState::DEGRADED.with(PgState::BACKFILL_WAIT).with(PgState::BACKFILLING);
    let forced_recovery = state.has(PgState::FORCED_RECOVERY);
    let forced_backfill = state.has(PgState::FORCED_BACKFILL);
    match options {
        RECOVERY if !state.any(recovering) => Some(("doesn't require recovery", false)),
        RECOVERY if forced_recovery => Some(("recovery already forced", true)),
        BACKFILL if !state.any(backfilling) => Some(("doesn't require backfilling", false)),
        BACKFILL if forced_backfill => Some(("backfill already forced", true)),
        o if o & CANCEL != 0 && o & RECOVERY != 0 && !forced_recovery => Some(("recovery not forced", false)),
        o if o & CANCEL != 0 && o & BACKFILL != 0 && !forced_backfill => Some(("backfill not forced", false)),
        _ => None,
    }
}
