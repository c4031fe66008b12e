//! The manager's own commands (`src/mgr/MgrCommands.h`): one row each, with upstream's descriptor and a pure handler over the
//! snapshot. What is not in the table yet is refused as unknown. `osd.rs` has the commands about OSDs.

mod osd;

use crate::command::{Command, CommandOutput};
use crate::state::State;
use axon_proto::Message;
use axon_proto::mon_command_desc::MonCommandDesc;
use axon_proto::release::Release;
use serde_json::{Map, Value, json};

/// A command: descriptor, help, service and permission as upstream declares them.
pub struct Row {
    pub cmdstring: &'static str,
    pub help: &'static str,
    pub module: &'static str,
    pub perm: &'static str,
    run: fn(&Command, &State) -> Done,
}

/// What a command leads to: an answer, and messages for OSDs.
#[derive(Debug, Default)]
pub struct Done {
    pub output: CommandOutput,
    pub to_osds: Vec<(i32, Message)>,
}

impl From<CommandOutput> for Done {
    fn from(output: CommandOutput) -> Done {
        Done { output, to_osds: Vec::new() }
    }
}

const ROWS: &[Row] = &[
    Row {
        cmdstring: "pg stat",
        help: "show placement group status.",
        module: "pg",
        perm: "r",
        run: |c, s| pg_stat(c, s).into(),
    },
    Row {
        cmdstring: "pg dump name=dumpcontents,type=CephChoices,strings=all|summary|sum|delta|pools|osds|pgs|pgs_brief,n=N,req=false",
        help: "show human-readable versions of pg map (only 'all' valid with plain)",
        module: "pg",
        perm: "r",
        run: |c, s| pg_dump(c, s).into(),
    },
    Row {
        cmdstring: "osd pool stats name=pool_name,type=CephPoolname,req=false",
        help: "obtain stats from all pools, or from specified pool",
        module: "osd",
        perm: "r",
        run: |c, s| pool_stats(c, s).into(),
    },
    Row {
        cmdstring: "osd scrub name=who,type=CephString",
        help: "initiate scrub on osd <who>, or use <all|any> to scrub all",
        module: "osd",
        perm: "rw",
        run: |c, s| osd::scrub(c, s, osd::Scrub { deep: false, repair: false }),
    },
    Row {
        cmdstring: "osd deep-scrub name=who,type=CephString",
        help: "initiate deep scrub on osd <who>, or use <all|any> to deep scrub all",
        module: "osd",
        perm: "rw",
        run: |c, s| osd::scrub(c, s, osd::Scrub { deep: true, repair: false }),
    },
    Row {
        cmdstring: "osd repair name=who,type=CephString",
        help: "initiate repair on osd <who>, or use <all|any> to repair all",
        module: "osd",
        perm: "rw",
        run: |c, s| osd::scrub(c, s, osd::Scrub { deep: true, repair: true }),
    },
];

/// The row of a command's prefix.
#[must_use]
pub fn find(prefix: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| prefix_of(row.cmdstring) == prefix)
}

/// The words of a descriptor that are not arguments.
#[must_use]
pub fn prefix_of(cmdstring: &str) -> &str {
    let end = cmdstring.find(" name=").unwrap_or(cmdstring.len());
    cmdstring.get(..end).unwrap_or(cmdstring).trim_end()
}

/// Runs a command of this table.
#[must_use]
pub fn run(row: &Row, command: &Command, state: &State) -> Done {
    (row.run)(command, state)
}

/// What the manager announces.
#[must_use]
pub fn descriptors(_release: Release) -> Vec<MonCommandDesc> {
    let row = |row: &Row| MonCommandDesc {
        cmdstring: row.cmdstring.to_owned(),
        helpstring: row.help.to_owned(),
        module: row.module.to_owned(),
        req_perms: row.perm.to_owned(),
        flags: MonCommandDesc::FLAG_MGR,
    };
    ROWS.iter().map(row).collect()
}

