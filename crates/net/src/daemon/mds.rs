//! What `mds.<spec>` stands for (`Client::resolve_mds`, `FSMap::parse_role`): a rank of a file system (`fs:rank`, `fscid:rank`, a
//! rank of the default file system), a global id, `*` for all, or a name; in this order.

use axon_proto::fs_map::{FsMap, MdsInfo};

/// A spec that names no daemon that could be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MdsTargetError {
    #[error("no MDS is called {0:?}: neither a rank, a global id nor a name in the map")]
    Unknown(String),
    #[error("rank {0} is not held by any MDS now")]
    RankDown(i32),
    #[error("all MDSs asked for are laggy")]
    AllLaggy,
}

impl MdsTargetError {
    /// Upstream's errno.
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self {
            MdsTargetError::Unknown(_) | MdsTargetError::AllLaggy => 2,
            MdsTargetError::RankDown(_) => 11,
        }
    }
}

/// The daemons that `spec` stands for, without laggy ones.
pub fn resolve_mds<'a>(map: &'a FsMap, spec: &str) -> Result<Vec<&'a MdsInfo>, MdsTargetError> {
    let all = candidates(map, spec)?;
    if all.is_empty() {
        return Err(MdsTargetError::Unknown(spec.to_owned()));
    }
    let prompt: Vec<_> = all.into_iter().filter(|info| info.laggy_since.is_zero()).collect();
    if prompt.is_empty() { Err(MdsTargetError::AllLaggy) } else { Ok(prompt) }
}

fn candidates<'a>(map: &'a FsMap, spec: &str) -> Result<Vec<&'a MdsInfo>, MdsTargetError> {
    let unknown = || MdsTargetError::Unknown(spec.to_owned());
    if let Some((fscid, rank)) = role(map, spec) {
        let fs = map.filesystems.get(&fscid).ok_or_else(unknown)?;
        return match fs.mdsmap.by_rank(rank) {
            Some(info) => Ok(vec![info]),
            None => Err(MdsTargetError::RankDown(rank)),
        };
    }
    if let Ok(number) = spec.parse::<i64>() {
        let info = u64::try_from(number).ok().and_then(|gid| map.by_gid(gid));
        return info.map(|info| vec![info]).ok_or_else(unknown);
    }
    if spec == "*" {
        return Ok(map.daemons().collect());
    }
    map.by_name(spec).map(|info| vec![info]).ok_or_else(unknown)
}

/// File system and rank, when the spec has that form and the file system has that rank.
fn role(map: &FsMap, spec: &str) -> Option<(i32, i32)> {
    let (fs, rank) = match spec.split_once(':') {
        None => (map.filesystems.get(&map.default_fscid)?, spec),
        Some((fs, rank)) => {
            let by_id = fs.parse::<i32>().ok().and_then(|id| map.filesystems.get(&id));
            (by_id.or_else(|| map.filesystem(fs))?, rank)
        }
    };
    let rank: i32 = rank.parse().ok()?;
    fs.mdsmap.r#in.contains(&rank).then_some((fs.id, rank))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_proto::UTime;
    use axon_proto::fs_map::Filesystem;

    fn mds(gid: u64, name: &str, rank: i32) -> MdsInfo {
        MdsInfo { gid, name: name.to_owned(), rank, ..MdsInfo::default() }
    }

    fn map() -> FsMap {
        let mut map = FsMap { default_fscid: 1, ..FsMap::default() };
        for (id, name) in [(1, "one"), (2, "two")] {
            let mut fs = Filesystem { id, ..Filesystem::default() };
            fs.mdsmap.fs_name = name.to_owned();
            fs.mdsmap.r#in.extend([0, 1]);
            let gid = 100 * u64::try_from(id).unwrap();
            fs.mdsmap.up.insert(0, gid);
            fs.mdsmap.info.insert(gid, mds(gid, &format!("m{id}"), 0));
            map.filesystems.insert(id, fs);
        }
        map.standbys.insert(7, mds(7, "spare", -1));
        map
    }

    fn gids(spec: &str) -> Result<Vec<u64>, MdsTargetError> {
        resolve_mds(&map(), spec).map(|found| found.into_iter().map(|info| info.gid).collect())
    }

    #[test]
    fn every_form_of_a_spec() {
        assert_eq!(gids("0"), Ok(vec![100]), "a rank of the default file system");
        assert_eq!(gids("two:0"), Ok(vec![200]));
        assert_eq!(gids("2:0"), Ok(vec![200]));
        assert_eq!(gids("200"), Ok(vec![200]), "a global id");
        assert_eq!(gids("spare"), Ok(vec![7]));
        assert_eq!(gids("*"), Ok(vec![100, 200, 7]));
    }

    #[test]
    fn what_cannot_be_asked_has_upstreams_errno() {
        assert_eq!(gids("1").unwrap_err().errno(), 11, "the rank exists and nobody holds it");
        assert_eq!(gids("3").unwrap_err().errno(), 2);
        assert_eq!(gids("nobody").unwrap_err().errno(), 2);
        assert_eq!(gids("three:0").unwrap_err().errno(), 2);
        let mut map = map();
        let info = map.standbys.get_mut(&7).unwrap();
        info.laggy_since = UTime { sec: 1, nsec: 0 };
        assert_eq!(resolve_mds(&map, "spare"), Err(MdsTargetError::AllLaggy));
        assert_eq!(resolve_mds(&map, "*").unwrap().len(), 2, "the others are asked");
    }
}
