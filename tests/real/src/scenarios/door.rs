//! The stock dashboard behind Axon's port: every operation of the release answers, as it does under the stock manager where that can
//! run it; changes go through; the host's death is felt by nobody who asks for something native.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::{Kind, Release};
use serde_json::{Value, json};

use crate::Bench;
use crate::http::{self, Answer};

/// Every operation of upstream's: releases, method, path, version, …
const TABLE: &str = include_str!("../../../../crates/api/src/stock/operations.tsv");
/// Who answers each.
const COVERAGE: &str = include_str!("../../../../docs/api-coverage.md");

const USER: &str = "door-admin";
const READER: &str = "door-reader";
const PASSWORD: &str = "Behind-The-Door-1!";
/// Requests at a time; CherryPy has ten threads.
const AT_A_TIME: usize = 6;
/// A stock module may still be loading.
const READY_AT_MOST: Duration = Duration::from_secs(90);

/// What a path's parameters are here; others get a name that nothing has.
const FILLED: [(&str, &str); 12] = [
    ("image_spec", "rbd%2Fdisk"),
    ("pool_name", "rbd"),
    ("pool", "rbd"),
    ("fs_id", "1"),
    ("vol_name", "demo"),
    ("fs_name", "demo"),
    ("svc_id", "0"),
    ("osd_id", "0"),
    ("mon_id", "a"),
    ("mds_id", "a"),
    ("mgr_id", "x"),
    ("name", "nothing"),
];

/// Asks a server outside of the cluster, or one that no cluster here has, and waits for it.
const OUTSIDE: [&str; 4] = ["/api/feedback", "/api/multi-cluster", "/api/telemetry", "/api/cluster/upgrade"];

struct Operation {
    path: String,
    filled: String,
    accept: String,
    native: bool,
}

/// Every GET of the release.
fn operations(release: Release) -> Vec<Operation> {
    let (number, column) = match release {
        Release::Pacific => ("16", 2),
        Release::Reef => ("18", 3),
        Release::Tentacle => ("20", 4),
    };
    let native = |path: &str| {
        let row = format!("| `GET {path}` |");
        let cells =
            COVERAGE.lines().find(|line| line.starts_with(&row)).map(|line| line.split('|').nth(column));
        cells.flatten().is_some_and(|cell| cell.trim() == "native")
    };
    let rows =
        TABLE.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect::<Vec<_>>());
    let rows = rows.filter(|row| row[0].split(',').any(|n| n == number) && row[1] == "GET");
    let rows = rows
        .filter(|row| !OUTSIDE.iter().any(|path| row[2].starts_with(path)) && !row[2].starts_with("/auth/"));
    rows.map(|row| Operation {
        path: row[2].to_owned(),
        filled: filled(row[2]),
        accept: match row[3] {
            "none" => "application/json".to_owned(),
            version => format!("application/vnd.ceph.api.v{version}+json"),
        },
        native: native(row[2]),
    })
    .collect()
}