/// `get_command_descriptions`: every descriptor as the CLI reads it (`dump_cmddesc_to_json`).
#[must_use]
pub fn descriptions_json(commands: &[MonCommandDesc]) -> Value {
    let entries = commands.iter().enumerate().map(|(i, desc)| {
        let sig: Vec<Value> = desc.cmdstring.split_whitespace().map(argument_json).collect();
        let entry = json!({
            "sig": sig, "help": desc.helpstring, "module": desc.module, "perm": desc.req_perms, "flags": desc.flags,
        });
        (format!("cmd{i:03}"), entry)
    });
    Value::Object(entries.collect())
}

fn argument_json(word: &str) -> Value {
    if !word.contains('=') {
        return Value::from(word);
    }
    let pairs = word.split(',').filter_map(|pair| pair.split_once('='));
    Value::Object(pairs.map(|(k, v)| (k.to_owned(), Value::from(v))).collect::<Map<_, _>>())
}

/// The format that the caller asks for; `None` is plain text.
fn json_format(command: &Command) -> Option<bool> {
    match command.args.get("format").and_then(Value::as_str) {
        Some("json") => Some(false),
        Some("json-pretty") => Some(true),
        _ => None,
    }
}

fn as_json(value: &Value, pretty: bool) -> CommandOutput {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    CommandOutput::ok(format!("\n{}\n", text.unwrap_or_default()))
}

fn pg_stat(command: &Command, state: &State) -> CommandOutput {
    let map = &state.pg_map;
    match json_format(command) {
        Some(pretty) => {
            let body = json!({ "pg_ready": map.num_pg() > 0, "pg_summary": map.oneline_json() });
            as_json(&body, pretty)
        }
        None => CommandOutput { outs: String::new(), ..CommandOutput::ok(format!("{}\n", map.oneline())) },
    }
}

fn pg_dump(command: &Command, state: &State) -> CommandOutput {
    let map = &state.pg_map;
    let what: Vec<&str> = match command.args.get("dumpcontents") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => vec!["all"],
    };
    let dumped = |outbl: CommandOutput| CommandOutput { outs: format!("dumped {}", what.join(",")), ..outbl };
    let Some(pretty) = json_format(command) else {
        if what == ["all"] {
            return dumped(CommandOutput::ok(map.dump_text(state.release)));
        }
        return CommandOutput::failed(
            22,
            "only 'all' is printed as plain text by this manager; ask for --format json",
        );
    };
    let mut body = Map::new();
    for part in &what {
        match *part {
            "all" => body.extend(map.dump(state.release)),
            "summary" | "sum" => body.extend(map.dump_basic()),
            "delta" => body.extend(map.dump_delta()),
            "pools" => drop(body.insert("pool_stats".to_owned(), map.dump_pool_stats())),
            "osds" => body.extend(map.dump_osd_stats()),
            "pgs" => drop(body.insert("pg_stats".to_owned(), map.dump_pg_stats(state.release))),
            "pgs_brief" => drop(body.insert("pg_stats".to_owned(), map.dump_pg_stats_brief())),
            other => return CommandOutput::failed(22, format!("{other} is not a part of the PG map")),
        }
    }
    let body = if what == ["all"] {
        json!({ "pg_ready": map.num_pg() > 0, "pg_map": body })
    } else {
        Value::Object(body)
    };
    dumped(as_json(&body, pretty))
}

fn pool_stats(command: &Command, state: &State) -> CommandOutput {
    let all = state.pg_map.osd_pool_stats(&*state.osd_map);
    let wanted = command.args.get("pool_name").and_then(Value::as_str);
    let list = match wanted {
        None => all,
        Some(name) => {
            let list: Vec<Value> =
                all.as_array().into_iter().flatten().filter(|p| p["pool_name"] == name).cloned().collect();
            if list.is_empty() {
                return CommandOutput::failed(2, format!("unrecognized pool '{name}'"));
            }
            Value::Array(list)
        }
    };
    as_json(&list, json_format(command).unwrap_or(true))
}
