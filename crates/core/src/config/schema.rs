//! What an option is (`Option`, `src/common/options.{h,cc}`), as `config help` of the cluster's own daemons tells it: its type,
//! default and bounds, how its values are read and how they are shown. Oldest release: Pacific.
//!
//! Invariants: a value that does not fit its option's type or bounds is refused with upstream's errno; a default is never
//! refused.
//!
//! Not here: the table itself. It differs between releases, and the daemons that it describes have it.

use super::typed::Secs;
use axon_proto::{AddrType, EntityAddr};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A value of an option's type.
#[derive(Clone, Debug, PartialEq)]
pub enum OptionValue {
    /// An option without a default that is not set.
    None,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
}

/// Why a value was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(pub String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Int,
    Uint,
    Float,
    Bool,
    Size,
    Secs,
    Millisecs,
    Addr,
    Uuid,
    Text,
}

/// One option.
#[derive(Clone, Debug)]
pub struct OptionDesc {
    kind: Kind,
    /// Where it stands in the list of all.
    pub place: usize,
    /// The whole description, as `config help` prints it.
    pub json: Value,
}

/// Some or all options of a release, by name.
pub type Schema = BTreeMap<String, OptionDesc>;

impl OptionDesc {
    /// Reads an entry of `config help`; the option's name with it.
    #[must_use]
    pub fn from_json(json: Value) -> Option<(String, OptionDesc)> {
        let name = json.get("name")?.as_str()?.to_owned();
        let kind = match json.get("type")?.as_str()? {
            "int" => Kind::Int,
            "uint" => Kind::Uint,
            "float" => Kind::Float,
            "bool" => Kind::Bool,
            "size" => Kind::Size,
            "secs" => Kind::Secs,
            "millisecs" => Kind::Millisecs,
            "addr" => Kind::Addr,
            "uuid" => Kind::Uuid,
            // Lists of addresses are kept as they are written.
            _ => Kind::Text,
        };
        Some((name, OptionDesc { kind, place: 0, json }))
    }

    /// The default of a daemon.
    #[must_use]
    pub fn default_value(&self) -> OptionValue {
        let of = |field: &str| self.typed(self.json.get(field));
        match of("daemon_default") {
            OptionValue::None => of("default"),
            // A text has no other mark of "not set".
            OptionValue::Text(text) if text.is_empty() => of("default"),
            value => value,
        }
    }

    /// Whether a running daemon takes a new value.
    #[must_use]
    pub fn can_update_at_runtime(&self) -> bool {
        self.json.get("can_update_at_runtime").and_then(Value::as_bool).unwrap_or(false)
    }

    /// A switch.
    #[must_use]
    pub fn is_bool(&self) -> bool {
        self.kind == Kind::Bool
    }

    /// The level of one of the logging subsystems.
    #[must_use]
    pub fn is_log_level(&self) -> bool {
        self.json.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with("debug_"))
            && self.kind == Kind::Text
    }

    /// Reads a value that somebody wrote (`Option::parse_value`).
    pub fn parse(&self, text: &str) -> Result<OptionValue, BadValue> {
        let bad = |what: &str| BadValue(format!("'{text}' is not {what}"));
        let value = match self.kind {
            Kind::Int => OptionValue::Int(scaled(text, si_factor).ok_or_else(|| bad("a whole number"))?),
            Kind::Uint => unsigned(scaled(text, si_factor)).ok_or_else(|| bad("a whole number from 0 on"))?,
            Kind::Size => unsigned(scaled(text, iec_factor)).ok_or_else(|| bad("a size as 4096 or 4Ki"))?,
            Kind::Float => {
                let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
                OptionValue::Float(number.ok_or_else(|| bad("a number"))?)
            }
            Kind::Bool => OptionValue::Bool(truth(text).ok_or_else(|| bad("true or false"))?),
            Kind::Secs => {
                OptionValue::Uint(text.parse::<Secs>().map_err(|()| bad("a time as 90 or 1m 30s"))?.0)
            }
            Kind::Millisecs => {
                OptionValue::Uint(text.trim().parse().map_err(|_| bad("a number of milliseconds"))?)
            }
            Kind::Addr => OptionValue::Text(address(text).ok_or_else(|| bad("an address"))?),
            Kind::Uuid => OptionValue::Text(uuid(text).ok_or_else(|| bad("a UUID"))?),
            Kind::Text if self.is_log_level() => {
                OptionValue::Text(log_level(text).ok_or_else(|| bad("N or N/M"))?)
            }
            Kind::Text => OptionValue::Text(text.to_owned()),
        };
        self.check(&value)?;
        Ok(value)
    }

    fn check(&self, value: &OptionValue) -> Result<(), BadValue> {
        let bound = |field: &str| self.typed(self.json.get(field));
        let (min, max) = (bound("min"), bound("max"));
        if let (Some(number), Some(min)) = (value.number(), min.number())
            && number < min
        {
            return Err(BadValue(format!(
                "Value '{}' is below minimum {}",
                value.text(),
                bound("min").text()
            )));
        }
        if let (Some(number), Some(max)) = (value.number(), max.number())
            && number > max
        {
            return Err(BadValue(format!(
                "Value '{}' exceeds maximum {}",
                value.text(),
                bound("max").text()
            )));
        }
        let allowed = self.json.get("enum_values").and_then(Value::as_array).filter(|list| !list.is_empty());
        match (allowed, value) {
            (Some(list), OptionValue::Text(text)) if !list.iter().any(|one| one.as_str() == Some(text)) => {
                let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                Err(BadValue(format!("'{text}' is not one of the permitted values: {}", words.join(", "))))
            }
            _ => Ok(()),
        }
    }

    /// A value of the description: what is not text there is text here for some types (`2` seconds).
    fn typed(&self, json: Option<&Value>) -> OptionValue {
        match json {
            None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => OptionValue::None,
            Some(Value::String(text)) if text.is_empty() && self.kind != Kind::Text => OptionValue::None,
            Some(Value::String(text)) => match self.kind {
                Kind::Text | Kind::Addr | Kind::Uuid => OptionValue::Text(text.clone()),
                Kind::Float => text.parse().map_or(OptionValue::None, OptionValue::Float),
                Kind::Bool => truth(text).map_or(OptionValue::None, OptionValue::Bool),
                Kind::Int => text.parse().map_or(OptionValue::None, OptionValue::Int),
                Kind::Uint | Kind::Size | Kind::Secs | Kind::Millisecs => {
                    text.parse().map_or(OptionValue::None, OptionValue::Uint)
                }
            },
            Some(Value::Bool(set)) => OptionValue::Bool(*set),
            Some(Value::Number(number)) => match self.kind {
                Kind::Float => OptionValue::Float(number.as_f64().unwrap_or_default()),
                Kind::Int => number.as_i64().map_or(OptionValue::None, OptionValue::Int),
                _ => number.as_u64().map_or(OptionValue::None, OptionValue::Uint),
            },
        }
    }
}

