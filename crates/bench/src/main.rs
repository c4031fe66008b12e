//! What is measured on real clusters. `faults`: commands while daemons and links fail; `failover`: managers that take over from each other. HTTP servers: `load` drives one URL and reports requests per second and latencies as JSON; `bare` is the limit
//! to compare with, a hyper server that does nothing but send a fixed body; `login` and `fetch` prepare them.
//! `cargo xtask bench …` puts them together.

mod answers;
mod bare;
mod command;
mod failover;
mod faults;
mod load;
mod login;
mod mgr;
mod modules;
mod soak;

use clap::{Parser, Subcommand};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that are allocated now.
fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Make the manager's large answers, without sockets; prints one JSON object.
    Answers(answers::Options),
    /// Serve a fixed body to every request.
    Bare {
        #[arg(long)]
        port: u16,
        /// The file whose content is the body.
        #[arg(long)]
        body: std::path::PathBuf,
    },
    /// Monitor commands over one connection; prints one JSON object.
    Command(command::Options),
    /// Commands through every kind of fault on a running cluster; prints one JSON object.
    Faults(faults::Options),
    /// Commands to the active manager; prints one JSON object.
    Mgr(mgr::Options),
    /// Python modules that do harm, and what their calls cost; prints one JSON object.
    Modules(modules::Options),
    /// Managers take over from each other on a running cluster; prints one JSON object.
    Failover(failover::Options),
    /// Drive one URL over kept-alive connections; prints one JSON object.
    Load(load::Options),
    /// An hour of everything on a running cluster; prints one JSON object.
    Soak(soak::Options),
    /// Log in and print the token.
    Login {
        /// `http://host:port`.
        #[arg(long)]
        url: hyper::Uri,
        #[arg(long)]
        user: String,
        /// The file that holds the password.
        #[arg(long)]
        password: std::path::PathBuf,
    },
    /// Write the body of one GET to a file.
    Fetch {
        #[arg(long)]
        url: hyper::Uri,
        /// `Name: value`, as often as needed.
        #[arg(long)]
        header: Vec<String>,
        #[arg(long)]
        to: std::path::PathBuf,
    },
}

/// Allocations so far, and their bytes.
fn allocations() -> (usize, usize) {
    let stats = ALLOCATOR.stats();
    (stats.allocations + stats.reallocations, stats.bytes_allocated)
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Task::Command(options) = args.command {
        // As `axon command` runs: one thread.
        return tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(command::run(options));
    }
    if let Task::Modules(options) = &args.command {
        return modules::run(options);
    }
    if let Task::Answers(options) = &args.command {
        return answers::run(options);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match args.command {
        Task::Bare { port, body } => runtime.block_on(bare::serve(port, std::fs::read(body)?.into())),
        Task::Answers(_) | Task::Command(_) | Task::Modules(_) => Ok(()),
        Task::Faults(options) => runtime.block_on(faults::run(options)),
        Task::Mgr(options) => runtime.block_on(mgr::run(options)),
        Task::Failover(options) => runtime.block_on(failover::run(options)),
        Task::Soak(options) => runtime.block_on(soak::run(options)),
        Task::Load(options) => {
            println!("{}", runtime.block_on(load::run(options))?);
            Ok(())
        }
        Task::Login { url, user, password } => {
            let password = std::fs::read_to_string(password)?;
            println!("{}", runtime.block_on(login::token(&url, &user, password.trim_end()))?);
            Ok(())
        }
        Task::Fetch { url, header, to } => {
            std::fs::write(to, runtime.block_on(login::fetch(&url, &header))?)?;
            Ok(())
        }
    }
}
