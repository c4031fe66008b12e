//! `MMgrDigest` (`src/messages/MMgrDigest.h`, version 1): the monitors' status and the cluster's health as JSON text, for
//! managers.

use bytes::Bytes;

/// JSON that the monitors print, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMgrDigest {
    pub mon_status_json: Bytes,
    pub health_json: Bytes,
}
crate::message::payload_fields!(MMgrDigest = 0x705, version 1; mon_status_json, health_json; samples [MMgrDigest { mon_status_json: Bytes::from_static(b"{}"), health_json: Bytes::from_static(b"{}") }]);
