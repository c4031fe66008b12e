//! What begins events and how far they are.

use super::Events;
use super::event::{Event, Subject};
use axon_core::State;
use axon_core::pg_map::PgMap;
use axon_proto::UTime;
use axon_proto::osd_map::OSDMap;
use axon_proto::pg::{Pg, PgState};
use std::collections::BTreeSet;

impl Events {
    /// OSDs that have been marked out or in since `before` (`_osdmap_changed`).
    pub fn follow_osds(&mut self, before: &OSDMap, state: &State, now: UTime) {
        let map = &*state.osd_map;
        let both = map.osds().filter(|osd| before.exists(*osd) && before.is_in(*osd) != map.is_in(*osd));
        let marked: Vec<(i32, bool)> = both.map(|osd| (osd, map.is_in(osd))).collect();
        if marked.is_empty() {
            return;
        }
        let moved = moved(before, map);
        for (osd, is_in) in marked {
            let affected: BTreeSet<Pg> = moved
                .iter()
                .filter(|(_, old, new)| old.contains(&osd) || new.contains(&osd))
                .map(|(pg, ..)| *pg)
                .collect();
            tracing::info!(osd, pgs = affected.len(), "PGs move as an OSD is marked {}", word(is_in));
            if is_in {
                let for_osd =
                    |event: &Event| matches!(&event.subject, Subject::Pgs { osd: of, .. } if *of == osd);
                self.complete(for_osd, now);
            }
            if !affected.is_empty() {
                self.begin_pgs(osd, is_in, affected, state, now);
            }
        }
    }

    fn begin_pgs(&mut self, osd: i32, is_in: bool, mut left: BTreeSet<Pg>, state: &State, now: UTime) {
        let pgs = &state.pg_map.pg_stat;
        let count = left.len();
        if state.pg_ready {
            left.retain(|pg| pgs.contains_key(pg));
        }
        let recovered = |pg: &Pg| Some((*pg, pgs.get(pg)?.stats.num_bytes_recovered));
        let recovered = left.iter().filter_map(recovered).collect();
        let subject = Subject::Pgs { osd, left, count, recovered };
        let mut event = Event::new(self.made, subject, state.osd_map.epoch, word(is_in), now);
        self.made += 1;
        event.update(&state.pg_map, now);
        self.open.push(event);
    }

    /// Brings the events up to date, ends those that are done, and begins the global one where it is needed
    /// (`_process_pg_summary`, `_pg_state_changed`).
    pub fn follow_pgs(&mut self, state: &State, now: UTime) {
        if self.open.is_empty() {
            return;
        }
        let is_global = |event: &Event| matches!(event.subject, Subject::Global { .. });
        let has_global = self.open.iter().any(is_global);
        self.open.iter_mut().for_each(|event| event.update(&state.pg_map, now));
        self.complete(|event| event.progress >= 1.0 && event.subject != Subject::Others, now);
        let (active_clean, total) = (active_clean(&state.pg_map).count(), state.pg_map.pg_stat.len());
        if !has_global && active_clean < total {
            let subject = Subject::Global { active_clean };
            self.open.push(Event::new(self.made, subject, state.osd_map.epoch, "", now));
            self.made += 1;
        }
    }
}

fn word(is_in: bool) -> &'static str {
    if is_in { "in" } else { "out" }
}

/// The PGs whose OSDs differ between two maps, with both. Those that shall have them: the acting ones, which upstream
/// compares, are the old ones again as soon as backfill begins.
fn moved(before: &OSDMap, after: &OSDMap) -> Vec<(Pg, BTreeSet<i32>, BTreeSet<i32>)> {
    let up = |map: &OSDMap, pg| map.pg_to_up_acting(pg).up.into_iter().collect::<BTreeSet<i32>>();
    let pgs = before.pools.keys().flat_map(|pool| before.pgs_of(*pool));
    pgs.map(|pg| (pg, up(before, pg), up(after, pg))).filter(|(_, old, new)| old != new).collect()
}

/// The epochs in which PGs were last reported as active and clean.
fn active_clean(pgs: &PgMap) -> impl Iterator<Item = u32> {
    let both = PgState::ACTIVE.with(PgState::CLEAN);
    pgs.pg_stat.values().filter(move |stat| stat.state.has(both)).map(|stat| stat.reported_epoch)
}

impl Event {
    fn update(&mut self, pgs: &PgMap, now: UTime) {
        match &mut self.subject {
            // Its module says how far it is.
            Subject::Others => return,
            Subject::Global { active_clean: first } => {
                let (clean, skipped) = active_clean(pgs).fold((0, 0), |(clean, skipped), epoch| {
                    // Not reported since it began: it need not have moved at all.
                    (clean + 1, skipped + usize::from(epoch < self.start_epoch))
                });
                if clean == *first {
                    return;
                }
                let others = pgs.pg_stat.len() as f64 - skipped as f64;
                self.progress = if others == 0.0 { 0.0 } else { clean as f64 / others };
            }
            Subject::Pgs { left, count, recovered, .. } => {
                let mut parts = 0.0;
                left.retain(|pg| {
                    // One that is gone is done: its pool was removed.
                    let Some(stat) = pgs.pg_stat.get(pg) else { return false };
                    if stat.reported_epoch < self.start_epoch {
                        return true;
                    }
                    if stat.state.has(PgState::ACTIVE.with(PgState::CLEAN)) {
                        return false;
                    }
                    let bytes = stat.stats.num_bytes;
                    if bytes > 0 {
                        let before = recovered.get(pg).copied().unwrap_or(0);
                        let since = stat.stats.num_bytes_recovered.saturating_sub(before);
                        parts += (since as f64 / bytes as f64).clamp(0.0, 1.0);
                    } else if bytes < 0 {
                        parts += 0.5;
                    }
                    true
                });
                let done = count.saturating_sub(left.len()) as f64 + parts;
                self.progress = if *count == 0 { 0.0 } else { (done / *count as f64).clamp(0.0, 1.0) };
            }
        }
        self.refresh(now);
    }
}
