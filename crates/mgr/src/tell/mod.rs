//! `ceph tell mgr.x …`: commands to the daemon itself (`AdminSocket` in `src/common/admin_socket.cc`, `CephContext::_do_command`).
//!
//! Not here: commands about parts that Axon does not have (op tracker, mempools, the in-process file system client), nor those
//! for breaking a daemon on purpose (`abort`, `assert`, `raise`). They are refused as upstream refuses what it does not know.

mod config;

use crate::counters::Counters;
use crate::run::Report;
use axon_core::commands::{self, Format, json_text};
use axon_core::config::Settings;
use axon_core::{Cluster, Command, CommandOutput};
use axon_proto::Release;
use axon_proto::mon_command_desc::MonCommandDesc;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

/// A command; those without help exist, but are not listed.
struct Row {
    cmdstring: &'static str,
    help: &'static str,
    since: Release,
}

const fn row(cmdstring: &'static str, help: &'static str) -> Row {
    Row { cmdstring, help, since: Release::Pacific }
}

/// By prefix, as upstream lists them. Descriptors and help texts are upstream's interface.
const ROWS: &[Row] = &[
    row("config diff", "dump diff of current config and default config"),
    row(
        "config diff get name=var,type=CephString",
        "dump diff get <field>: dump diff of current and default config setting <field>",
    ),
    row("config get name=var,type=CephString", "config get <field>: get the config value"),
    row("config help name=var,type=CephString,req=false", "get config setting schema and descriptions"),
    row(
        "config set name=var,type=CephString name=val,type=CephString,n=N",
        "config set <field> <val> [<val> ...]: set a config variable",
    ),
    row("config show", "dump current config settings"),
    row("config unset name=var,type=CephString", "config unset <field>: unset a config variable"),
    row("get_command_descriptions", "list available commands"),
    row("git_version", "get git sha1"),
    row("help", "list available commands"),
    row("log flush", "flush log entries to log file"),
    row("mgr_status", "Dump mgr status"),
    row(
        "perf dump name=logger,type=CephString,req=false name=counter,type=CephString,req=false",
        "dump non-labeled counters and their values",
    ),
    row("perf schema", "dump non-labeled counters schemas"),
    Row { cmdstring: "status", help: "show status", since: Release::Tentacle },
    row("version", "get ceph version"),
];

/// What these commands work on.
pub struct Tell<'a> {
    pub cluster: &'a Cluster,
    /// This host's configuration.
    pub settings: &'a Settings,
    pub counters: &'a Counters,
    pub reports: &'a mpsc::Sender<Report>,
}

/// What a command says: JSON, and a text beside it.
type Answer = Result<(Value, String), CommandOutput>;

impl Tell<'_> {
    /// Runs a command whose caller may do it.
    pub async fn run(&self, command: &Command) -> CommandOutput {
        let format = match command.args.get("format").and_then(Value::as_str) {
            Some("json") => Format::Json,
            _ => Format::JsonPretty,
        };
        let prefix = command.prefix();
        let known = self.rows().any(|row| commands::prefix_of(row.cmdstring) == prefix);
        if !known {
            return CommandOutput::failed(22, format!("unknown command prefix {prefix}"));
        }
        match self.answer(prefix, command).await {
            Ok((json, outs)) => CommandOutput { retval: 0, outs, outbl: json_text(&json, format).into() },
            Err(refused) => refused,
        }
    }

    async fn answer(&self, prefix: &str, command: &Command) -> Answer {
        let text = |name: &str| command.args.get(name).and_then(Value::as_str).unwrap_or_default();
        let json = match prefix {
            "version" => self.version(),
            "git_version" => json!({ "git_version": self.version_word(3).trim_matches(['(', ')']) }),
            "mgr_status" => self.mgr_status(),
            "perf dump" => self.counters.dump(text("logger"), text("counter")),
            "perf schema" => self.counters.schema(),
            "help" => self.help(),
            "get_command_descriptions" => self.descriptions(),
            // Each line is in the file when the call that logs it returns.
            "log flush" | "status" => json!({}),
            _ => return config::answer(self, prefix, command).await,
        };
        Ok((json, String::new()))
    }

    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        let release = self.cluster.state().release;
        ROWS.iter().filter(move |row| row.since <= release)
    }

    /// A word of `ceph version 16.2.15 (hash) pacific (stable)`.
    fn version_word(&self, n: usize) -> String {
        let version = self.cluster.state().me.ceph_version.clone();
        version.split_whitespace().nth(n).unwrap_or_default().to_owned()
    }

    fn version(&self) -> Value {
        json!({
            "version": self.version_word(2),
            "release": self.version_word(4),
            "release_type": self.version_word(5).trim_matches(['(', ')']),
        })
    }

    fn mgr_status(&self) -> Value {
        let state = self.cluster.state();
        let map = &state.mgr_map;
        let initialized = map.active_gid == state.me.gid && map.available;
        let mut out = json!({ "mgrmap_epoch": map.epoch, "initialized": initialized });
        if state.release >= Release::Tentacle
            && let Some(out) = out.as_object_mut()
        {
            out.insert("pending_modules".to_owned(), json!([]));
        }
        out
    }

    fn help(&self) -> Value {
        let listed = self.rows().filter(|row| !row.help.is_empty());
        listed
            .map(|row| (commands::prefix_of(row.cmdstring).to_owned(), row.help.into()))
            .collect::<Map<_, _>>()
            .into()
    }

    /// As the CLI reads them: signature and help.
    fn descriptions(&self) -> Value {
        let desc = |row: &Row| MonCommandDesc {
            cmdstring: row.cmdstring.to_owned(),
            helpstring: row.help.to_owned(),
            ..Default::default()
        };
        let descs: Vec<MonCommandDesc> = self.rows().map(desc).collect();
        let mut all = commands::descriptions_json(&descs);
        for entry in
            all.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut)
        {
            entry.retain(|key, _| key == "sig" || key == "help");
        }
        all
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
