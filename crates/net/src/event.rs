//! What the cluster tells its client, in the order in which it came.

use crate::mon::OpenSession;
use axon_proto::Message;

/// An event of the monitors' session.
#[derive(Debug)]
pub enum Event {
    /// A monitor has let us in; subscriptions and unanswered commands were sent to it.
    Connected(OpenSession),
    /// A message: maps, digests, configuration, keys, log acknowledgements, and whatever else the monitor sends.
    Message(Message),
    /// The session ended; a hunt for the next one is under way.
    Disconnected { why: String },
}
