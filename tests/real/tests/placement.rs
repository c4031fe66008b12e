//! Placement over many maps made up from seeds, on every release that is installed:
//! `AXON_PLACEMENT_MAPS=1000 cargo test -p axon-real-tests --test placement -- --ignored`.

use axon_launcher::{Release, Root};
use axon_real_tests::scenarios::placement::one;
use std::path::Path;

#[test]
#[ignore = "needs the releases' programs and root"]
fn no_pg_of_many_maps_differs() {
    let maps = std::env::var("AXON_PLACEMENT_MAPS").ok().and_then(|n| n.parse().ok()).unwrap_or(200u64);
    for release in Release::ALL {
        let root = Root::of(release);
        if let Root::Dir(root) = &root
            && !root.join("usr/bin/osdmaptool").exists()
        {
            println!("{release} is not installed");
            continue;
        }
        let (mut pgs, mut seed) = (0, 1000);
        while seed < 1000 + maps {
            let osds = 3 + (seed * seed % 997) as usize % if seed % 10 == 0 { 998 } else { 120 };
            pgs += one(release, &root, Path::new("/tmp"), seed, osds)
                .unwrap_or_else(|e| panic!("{release} {seed} {osds}: {e:#}"));
            seed += 1;
        }
        println!("{release}: {pgs} placement groups of {maps} maps");
    }
}
