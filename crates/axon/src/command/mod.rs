//! `axon command`: one command to one daemon, as `ceph` and `ceph tell` send it, with their exit codes.
//!
//! `words` turns words into a command; this file reads the arguments, asks, and prints.

mod words;

use crate::settings::{self, Given};
use anyhow::{Context, bail};
use axon_core::trace::{self, Trace};
use axon_core::{Command, CommandError, CommandOutput, Target};
use axon_net::mon::record_steps;
use axon_net::{Client, Event, EventReceiver};
use axon_proto::osd_map::{OSDMap, follow};
use axon_proto::{AuthEntity, Message};
use bytes::Bytes;
use clap::Parser;
use nix::errno::Errno;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;
use words::BadWords;

#[derive(Parser)]
#[command(
    name = "axon command",
    about = "Sends one command to a daemon of the cluster and prints its answer",
    after_help = "The exit code is 0, or the errno of the answer, as ceph's."
)]
pub struct Args {
    /// Who asks.
    #[arg(short, long, default_value = "client.admin")]
    name: AuthEntity,
    #[arg(short, long)]
    conf: Option<PathBuf>,
    #[arg(short, long)]
    keyring: Option<String>,
    /// Monitors, instead of the configuration file's.
    #[arg(short, long)]
    mon_host: Option<String>,
    #[arg(long)]
    cluster: Option<String>,
    /// mon, mon.NAME, osd.N, mds.NAME (or gid, rank, fs:rank, *), pg.POOL.SEED, mgr, mgr.NAME.
    #[arg(short, long, default_value = "mon")]
    target: Target,
    /// The file that travels with the command; - is standard input.
    #[arg(short, long)]
    input: Option<PathBuf>,
    /// Where the answer's data goes; standard output by default.
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// plain, json, json-pretty, xml, …: what the command offers.
    #[arg(short, long)]
    format: Option<String>,
    /// Seconds until the answer must have come, from the start.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
    /// The command: one JSON object, or words as typed behind `ceph`.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs; the exit code.
pub fn main(args: impl IntoIterator<Item = String>) -> ExitCode {
    let args = match Args::try_parse_from(std::iter::once("axon command".to_owned()).chain(args)) {
        Ok(args) => args,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { ExitCode::from(EINVAL) } else { ExitCode::SUCCESS };
        }
    };
    log_to_stderr();
    exit_code_of(ask(&args, None).and_then(|answer| print(answer, &args)))
}

/// Errors, or what `AXON_LOG` asks for.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("AXON_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Of what was asked; a failure is shown.
pub fn exit_code_of(done: anyhow::Result<impl Into<Done>>) -> ExitCode {
    let why = match done.map(Into::into) {
        Ok(Done(code)) => return code,
        Err(why) => why,
    };
    if let Some(bad) = why.downcast_ref::<BadWords>() {
        eprintln!("{bad}\nError EINVAL: invalid command");
        return ExitCode::from(EINVAL);
    }
    if let Some(no_table) = why.downcast_ref::<NoTable>() {
        let errno = no_table.why.errno();
        eprintln!("Error {}: {no_table}", errno_name(errno));
        return exit_code(errno);
    }
    eprintln!("axon: {why:#}");
    let errno = why.chain().find_map(|cause| cause.downcast_ref::<CommandError>()).map(CommandError::errno);
    errno.map_or(ExitCode::FAILURE, exit_code)
}

/// The daemon did not say which commands it has.
#[derive(Debug, thiserror::Error)]
#[error("problem getting command descriptions from {target}: {why}")]
struct NoTable {
    target: Target,
    why: CommandError,
}

/// The exit code of something that was done.
pub struct Done(ExitCode);

impl From<ExitCode> for Done {
    fn from(code: ExitCode) -> Self {
        Done(code)
    }
}

impl From<Result<CommandOutput, CommandError>> for Done {
    fn from(answer: Result<CommandOutput, CommandError>) -> Self {
        match answer {
            Ok(output) => Done(exit_code(output.retval.min(0).abs())),
            Err(why) => {
                eprintln!("Error {}: {why}", errno_name(why.errno()));
                Done(exit_code(why.errno()))
            }
        }
    }
}

impl Args {
    /// The command as it was typed.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// For a title: the words, or the prefix of JSON; arguments may be secret.
    pub fn asked(&self) -> String {
        let first = self.words.first().map(String::as_str).unwrap_or_default();
        match serde_json::from_str::<Value>(first) {
            Ok(json) => json.get("prefix").and_then(Value::as_str).unwrap_or_default().to_owned(),
            Err(_) => first.to_owned(),
        }
    }
}

