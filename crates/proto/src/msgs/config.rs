//! `MConfig` (`src/messages/MConfig.h`, version 1): the central configuration as it applies to the receiver, whole, on
//! every change.

use std::collections::BTreeMap;
use std::fmt;

/// Options by name; keys of modules are `mgr/<module>/<option>`. Its `Debug` shows only names: values may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MConfig {
    pub config: BTreeMap<String, String>,
}
crate::message::payload_fields!(MConfig = 62, version 1; config; samples [MConfig { config: [("mgr/dashboard/ssl".to_owned(), "false".to_owned())].into() }]);

impl fmt::Debug for MConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MConfig").field(&self.config.keys()).finish()
    }
}
