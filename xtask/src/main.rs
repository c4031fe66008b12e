//! `cargo xtask`: the project's chores. Each subcommand is a file.

mod bench;
mod build;
mod cluster;
mod coverage;
mod demo;
mod test;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Axon's chores")]
enum Task {
    /// Measurements against upstream on a real cluster.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Real Ceph clusters in a folder.
    #[command(subcommand)]
    Cluster(cluster::Task),
    /// Write docs/api-coverage.md: who answers each operation of upstream's.
    Coverage,
    /// A real cluster managed by Axon, ready to log in to.
    Demo(demo::Demo),
    /// Every check: fast ones, then real clusters.
    Test(test::Test),
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Bench(bench) => bench::run(&bench),
        Task::Cluster(task) => cluster::run(task),
        Task::Coverage => coverage::run(),
        Task::Demo(demo) => demo::run(&demo),
        Task::Test(test) => test::run(&test),
    }
}

/// A progress printer that shows seconds since it was made.
fn progress() -> impl Fn(&str) {
    let begun = Instant::now();
    move |line: &str| println!("[{:4} s] {line}", begun.elapsed().as_secs())
}
