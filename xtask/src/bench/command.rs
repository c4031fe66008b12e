//! `cargo xtask bench command`: monitor commands over one connection, Axon's client beside C librados, in one run on one cluster:
//! rate, processor time, allocations and instructions per command, and the time to connect.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use axon_launcher::{Cluster, Managers, Options, Release};
use clap::Args;
use serde_json::{Value, json};

use crate::build::{self, Profile};
use crate::progress;

#[derive(Args)]
pub struct Commands {
    /// Its librados is the one beside which Axon is measured; on the machine itself, so pacific on Debian 12.
    #[arg(long, default_value = "pacific")]
    release: Release,
    #[arg(long, default_value = "/var/tmp/axon-bench-command")]
    dir: PathBuf,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long)]
    port: Option<u16>,
    /// Count instructions with callgrind too.
    #[arg(long)]
    instructions: bool,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench-command.json")]
    out: PathBuf,
}

/// With so many OSDs in the map `osd dump` answers about 150 kB.
const EMPTY_OSDS: u32 = 260;

const ASKED: [(&str, &str); 3] = [
    ("status", r#"{"prefix":"status"}"#),
    ("osd dump", r#"{"prefix":"osd dump","format":"json"}"#),
    ("fsid", r#"{"prefix":"fsid"}"#),
];

struct Run<'a> {
    options: &'a Commands,
    axon: PathBuf,
    librados: PathBuf,
    cluster: Cluster,
}

pub fn run(options: &Commands) -> Result<()> {
    let told = progress();
    let axon = build::program("axon-bench", Profile::Release)?;
    let mut up = Options::new(options.release, &options.dir);
    up.managers = Managers::None;
    (up.osds, up.mds, up.data) = (1, 0, false);
    up.port_base = options.port.unwrap_or(up.port_base);
    let cluster = Cluster::up(&up, &told)?;
    let librados = cluster.dir().join("bench-librados");
    let mut run = Run { options, axon, librados, cluster };
    let measured = run.all(&told);
    run.cluster.down(false)?;
    let figures = measured?;
    std::fs::create_dir_all(options.out.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(&options.out, serde_json::to_string_pretty(&figures)?)?;
    told(&format!("figures are in {}", options.out.display()));
    Ok(())
}

impl Run<'_> {
    fn all(&mut self, told: &dyn Fn(&str)) -> Result<Value> {
        self.compile()?;
        self.cluster.add_empty_osds(EMPTY_OSDS)?;
        let mut rows = Vec::new();
        for mode in ["secure", "crc"] {
            for (name, command) in ASKED {
                for in_flight in [1, 32] {
                    for who in ["librados", "axon"] {
                        let mut row = self.measure(who, mode, in_flight, command)?;
                        if self.options.instructions && in_flight == 32 {
                            let instructions = self.instructions(who, mode, in_flight, command)?;
                            set(&mut row, "instructions", instructions.into());
                        }
                        report(who, mode, name, in_flight, &row, told);
                        set(&mut row, "who", who.into());
                        set(&mut row, "mode", mode.into());
                        set(&mut row, "command", name.into());
                        set(&mut row, "in_flight", in_flight.into());
                        rows.push(row);
                    }
                }
            }
        }
        Ok(json!({"release": self.options.release.name(), "rows": rows}))
    }

    fn compile(&self) -> Result<()> {
        let source = build::workspace().join("crates/bench/src/librados.c");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-rdynamic", "-o"]).arg(&self.librados).arg(source).args(["-ldl", "-lpthread"]);
        build::run(cc)
    }

    fn command(&self, who: &str, mode: &str, in_flight: u32, count: u64, command: &str) -> Command {
        let connects = if count == 0 { "31" } else { "0" };
        let (seconds, count) = (self.options.seconds.to_string(), count.to_string());
        let in_flight = in_flight.to_string();
        let mut run;
        if who == "axon" {
            run = Command::new(&self.axon);
            run.arg("command").arg("--cluster").arg(self.cluster.dir());
            run.args(["--mode", mode, "--in-flight", &in_flight, "--seconds", &seconds, "--count", &count]);
            run.args(["--connects", connects, "--command", command]);
        } else {
            run = Command::new(&self.librados);
            run.arg(self.cluster.conf_path()).arg(self.cluster.dir().join("keyring"));
            run.args([mode, &in_flight, &seconds, &count, connects, command]);
        }
        run
    }

    fn measure(&self, who: &str, mode: &str, in_flight: u32, command: &str) -> Result<Value> {
        let mut run = self.command(who, mode, in_flight, 0, command);
        let out = run.output().with_context(|| format!("cannot run {run:?}"))?;
        ensure!(out.status.success(), "{who}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(serde_json::from_slice(&out.stdout)?)
    }

    /// Of one command: the difference of two runs, so that start and end do not count.
    fn instructions(&self, who: &str, mode: &str, in_flight: u32, command: &str) -> Result<u64> {
        let (few, many) = (200, 1200);
        let of = |count: u64| -> Result<u64> {
            let run = self.command(who, mode, in_flight, count, command);
            let mut valgrind = Command::new("valgrind");
            valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
            valgrind.arg(run.get_program()).args(run.get_args());
            let out = valgrind.output().context("cannot run valgrind; apt-get install valgrind")?;
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            let total = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
            total.with_context(|| format!("callgrind counted nothing: {said}"))
        };
        Ok(of(many)?.saturating_sub(of(few)?) / (many - few))
    }
}

fn set(row: &mut Value, key: &str, value: Value) {
    if let Some(row) = row.as_object_mut() {
        row.insert(key.into(), value);
    }
}

fn report(who: &str, mode: &str, name: &str, in_flight: u32, row: &Value, told: &dyn Fn(&str)) {
    let number = |key: &str| row.get(key).and_then(Value::as_f64).unwrap_or_default();
    told(&format!(
        "{mode:6} {name:12} {in_flight:2} in flight  {who:8} {rate:7.0}/s  {cpu:7.1} µs cpu  {allocations:6.1} allocations  \
         {bytes:8.0} bytes allocated for {answer:6.0}  {instructions:8.0} instructions  connect {connect:6.2} ms",
        rate = number("per_sec"),
        cpu = number("cpu_usec"),
        allocations = number("allocations"),
        bytes = number("allocated_bytes"),
        answer = number("answer_bytes"),
        instructions = number("instructions"),
        connect = number("connect_ms"),
    ));
}
