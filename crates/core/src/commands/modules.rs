//! `axon module ls`: the processes that run stock Python modules. Axon's own command; upstream, whose modules share one process, has
//! nothing to show (docs/differences.md).

use super::request::Ask;
use super::{Done, Row};
use crate::module_processes::{ModuleProcess, ProcessState};
use crate::text::{Column, Table, age, bytes};
use axon_proto::UTime;

pub(super) const ROWS: &[Row] = &[Row::read(
    "axon module ls",
    "Show the processes of Python modules: memory, CPU, restarts, last failure, calls in flight",
    "mgr",
    list,
)];

const COLUMNS: [Column; 11] = [
    Column::left("MODULE"),
    Column::left("STATE"),
    Column::right("PID"),
    Column::right("UP"),
    Column::right("MEMORY"),
    Column::right("LIMIT"),
    Column::right("CPU TIME"),
    Column::right("CPU%"),
    Column::right("CALLS"),
    Column::right("RESTARTS"),
    Column::left("LAST FAILURE"),
];

fn list(ask: &Ask<'_>) -> Done {
    let processes = &ask.state.module_processes;
    ask.answer(
        "modules",
        || processes.json(ask.now),
        || {
            let mut table = Table::new(COLUMNS);
            for (name, module) in processes.all() {
                table.row(row(name, &module, ask.now));
            }
            table.to_string()
        },
    )
}

fn row(name: String, module: &ModuleProcess, now: UTime) -> [String; 11] {
    let size = |value: u64| bytes(i64::try_from(value).unwrap_or(i64::MAX));
    let here = |text: String| if module.pid.is_some() { text } else { "-".to_owned() };
    let up = UTime { sec: u32::try_from(module.uptime_secs(now)).unwrap_or(u32::MAX), nsec: 0 };
    let state = module.state.name();
    let state = match module.state {
        ProcessState::Stopped => state.to_owned(),
        _ if module.standby => format!("{state} (standby)"),
        _ => state.to_owned(),
    };
    let why = module.last_failure.as_ref().map(|(_, why)| why.lines().next().unwrap_or_default().to_owned());
    [
        name,
        state,
        module.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        here(age(up)),
        here(size(module.rss_bytes)),
        match module.memory_bytes_max {
            0 => "-".to_owned(),
            bytes_max => size(bytes_max),
        },
        here(format!("{:.1} s", module.cpu_ms as f64 / 1e3)),
        here(format!("{:.1}", module.cpu_percent)),
        format!("{}/{}", module.calls_to, module.calls_from),
        module.restarts.to_string(),
        why.unwrap_or_else(|| "-".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::state::State;

    #[test]
    fn a_running_and_a_failed_process_are_listed_with_what_they_take() {
        let state = State::default();
        state.module_processes.change("volumes", |m| {
            *m = ModuleProcess {
                state: ProcessState::Running,
                pid: Some(77),
                started: Some(UTime { sec: 1_700_000_000, nsec: 0 }),
                rss_bytes: 64 << 20,
                rss_peak_bytes: 65 << 20,
                cpu_ms: 1_240,
                cpu_percent: 12.34,
                calls_to: 1,
                memory_bytes_max: 4 << 30,
                ..ModuleProcess::default()
            }
        });
        state.module_processes.change("nfs", |m| {
            let failed = UTime { sec: 1_700_000_080, nsec: 0 };
            m.state = ProcessState::Failed;
            (m.restarts, m.failures) = (3, 2);
            m.last_failure = Some((failed, "its process has ended: signal: 9 (SIGKILL)\nmore".to_owned()));
        });
        let now = UTime { sec: 1_700_000_100, nsec: 0 };
        let run = |format: &str| {
            let command = Command::json("axon module ls").arg("format", format);
            let out = list(&Ask { command: &command, state: &state, now }).output;
            String::from_utf8(out.outbl.to_vec()).unwrap()
        };
        let text = run("plain");
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "MODULE   STATE    PID    UP  MEMORY  LIMIT  CPU TIME  CPU%  CALLS  RESTARTS  LAST FAILURE",
                "nfs      failed     -     -       -      -         -     -    0/0         3  its process has ended: signal: 9 (SIGKILL)",
                "volumes  running   77  100s  64 MiB  4 GiB     1.2 s  12.3    1/0         0  -",
            ]
        );
        let json: serde_json::Value = serde_json::from_str(&run("json")).unwrap();
        assert_eq!((&json[1]["uptime_secs"], &json[1]["cpu_percent"]), (&100.into(), &12.3.into()));
        assert_eq!(json[0]["last_failure_at"], "2023-11-14T22:14:40.000000+0000");
    }
}
