//! The hops of one command or request: what took how long, as a tree. A trace is made by whoever wants one; the code on the way
//! asks for the current one and costs next to nothing when there is none.
//!
//! Invariants: a trace holds at most [`HOPS_MAX`] hops; it holds names, times and sizes, never arguments or data; time comes in
//! as an argument.
//!
//! Not here: sending traces anywhere (`axon-api`'s `telemetry`), showing one to an operator (`axon trace`).

use serde_json::{Value, json};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Most hops of one trace; later ones are left out.
pub const HOPS_MAX: usize = 64;

/// One hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Its number; the root has none.
    pub parent: Option<usize>,
    pub name: String,
    pub begun: Instant,
    /// `None`: it has not ended.
    pub ended: Option<Instant>,
    /// Sizes, modes, outcomes.
    pub notes: Vec<(&'static str, String)>,
}

/// A place in a trace: new hops go below it. Clones are the same place.
#[derive(Clone, Debug)]
pub struct Trace {
    hops: Arc<Mutex<Vec<Hop>>>,
    at: usize,
}

impl Trace {
    /// A new trace; the root's hop has begun.
    #[must_use]
    pub fn root(name: impl Into<String>, now: Instant) -> Trace {
        let root = Hop { parent: None, name: name.into(), begun: now, ended: None, notes: Vec::new() };
        Trace { hops: Arc::new(Mutex::new(vec![root])), at: 0 }
    }

    /// A hop below this one has begun.
    #[must_use]
    pub fn child(&self, name: impl Into<String>, now: Instant) -> Trace {
        let mut hops = self.lock();
        if hops.len() >= HOPS_MAX {
            return self.clone();
        }
        hops.push(Hop {
            parent: Some(self.at),
            name: name.into(),
            begun: now,
            ended: None,
            notes: Vec::new(),
        });
        Trace { hops: self.hops.clone(), at: hops.len() - 1 }
    }

    /// A hop below this one that is over.
    pub fn past(&self, name: impl Into<String>, begun: Instant, ended: Instant) -> Trace {
        let hop = self.child(name, begun);
        if hop.at != self.at {
            hop.end(ended);
        }
        hop
    }

    /// This hop has ended.
    pub fn end(&self, now: Instant) {
        if let Some(hop) = self.lock().get_mut(self.at) {
            hop.ended = hop.ended.or(Some(now));
        }
    }

    /// Says something about this hop.
    pub fn note(&self, key: &'static str, value: impl Into<String>) {
        if let Some(hop) = self.lock().get_mut(self.at) {
            hop.notes.push((key, value.into()));
        }
    }

    /// When this hop began.
    #[must_use]
    pub fn begun(&self) -> Option<Instant> {
        self.lock().get(self.at).map(|hop| hop.begun)
    }

    /// The newest hop directly below this one that has not ended.
    #[must_use]
    pub fn open_child(&self) -> Option<Trace> {
        let found = self.lock().iter().rposition(|hop| hop.parent == Some(self.at) && hop.ended.is_none());
        found.map(|at| Trace { hops: self.hops.clone(), at })
    }

    /// All hops, in the order in which they began to be recorded.
    #[must_use]
    pub fn hops(&self) -> Vec<Hop> {
        self.lock().clone()
    }

    /// The tree as lines of text.
    #[must_use]
    pub fn text(&self) -> String {
        Tree::of(&self.hops()).text()
    }

    /// The tree as JSON: name, microseconds since the root began, duration, notes, children.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let hops = self.hops();
        match hops.first() {
            Some(root) => json_of(&hops, 0, root.begun),
            None => Value::Null,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Hop>> {
        self.hops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn json_of(hops: &[Hop], at: usize, root: Instant) -> Value {
    let Some(hop) = hops.get(at) else { return Value::Null };
    let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    let children: Vec<Value> = (0..hops.len())
        .filter(|child| hops.get(*child).is_some_and(|c| c.parent == Some(at)))
        .map(|child| json_of(hops, child, root))
        .collect();
    let notes: serde_json::Map<String, Value> =
        hop.notes.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.as_str()))).collect();
    json!({
        "name": hop.name,
        "at_usec": micros(hop.begun.saturating_duration_since(root)),
        "usec": hop.ended.map(|ended| micros(ended.saturating_duration_since(hop.begun))),
        "notes": notes,
        "hops": children,
    })
}

/// A tree to print, of a trace here or of one that came as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    name: String,
    took: Option<Duration>,
    notes: Vec<String>,
    below: Vec<Tree>,
}

impl Tree {
    fn of(hops: &[Hop]) -> Tree {
        fn at(hops: &[Hop], n: usize) -> Tree {
            let Some(hop) = hops.get(n) else { return Tree::default() };
            let below = (0..hops.len()).filter(|c| hops.get(*c).is_some_and(|c| c.parent == Some(n)));
            Tree {
                name: hop.name.clone(),
                took: hop.ended.map(|ended| ended.saturating_duration_since(hop.begun)),
                notes: hop.notes.iter().map(|(key, value)| format!("{key} {value}")).collect(),
                below: below.map(|c| at(hops, c)).collect(),
            }
        }
        at(hops, 0)
    }

