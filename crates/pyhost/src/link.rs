//! The connection to one host process: a task that reads, a task that writes, and the answers that are waited for.

use crate::wire::{BadFrame, FRAME_BYTES_MAX, Frame, Kind, PREFIX_BYTES, Prefix};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// Frames that may wait for a host that does not read.
const OUT_MAX: usize = 512;
/// Frames of a host that may wait for Axon.
const IN_MAX: usize = 64;

/// An answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub head: Value,
    pub tail: Bytes,
}

impl From<Value> for Answer {
    fn from(head: Value) -> Self {
        Answer { head, tail: Bytes::new() }
    }
}

/// A refusal, by the Python exception that it becomes or was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Refusal {
    pub kind: String,
    pub message: String,
}

impl Refusal {
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Refusal { kind: kind.to_owned(), message: message.into() }
    }
}

/// Why a call to a host has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// `begun`: it had said that it works on that (`["begun", number]`).
    #[error("the module's process has ended")]
    Gone { begun: bool },
    #[error("the module has not answered within {0} s")]
    Deadline(u64),
    #[error("{0}")]
    Refused(Refusal),
}

/// What a host sends by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    Call {
        number: u64,
        what: Vec<Value>,
        tail: Bytes,
    },
    Note {
        what: Vec<Value>,
    },
    /// It broke the rules and is no longer read.
    Bad(String),
}

/// Who waits for an answer.
#[derive(Debug)]
struct Waiter {
    answer: oneshot::Sender<Result<Answer, LinkError>>,
    begun: bool,
}

/// By number; `None` once the host has gone.
type Waiting = Arc<Mutex<Option<HashMap<u64, Waiter>>>>;

/// The connection. Dropping it ends both tasks.
#[derive(Debug)]
pub struct Link {
    out: mpsc::Sender<Frame>,
    waiting: Waiting,
    next: AtomicU64,
    tasks: [AbortHandle; 2],
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Link {
    /// Starts the tasks.
    pub fn open(stream: UnixStream) -> (Arc<Link>, mpsc::Receiver<Incoming>) {
        let (reading, writing) = stream.into_split();
        let (out, out_rx) = mpsc::channel(OUT_MAX);
        let (incoming, incoming_rx) = mpsc::channel(IN_MAX);
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let reader = tokio::spawn(read_all(reading, waiting.clone(), incoming)).abort_handle();
        let writer = tokio::spawn(write_all(writing, out_rx)).abort_handle();
        (Arc::new(Link { out, waiting, next: AtomicU64::new(1), tasks: [reader, writer] }), incoming_rx)
    }

    /// Asks and waits.
    pub async fn call(&self, head: Value, tail: Bytes, deadline: Duration) -> Result<Answer, LinkError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, receiver) = oneshot::channel();
        match lock(&self.waiting).as_mut() {
            Some(waiting) => waiting.insert(number, Waiter { answer, begun: false }),
            None => return Err(LinkError::Gone { begun: false }),
        };
        let forget = Forget { waiting: &self.waiting, number };
        let asked = async {
            let frame = Frame { kind: Kind::Call, number, head, tail };
            // Where the host takes no more the reader says what had begun.
            let _ = self.out.send(frame).await;
            receiver.await.unwrap_or(Err(LinkError::Gone { begun: true }))
        };
        let answer = tokio::time::timeout(deadline, asked).await;
        drop(forget);
        answer.unwrap_or(Err(LinkError::Deadline(deadline.as_secs())))
    }

    /// Tells without waiting; false when the host does not take it.
    pub fn note(&self, head: Value) -> bool {
        self.out.try_send(Frame { kind: Kind::Note, number: 0, head, tail: Bytes::new() }).is_ok()
    }

    /// Answers a call of the host.
    pub async fn answer(&self, number: u64, answer: Result<Answer, Refusal>) {
        let frame = match answer {
            Ok(Answer { head, tail }) if tail.len() as u64 <= FRAME_BYTES_MAX / 2 => {
                Frame { kind: Kind::Reply, number, head, tail }
            }
            Ok(Answer { tail, .. }) => refused(
                number,
                &Refusal::new(
                    "MemoryError",
                    format!("the answer has {} bytes, which is too much", tail.len()),
                ),
            ),
            Err(refusal) => refused(number, &refusal),
        };
        // A host that has gone needs no answer.
        let _ = self.out.send(frame).await;
    }

    /// Refuses a call of the host without waiting; a host that does not read loses the answer.
    pub fn refuse(&self, number: u64, refusal: &Refusal) {
        let _ = self.out.try_send(refused(number, refusal));
    }

    /// How many calls wait for an answer of the host.
    pub fn unanswered(&self) -> usize {
        lock(&self.waiting).as_ref().map_or(0, HashMap::len)
    }
}

