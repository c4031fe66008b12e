//! Runs the scenarios and reports in the shape of Rust's own test harness, so that one reader fits both.

use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use axon_launcher::{Cluster, Options, Release};

use crate::Bench;
use crate::scenarios::{ALL, Scenario};

/// What to run, from the environment: `AXON_REAL` (releases or `all`), `AXON_BIN`, `AXON_REAL_DIR`, `AXON_REAL_PORT`,
/// and the first argument as a filter on names: a part of them, or several by commas.
pub struct Plan {
    pub releases: Vec<Release>,
    pub axon: PathBuf,
    pub dir: PathBuf,
    pub port: u16,
    pub filter: Option<String>,
}

impl Plan {
    /// `None` when nobody asked for real clusters.
    pub fn from_env() -> Result<Option<Plan>> {
        let Ok(wanted) = std::env::var("AXON_REAL") else { return Ok(None) };
        let releases = match wanted.as_str() {
            "all" => Release::ALL.to_vec(),
            list => list.split(',').map(str::parse).collect::<Result<_>>()?,
        };
        let path = |key: &str| std::env::var_os(key).map(PathBuf::from);
        let port = std::env::var("AXON_REAL_PORT").ok().map(|p| p.parse()).transpose();
        Ok(Some(Plan {
            releases,
            axon: path("AXON_BIN").context("AXON_BIN must name the axon program")?,
            dir: path("AXON_REAL_DIR").unwrap_or_else(|| "/var/tmp/axon-real".into()),
            port: port.context("AXON_REAL_PORT is no port")?.unwrap_or(26_000),
            filter: std::env::args().skip(1).find(|a| !a.starts_with('-')),
        }))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub passed: usize,
    pub failed: usize,
    pub filtered: usize,
    /// Which failed and why, for the end of the output: of a long one that is all that some readers see.
    pub failures: Vec<String>,
    /// Which passed only when they ran again, and why they failed before.
    pub second_run: Vec<String>,
}

/// What is kept of a reason.
const REASON_CHARS_MAX: usize = 600;

/// Runs the plan, prints each result, and gives the totals.
pub fn run(plan: &Plan) -> Totals {
    let begun = Instant::now();
    let mut totals = Totals::default();
    match plan.releases.as_slice() {
        [release] => run_release(plan, *release, &mut totals),
        releases => totals = beside_each_other(plan, releases),
    }
    let verdict = if totals.failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s",
        totals.passed,
        totals.failed,
        totals.filtered,
        begun.elapsed().as_secs_f64()
    );
    println!("real: {} passed, {} failed", totals.passed, totals.failed);
    for line in &totals.second_run {
        println!("{SECOND_RUN}{line}");
    }
    for line in &totals.failures {
        println!("{FAILED}{line}");
    }
    totals
}

/// How the lines about them begin.
const FAILED: &str = "failed: ";
const SECOND_RUN: &str = "passed in its second run only: ";

/// A process for each release, because scenarios mostly wait. What is installed is shared, and so comes first.
fn beside_each_other(plan: &Plan, releases: &[Release]) -> Totals {
    let begun = Instant::now();
    for release in releases {
        let told = |line: &str| println!("[{:3} s] {line}", begun.elapsed().as_secs());
        if let Err(e) = axon_launcher::ensure_installed(*release, &told) {
            // Its own run says so again, and counts it.
            println!("{release}: {e:#}");
        }
    }
    std::thread::scope(|scope| {
        let runs: Vec<_> = releases
            .iter()
            .zip(0..)
            .map(|(release, nth)| {
                scope.spawn(move || in_a_process(plan, *release, plan.port + nth * PORTS_EACH))
            })
            .collect();
        let mut sum = Totals::default();
        for run in runs {
            let totals = run.join().unwrap_or_else(|_| Totals { failed: 1, ..Totals::default() });
            sum.passed += totals.passed;
            sum.failed += totals.failed;
            sum.filtered += totals.filtered;
            sum.failures.extend(totals.failures);
            sum.second_run.extend(totals.second_run);
        }
        sum
    })
}

/// Ports that a release's cluster may take.
const PORTS_EACH: u16 = 1200;

/// This program again for one release; its lines are passed on with the release in front.
fn in_a_process(plan: &Plan, release: Release, port: u16) -> Totals {
    let run = || -> Result<Totals> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(&plan.filter).env("AXON_REAL", release.name()).env("AXON_BIN", &plan.axon);
        command.env("AXON_REAL_DIR", &plan.dir).env("AXON_REAL_PORT", port.to_string());
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let (mut totals, mut failures, mut second_run) = (None, Vec::new(), Vec::new());
        for line in lines {
            let line = line?;
            totals = Totals::read(&line).or(totals);
            failures.extend(line.strip_prefix(FAILED).map(str::to_owned));
            second_run.extend(line.strip_prefix(SECOND_RUN).map(str::to_owned));
            println!("{release:8} {line}");
        }
        child.wait()?;
        let totals = totals.context("it ended without a result")?;
        Ok(Totals { failures, second_run, ..totals })
    };
    run().unwrap_or_else(|e| {
        println!("test {release}::all ... FAILED\n    {e:#}");
        Totals { failed: 1, failures: vec![format!("{release}::all: {e:#}")], ..Totals::default() }
    })
}

