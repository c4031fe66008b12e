//! When the working copy is published (`docs/decisions/0002-snapshots.md`): at once after a map, health, the configuration or
//! the store has changed; at a bounded rate after daemons' reports, of which a big cluster has hundreds a second and each of
//! which would make the next change copy the indexes that readers then hold.
//!
//! Invariants: what waits is published [`REPORTS_WAIT_MS_MAX`] after the publication before it at the latest; a command
//! from a session runs on a snapshot with everything that came before it.

use super::{Effect, Owner};
use axon_proto::UTime;
use std::time::Duration;

/// How old a snapshot may be in what daemons report.
const REPORTS_WAIT_MS_MAX: u64 = 200;

/// How much has changed since the last publication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    #[default]
    None,
    /// Only what daemons report.
    Reports,
    /// Something that readers wait for.
    Urgent,
}

impl Owner {
    pub(super) fn changed(&mut self) {
        self.change = Change::Urgent;
    }

    pub(super) fn changed_by_report(&mut self) {
        self.change = self.change.max(Change::Reports);
    }

    /// Publishes the working copy when it is due; otherwise how long it may still wait, if it waits.
    pub fn publish(&mut self, now: UTime) -> Option<Duration> {
        let commands = self.effects.iter().any(|effect| matches!(effect, Effect::Run(_)));
        match self.change {
            Change::None => return None,
            Change::Reports if !commands => {
                let wait = self.reports_may_wait(now);
                if wait.is_some() {
                    return wait;
                }
            }
            Change::Reports | Change::Urgent => {}
        }
        self.change = Change::None;
        self.published = now;
        self.publications += 1;
        self.cluster.publish(self.state.clone());
        None
    }

    /// Snapshots published so far.
    #[must_use]
    pub fn publications(&self) -> u64 {
        self.publications
    }

    /// `None`: not any longer. A clock that was set back counts as time that has passed.
    fn reports_may_wait(&self, now: UTime) -> Option<Duration> {
        let millis = |t: UTime| u64::from(t.sec) * 1000 + u64::from(t.nsec) / 1_000_000;
        let age = millis(now).checked_sub(millis(self.published))?;
        REPORTS_WAIT_MS_MAX.checked_sub(age).filter(|left| *left > 0).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NO_COUNTERS, at_ms, chosen, osd};
    use super::*;
    use crate::owner::SessionId;
    use axon_core::{Cluster, State};
    use axon_denc::{Encode, Features};
    use axon_proto::Message;
    use axon_proto::msgs::command::MCommand;
    use axon_proto::msgs::mgr_open::MMgrOpen;
    use axon_proto::msgs::mgr_report::MMgrReport;
    use axon_proto::msgs::osd_map::MOSDMap;
    use axon_proto::osd_map::OSDMap;
    use std::sync::Arc;

    /// Counts publications.
    struct Watch(Cluster, Arc<State>, usize);

    impl Watch {
        fn new(cluster: Cluster) -> Self {
            let newest = cluster.state();
            Watch(cluster, newest, 0)
        }

        fn publish(&mut self, owner: &mut Owner, ms: u32) -> Option<Duration> {
            let wait = owner.publish(at_ms(ms));
            let newest = self.0.state();
            self.2 += usize::from(!Arc::ptr_eq(&newest, &self.1));
            self.1 = newest;
            wait
        }
    }

    fn report(owner: &mut Owner, id: SessionId, ms: u32) {
        let packed = NO_COUNTERS.into();
        let report = MMgrReport { daemon_name: id.0.to_string(), packed, ..Default::default() };
        owner.handle_daemon_message(id, Message::from(report), at_ms(ms));
    }

    /// Two OSDs that report, and everything published at 500 ms.
    fn two_osds() -> (Owner, Watch, [SessionId; 2]) {
        let (mut owner, cluster) = chosen();
        let ids = [osd(&mut owner, 0), osd(&mut owner, 1)];
        for id in ids {
            let open = MMgrOpen { daemon_name: id.0.to_string(), ..Default::default() };
            owner.handle_daemon_message(id, Message::from(open), at_ms(0));
        }
        owner.publish(at_ms(500));
        owner.take_effects();
        (owner, Watch::new(cluster), ids)
    }

    #[test]
    fn a_thousand_reports_in_a_second_make_a_handful_of_snapshots() {
        let (mut owner, mut watch, ids) = two_osds();
        for ms in 0..1000 {
            report(&mut owner, ids[(ms % 2) as usize], 1000 + ms);
            watch.publish(&mut owner, 1000 + ms);
        }
        assert_eq!(watch.2, 5, "one in each 200 ms");
        assert_eq!(
            watch.publish(&mut owner, 1999),
            Some(Duration::from_millis(1)),
            "the rest waits its time"
        );
        assert_eq!((watch.publish(&mut owner, 2000), watch.2), (None, 6));
        assert_eq!((watch.publish(&mut owner, 9000), watch.2), (None, 6), "nothing has changed since");
    }

    #[test]
    fn a_map_is_published_at_once_with_the_reports_before_it() {
        let (mut owner, mut watch, ids) = two_osds();
        report(&mut owner, ids[0], 501);
        assert!(watch.publish(&mut owner, 501).is_some());
        let map = OSDMap { epoch: 4, ..Default::default() };
        let maps = [(4, map.to_bytes(Features::ALL))].into();
        let message = MOSDMap { maps, newest_map: 4, ..Default::default() };
        owner.handle_mon_message(Message::from(message), at_ms(502));
        assert_eq!((watch.publish(&mut owner, 502), watch.2), (None, 1));
        assert_eq!(watch.1.osd_map.epoch, 4);
    }

    #[test]
    fn a_command_sees_what_was_reported_before_it() {
        let (mut owner, mut watch, ids) = two_osds();
        report(&mut owner, ids[0], 501);
        owner.handle_daemon_message(ids[1], Message::from(MCommand::default()), at_ms(501));
        assert_eq!((watch.publish(&mut owner, 501), watch.2), (None, 1));
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up() {
        let (mut owner, mut watch, ids) = two_osds();
        report(&mut owner, ids[0], 100);
        assert_eq!((watch.publish(&mut owner, 100), watch.2), (None, 1));
    }
}
