//! Commands to MDSs (`Client::mds_command`). A spec is resolved by the map of file systems; when the daemon that a command went
//! to leaves the map before it has answered, the command goes to whoever the spec stands for then.
//!
//! Invariants: the map is subscribed to from the first command on, and the monitors are asked for a newer one only when ours
//! does not know the target; a command runs a second time only when that does no harm (`daemon::repeat`).

use super::Client;
use super::commands::unreachable;
use crate::daemon::{Daemon, MdsTargetError, resolve_mds};
use crate::mon::MonError;
use crate::mon::session::Request;
use axon_core::{Command, CommandError, CommandOutput, Target};
use axon_proto::FsMap;
use bytes::Bytes;
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

type Result<T> = std::result::Result<T, CommandError>;

/// How long somebody else is waited for to take over from a daemon that is gone.
const SUCCESSION: Duration = Duration::from_secs(10);

impl Client {
    pub(super) async fn mds_command(
        &self,
        spec: &str,
        command: Command,
        until: Instant,
    ) -> Result<CommandOutput> {
        let found = self.resolved(spec, until).await?;
        if let [(gid, _)] = found.as_slice() {
            return self.tell_successors(spec, *gid, command, until).await;
        }
        let answers = found.into_iter().map(|(gid, name)| {
            let command = command.clone();
            async move { (name, self.tell(&Daemon::Mds(gid), command, until).await) }
        });
        merge(join_all(answers).await)
    }

    /// Tells the daemon, and when it leaves the map, the one that the spec stands for then.
    async fn tell_successors(
        &self,
        spec: &str,
        mut gid: u64,
        command: Command,
        until: Instant,
    ) -> Result<CommandOutput> {
        loop {
            match self.tell(&Daemon::Mds(gid), command.clone(), until).await {
                // The session says so when the map has no place for the daemon any more, of commands that may be sent again.
                Err(CommandError::Unreachable { errno: ENOENT, why, .. }) => {
                    gid = self.successor(spec, gid, until).await.ok_or_else(|| {
                        let why = format!("{why} (it was mds.{gid}), and nobody has taken over");
                        unreachable(&Target::Mds(spec.to_owned()), ETIMEDOUT, &why)
                    })?;
                }
                answer => return answer,
            }
        }
    }

    /// Who the spec stands for, as soon as that is a daemon that can be asked.
    async fn successor(&self, spec: &str, gone: u64, until: Instant) -> Option<u64> {
        let mut maps = self.0.maps.subscribe();
        // A global id has no successor.
        let by_gid = maps.borrow().fsmap.as_deref().is_some_and(|map| names_gid(map, spec, gone));
        if by_gid {
            return None;
        }
        let now_at = |map: &FsMap| match resolve_mds(map, spec).ok()?.as_slice() {
            [info] => Some(info.gid),
            _ => None,
        };
        let patience = until.min(Instant::now() + SUCCESSION);
        let found = maps.wait_for(|maps| maps.fsmap.as_deref().and_then(now_at).is_some());
        let maps = timeout_at(patience, found).await.ok()?.ok()?;
        maps.fsmap.as_deref().and_then(now_at)
    }

    /// Global ids and names of the daemons that `spec` stands for, by a map that is as new as the monitors' if need be.
    async fn resolved(&self, spec: &str, until: Instant) -> Result<Vec<(u64, String)>> {
        let target = Target::Mds(spec.to_owned());
        let patience = until.saturating_duration_since(Instant::now());
        let no_map = |e: MonError| unreachable(&target, ETIMEDOUT, &e.to_string());
        self.request(Request::Follow { what: "fsmap".to_owned() }).await;
        let map = self.fsmap_since(0, until).await.map_err(no_map)?;
        let found = match resolve(&map, spec) {
            Ok(found) => Ok(found),
            // Ours may be older than what the caller knows.
            Err(_) => {
                let newest = timeout_at(until, self.newest_version("fsmap")).await;
                let newest = newest.unwrap_or(Err(late(patience))).map_err(no_map)?.0;
                resolve(&*self.fsmap_since(newest, until).await.map_err(no_map)?, spec)
            }
        };
        found.map_err(|e| unreachable(&target, e.errno(), &e.to_string()))
    }

