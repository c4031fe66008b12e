//! Times of day as the module tells and reads them, in UTC.

use axon_proto::UTime;

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(super) struct Moment {
    year: i64,
    month: usize,
    day: i64,
    hour: u32,
    minute: u32,
    second: u32,
    /// 0 is Sunday.
    pub weekday: usize,
}

impl Moment {
    pub fn of(time: UTime) -> Self {
        let (days, secs) = (i64::from(time.sec / 86_400), time.sec % 86_400);
        // The calendar's cycle of 400 years, which begins in March.
        let z = days + 719_468;
        let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = (from_march + 2) % 12;
        Moment {
            year: year + era * 400 + i64::from(month < 2),
            month: usize::try_from(month).unwrap_or(0),
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: secs / 3600,
            minute: secs / 60 % 60,
            second: secs % 60,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
        }
    }

    /// `HHMM`.
    pub fn time_of_day(&self) -> String {
        format!("{:02}{:02}", self.hour, self.minute)
    }

    /// `2026-11-24_13:19:29`.
    pub fn stamp(&self) -> String {
        let Moment { year, day, hour, minute, second, .. } = self;
        format!("{year}-{:02}-{day:02}_{hour:02}:{minute:02}:{second:02}", self.month + 1)
    }

    /// `time.asctime`.
    pub fn asctime(&self) -> String {
        let Moment { year, day, hour, minute, second, .. } = self;
        let name = |names: &[&'static str], at: usize| names.get(at).copied().unwrap_or_default();
        let (weekday, month) = (name(&DAYS, self.weekday), name(&MONTHS, self.month));
        format!("{weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_as_python_does() {
        let moment = |sec| Moment::of(UTime { sec, nsec: 0 });
        assert_eq!(moment(1_795_526_076).asctime(), "Tue Nov 24 13:14:36 2026");
        assert_eq!(moment(951_782_400).asctime(), "Tue Feb 29 00:00:00 2000");
        assert_eq!(moment(1_704_067_199).stamp(), "2023-12-31_23:59:59");
        assert_eq!((moment(5_400).time_of_day(), moment(5_400).weekday), ("0130".to_owned(), 4));
    }
}