impl Totals {
    /// From the line that [`run`] prints.
    fn read(line: &str) -> Option<Totals> {
        let count = |what: &str| {
            let (before, _) = line.split_once(what)?;
            before.rsplit([' ', '.']).find(|word| !word.is_empty())?.parse().ok()
        };
        let line_is_mine = line.starts_with("test result:");
        line_is_mine.then(|| {
            Some(Totals {
                passed: count(" passed")?,
                failed: count(" failed")?,
                filtered: count(" filtered")?,
                ..Totals::default()
            })
        })?
    }
}

fn run_release(plan: &Plan, release: Release, totals: &mut Totals) {
    let name = |s: &Scenario| format!("{release}::{}", s.name);
    let chosen_by = |filter: &String, s: &Scenario| filter.split(',').any(|part| name(s).contains(part));
    let wanted = |s: &&Scenario| plan.filter.as_ref().is_none_or(|filter| chosen_by(filter, s));
    let mine: Vec<&Scenario> = ALL.iter().filter(|s| (s.on)(release)).collect();
    let chosen: Vec<&Scenario> = mine.iter().copied().filter(wanted).collect();
    totals.filtered += mine.len() - chosen.len();
    if chosen.is_empty() {
        return;
    }
    println!("\nrunning {} tests on {release}", chosen.len());
    let mut failed = on_a_cluster(plan, release, &chosen);
    if !failed.is_empty() && plan.filter.is_none() {
        println!("{} failed; each once more, on a cluster made anew", failed.len());
        let first = failed;
        let again: Vec<&Scenario> = first.iter().map(|(scenario, _)| *scenario).collect();
        failed = on_a_cluster(plan, release, &again);
        let came_right = |s: &Scenario| !failed.iter().any(|(other, _)| other.name == s.name);
        for (scenario, why) in first.iter().filter(|(scenario, _)| came_right(scenario)) {
            totals.second_run.push(format!("{}: {why}", name(scenario)));
        }
    }
    totals.passed += chosen.len() - failed.len();
    totals.failed += failed.len();
    totals.failures.extend(failed.iter().map(|(scenario, why)| format!("{}: {why}", name(scenario))));
}

/// Runs these on one cluster, in their order; those that failed and why. The folder of a cluster on which one failed stays beside the
/// others.
fn on_a_cluster<'a>(plan: &Plan, release: Release, chosen: &[&'a Scenario]) -> Vec<(&'a Scenario, String)> {
    let mut bench = match bring_up(plan, release) {
        Ok(cluster) => Bench { cluster },
        Err(e) => {
            println!("test {release}::cluster_up ... FAILED\n{e:#}");
            // What could not run did not pass.
            let why = in_a_line(&e.context("the cluster did not come up"));
            return chosen.iter().map(|scenario| (*scenario, why.clone())).collect();
        }
    };
    let mut failed = Vec::new();
    for scenario in chosen {
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| (scenario.run)(&mut bench)));
        let (seconds, name) = (begun.elapsed().as_secs_f64(), scenario.name);
        match result.unwrap_or_else(|panic| Err(panic_text(&panic))) {
            Ok(()) => println!("test {release}::{name} ... ok ({seconds:.1}s)"),
            Err(e) => {
                println!("test {release}::{name} ... FAILED ({seconds:.1}s)\n    {e:#}");
                failed.push((*scenario, in_a_line(&e)));
            }
        }
    }
    let dir = bench.cluster.dir().to_owned();
    if let Err(e) = bench.cluster.down(!failed.is_empty()) {
        println!("the cluster did not go down: {e:#}");
        failed.extend(chosen.last().map(|last| (*last, in_a_line(&e))));
    }
    if !failed.is_empty() {
        match keep(&dir) {
            Ok(kept) => println!("logs are in {}/log", kept.display()),
            Err(e) => println!("logs are in {}/log: {e:#}", dir.display()),
        }
    }
    failed
}

/// Puts a folder where the next cluster of its name does not clear it; the one that was kept there goes.
fn keep(dir: &Path) -> Result<PathBuf> {
    let kept = dir.with_extension("failed");
    Cluster::clear(&kept)?;
    std::fs::rename(dir, &kept)?;
    Ok(kept)
}

fn in_a_line(e: &anyhow::Error) -> String {
    let why = format!("{e:#}").split_whitespace().collect::<Vec<_>>().join(" ");
    why.chars().take(REASON_CHARS_MAX).collect()
}

/// A cluster without a manager: each scenario says which it wants.
fn bring_up(plan: &Plan, release: Release) -> Result<Cluster> {
    let dir = plan.dir.join(release.name());
    Cluster::clear(&dir)?;
    let mut options = Options::new(release, dir);
    options.axon = Some(plan.axon.clone());
    options.port_base = plan.port;
    // Five processes more at each of an Axon's many starts: the scenarios about them turn them on.
    options.without_python = true;
    let begun = Instant::now();
    Cluster::up(&options, &|line| println!("[{:3} s] {line}", begun.elapsed().as_secs()))
}

fn panic_text(panic: &Box<dyn std::any::Any + Send>) -> anyhow::Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    anyhow!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("(no text)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_of_another_process_are_read_from_its_last_lines() {
        let line = "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.00s";
        assert_eq!(
            Totals::read(line),
            Some(Totals { passed: 10, failed: 2, filtered: 3, ..Totals::default() })
        );
        assert_eq!(Totals::read("test pacific::x ... ok"), None);
    }
}
