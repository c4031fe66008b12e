//! `axon mgr`: arguments and `ceph.conf` → configuration → run until told to stop.

use crate::crash::Crashes;
use crate::log::{self, Log};
use crate::mgr_args::{self, MgrArgs};
use crate::service::{self, Process};
use crate::settings::{self, Given};
use anyhow::Context;
use axon_core::config::Level;
use axon_proto::{AuthEntity, EntityType};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// `EINVAL`, upstream's exit code for bad arguments.
const EXIT_BAD_ARGS: u8 = 22;

/// Runs the manager; the exit code.
pub fn main(args: impl IntoIterator<Item = String>) -> ExitCode {
    let args = match mgr_args::parse(args) {
        Ok(args) => args,
        Err(why) => {
            eprintln!("axon mgr: {why}");
            return ExitCode::from(EXIT_BAD_ARGS);
        }
    };
    if args.help {
        print!("{}", mgr_args::HELP);
        return ExitCode::SUCCESS;
    }
    if args.version {
        println!("axon {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let Some(id) = args.id.clone() else {
        eprintln!("axon mgr: which manager? Give -i ID or -n mgr.ID");
        return ExitCode::from(EXIT_BAD_ARGS);
    };
    match start(&args, &id) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let why = words(&why);
            eprintln!("axon mgr: {why}");
            // Who looks after a service reads its log; before the log is open this goes nowhere.
            tracing::error!("giving up: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes; a cause that was quoted already is not said again.
fn words(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

fn start(args: &MgrArgs, id: &str) -> anyhow::Result<()> {
    let name = AuthEntity::new(EntityType::MGR, id);
    let given = Given {
        conf: args.conf.as_deref(),
        cluster: args.cluster.as_deref(),
        options: &args.options,
        defaults: &args.defaults,
    };
    let (mut settings, conf_path) = settings::read_with_path(&name, &given)?;
    if settings.raw("keyring").is_none() {
        settings.set(Level::Default, "keyring", "$mgr_data/keyring");
    }
    settings.set(Level::Override, "daemonize", (!args.foreground).to_string());
    #[cfg(debug_assertions)]
    if settings.value("axon_test_modules").as_deref() == Some("true") {
        axon_mgr::with_hostile_module();
    }
    // Key and monitors before going into the background: the caller sees what is wrong with them. The runtime is gone
    // with its threads before the fork.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let net = runtime.block_on(axon_net::Config::load(name, &|option| settings.value(option)))?;
    drop(runtime);
    if !args.foreground {
        nix::unistd::daemon(true, false).context("cannot go into the background")?;
    }
    let log = log::start(&settings, args.debug)?;
    let crashes = Crashes::install(&settings);
    let process = Arc::new(Process::new(log, crashes));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        become_user(args, log)?;
        let module_path = settings.value("mgr_module_path").filter(|p| !p.is_empty());
        let public_ip = settings.value("public_addr").and_then(|text| {
            let ip = text.trim_start_matches("v2:").split('/').next().unwrap_or_default().trim().to_owned();
            ip.parse().ok().or_else(|| ip.parse::<std::net::SocketAddr>().ok().map(|s| s.ip()))
        });
        let config = axon_mgr::Config {
            id: id.to_owned(),
            net,
            hosting: axon_mgr::HostingConfig {
                module_path: PathBuf::from(module_path.as_deref().unwrap_or(axon_mgr::MODULE_PATH)),
                conf_path,
                settings: settings.clone(),
            },
            public_ip,
            settings: settings.clone(),
            process: process.clone(),
        };
        tokio::spawn(service::reopen_at_hangup(process.clone()));
        service::ready();
        axon_mgr::run(config, stopped()).await
    });
    // What still runs on threads of its own, a module's command that hangs for one, does not keep the process.
    runtime.shutdown_background();
    done
}

/// Resolves at SIGTERM or SIGINT.
async fn stopped() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// `--setgroup`, `--setuser`: by name or number. The key has been read by then.
fn become_user(args: &MgrArgs, log: &Log) -> anyhow::Result<()> {
    use nix::unistd::{Gid, Group, Uid, User, setgid, setgroups, setuid};
    let gid = args.setgroup.as_deref().map(|group| match group.parse() {
        Ok(number) => Ok(Gid::from_raw(number)),
        Err(_) => Ok::<_, anyhow::Error>(
            Group::from_name(group)?.with_context(|| format!("there is no group {group}"))?.gid,
        ),
    });
    let uid = args.setuser.as_deref().map(|user| match user.parse() {
        Ok(number) => Ok(Uid::from_raw(number)),
        Err(_) => Ok::<_, anyhow::Error>(
            User::from_name(user)?.with_context(|| format!("there is no user {user}"))?.uid,
        ),
    });
    let (gid, uid) = (gid.transpose()?, uid.transpose()?);
    if Uid::effective().is_root() && (gid.is_some() || uid.is_some()) {
        log.set_owner(uid, gid).context("the log file cannot be given to the manager's user")?;
    }
    if let Some(gid) = gid {
        setgroups(&[gid]).context("cannot give up groups")?;
        setgid(gid).with_context(|| format!("cannot become group {gid}"))?;
    }
    if let Some(uid) = uid {
        setuid(uid).with_context(|| format!("cannot become user {uid}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the file is wrong: {source}")]
        struct Quoting {
            source: std::num::ParseIntError,
        }
        let source = "x".parse::<u8>().unwrap_err();
        let text = words(&anyhow::Error::new(Quoting { source }).context("cannot start"));
        assert_eq!(text, "cannot start: the file is wrong: invalid digit found in string");
    }
}