impl OptionValue {
    /// As upstream prints it (`Option::to_str`); nothing for none.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            OptionValue::None => String::new(),
            OptionValue::Bool(set) => set.to_string(),
            OptionValue::Int(number) => number.to_string(),
            OptionValue::Uint(number) => number.to_string(),
            OptionValue::Float(number) => format!("{number:.6}"),
            OptionValue::Text(text) => text.clone(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            OptionValue::Int(number) => Some(*number as f64),
            OptionValue::Uint(number) => Some(*number as f64),
            OptionValue::Float(number) => Some(*number),
            OptionValue::None | OptionValue::Bool(_) | OptionValue::Text(_) => None,
        }
    }
}

impl OptionDesc {
    /// As `config diff` prints it: numbers and truths bare, sizes and times as text.
    #[must_use]
    pub fn to_json(&self, value: &OptionValue) -> Value {
        match (self.kind, value) {
            (Kind::Bool, OptionValue::Bool(set)) => Value::from(*set),
            (Kind::Int, OptionValue::Int(number)) => Value::from(*number),
            (Kind::Uint, OptionValue::Uint(number)) => Value::from(*number),
            (Kind::Float, OptionValue::Float(number)) => Value::from(*number),
            (_, value) => Value::from(value.text()),
        }
    }
}

fn unsigned(number: Option<i64>) -> Option<OptionValue> {
    number.and_then(|n| u64::try_from(n).ok()).map(OptionValue::Uint)
}

/// A size as upstream's options of that type take it: `4096`, `512M`, `4GiB`.
#[must_use]
pub fn size_bytes(text: &str) -> Option<u64> {
    scaled(text.trim(), iec_factor).and_then(|bytes| u64::try_from(bytes).ok())
}

/// A whole number with a unit behind it (`strict_si_cast`, `strict_iec_cast`).
fn scaled(text: &str, factor: fn(&str) -> Option<i64>) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    digits.parse::<i64>().ok()?.checked_mul(factor(unit)?)
}

fn si_factor(unit: &str) -> Option<i64> {
    let power = ["", "K", "M", "G", "T", "P", "E"].iter().position(|known| *known == unit)?;
    1000i64.checked_pow(u32::try_from(power).ok()?)
}

fn iec_factor(unit: &str) -> Option<i64> {
    if unit == "Bi" {
        return None;
    }
    let unit = if unit.len() > 1 { unit.strip_suffix('B').unwrap_or(unit) } else { unit };
    let letter = if unit.len() == 2 { unit.strip_suffix('i')? } else { unit };
    let power = match letter {
        "" | "B" => 0,
        _ => 1 + ["K", "M", "G", "T", "P", "E"].iter().position(|known| *known == letter)?,
    };
    1024i64.checked_pow(u32::try_from(power).ok()?)
}

/// What upstream reads as true and false.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        other => other.parse::<i64>().ok().map(|number| number != 0),
    }
}

