//! Password hashes: bcrypt, `$2b$`, cost 12, as upstream's `password_hash` writes them. Slow by intent: callers run
//! these on a blocking thread.

use bcrypt::{BcryptError, DEFAULT_COST};

/// A new hash. Input beyond 72 bytes has no effect, as upstream's bcrypt.
pub fn hash(password: &str) -> Result<String, BcryptError> {
    bcrypt::hash(password, DEFAULT_COST)
}

/// Whether the password belongs to the hash; `false` too for text that is no bcrypt hash.
#[must_use]
pub fn verify(password: &str, hash: &str) -> bool {
    bcrypt::verify(password, hash).unwrap_or(false)
}

/// Whether text is a bcrypt hash.
#[must_use]
pub fn is_hash(text: &str) -> bool {
    text.parse::<bcrypt::HashParts>().is_ok()
}

/// Costs as much as a real check: an unknown user's login takes as long as a known one's.
pub fn verify_nobody(password: &str) {
    // The hash of nothing in particular; its password is not known to anyone.
    let _ = verify(password, "$2b$12$obX7XK8myXVucm8ykvZNNeqlCn4/nkxKiNFF5nBv6CKNJldVU134C");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_from_python_bcrypt_verify() {
        // Made by python3-bcrypt 3.2.2: bcrypt.hashpw(b"p@ss word", bcrypt.gensalt(12|5)).
        for hash in [PY12, PY5] {
            assert!(verify("p@ss word", hash) && !verify("p@ss Word", hash));
            assert!(is_hash(hash));
        }
    }

    #[test]
    fn ours_look_like_upstreams() {
        let ours = hash("geheim").unwrap();
        assert!(ours.starts_with("$2b$12$") && ours.len() == 60);
        assert!(verify("geheim", &ours));
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        assert!(!verify("", "") && !verify("x", "plain") && !is_hash("plain"));
    }

    const PY12: &str = "$2b$12$mT5n0rvfYOtE0j.IdIbVaOqgSED2fsQtiW85pF4PRdhzUQgWvWGiq";
    const PY5: &str = "$2b$05$.UxsoIPb9fnkIYYdpYJ/h.FZ6bX5rjTZUmK./OiVHr8E4VMVZL59a";
}
