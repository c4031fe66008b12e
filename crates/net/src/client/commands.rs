//! Carrying a command to its target: the monitors, one monitor, an OSD, the primary of a placement group, or the manager that
//! we are. MDSs are in `mds`.

use super::Client;
use crate::daemon::{self, Daemon, Maps, OsdWhere, PgWhere};
use crate::mon::MonError;
use crate::mon::commands::Request as CommandRequest;
use crate::mon::repeat;
use crate::mon::session::{Request, Waiter};
use axon_core::{Command, CommandError, CommandOutput, CommandSink, Target};
use futures::future::BoxFuture;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

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
        match target {
            Target::Mon => self.mon_command(command).await,
            Target::MonNamed(name) => self.tell(&Daemon::Mon(name), command).await,
            Target::Osd(id) => self.osd_command(id, command).await,
            Target::Pg(pgid) => self.pg_command(&pgid, command).await,
            Target::Mds(spec) => self.mds_command(&spec, command).await,
            Target::Mgr => match self.0.manager.get() {
                Some(manager) => manager.command(Target::Mgr, command).await,
                None => self.mgr_command(Daemon::Mgr, command).await,
            },
            Target::MgrNamed(name) => self.mgr_command(Daemon::MgrNamed(name), command).await,
        }
    }

    /// A command for the monitors' leader.
    async fn mon_command(&self, command: Command) -> Result<CommandOutput> {
        let repeatable = repeat::may_run_twice(&command.args);
        let (request, waiter, answer) = self.waiting(command, repeatable);
        self.request(Request::Command { request, waiter }).await;
        answer.await.unwrap_or_else(|_| Err(closed(&Target::Mon)))
    }

    /// A command for one daemon.
    pub(super) async fn tell(&self, daemon: &Daemon, command: Command) -> Result<CommandOutput> {
        let repeatable = daemon::may_run_twice(command.prefix());
        let (request, waiter, answer) = self.waiting(command, repeatable);
        let until = Instant::from_std(request.deadline);
        let secs = waiter.secs;
        let send = self.0.daemons.send(daemon, (request, waiter));
        timeout_at(until, send).await.map_err(|_| CommandError::Deadline { secs, sent: false })?;
        answer.await.unwrap_or_else(|_| {
            let why = MonError::Closed.to_string();
            Err(CommandError::Unreachable { target: daemon.to_string(), errno: ESHUTDOWN, why })
        })
    }

    async fn osd_command(&self, id: i32, command: Command) -> Result<CommandOutput> {
        let missing = |maps: &Maps| match maps.osds.as_ref().map(|osds| osds.osd(id)) {
            Some(OsdWhere::Unknown) => Some((ENOENT, "there is no such OSD")),
            Some(OsdWhere::Down) => Some((ENXIO, "the OSD is down")),
            Some(OsdWhere::Up(_)) | None => None,
        };
        if let Some((errno, why)) = self.settled(missing).await {
            return Err(unreachable(&Target::Osd(id), errno, why));
        }
        self.tell(&Daemon::Osd(id), command).await
    }

    async fn pg_command(&self, pgid: &str, mut command: Command) -> Result<CommandOutput> {
        let target = Target::Pg(pgid.to_owned());
        let missing = |maps: &Maps| match maps.osds.as_ref().map(|osds| osds.pg(pgid)) {
            None => Some((ENXIO, "the OSD map has not come yet")),
            Some(PgWhere::BadId) => Some((EINVAL, "not a placement group: pool.seed was expected")),
            Some(PgWhere::Unknown) => Some((ENOENT, "there is no such placement group")),
            Some(PgWhere::NoPrimary) => Some((ENXIO, "no OSD of its acting set is up")),
            Some(PgWhere::Primary(_)) => None,
        };
        if let Some((errno, why)) = self.settled(missing).await {
            return Err(unreachable(&target, errno, why));
        }
        let primary = self.0.maps.borrow().osds.as_ref().map(|osds| osds.pg(pgid));
        let Some(PgWhere::Primary(osd)) = primary else {
            return Err(unreachable(&target, ENXIO, "its primary changes just now"));
        };
        // The OSD looks for the group in the arguments; a `tell` need not repeat it there.
        command.args.entry("pgid").or_insert_with(|| pgid.into());
        self.tell(&Daemon::Osd(osd), command).await
    }

    /// A command for another process that is a manager.
    async fn mgr_command(&self, daemon: Daemon, command: Command) -> Result<CommandOutput> {
        if self.0.maps.borrow().mgrmap.is_none() {
            self.subscribe("mgrmap", 0).await;
        }
        if let Daemon::MgrNamed(_) = daemon {
            // Who it is must be known before it can be said to be gone.
            let known = |maps: &Maps| maps.mgrmap.is_some();
            let _ = timeout(MAP_PATIENCE, self.0.maps.subscribe().wait_for(known)).await.map(|r| r.map(drop));
        }
        self.tell(&daemon, command).await
    }

    /// What `missing` says, once our OSD map is as new as the monitors': an older one may not know the target yet.
    async fn settled(
        &self,
        missing: impl Fn(&Maps) -> Option<(i32, &'static str)>,
    ) -> Option<(i32, &'static str)> {
        missing(&self.0.maps.borrow())?;
        let newer = async {
            let (newest, _) = self.newest_version("osdmap").await.ok()?;
            let is_new =
                |maps: &Maps| maps.osds.as_ref().is_some_and(|osds| u64::from(osds.epoch()) >= newest);
            self.0.maps.subscribe().wait_for(is_new).await.ok().map(drop)
        };
        let _ = timeout(MAP_PATIENCE, newer).await;
        missing(&self.0.maps.borrow())
    }

    fn waiting(
        &self,
        command: Command,
        repeatable: bool,
    ) -> (CommandRequest, Waiter, oneshot::Receiver<Result<CommandOutput>>) {
        let (answer, answered) = oneshot::channel();
        let waiter = Waiter { answer, secs: command.deadline.as_secs(), _held: self.0.commands.hold() };
        let request = CommandRequest {
            json: command.to_json(),
            repeatable,
            input: command.input,
            deadline: (Instant::now() + command.deadline).into_std(),
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
