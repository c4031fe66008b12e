//! What cephx sends (`src/auth/cephx/CephxProtocol.h`, `src/auth/Auth.h`). These structs have a version byte and no length,
//! so nothing can be appended to them; a newer version reads as the newest known one, as upstream reads it.

mod authenticate;
mod authorize;
mod rotating;
mod ticket;

pub use authenticate::{
    CephXAuthenticate, CephXChallengeBlob, CephXRequestHeader, CephXResponseHeader, CephXServerChallenge,
    CephXServiceTicketRequest, request,
};
pub use authorize::{CephXAuthorize, CephXAuthorizeChallenge, CephXAuthorizeReply};
pub use rotating::{EntityAuth, ExpiringCryptoKey, RotatingSecrets};
pub use ticket::{AuthCapsInfo, AuthTicket, CephXServiceTicket, CephXServiceTicketInfo, CephXTicketBlob};

/// The first byte of an auth payload (`AUTH_MODE_*` in `src/auth/Auth.h`): what kind of payload, and its version.
pub mod auth_mode {
    pub const AUTHORIZER: u8 = 1;
    pub const AUTHORIZER_MAX: u8 = 9;
    pub const MON: u8 = 10;
    pub const MON_MAX: u8 = 19;
}

/// `CEPH_AUTH_UID_DEFAULT`, which stands where releases before 14 had a number.
const AUID_DEFAULT: u64 = u64::MAX;

/// A struct of fixed fields; `v1` puts the version byte 1 in front.
macro_rules! wire_struct {
    ($(#[$meta:meta])* $name:ident $(($version:literal))? { $($field:ident: $kind:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name { $(pub $field: $kind),* }

        impl axon_denc::Encode for $name {
            fn encode(&self, w: &mut axon_denc::Writer, features: axon_denc::Features) {
                $( w.u8($version); )?
                $( w.value(&self.$field, features); )*
            }
        }
        impl axon_denc::Decode for $name {
            fn decode(r: &mut axon_denc::Reader<'_>) -> axon_denc::Result<Self> {
                $( let _: u8 = { let _ = $version; r.u8()? }; )?
                $( let $field = r.value()?; )*
                Ok($name { $($field),* })
            }
        }
    };
}
use wire_struct;

#[cfg(test)]
mod tests;
