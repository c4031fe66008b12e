//! What is asked while managers change, and what a right answer looks like.

use axon_core::{Command, CommandError, CommandOutput};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A command and its judge.
#[derive(Clone)]
pub struct Question {
    /// What the figures call it.
    pub kind: &'static str,
    pub command: Command,
    /// What is wrong with an answer, if something is.
    pub judge: fn(&Value, &Truth) -> Option<String>,
}

/// What is true of the cluster all the time.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub osds: usize,
    pub pgs: u64,
    pub balancer_mode: String,
}

/// How one question ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Right,
    Wrong(String),
    /// A manager said no.
    Refused(i32, String),
    /// No answer: lost, or too late.
    Unanswered(String),
}

/// How long a command may take over a failover.
pub const DEADLINE: Duration = Duration::from_secs(90);

fn command(prefix: &str) -> Command {
    Command { deadline: DEADLINE, ..Command::json(prefix) }
}

/// A core command, one of the PG map, and a native module's.
#[must_use]
pub fn core() -> Vec<Question> {
    vec![
        Question { kind: "core: osd df", command: command("osd df"), judge: all_osds },
        Question { kind: "core: pg stat", command: command("pg stat"), judge: pgs_as_they_are },
        Question {
            kind: "native module: balancer status",
            command: command("balancer status"),
            judge: balancer_mode,
        },
    ]
}

/// A command of a module that runs in Python under every manager.
#[must_use]
pub fn stock() -> Question {
    Question {
        kind: "stock module: telemetry status",
        command: command("telemetry status"),
        judge: telemetry,
    }
}

/// How it ended, by what came back.
#[must_use]
pub fn judge(question: &Question, truth: &Truth, answer: Result<CommandOutput, CommandError>) -> Outcome {
    match answer {
        Ok(output) if output.retval < 0 => Outcome::Refused(-output.retval, output.outs),
        Ok(output) => match serde_json::from_slice(&output.outbl) {
            Ok(value) => (question.judge)(&value, truth).map_or(Outcome::Right, Outcome::Wrong),
            Err(why) => {
                Outcome::Wrong(format!("not JSON ({why}): {}", String::from_utf8_lossy(&output.outbl)))
            }
        },
        Err(CommandError::Daemon { errno, outs }) => Outcome::Refused(errno, outs),
        Err(why) => Outcome::Unanswered(why.to_string()),
    }
}

fn all_osds(answer: &Value, truth: &Truth) -> Option<String> {
    let nodes = answer["nodes"].as_array().map_or(0, Vec::len);
    (nodes != truth.osds).then(|| format!("{nodes} OSDs of {}", truth.osds))
}

/// All groups are counted; and once the manager says that its view is whole, all are as they are.
fn pgs_as_they_are(answer: &Value, truth: &Truth) -> Option<String> {
    let summary = answer.get("pg_summary").unwrap_or(answer);
    let total = summary["num_pgs"].as_u64().unwrap_or_default();
    if total != truth.pgs {
        return Some(format!("{total} placement groups of {}: {answer}", truth.pgs));
    }
    if answer["pg_ready"].as_bool() != Some(true) {
        return None;
    }
    let states = summary["num_pg_by_state"].as_array().into_iter().flatten();
    let states: BTreeMap<&str, u64> =
        states.filter_map(|s| Some((s["name"].as_str()?, s["num"].as_u64()?))).collect();
    // Scrubs come and go.
    let clean: u64 = states.iter().filter(|(name, _)| name.starts_with("active+clean")).map(|(_, n)| n).sum();
    (clean != truth.pgs).then(|| format!("said to be whole: {states:?}"))
}

/// The manager says that its view is whole, and all groups are clean in it.
#[must_use]
pub fn pgs_are_whole(answer: &Value, truth: &Truth) -> bool {
    answer["pg_ready"].as_bool() == Some(true) && pgs_as_they_are(answer, truth).is_none()
}

fn balancer_mode(answer: &Value, truth: &Truth) -> Option<String> {
    let mode = answer["mode"].as_str().unwrap_or_default();
    (mode != truth.balancer_mode).then(|| format!("mode {mode:?}, not {:?}", truth.balancer_mode))
}

fn telemetry(answer: &Value, _: &Truth) -> Option<String> {
    (answer["enabled"].as_bool() != Some(false)).then(|| format!("not what telemetry says: {answer}"))
}

/// By OSD, how far its reports have come (`seq` of `pg dump osds`).
#[must_use]
pub fn osd_reports(answer: &Value) -> BTreeMap<i64, u64> {
    let list = find(answer, "osd_stats").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|osd| Some((osd["osd"].as_i64()?, osd["seq"].as_u64()?))).collect()
}

fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    object.get(key).or_else(|| object.values().find_map(|inner| find(inner, key)))
}

/// The ranks of `fs status` whose MDS has reported its counters.
#[must_use]
pub fn mds_that_report(answer: &Value) -> usize {
    let ranks = answer["mdsmap"].as_array().into_iter().flatten();
    ranks.filter(|rank| rank["dns"].as_u64().is_some_and(|dns| dns > 0)).count()
}
