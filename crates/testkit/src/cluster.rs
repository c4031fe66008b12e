//! A client of a cluster that the launcher made.

use anyhow::Result;
use axon_launcher::Cluster;
use axon_net::{Client, Config, Event, EventReceiver};
use axon_proto::Message;
use axon_proto::osd_map::{OSDMap, follow};
use std::collections::BTreeMap;
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
