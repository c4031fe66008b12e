//! The password policy. Upstream: `access_control.py` `PasswordPolicy`.
//!
//! Invariant: checks run in upstream's order (complexity, length, old password, user name, exclusion list, repetition,
//! sequence) and the first failure is the answer. Unlike upstream, words are words and not regular expressions.

/// The `PWD_POLICY_*` settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub enabled: bool,
    pub check_length: bool,
    pub check_oldpwd: bool,
    pub check_username: bool,
    pub check_exclusion_list: bool,
    pub check_complexity: bool,
    pub check_sequential_chars: bool,
    pub check_repetitive_chars: bool,
    pub min_length: i64,
    pub min_complexity: i64,
    pub exclusion_list: Vec<String>,
}

impl Policy {
    /// The complexity credits (0 when complexity is not checked), or what is wrong, in upstream's words.
    pub fn check(
        &self,
        password: &str,
        username: Option<&str>,
        old_password: Option<&str>,
    ) -> Result<i64, String> {
        if !self.enabled {
            return Ok(0);
        }
        let credits = if self.check_complexity { complexity(password) } else { 0 };
        let chars: Vec<char> = password.chars().collect();
        let too_weak = (self.check_complexity && credits < self.min_complexity)
            || (self.check_length && (chars.len() as i64) < self.min_length);
        if too_weak {
            return Err("Password is too weak.".to_owned());
        }
        let old = old_password.filter(|old| !old.is_empty());
        if self.check_oldpwd && old == Some(password) {
            return Err("Password must not be the same as the previous one.".to_owned());
        }
        let username = username.filter(|name| !name.is_empty());
        if self.check_username && username.is_some_and(|name| found(password, name).is_some()) {
            return Err("Password must not contain username.".to_owned());
        }
        if self.check_exclusion_list {
            let first =
                self.exclusion_list.iter().filter_map(|word| found(password, word)).min_by_key(|f| f.0);
            if let Some((_, word)) = first {
                return Err(format!("Password must not contain the keyword \"{word}\"."));
            }
        }
        if self.check_repetitive_chars && triple(&chars, 0) {
            return Err("Password must not contain repetitive characters.".to_owned());
        }
        if self.check_sequential_chars && triple(&chars, 1) {
            return Err("Password must not contain sequential characters.".to_owned());
        }
        Ok(credits)
    }
}

/// Upstream's words for a number of credits.
#[must_use]
pub fn valuation(credits: i64) -> &'static str {
    match credits {
        ..15 => "Weak",
        15..20 => "OK",
        20..25 => "Strong",
        _ => "Very strong",
    }
}

fn complexity(password: &str) -> i64 {
    let credit = |c: char| match c {
        'A'..='Z' => 2,
        'a'..='z' | '0'..='9' => 1,
        c if c.is_ascii_punctuation() => 3,
        _ => 5,
    };
    password.chars().map(credit).sum()
}

/// Where a word is in the password, whatever its case, and how it is written there.
fn found<'a>(password: &'a str, word: &str) -> Option<(usize, &'a str)> {
    let starts = password.char_indices().map(|(i, _)| i);
    for start in starts {
        let here = &password[start..];
        let length = here.char_indices().map(|(i, c)| i + c.len_utf8()).take(word.chars().count()).last();
        let candidate = &here[..length.unwrap_or(0)];
        if !word.is_empty() && candidate.to_lowercase() == word.to_lowercase() {
            return Some((start, candidate));
        }
    }
    None
}

/// Three characters in a row, each `step` above the one before.
fn triple(chars: &[char], step: u32) -> bool {
    chars.windows(3).any(|w| match w {
        [a, b, c] => *a as u32 + step == *b as u32 && *b as u32 + step == *c as u32,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict() -> Policy {
        Policy {
            enabled: true,
            check_length: true,
            check_oldpwd: true,
            check_username: true,
            check_exclusion_list: true,
            check_complexity: true,
            check_sequential_chars: true,
            check_repetitive_chars: true,
            min_length: 8,
            min_complexity: 10,
            exclusion_list: vec!["osd".to_owned(), "ceph".to_owned()],
        }
    }

    #[test]
    fn each_rule_refuses_in_its_turn() {
        let p = strict();
        let check = |password: &str| p.check(password, Some("bob"), Some("Tr0ub4dor&3x"));
        assert_eq!(check("abcdefg"), Err("Password is too weak.".to_owned()));
        assert_eq!(check("!!!!"), Err("Password is too weak.".to_owned()), "complex enough, too short");
        assert_eq!(
            check("Tr0ub4dor&3x"),
            Err("Password must not be the same as the previous one.".to_owned())
        );
        assert_eq!(check("xxBOBxx&&&"), Err("Password must not contain username.".to_owned()));
        assert_eq!(check("myCePhosd12!"), Err("Password must not contain the keyword \"CePh\".".to_owned()));
        assert_eq!(check("aaaKLMkd&&"), Err("Password must not contain repetitive characters.".to_owned()));
        assert_eq!(check("abcKX&&kd9"), Err("Password must not contain sequential characters.".to_owned()));
        assert_eq!(check("Zx9&kd2!Qp"), Ok(16));
    }

    #[test]
    fn credits_are_zero_when_complexity_is_off() {
        let p = Policy { check_complexity: false, ..strict() };
        assert_eq!(p.check("Zx9&kd2!Qp", None, None), Ok(0));
        assert_eq!(Policy { enabled: false, ..strict() }.check("x", None, None), Ok(0));
    }

    #[test]
    fn a_user_name_is_not_a_regular_expression() {
        assert!(strict().check("Zx9&kd2!Qp", Some(".*("), None).is_ok());
    }

    #[test]
    fn valuations_change_at_15_20_25() {
        assert_eq!(
            [14, 15, 19, 20, 24, 25].map(valuation),
            ["Weak", "OK", "OK", "Strong", "Strong", "Very strong"]
        );
    }
}
