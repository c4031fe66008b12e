//! Where placement groups are, over maps made up from seeds: what Axon says beside what the release's own `osdmaptool` says.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use axon_denc::{Decode, Encode};
use axon_launcher::{Release, Root};
use axon_proto::crush::ITEM_NONE;
use axon_proto::osd_map::OSDMap;
use axon_proto::pg::Pg;
use axon_testkit::maps;

use crate::Bench;

/// Not one placement group differs: raw, up and acting sets and their primaries.
pub fn is_where_upstreams_tool_says(bench: &mut Bench) -> Result<()> {
    let (release, root, dir) =
        (bench.release(), bench.cluster.root().clone(), bench.cluster.dir().to_owned());
    let mut pgs = 0;
    for (n, osds) in SIZES.into_iter().enumerate() {
        pgs +=
            one(release, &root, &dir, n as u64, osds).with_context(|| format!("map {n} of {osds} OSDs"))?;
    }
    ensure!(pgs > 10 * SIZES.len(), "only {pgs} placement groups");
    println!("{pgs} placement groups of {} maps", SIZES.len());
    Ok(())
}

/// Compares one map; how many PGs it has. `dir` is a folder within `root`.
pub fn one(release: Release, root: &Root, dir: &Path, seed: u64, osds: usize) -> Result<usize> {
    let made = maps::osd_map(seed, osds, release);
    let bytes = made.to_bytes(made.encoding_features());
    let map = OSDMap::from_bytes(&bytes)?;
    let path = dir.join(format!("made-{seed}.osdmap"));
    let outside = root.host_path(&path);
    std::fs::write(&outside, &bytes)?;
    let output = root.command("osdmaptool").arg(&path).arg("--test-map-pgs-dump-all").output()?;
    std::fs::remove_file(&outside)?;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "osdmaptool: {}", String::from_utf8_lossy(&output.stderr));
    let mut compared = 0;
    // A line of a PG begins with its id.
    for line in told.lines().filter(|line| line.contains(" acting (")) {
        let pg: Pg = line.split_whitespace().next().unwrap_or_default().parse()?;
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(line == placed(&map, pg), "osdmaptool: {line}\naxon:       {}", placed(&map, pg));
        compared += 1;
    }
    let all: usize = map.pools.values().map(|pool| pool.pg_num as usize).sum();
    ensure!(compared == all, "osdmaptool told of {compared} placement groups, the map has {all}");
    Ok(compared)
}

/// In the tool's words.
fn placed(map: &OSDMap, pg: Pg) -> String {
    let list = |osds: &[i32]| osds.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let at = map.pg_to_up_acting(pg);
    let raw = map.pg_to_raw_osds(pg);
    let primary = raw.iter().find(|osd| **osd != ITEM_NONE).copied().unwrap_or(-1);
    format!(
        "{pg} raw ([{}], p{primary}) up ([{}], p{}) acting ([{}], p{})",
        list(&raw),
        list(&at.up),
        at.up_primary,
        list(&at.acting),
        at.acting_primary
    )
}

/// OSDs of the maps; the place is the seed.
const SIZES: [usize; 24] =
    [3, 3, 4, 5, 6, 8, 9, 10, 12, 16, 20, 24, 30, 36, 48, 60, 77, 100, 130, 200, 300, 450, 700, 1000];
