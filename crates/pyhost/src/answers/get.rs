//! `mgr.get(…)` by name (`ActivePyModules::get_python`), and the other answers that are JSON texts.

use super::arguments::Arguments;
use super::documents::{Document, Source};
use super::{Caller, Desk, missing};
use crate::link::Refusal;
use axon_core::State;
use axon_core::daemons::DaemonKey;
use axon_denc::{Encode, Features};
use axon_proto::json::Object;
use axon_proto::pg::PgState;
use axon_proto::release::Dump;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Found = Result<Option<Document>, Refusal>;

/// A text made of parts of the snapshot.
fn text(
    key: impl Into<String>,
    sources: Vec<Source>,
    make: impl FnOnce() -> Result<Vec<u8>, serde_json::Error> + Send + 'static,
) -> Found {
    Ok(Some(Document { key: key.into(), sources, make: Box::new(make) }))
}

impl Desk {
    /// The text that a call of `document` is about; `None` is Python's.
    pub(super) async fn find_document(&self, caller: &Arc<Caller>, what: &str, args: Arguments<'_>) -> Found {
        let state = self.cluster.state();
        match what {
            "get" => self.get(&state, args.text(2)?).await,
            "server" => {
                let daemons = state.daemons.clone();
                match args.optional_text(2) {
                    Some(host) => {
                        let blank = || json!({"hostname": host, "services": [], "ceph_version": ""});
                        Ok(Some(Document::of(&daemons.server_json(host).unwrap_or_else(blank))))
                    }
                    None => {
                        let sources = vec![daemons.clone() as Source];
                        text("servers", sources, move || {
                            serde_json::to_vec(&daemons.servers_json().collect::<Vec<_>>())
                        })
                    }
                }
            }
            "metadata" => Ok(metadata(&state, args.text(2)?, args.text(3)?)),
            "daemon_status" => {
                let daemon = state.daemons.named(args.text(2)?, args.text(3)?);
                Ok(daemon.map(|daemon| Document::of(&json!(daemon.service_status))))
            }
            "daemon_health_metrics" => Ok(Some(Document::of(&health_metrics(&state)))),
            "osdmap_dump" => {
                let map = caller.map(args.number(2)?)?;
                let (key, sources, release) =
                    (format!("osdmap {}", map.epoch), vec![map.clone() as Source], state.release);
                text(key, sources, move || serde_json::to_vec(&map.dumped(release)))
            }
            "crush_dump" => {
                let crush = caller.map(args.number(2)?)?.crush.clone();
                let (sources, release) = (vec![crush.clone() as Source], state.release);
                text("crush", sources, move || serde_json::to_vec(&crush.dumped(release)))
            }
            other => Err(missing(other)),
        }
    }

