//! Options by upstream's names as typed values with upstream's defaults: a table of them is a struct.
//!
//! Invariant: a value that cannot be read leaves the default standing, so that a slip in the configuration stops nothing.

use std::str::FromStr;

macro_rules! typed_options {
    ($(#[$about:meta])* $table:ident; $($(#[$doc:meta])* $name:ident: $type:ty = $default:expr;)*) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $table {
            $( $(#[$doc])* pub $name: $type, )*
        }

        impl Default for $table {
            fn default() -> Self {
                $table { $( $name: $default, )* }
            }
        }

        impl $table {
            /// Their names.
            pub const NAMES: &[&str] = &[$( stringify!($name) ),*];

            /// The values that are set, by name; what cannot be read keeps its default.
            #[must_use]
            pub fn from_config<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Self {
                let mut out = Self::default();
                $( $crate::config::typed::read(value(stringify!($name)), &mut out.$name); )*
                out
            }
        }
    };
}

pub(crate) use typed_options;

/// Any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);
impl FromStr for Text {
    type Err = std::convert::Infallible;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ok(Text(s.to_owned()))
    }
}

/// `secs` of upstream's options: whole seconds, or parts with units (`90`, `5s`, `1 min 30 s`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secs(pub u64);
impl FromStr for Secs {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let mut rest = s.trim();
        let mut sum = 0u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, tail) = rest.split_at(digits);
            let tail = tail.trim_start_matches([' ', '_']);
            let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let factor = match unit {
                "" | "s" | "sec" | "second" | "seconds" => 1,
                "m" | "min" | "minute" | "minutes" => 60,
                "h" | "hr" | "hour" | "hours" => 3600,
                "d" | "day" | "days" => 86_400,
                _ => return Err(()),
            };
            let number: u64 = number.parse().map_err(|_| ())?;
            sum = number.checked_mul(factor).and_then(|n| sum.checked_add(n)).ok_or(())?;
            rest = tail.trim_start_matches([' ', '_']);
        }
        Ok(Secs(sum))
    }
}

pub(crate) fn read<T: FromStr>(text: Option<&str>, place: &mut T) {
    let Some(text) = text.map(str::trim) else { return };
    // The monitors keep what the operator typed: 1 and yes are true as well, and a whole number may be written 60.0.
    let text = match text {
        "1" | "yes" | "on" if std::any::type_name::<T>() == "bool" => "true",
        "0" | "no" | "off" if std::any::type_name::<T>() == "bool" => "false",
        other => other,
    };
    if let Ok(value) = text.parse().or_else(|_| text.trim_end_matches('0').trim_end_matches('.').parse()) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_with_and_without_units() {
        for (text, secs) in [("2", 2), ("5s", 5), ("1_min", 60), ("1 min 30 s", 90), ("2hr", 7200)] {
            assert_eq!(text.parse(), Ok(Secs(secs)), "{text}");
        }
        for bad in ["x", "5 parsecs", "99999999999999999999", "3d 18446744073709551615"] {
            assert!(bad.parse::<Secs>().is_err(), "{bad}");
        }
    }
}
