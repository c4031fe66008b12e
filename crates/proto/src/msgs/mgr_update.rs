//! `MMgrUpdate` (`src/messages/MMgrUpdate.h`, version 2, since Quincy; reads from 1): a daemon refreshes its metadata
//! without opening its session anew.

use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use std::collections::BTreeMap;

/// A daemon's new metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMgrUpdate {
    pub daemon_name: String,
    /// Empty: the type of the connection's entity.
    pub service_name: String,
    pub need_metadata_update: bool,
    /// Only with `need_metadata_update`.
    pub daemon_metadata: BTreeMap<String, String>,
    /// Only with `need_metadata_update`.
    pub daemon_status: BTreeMap<String, String>,
}

impl Payload for MMgrUpdate {
    const TYPE: u16 = 0x70b;
    const NAME: &'static str = "MMgrUpdate";
    const VERSION: u16 = 2;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        w.string(&self.daemon_name);
        w.string(&self.service_name);
        w.bool(self.need_metadata_update);
        if self.need_metadata_update {
            w.value(&self.daemon_metadata, features);
            w.value(&self.daemon_status, features);
        }
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        let mut update = MMgrUpdate { daemon_name: r.value()?, ..Default::default() };
        if raw.header.version >= 2 {
            update.service_name = r.value()?;
            update.need_metadata_update = r.bool()?;
            if update.need_metadata_update {
                update.daemon_metadata = r.value()?;
                update.daemon_status = r.value()?;
            }
        }
        Ok(update)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let short = MMgrUpdate { daemon_name: "a".into(), ..Default::default() };
        let full = MMgrUpdate {
            need_metadata_update: true,
            daemon_metadata: [("hostname".to_owned(), "h".to_owned())].into(),
            ..short.clone()
        };
        vec![short, full]
    }
}
