//! What modules may ask (`BaseMgrModule.cc`, `ActivePyModules.cc`): a row per question, answered from the snapshot or by a
//! command. What is not there is refused by a `NotImplementedError` that names it.

mod addrs;
mod arguments;
mod documents;
mod get;
mod maps;
mod options;
mod perf;
mod queries;

pub use documents::Documents;
pub use maps::Maps;
pub use options::Schemas;

use crate::board::Writer;
use crate::describe::Descriptions;
use crate::hosts::{Authorize, Hosts};
use crate::limits::Limits;
use crate::link::{Answer, Refusal};
use crate::setup::{Outside, Setup};
use arguments::Arguments;
use axon_core::perf_queries::{Kind, QueryId};
use axon_core::{Cluster, Command, Target};
use axon_proto::release::{Release, release_name};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// How long one waits to read what one has written.
const WRITTEN_MS_MAX: u64 = 5_000;
const WRITTEN_POLL_MS: u64 = 5;

/// Shared by all hosts.
pub struct Desk {
    pub setup: Setup,
    pub cluster: Cluster,
    pub outside: Arc<dyn Outside>,
    pub descriptions: Arc<Descriptions>,
    pub board: Writer,
    pub documents: Documents,
    pub schemas: Schemas,
    /// How many modules may be starting at a time.
    pub starting: Arc<Semaphore>,
    /// The manager waits no longer for processes that have been told to end.
    pub hurry: watch::Sender<bool>,
}

/// One host as it asks.
#[derive(Default)]
pub struct Caller {
    pub module: String,
    pub maps: Mutex<Maps>,
    /// Performance queries that it has asked for.
    pub queries: Mutex<BTreeSet<(Kind, QueryId)>>,
    /// Commands that it is working on, by token.
    pub commands: Mutex<HashMap<u64, Authorize>>,
}

type Answered = Result<Answer, Refusal>;

fn missing(what: &str) -> Refusal {
    Refusal::new("NotImplementedError", format!("Axon does not offer {what} to Python modules yet"))
}

fn runtime(why: impl ToString) -> Refusal {
    Refusal::new("RuntimeError", why.to_string())
}

impl Desk {
    /// What a module may take now.
    pub fn limits(&self, module: &str) -> Limits {
        let state = self.cluster.state();
        Limits::of(module, |name| state.settings.value(name))
    }

    /// Answers a call of a host. `hosts` reaches other modules.
    pub async fn answer(&self, caller: &Arc<Caller>, hosts: &Hosts, what: &[Value], tail: Bytes) -> Answered {
        let (Some(name), rest) = (what.first().and_then(Value::as_str), what.get(1..).unwrap_or_default())
        else {
            return Err(Refusal::new("ValueError", "a call without a name"));
        };
        let args = Arguments::of(name, rest);
        match name {
            "document" => self.document(caller, args).await,
            "option" => self.option(args.text(0)?).await,
            "foreign_option" => self.foreign_option(args.text(0)?, args.text(1)?).await,
            "module_option" => Ok(self.module_option(args.text(0)?, args.text(1)?, args.text(2)?)),
            "set_module_option" => self.set_module_option(args).await,
            "store" => {
                let state = self.cluster.state();
                Ok(json!(state.module_store(&caller.module, args.text(0)?)).into())
            }
            "store_prefix" => self.store_prefix(caller, args.text(0)?),
            "set_store" => self.set_store(caller, args, &tail).await,
            "counter" => perf::counter(&self.cluster.state(), args),
            "counters" => perf::newest(&self.cluster.state(), args),
            "counters_declared" => perf::declared(&self.cluster.state(), args),
            "counter_schemas" => perf::schemas(&self.cluster.state(), args),
            "osdmap" => self.osd_map(caller, args).await,
            "send_command" => self.send_command(caller, args, tail).await,
            "remote" => hosts.remote(args.text(0)?, args.text(1)?, tail).await,
            "remote_native" => self.remote_native(args).await,
            "is_authorized" => Ok(json!(is_authorized(caller, args)?).into()),
            "active_uri" => {
                let state = self.cluster.state();
                let uri = state.mgr_map.services.get(&caller.module);
                Ok(json!(uri.map(String::as_str).unwrap_or_default()).into())
            }
            "have_mon_connection" => Ok(json!(self.outside.is_connected()).into()),
            "release_name" => {
                let number = u32::try_from(args.number(0)?).unwrap_or(u32::MAX);
                Ok(json!(release_name(number)).into())
            }
            "wear_level" => self.set_wear_level(args).await,
            "register_client" => self.register_client(caller, args),
            "unregister_client" => self.unregister_client(caller, args),
            "rocksdb_version" => Ok(json!(rocksdb_version(self.cluster.state().release)).into()),
            "add_perf_query" => self.add_query(caller, args),
            "remove_perf_query" => self.remove_query(caller, args),
            "perf_query" => self.query_counters(args),
            "reregister_perf_queries" => {
                self.cluster.perf_queries().reregister(Kind::Mds);
                Ok(Value::Null.into())
            }
            other => Err(missing(other)),
        }
    }

    /// A JSON text that is kept: serial number, and the text where the caller has another one.
    async fn document(&self, caller: &Arc<Caller>, args: Arguments<'_>) -> Answered {
        let known = args.number(0)?;
        let what = args.text(1)?.to_owned();
        let Some(doc) = self.find_document(caller, &what, args).await? else {
            return Ok(Value::Null.into());
        };
        let (serial, text) = self.documents.text(doc).await?;
        let same = serial != 0 && i64::try_from(serial).ok() == Some(known);
        Ok(Answer { head: json!([serial, same]), tail: if same { Bytes::new() } else { text } })
    }

