//! Long operations: a task runs on when its client's wait is over, and an equal one that still runs is joined.
//! Upstream: `tools.py` `TaskManager`, `controllers/_task.py`.
//!
//! Invariants: equal means same name and metadata; of the finished ones the 10 newest are kept, others for 60 s.

use crate::http::operation::Answer;
use crate::http::reply::Body;
use crate::http::{ApiError, Reply};
use crate::release::Release;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, Shared};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const FINISHED_KEPT: usize = 10;
const FINISHED_TTL: Duration = Duration::from_secs(60);

/// A task's end: status (if not the row's) and body, or the error.
type Outcome = Result<(Option<http::StatusCode>, Bytes), ApiError>;

#[derive(Clone)]
struct Running {
    name: &'static str,
    metadata: Map<String, Value>,
    begin: SystemTime,
    outcome: Shared<BoxFuture<'static, Outcome>>,
}

struct Finished {
    name: &'static str,
    metadata: Map<String, Value>,
    begin: SystemTime,
    end: SystemTime,
    outcome: Outcome,
}

#[derive(Default)]
struct Lists {
    running: Vec<Running>,
    finished: Vec<Finished>,
}

/// All tasks of the server.
#[derive(Clone, Default)]
pub struct Tasks(Arc<Mutex<Lists>>);

impl Tasks {
    /// Runs a task, or joins an equal one, and waits: its answer, or 202 with its name and metadata.
    pub async fn run(
        &self,
        name: &'static str,
        metadata: Map<String, Value>,
        wait: Duration,
        work: BoxFuture<'static, Answer>,
    ) -> Answer {
        let outcome = self.start(name, &metadata, work);
        match tokio::time::timeout(wait, outcome).await {
            Ok(outcome) => {
                let (status, body) = outcome?;
                Ok(Reply { status, ..Reply::bytes(body) })
            }
            Err(_) => {
                Ok(Reply::json(&json!({"name": name, "metadata": metadata}))
                    .status(http::StatusCode::ACCEPTED))
            }
        }
    }

    fn start(
        &self,
        name: &'static str,
        metadata: &Map<String, Value>,
        work: BoxFuture<'static, Answer>,
    ) -> Shared<BoxFuture<'static, Outcome>> {
        let mut lists = self.lists();
        if let Some(equal) = lists.running.iter().find(|t| t.name == name && t.metadata == *metadata) {
            return equal.outcome.clone();
        }
        let handle = tokio::spawn(work);
        let outcome = async move {
            let answer =
                handle.await.unwrap_or_else(|e| Err(ApiError::internal(format!("the task broke off: {e}"))));
            answer.map(|reply| (reply.status, body(reply.body)))
        };
        let outcome = outcome.boxed().shared();
        let running =
            Running { name, metadata: metadata.clone(), begin: SystemTime::now(), outcome: outcome.clone() };
        lists.running.push(running.clone());
        drop(lists);
        let tasks = self.clone();
        tokio::spawn(async move {
            let outcome = running.outcome.clone().await;
            tasks.finish(running, outcome);
        });
        outcome
    }

    fn finish(&self, task: Running, outcome: Outcome) {
        let mut lists = self.lists();
        lists.running.retain(|t| t.name != task.name || t.metadata != task.metadata);
        let Running { name, metadata, begin, .. } = task;
        lists.finished.insert(0, Finished { name, metadata, begin, end: SystemTime::now(), outcome });
        lists.forget_old();
    }

    /// Executing and finished tasks whose name matches, newest first, as `/api/task` shows them.
    #[must_use]
    pub fn to_json(&self, glob: Option<&str>, release: Release) -> (Vec<Value>, Vec<Value>) {
        let mut lists = self.lists();
        lists.forget_old();
        let wanted = |name: &str| glob.is_none_or(|glob| glob.is_empty() || matches(glob, name));
        let time = |at| time_text(at, release);
        let mut running: Vec<_> = lists.running.iter().filter(|t| wanted(t.name)).collect();
        running.sort_by_key(|t| std::cmp::Reverse(t.begin));
        let running = running.into_iter().map(
            |t| json!({"name": t.name, "metadata": t.metadata, "begin_time": time(t.begin), "progress": 0}),
        );
        let finished = lists.finished.iter().filter(|t| wanted(t.name)).map(|t| {
            let value = |bytes: &Bytes| serde_json::from_slice(bytes).unwrap_or(Value::Null);
            json!({
                "name": t.name,
                "metadata": t.metadata,
                "begin_time": time(t.begin),
                "end_time": time(t.end),
                "duration": t.end.duration_since(t.begin).unwrap_or_default().as_secs_f64(),
                "progress": if t.outcome.is_ok() { 100 } else { 0 },
                "success": t.outcome.is_ok(),
                "ret_value": t.outcome.as_ref().map_or(Value::Null, |(_, body)| value(body)),
                "exception": t.outcome.as_ref().err().map(exception),
            })
        });
        (running.collect(), finished.collect())
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lists {
    fn forget_old(&mut self) {
        let mut index = 0;
        self.finished.retain(|task| {
            index += 1;
            index <= FINISHED_KEPT || task.end.elapsed().unwrap_or_default() <= FINISHED_TTL
        });
    }
}

fn exception(error: &ApiError) -> Value {
    let body = error.to_json();
    json!({"detail": body.get("detail")})
}

fn body(body: Body) -> Bytes {
    match body {
        Body::Empty => Bytes::new(),
        Body::Bytes(bytes) => bytes,
        Body::Cached(cached) => cached.plain(),
    }
}

/// Upstream writes UTC with an offset since Tentacle, and before that a `Z` without one.
#[must_use]
pub fn time_text(at: SystemTime, release: Release) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (date, secs) = (civil(since.as_secs() / 86_400), since.as_secs() % 86_400);
    let zone = if release >= Release::Tentacle { "+00:00" } else { "Z" };
    let ((y, m, d), micros) = (date, since.subsec_micros());
    format!(
        "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}.{micros:06}{zone}",
        secs / 3600,
        secs / 60 % 60,
        secs % 60
    )
}

