//! `MGetConfig` (`src/messages/MGetConfig.h`, version 1): asks a monitor for the configuration of an entity on a host,
//! before any subscription; the answer is `MConfig`.

use crate::AuthEntity;

/// A request for an entity's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MGetConfig {
    pub name: AuthEntity,
    pub host: String,
    pub device_class: String,
}
crate::message::payload_fields!(MGetConfig = 63, version 1; name, host, device_class; samples [MGetConfig { name: "mgr.x".parse().unwrap(), host: "h".into(), device_class: "ssd".into() }]);
