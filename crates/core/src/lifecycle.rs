//! Standby ⇄ active, driven by the manager map (`MgrStandby::handle_mgr_map`, `Mgr::init`), as a pure state machine:
//! events in, actions out. The runtime in `axon-mgr` carries the actions out and feeds their results back.
//!
//! Invariants:
//! - `available` is announced only in [`Phase::Active`], which is entered only when every [`Need`] is met;
//! - a demotion is an ordinary event: the next promotion starts again from the same state, without a restart;
//! - the prior active manager's blocklisting is waited for (`last_failure_osd_epoch`).

use std::collections::BTreeSet;

/// What must be there before this manager may call itself available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// An OSD map that holds the blocklisting of the prior active manager.
    OsdMap,
    FsMap,
    /// The monitors' health and status (`MMgrDigest`).
    Digest,
    /// The monitors' store for modules (`kv:mgr/`).
    Kv,
    /// Host and version of every daemon that the monitors know.
    Metadata,
    /// The address that daemons report to is bound.
    Listening,
    /// The REST server answers, or is switched off.
    Serving,
}

impl Need {
    const ALL: [Need; 7] =
        [Need::OsdMap, Need::FsMap, Need::Digest, Need::Kv, Need::Metadata, Need::Listening, Need::Serving];
}

/// Where this manager stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The monitors have not chosen this manager.
    Standby,
    /// Chosen; these things are still missing.
    Activating { missing: BTreeSet<Need> },
    /// Chosen and able to serve.
    Active,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A manager map. `blocklist_epoch` is its `last_failure_osd_epoch`.
    MgrMap { active_gid: u64, available: bool, blocklist_epoch: u32 },
    /// An OSD map of that epoch was applied.
    OsdMap { epoch: u32 },
    /// Something that an activation waits for is there; it stays so.
    Met(Need),
}

/// What the runtime must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bind the daemons' address, load metadata, start the REST server: each reports back by [`Event::Met`].
    Activate,
    /// Close every daemon's session and stop serving; standby again.
    Deactivate,
    /// Tell the monitors now rather than at the next tick.
    Beacon,
}

/// The state machine.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    gid: u64,
    phase: Phase,
    osd_epoch: u32,
    blocklist_epoch: u32,
    available_in_map: bool,
    /// Met once and for good: maps and the store are subscribed to in standby too, so that it stays warm.
    warm: BTreeSet<Need>,
}

impl Lifecycle {
    /// A standby with the global id that the monitors gave.
    #[must_use]
    pub fn new(gid: u64) -> Self {
        Lifecycle {
            gid,
            phase: Phase::Standby,
            osd_epoch: 0,
            blocklist_epoch: 0,
            available_in_map: false,
            warm: BTreeSet::new(),
        }
    }

    /// Where it stands now.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Whether the beacon says `available`.
    #[must_use]
    pub fn available(&self) -> bool {
        self.phase == Phase::Active
    }

    /// Whether the beacon carries the command table: from availability until the map shows it.
    #[must_use]
    pub fn announces_commands(&self) -> bool {
        self.available() && !self.available_in_map
    }

