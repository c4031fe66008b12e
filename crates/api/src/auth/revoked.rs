//! Tokens that were logged out before their end: `mgr/dashboard/jwt_token_block_list`, `{jti: exp}`.

use std::collections::BTreeMap;

/// Key of the list within the module's store.
pub const KEY: &str = "jwt_token_block_list";

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked(BTreeMap<String, i64>);

impl Revoked {
    /// From the store's text; text that is no such list counts as empty.
    #[must_use]
    pub fn load(text: Option<&str>) -> Self {
        let list: BTreeMap<String, f64> = text.and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
        Revoked(list.into_iter().map(|(jti, exp)| (jti, exp as i64)).collect())
    }

    /// The text to store.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Whether a token is on it.
    #[must_use]
    pub fn contains(&self, jti: &str) -> bool {
        self.0.contains_key(jti)
    }

    /// Puts a token on it and takes off what has expired.
    pub fn add(&mut self, jti: &str, exp: i64, now: i64) {
        self.0.retain(|_, exp| *exp >= now);
        self.0.insert(jti.to_owned(), exp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expired_tokens_leave_the_list() {
        let mut list = Revoked::load(Some(r#"{"old": 99, "new": 200}"#));
        assert!(list.contains("old"));
        list.add("mine", 300, 100);
        assert_eq!(list.to_text(), r#"{"mine":300,"new":200}"#);
        assert_eq!(Revoked::load(Some(&list.to_text())), list);
        assert_eq!(Revoked::load(Some("nonsense")), Revoked::default());
    }
}
