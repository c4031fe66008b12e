//! `MMgrClose` (`src/messages/MMgrClose.h`, version 1): a daemon ends its session with the manager, which answers with the
//! same message.

/// Who leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMgrClose {
    pub daemon_name: String,
    /// Empty: the type of the connection's entity.
    pub service_name: String,
}
crate::message::payload_fields!(MMgrClose = 0x708, version 1; daemon_name, service_name; samples [MMgrClose { daemon_name: "0".into(), service_name: "osd".into() }]);
