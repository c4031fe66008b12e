//! The dashboard's settings: options of the module with a type and a default, stored as text the way Python writes a
//! value. Upstream: `settings.py` `Options`, `Setting`, `Settings`.

mod python;
mod table;

pub use python::{literal, repr};
pub use table::{ALL, Setting, find};

use crate::access::policy::Policy;
use crate::dashboard::Dashboard;
use serde_json::{Value, json};

/// Reads settings.
pub struct Settings<'a>(&'a Dashboard);

impl<'a> Settings<'a> {
    pub(crate) fn new(dash: &'a Dashboard) -> Self {
        Settings(dash)
    }

    /// The settings that the release has, in upstream's order.
    pub fn known(&self) -> impl Iterator<Item = &'static Setting> + use<> {
        let release = self.0.release();
        ALL.iter().filter(move |s| s.since <= release)
    }

    /// A setting by its name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&'static Setting> {
        self.known().find(|s| s.name == name)
    }

    /// A setting's value.
    #[must_use]
    pub fn value(&self, setting: &Setting) -> Value {
        match self.0.option(setting.name) {
            Some(text) => setting.cast(&text).unwrap_or_else(|| setting.default_cast()),
            None => setting.default_cast(),
        }
    }

    /// A setting's value by name; `null` for one that the release has not.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Value {
        self.named(name).map_or(Value::Null, |setting| self.value(setting))
    }

    /// A truth value.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.by_name(name) == json!(true)
    }

    /// A whole number.
    #[must_use]
    pub fn int(&self, name: &str) -> i64 {
        self.by_name(name).as_i64().unwrap_or(0)
    }

    /// A text.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.by_name(name).as_str().unwrap_or_default().to_owned()
    }

    /// The password policy.
    #[must_use]
    pub fn password_policy(&self) -> Policy {
        let exclusion_list = self.text("PWD_POLICY_EXCLUSION_LIST");
        Policy {
            enabled: self.is("PWD_POLICY_ENABLED"),
            check_length: self.is("PWD_POLICY_CHECK_LENGTH_ENABLED"),
            check_oldpwd: self.is("PWD_POLICY_CHECK_OLDPWD_ENABLED"),
            check_username: self.is("PWD_POLICY_CHECK_USERNAME_ENABLED"),
            check_exclusion_list: self.is("PWD_POLICY_CHECK_EXCLUSION_LIST_ENABLED"),
            check_complexity: self.is("PWD_POLICY_CHECK_COMPLEXITY_ENABLED"),
            check_sequential_chars: self.is("PWD_POLICY_CHECK_SEQUENTIAL_CHARS_ENABLED"),
            check_repetitive_chars: self.is("PWD_POLICY_CHECK_REPETITIVE_CHARS_ENABLED"),
            min_length: self.int("PWD_POLICY_MIN_LENGTH"),
            min_complexity: self.int("PWD_POLICY_MIN_COMPLEXITY"),
            exclusion_list: exclusion_list.split(',').map(str::to_owned).collect(),
        }
    }
}