    /// The map, once it has this epoch or a later one.
    async fn fsmap_since(&self, epoch: u64, until: Instant) -> std::result::Result<Arc<FsMap>, MonError> {
        let patience = until.saturating_duration_since(Instant::now());
        let mut maps = self.0.maps.subscribe();
        let is_there = maps.wait_for(|maps| maps.fsmap.as_ref().is_some_and(|m| u64::from(m.epoch) >= epoch));
        let maps = timeout_at(until, is_there).await.map_err(|_| late(patience))?;
        maps.ok().and_then(|maps| maps.fsmap.clone()).ok_or(MonError::Closed)
    }
}

/// The answers of several MDSs as upstream puts them together: `[{"mds.a":…},{"mds.b":…}]` of those that succeeded, the
/// worst return code, the last status text.
fn merge(answers: Vec<(String, Result<CommandOutput>)>) -> Result<CommandOutput> {
    let (mut retval, mut outs, mut parts) = (0, String::new(), Vec::new());
    for (name, answer) in answers {
        let output = answer?;
        if output.retval == 0 {
            parts.push([b"{\"mds.", name.as_bytes(), b"\":", &output.outbl, b"}"].concat());
        }
        retval = retval.min(output.retval);
        outs = output.outs;
    }
    let outbl = [b"[".as_slice(), &parts.join(&b','), b"]"].concat();
    Ok(CommandOutput { retval, outs, outbl: Bytes::from(outbl) })
}

fn resolve(map: &FsMap, spec: &str) -> std::result::Result<Vec<(u64, String)>, MdsTargetError> {
    Ok(resolve_mds(map, spec)?.into_iter().map(|info| (info.gid, info.name.clone())).collect())
}

/// Whether the spec is that global id rather than a rank or a name that happens to look like it.
fn names_gid(map: &FsMap, spec: &str, gid: u64) -> bool {
    spec.parse() == Ok(gid)
        && !resolve_mds(map, spec).is_ok_and(|found| found.iter().any(|info| info.gid != gid))
}

fn late(patience: Duration) -> MonError {
    MonError::Timeout { secs: patience.as_secs() }
}

const ENOENT: i32 = 2;
const ETIMEDOUT: i32 = 110;

#[cfg(test)]
mod tests {
    use super::*;
    use axon_proto::fs_map::{Filesystem, MdsInfo};

    #[test]
    fn the_answers_of_several_mdss_become_one_list() {
        let answers = vec![
            ("a".to_owned(), Ok(CommandOutput::ok("1"))),
            ("b".to_owned(), Ok(CommandOutput::failed(22, "no"))),
            ("c".to_owned(), Ok(CommandOutput::ok("{}"))),
        ];
        let merged = merge(answers).unwrap();
        assert_eq!((merged.retval, merged.outs.as_str()), (-22, ""));
        assert_eq!(&merged.outbl[..], br#"[{"mds.a":1},{"mds.c":{}}]"#);
    }

    #[test]
    fn a_global_id_stands_for_one_daemon_only_unless_it_is_a_rank_or_a_name() {
        let mds = |gid: u64, name: &str| MdsInfo { gid, name: name.to_owned(), ..MdsInfo::default() };
        let mut map = FsMap::default();
        map.standbys.insert(7, mds(7, "a"));
        assert!(names_gid(&map, "7", 7), "the daemon itself");
        assert!(names_gid(&map, "8", 8), "one that is gone");
        assert!(!names_gid(&map, "a", 7));
        let mut fs = Filesystem { id: 1, ..Filesystem::default() };
        fs.mdsmap.r#in.insert(0);
        fs.mdsmap.up.insert(0, 9);
        fs.mdsmap.info.insert(9, mds(9, "b"));
        map.default_fscid = 1;
        map.filesystems.insert(1, fs);
        assert!(!names_gid(&map, "0", 0), "a rank of the default file system");
    }
}
