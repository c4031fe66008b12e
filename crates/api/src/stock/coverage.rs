//! `docs/api-coverage.md`: per operation of upstream's and per release, who answers. Made by `cargo xtask coverage`; a test fails when
//! the file is another one.

use super::table::rows;
use crate::http::operation::{Resource, Verb};
use crate::release::Release;
use std::collections::BTreeMap;
use std::fmt::Write;

const NAMES: [(Release, &str); 3] =
    [(Release::Pacific, "16.2.15"), (Release::Reef, "18.2.7"), (Release::Tentacle, "20.2.4")];

/// Who answers an operation in a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    Native,
    Forwarded,
    /// Upstream's release does not have it.
    Absent,
}

impl Answers {
    fn name(self) -> &'static str {
        match self {
            Answers::Native => "native",
            Answers::Forwarded => "forwarded",
            Answers::Absent => "–",
        }
    }
}

/// Every operation with who answers it, by path and method.
fn answers(resources: &[Resource]) -> BTreeMap<(&'static str, &'static str), [Answers; 3]> {
    let is_native = |method: Verb, path: &str, release| {
        let mut all = resources.iter().flat_map(|resource| resource.operations);
        all.any(|op| op.method == method && op.path == path && op.releases.contains(release))
    };
    let mut out = BTreeMap::new();
    for row in rows() {
        let cells = out.entry((row.op.path, row.op.method.name())).or_insert([Answers::Absent; NAMES.len()]);
        for (cell, (release, _)) in cells.iter_mut().zip(NAMES) {
            if row.is_in(release) {
                let native = is_native(row.op.method, row.op.path, release);
                *cell = if native { Answers::Native } else { Answers::Forwarded };
            }
        }
    }
    out
}

/// The page.
#[must_use]
pub fn page(resources: &[Resource]) -> String {
    let all = answers(resources);
    let mut out = String::from(INTRODUCTION);
    out.push_str("\n| | 16.2.15 | 18.2.7 | 20.2.4 |\n|---|---|---|---|\n");
    for answer in [Answers::Native, Answers::Forwarded] {
        let count = |at: usize| all.values().filter(|cells| cells[at] == answer).count();
        let _ = writeln!(out, "| {} | {} | {} | {} |", answer.name(), count(0), count(1), count(2));
    }
    out.push_str("\n| operation | 16.2.15 | 18.2.7 | 20.2.4 |\n|---|---|---|---|\n");
    for ((path, method), cells) in &all {
        let [a, b, c] = cells.map(Answers::name);
        let _ = writeln!(out, "| `{method} {path}` | {a} | {b} | {c} |");
    }
    out
}

const INTRODUCTION: &str = "\
# Who answers an operation

Made by `cargo xtask coverage`; do not edit. Every operation of upstream's dashboard, `/ui-api` included, by release:

- **native**: Axon itself;
- **forwarded**: the stock `dashboard` module in its host process, by the same port and token (`docs/decisions/0005-stock-dashboard.md`);
  404 where Python modules do not run (`axon_python_modules`);
- **–**: upstream's release does not have it, and the answer is its 404.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_the_newest() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api-coverage.md");
        let page = page(crate::resources::ALL);
        if std::env::var_os("AXON_WRITE_COVERAGE").is_some() {
            std::fs::write(file, &page).unwrap();
        }
        let found = std::fs::read_to_string(file).unwrap_or_default();
        assert!(found == page, "docs/api-coverage.md is stale: run `cargo xtask coverage`");
    }

    #[test]
    fn native_rows_win_and_the_others_are_forwarded() {
        let all = answers(crate::resources::ALL);
        assert_eq!(all[&("/api/osd/flags", "GET")], [Answers::Native; 3]);
        assert_eq!(all[&("/api/nvmeof/gateway", "GET")][0], Answers::Absent);
    }
}
