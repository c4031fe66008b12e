//! Commands that read, on a cluster where much is the matter (`Cluster::hold_broken`), beside the scenarios' own: what upstream's
//! manager and Axon answer, in every format that upstream's command line offers.

use super::commands::{answered_otherwise, ask, command, describe, described_otherwise, shape};
use crate::Bench;
use crate::compare::diff::differences;
use crate::side::with_cluster;
use anyhow::{Result, bail, ensure};
use axon_launcher::{Kind, Managers, Options, Release};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// Commands of the manager itself, beyond those of the small cluster.
const MORE: &[&str] = &[
    "pg dump dumpcontents=[\"delta\"]",
    "pg ls states=[\"undersized\"]",
    "pg ls states=[\"degraded\",\"remapped\"]",
    "pg ls states=[\"backfill_wait\",\"recovery_wait\"]",
    "pg ls-by-pool poolstr=ec",
    "pg ls-by-pool poolstr=fast states=[\"clean\"]",
    "pg ls-by-osd osd=1",
    "pg ls-by-osd osd=2",
    "pg ls-by-primary osd=3",
    WRONG_TYPE,
    "pg dump_stuck stuckops=[\"undersized\",\"degraded\"] threshold=1",
    "pg dump_stuck stuckops=[\"unclean\"] threshold=1",
    "osd df filter_by=class filter=ssd",
    "osd df output_method=tree filter_by=class filter=ssd",
    "osd df output_method=tree filter_by=name filter=fast",
    "osd df output_method=tree filter_by=name filter=ec",
    "osd pool stats pool_name=ec",
    "osd pool stats pool_name=fast",
    "osd safe-to-destroy ids=[\"1\"]",
    "osd safe-to-destroy ids=[\"2\",\"3\"]",
    "osd ok-to-stop ids=[\"1\"]",
    "osd ok-to-stop ids=[\"2\"]",
    "osd ok-to-stop ids=[\"3\"] max=5",
    "osd ok-to-stop ids=[\"any\"]",
    "osd destroy id=1",
    "osd purge id=2",
    "config show who=osd.1",
    "config show who=mds.a",
    "config show who=mon.a",
    "config show who=rgw.a",
    "config show who=client.rgw.a",
    "config show who=mon.a key=mon_lease",
    "config show-with-defaults who=mds.a",
    "device ls-by-daemon who=mon.a",
    "device ls-by-daemon who=osd.1",
    "osd test-reweight-by-pg pools=[\"ec\",\"rep\"]",
    "osd test-reweight-by-utilization max_osds=1",
];

/// A text where a number belongs: 20.2 does not answer it at all.
const WRONG_TYPE: &str = "pg ls-by-primary osd=\"osd.0\"";

/// Of native modules.
const MORE_OF_MODULES: &[&str] =
    &["fs status fs=second", "osd status bucket=default", "balancer eval option=ec"];

/// Those that change something when asked again.
const NOT_HERE: &[&str] =
    &["progress on", "osd pool unset noautoscale", "crash archive id=nope", "balancer optimize plan=a"];

const FORMATS: [Option<&str>; 6] =
    [None, Some("json"), Some("json-pretty"), Some("xml"), Some("xml-pretty"), Some("yaml")];

pub fn is_shown_as_upstream(bench: &mut Bench) -> Result<()> {
    let options = |options| Options { osds: 5, mds: 2, rich: true, managers: Managers::None, ..options };
    with_cluster(bench, "rich", options, |own| {
        compare_both(own)?;
        super::daemons::a_gateway_comes_and_goes(own)
    })
}

fn compare_both(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Ceph)?;
    bench.cluster.wait_well(ALLOWED, Duration::from_secs(120))?;
    // What is stuck for how long is then the same to who is asked first and who is asked later.
    let stuck =
        json!({"prefix": "config set", "who": "global", "name": "mon_pg_stuck_threshold", "value": "1"});
    bench.cluster.mon_command(stuck)?;
    bench.cluster.hold_broken()?;
    // Neither is to know what osd.1 last said.
    bench.cluster.stop("mgr.y")?;
    bench.cluster.mon_command(json!({"prefix": "mgr fail"}))?;
    bench.only(Kind::Ceph)?;
    settled(bench)?;
    let (release, asks) = (bench.release(), asks(bench.release()));
    let upstream = (ask(bench, &asks)?, describe(bench)?);
    let shown_under_upstream = shown_by_monitors(bench)?;
    bench.only(Kind::Axon)?;
    settled(bench)?;
    let axon = (ask(bench, &asks)?, describe(bench)?);
    let shown_under_axon = shown_by_monitors(bench)?;
    let described = described_otherwise(release, &upstream.1, &axon.1);
    let mut answered = answered_otherwise(release, &asks, &upstream.0, &axon.0);
    if !answered.is_empty() {
        // A client that writes to an object which lacks copies recovers it, for all that holds the others still. What upstream
        // says now then is as Axon said before.
        bench.only(Kind::Ceph)?;
        settled(bench)?;
        println!("  asking upstream once more");
        let asks: Vec<_> = answered.iter().filter_map(|nth| asks.get(*nth).cloned()).collect();
        let said: Vec<_> = answered.iter().filter_map(|nth| axon.0.get(*nth).cloned()).collect();
        answered = answered_otherwise(release, &asks, &ask(bench, &asks)?, &said);
    }
    ensure!(answered.is_empty(), "{} of {} commands are answered otherwise", answered.len(), asks.len());
    let shown = differences("shown", &shown_under_upstream, &shown_under_axon, &[]);
    for d in &shown {
        println!("  {}\n    upstream {:?}\n    axon     {:?}", d.at, d.stock, d.axon);
    }
    ensure!(shown.is_empty(), "the monitors show {} things otherwise than under upstream's", shown.len());
    ensure!(described == 0, "{described} commands are described otherwise than by upstream");
    Ok(())
}

