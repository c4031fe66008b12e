//! Carrying a command to its target: the monitors, one monitor, an OSD, the primary of a placement group, or the manager that
//! we are. MDSs are in `mds`.

use super::Client;
use crate::daemon::{self, Daemon, Maps, OsdWhere, PgWhere};
use crate::mon::MonError;
use crate::mon::commands::Request as CommandRequest;
use crate::mon::repeat;
use crate::mon::session::{Request, Waiter};
use axon_core::tell::CommandOpTarget;
use axon_core::trace;
use axon_core::{Command, CommandError, CommandOutput, CommandSink, Target};
use futures::future::BoxFuture;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

type Result<T> = std::result::Result<T, CommandError>;

/// How long a newer map is waited for when ours says that the target is not there.
const MAP_PATIENCE: Duration = Duration::from_secs(5);

impl CommandSink for Client {
    fn command(&self, target: Target, command: Command) -> BoxFuture<'_, Result<CommandOutput>> {
        Box::pin(Client::command(self, target, command))
    }
}

impl Client {
    /// Carries a command to `target`. Dropping the future frees everything that waits for the answer.
    pub async fn command(&self, target: Target, command: Command) -> Result<CommandOutput> {
        let Some(trace) = trace::current() else { return self.carry(target, command).await };
        let name = format!("command {:?} to {target}", command.prefix());
        let hop = trace.child(name, std::time::Instant::now());
        let answer = trace::scope(hop.clone(), self.carry(target, command)).await;
        match &answer {
            Ok(output) => hop.note("answer", format!("{}, {} bytes", output.retval, output.outbl.len())),
            Err(why) => hop.note("failed", why.to_string()),
        }
        hop.end(std::time::Instant::now());
        answer
    }

    async fn carry(&self, target: Target, command: Command) -> Result<CommandOutput> {
        let until = Instant::now() + command.deadline;
        match target {
            Target::Mon => self.mon_command(command, until).await,
            Target::MonNamed(name) => self.tell(&Daemon::Mon(name), command, until).await,
            Target::Osd(id) => self.osd_command(id, command, until).await,
            Target::Pg(pgid) => self.pg_command(&pgid, command, until).await,
            Target::Mds(spec) => self.mds_command(&spec, command, until).await,
            Target::Mgr => match self.0.manager.get() {
                Some(manager) => manager.command(Target::Mgr, command).await,
                None => self.mgr_command(Daemon::Mgr, command, until).await,
            },
            Target::MgrNamed(name) => self.mgr_command(Daemon::MgrNamed(name), command, until).await,
        }
    }

    /// A command for the monitors' leader.
    async fn mon_command(&self, command: Command, until: Instant) -> Result<CommandOutput> {
        let repeatable = repeat::may_run_twice(&command.args);
        let (request, waiter, answer) = self.waiting(command, repeatable, until);
        self.request(Request::Command { request, waiter }).await;
        answer.await.unwrap_or_else(|_| Err(closed(&Target::Mon)))
    }

    /// A command for one daemon.
    pub(super) async fn tell(
        &self,
        daemon: &Daemon,
        command: Command,
        until: Instant,
    ) -> Result<CommandOutput> {
        let repeatable = daemon::may_run_twice(command.prefix());
        let (request, waiter, answer) = self.waiting(command, repeatable, until);
        let secs = waiter.secs;
        let send = self.0.daemons.send(daemon, (request, waiter));
        timeout_at(until, send).await.map_err(|_| CommandError::Deadline { secs, sent: false })?;
        answer.await.unwrap_or_else(|_| {
            let why = MonError::Closed.to_string();
            Err(CommandError::Unreachable { target: daemon.to_string(), errno: ESHUTDOWN, why })
        })
    }

    async fn osd_command(&self, id: i32, command: Command, until: Instant) -> Result<CommandOutput> {
        let flying = self.0.in_flight.begin(CommandOpTarget::Osd(id), command.to_json());
        let missing = |maps: &Maps| match maps.osds.as_ref().map(|osds| osds.osd(id)) {
            Some(OsdWhere::Unknown) => Some((ENOENT, "there is no such OSD")),
            Some(OsdWhere::Down) => Some((ENXIO, "the OSD is down")),
            Some(OsdWhere::Up(_)) | None => None,
        };
        if let Some((errno, why)) = self.settled(missing, until).await {
            return Err(unreachable(&Target::Osd(id), errno, why));
        }
        flying.assign(id);
        self.tell(&Daemon::Osd(id), command, until).await
    }

