//! Tokens that were verified, with who they stand for. A hot request costs a look-up, not an HMAC.
//!
//! Invariants: an entry is good only for the generation of users, roles and revocations under which it was made, and
//! until its token expires; the number of entries is bounded.

use crate::access::Grants;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Who calls, and what he may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub username: String,
    /// Nothing while a password change is demanded.
    pub grants: Grants,
}

struct Entry {
    caller: Arc<Caller>,
    exp: i64,
    generation: u64,
}

/// Verified tokens.
#[derive(Default)]
pub struct Tokens(RwLock<HashMap<Box<str>, Entry>>);

const TOKENS_MAX: usize = 4096;

impl Tokens {
    /// The caller of a token that was verified under this generation and has not expired.
    #[must_use]
    pub fn find(&self, token: &str, generation: u64, now: i64) -> Option<Arc<Caller>> {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(token)?;
        (entry.generation == generation && entry.exp >= now).then(|| entry.caller.clone())
    }

    /// Keeps a verified token.
    pub fn keep(&self, token: &str, caller: Arc<Caller>, exp: i64, generation: u64) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= TOKENS_MAX {
            entries.retain(|_, entry| entry.generation == generation);
        }
        if entries.len() >= TOKENS_MAX {
            entries.clear();
        }
        entries.insert(token.into(), Entry { caller, exp, generation });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_ends_with_its_token_and_its_generation() {
        let tokens = Tokens::default();
        let caller = Arc::new(Caller { username: "bob".to_owned(), grants: Grants::default() });
        tokens.keep("t", caller.clone(), 100, 1);
        assert_eq!(tokens.find("t", 1, 100), Some(caller));
        assert_eq!(tokens.find("t", 1, 101), None);
        assert_eq!(tokens.find("t", 2, 100), None);
        assert_eq!(tokens.find("u", 1, 100), None);
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let tokens = Tokens::default();
        let caller = Arc::new(Caller { username: String::new(), grants: Grants::default() });
        for i in 0..TOKENS_MAX + 10 {
            tokens.keep(&i.to_string(), caller.clone(), 100, 1);
        }
        assert!(tokens.0.read().unwrap().len() <= TOKENS_MAX);
    }
}