/// What the monitors show of what the manager reports: `ceph health detail`, `ceph -s`, `ceph df`, without what moves.
fn shown_by_monitors(bench: &Bench) -> Result<Value> {
    let asked = [
        json!({"prefix": "health", "detail": "detail"}),
        json!({"prefix": "status"}),
        json!({"prefix": "df"}),
    ];
    let mut shown = Vec::new();
    for mut command in asked {
        command["format"] = "json".into();
        let answer = bench.cluster.mon_command(command)?;
        shown.push(serde_json::from_str::<Value>(&answer)?);
    }
    let [health, status, df] = shown.as_slice() else { bail!("three answers were expected") };
    let mut checks = Map::new();
    for (code, check) in health["checks"].as_object().into_iter().flatten() {
        if !ALLOWED.contains(&code.as_str()) {
            let of = |value: &Value| ages(&shape(value["message"].as_str().unwrap_or_default()));
            let mut detail: Vec<String> = check["detail"].as_array().into_iter().flatten().map(of).collect();
            detail.sort();
            let severity = &check["severity"];
            checks.insert(
                code.clone(),
                json!({"severity": severity, "summary": of(&check["summary"]), "detail": detail}),
            );
        }
    }
    ensure!(checks.contains_key("PG_DEGRADED") && checks.contains_key("OSD_DOWN"), "health is {health}");
    // Which of the waiting PGs recovers changes all the time.
    let pgmap = ["num_pgs", "num_pools", "num_objects", "bytes_total"]
        .map(|key| (key.to_owned(), status["pgmap"][key].clone()));
    let gateways = &status["servicemap"]["services"]["rgw"]["daemons"];
    let gateways: Vec<_> = gateways.as_object().into_iter().flat_map(Map::keys).collect();
    let of_pool = |pool: &Value| json!({"name": pool["name"], "objects": pool["stats"]["objects"]});
    let pools: Vec<_> = df["pools"].as_array().into_iter().flatten().map(of_pool).collect();
    ensure!(gateways.len() > 1 && pools.len() > 5, "the gateway or pools are missing: {status} {df}");
    let classes: Vec<_> = df["stats_by_class"].as_object().into_iter().flat_map(Map::keys).collect();
    Ok(json!({
        "checks": checks, "pgmap": Map::from_iter(pgmap), "gateways": gateways, "pools": pools, "classes": classes,
    }))
}

/// Words that tell an age are one.
fn ages(text: &str) -> String {
    let is_age = |word: &str| {
        let word = word.trim_end_matches([',', ';', ')']);
        word.contains('#') && word.chars().all(|c| "#smhdwy".contains(c)) && !word.ends_with('#')
    };
    text.split(' ').map(|word| if is_age(word) { "AGE" } else { word }).collect::<Vec<_>>().join(" ")
}

const ALLOWED: &[&str] = &["MGR_MODULE_DEPENDENCY", "OSDMAP_FLAGS"];

fn asks(release: Release) -> Vec<Map<String, Value>> {
    let modules: &[&[&str]] = match release {
        Release::Reef => &[],
        _ => &[super::commands::MODULES, MORE_OF_MODULES],
    };
    let lines = [super::commands::READ, MORE].into_iter().chain(modules.iter().copied()).flatten();
    lines
        .filter(|line| !NOT_HERE.contains(line) && (release != Release::Tentacle || **line != WRONG_TYPE))
        .flat_map(|line| FORMATS.map(|format| command(line, format)))
        .collect()
}

/// Waits until the manager has reported each PG and nothing moves any more.
fn settled(bench: &Bench) -> Result<()> {
    let begun = Instant::now();
    let mut before = Value::Null;
    loop {
        let status = bench.cluster.mon_command(json!({"prefix": "status", "format": "json"}))?;
        let status: Value = serde_json::from_str(&status)?;
        let states = status["pgmap"]["pgs_by_state"].clone();
        let unsettled = |state: &Value| {
            let name = state["state_name"].as_str().unwrap_or_default();
            ["unknown", "peering", "activating", "creating", "stale", "inactive"]
                .iter()
                .any(|s| name.contains(s))
        };
        let all = states.as_array().is_some_and(|states| !states.is_empty() && !states.iter().any(unsettled));
        if all && states == before {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(90), "the PGs do not settle: {states}");
        before = states;
        std::thread::sleep(Duration::from_secs(3));
    }
}
