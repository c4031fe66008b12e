//! A query as modules write it (`ceph_add_osd_perf_query`, `ceph_add_mds_perf_query` in `src/mgr/BaseMgrModule.cc`):
//!
//! ```json
//! {"key_descriptor": [{"type": "pool_id", "regex": "^(.+)$"}],
//!  "performance_counter_descriptors": ["ops"], "limit": {"order_by": "ops", "max_count": 10}}
//! ```
//!
//! Invariant: what upstream refuses is refused here, with a reason; whether an expression is right beyond its groups, the daemons
//! decide, as they do upstream.

use super::Kind;
use axon_proto::perf_metric::{
    CounterDescriptor, PerfMetricLimit, PerfMetricQuery, SubKeyDescriptor, VarList,
};
use serde_json::{Map, Value};

/// `OSDPerfMetricSubKeyType`, a name for each number from 0.
const OSD_SUB_KEYS: &[&str] =
    &["client_id", "client_address", "pool_id", "namespace", "osd_id", "pg_id", "object_name", "snap_id"];
/// `PerformanceCounterType`.
const OSD_COUNTERS: &[&str] = &[
    "ops",
    "write_ops",
    "read_ops",
    "bytes",
    "write_bytes",
    "read_bytes",
    "latency",
    "write_latency",
    "read_latency",
];
/// `MDSPerfMetricSubKeyType`.
const MDS_SUB_KEYS: &[&str] = &["mds_rank", "client_id"];
/// `MDSPerformanceCounterType`.
const MDS_COUNTERS: &[&str] = &[
    "cap_hit",
    "read_latency",
    "write_latency",
    "metadata_latency",
    "dentry_lease",
    "opened_files",
    "pinned_icaps",
    "opened_inodes",
    "read_io_sizes",
    "write_io_sizes",
    "avg_read_latency",
    "stdev_read_latency",
    "avg_write_latency",
    "stdev_write_latency",
    "avg_metadata_latency",
    "stdev_metadata_latency",
];

/// A query and its limit, or what is wrong with it.
pub fn parse(kind: Kind, query: &Value) -> Result<(PerfMetricQuery, Option<PerfMetricLimit>), String> {
    let mut keys = Vec::new();
    let mut counters = Vec::new();
    let mut limit = None;
    for (name, value) in object(query, "a query")? {
        match name.as_str() {
            "key_descriptor" => {
                for sub_key in list(value, name)? {
                    keys.push(sub_key_of(kind, sub_key)?);
                }
            }
            "performance_counter_descriptors" => {
                for counter in list(value, name)? {
                    counters.push(counter_of(kind, counter)?);
                }
            }
            "limit" => limit = Some(limit_of(kind, value)?),
            other => return Err(format!("unknown query param: {other}")),
        }
    }
    // MDSs send all counters where none is named.
    if keys.is_empty() || (kind == Kind::Osd && counters.is_empty()) {
        return Err("invalid query".to_owned());
    }
    if limit.is_some_and(|limit: PerfMetricLimit| !counters.contains(&limit.order_by)) {
        return Err("limit order_by not in performance_counter_descriptors".to_owned());
    }
    let query =
        PerfMetricQuery { key_descriptor: VarList(keys), performance_counter_descriptors: VarList(counters) };
    Ok((query, limit))
}

fn sub_key_of(kind: Kind, sub_key: &Value) -> Result<SubKeyDescriptor, String> {
    let names = if kind == Kind::Osd { OSD_SUB_KEYS } else { MDS_SUB_KEYS };
    let (mut number, mut regex) = (None, "");
    for (name, value) in object(sub_key, "a sub key")? {
        let text = text(value, name)?;
        match name.as_str() {
            "type" => number = Some(number_of(names, text)?),
            "regex" => {
                if groups(text).ok_or_else(|| format!("invalid regex {text}"))? == 0 {
                    return Err(format!("regex {text}: no capturing groups"));
                }
                regex = text;
            }
            other => return Err(format!("invalid param {other} of a sub key")),
        }
    }
    let kind = number.filter(|_| !regex.is_empty()).ok_or("a sub key needs a type and a regex")?;
    Ok(SubKeyDescriptor { kind, regex: regex.to_owned() })
}

fn counter_of(kind: Kind, counter: &Value) -> Result<CounterDescriptor, String> {
    let names = if kind == Kind::Osd { OSD_COUNTERS } else { MDS_COUNTERS };
    let name = text(counter, "performance_counter_descriptors")?;
    Ok(CounterDescriptor { kind: number_of(names, name)? })
}

