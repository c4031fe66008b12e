//! The manager's own commands: the same to upstream's manager and to Axon on one cluster, in every format, compared.
//!
//! JSON is compared field by field, other text by its shape: numbers count as equal, runs of blanks as one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axon_launcher::{Kind, Op, Release, Reply};
use serde_json::{Map, Value, json};

use crate::compare::diff::{Difference, differences};
use crate::compare::{May, Rule};
use crate::{Bench, xml};

/// Prefix, then `key=value`; a value that reads as JSON is JSON.
pub(super) const READ: &[&str] = &[
    "pg stat",
    "pg dump",
    "pg dump dumpcontents=[\"summary\"]",
    "pg dump dumpcontents=[\"sum\"]",
    "pg dump dumpcontents=[\"pools\"]",
    "pg dump dumpcontents=[\"osds\"]",
    "pg dump dumpcontents=[\"pgs\"]",
    "pg dump dumpcontents=[\"pgs_brief\"]",
    "pg dump dumpcontents=[\"pools\",\"osds\"]",
    "pg dump_json",
    "pg dump_pools_json",
    "pg ls",
    "pg ls states=[\"active\",\"clean\"]",
    "pg ls states=[\"wrong\"]",
    "pg ls pool=99",
    "pg ls-by-pool poolstr=rep",
    "pg ls-by-pool poolstr=nope",
    "pg ls-by-primary osd=0",
    "pg ls-by-osd osd=1",
    "pg ls-by-osd osd=77",
    "pg dump_stuck",
    "pg dump_stuck stuckops=[\"inactive\",\"stale\"] threshold=10",
    "pg debug debugop=unfound_objects_exist",
    "pg debug debugop=degraded_pgs_exist",
    "osd df",
    "osd df output_method=tree",
    "osd df output_method=tree filter_by=class filter=hdd",
    "osd df output_method=tree filter_by=name filter=rep",
    "osd df filter_by=name filter=nope",
    "osd perf",
    "osd blocked-by",
    "osd pool stats",
    "osd pool stats pool_name=rep",
    "osd pool stats pool_name=nope",
    "osd safe-to-destroy ids=[\"0\"]",
    "osd safe-to-destroy ids=[\"all\"]",
    "osd safe-to-destroy ids=[\"17\"]",
    "osd safe-to-destroy ids=[\"x\"]",
    "osd ok-to-stop ids=[\"0\"]",
    "osd ok-to-stop ids=[\"0\",\"1\",\"2\"]",
    "osd ok-to-stop ids=[\"0\"] max=3",
    "osd ok-to-upgrade crush_bucket=osd.1 ceph_version=20.3.0-3803-g63ca1ffb5a2",
    "osd ok-to-upgrade crush_bucket=osd.1 ceph_version=20.3.0-3803-g63ca1ffb5a2 max=-1",
    "osd ok-to-upgrade crush_bucket=osd.1 ceph_version=20.2.4",
    "osd ok-to-upgrade crush_bucket=default ceph_version=20.1.0-144.el9cp",
    "osd ok-to-upgrade crush_bucket=nope ceph_version=20.1.0-144.el9cp",
    "osd destroy id=0",
    "osd purge id=1",
    "osd purge id=77",
    "service dump",
    "service status",
    "config show who=osd.0",
    "config show who=osd.0 key=osd_max_scrubs",
    "config show who=osd.0 key=fsid",
    "config show who=osd.0 key=nope",
    "config show who=osd.99",
    "config show who=nonsense",
    "config show-with-defaults who=osd.0",
    "device ls",
    "device info devid=nope",
    "device ls-by-daemon who=osd.0",
    "device ls-by-daemon who=osd.99",
    "device ls-by-host host=nope",
    "osd test-reweight-by-utilization",
    "osd test-reweight-by-utilization oload=101 max_change=0.2",
    "osd test-reweight-by-utilization oload=99",
    "osd test-reweight-by-pg",
    "osd test-reweight-by-pg pools=[\"rep\"]",
    "osd test-reweight-by-pg pools=[\"nope\"]",
];

