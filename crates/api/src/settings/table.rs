//! The settings of each release with types and defaults, in upstream's order (`settings.py` `Options`).
//!
//! Invariant: `types` is upstream's list; the first type that takes a text wins.

use super::python::{literal, repr};
use crate::release::Release;
use serde_json::Value;

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    /// As JSON.
    pub default: &'static str,
    /// `str`, `int`, `bool`, `dict`, `list`, or two of them with a comma.
    pub types: &'static str,
    pub since: Release,
}

impl Setting {
    /// The default.
    #[must_use]
    pub fn default_value(&self) -> Value {
        serde_json::from_str(self.default).unwrap_or(Value::Null)
    }

    /// The default as a reader gets it: upstream casts it like any stored text, which makes the text `{}` of an empty
    /// dict that may also be a text.
    #[must_use]
    pub fn default_cast(&self) -> Value {
        let value = self.default_value();
        match (&value, self.types) {
            (Value::Object(_), "dict,str") => Value::String(repr(&value)),
            _ => value,
        }
    }

    /// A stored text as a value; `None` when no type takes it.
    #[must_use]
    pub fn cast(&self, text: &str) -> Option<Value> {
        self.types.split(',').find_map(|kind| match kind {
            "bool" => Some(Value::Bool(!text.eq_ignore_ascii_case("false") && !text.is_empty())),
            "int" => text.trim().parse::<i64>().ok().map(Value::from),
            "dict" => literal(text),
            "list" => Some(Value::Array(text.chars().map(|c| Value::from(c.to_string())).collect())),
            _ => Some(Value::from(text)),
        })
    }

    /// The text to store for a value.
    #[must_use]
    pub fn to_text(&self, value: &Value) -> String {
        match (self.types, value) {
            // The monitors write truth values so.
            ("bool", Value::Bool(b)) => b.to_string(),
            _ => repr(value),
        }
    }

    /// The name within the commands `dashboard get-`, `set-` and `reset-<name>`.
    #[must_use]
    pub fn command_name(&self) -> String {
        self.name.to_lowercase().replace('_', "-")
    }

    /// Whether REST shows it: names that are not all upper case cannot be asked for.
    #[must_use]
    pub fn in_rest(&self) -> bool {
        !self.name.contains(|c: char| c.is_ascii_lowercase())
    }
}

/// A setting of any release.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    ALL.iter().find(|s| s.name == name)
}

const fn row(name: &'static str, default: &'static str, types: &'static str, since: Release) -> Setting {
    Setting { name, default, types, since }
}

