//! `cargo xtask bench rest`: requests per second, latency and memory of the stock dashboard, of Axon and of a bare HTTP
//! server that sends the same body, at several sizes of one cluster.
//!
//! Each manager runs alone while it is measured. All three get the same load: same client, connections, seconds.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axon_launcher::{Cluster, Kind, Managers, Options, Release};
use clap::Args;
use serde_json::{Value, json};

use crate::build::{self, Profile};
use crate::progress;

#[derive(Args)]
pub struct Rest {
    /// A release whose stock dashboard runs: pacific or tentacle.
    #[arg(long, default_value = "pacific")]
    release: Release,
    #[arg(long, default_value = "/var/tmp/axon-bench")]
    dir: PathBuf,
    /// OSDs in the map, in rising order; the first 3 are real, the others only in the maps.
    #[arg(long, value_delimiter = ',', default_value = "3,10000")]
    sizes: Vec<u32>,
    #[arg(long, default_value_t = 8)]
    connections: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How long a manager idles before its memory is read.
    #[arg(long, default_value_t = 30)]
    idle: u64,
    #[arg(long)]
    port: Option<u16>,
    /// The axon program; built (release) when not given.
    #[arg(long)]
    axon: Option<PathBuf>,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench-rest.json")]
    out: PathBuf,
}

/// What is asked, and the media type's version. From 18.2 on the OSD list comes in pages of 5 unless all are asked for.
fn paths(release: Release) -> [(&'static str, &'static str); 3] {
    let list = match release {
        Release::Pacific => ("/api/osd", "1.0"),
        _ => ("/api/osd?offset=0&limit=-1", "1.1"),
    };
    [("/api/osd/flags", "1.0"), list, ("/api/health/minimal", "1.0")]
}

/// Above this time for one stock answer, one connection sends the requests: eight would only queue.
const SLOW: Duration = Duration::from_secs(2);

struct Run<'a> {
    options: &'a Rest,
    bench: PathBuf,
    cluster: Cluster,
    password: PathBuf,
}