/// Commands of native modules whose stock twin answers too; not on 18.2.7, whose manager loads no module.
pub(super) const MODULES: &[&str] = &[
    "osd status",
    "osd status bucket=default",
    "osd status bucket=def*",
    "osd status bucket=nope",
    "fs status",
    "fs status fs=demo",
    "fs status fs=nope",
    "crash ls",
    "crash ls-new",
    "crash stat",
    "crash info id=nope",
    "crash archive id=nope",
    "crash json_report hours=24",
    "osd pool autoscale-status",
    "osd pool get noautoscale",
    "osd pool unset noautoscale",
    "iostat",
    "iostat width=121 print_header=true",
    "progress",
    "progress json",
    "progress on",
    "balancer pool ls",
    "balancer pool add pools=[\"nope\"]",
    "balancer eval",
    "balancer eval option=rep",
    "balancer eval option=nope",
    "balancer eval-verbose",
    "balancer eval-verbose option=rep",
    "balancer optimize plan=a",
    "balancer show plan=nope",
    "balancer dump plan=nope",
    "balancer execute plan=nope",
    "balancer rm plan=nope",
    "balancer reset",
    "balancer ls",
    "balancer status detail",
];

/// The commands of the manager itself (`src/mgr/MgrCommands.h`); all that the release has.
const CORE: &[&str] = &[
    "config show",
    "config show-with-defaults",
    "device info",
    "device ls",
    "device ls-by-daemon",
    "device ls-by-host",
    "device rm-life-expectancy",
    "device set-life-expectancy",
    "osd blocked-by",
    "osd deep-scrub",
    "osd destroy",
    "osd df",
    "osd ok-to-stop",
    "osd ok-to-upgrade",
    "osd perf",
    "osd pool cancel-force-backfill",
    "osd pool cancel-force-recovery",
    "osd pool deep-scrub",
    "osd pool force-backfill",
    "osd pool force-recovery",
    "osd pool repair",
    "osd pool scrub",
    "osd pool stats",
    "osd purge",
    "osd repair",
    "osd reweight-by-pg",
    "osd reweight-by-utilization",
    "osd safe-to-destroy",
    "osd scrub",
    "osd test-reweight-by-pg",
    "osd test-reweight-by-utilization",
    "pg cancel-force-backfill",
    "pg cancel-force-recovery",
    "pg debug",
    "pg deep-scrub",
    "pg dump",
    "pg dump_json",
    "pg dump_pools_json",
    "pg dump_stuck",
    "pg force-backfill",
    "pg force-recovery",
    "pg getmap",
    "pg ls",
    "pg ls-by-osd",
    "pg ls-by-pool",
    "pg ls-by-primary",
    "pg repair",
    "pg scrub",
    "pg stat",
    "service dump",
    "service status",
];

/// The commands of native modules, all of which `get_command_descriptions` must tell.
const DESCRIBED: &[&str] = &[
    "balancer",
    "crash",
    "fs status",
    "iostat",
    "osd pool autoscale-status",
    "osd pool get noautoscale",
    "osd pool get threshold",
    "osd pool set noautoscale",
    "osd pool set threshold",
    "osd pool unset noautoscale",
    "osd status",
    "progress",
];

/// Commands that change something, harmlessly and again.
const WRITE: &[&str] = &[
    "pg scrub pgid=\"1.99\"",
    "pg scrub pgid=nonsense",
    "pg scrub pgid=\"2.0\"",
    "pg deep-scrub pgid=\"2.0\"",
    "pg repair pgid=\"2.0\"",
    "pg force-recovery pgid=[\"2.0\"]",
    "pg force-backfill pgid=[\"2.0\"]",
    "pg cancel-force-recovery pgid=[\"2.0\"]",
    "pg cancel-force-backfill pgid=[\"2.0\"]",
    "pg force-recovery pgid=[\"99.0\"]",
    "osd pool force-recovery who=[\"rep\"]",
    "osd pool force-backfill who=[\"nope\"]",
    "osd pool cancel-force-recovery who=[\"rep\"]",
    "osd pool cancel-force-backfill who=[\"rep\"]",
    "osd scrub who=\"0\"",
    "osd deep-scrub who=\"0\"",
    "osd repair who=\"0\"",
    "osd scrub who=\"99\"",
    "osd scrub who=all",
    "osd pool scrub who=[\"rep\"]",
    "osd pool deep-scrub who=[\"rep\"]",
    "osd pool repair who=[\"nope\"]",
    "osd reweight-by-utilization",
    "osd reweight-by-pg",
    "device set-life-expectancy devid=AXON_TEST from=2030-01-02 to=2031-01-02",
    "device set-life-expectancy devid=AXON_TEST from=soon",
    "device info devid=AXON_TEST",
    "device rm-life-expectancy devid=AXON_TEST",
    "device rm-life-expectancy devid=AXON_NONE",
];

