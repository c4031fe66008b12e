//! `MMonSubscribe` (`src/messages/MMonSubscribe.h`, version 3): what a client wants pushed to it, from which version on.
//! Not here: version 1, which peers without `SUBSCRIBE2` (before Argonaut) read.

use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result, denc_struct};
use std::collections::BTreeMap;

/// `ceph_mon_subscribe_item`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscribeItem {
    pub start: u64,
    pub flags: u8,
}
denc_struct!(ceph_mon_subscribe_item; SubscribeItem { start, flags });

impl SubscribeItem {
    /// `CEPH_SUBSCRIBE_ONETIME`: one answer ends it.
    pub const ONETIME: u8 = 1;
}

/// Subscriptions by name (`osdmap`, `mgrmap`, `kv:config/`, …).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMonSubscribe {
    pub what: BTreeMap<String, SubscribeItem>,
    /// The sender's short host name; since version 3.
    pub hostname: String,
}

impl Payload for MMonSubscribe {
    const TYPE: u16 = 15;
    const NAME: &'static str = "MMonSubscribe";
    const VERSION: u16 = 3;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        out.front.value(&self.what, features);
        out.front.string(&self.hostname);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        if raw.header.version < 2 {
            return Err(r.bad_value("header.version", raw.header.version));
        }
        let what = r.value()?;
        let hostname = if raw.header.version >= 3 { r.value()? } else { String::new() };
        Ok(MMonSubscribe { what, hostname })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMonSubscribe {
            what: [("osdmap".to_owned(), SubscribeItem { start: 3, flags: 1 })].into(),
            hostname: "h".into(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_upstreams() {
        let message = MMonSubscribe {
            what: BTreeMap::from([("osdmap".to_owned(), SubscribeItem { start: 5, flags: 1 })]),
            hostname: "h".to_owned(),
        };
        let raw = message.to_raw(Features::ALL);
        assert_eq!(&raw.front[..], b"\x01\0\0\0\x06\0\0\0osdmap\x05\0\0\0\0\0\0\0\x01\x01\0\0\0h");
        assert_eq!(MMonSubscribe::decode(&raw).unwrap(), message);
    }
}
