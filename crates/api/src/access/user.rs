//! A user as the database keeps it. Upstream: `access_control.py` `User`; field names and order are the JSON's.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A user. Its `Debug` leaves the password's hash out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub username: String,
    /// bcrypt hash; `None` for a user of a single sign-on.
    pub password: Option<String>,
    /// Names, sorted. A name that no role has grants nothing.
    pub roles: BTreeSet<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    /// Unix seconds; a token issued before is void.
    pub last_update: i64,
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Unix seconds.
    #[serde(default)]
    pub pwd_expiration_date: Option<i64>,
    #[serde(default)]
    pub pwd_update_required: bool,
}

fn enabled() -> bool {
    true
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("username", &self.username)
            .field("roles", &self.roles)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

impl User {
    /// Sets a password's hash: the update flag goes, the expiration starts anew, older tokens are void.
    pub fn set_password_hash(&mut self, hash: String, now: i64, span_days: i64) {
        self.password = Some(hash);
        self.last_update = now;
        self.pwd_expiration_date = expiration(now, span_days);
        self.pwd_update_required = false;
    }

    /// Switches the user on or off.
    pub fn set_enabled(&mut self, enabled: bool, now: i64) {
        self.enabled = enabled;
        self.last_update = now;
    }

    /// Sets the roles.
    pub fn set_roles(&mut self, roles: impl IntoIterator<Item = String>, now: i64) {
        self.roles = roles.into_iter().collect();
        self.last_update = now;
    }

    /// Whether the password's time is over.
    #[must_use]
    pub fn is_pwd_expired(&self, now: i64) -> bool {
        self.pwd_expiration_date.is_some_and(|date| date != 0 && date < now)
    }

    /// Without the password, as REST shows it.
    #[must_use]
    pub fn to_public_json(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.shift_remove("password");
        }
        value
    }
}

/// When a password that is set now expires; never with a span of 0 days.
#[must_use]
pub fn expiration(now: i64, span_days: i64) -> Option<i64> {
    (span_days > 0).then(|| now.saturating_add(span_days.saturating_mul(86_400)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: &str = r#"{"username": "admin", "password": "$2b$12$abc", "roles": ["administrator"],
        "name": null, "email": null, "lastUpdate": 1700000000, "enabled": true, "pwdExpirationDate": null,
        "pwdUpdateRequired": false}"#;

    #[test]
    fn the_json_is_upstreams_in_names_and_order() {
        let user: User = serde_json::from_str(STORED).unwrap();
        let again = serde_json::to_string(&user).unwrap();
        let compact: serde_json::Value = serde_json::from_str(STORED).unwrap();
        assert_eq!(again, compact.to_string());
    }

    #[test]
    fn neither_rest_nor_debug_shows_the_hash() {
        let user: User = serde_json::from_str(STORED).unwrap();
        assert!(user.to_public_json().get("password").is_none());
        assert!(!format!("{user:?}").contains("2b$"));
    }

    #[test]
    fn a_new_password_restarts_the_expiration() {
        let mut user: User = serde_json::from_str(STORED).unwrap();
        user.pwd_update_required = true;
        user.set_password_hash("h".to_owned(), 1000, 2);
        assert_eq!((user.pwd_expiration_date, user.pwd_update_required), (Some(1000 + 172_800), false));
        assert!(!user.is_pwd_expired(1000 + 172_800) && user.is_pwd_expired(1000 + 172_801));
    }
}