/// What moves by itself, by the last part of its name.
const MOVING: &[&str] = &[
    "stamp",
    "version",
    "reported_seq",
    "reported_epoch",
    "last_fresh",
    "last_change",
    "last_active",
    "last_peered",
    "last_clean",
    "last_became_active",
    "last_became_peered",
    "last_unstale",
    "last_undegraded",
    "last_fullsized",
    "last_epoch_clean",
    "last_scrub_stamp",
    "last_deep_scrub_stamp",
    "last_clean_scrub_stamp",
    "last_beacon",
    "seq",
    "kb_used",
    "kb_used_data",
    "kb_used_meta",
    "kb_avail",
    "allocated",
    "available",
    "internal_metadata",
    "kb_used_omap",
    "omap_allocated",
    "total_kb_used",
    "total_kb_used_data",
    "total_kb_used_meta",
    "total_kb_avail",
    "average_utilization",
    "utilization",
    "var",
    "dev",
    "min_var",
    "max_var",
    "commit_latency_ms",
    "apply_latency_ms",
    "commit_latency_ns",
    "apply_latency_ns",
    "stamp_delta",
    "last_osdmap_epoch",
    "last_pg_scan",
    "log_size",
    "ondisk_log_size",
    "log_dups_size",
    "scrub_schedule",
    "scrub_duration",
    "objects_scrubbed",
    "objects_trimmed",
    "snaptrim_duration",
    "last_scrub_duration",
    "status_stamp",
    "last_scrub",
    "last_deep_scrub",
    "total_kb_used_omap",
    "modified",
    "epoch",
    "avg_util",
    "overload_util",
    "overload_threshold",
    "num_scrub",
    "pg_summary",
    // The file system's journal.
    "num_bytes",
    "num_write",
    "num_write_kb",
    "num_read",
    "num_read_kb",
    "data_stored",
    "overload_utilization",
    "total_avail_bytes",
    "total_used_bytes",
    "total_used_raw_bytes",
    "num_omap_bytes",
    "num_omap_keys",
    "pg_stats_delta",
    "client_io_rate",
    "actual_capacity_ratio",
    "actual_raw_used",
    "capacity_ratio",
    "logical_used",
    "raw_used",
    "kb used",
    "kb available",
    "read byte rate",
    "read ops rate",
    "write byte rate",
    "write ops rate",
    "used",
    "avail",
    "rate",
    // An upstream manager mounts file systems.
    "clients",
    "caps",
];

pub fn as_upstream(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Ceph)?;
    for flag in ["noscrub", "nodeep-scrub"] {
        bench.cluster.mon_command(json!({"prefix": "osd set", "key": flag}))?;
    }
    bench.cluster.wait_well(ALLOWED, Duration::from_secs(120))?;
    nothing_is_scrubbed(bench)?;
    let release = bench.release();
    let (asks, writes) = (asks(release), writes());
    let upstream = (ask(bench, &asks)?, describe(bench)?);
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(ALLOWED, Duration::from_secs(120))?;
    let axon = (ask(bench, &asks)?, describe(bench)?);
    // For minutes OSDs do what these tell them: nobody is asked to show anything after them.
    let written_by_axon = at_once(bench, &writes)?;
    bench.only(Kind::Ceph)?;
    bench.cluster.wait_well(ALLOWED, Duration::from_secs(120))?;
    let written_by_upstream = at_once(bench, &writes)?;
    let differ = described_otherwise(release, &upstream.1, &axon.1)
        + answered_otherwise(release, &asks, &upstream.0, &axon.0).len()
        + answered_otherwise(release, &writes, &written_by_upstream, &written_by_axon).len();
    for flag in ["noscrub", "nodeep-scrub"] {
        bench.cluster.mon_command(json!({"prefix": "osd unset", "key": flag}))?;
    }
    let all = asks.len() + writes.len();
    ensure!(differ == 0, "{differ} of {all} commands are answered otherwise than by upstream");
    Ok(())
}