    /// Applies one event.
    pub fn apply(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::MgrMap { active_gid, available, blocklist_epoch } => {
                self.apply_mgr_map(active_gid == self.gid, available, blocklist_epoch)
            }
            Event::OsdMap { epoch } => {
                self.osd_epoch = self.osd_epoch.max(epoch);
                self.settle()
            }
            Event::Met(need) => {
                if matches!(need, Need::FsMap | Need::Digest | Need::Kv) {
                    self.warm.insert(need);
                }
                if let Phase::Activating { missing } = &mut self.phase {
                    missing.remove(&need);
                }
                self.settle()
            }
        }
    }

    /// A new global id: the session to the monitors was made anew and the old id is lost. Whoever was active is not now.
    pub fn apply_new_gid(&mut self, gid: u64) -> Vec<Action> {
        if gid == self.gid {
            return Vec::new();
        }
        self.gid = gid;
        let mut actions = self.demote();
        actions.push(Action::Beacon);
        actions
    }

    fn apply_mgr_map(&mut self, chosen: bool, available: bool, blocklist_epoch: u32) -> Vec<Action> {
        self.available_in_map = chosen && available;
        if !chosen {
            return self.demote();
        }
        if self.phase != Phase::Standby {
            return Vec::new();
        }
        self.blocklist_epoch = blocklist_epoch;
        let missing = Need::ALL.into_iter().filter(|need| !self.warm.contains(need)).collect();
        self.phase = Phase::Activating { missing };
        let mut actions = vec![Action::Activate];
        actions.extend(self.settle());
        actions
    }

    fn demote(&mut self) -> Vec<Action> {
        self.available_in_map = false;
        match std::mem::replace(&mut self.phase, Phase::Standby) {
            Phase::Standby => Vec::new(),
            Phase::Activating { .. } | Phase::Active => vec![Action::Deactivate],
        }
    }

    /// Becomes active once nothing is missing.
    fn settle(&mut self) -> Vec<Action> {
        let Phase::Activating { missing } = &mut self.phase else { return Vec::new() };
        if self.osd_epoch > 0 && self.osd_epoch >= self.blocklist_epoch {
            missing.remove(&Need::OsdMap);
        }
        if !missing.is_empty() {
            return Vec::new();
        }
        self.phase = Phase::Active;
        vec![Action::Beacon]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(blocklist_epoch: u32) -> Event {
        Event::MgrMap { active_gid: 7, available: false, blocklist_epoch }
    }

    fn other() -> Event {
        Event::MgrMap { active_gid: 8, available: true, blocklist_epoch: 0 }
    }

    fn meet_all(l: &mut Lifecycle) -> Vec<Action> {
        Need::ALL.into_iter().filter(|n| *n != Need::OsdMap).flat_map(|n| l.apply(Event::Met(n))).collect()
    }

    #[test]
    fn it_is_available_only_when_everything_is_there() {
        let mut l = Lifecycle::new(7);
        assert_eq!(l.apply(chosen(5)), [Action::Activate]);
        assert!(meet_all(&mut l).is_empty() && !l.available());
        assert!(l.apply(Event::OsdMap { epoch: 4 }).is_empty(), "the prior manager is not blocklisted yet");
        assert_eq!(l.apply(Event::OsdMap { epoch: 5 }), [Action::Beacon]);
        assert!(l.available() && l.announces_commands());
        l.apply(Event::MgrMap { active_gid: 7, available: true, blocklist_epoch: 5 });
        assert!(l.available() && !l.announces_commands());
    }

    #[test]
    fn a_demoted_manager_can_be_promoted_again() {
        let mut l = Lifecycle::new(7);
        l.apply(Event::OsdMap { epoch: 9 });
        l.apply(chosen(5));
        meet_all(&mut l);
        assert_eq!(l.apply(other()), [Action::Deactivate]);
        assert_eq!(l.phase(), &Phase::Standby);
        assert_eq!(l.apply(other()), []);
        assert_eq!(l.apply(chosen(9)), [Action::Activate]);
        let Phase::Activating { missing } = l.phase() else { panic!("activating") };
        assert_eq!(
            missing.iter().copied().collect::<Vec<_>>(),
            [Need::Metadata, Need::Listening, Need::Serving]
        );
        for need in [Need::Metadata, Need::Listening] {
            assert!(l.apply(Event::Met(need)).is_empty());
        }
        assert_eq!(l.apply(Event::Met(Need::Serving)), [Action::Beacon]);
    }

    #[test]
    fn a_demotion_while_activating_stops_the_activation() {
        let mut l = Lifecycle::new(7);
        l.apply(chosen(0));
        assert_eq!(l.apply(other()), [Action::Deactivate]);
        assert!(meet_all(&mut l).is_empty() && !l.available());
    }

    #[test]
    fn a_new_global_id_demotes() {
        let mut l = Lifecycle::new(7);
        l.apply(Event::OsdMap { epoch: 9 });
        l.apply(chosen(5));
        meet_all(&mut l);
        assert_eq!(l.apply_new_gid(7), []);
        assert_eq!(l.apply_new_gid(11), [Action::Deactivate, Action::Beacon]);
        assert_eq!(l.apply(chosen(5)), [], "the map names the old id");
    }
}
