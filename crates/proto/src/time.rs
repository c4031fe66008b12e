//! `utime_t` (`src/include/utime.h`): seconds and nanoseconds since the epoch; also used for durations.

use axon_denc::denc_struct;
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time or a duration. `Display` and JSON are upstream's `2026-11-23T10:11:12.345678+0000`
/// (for values under ten years: seconds with six decimals, as upstream prints durations).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UTime {
    pub sec: u32,
    pub nsec: u32,
}
denc_struct!(utime_t; UTime { sec, nsec });

impl UTime {
    /// Upstream takes values under ten years for durations.
    const DURATION_SECS_MAX: u32 = 60 * 60 * 24 * 365 * 10;

    /// Zero: "never".
    pub const ZERO: UTime = UTime { sec: 0, nsec: 0 };

    /// Whether it is zero, which upstream uses for "never".
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// The same as a duration since the epoch.
    #[must_use]
    pub fn to_duration(self) -> Duration {
        Duration::new(u64::from(self.sec), 0) + Duration::from_nanos(u64::from(self.nsec))
    }

    /// Seconds with fraction.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        f64::from(self.sec) + f64::from(self.nsec) / 1e9
    }

    /// Year, month, day, hour, minute, second in UTC.
    #[must_use]
    pub fn civil(self) -> (i64, u32, u32, u32, u32, u32) {
        let secs = i64::from(self.sec);
        let (days, rem) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
        // Days to civil date by the 400-year cycle of the Gregorian calendar, starting in March.
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
        let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
        let year = yoe + era * 400 + i64::from(month <= 2);
        (year, month, day, (rem / 3600) as u32, (rem / 60 % 60) as u32, (rem % 60) as u32)
    }
}

impl UTime {
    /// The same point in time as upstream's `gmtime` prints it: `2026-11-23T10:11:12.345678Z`.
    #[must_use]
    pub fn gmtime(self) -> String {
        let text = self.to_string();
        text.strip_suffix("+0000").map(|t| format!("{t}Z")).unwrap_or(text)
    }
}

impl UTime {
    /// The same point in time as 20.2 formats a `real_clock::time_point`: a colon before the fraction.
    #[must_use]
    pub fn real_clock(self) -> String {
        let (year, month, day, hour, min, sec) = self.civil();
        let usec = self.nsec / 1000;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{min:02}:{sec:02}:{usec:06}+0000")
    }
}

impl From<Duration> for UTime {
    fn from(d: Duration) -> Self {
        UTime { sec: u32::try_from(d.as_secs()).unwrap_or(u32::MAX), nsec: d.subsec_nanos() }
    }
}

impl From<SystemTime> for UTime {
    fn from(t: SystemTime) -> Self {
        t.duration_since(UNIX_EPOCH).unwrap_or_default().into()
    }
}

impl fmt::Display for UTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usec = self.nsec / 1000;
        if self.sec < Self::DURATION_SECS_MAX {
            return write!(f, "{}.{usec:06}", self.sec);
        }
        let (year, month, day, hour, min, sec) = self.civil();
        // Digit by digit: a PG has a dozen dates, and a big cluster's `pg dump` is full of them.
        let mut text = *b"0000-00-00T00:00:00.000000+0000";
        digits(&mut text, 0..4, u32::try_from(year).unwrap_or(0));
        for (at, number) in [(5, month), (8, day), (11, hour), (14, min), (17, sec)] {
            digits(&mut text, at..at + 2, number);
        }
        digits(&mut text, 20..26, usec);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Writes the last digits of a number into their places.
fn digits(text: &mut [u8], places: Range<usize>, mut number: u32) {
    for place in text.get_mut(places).unwrap_or_default().iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

impl Serialize for UTime {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_reads_as_upstream_prints_it() {
        for (sec, nsec) in [(1_700_000_000, 0), (u32::MAX, 999_999_999), (951_782_400, 1000)] {
            let time = UTime { sec, nsec };
            let (year, month, day, hour, min, sec) = time.civil();
            let usec = nsec / 1000;
            let plain = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{min:02}:{sec:02}.{usec:06}+0000");
            assert_eq!(time.to_string(), plain);
        }
        assert_eq!(
            UTime { sec: 1_795_475_472, nsec: 345_678_999 }.to_string(),
            "2026-11-23T23:11:12.345678+0000"
        );
        assert_eq!(UTime { sec: 951_782_400, nsec: 0 }.to_string(), "2000-02-29T00:00:00.000000+0000");
        assert_eq!(UTime { sec: 5, nsec: 1_000_000 }.to_string(), "5.001000");
        assert_eq!(UTime::ZERO.to_string(), "0.000000");
    }
}