/// Waits for the end of what the commands before have begun.
fn nothing_is_scrubbed(bench: &Bench) -> Result<()> {
    let begun = Instant::now();
    loop {
        let status = bench.cluster.mon_command(json!({"prefix": "status", "format": "json"}))?;
        let status: Value = serde_json::from_str(&status)?;
        let states = &status["pgmap"]["pgs_by_state"];
        if !states.to_string().contains("scrubbing") {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(60), "the scrubs do not end: {states}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Prints how the descriptions differ; how many do.
pub(super) fn described_otherwise(
    release: Release,
    upstream: &BTreeMap<String, Value>,
    axon: &BTreeMap<String, Value>,
) -> usize {
    let mut differ = 0;
    for (prefix, described) in upstream {
        let is_of = |name: &&str| prefix == *name || prefix.starts_with(&format!("{name} "));
        match axon.get(prefix) {
            // Other modules' commands.
            None if !CORE.contains(&prefix.as_str()) && !DESCRIBED.iter().any(is_of) => {}
            Some(ours) if ours == described => {}
            // docs/differences.md
            _ if release == Release::Pacific && prefix == "osd reweight-by-utilization" => {}
            other => {
                differ += 1;
                println!("  {prefix}\n    upstream {described}\n    axon     {}", json!(other));
            }
        }
    }
    let core = CORE.iter().filter(|name| upstream.contains_key(**name)).count();
    println!("  {} descriptions, {core} of the manager itself", upstream.len());
    // One that upstream does not have would be refused by its command line.
    for name in CORE.iter().filter(|name| axon.contains_key(**name) && !upstream.contains_key(**name)) {
        differ += 1;
        println!("  {name}: not in upstream's {release}");
    }
    differ
}

/// Prints how the answers differ; the numbers of the commands where they do.
pub(super) fn answered_otherwise(
    release: Release,
    asks: &[Map<String, Value>],
    upstream: &[Reply],
    axon: &[Reply],
) -> Vec<usize> {
    let mut differ = Vec::new();
    for (nth, (command, (upstream, axon))) in asks.iter().zip(upstream.iter().zip(axon)).enumerate() {
        let found = compare(release, command, upstream, axon);
        if found.is_empty() {
            continue;
        }
        differ.push(nth);
        println!("  {}", Value::Object(command.clone()));
        for d in found.iter().take(6) {
            let (stock, axon) = apart(&d.stock, &d.axon);
            println!("    {}\n      upstream {}\n      axon     {}", d.at, shown(&stock), shown(&axon));
        }
        if found.len() > 6 {
            println!("    and {} more", found.len() - 6);
        }
    }
    println!("  {} commands", asks.len());
    differ
}

const ALLOWED: &[&str] = &["MGR_MODULE_DEPENDENCY", "OSDMAP_FLAGS"];

fn asks(release: Release) -> Vec<Map<String, Value>> {
    let formats = [None, Some("json"), Some("json-pretty")];
    let modules = if release == Release::Reef { &[] } else { MODULES };
    READ.iter().chain(modules).flat_map(|line| formats.map(|format| command(line, format))).collect()
}

fn writes() -> Vec<Map<String, Value>> {
    WRITE.iter().map(|line| command(line, None)).collect()
}

pub(super) fn command(line: &str, format: Option<&str>) -> Map<String, Value> {
    let mut out = Map::new();
    let mut prefix = Vec::new();
    for word in line.split(' ') {
        match word.split_once('=') {
            None => prefix.push(word),
            Some((key, value)) => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
                out.insert(key.to_owned(), value);
            }
        }
    }
    out.insert("prefix".to_owned(), prefix.join(" ").into());
    out.extend(format.map(|f| ("format".to_owned(), f.into())));
    out
}

pub(super) fn ask(bench: &Bench, asks: &[Map<String, Value>]) -> Result<Vec<Reply>> {
    // Upstream's manager knows rates and latencies once every OSD has reported twice.
    std::thread::sleep(Duration::from_secs(12));
    at_once(bench, asks)
}

fn at_once(bench: &Bench, asks: &[Map<String, Value>]) -> Result<Vec<Reply>> {
    let ops: Vec<Op> = asks.iter().map(|cmd| Op::Mgr { cmd: Value::Object(cmd.clone()) }).collect();
    bench.cluster.batch(&ops, 30)
}

/// Arguments, help and permission of the commands that the manager announces.
pub(super) fn describe(bench: &Bench) -> Result<BTreeMap<String, Value>> {
    let all = Op::Mgr { cmd: json!({"prefix": "get_command_descriptions"}) };
    let mut out = BTreeMap::new();
    for reply in bench.cluster.batch(&[all], 30)? {
        let Value::Object(entries) = reply.json()? else { continue };
        for entry in entries.into_values() {
            let words = entry["sig"].as_array().into_iter().flatten().map_while(Value::as_str);
            let prefix = words.collect::<Vec<_>>().join(" ");
            out.insert(prefix, entry);
        }
    }
    Ok(out)
}

fn compare(
    release: Release,
    command: &Map<String, Value>,
    upstream: &Reply,
    axon: &Reply,
) -> Vec<Difference> {
    let prefix = command.get("prefix").and_then(Value::as_str).unwrap_or_default();
    // A daemon that says that it has nothing to do is in `service dump`, without a thing about it; when it says so is chance.
    let left_out = match prefix {
        "service dump" => &["mds", "mgr", "mon", "osd"][..],
        "osd pool stats" | "pg stat" => RATES,
        _ => &[PING_TIMES],
    };
    let comparable = |reply: &Reply| {
        let text =
            if reply.out.starts_with('<') { xml::without(&reply.out, left_out) } else { String::new() };
        let (out, layout) = match (reply.json().ok(), xml::tree(&text)) {
            (Some(value), _) => (without(value, left_out), Some(vec![layout(&reply.out, left_out)])),
            (None, Some(tree)) => (tree, Some(xml::layout(&text))),
            (None, None) if HASHED.iter().any(|of| prefix.starts_with(of)) => {
                let mut lines: Vec<_> = shape(&reply.out).lines().map(ordered).collect();
                lines.sort();
                (Value::from(lines), None)
            }
            (None, None) => (Value::from(shape(&reply.out)), None),
        };
        json!({"ret": reply.ret, "err": shape(&reply.err), "out": without_moving(out), "layout": layout})
    };
    differences(&format!("{release} {prefix}"), &comparable(upstream), &comparable(axon), RULES)
}

const SLIPPED: &str = "upstream's times of a stored event are shifted by one field";

/// Whose text upstream prints in the order of a hash table.
const HASHED: &[&str] = &["pg dump", "pg stat", "osd perf", "osd blocked-by"];

/// The states of `pg stat` by name.
fn ordered(line: &str) -> String {
    let Some((head, (states, tail))) =
        line.split_once(" pgs: ").map(|(head, rest)| (head, rest.split_once("; ").unwrap_or((rest, ""))))
    else {
        return line.to_owned();
    };
    let mut states: Vec<&str> = states.split(", ").collect();
    states.sort_unstable();
    format!("{head} pgs: {}; {tail}", states.join(", "))
}

const RULES: &[Rule] = &[
    // Upstream's module reads back an event's fields in the wrong places, where one had ended before the
    // managers took turns: docs/differences.md.
    Rule { on: "* progress json", at: "out.completed.[].started_at", may: May::Differ, why: SLIPPED },
    Rule { on: "* progress json", at: "out.completed.[].finished_at", may: May::Differ, why: SLIPPED },
    Rule { on: "* progress json", at: "out.completed.[].add_to_ceph_s:", may: May::Differ, why: SLIPPED },
    Rule { on: "tentacle osd ok-to-stop", at: "**", may: May::Differ, why: "docs/differences.md" },
    Rule { on: "**", at: "**.pg_stats", may: May::Reorder, why: "hash order" },
    Rule { on: "**", at: "**.stuck_pg_stats", may: May::Reorder, why: "hash order" },
    Rule { on: "**", at: "**.pool_stats", may: May::Reorder, why: "hash order" },
    Rule { on: "**", at: "**.osd_stats", may: May::Reorder, why: "hash order" },
    Rule { on: "**", at: "**.num_pg_by_state", may: May::Reorder, why: "hash order" },
    Rule { on: "**", at: "**.osd_perf_infos", may: May::Reorder, why: "hash order" },
    Rule { on: "* pg debug", at: "layout", may: May::Differ, why: "the same" },
    Rule {
        on: "* pg debug",
        at: "out",
        may: May::Differ,
        why: "upstream's JSON is preceded by text: docs/differences.md",
    },
];

/// How JSON's first and last lines stand: whether it is indented, and what follows it. Where rates come and go with what somebody
/// writes just now, the last of them may be the last thing of the text: only its end is looked at.
fn layout(text: &str, left_out: &[&str]) -> String {
    let first = text.lines().next().unwrap_or_default().chars().take(1);
    let second = text.lines().nth(1).unwrap_or_default().chars().take_while(|c| *c == ' ');
    let mut last = text.chars().rev().take_while(|c| !c.is_alphanumeric() && *c != '"').collect::<Vec<_>>();
    if left_out == RATES {
        let blanks = last.iter().take_while(|c| c.is_whitespace()).count();
        last.truncate(blanks + 1);
    }
    first.chain(['|']).chain(second).chain(['|']).chain(last.into_iter().rev()).collect()
}

/// JSON without the members of these names.
fn without(value: Value, names: &[&str]) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(key, _)| !names.contains(&key.as_str()));
            Value::Object(kept.map(|(key, value)| (key, without(value, names))).collect())
        }
        Value::Array(items) => items.into_iter().map(|item| without(item, names)).collect(),
        other => other,
    }
}

