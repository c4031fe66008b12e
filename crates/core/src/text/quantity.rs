//! Numbers for people: `byte_u_t`, `si_u_t`, `timespan_str`, `weightf_t`, `fixed_u_to_string`, `pg_vector_string`.
//!
//! Those that fill the columns of large tables are types with `Display`, which make their decimals of integers, exactly.

use axon_proto::UTime;
use std::fmt;

/// At most seven characters with the unit; whole multiples without decimals.
fn scaled(f: &mut fmt::Formatter<'_>, value: u64, step: u64, units: &[&str]) -> fmt::Result {
    let (mut whole, mut index, mut mult) = (value, 0, 1u64);
    while whole >= step && index + 1 < units.len() {
        whole /= step;
        index += 1;
        mult = mult.saturating_mul(step);
    }
    let unit = units.get(index).copied().unwrap_or_default();
    if index == 0 || value.is_multiple_of(mult) {
        f.write_str(itoa::Buffer::new().format(whole))?;
        return f.write_str(unit);
    }
    // What cannot fit is not tried: rounding makes a text only longer.
    let digits = whole.checked_ilog10().map_or(1, |log| log as usize + 1);
    let room = 7usize.saturating_sub(unit.len());
    for precision in (1..=2).rev().filter(|precision| digits + 1 + precision <= room) {
        let text = Decimal::of_ratio(value, mult, precision);
        if text.as_str().len() <= room {
            f.write_str(text.as_str())?;
            return f.write_str(unit);
        }
    }
    f.write_str(Decimal::of_ratio(value, mult, 0).as_str())?;
    f.write_str(unit)
}

/// A number with so many digits behind the point, rounded as C's `printf` does: the exact value, and half to even.
struct Decimal {
    text: [u8; Self::ROOM],
    start: usize,
}

impl Decimal {
    const ROOM: usize = 24;
    const EMPTY: Decimal = Decimal { text: [b'0'; Self::ROOM], start: Self::ROOM };
    const POWERS: [u32; 6] = [1, 10, 100, 1000, 10_000, 100_000];

    /// Up to six digits before the point; its product with the power of ten has fewer binary digits than `f64`.
    fn of(value: f32, precision: usize) -> Self {
        let power = Self::POWERS.get(precision).copied().unwrap_or(1);
        Self::digits((f64::from(value) * f64::from(power)).round_ties_even() as u64, precision)
    }

    /// `value / by` as the division of floating-point numbers gives it.
    fn of_ratio(value: u64, by: u64, precision: usize) -> Self {
        const EXACT: u64 = 1 << 53;
        let power = u64::from(Self::POWERS.get(precision).copied().unwrap_or(1));
        if value < EXACT && by.is_power_of_two() {
            let (value, by) = (u128::from(value) * u128::from(power), u128::from(by));
            let (whole, rest) = (value / by, value % by * 2);
            let up = rest > by || rest == by && whole % 2 == 1;
            return Self::digits(u64::try_from(whole).unwrap_or(u64::MAX) + u64::from(up), precision);
        }
        let mut decimal = Self::EMPTY;
        let text = format!("{:.precision$}", value as f64 / by as f64);
        text.bytes().rev().for_each(|byte| decimal.push(byte));
        decimal
    }

    /// Of an integer, the point before its last digits.
    fn digits(mut number: u64, precision: usize) -> Self {
        let mut decimal = Self::EMPTY;
        for place in 0.. {
            if number == 0 && place > precision {
                break;
            }
            if place == precision && precision > 0 {
                decimal.push(b'.');
            }
            decimal.push(b'0' + (number % 10) as u8);
            number /= 10;
        }
        decimal
    }

    /// In front of what is there.
    fn push(&mut self, byte: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.text.get_mut(self.start) {
            *place = byte;
        }
    }

    fn as_str(&self) -> &str {
        self.text.get(self.start..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

/// `byte_u_t`: `1015 MiB`. A negative number is shown as upstream shows it: as a large positive one.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub i64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scaled(f, self.0 as u64, 1024, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"])
    }
}

/// [`Bytes`] as a text.
#[must_use]
pub fn bytes(value: i64) -> String {
    Bytes(value).to_string()
}

/// `si_u_t`: `12.5k`.
#[must_use]
pub fn si(value: i64) -> String {
    Si(value).to_string()
}

struct Si(i64);

impl fmt::Display for Si {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scaled(f, self.0 as u64, 1000, &["", "k", "M", "G", "T", "P", "E"])
    }
}

