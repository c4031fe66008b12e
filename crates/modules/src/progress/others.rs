//! Events that other modules give to `progress` (`RemoteEvent`): they move and end as those modules say.

use super::event::{Event, Subject};
use super::{Events, is_on};
use crate::{Memory, Operation, Progress};
use axon_core::State;
use axon_proto::UTime;

/// Events of others that are open at once; those beyond are left out.
const OPEN_MAX: usize = 1000;

/// Takes in what is told of one; the operations under way from now on, where they changed.
pub fn told(state: &State, now: UTime, memory: &mut Memory, operation: Operation) -> Option<Progress> {
    let events = Events::of(memory, state);
    match operation {
        Operation::Update { .. } | Operation::Complete { .. } if !is_on(state) => return None,
        Operation::Update { id, message, progress, refs, add_to_ceph_s } => {
            if !events.open.iter().any(|event| event.id == id) {
                if events.open.len() >= OPEN_MAX {
                    tracing::warn!(id, "too many events are open; this one is left out");
                    return None;
                }
                tracing::info!(id, message, "an event begins");
                events.open.push(Event::of_another(id.clone(), refs, add_to_ceph_s, now));
            }
            let event = events.open.iter_mut().find(|event| event.id == id)?;
            event.message = message;
            event.progress = progress;
            event.refresh(now);
        }
        Operation::Complete { id } => events.end(&id, None, now)?,
        Operation::Fail { id, why } => events.end(&id, Some(why), now)?,
    }
    Some(events.shown())
}

impl Events {
    fn end(&mut self, id: &str, failure: Option<serde_json::Value>, now: UTime) -> Option<()> {
        let is_it = |event: &Event| event.id == id && event.subject == Subject::Others;
        let Some(at) = self.open.iter().position(is_it) else {
            tracing::warn!(id, "an event ends that is not there");
            return None;
        };
        let mut ended = self.open.remove(at).ended(now);
        tracing::info!(id, message = ended.message, "an event has ended");
        ended.failure = failure;
        self.completed.push(ended);
        self.dirty = true;
        Some(())
    }
}
