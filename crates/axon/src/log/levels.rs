//! From Ceph's logging subsystems (`debug_mgr = 4/5`; `src/common/subsys.h`) to what Axon's crates say, and from Axon's levels to Ceph's
//! priorities.
//!
//! Invariants: at a subsystem's default level its errors, warnings and informations are said; what is said is kept too. The second number
//! (`1/20`: what is kept in memory for `log dump`) counts where it was set; by default nothing else is kept, because it costs.

use axon_core::config::Settings;
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::filter::Targets;

/// A subsystem: its default level, from which levels on there are informations, details and everything, and who speaks for it.
struct Subsystem {
    option: &'static str,
    default: i32,
    info: i32,
    debug: i32,
    trace: i32,
    targets: &'static [&'static str],
}

const SUBSYSTEMS: &[Subsystem] = &[
    Subsystem {
        option: "debug_mgr",
        default: 2,
        info: 1,
        debug: 10,
        trace: 20,
        targets: &["axon", "axon_mgr", "axon_core", "axon_modules", "axon_pyhost", "axon_api"],
    },
    // Upstream's messages come at 1.
    Subsystem {
        option: "debug_ms",
        default: 0,
        info: 0,
        debug: 1,
        trace: 20,
        targets: &["axon_net", "axon_msgr"],
    },
    Subsystem {
        option: "debug_monc",
        default: 0,
        info: 0,
        debug: 10,
        trace: 20,
        targets: &["axon_net::mon", "axon_net::client"],
    },
    Subsystem {
        option: "debug_objecter",
        default: 0,
        info: 0,
        debug: 10,
        trace: 20,
        targets: &["axon_net::daemon"],
    },
    Subsystem {
        option: "debug_auth",
        default: 1,
        info: 1,
        debug: 10,
        trace: 20,
        targets: &["axon_cephx", "axon_net::auth"],
    },
    Subsystem {
        option: "debug_asok",
        default: 1,
        info: 1,
        debug: 10,
        trace: 20,
        targets: &["axon_mgr::admin_socket"],
    },
];

impl Subsystem {
    /// What is said, and what is kept.
    fn numbers(&self, settings: &Settings) -> (i32, i32) {
        let text = settings.value(self.option).unwrap_or_default();
        let mut numbers = text.split('/').map(|level| level.trim().parse::<i32>().ok());
        let said = numbers.next().flatten().unwrap_or(self.default);
        (said, numbers.next().flatten().unwrap_or(said).max(said))
    }

    fn level(&self, number: i32) -> LevelFilter {
        match number {
            level if level >= self.trace => LevelFilter::TRACE,
            level if level >= self.debug => LevelFilter::DEBUG,
            level if level >= self.info => LevelFilter::INFO,
            0.. => LevelFilter::WARN,
            _ => LevelFilter::ERROR,
        }
    }
}

/// What is said by the options in force.
pub fn filter(settings: &Settings) -> Targets {
    targets(|subsystem| subsystem.numbers(settings).0)
}

/// What is kept for `log dump`: that, and more where an option says so.
pub fn kept(settings: &Settings) -> Targets {
    targets(|subsystem| subsystem.numbers(settings).1)
}

/// The levels as `log dump` tells them.
pub fn told(settings: &Settings) -> Vec<String> {
    let line = |subsystem: &Subsystem| {
        let (said, kept) = subsystem.numbers(settings);
        format!("  {said:2}/{kept:2} {}", subsystem.option.trim_start_matches("debug_"))
    };
    SUBSYSTEMS.iter().map(line).collect()
}

fn targets(number: impl Fn(&Subsystem) -> i32) -> Targets {
    let levels = SUBSYSTEMS.iter().flat_map(|subsystem| {
        let level = subsystem.level(number(subsystem));
        subsystem.targets.iter().map(move |target| ((*target).to_owned(), level))
    });
    // Other people's crates.
    Targets::new().with_targets(levels).with_default(LevelFilter::WARN)
}

/// The subsystem that a target speaks for, as `CEPH_SUBSYS` of the journal has it.
pub fn subsystem(target: &str) -> &'static str {
    let of = |subsystem: &Subsystem| {
        let fits = |t: &&&str| {
            target.strip_prefix(**t).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        subsystem.targets.iter().filter(fits).map(|t| t.len()).max()
    };
    let best = SUBSYSTEMS.iter().filter_map(|s| Some((of(s)?, s.option))).max_by_key(|(length, _)| *length);
    best.map_or("none", |(_, option)| option.trim_start_matches("debug_"))
}

/// Ceph's priority of a level.
pub fn priority(level: Level) -> i32 {
    match level {
        Level::ERROR => -1,
        Level::WARN => 0,
        Level::INFO => 1,
        Level::DEBUG => 10,
        Level::TRACE => 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::config::{Level as From, Variables};

    fn said(option: &str, value: &str, target: &str) -> Vec<Level> {
        let mut settings = Settings::new(Variables::default());
        settings.set(From::File, option, value);
        let filter = filter(&settings);
        let all = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        all.into_iter().filter(|level| filter.would_enable(target, level)).collect()
    }

    #[test]
    fn levels_are_cephs() {
        assert_eq!(said("debug_mgr", "", "axon_mgr::run").last(), Some(&Level::INFO));
        assert_eq!(said("debug_mgr", "20", "axon_mgr::run").last(), Some(&Level::TRACE));
        assert_eq!(said("debug_mgr", "10/20", "axon_api").last(), Some(&Level::DEBUG));
        assert_eq!(said("debug_mgr", "0", "axon_mgr").last(), Some(&Level::WARN));
        assert_eq!(said("debug_mgr", "-1", "axon_mgr").last(), Some(&Level::ERROR));
        assert_eq!(said("debug_ms", "1", "axon_net::connection").last(), Some(&Level::DEBUG));
        assert_eq!(said("debug_ms", "1", "axon_net::mon::session").last(), Some(&Level::INFO));
        assert_eq!(said("debug_mgr", "20", "axon_net").last(), Some(&Level::INFO));
        assert_eq!(said("debug_mgr", "20", "hyper").last(), Some(&Level::WARN));
    }

    #[test]
    fn the_second_number_is_what_is_kept() {
        let kept = |value: &str| {
            let mut settings = Settings::new(Variables::default());
            settings.set(From::File, "debug_mgr", value);
            let filters = [filter(&settings), kept(&settings)];
            filters.map(|filter| filter.would_enable("axon_mgr", &Level::DEBUG))
        };
        assert_eq!(
            ["1/20", "1", "10/1", "2/5"].map(kept),
            [[false, true], [false, false], [true, true], [false, false]]
        );
    }

    #[test]
    fn the_nearest_subsystem_is_a_targets() {
        let of = ["axon_net::mon::session", "axon_net::listener", "axon_mgr::admin_socket", "axonx", "axon"];
        assert_eq!(of.map(subsystem), ["monc", "ms", "asok", "none", "mgr"]);
    }
}