    /// Of what [`Trace::to_json`] gave.
    #[must_use]
    pub fn of_json(json: &Value) -> Tree {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Tree {
            name: json.get("name").map(text).unwrap_or_default(),
            took: json.get("usec").and_then(Value::as_u64).map(Duration::from_micros),
            notes: json
                .get("notes")
                .and_then(Value::as_object)
                .map(|notes| notes.iter().map(|(key, value)| format!("{key} {}", text(value))).collect())
                .unwrap_or_default(),
            below: json
                .get("hops")
                .and_then(Value::as_array)
                .map(|hops| hops.iter().map(Tree::of_json).collect())
                .unwrap_or_default(),
        }
    }

    /// Lines of text: name, milliseconds, notes.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        self.lines("", "", &mut lines);
        let width = lines.iter().map(|(name, _, _)| name.chars().count()).max().unwrap_or_default();
        let mut text = String::new();
        for (name, took, notes) in lines {
            let pad = width - name.chars().count();
            let line = format!("{name}{:pad$}  {took:>10}  {notes}", "");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn lines(&self, first: &str, rest: &str, lines: &mut Vec<(String, String, String)>) {
        let took = match self.took {
            Some(took) => format!("{:.3} ms", took.as_secs_f64() * 1e3),
            None => "not ended".to_owned(),
        };
        lines.push((format!("{first}{}", self.name), took, self.notes.join(", ")));
        for (n, below) in self.below.iter().enumerate() {
            let (branch, stem) =
                if n + 1 == self.below.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            below.lines(&format!("{rest}{branch}"), &format!("{rest}{stem}"), lines);
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

/// The place in the trace that the future under way belongs to.
#[must_use]
pub fn current() -> Option<Trace> {
    CURRENT.with_borrow(Clone::clone)
}

/// Runs `work` with `trace` as the current place, whichever threads poll it.
pub async fn scope<T>(trace: Trace, work: impl Future<Output = T> + Send) -> T {
    Scoped { trace, work: Box::pin(work) }.await
}

struct Scoped<'a, T> {
    trace: Trace,
    work: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
}

impl<T> Future for Scoped<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        /// Puts back what was there, also when the work panics.
        struct Outer(Option<Trace>);
        impl Drop for Outer {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _outer = Outer(CURRENT.replace(Some(self.trace.clone())));
        self.work.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::future::join;

    fn after(begun: Instant, micros: u64) -> Instant {
        begun + Duration::from_micros(micros)
    }

    #[test]
    fn hops_are_shown_as_a_tree_and_the_same_from_json() {
        let t0 = Instant::now();
        let root = Trace::root("GET /api/osd", t0);
        let command = root.child("command osd dump to mon", after(t0, 10));
        command.past("queue", after(t0, 10), after(t0, 25));
        let daemon = command.child("mon.a", after(t0, 25));
        daemon.note("sent", "112 bytes");
        assert_eq!(command.open_child().map(|hop| hop.at), Some(daemon.at));
        daemon.end(after(t0, 1525));
        command.end(after(t0, 1600));
        let _answer = root.child("answer", after(t0, 1600));
        root.end(after(t0, 1750));
        let text = root.text();
        assert_eq!(
            text,
            "GET /api/osd                  1.750 ms\n\
             ├─ command osd dump to mon    1.590 ms\n\
             │  ├─ queue                   0.015 ms\n\
             │  └─ mon.a                   1.500 ms  sent 112 bytes\n\
             └─ answer                    not ended\n"
        );
        assert_eq!(Tree::of_json(&root.to_json()).text(), text);
    }

    #[test]
    fn what_runs_inside_a_scope_finds_it_and_what_runs_beside_it_does_not() {
        let now = Instant::now();
        let (a, b) = (Trace::root("a", now), Trace::root("b", now));
        let name = || current().and_then(|t| t.hops().first().map(|hop| hop.name.clone()));
        let twice = |trace: Trace| {
            scope(trace, async move {
                let before = name();
                futures::pending!();
                (before, name())
            })
        };
        let both = async {
            let waker = futures::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::Ready(())
            });
            waker.await;
            join(twice(a.clone()), join(twice(b.clone()), async { name() })).await
        };
        // `pending!` needs another wake; an extra future gives it.
        let waking = futures::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let done = block_on(futures::future::select(Box::pin(both), waking));
        let futures::future::Either::Left(((in_a, (in_b, beside)), _)) = done else { panic!() };
        assert_eq!(in_a, (Some("a".into()), Some("a".into())));
        assert_eq!(in_b, (Some("b".into()), Some("b".into())));
        assert_eq!((beside, current().is_none()), (None, true));
    }

    #[test]
    fn a_trace_is_bounded() {
        let now = Instant::now();
        let root = Trace::root("r", now);
        for _ in 0..500 {
            root.past("x", now, now);
        }
        assert_eq!(root.hops().len(), HOPS_MAX);
        assert!(root.hops()[0].ended.is_none());
    }
}