pub fn run(options: &Rest) -> Result<()> {
    let told = progress();
    told("building axon and axon-bench (release)");
    let axon = match &options.axon {
        Some(given) => given.clone(),
        None => build::axon(Profile::Release)?,
    };
    let bench = build::program("axon-bench", Profile::Release)?;
    let mut up = Options::new(options.release, &options.dir);
    up.managers = Managers::None;
    up.port_base = options.port.unwrap_or(up.port_base);
    up.axon = Some(axon);
    let cluster = Cluster::up(&up, &told)?;
    let password = cluster.dir().join("admin.password");
    std::fs::write(&password, "Bench-pass-1!")?;
    let mut run = Run { options, bench, cluster, password };
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
        let mut sizes = Vec::new();
        let mut have = 3;
        for &size in &self.options.sizes {
            if size > have {
                told(&format!("adding {} OSDs to the maps", size - have));
                self.cluster.add_empty_osds(size - have)?;
                have = size;
            }
            sizes.push(self.size(size, told)?);
        }
        Ok(json!({"release": self.cluster.release().name(), "sizes": sizes}))
    }

    fn size(&mut self, osds: u32, told: &dyn Fn(&str)) -> Result<Value> {
        let mut rows = Vec::new();
        let mut memory = Vec::new();
        // How many connections a path gets is decided by the stock manager and kept for the others.
        let paths = paths(self.cluster.release());
        let mut connections = [0; 3];
        for (kind, who) in [(Kind::Ceph, "stock"), (Kind::Axon, "axon")] {
            told(&format!("{osds} OSDs: starting the {who} manager"));
            let id = self.alone(kind)?;
            let base = self.cluster.manager(id).context("the manager has no port")?.url();
            let auth = self.authorization(&base)?;
            std::thread::sleep(Duration::from_secs(self.options.idle));
            let idle_kib = self.rss_kib(id)?;
            for ((path, version), connections) in paths.iter().zip(&mut connections) {
                let accept = format!("Accept: application/vnd.ceph.api.v{version}+json");
                let headers = [auth.as_str(), &accept];
                let url = format!("{base}{path}");
                let body = self.cluster.dir().join("body");
                let begun = Instant::now();
                self.fetch(&url, &headers, &body)?;
                let once = begun.elapsed();
                if kind == Kind::Ceph {
                    *connections = if once > SLOW { 1 } else { self.options.connections };
                }
                let mut row = self.load(&url, &headers, *connections)?;
                add(&mut row, "who", who);
                report(osds, path, &row, told);
                rows.push(named(row, path));
                if kind == Kind::Axon {
                    let mut row = self.bare(&body, *connections)?;
                    add(&mut row, "who", "bare");
                    report(osds, path, &row, told);
                    rows.push(named(row, path));
                }
            }
            let after_kib = self.rss_kib(id)?;
            told(&format!("{osds} OSDs: {who} {} MiB idle, {} MiB after", idle_kib / 1024, after_kib / 1024));
            memory.push(json!({"who": who, "idle_kib": idle_kib, "after_kib": after_kib}));
        }
        Ok(json!({"osds": osds, "requests": rows, "memory": memory}))
    }

    /// Makes the manager of that kind the only one that runs.
    fn alone(&mut self, kind: Kind) -> Result<&'static str> {
        let (id, other) = if kind == Kind::Axon { ("x", "y") } else { ("y", "x") };
        if self.cluster.manager(other).is_some() {
            self.cluster.stop(&format!("mgr.{other}"))?;
        }
        self.cluster.start_manager(kind, id)?;
        self.cluster.wait_manager(id, Duration::from_secs(180))?;
        Ok(id)
    }

    /// The user is made on first use, by whichever manager is active; the module may still be loading.
    fn authorization(&self, base: &str) -> Result<String> {
        let begun = Instant::now();
        let password = self.password.to_str().context("the folder's name is not UTF-8")?;
        loop {
            let made =
                self.cluster.ceph(&["dashboard", "ac-user-create", "admin", "-i", password, "administrator"]);
            let made = made.is_ok_and(|out| out.status.success() || out.status.code() == Some(17));
            if made {
                let mut login = Command::new(&self.bench);
                login.args(["login", "--user", "admin", "--url", base, "--password", password]);
                let out = login.output().context("cannot run axon-bench")?;
                if out.status.success() {
                    return Ok(format!("Authorization: Bearer {}", String::from_utf8(out.stdout)?.trim()));
                }
            }
            if begun.elapsed() > Duration::from_secs(180) {
                bail!("no user can log in at {base}");
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    fn rss_kib(&self, id: &str) -> Result<u64> {
        self.cluster.process(&format!("mgr.{id}"))?.rss_kib().context("the manager has ended")
    }

    fn fetch(&self, url: &str, headers: &[&str], to: &Path) -> Result<()> {
        let mut fetch = Command::new(&self.bench);
        fetch.args(["fetch", "--url", url, "--to"]).arg(to);
        fetch.args(headers.iter().flat_map(|h| ["--header", *h]));
        build::run(fetch)
    }

    fn load(&self, url: &str, headers: &[&str], connections: usize) -> Result<Value> {
        let mut load = Command::new(&self.bench);
        load.args(["load", "--url", url, "--connections", &connections.to_string()]);
        load.args(["--seconds", &self.options.seconds.to_string()]);
        load.args(headers.iter().flat_map(|h| ["--header", *h]));
        let out = load.output().context("cannot run axon-bench")?;
        if !out.status.success() {
            bail!("load on {url}: {}", String::from_utf8_lossy(&out.stderr).trim());
        }
        Ok(serde_json::from_slice(&out.stdout)?)
    }

    /// The same load on a server that does nothing but send `body`.
    fn bare(&self, body: &Path, connections: usize) -> Result<Value> {
        let port = self.cluster.state().ports.rgw(1);
        let mut serve = Command::new(&self.bench);
        serve.args(["bare", "--port", &port.to_string(), "--body"]).arg(body);
        let _server = Server(serve.stdout(Stdio::null()).spawn().context("cannot run axon-bench")?);
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                bail!("the bare server does not listen");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.load(&format!("http://127.0.0.1:{port}/"), &[], connections)
    }
}

/// Ends with its owner.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn add(row: &mut Value, key: &str, value: &str) {
    if let Some(row) = row.as_object_mut() {
        row.insert(key.into(), value.into());
    }
}

fn named(mut row: Value, path: &str) -> Value {
    add(&mut row, "path", path);
    row
}

fn report(osds: u32, path: &str, row: &Value, told: &dyn Fn(&str)) {
    let number = |key: &str| row.get(key).and_then(Value::as_f64).unwrap_or_default();
    told(&format!(
        "{osds:5} OSDs  {path:20} {who:5}  {rps:10.1} req/s  p50 {p50:9.2} ms  p99 {p99:9.2} ms  {bytes:9} bytes  {n} connections",
        who = row.get("who").and_then(Value::as_str).unwrap_or_default(),
        rps = number("requests_per_sec"),
        p50 = number("p50_usec") / 1e3,
        p99 = number("p99_usec") / 1e3,
        bytes = number("body_bytes"),
        n = number("connections"),
    ));
}