/// `N` is `N/N`.
fn log_level(text: &str) -> Option<String> {
    let (log, gather) = text.split_once('/').unwrap_or((text, text));
    let level = |text: &str| text.trim().parse::<i16>().ok();
    Some(format!("{}/{}", level(log)?, level(gather)?))
}

fn uuid(text: &str) -> Option<String> {
    let fits =
        |(i, c): (usize, char)| if matches!(i, 8 | 13 | 18 | 23) { c == '-' } else { c.is_ascii_hexdigit() };
    let is_uuid = text.chars().count() == 36 && text.chars().enumerate().all(fits);
    is_uuid.then(|| text.to_ascii_lowercase())
}

/// `127.0.0.1` is `v2:127.0.0.1:0/0`.
fn address(text: &str) -> Option<String> {
    if text == "-" {
        return Some(text.to_owned());
    }
    let kinds = [("v1:", AddrType::LEGACY), ("v2:", AddrType::MSGR2), ("any:", AddrType::ANY)];
    let known = kinds.iter().find_map(|(mark, kind)| Some((text.strip_prefix(mark)?, *kind)));
    let (rest, kind) = known.unwrap_or((text, AddrType::MSGR2));
    let (place, nonce) = match rest.split_once('/') {
        Some((place, nonce)) => (place, nonce.parse().ok()?),
        None => (rest, 0),
    };
    let bare = place.strip_prefix('[').and_then(|p| p.strip_suffix(']')).unwrap_or(place);
    let sock = match bare.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, 0),
        Err(_) => place.parse::<SocketAddr>().ok()?,
    };
    Some(EntityAddr::new(kind, sock, nonce).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn option(kind: &str, default: Value) -> OptionDesc {
        let name = if kind == "log" { "debug_mgr" } else { "x" };
        let kind = if kind == "log" { "str" } else { kind };
        let json = json!({"name": name, "type": kind, "default": default, "daemon_default": "", "min": "", "max": ""});
        OptionDesc::from_json(json).unwrap().1
    }

    #[test]
    fn values_are_read_and_shown_as_upstream_does() {
        for (kind, written, shown) in [
            ("int", "-4", "-4"),
            ("int", "3K", "3000"),
            ("uint", "7", "7"),
            ("size", "4K", "4096"),
            ("size", "2GiB", "2147483648"),
            ("size", "3B", "3"),
            ("float", "0.05", "0.050000"),
            ("bool", "TRUE", "true"),
            ("bool", "7", "true"),
            ("secs", "1m 30s", "90"),
            ("millisecs", "250", "250"),
            ("addr", "127.0.0.1", "v2:127.0.0.1:0/0"),
            ("addr", "v1:[::1]:6789/3", "v1:[::1]:6789/3"),
            ("log", "3", "3/3"),
            ("log", "1/5", "1/5"),
            ("str", " as it is ", " as it is "),
        ] {
            let value = option(kind, json!("")).parse(written).unwrap();
            assert_eq!(value.text(), shown, "{kind} {written}");
        }
    }

    #[test]
    fn what_does_not_fit_the_type_is_refused() {
        for (kind, written) in [
            ("int", "abc"),
            ("int", "1Ki"),
            ("int", "99999999999999999999"),
            ("uint", "-1"),
            ("size", "1Bi"),
            ("size", "9E9"),
            ("float", "x"),
            ("float", "nan"),
            ("bool", "perhaps"),
            ("secs", "5 parsecs"),
            ("addr", "nowhere"),
            ("uuid", "abc"),
            ("log", "high"),
        ] {
            assert!(option(kind, json!("")).parse(written).is_err(), "{kind} {written}");
        }
    }

    #[test]
    fn bounds_and_permitted_words_are_kept() {
        let bounded = json!({"name": "x", "type": "int", "default": 3, "min": 1, "max": 5});
        let (_, bounded) = OptionDesc::from_json(bounded).unwrap();
        assert!(bounded.parse("5").is_ok());
        assert_eq!(bounded.parse("6").unwrap_err().0, "Value '6' exceeds maximum 5");
        assert_eq!(bounded.parse("0").unwrap_err().0, "Value '0' is below minimum 1");
        let words = json!({"name": "x", "type": "str", "default": "a", "enum_values": ["a", "b"]});
        let (_, words) = OptionDesc::from_json(words).unwrap();
        assert!(words.parse("b").is_ok() && words.parse("c").is_err());
    }

    #[test]
    fn a_daemons_default_counts_before_the_general_one() {
        let json = json!({"name": "x", "type": "bool", "default": true, "daemon_default": false});
        let (_, desc) = OptionDesc::from_json(json).unwrap();
        assert_eq!(desc.default_value(), OptionValue::Bool(false));
        assert_eq!(option("secs", json!("2")).default_value().text(), "2");
        assert_eq!(option("addr", json!("-")).default_value().text(), "-");
        assert_eq!(option("size", json!("4096")).to_json(&OptionValue::Uint(4096)), json!("4096"));
    }
}