fn limit_of(kind: Kind, limit: &Value) -> Result<PerfMetricLimit, String> {
    let mut order_by = None;
    let mut max_count = 0;
    for (name, value) in object(limit, "limit")? {
        match name.as_str() {
            "order_by" => order_by = Some(counter_of(kind, value)?),
            // A negative number is a very large one, as for `PyLong_AsLong` in a `uint64_t`.
            "max_count" => {
                let number = value.as_u64().or_else(|| value.as_i64().map(|n| n as u64));
                max_count = number.ok_or("max_count not an int")?;
            }
            other => return Err(format!("unknown limit param: {other}")),
        }
    }
    let order_by = order_by.ok_or("limit without order_by")?;
    Ok(PerfMetricLimit { order_by, max_count })
}

fn number_of(names: &[&str], name: &str) -> Result<u8, String> {
    let at = names.iter().position(|known| *known == name);
    at.and_then(|at| u8::try_from(at).ok()).ok_or_else(|| format!("{name} is not a valid type"))
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{what} is not a dict"))
}

fn list<'a>(value: &'a Value, what: &str) -> Result<&'a [Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("{what} not a list"))
}

fn text<'a>(value: &'a Value, what: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("{what} not a string"))
}

/// Capturing groups of an expression (`std::regex::mark_count`); `None` where brackets do not match or it ends in a backslash.
fn groups(regex: &str) -> Option<usize> {
    let (mut groups, mut depth, mut in_class) = (0, 0usize, false);
    let mut chars = regex.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()?),
            ']' if in_class => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '(' => {
                depth += 1;
                // `(?:`, `(?=` and `(?!` capture nothing.
                groups += usize::from(chars.peek() != Some(&'?'));
            }
            ')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    (depth == 0 && !in_class).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_query_of_rbd_support_is_read() {
        let query = json!({
            "key_descriptor": [
                {"type": "pool_id", "regex": "^(.*)$"},
                {"type": "object_name", "regex": "^(?:rbd|journal)_data\\.(?:([0-9]+)\\.)?([^.]+)\\."}],
            "performance_counter_descriptors": ["write_ops", "write_bytes"],
            "limit": {"order_by": "write_bytes", "max_count": 256}});
        let (query, limit) = parse(Kind::Osd, &query).unwrap();
        assert_eq!(query.key_descriptor.0.iter().map(|k| k.kind).collect::<Vec<_>>(), [2, 6]);
        assert_eq!(limit, Some(PerfMetricLimit { order_by: CounterDescriptor { kind: 4 }, max_count: 256 }));
    }

    #[test]
    fn what_upstream_refuses_is_refused() {
        let key = json!([{"type": "client_id", "regex": "^(.+)$"}]);
        let bad = [
            json!([]),
            json!({"key_descriptor": key}),
            json!({"key_descriptor": [], "performance_counter_descriptors": ["ops"]}),
            json!({"key_descriptor": key, "performance_counter_descriptors": ["nope"]}),
            json!({"key_descriptor": key, "performance_counter_descriptors": ["ops"], "x": 1}),
            json!({"key_descriptor": key, "performance_counter_descriptors": ["ops"],
                   "limit": {"order_by": "bytes", "max_count": 1}}),
            json!({"key_descriptor": [{"type": "client_id", "regex": "^.+$"}],
                   "performance_counter_descriptors": ["ops"]}),
            json!({"key_descriptor": [{"type": "client_id", "regex": "(.+"}],
                   "performance_counter_descriptors": ["ops"]}),
            json!({"key_descriptor": [{"type": "client_id"}], "performance_counter_descriptors": ["ops"]}),
        ];
        for query in bad {
            assert!(parse(Kind::Osd, &query).is_err(), "{query}");
        }
        assert!(parse(Kind::Mds, &json!({"key_descriptor": key})).is_ok(), "of an MDS all counters");
    }

    #[test]
    fn groups_are_counted_as_c_plus_plus_counts_them() {
        let expected = [
            ("(a)(b(c))", Some(3)),
            ("(?:a)(?=b)(?!c)", Some(0)),
            (r"\(a\)[(]", Some(0)),
            ("[", None),
            ("a)", None),
            (r"a\", None),
        ];
        for (regex, count) in expected {
            assert_eq!(groups(regex), count, "{regex}");
        }
    }
}
