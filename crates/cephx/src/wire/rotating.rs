//! Keys with a lifetime: the rotating keys of a service (`RotatingSecrets`), and an identity's entry in the monitors' key
//! database (`EntityAuth`).

use super::{AUID_DEFAULT, wire_struct};
use crate::CryptoKey;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use axon_proto::UTime;
use bytes::Bytes;
use std::collections::BTreeMap;

wire_struct! {
    /// A key that is valid until `expiration`.
    ExpiringCryptoKey(1) { key: CryptoKey, expiration: UTime }
}
wire_struct! {
    /// A service's keys by id: the previous, the current and the next one.
    RotatingSecrets(1) { secrets: BTreeMap<u64, ExpiringCryptoKey>, max_ver: u64 }
}

impl RotatingSecrets {
    /// `KEY_ROTATE_NUM`.
    const KEYS: usize = 3;

    /// The key of that id.
    #[must_use]
    pub fn key(&self, secret_id: u64) -> Option<&CryptoKey> {
        self.secrets.get(&secret_id).map(|k| &k.key)
    }

    /// Whether a key is missing, or the current one has expired at `now` (`need_new_secrets`).
    #[must_use]
    pub fn stale(&self, now: UTime) -> bool {
        match self.secrets.values().nth(1) {
            Some(current) => self.secrets.len() < Self::KEYS || current.expiration <= now,
            None => true,
        }
    }
}

/// An identity's key and caps. Version 3 has the key that `ceph auth get-or-create-pending` made (17), version 2 not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityAuth {
    pub version: u8,
    pub key: CryptoKey,
    pub caps: BTreeMap<String, Bytes>,
    pub pending_key: CryptoKey,
}

impl Encode for EntityAuth {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.u8(self.version);
        if self.version >= 2 {
            w.u64(AUID_DEFAULT);
        }
        w.value(&self.key, features);
        w.value(&self.caps, features);
        if self.version >= 3 {
            w.value(&self.pending_key, features);
        }
    }
}
impl Decode for EntityAuth {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let version = r.u8()?;
        if version >= 2 {
            r.u64()?;
        }
        Ok(EntityAuth {
            version,
            key: r.value()?,
            caps: r.value()?,
            pending_key: if version >= 3 { r.value()? } else { CryptoKey::default() },
        })
    }
}
