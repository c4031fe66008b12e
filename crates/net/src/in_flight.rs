//! Commands to OSDs that have not been answered (`Objecter::OSDSession::command_ops`), for whoever wants to see them.
//!
//! Invariant: as many as there are callers that wait; an entry goes with its [`Flying`], however the command ends.

use axon_core::tell::{CommandOp, CommandOpTarget};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The commands, by number.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<Ops>);

#[derive(Debug, Default)]
struct Ops {
    last: u64,
    ops: BTreeMap<u64, CommandOp>,
}

impl InFlight {
    /// A command has been given; where it goes is not known yet.
    pub fn begin(self: &Arc<Self>, target: CommandOpTarget, command: String) -> Flying {
        let mut ops = self.lock();
        ops.last += 1;
        let command_id = ops.last;
        ops.ops.insert(command_id, CommandOp { command_id, osd: None, command, target });
        Flying { of: self.clone(), command_id }
    }

    /// All of them, the oldest first.
    pub fn dump(&self) -> Vec<CommandOp> {
        self.lock().ops.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Ops> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command without an answer, until it is dropped.
pub(crate) struct Flying {
    of: Arc<InFlight>,
    command_id: u64,
}

impl Flying {
    /// It is on that OSD's session.
    pub fn assign(&self, osd: i32) {
        if let Some(op) = self.of.lock().ops.get_mut(&self.command_id) {
            op.osd = Some(osd);
        }
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        self.of.lock().ops.remove(&self.command_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_listed_until_it_ends() {
        let all = Arc::new(InFlight::default());
        let first = all.begin(CommandOpTarget::Osd(3), "{}".to_owned());
        let second = all.begin(CommandOpTarget::Pg("1.0".to_owned()), "{}".to_owned());
        second.assign(2);
        let osds: Vec<_> = all.dump().into_iter().map(|op| (op.command_id, op.osd)).collect();
        assert_eq!(osds, [(1, None), (2, Some(2))]);
        drop(first);
        assert_eq!(all.dump().len(), 1);
        drop(second);
        assert!(all.dump().is_empty());
    }
}