/// Asks; `trace` gets the hops.
pub fn ask(args: &Args, trace: Option<&Trace>) -> anyhow::Result<Result<CommandOutput, CommandError>> {
    let input = match &args.input {
        None => Bytes::new(),
        Some(path) if path.as_os_str() == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("standard input cannot be read")?;
            bytes.into()
        }
        Some(path) => {
            std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?.into()
        }
    };
    let mut options = BTreeMap::new();
    options.extend(args.keyring.clone().map(|k| ("keyring".to_owned(), k)));
    options.extend(args.mon_host.clone().map(|m| ("mon_host".to_owned(), m)));
    let none = BTreeMap::new();
    let given = Given {
        conf: args.conf.as_deref(),
        cluster: args.cluster.as_deref(),
        options: &options,
        defaults: &none,
    };
    let settings = settings::read(&args.name, &given)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        let net = axon_net::Config::load(args.name.clone(), &|option| settings.value(option)).await?;
        let (client, events) = axon_net::connect(net)?;
        let until = Instant::now() + Duration::from_secs(args.timeout);
        let patience = Duration::from_secs(args.timeout);
        let open = client.ready(patience).await?;
        if let (Some(trace), Some(begun)) = (trace, trace.and_then(Trace::begun)) {
            let hop = trace.past(format!("session with mon.{}", open.mon), begun, Instant::now());
            if let (Some(first), Some(last)) = (open.steps.first(), open.steps.last()) {
                record_steps(&hop, &open.addr.to_string(), &open.steps, first.begun, last.ended);
            }
        }
        if matches!(args.target, Target::Osd(_) | Target::Pg(_)) {
            client.subscribe("osdmap", 0).await;
        }
        tokio::spawn(keep_osd_map(client.clone(), events));
        let (target, command) = command(args, &client, until).await?;
        let deadline = until.saturating_duration_since(Instant::now());
        let command = Command { args: command, input, deadline };
        let Some(trace) = trace else { return anyhow::Ok(client.command(target, command).await) };
        // The table of commands, by which words are understood, is not part of it.
        let commanded = trace::scope(trace.clone(), client.command(target, command)).await;
        trace.end(Instant::now());
        Ok(commanded)
    })?;
    Ok(answer)
}

/// The command to send and where: JSON as it is, words by the target's own table.
async fn command(
    args: &Args,
    client: &Client,
    until: Instant,
) -> anyhow::Result<(Target, Map<String, Value>)> {
    let (target, mut command) = match args.words.as_slice() {
        [json] if json.trim_start().starts_with('{') => {
            (args.target.clone(), serde_json::from_str(json).context("the command is no JSON object")?)
        }
        words => {
            let deadline = until.saturating_duration_since(Instant::now());
            let ask = Command { deadline, ..Command::json("get_command_descriptions") };
            let table = client.command(args.target.clone(), ask).await.and_then(CommandOutput::json);
            let table = table.map_err(|why| NoTable { target: args.target.clone(), why })?;
            let parsed = words::parse(&table, words)?;
            let target = match (&args.target, parsed.for_manager) {
                (Target::Mon, true) => Target::Mgr,
                (target, _) => target.clone(),
            };
            (target, parsed.args)
        }
    };
    if let Some(format) = &args.format {
        command.insert("format".to_owned(), format.as_str().into());
    }
    Ok((target, command))
}

/// OSD and placement group targets go by the newest OSD map.
async fn keep_osd_map(client: Client, mut events: EventReceiver) {
    let mut map = Arc::new(OSDMap::default());
    while let Some(event) = events.recv().await {
        let Event::Message(Message::MOSDMap(message)) = event else { continue };
        match follow(&mut map, &message) {
            Ok(_) => client.set_osd_map(map.clone()),
            Err(why) => {
                tracing::warn!(%why, "OSD map; asking for a full one");
                client.subscribe("osdmap", 0).await;
            }
        }
    }
}

pub fn print(answer: Result<CommandOutput, CommandError>, args: &Args) -> anyhow::Result<ExitCode> {
    let output = match answer {
        Ok(output) => output,
        Err(why) => {
            eprintln!("Error {}: {why}", errno_name(why.errno()));
            return Ok(exit_code(why.errno()));
        }
    };
    match output.retval {
        r if r < 0 => eprintln!("Error {}: {}", errno_name(-r), output.outs),
        _ if !output.outs.is_empty() => eprintln!("{}", output.outs),
        _ => {}
    }
    match &args.output {
        Some(path) => std::fs::write(path, &output.outbl)
            .with_context(|| format!("{} cannot be written", path.display()))?,
        None if !output.outbl.is_empty() => {
            let mut out = std::io::stdout().lock();
            // As `ceph`: what skips a status line before JSON still finds it.
            let json = args.format.as_deref().is_some_and(|format| format.starts_with("json"));
            let written = out.write_all(if json { b"\n" } else { b"" });
            let written = written.and_then(|()| out.write_all(&output.outbl)).and_then(|()| {
                match output.outbl.last() {
                    Some(b'\n') => Ok(()),
                    _ => out.write_all(b"\n"),
                }
            });
            // A reader that has seen enough is no failure.
            if let Err(e) = written
                && e.kind() != std::io::ErrorKind::BrokenPipe
            {
                bail!("the answer cannot be written: {e}");
            }
        }
        None => {}
    }
    Ok(exit_code(output.retval.min(0).abs()))
}

fn errno_name(errno: i32) -> String {
    format!("{:?}", Errno::from_raw(errno))
}

fn exit_code(errno: i32) -> ExitCode {
    ExitCode::from(u8::try_from(errno).unwrap_or(u8::MAX))
}

const EINVAL: u8 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_look_like_options_belong_to_the_command() {
        let args =
            Args::try_parse_from(["axon command", "-t", "mgr", "osd", "pool", "rm", "--force"]).unwrap();
        assert_eq!(args.words, ["osd", "pool", "rm", "--force"]);
        assert_eq!(args.target, Target::Mgr);
    }
}
