//! Operations of modules that `progress` lists beside its own events (`progress.update`, `complete` and `fail`, which upstream's
//! modules call remotely).

use crate::python::float_text;
use axon_proto::UTime;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What is told of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// It has begun, or is so far.
    Update {
        id: String,
        message: String,
        /// From 0 to 1.
        progress: f64,
        /// These two count when it begins.
        refs: Value,
        add_to_ceph_s: bool,
    },
    Complete {
        id: String,
    },
    Fail {
        id: String,
        why: Value,
    },
}

/// An id in the form of a random UUID, from what makes an event the only one.
pub fn unique_id(made: u64, message: &str, now: UTime) -> String {
    let text = format!("{made} {} {message}", float_text(now.as_secs_f64()));
    let digest: Vec<u8> = Sha256::digest(text).into_iter().take(16).collect();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_random_uuids_and_differ() {
        let id = |made| unique_id(made, "x", UTime::ZERO);
        assert_eq!((id(1).len(), id(1).as_bytes()[14]), (36, b'4'));
        assert_ne!(id(1), id(2));
    }
}
