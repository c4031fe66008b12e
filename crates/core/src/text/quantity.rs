//! Numbers for people: `byte_u_t`, `si_u_t`, `timespan_str`, `weightf_t`, `fixed_u_to_string`, `pg_vector_string`.

use axon_proto::UTime;

/// At most seven characters with the unit; whole multiples without decimals.
fn scaled(value: u64, step: u64, units: &[&str]) -> String {
    let (mut whole, mut index, mut mult) = (value, 0, 1u64);
    while whole >= step && index + 1 < units.len() {
        whole /= step;
        index += 1;
        mult = mult.saturating_mul(step);
    }
    let unit = units.get(index).copied().unwrap_or_default();
    if index == 0 || value.is_multiple_of(mult) {
        return whole.to_string() + unit;
    }
    let exact = value as f64 / mult as f64;
    // What cannot fit is not tried: rounding makes a text only longer.
    let digits = whole.checked_ilog10().map_or(1, |log| log as usize + 1);
    [2, 1]
        .into_iter()
        .filter(|precision| digits + 1 + precision + unit.len() <= 7)
        .map(|precision| format!("{exact:.precision$}{unit}"))
        .find(|text| text.len() <= 7)
        .unwrap_or_else(|| format!("{exact:.0}{unit}"))
}

/// `byte_u_t`: `1015 MiB`. A negative number is shown as upstream shows it: as a large positive one.
#[must_use]
pub fn bytes(value: i64) -> String {
    scaled(value as u64, 1024, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"])
}

/// `si_u_t`: `12.5k`.
#[must_use]
pub fn si(value: i64) -> String {
    scaled(value as u64, 1000, &["", "k", "M", "G", "T", "P", "E"])
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

/// Most weights are, and an integer is written faster.
fn is_small_integer(value: f32) -> bool {
    (0.0..1e6).contains(&value) && value.fract() == 0.0
}

/// `lowprecision_t` of `OSDMap.cc`.
#[must_use]
pub fn lowprecision(value: f32) -> String {
    match value {
        v if v < -0.01 => "-".to_owned(),
        v if v < 0.001 => "0".to_owned(),
        v if is_small_integer(v) => (v as u32).to_string() + ".00",
        v => format!("{v:.2}"),
    }
}

/// `weightf_t`.
#[must_use]
pub fn weight(value: f32) -> String {
    match value {
        v if v < -0.01 => "-".to_owned(),
        v if v < 0.000_001 => "0".to_owned(),
        v if is_small_integer(v) => (v as u32).to_string() + ".00000",
        v => format!("{v:.5}"),
    }
}

/// `pg_vector_string`: `[2,NONE,1]`.
#[must_use]
pub fn osd_list(osds: &[i32]) -> String {
    const NONE: i32 = 0x7fff_ffff;
    let items: Vec<String> =
        osds.iter().map(|osd| if *osd == NONE { "NONE".to_owned() } else { osd.to_string() }).collect();
    format!("[{}]", items.join(","))
}

/// `[0,2147483647,2]`: an acting set as Pacific writes it in some places, holes as their number.
#[must_use]
pub fn osd_list_raw(osds: &[i32]) -> String {
    let items: Vec<String> = osds.iter().map(ToString::to_string).collect();
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!((weight(0.003_89), weight(-1.0)), ("0.00389".to_owned(), "-".to_owned()));
        for value in [1.0, 20.0, 999_999.0, 1e6, 1e9, 0.5, 1.000_01, 3.999_999] {
            assert_eq!((weight(value), lowprecision(value)), (format!("{value:.5}"), format!("{value:.2}")));
        }
        assert_eq!(fixed(1_234_567, 3), "1234.567");
        assert_eq!(fixed(7, 3), "0.007");
        assert_eq!(osd_list(&[2, 0x7fff_ffff]), "[2,NONE]");
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