/// All of them.
pub const ALL: &[Setting] = &[
    row("ENABLE_BROWSABLE_API", "true", "bool", Release::Pacific),
    row("REST_REQUESTS_TIMEOUT", "45", "int", Release::Pacific),
    row("ACCOUNT_LOCKOUT_ATTEMPTS", "10", "int", Release::Pacific),
    row("AUDIT_API_ENABLED", "false", "bool", Release::Pacific),
    row("AUDIT_API_LOG_PAYLOAD", "true", "bool", Release::Pacific),
    row("RGW_API_ACCESS_KEY", r#""""#, "dict,str", Release::Pacific),
    row("RGW_API_SECRET_KEY", r#""""#, "dict,str", Release::Pacific),
    row("RGW_API_ADMIN_RESOURCE", r#""admin""#, "str", Release::Pacific),
    row("RGW_API_SSL_VERIFY", "true", "bool", Release::Pacific),
    row("RGW_HOSTNAME_PER_DAEMON", r#""""#, "dict,str", Release::Tentacle),
    row("ISSUE_TRACKER_API_KEY", r#""""#, "str", Release::Reef),
    row("GRAFANA_API_URL", r#""""#, "str", Release::Pacific),
    row("GRAFANA_FRONTEND_API_URL", r#""""#, "str", Release::Pacific),
    row("GRAFANA_API_USERNAME", r#""admin""#, "str", Release::Pacific),
    row("GRAFANA_API_PASSWORD", r#""admin""#, "str", Release::Pacific),
    row("GRAFANA_API_SSL_VERIFY", "true", "bool", Release::Pacific),
    row("GRAFANA_UPDATE_DASHBOARDS", "false", "bool", Release::Pacific),
    row("GANESHA_CLUSTERS_RADOS_POOL_NAMESPACE", r#""""#, "str", Release::Pacific),
    row("PROMETHEUS_API_HOST", r#""""#, "str", Release::Pacific),
    row("PROMETHEUS_API_SSL_VERIFY", "true", "bool", Release::Pacific),
    row("ALERTMANAGER_API_HOST", r#""""#, "str", Release::Pacific),
    row("ALERTMANAGER_API_SSL_VERIFY", "true", "bool", Release::Pacific),
    row("PROM_ALERT_CREDENTIAL_CACHE_TTL", "60", "int", Release::Tentacle),
    row("ISCSI_API_SSL_VERIFICATION", "true", "bool", Release::Pacific),
    row("USER_PWD_EXPIRATION_SPAN", "0", "int", Release::Pacific),
    row("USER_PWD_EXPIRATION_WARNING_1", "10", "int", Release::Pacific),
    row("USER_PWD_EXPIRATION_WARNING_2", "5", "int", Release::Pacific),
    row("PWD_POLICY_ENABLED", "true", "bool", Release::Pacific),
    row("PWD_POLICY_CHECK_LENGTH_ENABLED", "true", "bool", Release::Pacific),
    row("PWD_POLICY_CHECK_OLDPWD_ENABLED", "true", "bool", Release::Pacific),
    row("PWD_POLICY_CHECK_USERNAME_ENABLED", "false", "bool", Release::Pacific),
    row("PWD_POLICY_CHECK_EXCLUSION_LIST_ENABLED", "false", "bool", Release::Pacific),
    row("PWD_POLICY_CHECK_COMPLEXITY_ENABLED", "false", "bool", Release::Pacific),
    row("PWD_POLICY_CHECK_SEQUENTIAL_CHARS_ENABLED", "false", "bool", Release::Pacific),
    row("PWD_POLICY_CHECK_REPETITIVE_CHARS_ENABLED", "false", "bool", Release::Pacific),
    row("PWD_POLICY_MIN_LENGTH", "8", "int", Release::Pacific),
    row("PWD_POLICY_MIN_COMPLEXITY", "10", "int", Release::Pacific),
    row(
        "PWD_POLICY_EXCLUSION_LIST",
        r#""osd,host,dashboard,pool,block,nfs,ceph,monitors,gateway,logs,crush,maps""#,
        "str",
        Release::Pacific,
    ),
    row("MULTICLUSTER_CONFIG", "{}", "dict,str", Release::Tentacle),
    row("MANAGED_BY_CLUSTERS", "[]", "dict,list", Release::Tentacle),
    row("UNSAFE_TLS_v1_2", "false", "bool", Release::Pacific),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_default_is_json_of_its_type() {
        for setting in ALL {
            let fits = match setting.default_value() {
                Value::Bool(_) => "bool",
                Value::Number(_) => "int",
                Value::String(_) => "str",
                Value::Object(_) => "dict",
                Value::Array(_) => "list",
                Value::Null => "none",
            };
            assert!(setting.types.split(',').any(|t| t == fits), "{}", setting.name);
        }
    }

    #[test]
    fn texts_are_cast_by_the_first_type_that_takes_them() {
        let cast = |name, text| find(name).unwrap().cast(text);
        assert_eq!(cast("RGW_API_ACCESS_KEY", "{'a': 'x'}"), Some(json!({"a": "x"})));
        assert_eq!(cast("RGW_API_ACCESS_KEY", "ABC"), Some(json!("ABC")));
        assert_eq!(cast("PWD_POLICY_ENABLED", "False"), Some(json!(false)));
        assert_eq!(cast("PWD_POLICY_ENABLED", "true"), Some(json!(true)));
        assert_eq!(cast("REST_REQUESTS_TIMEOUT", "x"), None);
        assert_eq!(find("MULTICLUSTER_CONFIG").unwrap().default_cast(), json!("{}"));
        assert_eq!(find("MANAGED_BY_CLUSTERS").unwrap().default_cast(), json!([]));
    }

    #[test]
    fn releases_add_settings() {
        let count = |release| ALL.iter().filter(|s| s.since <= release).count();
        assert_eq!(Release::ALL.map(count), [36, 37, 41]);
    }
}
