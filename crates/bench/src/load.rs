//! A closed-loop load: each connection sends its next request when the answer is there, for a fixed time.

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

#[derive(clap::Args, Clone)]
pub struct Options {
    /// `http://host:port/path`.
    #[arg(long)]
    url: Uri,
    /// `Name: value`, as often as needed.
    #[arg(long)]
    header: Vec<String>,
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// For how long requests are begun; each that was begun is waited for and counts.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How long to run before measuring.
    #[arg(long, default_value_t = 0.5)]
    warmup: f64,
}

/// Latencies of one connection, in nanoseconds, and the size of a body.
struct Outcome {
    latency_nanos: Vec<u64>,
    body_bytes: usize,
    last_end: Instant,
}

/// Runs the load. Any status but 200 ends it with an error: a fast refusal is not a result.
pub async fn run(options: Options) -> anyhow::Result<Value> {
    let start = Instant::now() + Duration::from_secs_f64(options.warmup);
    let end = start + Duration::from_secs_f64(options.seconds);
    let tasks: Vec<_> =
        (0..options.connections).map(|_| tokio::spawn(connection(options.clone(), start, end))).collect();
    let mut latency_nanos = Vec::new();
    let mut body_bytes = 0;
    let mut last_end = end;
    for task in tasks {
        let outcome = task.await??;
        latency_nanos.extend(outcome.latency_nanos);
        body_bytes = outcome.body_bytes;
        last_end = last_end.max(outcome.last_end);
    }
    // Requests that outlast the time count with all the time they took: no slow answer is cut off.
    let seconds = last_end.duration_since(start).as_secs_f64();
    latency_nanos.sort_unstable();
    if latency_nanos.is_empty() {
        bail!("no request ended within {} s", options.seconds);
    }
    let percentile = |p: f64| {
        let at = ((latency_nanos.len() - 1) as f64 * p).round() as usize;
        latency_nanos.get(at).copied().unwrap_or_default() as f64 / 1e3
    };
    Ok(json!({
        "url": options.url.to_string(),
        "connections": options.connections,
        "requests": latency_nanos.len(),
        "requests_per_sec": latency_nanos.len() as f64 / seconds,
        "p50_usec": percentile(0.50),
        "p99_usec": percentile(0.99),
        "max_usec": percentile(1.0),
        "body_bytes": body_bytes,
    }))
}

async fn connection(options: Options, start: Instant, end: Instant) -> anyhow::Result<Outcome> {
    let authority = options.url.authority().context("the URL has no host")?.to_string();
    let socket =
        TcpStream::connect(&authority).await.with_context(|| format!("connecting to {authority}"))?;
    socket.set_nodelay(true)?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(driver);
    let path = options.url.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    let mut outcome = Outcome { latency_nanos: Vec::new(), body_bytes: 0, last_end: start };
    loop {
        let begin = Instant::now();
        // However slow the answers are, each connection measures one that it asked for after the warm-up.
        if begin >= end && !outcome.latency_nanos.is_empty() {
            return Ok(outcome);
        }
        let mut request = Request::get(&path).header("host", &authority);
        for header in &options.header {
            let (name, value) = header.split_once(':').context("a header is `Name: value`")?;
            request = request.header(name.trim(), value.trim());
        }
        sender.ready().await?;
        let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status != StatusCode::OK {
            bail!("{status}: {}", String::from_utf8_lossy(&body));
        }
        if begin >= start {
            outcome.last_end = Instant::now();
            outcome.latency_nanos.push((outcome.last_end - begin).as_nanos() as u64);
            outcome.body_bytes = body.len();
        }
    }
}