/// Year, month, day of a day since 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// Shell patterns: `*` and `?`.
fn matches(glob: &str, name: &str) -> bool {
    let mut chars = glob.chars();
    match chars.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = chars.as_str();
            let starts = name.char_indices().map(|(i, _)| i).chain([name.len()]);
            starts.into_iter().any(|i| matches(rest, &name[i..]))
        }
        Some(c) => {
            let mut name = name.chars();
            name.next().is_some_and(|n| c == '?' || c == n) && matches(chars.as_str(), name.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(key: &str) -> Map<String, Value> {
        [("id".to_owned(), json!(key))].into_iter().collect()
    }

    #[tokio::test]
    async fn a_short_task_answers_itself_and_is_listed_as_finished() {
        let tasks = Tasks::default();
        let work = async { Ok(Reply::json(&json!({"done": 1}))) }.boxed();
        let reply = tasks.run("host/add", metadata("a"), Duration::from_secs(5), work).await.unwrap();
        assert!(reply.status.is_none());
        tokio::task::yield_now().await;
        let (running, finished) = tasks.to_json(Some("host/*"), Release::Reef);
        assert_eq!((running.len(), finished.len()), (0, 1));
        assert_eq!((&finished[0]["success"], &finished[0]["ret_value"]), (&json!(true), &json!({"done": 1})));
    }

    #[tokio::test]
    async fn a_long_task_is_accepted_and_an_equal_one_joins_it() {
        let tasks = Tasks::default();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let work = async {
            let _ = ended.await;
            Ok(Reply::null().status(http::StatusCode::CREATED))
        };
        let first = tasks.run("osd/create", metadata("a"), Duration::ZERO, work.boxed()).await.unwrap();
        assert_eq!(first.status, Some(http::StatusCode::ACCEPTED));
        assert_eq!(tasks.to_json(None, Release::Reef).0.len(), 1);
        let second = async { panic!("an equal task must not run") }.boxed();
        let joined = tasks.run("osd/create", metadata("a"), Duration::from_secs(5), second);
        end.send(()).unwrap();
        assert_eq!(joined.await.unwrap().status, Some(http::StatusCode::CREATED));
    }

    #[test]
    fn patterns_are_the_shells() {
        assert!(matches("osd/*", "osd/create") && matches("*", "") && matches("o?d*", "osd"));
        assert!(!matches("osd/", "osd/create") && !matches("?", ""));
    }

    #[test]
    fn times_are_utc() {
        let at = UNIX_EPOCH + Duration::from_micros(1_709_210_096_000_005);
        assert_eq!(time_text(at, Release::Reef), "2024-02-29T12:34:56.000005Z");
        assert_eq!(time_text(at, Release::Tentacle), "2024-02-29T12:34:56.000005+00:00");
    }
}