fn lock(waiting: &Waiting) -> MutexGuard<'_, Option<HashMap<u64, Waiter>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A caller that stops waiting leaves nothing behind.
struct Forget<'a> {
    waiting: &'a Waiting,
    number: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(self.waiting).as_mut().and_then(|waiting| waiting.remove(&self.number));
    }
}

fn refused(number: u64, refusal: &Refusal) -> Frame {
    let head = json!({"type": refusal.kind, "message": refusal.message});
    Frame { kind: Kind::Error, number, head, tail: Bytes::new() }
}

async fn write_all(mut to: OwnedWriteHalf, mut frames: mpsc::Receiver<Frame>) {
    while let Some(frame) = frames.recv().await {
        let Ok(head) = frame.encode() else { continue };
        if to.write_all(&head).await.is_err() || to.write_all(&frame.tail).await.is_err() {
            return;
        }
    }
}

async fn read_all(mut from: OwnedReadHalf, waiting: Waiting, incoming: mpsc::Sender<Incoming>) {
    let bad = loop {
        let frame = match read_frame(&mut from).await {
            Ok(Some(frame)) => frame,
            Ok(None) => break None,
            Err(why) => break Some(why.to_string()),
        };
        let told = match (frame.kind, frame.head) {
            (Kind::Reply, head) => {
                settle(&waiting, frame.number, Ok(Answer { head, tail: frame.tail }));
                continue;
            }
            (Kind::Error, head) => {
                let text = |key: &str| head.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                let refusal = Refusal { kind: text("type"), message: text("message") };
                settle(&waiting, frame.number, Err(LinkError::Refused(refusal)));
                continue;
            }
            (Kind::Note, Value::Array(what)) if what.first().and_then(Value::as_str) == Some("begun") => {
                let number = what.get(1).and_then(Value::as_u64).unwrap_or_default();
                if let Some(waiter) = lock(&waiting).as_mut().and_then(|all| all.get_mut(&number)) {
                    waiter.begun = true;
                }
                continue;
            }
            (Kind::Call, Value::Array(what)) => {
                Incoming::Call { number: frame.number, what, tail: frame.tail }
            }
            (Kind::Note, Value::Array(what)) => Incoming::Note { what },
            (kind, _) => break Some(format!("a {kind:?} is not a list")),
        };
        // Where nobody attends the host any more, answers that are on their way still count.
        let _ = incoming.send(told).await;
    };
    let understood = bad.is_none();
    if let Some(why) = bad {
        let _ = incoming.send(Incoming::Bad(why)).await;
    }
    for waiter in lock(&waiting).take().into_iter().flat_map(HashMap::into_values) {
        let _ = waiter.answer.send(Err(LinkError::Gone { begun: waiter.begun || !understood }));
    }
}

fn settle(waiting: &Waiting, number: u64, answer: Result<Answer, LinkError>) {
    let waiter = lock(waiting).as_mut().and_then(|waiting| waiting.remove(&number));
    if let Some(waiter) = waiter {
        let _ = waiter.answer.send(answer);
    }
}

