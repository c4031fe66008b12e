//! Who calls: tokens, their revocation, the lockout of guessers. Upstream: `services/auth.py` (20.2:
//! `services/auth/auth.py`), `controllers/auth.py`.

pub mod jwt;
pub mod lockout;
pub mod revoked;
pub mod tokens;

pub use tokens::{Caller, Tokens};
