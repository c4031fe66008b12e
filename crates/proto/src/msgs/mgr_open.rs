//! `MMgrOpen` (`src/messages/MMgrOpen.h`, version 3 in all supported releases; reads from 1): a daemon or service opens
//! its session with the manager.

use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Who reports. For a service daemon (`rgw`, `rbd-mirror`, …) with metadata and status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMgrOpen {
    pub daemon_name: String,
    /// Empty: the type of the connection's entity.
    pub service_name: String,
    pub service_daemon: bool,
    /// Only of a service daemon.
    pub daemon_metadata: BTreeMap<String, String>,
    /// Only of a service daemon.
    pub daemon_status: BTreeMap<String, String>,
    /// The running configuration, see `crate::daemon_config`; empty when not told.
    pub config_bl: Bytes,
    /// The compiled-in defaults, see `crate::daemon_config`.
    pub config_defaults_bl: Bytes,
}

impl Payload for MMgrOpen {
    const TYPE: u16 = 0x700;
    const NAME: &'static str = "MMgrOpen";
    const VERSION: u16 = 3;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        w.string(&self.daemon_name);
        w.string(&self.service_name);
        w.bool(self.service_daemon);
        if self.service_daemon {
            w.value(&self.daemon_metadata, features);
            w.value(&self.daemon_status, features);
        }
        w.blob(&self.config_bl);
        w.blob(&self.config_defaults_bl);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        let mut open = MMgrOpen { daemon_name: r.value()?, ..Default::default() };
        if raw.header.version >= 2 {
            open.service_name = r.value()?;
            open.service_daemon = r.bool()?;
            if open.service_daemon {
                open.daemon_metadata = r.value()?;
                open.daemon_status = r.value()?;
            }
        }
        if raw.header.version >= 3 {
            open.config_bl = r.value()?;
            open.config_defaults_bl = r.value()?;
        }
        Ok(open)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let plain = MMgrOpen {
            daemon_name: "0".into(),
            config_bl: Bytes::from_static(b"\0\0\0\0"),
            ..Default::default()
        };
        let service = MMgrOpen {
            daemon_name: "4123".into(),
            service_name: "rgw".into(),
            service_daemon: true,
            daemon_metadata: [("id".to_owned(), "a".to_owned())].into(),
            daemon_status: [("current_sync".to_owned(), "[]".to_owned())].into(),
            ..plain.clone()
        };
        vec![plain, service]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageHeader;

    #[test]
    fn the_forms_of_older_daemons_end_earlier() {
        let full = MMgrOpen::samples().remove(1);
        let front = full.to_raw(Features::ALL).front;
        let older = |version| {
            let header = MessageHeader { version, ..Default::default() };
            MMgrOpen::decode(&RawMessage { header, front: front.clone(), ..Default::default() }).unwrap()
        };
        assert_eq!(older(1), MMgrOpen { daemon_name: "4123".into(), ..Default::default() });
        assert_eq!(older(2), MMgrOpen { config_bl: Bytes::new(), ..full.clone() });
        assert_eq!(older(3), full);
    }
}
