//! The hops of a command and of a REST request as an OpenTelemetry collector gets them: a collector of this test's own, which
//! takes OTLP over HTTP with JSON.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axon_launcher::{Kind, Release};
use serde_json::{Value, json};

use crate::compare::get;
use crate::{Bench, http};

/// The spans of one command arrive as a tree that is whole; on the machine's own release also those of a REST request.
pub fn spans_reach_a_collector(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let (url, arrived) = collector()?;
    let program = bench.cluster.state().axon.clone().context("no axon program")?;
    let mut run = Command::new(program);
    run.arg("trace").arg("-c").arg(bench.cluster.conf_path());
    run.arg("-k").arg(bench.cluster.dir().join("keyring"));
    run.args(["-t", "osd.0", r#"{"prefix": "version"}"#]).env("OTEL_EXPORTER_OTLP_ENDPOINT", &url);
    let output = run.output().context("cannot run axon")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let wanted =
        ["axon command version", "session with mon.", "auth", "queue", "connect to osd.0", "osd.0 answers"];
    whole_tree(&await_trace(&arrived, "axon command")?, &wanted, &["frame in", "frame out", "mode"])?;
    if bench.release() == Release::Pacific { rest(bench, &url, &arrived) } else { Ok(()) }
}

/// The manager's own command line with the variable set: the launcher gives daemons a clean environment.
fn rest(bench: &mut Bench, url: &str, arrived: &Receiver<Value>) -> Result<()> {
    let pid = bench.cluster.process("mgr.x")?.pid;
    let line = std::fs::read(format!("/proc/{pid}/cmdline"))?;
    let words: Vec<_> = line.split(|b| *b == 0).filter(|word| !word.is_empty()).collect();
    let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let (program, args) = words.split_first().context("no command line")?;
    bench.cluster.stop("mgr.x")?;
    let log = std::fs::File::create(bench.cluster.dir().join("log/mgr.x.telemetry"))?;
    let mut mgr = Command::new(program)
        .args(args)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot run the manager")?;
    let seen = asked(bench, arrived);
    mgr.kill()?;
    mgr.wait()?;
    seen?;
    bench.only(Kind::Axon)
}

fn asked(bench: &Bench, arrived: &Receiver<Value>) -> Result<()> {
    const PASSWORD: &str = "Telemetry-Pass-1!";
    // The launcher knows only daemons that it has started.
    let until = Instant::now() + Duration::from_secs(90);
    while !is_available(bench)? {
        ensure!(Instant::now() < until, "mgr.x is not available");
        std::thread::sleep(Duration::from_millis(300));
    }
    let file = bench.cluster.dir().join("telemetry.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    bench.cluster.ceph_ok(&["dashboard", "ac-user-create", "observer", "-i", file, "read-only"])?;
    let base = bench.url(Kind::Axon).context("no port")?;
    let token = http::login(&base, "observer", PASSWORD)?;
    let answer = get("/api/osd/0/histogram").send(&base, Some(&token))?;
    ensure!(answer["status"] == 200, "{answer}");
    let wanted = ["GET /api/osd/0/histogram", "route", "handler", "command \"", "osd.0 answers"];
    whole_tree(&await_trace(arrived, "GET /api/osd/0/histogram")?, &wanted, &["frame in", "frame out"])
}

fn is_available(bench: &Bench) -> Result<bool> {
    let dump = bench.cluster.mon_command(json!({"prefix": "mgr dump", "format": "json"}))?;
    let dump: Value = serde_json::from_str(&dump)?;
    Ok(dump["active_name"] == "x" && dump["available"] == true)
}

/// Listens; the bodies of what is posted to `/v1/traces`.
fn collector() -> Result<(String, Receiver<Value>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let (bodies, arrived) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Ok(body) = posted(stream) else { continue };
            if bodies.send(body).is_err() {
                return;
            }
        }
    });
    Ok((url, arrived))
}

fn posted(mut stream: TcpStream) -> Result<Value> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    ensure!(first.starts_with("POST /v1/traces "), "{first}");
    loop {
        let mut line = String::new();
        ensure!(reader.read_line(&mut line)? > 0, "the request ends within its header");
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').context("a header")?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")?;
    Ok(serde_json::from_slice(&body)?)
}

/// The spans of the trace whose root has that name.
fn await_trace(arrived: &Receiver<Value>, root: &str) -> Result<Vec<Value>> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let body = arrived.recv_timeout(left).with_context(|| format!("no trace {root:?} has arrived"))?;
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().cloned();
        let spans = spans.with_context(|| format!("no spans in {body}"))?;
        let is_root = |span: &&Value| {
            span["parentSpanId"] == "" && span["name"].as_str().is_some_and(|name| name.starts_with(root))
        };
        let Some(trace) = spans.iter().find(is_root).map(|span| span["traceId"].clone()) else { continue };
        return Ok(spans.into_iter().filter(|span| span["traceId"] == trace).collect());
    }
}

/// Every span but one has its parent among them, none ends before it begins, and names and notes are there.
fn whole_tree(spans: &[Value], names: &[&str], notes: &[&str]) -> Result<()> {
    let all = || {
        let line = |span: &Value| format!("{} {}", span["name"], span["attributes"]);
        spans.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let orphans = spans.iter().filter(|span| !spans.iter().any(|s| s["spanId"] == span["parentSpanId"]));
    ensure!(orphans.count() == 1, "not one tree:\n{}", all());
    for span in spans {
        let nanos = |key: &str| span[key].as_str().and_then(|text| text.parse::<u128>().ok());
        let (begun, ended) = (nanos("startTimeUnixNano"), nanos("endTimeUnixNano"));
        ensure!(begun.is_some() && begun <= ended, "no times: {span}");
    }
    for name in names {
        let there = spans.iter().any(|span| span["name"].as_str().is_some_and(|n| n.starts_with(name)));
        ensure!(there, "no span {name:?} among\n{}", all());
    }
    for note in notes {
        let has =
            |span: &Value| span["attributes"].as_array().is_some_and(|a| a.iter().any(|a| a["key"] == *note));
        ensure!(spans.iter().any(has), "no note {note:?} among\n{}", all());
    }
    Ok(())
}
