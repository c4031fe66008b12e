//! Axon under the distribution's `ceph-mgr@.service` with the drop-in of `packaging/systemd`: systemd's own checker takes both, and the
//! command that they name is started as systemd would start it, with their environment and limits, a notify socket in its place.
//!
//! It shows each line that the manager tells systemd, and holds where no systemd can run. Not here, as it takes one that runs: the unit's
//! sandbox (`ProtectSystem`, `PrivateDevices`, …), restarts, Python modules under them: `service/`.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Kind;

use crate::Bench;

const UNIT: &str = "usr/lib/systemd/system/ceph-mgr@.service";
const DROP_IN: &str = include_str!("../../../../packaging/systemd/ceph-mgr@.service.d/axon.conf");
const DROPPED_IN: &str = "etc/systemd/system/ceph-mgr@.service.d/axon.conf";
/// Limits of the unit, and their names in /proc.
const LIMITS: [(&str, &str); 2] = [("LimitNOFILE", "Max open files"), ("LimitNPROC", "Max processes")];
const AT_MOST: Duration = Duration::from_secs(60);

pub fn runs_under_the_distributions(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    let (log, restored) = (bench.cluster.dir().join("log/mgr.x.log"), bench.cluster.dir().join("mgr/x"));
    bench.cluster.stop("mgr.x")?;
    let unit = fs::read_to_string(bench.cluster.root().host_path(&Path::new("/").join(UNIT)))
        .context("the release has no ceph-mgr@.service")?;
    checked_by_systemd(bench, &unit)?;
    let section = Section::of(&unit).and(&Section::of(DROP_IN));
    ensure!(section.last("Type") == Some("notify") && section.last("User").is_none(), "{section:?}");

    let owner = (id_of_ceph(bench, "-u")?, id_of_ceph(bench, "-g")?);
    // Folders belong to the user `ceph` where packages have made them.
    for folder in ["run", "log", "crash", "mgr", "mgr/x", "mgr/x/keyring"] {
        let path = bench.cluster.dir().join(folder);
        if path.exists() {
            chown(&path, Some(owner.0), Some(owner.1))?;
        }
    }
    // One of its own.
    let _ = fs::remove_file(&log);
    let before = active(bench)?.0;
    let done = Service::start(bench, &section).and_then(|mut service| {
        let lived =
            available(bench, &mut service, before).and_then(|()| lives(&mut service, &section, &log, owner));
        if lived.is_err() {
            let _ = service.child.kill();
            let _ = service.child.wait();
        }
        lived
    });
    for path in [&log, &restored, &restored.join("keyring")] {
        let _ = chown(path, Some(0), Some(0));
    }
    done?;
    bench.only(Kind::Axon)
}

