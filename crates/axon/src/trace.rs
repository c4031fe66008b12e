//! `axon trace`: where the time of one command, or of one REST request of a running manager, goes: a tree of its hops. The same
//! hops go to an OpenTelemetry collector where the environment names one.

use crate::command;
use anyhow::{Context, bail};
use axon_api::outbound::{self, Ask};
use axon_api::telemetry::{self, Finished};
use axon_core::trace::{Trace, Tree};
use clap::{Args, Parser};
use http::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Parser)]
#[command(
    name = "axon trace",
    about = "Shows the hops of one command, or of one REST request, as a tree",
    after_help = "axon trace --target osd.0 perf dump\naxon trace --url https://HOST:8443 --user admin --password-file F GET /api/osd\n\n\
                  The tree goes to standard output, the answer nowhere; the exit code is the command's, or 1 for a status of \
                  400 and more. Spans go to OTEL_EXPORTER_OTLP_ENDPOINT too, if it is set."
)]
struct TraceArgs {
    #[command(flatten)]
    rest: Rest,
    /// As JSON instead of a tree.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    command: command::Args,
}

#[derive(Args)]
struct Rest {
    /// The manager's dashboard: the words are then `METHOD PATH [BODY]`.
    #[arg(long)]
    url: Option<String>,
    #[arg(long, requires = "url")]
    user: Option<String>,
    /// The file that holds the user's password.
    #[arg(long, requires = "user")]
    password_file: Option<PathBuf>,
    /// A file that holds a token, instead of user and password.
    #[arg(long, requires = "url", conflicts_with = "user")]
    token_file: Option<PathBuf>,
    /// Version of the media type that is accepted.
    #[arg(long, default_value = "1.0", requires = "url")]
    api_version: String,
    /// The server's certificate must be good.
    #[arg(long, requires = "url")]
    verify: bool,
}

/// Runs; the exit code.
pub fn main(args: impl IntoIterator<Item = String>) -> ExitCode {
    let args = match TraceArgs::try_parse_from(std::iter::once("axon trace".to_owned()).chain(args)) {
        Ok(args) => args,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { ExitCode::from(22) } else { ExitCode::SUCCESS };
        }
    };
    command::log_to_stderr();
    match &args.rest.url {
        Some(url) => rest(&args, url).unwrap_or_else(|why| {
            eprintln!("axon trace: {why:#}");
            ExitCode::FAILURE
        }),
        None => one_command(&args),
    }
}

fn one_command(args: &TraceArgs) -> ExitCode {
    let trace = Trace::root(format!("axon command {}", args.command.asked()), Instant::now());
    let answer = command::ask(&args.command, Some(&trace));
    trace.end(Instant::now());
    show(&trace.to_json(), args.json);
    if let Some(url) = telemetry::endpoint()
        && let Ok(runtime) = runtime()
    {
        runtime.block_on(telemetry::export(&url, &[Finished { trace, caller: None }]));
    }
    command::exit_code_of(answer)
}

fn rest(args: &TraceArgs, url: &str) -> anyhow::Result<ExitCode> {
    let (method, path, body) = match args.command.words() {
        [method, path] => (method, path, None),
        [method, path, body] => {
            (method, path, Some(serde_json::from_str::<Value>(body).context("the body is not JSON")?))
        }
        _ => bail!("METHOD PATH [BODY] are expected behind the options"),
    };
    let method: Method = method.to_uppercase().parse().context("the method")?;
    let base = url.trim_end_matches('/');
    let runtime = runtime()?;
    runtime.block_on(async {
        let token = token(&args.rest, base).await?;
        let accept = format!("application/vnd.ceph.api.v{}+json", args.rest.api_version);
        let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
        let mut headers = vec![("accept", accept.as_str()), ("axon-trace", "1")];
        headers.extend((!bearer.is_empty()).then_some(("authorization", bearer.as_str())));
        let ask = Ask {
            method: &method,
            url: &format!("{base}{path}"),
            login: None,
            headers: &headers,
            body: body.as_ref(),
            verify: args.rest.verify,
            deadline: Duration::from_secs(60),
        };
        let begun = Instant::now();
        let answered = outbound::send(ask).await?;
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let hops = answered.headers.get("axon-trace").and_then(|value| value.to_str().ok());
        let Some(hops) = hops.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            bail!(
                "{base} answered {} without a trace: is it Axon, and is the caller logged in?",
                answered.status
            );
        };
        let whole = json!({
            "name": format!("{method} {base}{path}"), "at_usec": 0, "usec": took,
            "notes": {"status": answered.status.as_str(), "body": format!("{} bytes", answered.body.len())},
            "hops": [hops],
        });
        show(&whole, args.json);
        Ok(if answered.status.as_u16() < 400 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

async fn token(rest: &Rest, base: &str) -> anyhow::Result<Option<String>> {
    let read = |path: &Path| -> anyhow::Result<String> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(text.trim().to_owned())
    };
    if let Some(path) = &rest.token_file {
        return read(path).map(Some);
    }
    let Some(user) = &rest.user else { return Ok(None) };
    let password = read(rest.password_file.as_deref().context("--password-file is missing")?)?;
    let ask = Ask {
        method: &Method::POST,
        url: &format!("{base}/api/auth"),
        login: None,
        headers: &[("accept", "application/vnd.ceph.api.v1.0+json")],
        body: Some(&json!({"username": user, "password": password})),
        verify: rest.verify,
        deadline: Duration::from_secs(30),
    };
    let answered = outbound::send(ask).await?;
    let body: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
    match body.get("token").and_then(Value::as_str) {
        Some(token) => Ok(Some(token.to_owned())),
        None => bail!("{user} cannot log in at {base}: status {}", answered.status),
    }
}

fn show(trace: &Value, as_json: bool) {
    match as_json {
        true => println!("{trace}"),
        false => print!("{}", Tree::of_json(trace).text()),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