fn filled(path: &str) -> String {
    let segment = |segment: &str| match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
        None => segment.to_owned(),
        Some(name) => FILLED.iter().find(|(n, _)| *n == name).map_or("nothing", |(_, v)| v).to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// A client with a token.
struct Client {
    base: String,
    token: String,
}

impl Client {
    fn send(&self, method: &str, path: &str, accept: &str, body: Option<&Value>) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("accept", accept), ("content-type", "application/json"), ("authorization", &bearer)];
        let body = body.map(Value::to_string);
        let length = body.as_ref().map(|body| body.len().to_string());
        let mut headers = headers.to_vec();
        if let Some(length) = &length {
            headers.push(("content-length", length));
        }
        http::send(&self.base, method, path, &headers, body.as_deref().map(str::as_bytes))
            .with_context(|| format!("{method} {path}"))
    }

    fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, V1, None)
    }

    /// Sends a change and waits for its task, if it is one.
    fn change(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let answer = self.send(method, path, V1, Some(&body))?;
        ensure!(
            (200..300).contains(&answer.status),
            "{method} {path} {body}: {} {}",
            answer.status,
            answer.json()
        );
        if answer.status == 202 {
            let task = answer.json();
            self.wait_task(&task).with_context(|| format!("{method} {path}"))?;
        }
        Ok(answer.json())
    }

    fn wait_task(&self, task: &Value) -> Result<()> {
        let begun = Instant::now();
        loop {
            let tasks = self.get("/api/task")?.json();
            let finished = tasks["finished_tasks"].as_array().into_iter().flatten();
            let mut mine =
                finished.filter(|t| t["name"] == task["name"] && t["metadata"] == task["metadata"]);
            if let Some(done) = mine.next() {
                ensure!(done["success"] == true, "{done}");
                return Ok(());
            }
            ensure!(begun.elapsed() < Duration::from_secs(60), "the task {task} does not end: {tasks}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

const V2: &str = "application/vnd.ceph.api.v2.0+json";
const V1: &str = "application/vnd.ceph.api.v1.0+json";

/// What is compared of an answer: status, media type, and the names within.
fn shape(answer: &Answer) -> String {
    let names = |value: &Value| match value {
        Value::Object(object) => {
            let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
            names.sort_unstable();
            names.join(",")
        }
        Value::Array(_) => "list".to_owned(),
        Value::String(_) => "text".to_owned(),
        other => other.to_string(),
    };
    let value = answer.json();
    let inner = match &value {
        Value::Array(items) => format!("[{}]", items.first().map(names).unwrap_or_default()),
        other => names(other),
    };
    // An answer of 500 says nothing that a client may rely on.
    let inner = if answer.status == 500 { String::new() } else { inner };
    format!("{} {} {inner}", answer.status, answer.header("content-type").unwrap_or_default())
}

/// Whether nobody has the operation, or the host of who has it does not answer.
fn is_lost(answer: &Answer, op: &Operation) -> bool {
    let body = answer.json();
    let detail = body["detail"].as_str().unwrap_or_default();
    detail == format!("The path '{}' was not found.", op.filled) || detail.contains("cannot be reached")
}

/// One request first that opens the module's RADOS client: upstream's fails where several do it at once.
fn warm(client: &Client) -> Result<()> {
    let begun = Instant::now();
    loop {
        let answer = client.send("GET", "/api/block/image?offset=0&limit=5", V2, None)?;
        if answer.status == 200 {
            return Ok(());
        }
        ensure!(begun.elapsed() < READY_AT_MOST, "images: {} {}", answer.status, answer.json());
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn ask_all(client: &Client, all: &[Operation]) -> Result<BTreeMap<String, (u16, String, bool)>> {
    let (next, out) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            while let Some(op) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                let answer = client.send("GET", &op.filled, &op.accept, None)?;
                let found = (answer.status, shape(&answer), is_lost(&answer, op));
                out.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(op.path.clone(), found);
            }
            Ok(())
        };
        let threads: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|t| t.join().map_err(|_| anyhow::anyhow!("a client broke off"))?)
    })?;
    Ok(out.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// The whole scenario.
pub fn opens_to_the_stock_dashboard(bench: &mut Bench) -> Result<()> {
    let all = operations(bench.release());
    let stock = match bench.release().stock_modules_load() {
        true => {
            bench.only(Kind::Ceph)?;
            let client = client(bench, Kind::Ceph)?;
            warm(&client)?;
            Some(ask_all(&client, &all)?)
        }
        false => None,
    };
    let conf = bench.cluster.conf_path();
    let before = std::fs::read_to_string(&conf)?;
    axon_testkit::host_python_modules(&bench.cluster)?;
    if bench.cluster.manager("x").is_some() {
        bench.cluster.stop("mgr.x")?;
    }
    bench.only(Kind::Axon)?;
    let done = behind_axon(bench, &all, stock.as_ref());
    std::fs::write(&conf, before)?;
    // The next scenario's Axon reads the file as it was.
    bench.cluster.stop("mgr.x")?;
    done
}

fn behind_axon(
    bench: &Bench,
    all: &[Operation],
    stock: Option<&BTreeMap<String, (u16, String, bool)>>,
) -> Result<()> {
    let client = client(bench, Kind::Axon)?;
    let first = Instant::now();
    let answer = client.get("/api/block/image/default_features")?;
    ensure!(answer.status == 200, "the first forwarded request: {} {}", answer.status, answer.json());
    println!("  the first forwarded request, which starts the host: {} ms", first.elapsed().as_millis());
    warm(&client)?;
    let axon = ask_all(&client, all)?;
    let mut wrong = Vec::new();
    for op in all {
        let Some((status, shape, lost)) = axon.get(&op.path) else { continue };
        let theirs = stock.and_then(|stock| stock.get(&op.path));
        let is_wrong = match theirs {
            // Native operations are compared in full elsewhere, and differ on purpose where upstream fails.
            Some((theirs, _, _)) if op.native => *status >= 500 && *theirs < 500,
            Some((_, theirs, _)) => theirs != shape,
            None => *lost || matches!(*status, 405 | 502 | 504),
        };
        if is_wrong {
            let theirs = theirs.map_or("no answer of a stock manager", |(_, theirs, _)| theirs);
            wrong.push(format!("GET {}: {shape}; stock: {theirs}", op.filled));
        }
    }
    let native = all.iter().filter(|op| op.native).count();
    println!(
        "  {} GETs: {native} native, {} forwarded; {} wrong",
        all.len(),
        all.len() - native,
        wrong.len()
    );
    ensure!(wrong.is_empty(), "{}", wrong.join("\n  "));
    changes(&client)?;
    users_are_shared(bench, &client)?;
    host_dies(bench, &client)
}

/// Administrator and client of a manager's dashboard.
fn client(bench: &Bench, kind: Kind) -> Result<Client> {
    let base = bench.url(kind).context("the manager has no port")?;
    let file = bench.cluster.dir().join("door.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let begun = Instant::now();
    loop {
        let made = bench.cluster.ceph(&["dashboard", "ac-user-create", USER, "-i", file, "administrator"])?;
        match http::login(&base, USER, PASSWORD) {
            Ok(token) => return Ok(Client { base, token }),
            Err(why) if begun.elapsed() > READY_AT_MOST => {
                return Err(why.context(String::from_utf8_lossy(&made.stderr).trim().to_owned()));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(500)),
        }
    }
}

/// Changes by librbd and libcephfs, and errors in upstream's form.
fn changes(client: &Client) -> Result<()> {
    let spec = "/api/block/image/rbd%2Fdoor";
    let image = json!({"name": "door", "pool_name": "rbd", "size": 16 << 20, "features": ["layering"]});
    client.change("POST", "/api/block/image", image.clone())?;
    client
        .change(
            "POST",
            &format!("{spec}/snap"),
            json!({"snapshot_name": "one", "mirrorImageSnapshot": false}),
        )
        .or_else(|_| client.change("POST", &format!("{spec}/snap"), json!({"snapshot_name": "one"})))?;
    client.change("PUT", &format!("{spec}/snap/one"), json!({"is_protected": true}))?;
    let clone = json!({"child_pool_name": "rbd", "child_image_name": "child", "child_namespace": null});
    client.change("POST", &format!("{spec}/snap/one/clone"), clone)?;
    let child = client.get("/api/block/image/rbd%2Fchild")?.json();
    ensure!(child["parent"]["image_name"] == "door", "the clone has no parent: {child}");
    client.change("POST", "/api/block/image/rbd%2Fchild/flatten", json!({}))?;
    client.change("PUT", &format!("{spec}/snap/one"), json!({"is_protected": false}))?;
    client.change("DELETE", &format!("{spec}/snap/one"), json!({}))?;
    client.change("POST", &format!("{spec}/move_trash"), json!({"delay": 0}))?;
    let trash = client.get("/api/block/image/trash")?.json().to_string();
    ensure!(trash.contains("\"door\""), "the image is not in the trash: {trash}");
    client.change("POST", "/api/block/image/trash/purge?pool_name=rbd", json!({}))?;
    client.change("DELETE", "/api/block/image/rbd%2Fchild", json!({}))?;

    let again = client.send(
        "POST",
        "/api/block/image",
        V1,
        Some(&json!({"name": "disk", "pool_name": "rbd", "size": 1})),
    )?;
    let refused = again.json();
    ensure!(
        again.status == 400 && refused["component"] == "rbd" && refused["task"]["name"] == "rbd/create",
        "an image that exists: {} {refused}",
        again.status
    );
    let directory =
        client.send("POST", "/api/cephfs/1/tree?path=/door", V1, Some(&json!({"path": "/door"})))?;
    ensure!(directory.status == 200, "a directory of CephFS: {} {}", directory.status, directory.json());
    let listed = client.get("/ui-api/cephfs/1/tabs")?;
    ensure!(listed.status == 200, "the UI's tabs of a file system: {} {}", listed.status, listed.json());
    client.change("DELETE", "/api/cephfs/1/tree?path=/door", json!({}))?;
    Ok(())
}

/// A user that Axon makes is known to the module at once, and so is what the user may do.
fn users_are_shared(bench: &Bench, admin: &Client) -> Result<()> {
    let body = json!({
        "username": READER, "password": PASSWORD, "name": "", "email": "", "roles": ["read-only"],
        "enabled": true, "pwdUpdateRequired": false,
    });
    let made = admin.send("POST", "/api/user", V1, Some(&body))?;
    ensure!(made.status == 201, "the second user: {} {}", made.status, made.json());
    let base = bench.url(Kind::Axon).context("no port")?;
    let reader = Client { token: http::login(&base, READER, PASSWORD)?, base };
    let read = reader.send("GET", "/api/block/image?offset=0&limit=5", V2, None)?;
    ensure!(read.status == 200, "what the reader may see: {} {}", read.status, read.json());
    let image = json!({"name": "no", "pool_name": "rbd", "size": 1});
    let written = reader.send("POST", "/api/block/image", V1, Some(&image))?;
    ensure!(written.status == 403, "what the reader may not do: {} {}", written.status, written.json());
    let nobody = Client { token: "none".to_owned(), base: reader.base.clone() };
    ensure!(nobody.get("/api/block/image/trash")?.status == 401, "a forwarded operation without a token");
    let gone = admin.send("DELETE", &format!("/api/user/{READER}"), V1, None)?;
    ensure!(gone.status == 204, "{}", gone.json());
    ensure!(reader.get("/api/block/image/trash")?.status == 401, "a user who is no more");
    Ok(())
}

/// The host is killed: what is native does not feel it, what is forwarded says why and then answers again.
fn host_dies(bench: &Bench, client: &Client) -> Result<()> {
    let native = median(client, "/api/osd/flags")?;
    let forwarded = median(client, "/api/block/image/default_features")?;
    println!("  native {} µs, forwarded {} µs (median of 21)", native.as_micros(), forwarded.as_micros());
    let manager = bench.cluster.process("mgr.x")?.pid;
    let host = child_of(manager, "dashboard").context("no process of the host")?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(host), nix::sys::signal::Signal::SIGKILL)?;
    let (begun, mut refused) = (Instant::now(), 0);
    loop {
        let (asked, answer) = (Instant::now(), client.get("/api/osd/flags")?);
        ensure!(
            answer.status == 200 && asked.elapsed() < Duration::from_secs(2),
            "native: {}",
            answer.json()
        );
        let answer = client.get("/api/block/image/default_features")?;
        match answer.status {
            200 if refused > 0 => break,
            // The kill may not have been noticed yet.
            200 => {}
            503 => {
                let why = answer.json();
                ensure!(why["detail"].as_str().is_some_and(|d| d.contains("stock dashboard")), "{why}");
                refused += 1;
            }
            other => bail!("a forwarded operation while the host is down: {other} {}", answer.json()),
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(60),
            "the host does not come back ({refused} refusals)"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    println!(
        "  the host was back {} ms after its death; {refused} requests got 503",
        begun.elapsed().as_millis()
    );
    Ok(())
}

fn median(client: &Client, path: &str) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..21 {
        let begun = Instant::now();
        ensure!(client.get(path)?.status == 200, "{path}");
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// The process that `axon` runs for a module: it stands in its arguments.
fn child_of(parent: i32, module: &str) -> Option<i32> {
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find(|pid| {
        let read = |what: &str| std::fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap_or_default();
        let parent_of = |stat: &str| stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<i32>().ok();
        let arguments = read("cmdline");
        let mut words = arguments.split('\0').skip_while(|word| *word != "axon-module");
        parent_of(&read("stat")) == Some(parent) && words.nth(1) == Some(module)
    })
}
