//! Method `none` (`src/auth/none/*`): a peer is whom it says it is. Only where a cluster's options allow it.

use axon_cephx::wire::auth_mode;
use axon_denc::{Decode, Features, Reader, Writer};
use axon_proto::AuthEntity;
use bytes::Bytes;

/// `AuthNoneAuthorizer`: whose name and global id a client claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuthNoneAuthorizer {
    pub name: AuthEntity,
    pub global_id: u64,
}

impl AuthNoneAuthorizer {
    pub(super) fn payload(&self) -> Bytes {
        let mut w = Writer::new();
        w.u8(auth_mode::AUTHORIZER);
        w.value(&self.name, Features::ALL);
        w.u64(self.global_id);
        w.into_bytes()
    }

    pub(super) fn from_payload(payload: &[u8]) -> axon_denc::Result<Self> {
        let mut r = Reader::named(payload, "AuthNoneAuthorizer");
        r.u8()?;
        Ok(AuthNoneAuthorizer { name: AuthEntity::decode(&mut r)?, global_id: r.u64()? })
    }
}