/// `timespan_str`: one unit, coarser the longer it is.
#[must_use]
pub fn age(span: UTime) -> String {
    let sec = u64::from(span.sec);
    if sec < 2 {
        return format!("{}s", short_float((sec as f64 + f64::from(span.nsec) / 1e9) as f32));
    }
    let (min, hr, day) = (sec / 60, sec / 3600, sec / 86_400);
    match () {
        () if sec < 120 => format!("{sec}s"),
        () if min < 120 => format!("{min}m"),
        () if hr < 48 => format!("{hr}h"),
        () if day < 14 => format!("{day}d"),
        () if day / 7 < 12 => format!("{}w", day / 7),
        () if day / 30 < 24 => format!("{}M", day / 30),
        () => format!("{}y", day / 365),
    }
}

/// C++'s default output of a float: six significant digits, no trailing zeros.
#[must_use]
pub fn short_float(value: f32) -> String {
    let decimals = if value == 0.0 {
        0
    } else if value >= 1.0 {
        5usize.saturating_sub(value.log10() as usize)
    } else if value >= 0.1 {
        6
    } else {
        7
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// C++'s output of a float with so many significant digits (`%.17g`), trailing zeros left out.
#[must_use]
pub fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { value.to_string().to_lowercase() };
    }
    let digits = digits.max(1);
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let decimals = digits as i32 - 1 - exponent;
    if exponent < -4 || decimals < 0 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs());
    }
    trimmed(&format!("{value:.*}", decimals as usize))
}

/// `fixed_u_to_string`: an integer with its last `scale` digits behind the point.
#[must_use]
pub fn fixed(value: u64, scale: u32) -> String {
    let one = 10u64.saturating_pow(scale);
    format!("{}.{:0width$}", value / one, value % one, width = scale as usize)
}

/// `percentify` of `PGMap.cc`: two decimals, `0` under one hundredth.
#[must_use]
pub fn percent(value: f32) -> String {
    if value < 0.01 { "0".to_owned() } else { format!("{value:.2}") }
}

/// Above it a number is left to the standard library; every weight and ratio that means something is below.
const SMALL: f32 = 1e6;

/// `lowprecision_t` of `OSDMap.cc`.
#[derive(Clone, Copy, Debug)]
pub struct LowPrecision(pub f32);

impl fmt::Display for LowPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            v if v < -0.01 => f.write_str("-"),
            v if v < 0.001 => f.write_str("0"),
            v if v < SMALL => f.write_str(Decimal::of(v, 2).as_str()),
            v => write!(f, "{v:.2}"),
        }
    }
}

/// `weightf_t`.
#[derive(Clone, Copy, Debug)]
pub struct Weight(pub f32);

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            v if v < -0.01 => f.write_str("-"),
            v if v < 0.000_001 => f.write_str("0"),
            v if v < SMALL => f.write_str(Decimal::of(v, 5).as_str()),
            v => write!(f, "{v:.5}"),
        }
    }
}

/// `pg_vector_string`: `[2,NONE,1]`.
#[derive(Clone, Copy, Debug)]
pub struct OsdList<'a>(pub &'a [i32]);

impl fmt::Display for OsdList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NONE: i32 = 0x7fff_ffff;
        write_list(f, self.0, |osd, digits| if osd == NONE { "NONE" } else { digits.format(osd) })
    }
}

/// `[0,2147483647,2]`: an acting set as Pacific writes it in some places, holes as their number.
#[derive(Clone, Copy, Debug)]
pub struct OsdListRaw<'a>(pub &'a [i32]);

impl fmt::Display for OsdListRaw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.0, |osd, digits| digits.format(osd))
    }
}

