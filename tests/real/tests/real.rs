//! The real-cluster tests: skipped unless `AXON_REAL` names releases (`cargo xtask test` does).

use std::process::ExitCode;

use axon_real_tests::runner::{Plan, run};

fn main() -> ExitCode {
    match Plan::from_env() {
        Ok(None) => {
            println!("real-cluster tests skipped: AXON_REAL is not set (cargo xtask test runs them)");
            ExitCode::SUCCESS
        }
        Ok(Some(plan)) => {
            if run(&plan).failed == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