    async fn pg_command(&self, pgid: &str, mut command: Command, until: Instant) -> Result<CommandOutput> {
        let target = Target::Pg(pgid.to_owned());
        let flying = self.0.in_flight.begin(CommandOpTarget::Pg(pgid.to_owned()), command.to_json());
        let missing = |maps: &Maps| match maps.osds.as_ref().map(|osds| osds.pg(pgid)) {
            None => Some((ENXIO, "the OSD map has not come yet")),
            Some(PgWhere::BadId) => Some((EINVAL, "not a placement group: pool.seed was expected")),
            Some(PgWhere::Unknown) => Some((ENOENT, "there is no such placement group")),
            Some(PgWhere::NoPrimary) => Some((ENXIO, "no OSD of its acting set is up")),
            Some(PgWhere::Primary(_)) => None,
        };
        if let Some((errno, why)) = self.settled(missing, until).await {
            return Err(unreachable(&target, errno, why));
        }
        let primary = self.0.maps.borrow().osds.as_ref().map(|osds| osds.pg(pgid));
        let Some(PgWhere::Primary(osd)) = primary else {
            return Err(unreachable(&target, ENXIO, "its primary changes just now"));
        };
        // The OSD looks for the group in the arguments; a `tell` need not repeat it there.
        command.args.entry("pgid").or_insert_with(|| pgid.into());
        flying.assign(osd);
        self.tell(&Daemon::Osd(osd), command, until).await
    }

    /// A command for another process that is a manager.
    async fn mgr_command(&self, daemon: Daemon, command: Command, until: Instant) -> Result<CommandOutput> {
        if self.0.maps.borrow().mgrmap.is_none() {
            self.subscribe("mgrmap", 0).await;
        }
        if let Daemon::MgrNamed(_) = daemon {
            // Who it is must be known before it can be said to be gone.
            let known = |maps: &Maps| maps.mgrmap.is_some();
            let patience = until.min(Instant::now() + MAP_PATIENCE);
            let _ = timeout_at(patience, self.0.maps.subscribe().wait_for(known)).await.map(|r| r.map(drop));
        }
        self.tell(&daemon, command, until).await
    }

    /// What `missing` says, once our OSD map is as new as the monitors': an older one may not know the target yet.
    async fn settled(
        &self,
        missing: impl Fn(&Maps) -> Option<(i32, &'static str)>,
        until: Instant,
    ) -> Option<(i32, &'static str)> {
        missing(&self.0.maps.borrow())?;
        let newer = async {
            let (newest, _) = self.newest_version("osdmap").await.ok()?;
            let is_new =
                |maps: &Maps| maps.osds.as_ref().is_some_and(|osds| u64::from(osds.epoch()) >= newest);
            self.0.maps.subscribe().wait_for(is_new).await.ok().map(drop)
        };
        let _ = timeout_at(until.min(Instant::now() + MAP_PATIENCE), newer).await;
        missing(&self.0.maps.borrow())
    }

    fn waiting(
        &self,
        command: Command,
        repeatable: bool,
        until: Instant,
    ) -> (CommandRequest, Waiter, oneshot::Receiver<Result<CommandOutput>>) {
        let (answer, answered) = oneshot::channel();
        let waiter = Waiter {
            answer,
            secs: command.deadline.as_secs(),
            trace: trace::current(),
            _held: self.0.commands.hold(),
        };
        let request = CommandRequest {
            json: command.to_json(),
            repeatable,
            input: command.input,
            deadline: until.into_std(),
        };
        (request, waiter, answered)
    }
}

pub(super) fn unreachable(target: &Target, errno: i32, why: &str) -> CommandError {
    CommandError::Unreachable { target: target.to_string(), errno, why: why.to_owned() }
}

fn closed(target: &Target) -> CommandError {
    unreachable(target, ESHUTDOWN, &MonError::Closed.to_string())
}

const ENOENT: i32 = 2;
const ENXIO: i32 = 6;
const EINVAL: i32 = 22;
const ESHUTDOWN: i32 = 108;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::daemon::OsdDirectory;
    use std::sync::Arc;

    /// What our map says may be old, and no monitor answers.
    struct AllDown;
    impl OsdDirectory for AllDown {
        fn epoch(&self) -> u32 {
            1
        }
        fn osd(&self, _: i32) -> OsdWhere {
            OsdWhere::Down
        }
        fn pg(&self, _: &str) -> PgWhere {
            PgWhere::NoPrimary
        }
    }

    #[tokio::test]
    async fn waiting_for_a_map_counts_towards_the_deadline() {
        let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let monitor = format!("v2:{}", mute.local_addr().unwrap());
        let options = |option: &str| match option {
            "key" => Some("AQBSdFFhAAAAABAAq83vASNFZ4mrze8BI0VniQ==".to_owned()),
            "mon_host" => Some(monitor.clone()),
            _ => None,
        };
        let config = Config::load("client.admin".parse().unwrap(), &options).await.unwrap();
        let (client, _events) = crate::connect(config).unwrap();
        client.set_osd_map(Arc::new(AllDown));
        let targets = ["osd", "pg", "mds", "mgr", "mon"].map(|kind| match kind {
            "osd" => Target::Osd(0),
            "pg" => Target::Pg("1.0".to_owned()),
            "mds" => Target::Mds("a".to_owned()),
            "mgr" => Target::MgrNamed("x".to_owned()),
            _ => Target::Mon,
        });
        for target in targets {
            let begun = Instant::now();
            let command = Command { deadline: Duration::from_millis(200), ..Command::json("version") };
            client.command(target.clone(), command).await.unwrap_err();
            assert!(begun.elapsed() < Duration::from_millis(350), "{target}: {:?}", begun.elapsed());
        }
    }
}