    fn store_prefix(&self, caller: &Caller, prefix: &str) -> Answered {
        let state = self.cluster.state();
        let base = format!("mgr/{}/", caller.module);
        let under = format!("{base}{prefix}");
        let entries = state.kv.under(&under).filter_map(|(key, value)| {
            Some((key.strip_prefix(&base)?.to_owned(), Value::from(String::from_utf8_lossy(value))))
        });
        let entries: Map<String, Value> = entries.collect();
        Ok(Answer { head: Value::Null, tail: Value::from(entries).to_string().into() })
    }

    async fn set_store(&self, caller: &Caller, args: Arguments<'_>, tail: &Bytes) -> Answered {
        let key = args.text(0)?;
        let value = match args.truth(1)? {
            true => Some(std::str::from_utf8(tail).map_err(|_| runtime("the value is not UTF-8"))?),
            false => None,
        };
        // As upstream: a monitor that says no is in the log, and the module goes on.
        match self.cluster.store(&caller.module, key, value).await {
            Ok(()) => {
                let written = || self.cluster.state().module_store(&caller.module, key) == value;
                wait_until(written).await;
            }
            Err(why) => {
                tracing::error!(module = %caller.module, key, %why, "the monitors do not store it; check the manager's capabilities");
            }
        }
        Ok(Value::Null.into())
    }

    async fn send_command(&self, caller: &Caller, args: Arguments<'_>, input: Bytes) -> Answered {
        let (kind, id, text) = (args.text(0)?, args.text(1)?, args.text(2)?);
        let parsed: Result<Map<String, Value>, _> = serde_json::from_str(text);
        let fields = parsed.map_err(|why| runtime(format!("the command is not a JSON object: {why}")))?;
        let target = match (kind, id) {
            ("mon", "" | "*") => Target::Mon,
            ("mon", name) => Target::MonNamed(name.to_owned()),
            ("osd", id) => {
                let bad = || Refusal::new("ValueError", format!("invalid osd_id: \"{id}\""));
                Target::Osd(id.parse().map_err(|_| bad())?)
            }
            ("mds", spec) => Target::Mds(spec.to_owned()),
            ("pg", pgid) => Target::Pg(pgid.to_owned()),
            ("mgr", _) => Target::Mgr,
            (other, _) => {
                return Err(Refusal::new("ValueError", format!("unknown service type: {other}")));
            }
        };
        let deadline = Duration::from_secs(self.limits(&caller.module).call_secs_max);
        let command = Command { args: fields, input, deadline };
        Ok(match self.cluster.command(target, command).await {
            Ok(out) => Answer { head: json!([out.retval, out.outs]), tail: out.outbl },
            Err(why) => json!([-why.errno(), why.to_string()]).into(),
        })
    }

    /// A method of a native module; its arguments are JSON.
    async fn remote_native(&self, args: Arguments<'_>) -> Answered {
        let (module, method) = (args.text(0)?, args.text(1)?);
        let (list, named) = (args.list(2)?, args.object(3)?);
        Ok(self.outside.remote(module, method, list, named).await?.into())
    }

    async fn set_wear_level(&self, args: Arguments<'_>) -> Answered {
        let devid = args.text(0)?;
        let wear_level = args.float(1)?;
        let state = self.cluster.state();
        let device = state.daemons.devices().get(devid);
        let mut metadata = device.map(|d| d.metadata.clone()).unwrap_or_default();
        metadata.insert("wear_level".to_owned(), format!("{wear_level:.6}"));
        let command = Command::json("config-key set")
            .arg("key", format!("device/{devid}"))
            .input(json!(metadata).to_string());
        self.cluster.mon(command).await.map_err(runtime)?;
        Ok(Value::Null.into())
    }

    fn register_client(&self, caller: &Caller, args: Arguments<'_>) -> Answered {
        let name = args.optional_text(0).unwrap_or(&caller.module).to_owned();
        let addrs = addrs::parse(args.text(1)?)?;
        let replace = args.truth(2)?;
        self.board.module(&caller.module, |module| {
            if replace {
                module.clients.retain(|(known, _)| *known != name);
            }
            module.clients.push((name, addrs));
        });
        Ok(Value::Null.into())
    }

    fn unregister_client(&self, caller: &Caller, args: Arguments<'_>) -> Answered {
        let name = args.optional_text(0).unwrap_or(&caller.module);
        let addrs = addrs::parse(args.text(1)?)?;
        self.board.module(&caller.module, |module| {
            module.clients.retain(|(known, at)| known != name || *at != addrs);
        });
        Ok(Value::Null.into())
    }
}

/// The RocksDB that a release's daemons are built with; they write it into their logs.
fn rocksdb_version(release: Release) -> &'static str {
    if release >= Release::Reef { "7.9.2" } else { "6.8.1" }
}

fn is_authorized(caller: &Caller, args: Arguments<'_>) -> Result<bool, Refusal> {
    let token = u64::try_from(args.number(0)?).unwrap_or_default();
    let arguments = args.object(1)?;
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let arguments = arguments.iter().map(|(k, v)| (k.clone(), text(v))).collect();
    let commands = caller.commands.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(commands.get(&token).is_some_and(|allows| allows(&arguments)))
}

/// Waits until what was written has come back from the monitors, within reason.
async fn wait_until(written: impl Fn() -> bool) {
    for _ in 0..WRITTEN_MS_MAX / WRITTEN_POLL_MS {
        if written() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(WRITTEN_POLL_MS)).await;
    }
}