    async fn get(&self, state: &Arc<State>, name: &str) -> Found {
        let release = state.release;
        let (osds, pgs, daemons) = (state.osd_map.clone(), state.pg_map.clone(), state.daemons.clone());
        let of_osds = || vec![osds.clone() as Source];
        let of_pgs = || vec![pgs.clone() as Source];
        let of_daemons = || vec![daemons.clone() as Source];
        let value = |value: Value| Ok(Some(Document::of(&value)));
        match name {
            "osd_map" => {
                let sources = of_osds();
                text(name, sources, move || serde_json::to_vec(&osds.dumped(release)))
            }
            "osd_map_tree" => {
                let sources = of_osds();
                text(name, sources, move || serde_json::to_vec(&osds.tree()))
            }
            "osd_map_crush" => {
                let crush = osds.crush.clone();
                text(name, vec![crush.clone() as Source], move || serde_json::to_vec(&crush.dumped(release)))
            }
            "fs_map" => {
                let map = state.fs_map.clone();
                text(name, vec![map.clone() as Source], move || serde_json::to_vec(&map.dumped(release)))
            }
            "mon_map" => {
                let map = state.mon_map.clone();
                text(name, vec![map.clone() as Source], move || serde_json::to_vec(&map.dumped(release)))
            }
            "mgr_map" => {
                let map = state.mgr_map.clone();
                text(name, vec![map.clone() as Source], move || serde_json::to_vec(&map.dumped(release)))
            }
            "service_map" => {
                let map = state.service_map.clone();
                text(name, vec![map.clone() as Source], move || serde_json::to_vec(&*map))
            }
            "osd_metadata" | "mds_metadata" => {
                let kind = if name == "osd_metadata" { "osd" } else { "mds" };
                let sources = of_daemons();
                text(name, sources, move || serde_json::to_vec(&daemons.metadata_of(kind)))
            }
            "pg_summary" => {
                let sources = of_pgs();
                text(name, sources, move || serde_json::to_vec(&pgs.pg_summary()))
            }
            "pg_status" => {
                let sources = of_pgs();
                text(name, sources, move || serde_json::to_vec(&pgs.summary_json()))
            }
            "pg_dump" => {
                let sources = of_pgs();
                text(name, sources, move || serde_json::to_vec(&Object(pgs.dump(release, false))))
            }
            "pg_stats" => {
                let sources = of_pgs();
                text(name, sources, move || {
                    serde_json::to_vec(&Object(("pg_stats", pgs.dump_pg_stats(release))))
                })
            }
            "pool_stats" => {
                let sources = of_pgs();
                text(name, sources, move || {
                    serde_json::to_vec(&Object(("pool_stats", pgs.dump_pool_stats())))
                })
            }
            "osd_stats" => {
                let sources = of_pgs();
                text(name, sources, move || serde_json::to_vec(&Object(pgs.dump_osd_stats(false))))
            }
            "osd_ping_times" => {
                let sources = of_pgs();
                text(name, sources, move || serde_json::to_vec(&pgs.dump_osd_ping_times()))
            }
            "io_rate" => value(pgs.dump_delta().into()),
            "pg_ready" => value(json!({"pg_ready": state.pg_ready})),
            "pg_progress" => {
                let ready = state.pg_ready;
                let sources = vec![pgs.clone() as Source, Arc::new(ready) as Source];
                text(name, sources, move || {
                    serde_json::to_vec(&json!({"pgs": pgs.pg_progress(), "pg_ready": ready}))
                })
            }
            "active_clean_pgs" => {
                let sources = of_pgs();
                text(name, sources, move || serde_json::to_vec(&active_clean(&pgs)))
            }
            "df" => {
                let sources = [of_osds(), of_pgs()].concat();
                text(name, sources, move || serde_json::to_vec(&pgs.df(&*osds, release)))
            }
            "osd_pool_stats" => {
                let sources = [of_osds(), of_pgs()].concat();
                text(name, sources, move || serde_json::to_vec(&pgs.osd_pool_stats(&*osds)))
            }
            "health" => value(json!({"json": state.health.to_string()})),
            "mon_status" => value(json!({"json": state.mon_status.to_string()})),
            "devices" => {
                let sources = of_daemons();
                text(name, sources, move || {
                    let all = daemons.devices().iter().map(|(devid, device)| device.dump(devid));
                    serde_json::to_vec(&json!({"devices": all.collect::<Vec<_>>()}))
                })
            }
            "mgr_ips" => {
                let mut seen = BTreeSet::new();
                let addrs = self.outside.my_addrs();
                let ips = addrs.0.iter().filter_map(|addr| Some(addr.sock?.ip().to_string()));
                let ips: Vec<String> = ips.filter(|ip| seen.insert(ip.clone())).collect();
                value(json!({"ips": ips}))
            }
            "have_local_config_map" => value(json!({"have_local_config_map": true})),
            "modified_config_options" => {
                let names: BTreeSet<&String> = daemons.iter().flat_map(|(_, d)| d.config.keys()).collect();
                value(json!({"options": names}))
            }
            "config_options" => value(json!({"options": self.option_helps().await?})),
            "config" => value(self.option_values().await?.into()),
            _ => match name.strip_prefix("device ") {
                Some(devid) => {
                    let device = daemons.devices().get(devid).map(|device| device.dump(devid));
                    let entry = device.map(|device| ("device".to_owned(), device));
                    value(entry.into_iter().collect::<Map<_, _>>().into())
                }
                // Upstream gives the encoded map's bytes up to the first zero, not the map's text.
                None if name == "osdmap_crush_map_text" => {
                    let bytes = osds.crush.to_bytes(Features::ALL);
                    let shown = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                    value(String::from_utf8_lossy(shown).into())
                }
                None => {
                    tracing::error!(name, "a module asks for data that does not exist");
                    Ok(None)
                }
            },
        }
    }
}

fn metadata(state: &State, kind: &str, id: &str) -> Option<Document> {
    let Some(daemon) = state.daemons.daemon(&DaemonKey::new(kind, id)) else {
        tracing::debug!(kind, id, "a module asks for the metadata of a daemon that is not known");
        return None;
    };
    let mut out = Map::new();
    out.insert("hostname".to_owned(), daemon.hostname.as_str().into());
    out.extend(daemon.metadata.iter().map(|(k, v)| (k.clone(), v.as_str().into())));
    Some(Document::of(&out.into()))
}

fn health_metrics(state: &State) -> Value {
    let one = |metric: &axon_proto::health::DaemonHealthMetric| json!({"value": metric.n1, "type": metric.metric.name()});
    let all: BTreeMap<String, Vec<Value>> = state
        .daemons
        .iter()
        .map(|(key, daemon)| (key.to_string(), daemon.health_metrics.iter().map(one).collect()))
        .collect();
    json!(all)
}

fn active_clean(pgs: &axon_core::pg_map::PgMap) -> Value {
    let wanted = |state: PgState| state.0 & PgState::ACTIVE.0 != 0 && state.0 & PgState::CLEAN.0 != 0;
    let listed = pgs.pg_stat.iter().filter(|(_, stat)| wanted(stat.state));
    let list: Vec<Value> = listed
        .map(|(pg, stat)| json!({"pgid": pg, "state": stat.state, "reported_epoch": stat.reported_epoch}))
        .collect();
    json!({"pg_stats": list, "total_num_pgs": pgs.num_pg()})
}