/// OSDs send them only now and then; a manager that has run for longer has more.
const PING_TIMES: &str = "network_ping_times";

/// Present while somebody writes just now.
const RATES: &[&str] = &[
    "client_io_rate",
    "recovery_rate",
    "read_bytes_sec",
    "write_bytes_sec",
    "io_sec",
    "read_op_per_sec",
    "write_op_per_sec",
    "recovering_objects_per_sec",
    "recovering_bytes_per_sec",
    "recovering_keys_per_sec",
    "num_objects_recovered",
    "num_bytes_recovered",
    "num_keys_recovered",
];

/// Volatile values become their type's zero.
fn without_moving(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let still = |(key, value): (String, Value)| {
                let moves = MOVING.contains(&key.as_str());
                let value = match value {
                    Value::Number(_) if moves => Value::from(0),
                    Value::String(_) if moves => Value::from(""),
                    _ if moves => Value::Null,
                    other => without_moving(other),
                };
                (key, value)
            };
            Value::Object(fields.into_iter().map(still).collect())
        }
        Value::Array(items) => items.into_iter().map(without_moving).collect(),
        other => other,
    }
}

/// Text without its numbers and column widths.
pub(super) fn shape(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        // Whether a scrub is due and whether somebody writes just now.
        let line = ["periodic scrub", "queued for", "no scrub is"]
            .iter()
            .find_map(|s| line.split_once(s))
            .map_or(line, |(l, _)| l);
        let line = line.split_once(" avail; ").map_or(line, |(l, _)| l).trim_end_matches(" avail");
        if ["client io", "recovery io", "nothing is going on"]
            .iter()
            .any(|s| line.trim_start().starts_with(s))
        {
            continue;
        }
        let words = line.split_whitespace().map(|word| {
            // Whether somebody writes just now.
            let word = if word.ends_with("iB/s") { "B/s" } else { word };
            let masked: String = word.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
            let mut short = String::new();
            for c in masked.chars() {
                if !(c == '#' && short.ends_with(['#'])) {
                    short.push(c);
                }
            }
            let short = short.replace("#.#", "#");
            // An amount loses its prefix as it loses its digits: `0`, `12k` and `1.5M` are one shape; so are `59s` and `2m`.
            match short.strip_suffix(['k', 'M', 'G', 'T', 'P']) {
                Some(amount) if amount.ends_with('#') => amount.to_owned(),
                _ => match short.strip_suffix(['s', 'm', 'h', 'd', 'w']) {
                    Some("#") => "#t".to_owned(),
                    _ => short,
                },
            }
        });
        out.push_str(&words.collect::<Vec<_>>().join(" "));
        out.push('\n');
    }
    out
}

/// Of texts of many lines, those that only one side has.
fn apart(a: &Option<Value>, b: &Option<Value>) -> (Option<Value>, Option<Value>) {
    let lines = |value: &Option<Value>| -> Option<Vec<String>> {
        Some(value.as_ref()?.as_str()?.lines().map(str::to_owned).collect())
    };
    let (Some(ours), Some(theirs)) = (lines(a), lines(b)) else { return (a.clone(), b.clone()) };
    let only = |of: &[String], other: &[String]| -> Option<Value> {
        Some(of.iter().filter(|line| !other.contains(line)).cloned().collect::<Vec<_>>().into())
    };
    (only(&ours, &theirs), only(&theirs, &ours))
}

fn shown(value: &Option<Value>) -> String {
    let text = value.as_ref().map_or_else(|| "(absent)".to_owned(), ToString::to_string);
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compared_without_its_numbers() {
        assert_eq!(shape("ID  SIZE\n 0  12.5 GiB\n"), shape("ID SIZE\n10 1.25 GiB"));
        assert_eq!(shape("data  0 90.3M"), shape("data 12.0k 1G"));
        assert_ne!(shape("a 1"), shape("b 1"));
    }
}
