//! The same requests to the stock dashboard and to Axon, on one cluster, compared field by field.
//!
//! A resource is a file with a function `asks` and its rules, and one row in `resources::RESOURCES`. Requests must leave the
//! cluster as they found it, because both managers are asked the same in the same order. Whatever differs and is not
//! allowed by a rule fails the scenario; a rule that allows a difference of behaviour names `docs/differences.md`'s reason.

mod ask;
pub mod diff;
mod resources;
mod rules;

pub use ask::{Ask, Who, delete, get, post, put};
pub use diff::{May, Rule};

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axon_launcher::{Kind, Release};
use serde_json::Value;

use crate::{Bench, http};
use resources::RESOURCES;

/// A group of operations.
pub struct Resource {
    pub name: &'static str,
    pub asks: fn(Release) -> Vec<Ask>,
    pub rules: &'static [Rule],
}

/// User, role, who; made by the stock manager.
const USERS: [(&str, &str, Who); 3] = [
    ("compare-admin", "administrator", Who::Admin),
    ("compare-reader", "read-only", Who::ReadOnly),
    ("compare-block", "block-manager", Who::Limited),
];
const PASSWORD: &str = "Compare-Pass-1!";
/// Signed with another secret.
const FORGED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImNvbXBhcmUtYWRtaW4iLCJqdGkiOiJ4IiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImlzcyI6ImNlcGgtZGFzaGJvYXJkIn0.c2lnbmVkLWJ5LW5vYm9keQ";
/// How many differences are printed in full.
const SHOWN_MAX: usize = 60;

/// Axon answers every request of `resources::RESOURCES` as the stock dashboard does, and takes the tokens that it issued.
pub fn axon_answers_as_the_stock_dashboard(bench: &mut Bench) -> Result<()> {
    let wanted = std::env::var("AXON_COMPARE").ok();
    let chosen: Vec<&Resource> = RESOURCES
        .iter()
        .filter(|r| wanted.as_deref().is_none_or(|names| names.split(',').any(|n| n == r.name)))
        .collect();
    ensure!(!chosen.is_empty(), "AXON_COMPARE names no resource");
    bench.only(Kind::Ceph)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let tokens = tokens(bench)?;
    let stock = ask_all(bench, Kind::Ceph, &chosen, &tokens)?;
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let axon = ask_all(bench, Kind::Axon, &chosen, &tokens)?;
    report(&chosen, bench.release(), &stock, &axon)
}

/// Makes the users and logs them in at the stock manager, whose modules may still be loading.
fn tokens(bench: &Bench) -> Result<BTreeMap<u8, String>> {
    let base = bench.url(Kind::Ceph).context("the stock manager has no port")?;
    let file = bench.cluster.dir().join("compare.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let mut out = BTreeMap::new();
    for (user, role, who) in USERS {
        let begun = Instant::now();
        let token = loop {
            let made = bench.cluster.ceph(&["dashboard", "ac-user-create", user, "-i", file, role])?;
            let login = http::login(&base, user, PASSWORD);
            match login {
                Ok(token) => break token,
                Err(e) if begun.elapsed() > Duration::from_secs(120) => {
                    return Err(e.context(String::from_utf8_lossy(&made.stderr).trim().to_owned()));
                }
                Err(_) => std::thread::sleep(Duration::from_secs(1)),
            }
        };
        out.insert(who as u8, token);
    }
    out.insert(Who::Forged as u8, FORGED.to_owned());
    Ok(out)
}

type Answers = BTreeMap<(usize, usize), Value>;

fn ask_all(
    bench: &Bench,
    kind: Kind,
    chosen: &[&Resource],
    tokens: &BTreeMap<u8, String>,
) -> Result<Answers> {
    let base = bench.url(kind).context("the manager has no port")?;
    settle(&base, tokens)?;
    let mut out = BTreeMap::new();
    for (r, resource) in chosen.iter().enumerate() {
        for (a, ask) in (resource.asks)(bench.release()).iter().enumerate() {
            let token = tokens.get(&(ask.who as u8)).map(String::as_str);
            let answer = ask.send(&base, token).with_context(|| format!("{kind:?}: {ask}"))?;
            out.insert((r, a), answer);
        }
    }
    Ok(out)
}

/// Waits until the manager has had every daemon's first reports: rates and metadata come with them.
fn settle(base: &str, tokens: &BTreeMap<u8, String>) -> Result<()> {
    let begun = Instant::now();
    let token = tokens.get(&(Who::Admin as u8)).map(String::as_str);
    while get("/api/summary").send(base, token).ok().and_then(|a| a.get("status").cloned())
        != Some(200.into())
    {
        ensure!(begun.elapsed() < Duration::from_secs(60), "{base} does not answer with the tokens issued");
        std::thread::sleep(Duration::from_secs(1));
    }
    std::thread::sleep(REPORTS);
    Ok(())
}

/// Two of the daemons' report periods, and the stock manager's first tick after them.
const REPORTS: Duration = Duration::from_secs(12);

fn report(chosen: &[&Resource], release: Release, stock: &Answers, axon: &Answers) -> Result<()> {
    let (mut asked, mut differ, mut shown) = (0, 0, 0);
    for (r, resource) in chosen.iter().enumerate() {
        let rules: Vec<Rule> = resource.rules.iter().chain(rules::ALL).copied().collect();
        let asks = (resource.asks)(release);
        let mut mine = 0;
        for (a, ask) in asks.iter().enumerate() {
            let (Some(stock), Some(axon)) = (stock.get(&(r, a)), axon.get(&(r, a))) else { continue };
            let differences = diff::differences(&ask.name(), stock, axon, &rules);
            mine += usize::from(!differences.is_empty());
            if differences.is_empty() || shown >= SHOWN_MAX {
                continue;
            }
            shown += 1;
            println!("  {}: {ask}", resource.name);
            for d in differences.iter().take(8) {
                println!("    {}\n      stock {}\n      axon  {}", d.at, short(&d.stock), short(&d.axon));
            }
            if differences.len() > 8 {
                println!("    and {} more", differences.len() - 8);
            }
        }
        println!("  {}: {} requests, {mine} differ", resource.name, asks.len());
        asked += asks.len();
        differ += mine;
    }
    ensure!(differ == 0, "{differ} of {asked} answers differ from the stock dashboard's");
    Ok(())
}

fn short(value: &Option<Value>) -> String {
    let Some(value) = value else { return "(absent)".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(240) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
