//! What keeps a manager from starting is said in words and ends it with an exit code, within seconds; a condition that can pass,
//! a monitor that is not there yet, is waited for.

use crate::Bench;
use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Kind;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No working start is among these; what does not end is a hang.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

pub fn errors_are_told_and_a_missing_monitor_is_awaited(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    errors_are_told(bench)?;
    a_missing_monitor_is_awaited(bench)
}

fn errors_are_told(bench: &Bench) -> Result<()> {
    let axon = bench.cluster.state().axon.as_ref().context("no axon program")?;
    let dir = bench.cluster.dir();
    let conf = bench.cluster.conf_path();
    let conf = conf.to_str().context("the folder's name is not UTF-8")?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = dir.join(name);
        std::fs::write(&path, text)?;
        Ok(path.to_str().context("the folder's name is not UTF-8")?.to_owned())
    };
    let foreign_key = bench.cluster.ceph_ok(&["auth", "get-key", "osd.0"])?;
    let garbage = file("startup.garbage", "[mgr.x]\n\tkey = not base64!\n")?;
    let of_another = file("startup.other", &format!("[osd.0]\n\tkey = {}\n", foreign_key.trim()))?;
    let wrong = file("startup.wrong", &format!("[mgr.x]\n\tkey = {}\n", foreign_key.trim()))?;
    let unknown = file("startup.unknown", &format!("[mgr.nobody]\n\tkey = {}\n", foreign_key.trim()))?;
    let hostless = file("startup.conf", "[global]\n\tauth client required = cephx\n")?;
    let absent = dir.join("startup.absent");
    let absent = absent.to_str().context("the folder's name is not UTF-8")?;

    // Arguments behind `axon mgr -f`, the exit code, and words that the message must have.
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["-c", conf], 22, &["-i ID"]),
        (&["-i", "x", "stray"], 22, &["stray"]),
        (&["-i", "x", "-c", absent], 1, &[absent]),
        (&["-i", "x", "-c", conf, "-k", absent], 1, &["mgr.x", absent]),
        (&["-i", "x", "-c", conf, "-k", &garbage], 1, &[&garbage]),
        (&["-i", "x", "-c", conf, "-k", &of_another], 1, &["mgr.x", &of_another]),
        (&["-i", "x", "-c", &hostless, "-k", &wrong], 1, &["mon_host"]),
        (&["-i", "x", "-c", conf, "-k", &wrong, "--log-file", absent], 1, &["mgr.x", "key"]),
        (&["-i", "nobody", "-c", conf, "-k", &unknown, "--log-file", absent], 1, &["mgr.nobody"]),
    ];
    for (arguments, code, words) in cases {
        let (ended, said) = run(axon, arguments)?;
        ensure!(ended == Some(*code), "{arguments:?} ended with {ended:?}, not {code}: {said}");
        for word in *words {
            ensure!(said.contains(word), "{arguments:?} does not say {word:?}: {said}");
        }
        ensure!(!said.contains(foreign_key.trim()), "{arguments:?} tells a key");
        ensure!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
    Ok(())
}

/// The exit code and what it wrote to standard error.
fn run(axon: &Path, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let mut command = Command::new(axon);
    command.args(["mgr", "-f"]).args(arguments);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut stderr = child.stderr.take().context("no standard error")?;
    let reader = std::thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).map(|_| said)
    });
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > ENDS_WITHIN {
            child.kill()?;
            child.wait()?;
            bail!("axon mgr {arguments:?} has not ended after {} s", ENDS_WITHIN.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = reader.join().map_err(|_| anyhow::anyhow!("the reader ended"))??;
    Ok((status.code(), said))
}

fn a_missing_monitor_is_awaited(bench: &mut Bench) -> Result<()> {
    let daemon = format!("mgr.{}", Bench::id(Kind::Axon));
    bench.cluster.stop(&daemon)?;
    bench.cluster.stop("mon.a")?;
    let written = bench.log_of(&daemon)?.len();
    let manager = bench.cluster.start(&daemon)?;
    let begun = Instant::now();
    let told = loop {
        let log = bench.log_of(&daemon)?;
        let new = log.get(written..).unwrap_or_default();
        let told = new.lines().find(|line| line.contains("mon") && line.contains("refused"));
        if let Some(told) = told {
            break told.to_owned();
        }
        ensure!(begun.elapsed() < ENDS_WITHIN, "it does not say that no monitor is reachable: {new}");
        std::thread::sleep(Duration::from_millis(200));
    };
    ensure!(manager.is_alive(), "it gave up: {told}");
    bench.cluster.start("mon.a")?;
    bench.cluster.wait_quorum()?;
    bench.cluster.wait_manager(Bench::id(Kind::Axon), Duration::from_secs(90))?;
    ensure!(manager.is_alive(), "it was another process that became active");
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    Ok(())
}