/// The next frame; `None` at an end between frames.
async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Frame>, BadFrame> {
    let mut prefix = [0; PREFIX_BYTES];
    if from.read_exact(&mut prefix).await.is_err() {
        return Ok(None);
    }
    let prefix = Prefix::decode(&prefix)?;
    let mut body = Vec::new();
    // Grows as bytes come, not by what was announced.
    let got = from.take(prefix.body_bytes()).read_to_end(&mut body).await;
    if got.is_err() || (body.len() as u64) < prefix.body_bytes() {
        return Ok(None);
    }
    Frame::decode(prefix, Bytes::from(body)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pair() -> (Arc<Link>, mpsc::Receiver<Incoming>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (link, incoming) = Link::open(ours);
        (link, incoming, theirs)
    }

    #[tokio::test]
    async fn answers_find_their_callers_in_any_order() {
        let (link, _incoming, mut host) = pair().await;
        let ask = |what: &'static str| {
            let link = link.clone();
            tokio::spawn(async move { link.call(json!([what]), Bytes::new(), Duration::from_secs(5)).await })
        };
        let (first, second) = (ask("a"), ask("b"));
        let mut calls = Vec::new();
        for _ in 0..2 {
            calls.push(read_frame(&mut host).await.unwrap().unwrap());
        }
        for call in calls.iter().rev() {
            let what = call.head[0].clone();
            let frame = Frame { kind: Kind::Reply, number: call.number, head: what, tail: Bytes::new() };
            host.write_all(&frame.encode().unwrap()).await.unwrap();
        }
        assert_eq!(first.await.unwrap().unwrap().head, "a");
        assert_eq!(second.await.unwrap().unwrap().head, "b");
    }

    #[tokio::test]
    async fn a_host_that_ends_or_is_silent_leaves_no_caller_waiting() {
        let (link, _incoming, host) = pair().await;
        let late = link.call(json!(["a"]), Bytes::new(), Duration::from_millis(20)).await;
        assert_eq!(late, Err(LinkError::Deadline(0)));
        assert_eq!(link.unanswered(), 0);
        let waits = link.call(json!(["b"]), Bytes::new(), Duration::from_secs(5));
        let (answer, ()) = tokio::join!(waits, async { drop(host) });
        assert_eq!(answer, Err(LinkError::Gone { begun: false }));
        let later = link.call(json!(["c"]), Bytes::new(), Duration::from_secs(5)).await;
        assert_eq!(later, Err(LinkError::Gone { begun: false }), "nobody reads an answer any more");
    }

    #[tokio::test]
    async fn what_had_begun_is_known_when_a_host_ends_and_what_it_answered_counts() {
        let (link, incoming, mut host) = pair().await;
        // Nobody attends it any more.
        drop(incoming);
        let calls: Vec<_> = (0..3)
            .map(|at| {
                let link = link.clone();
                let ask = async move { link.call(json!([at]), Bytes::new(), Duration::from_secs(5)).await };
                tokio::spawn(ask)
            })
            .collect();
        for _ in 0..3 {
            let call = read_frame(&mut host).await.unwrap().unwrap();
            let note = |head| Frame { kind: Kind::Note, number: 0, head, tail: Bytes::new() };
            let frames = match call.head[0].as_u64() {
                Some(0) => vec![note(json!(["log", "x"])), note(json!(["begun", call.number]))],
                Some(1) => vec![Frame { kind: Kind::Reply, ..call }],
                _ => Vec::new(),
            };
            for frame in frames {
                host.write_all(&frame.encode().unwrap()).await.unwrap();
            }
        }
        drop(host);
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap());
        }
        let gone = |begun| Err(LinkError::Gone { begun });
        assert_eq!(answers, [gone(true), Ok(json!([1]).into()), gone(false)]);
    }

    #[tokio::test]
    async fn garbage_ends_the_connection_with_a_reason() {
        let (link, mut incoming, mut host) = pair().await;
        host.write_all(&[7; 64]).await.unwrap();
        assert!(matches!(incoming.recv().await, Some(Incoming::Bad(why)) if why.contains("0x7")));
        assert_eq!(incoming.recv().await, None);
        let later = link.call(json!(["a"]), Bytes::new(), Duration::from_secs(5)).await;
        assert_eq!(later, Err(LinkError::Gone { begun: false }));
    }
}
