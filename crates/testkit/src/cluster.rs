//! A client of a cluster that the launcher made.

use anyhow::Result;
use axon_launcher::{Cluster, Managers, Options, Release};
use axon_net::{Client, Config, Event, EventReceiver};
use axon_proto::Message;
use axon_proto::osd_map::{OSDMap, follow};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The `[global]` options of the cluster's `ceph.conf`, with some replaced.
pub async fn config(cluster: &Cluster, name: &str, replaced: &[(&str, &str)]) -> Result<Config> {
    let text = std::fs::read_to_string(cluster.conf_path())?;
    let global = text.lines().skip_while(|l| l.trim() != "[global]").skip(1);
    let mut values: BTreeMap<String, String> = global
        .take_while(|l| !l.starts_with('['))
        .filter_map(|l| l.split_once('='))
        .map(|(k, v)| (k.trim().replace(' ', "_"), v.trim().to_owned()))
        .collect();
    // Paths in the file are as the daemons in their root see them.
    values.insert("keyring".to_owned(), cluster.dir().join("keyring").display().to_string());
    values.extend(replaced.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    Ok(Config::load(name.parse()?, &|option| values.get(option).cloned()).await?)
}

/// Runs `scenario` on the running cluster of that release in the folder `AXON_REAL_DIR`, or, without that, on one that is made as
/// `change` says and taken down again. For tests that are started by hand.
pub fn with_cluster<T>(
    release: Release,
    change: impl FnOnce(Options) -> Options,
    scenario: impl AsyncFnOnce(&Cluster) -> Result<T>,
) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if let Some(dir) = std::env::var_os("AXON_REAL_DIR") {
        let cluster = Cluster::open(PathBuf::from(dir).join(release.name()))?;
        return runtime.block_on(scenario(&cluster));
    }
    let dir = std::env::temp_dir().join(format!("axon-{}-{}", release.name(), std::process::id()));
    let options = change(Options { managers: Managers::None, ..Options::new(release, dir) });
    let cluster = Cluster::up(&options, &|line: &str| println!("{line}"))?;
    let result = runtime.block_on(scenario(&cluster));
    cluster.down(false)?;
    result
}

/// Keeps the OSD map and hands each epoch to the client, as a manager does; ends with the client.
pub async fn follow_osd_map(client: Client, mut events: EventReceiver) {
    client.subscribe("osdmap", 0).await;
    let mut map = Arc::new(OSDMap::default());
    while let Some(event) = events.recv().await {
        let Event::Message(Message::MOSDMap(message)) = event else { continue };
        match follow(&mut map, &message) {
            Ok(_) => client.set_osd_map(map.clone()),
            // It has a gap: from the start.
            Err(_) => client.subscribe("osdmap", 0).await,
        }
    }
}

/// Lets Axon run stock Python modules on a cluster that was made without them, from its next start on.
///
/// # Errors
/// When the configuration file cannot be written.
pub fn host_python_modules(cluster: &Cluster) -> anyhow::Result<()> {
    let path = cluster.conf_path();
    let text = std::fs::read_to_string(&path)?;
    Ok(std::fs::write(&path, text.replace(axon_launcher::WITHOUT_PYTHON, ""))?)
}