fn lives(service: &mut Service, section: &Section, log: &Path, owner: (u32, u32)) -> Result<()> {
    service.hears("READY=1")?;
    service.hears("STATUS=active")?;
    let status = fs::read_to_string(service.proc("status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    ensure!(field("Uid:") == vec![owner.0.to_string(); 4], "runs as {:?}", field("Uid:"));
    ensure!(field("Gid:") == vec![owner.1.to_string(); 4], "runs as {:?}", field("Gid:"));
    ensure!(field("NoNewPrivs:") == ["1"] && field("CapEff:") == ["0000000000000000"], "{status}");
    for (key, name) in LIMITS {
        let (wanted, got) = (limit(section, key)?, limits_of(&service.proc("limits"), name)?);
        ensure!(got == (wanted, wanted), "{name}: {got:?} instead of {wanted}");
    }

    fs::rename(log, log.with_extension("log.1"))?;
    service.reload(section)?;
    service.hears("RELOADING=1")?;
    service.hears("READY=1")?;
    let begun = Instant::now();
    while !log.exists() {
        ensure!(begun.elapsed() < AT_MOST, "the log was not opened anew");
        std::thread::sleep(Duration::from_millis(50));
    }
    let of = fs::metadata(log)?;
    ensure!((of.uid(), of.gid()) == owner, "the log is {}:{}'s", of.uid(), of.gid());

    let stop: u64 = section.last("TimeoutStopSec").context("no TimeoutStopSec")?.parse()?;
    let begun = Instant::now();
    service.terminate()?;
    service.hears("STOPPING=1")?;
    loop {
        if let Some(ended) = service.child.try_wait()? {
            ensure!(ended.success(), "it ends with {ended}");
            println!("    ended {:?} after SIGTERM", begun.elapsed());
            return Ok(());
        }
        ensure!(begun.elapsed().as_secs() < stop, "it does not end within {stop} s");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The active manager, and whether it is available. One that has ended stays in the map for the beacons' grace.
fn active(bench: &Bench) -> Result<(u64, bool)> {
    let dump = bench.cluster.ceph_json(&["mgr", "dump"])?;
    Ok((dump["active_gid"].as_u64().context("no active_gid")?, dump["available"] == true))
}

/// Waits until the monitors say that it serves, and not the one before it.
fn available(bench: &Bench, service: &mut Service, before: u64) -> Result<()> {
    let begun = Instant::now();
    loop {
        let (gid, available) = active(bench)?;
        if available && gid != before && gid != 0 {
            return Ok(());
        }
        if let Some(ended) = service.child.try_wait()? {
            bail!("it has ended: {ended}");
        }
        ensure!(begun.elapsed() < AT_MOST, "it does not become available");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// `systemd-analyze verify` of the release, where it has one: no word about unit and drop-in.
fn checked_by_systemd(bench: &Bench, unit: &str) -> Result<()> {
    let root = bench.cluster.root();
    let units = root.host_path(Path::new("/usr/lib/systemd/system"));
    if !root.host_path(Path::new("/usr/bin/systemd-analyze")).exists()
        || !units.join("sysinit.target").exists()
    {
        println!("    no systemd in {}: not checked by it", bench.release());
        return Ok(());
    }
    let tree = bench.cluster.dir().join("unit");
    let place = |path: &str, text: &[u8], mode: u32| -> Result<()> {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().context("no folder")?)?;
        fs::write(&path, text)?;
        Ok(fs::set_permissions(&path, Permissions::from_mode(mode))?)
    };
    for entry in fs::read_dir(&units)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() && (name.ends_with(".target") || name.ends_with(".slice")) {
            place(&format!("usr/lib/systemd/system/{name}"), &fs::read(&path)?, 0o644)?;
        }
    }
    place(UNIT, unit.as_bytes(), 0o644)?;
    for program in ["usr/bin/axon", "bin/kill"] {
        place(program, b"#!/bin/sh\n", 0o755)?;
    }
    let verify = |drop_in: &str| -> Result<(bool, String)> {
        place(DROPPED_IN, drop_in.as_bytes(), 0o644)?;
        let mut command = root.command("systemd-analyze");
        command.args(["verify", "--man=no", "ceph-mgr@x.service"]).arg(format!("--root={}", tree.display()));
        let done = command.output()?;
        Ok((done.status.success(), String::from_utf8_lossy(&done.stderr).trim().to_owned()))
    };
    let (well, said) = verify(DROP_IN)?;
    ensure!(well && said.is_empty(), "systemd-analyze verify: {said}");
    // It does look at the drop-in.
    let (_, said) = verify(&DROP_IN.replace("WatchdogSec=", "WatchdogSecs="))?;
    ensure!(said.contains("WatchdogSecs"), "systemd-analyze verify overlooks an unknown key: {said:?}");
    fs::remove_dir_all(&tree)?;
    Ok(())
}

/// The limit that a unit sets, or the machine's where it is lower: without CAP_SYS_RESOURCE nobody can raise that one.
fn limit(section: &Section, key: &str) -> Result<u64> {
    let wanted: u64 = section.last(key).with_context(|| format!("no {key}"))?.parse()?;
    let (_, name) = LIMITS.into_iter().find(|(of, _)| *of == key).context("no such limit")?;
    let (_, most) = limits_of(Path::new("/proc/self/limits"), name)?;
    if most < wanted {
        println!("    {key}: {most}, as this machine allows no {wanted}");
    }
    Ok(most.min(wanted))
}

/// Soft and hard.
fn limits_of(file: &Path, name: &str) -> Result<(u64, u64)> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    let mut values = line.split_whitespace().map(|value| value.parse().unwrap_or(u64::MAX));
    values.next().zip(values.next()).with_context(|| format!("{name}: {line}"))
}

fn id_of_ceph(bench: &Bench, what: &str) -> Result<u32> {
    let done = bench.cluster.root().command("id").args([what, "ceph"]).output()?;
    String::from_utf8_lossy(&done.stdout).trim().parse().context("there is no user ceph")
}

/// `[Service]` of a unit: values by key, as systemd reads lists; an empty value forgets those before it.
#[derive(Debug, Default)]
struct Section(BTreeMap<String, Vec<String>>);

impl Section {
    fn of(text: &str) -> Section {
        let lines = text.lines().skip_while(|line| *line != "[Service]").skip(1);
        let lines = lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#'));
        let mut out = Section::default();
        for (key, value) in lines.filter_map(|line| line.split_once('=')) {
            out.0.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        out
    }

    /// With a drop-in behind it.
    fn and(mut self, other: &Section) -> Section {
        for (key, values) in &other.0 {
            self.0.entry(key.clone()).or_default().extend(values.iter().cloned());
        }
        for values in self.0.values_mut() {
            let from = values.iter().rposition(String::is_empty).map_or(0, |at| at + 1);
            values.drain(..from);
        }
        self
    }

    fn last(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.last().map(String::as_str)
    }

    /// The one command of a key, in words, with what is put in for `%i`, variables and the program's place.
    fn command(&self, key: &str, filled: &[(&str, &str)]) -> Result<Vec<String>> {
        let [line] = self.0.get(key).map(Vec::as_slice).unwrap_or_default() else {
            bail!("{key} is not one command: {self:?}")
        };
        let fill =
            |word: &str| filled.iter().fold(word.to_owned(), |word, (name, by)| word.replace(name, by));
        Ok(line.split_whitespace().map(fill).collect())
    }
}

struct Service {
    child: Child,
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Service {
    fn start(bench: &Bench, section: &Section) -> Result<Service> {
        let dir = bench.cluster.dir();
        let path = dir.join("notify");
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path)?;
        // The manager tells it as the user that it has become.
        fs::set_permissions(&path, Permissions::from_mode(0o777))?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        let axon = dir.join("bin/axon").display().to_string();
        let filled = [("/usr/bin/axon", axon.as_str()), ("${CLUSTER}", "ceph"), ("%i", "x")];
        let words = section.command("ExecStart", &filled)?;
        let mut command = bench.cluster.root().command("prlimit");
        command.arg(format!("--nofile={}", limit(section, "LimitNOFILE")?));
        command.arg(format!("--nproc={}", limit(section, "LimitNPROC")?));
        command.args(["setpriv", "--no-new-privs"]).args(&words);
        for line in section.0.get("Environment").into_iter().flatten() {
            let (name, value) = line.split_once('=').context("Environment without a value")?;
            command.env(name, value);
        }
        let watchdog: u64 = section.last("WatchdogSec").context("no WatchdogSec")?.parse()?;
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", (watchdog * 1_000_000).to_string());
        // Instead of /etc/ceph/ceph.conf.
        command.env("CEPH_CONF", bench.cluster.conf_path());
        let out = fs::File::options().create(true).append(true).open(dir.join("log/mgr.x.out"))?;
        let child = command.stdout(out.try_clone()?).stderr(out).spawn().context("cannot run prlimit")?;
        Ok(Service { child, socket, heard: Vec::new() })
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// Waits for a line behind those that were waited for before.
    fn hears(&mut self, wanted: &str) -> Result<()> {
        let (begun, mut bytes) = (Instant::now(), [0; 4096]);
        loop {
            if let Some(at) = self.heard.iter().position(|line| line == wanted) {
                self.heard.drain(..=at);
                return Ok(());
            }
            ensure!(begun.elapsed() < AT_MOST, "{wanted} has not come: {:?}", self.heard);
            if let Some(ended) = self.child.try_wait()?.filter(|ended| !ended.success()) {
                bail!("it has ended: {ended}; heard {:?}", self.heard);
            }
            if let Ok(length) = self.socket.recv(&mut bytes) {
                let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned();
                self.heard.extend(text.lines().map(str::to_owned));
            }
        }
    }

    /// By the machine's programs: a release's root has not all of them.
    fn reload(&self, section: &Section) -> Result<()> {
        let pid = self.child.id().to_string();
        let words = section.command("ExecReload", &[("$MAINPID", pid.as_str())])?;
        let (program, args) = words.split_first().context("ExecReload is empty")?;
        ran(Command::new(program).args(args))
    }

    fn terminate(&self) -> Result<()> {
        ran(Command::new("/bin/kill").arg("-TERM").arg(self.child.id().to_string()))
    }
}

fn ran(command: &mut Command) -> Result<()> {
    let done = command.status()?;
    ensure!(done.success(), "{command:?}: {done}");
    Ok(())
}
