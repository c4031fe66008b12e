//! The lockout of guessers: failures per user, in memory only, as upstream counts them (`invalid_auth_attempt`).
//!
//! Invariants: only users that exist are counted; after `max` failures the *next* attempt disables the user, right
//! password or not; a login, a new password and `ac-user-enable` start the count anew; `PUT /api/user` does not.

use std::collections::HashMap;
use std::sync::Mutex;

/// The counters.
#[derive(Debug, Default)]
pub struct Lockout(Mutex<HashMap<String, u32>>);

impl Lockout {
    /// How often in a row.
    #[must_use]
    pub fn attempts(&self, username: &str) -> u32 {
        self.with(|counts| counts.get(username).copied().unwrap_or(0))
    }

    /// One more failure of a user that exists.
    pub fn failed(&self, username: &str) {
        self.with(|counts| {
            let count = counts.entry(username.to_owned()).or_default();
            *count = count.saturating_add(1);
        });
    }

    /// Anew.
    pub fn reset(&self, username: &str) {
        self.with(|counts| counts.remove(username));
    }

    /// Whether the next attempt is one too many; `max` 0 switches the lockout off.
    #[must_use]
    pub fn is_over(&self, username: &str, max: i64) -> bool {
        max != 0 && i64::from(self.attempts(username)) >= max
    }

    fn with<T>(&self, f: impl FnOnce(&mut HashMap<String, u32>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attempt_after_the_last_allowed_one_is_too_many() {
        let lockout = Lockout::default();
        for _ in 0..3 {
            assert!(!lockout.is_over("bob", 3));
            lockout.failed("bob");
        }
        assert!(lockout.is_over("bob", 3) && !lockout.is_over("bob", 0) && !lockout.is_over("eve", 3));
        lockout.reset("bob");
        assert!(!lockout.is_over("bob", 3));
    }
}
