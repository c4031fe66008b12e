//! Objects in the wrong place or lost: OSD_SCRUB_ERRORS, OBJECT_MISPLACED, OBJECT_UNFOUND.

use super::Subject;
use crate::pg_map::OsdView;
use axon_proto::health::{HealthCheckMap, HealthStatus};

pub(super) fn check<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    let sum = &subject.map.pg_sum.stats;
    if sum.num_scrub_errors != 0 {
        let count = sum.num_scrub_errors;
        out.add("OSD_SCRUB_ERRORS", HealthStatus::ERR, format!("{count} scrub errors"), count);
    }
    if sum.num_objects_misplaced != 0 && sum.num_object_copies > 0 && subject.options.mon_warn_on_misplaced {
        let summary = part("misplaced", sum.num_objects_misplaced, sum.num_object_copies);
        out.add("OBJECT_MISPLACED", HealthStatus::WARN, summary, sum.num_objects_misplaced);
    }
    if sum.num_objects_unfound != 0 && sum.num_objects != 0 {
        let summary = part("unfound", sum.num_objects_unfound, sum.num_objects);
        let check = out.add("OBJECT_UNFOUND", HealthStatus::WARN, summary, sum.num_objects_unfound);
        let pgs = subject.map.pg_stat.iter().filter(|(_, stat)| stat.stats.num_objects_unfound != 0);
        for (pg, stat) in pgs {
            let count = stat.stats.num_objects_unfound;
            check.detail.push(format!("pg {pg} has {count} unfound objects"));
            if check.detail.len() > subject.options.mon_health_max_detail {
                check.detail.push("(additional pgs left out for brevity)".to_owned());
                break;
            }
        }
    }
}

fn part(what: &str, count: i64, of: i64) -> String {
    format!("{count}/{of} objects {what} ({:.3}%)", count as f64 / of as f64 * 100.0)
}