fn write_list(
    f: &mut fmt::Formatter<'_>,
    osds: &[i32],
    name: impl for<'b> Fn(i32, &'b mut itoa::Buffer) -> &'b str,
) -> fmt::Result {
    let mut digits = itoa::Buffer::new();
    f.write_str("[")?;
    for (at, osd) in osds.iter().enumerate() {
        if at > 0 {
            f.write_str(",")?;
        }
        f.write_str(name(*osd, &mut digits))?;
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantities_read_as_the_cli_shows_them() {
        assert_eq!(bytes(1_064_755_200), "1015 MiB");
        assert_eq!(bytes(12_884_901_888), "12 GiB");
        assert_eq!(bytes(11_820_146_688), "11 GiB");
        assert_eq!(bytes(354_914_304), "338 MiB");
        assert_eq!(bytes(3_940_048_896), "3.7 GiB");
        assert_eq!(bytes(50_408_868), "48 MiB");
        assert_eq!((bytes(0), bytes(1023)), ("0 B".to_owned(), "1023 B".to_owned()));
        assert_eq!((si(999), si(1500), si(12_345), si(2_000_000)), s4("999", "1.50k", "12.35k", "2M"));
        assert_eq!((percent(8.263_5), percent(0.001)), ("8.26".to_owned(), "0".to_owned()));
        assert_eq!(
            (Weight(0.003_89).to_string(), Weight(-1.0).to_string()),
            ("0.00389".to_owned(), "-".to_owned())
        );
        assert_eq!(fixed(1_234_567, 3), "1234.567");
        assert_eq!(fixed(7, 3), "0.007");
        assert_eq!(OsdList(&[2, 0x7fff_ffff]).to_string(), "[2,NONE]");
        assert_eq!(OsdListRaw(&[2, 0x7fff_ffff]).to_string(), "[2,2147483647]");
    }

    proptest! {
        /// The standard library rounds the exact value, and half to even, as the C library does.
        #[test]
        fn decimals_are_the_standard_librarys(value in 0.001f32..1e6, whole in 0u32..1_000_000, parts in 0u32..1024) {
            for value in [value, value * 1e-3, whole as f32, whole as f32 / 8.0, (whole / 1000) as f32 + parts as f32 / 1024.0] {
                prop_assert_eq!(Decimal::of(value, 5).as_str().to_owned(), format!("{value:.5}"));
                prop_assert_eq!(Decimal::of(value, 2).as_str().to_owned(), format!("{value:.2}"));
                if value >= 0.001 {
                    let texts = (Weight(value).to_string(), LowPrecision(value).to_string());
                    prop_assert_eq!(texts, (format!("{value:.5}"), format!("{value:.2}")));
                }
            }
        }

        #[test]
        fn sizes_are_what_floating_point_makes_of_them(value in any::<u64>(), shift in 0u32..64, by in 0u64..2048) {
            for value in [value >> shift, (by << 20 >> 9) + (by << 30), by * 512, by << (shift % 50)] {
                prop_assert_eq!(Bytes(value as i64).to_string(), by_floats(value));
            }
        }
    }

    fn by_floats(value: u64) -> String {
        const UNITS: [&str; 7] = [" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"];
        let index = (0..7).rev().find(|index| value >> (10 * index) > 0).unwrap_or(0);
        let mult = 1u64 << (10 * index);
        let exact = value as f64 / mult as f64;
        let unit = UNITS[index];
        if value.is_multiple_of(mult) {
            return format!("{}{unit}", value / mult);
        }
        let fits = |text: &String| text.len() <= 7;
        [2, 1]
            .map(|precision| format!("{exact:.precision$}{unit}"))
            .into_iter()
            .find(fits)
            .unwrap_or_else(|| format!("{exact:.0}{unit}"))
    }

    fn s4(a: &str, b: &str, c: &str, d: &str) -> (String, String, String, String) {
        (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned())
    }

    #[test]
    fn an_age_has_one_unit() {
        let age = |sec| super::age(UTime { sec, nsec: 0 });
        assert_eq!((age(2), age(119), age(120)), ("2s".to_owned(), "119s".to_owned(), "2m".to_owned()));
        assert_eq!(
            (age(7200), age(172_800), age(86_400 * 20)),
            ("2h".to_owned(), "2d".to_owned(), "2w".to_owned())
        );
        assert_eq!(super::age(UTime { sec: 1, nsec: 250_000_000 }), "1.25s");
        assert_eq!(super::age(UTime { sec: 0, nsec: 0 }), "0s");
    }
}
