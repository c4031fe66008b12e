//! The dashboard's tokens: JWT, HS256 and nothing else. Upstream: `JwtManager` (PyJWT on 16.2, own code since 18.2).
//!
//! Invariants: the key is the UTF-8 bytes of the stored base64 *text*, not what it encodes; a header that names any
//! other algorithm (`none` above all) is refused before anything is computed; signatures are compared in constant time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Default time to live, seconds (`jwt_token_ttl`).
pub const TTL_SECS: i64 = 28_800;

/// A token's claims, in the order in which upstream sorts them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub exp: i64,
    pub iat: i64,
    #[serde(default)]
    pub iss: String,
    pub jti: String,
    pub username: String,
}

/// Why a token is not good. For the log; a client only learns 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    #[error("not a token")]
    Malformed,
    #[error("another algorithm than HS256")]
    Algorithm,
    #[error("wrong signature")]
    Signature,
    #[error("expired")]
    Expired,
    #[error("revoked")]
    Revoked,
    #[error("the user does not exist or changed since")]
    User,
}

/// The secret that signs tokens.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// From the text in the store.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Secret(Zeroizing::new(text.to_owned()))
    }

    /// The text of a new secret, from 16 random bytes.
    #[must_use]
    pub fn text_of(random: [u8; 16]) -> String {
        base64::engine::general_purpose::STANDARD.encode(random)
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).unwrap_or_else(|_| unreachable!());
        mac.update(signed.as_bytes());
        mac
    }

    /// A signed token.
    #[must_use]
    pub fn encode(&self, claims: &Claims) -> String {
        let payload = serde_json::to_vec(claims).unwrap_or_default();
        let signed = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(payload));
        let signature = self.mac(&signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims of a token that this secret signed and that has not expired.
    pub fn decode(&self, token: &str, now: i64) -> Result<Claims, BadToken> {
        let (signed, signature) = token.rsplit_once('.').ok_or(BadToken::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(BadToken::Malformed)?;
        let header: serde_json::Value = json(header)?;
        if header.get("alg").and_then(|a| a.as_str()) != Some("HS256") {
            return Err(BadToken::Algorithm);
        }
        let signature = bytes(signature)?;
        self.mac(signed).verify_slice(&signature).map_err(|_| BadToken::Signature)?;
        let claims: Claims = json(payload)?;
        if claims.exp < now {
            return Err(BadToken::Expired);
        }
        Ok(claims)
    }
}

/// `{"alg":"HS256","typ":"JWT"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

fn bytes(segment: &str) -> Result<Vec<u8>, BadToken> {
    URL_SAFE_NO_PAD.decode(segment.trim_end_matches('=')).map_err(|_| BadToken::Malformed)
}

fn json<T: serde::de::DeserializeOwned>(segment: &str) -> Result<T, BadToken> {
    serde_json::from_slice(&bytes(segment)?).map_err(|_| BadToken::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with Python's standard library (hmac, hashlib, base64, json) as upstream's code does.
    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODw==";
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3MDAwMjg4MDAsImlhdCI6MTcwMDAwMDAwMCwiaXNzIjoiY2VwaC1kYXNoYm9hcmQiLCJqdGkiOiI2ZjBmNmI2ZS02YTZjLTRmNWUtOWYzZS0wZDhkMWMxYjJhM2YiLCJ1c2VybmFtZSI6ImFkbWluIn0.cCMPdlguBI2-RvYRZQOxqMeewa1DARTRnPobsIy3aV8";

    fn claims() -> Claims {
        Claims {
            exp: 1_700_028_800,
            iat: 1_700_000_000,
            iss: "ceph-dashboard".to_owned(),
            jti: "6f0f6b6e-6a6c-4f5e-9f3e-0d8d1c1b2a3f".to_owned(),
            username: "admin".to_owned(),
        }
    }

    #[test]
    fn tokens_are_upstreams_to_the_byte() {
        assert_eq!(Secret::new(SECRET).encode(&claims()), TOKEN);
        assert_eq!(Secret::new(SECRET).decode(TOKEN, 1_700_000_000), Ok(claims()));
    }

    #[test]
    fn claims_in_another_order_are_read_too() {
        // PyJWT keeps the order in which upstream's 16.2 writes them.
        assert_eq!(Secret::new(SECRET).decode("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJjZXBoLWRhc2hib2FyZCIsImp0aSI6IjZmMGY2YjZlLTZhNmMtNGY1ZS05ZjNlLTBkOGQxYzFiMmEzZiIsImV4cCI6MTcwMDAyODgwMCwiaWF0IjoxNzAwMDAwMDAwLCJ1c2VybmFtZSI6ImFkbWluIn0.qIOiNEE3fAJ1HGEqQFCpmPiPXYlDwKPqDw8FFejdCWQ", 1_700_000_000), Ok(claims()));
    }

    #[test]
    fn an_expired_token_is_refused() {
        assert_eq!(Secret::new(SECRET).decode(TOKEN, 1_700_028_800), Ok(claims()), "its last second counts");
        assert_eq!(Secret::new(SECRET).decode(TOKEN, 1_700_028_801), Err(BadToken::Expired));
    }

    #[test]
    fn a_forged_token_is_refused() {
        let secret = Secret::new(SECRET);
        let mut forged = Secret::new("other").encode(&claims());
        assert_eq!(secret.decode(&forged, 0), Err(BadToken::Signature));
        forged = TOKEN.replacen("eyJleHAi", "eyJleHBi", 1);
        assert_eq!(secret.decode(&forged, 0), Err(BadToken::Signature));
        let unsigned = TOKEN.rsplit_once('.').unwrap().0;
        assert_eq!(secret.decode(&format!("{unsigned}."), 0), Err(BadToken::Signature));
    }

    #[test]
    fn no_other_algorithm_is_let_in() {
        let secret = Secret::new(SECRET);
        let payload = TOKEN.split('.').nth(1).unwrap();
        for alg in ["none", "None", "HS512", "RS256", "hs256"] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#));
            for signature in ["", TOKEN.rsplit('.').next().unwrap()] {
                let token = format!("{header}.{payload}.{signature}");
                assert_eq!(secret.decode(&token, 0), Err(BadToken::Algorithm), "{alg}");
            }
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in
            ["", ".", "..", "a.b.c", "é.é.é", "eyJhbGciOiJIUzI1NiJ9..", TOKEN.split('.').next().unwrap()]
        {
            assert!(Secret::new(SECRET).decode(text, 0).is_err(), "{text}");
        }
    }
}
