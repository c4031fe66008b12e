//! Counters as Python modules get them (`ActivePyModules::get_osd_perf_counters`, `get_mds_perf_counters`).

use super::{Counters, Kind};
use serde_json::{Value, json};

pub(super) fn show(kind: Kind, counters: &Counters) -> Value {
    let by_key = counters.by_key.iter();
    let list: Vec<Value> = by_key
        .map(|(key, values)| {
            let values: Vec<[u64; 2]> = values.iter().map(|(first, second)| [*first, *second]).collect();
            json!({"k": key, "c": values})
        })
        .collect();
    match kind {
        Kind::Osd => json!({"counters": list}),
        Kind::Mds => {
            let ranks: Vec<String> = counters.delayed_ranks.iter().map(ToString::to_string).collect();
            json!({"metrics": [[ranks.join(",")], list, [counters.last_updated_mono_secs]]})
        }
    }
}
