//! `cargo xtask coverage`: writes `docs/api-coverage.md` from the operation tables. The test that compares the file writes it when told
//! to, so that there is one maker of the page, and this program need not contain the API.

use anyhow::Result;

use crate::build;

pub fn run() -> Result<()> {
    let mut command = build::cargo();
    command.args(["test", "--quiet", "--package", "axon-api", "--lib", "stock::coverage"]);
    build::run({
        command.env("AXON_WRITE_COVERAGE", "1");
        command
    })
}
