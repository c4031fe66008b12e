//! `axon dencoder`: what `ceph-dencoder` does for upstream's types, for ours: list them, print a value's JSON, and check that
//! a value's bytes are written back as they were read.

#[cfg(test)]
mod corpus_tests;
mod json;
mod types;

use anyhow::{Context, Result, bail};
use axon_proto::Release;
use clap::{Parser, Subcommand};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use types::{Decoded, TYPES};

#[derive(Parser)]
#[command(name = "axon dencoder", about = "Decodes and encodes the types of Ceph's wire and stores")]
struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// The names of all types.
    List,
    /// Print a value as JSON.
    Decode {
        /// A name as `list` prints it.
        type_name: String,
        /// The file with the value's bytes; - is standard input.
        file: PathBuf,
        /// Whose keys the JSON has: pacific, reef, tentacle, …
        #[arg(long)]
        release: Option<String>,
    },
    /// Read a value and write it again; fails where the bytes differ.
    Roundtrip { type_name: String, file: PathBuf },
}

/// Runs; the exit code.
pub fn main(args: impl IntoIterator<Item = String>) -> ExitCode {
    let args = match Args::try_parse_from(std::iter::once("axon dencoder".to_owned()).chain(args)) {
        Ok(args) => args,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { ExitCode::from(EINVAL) } else { ExitCode::SUCCESS };
        }
    };
    match run(&args.action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("axon dencoder: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: &Action) -> Result<()> {
    match action {
        Action::List => TYPES.iter().for_each(|t| println!("{}", t.name)),
        Action::Decode { type_name, file, release } => {
            let release = match release {
                None => Release::NEWEST,
                Some(name) => Release::ALL
                    .into_iter()
                    .find(|r| r.to_string() == *name)
                    .with_context(|| format!("unknown release {name:?}"))?,
            };
            let bytes = read(file)?;
            let value = decoded(type_name, &bytes, release)?;
            let json = value.json.map_err(anyhow::Error::msg).context("the value has no JSON form")?;
            println!("{json:#}");
            if value.used < bytes.len() {
                eprintln!(
                    "axon dencoder: {} bytes behind the value were not looked at",
                    bytes.len() - value.used
                );
            }
        }
        Action::Roundtrip { type_name, file } => {
            let bytes = read(file)?;
            let value = decoded(type_name, &bytes, Release::NEWEST)?;
            let original = bytes.get(..value.used).unwrap_or_default();
            if !value.encoded.iter().any(|again| again == original) {
                bail!("{}", difference(original, &value));
            }
            println!("{} bytes are written back as they were", original.len());
        }
    }
    Ok(())
}

fn decoded(type_name: &str, bytes: &[u8], release: Release) -> Result<Decoded> {
    let found = TYPES.iter().find(|t| t.name == type_name);
    let found = found.with_context(|| format!("unknown type {type_name:?}; `axon dencoder list` has all"))?;
    (found.decode)(bytes, release).with_context(|| format!("this is no {type_name}"))
}

/// Where the nearest form begins to differ.
fn difference(original: &[u8], value: &Decoded) -> String {
    let common = |again: &&Vec<u8>| again.iter().zip(original).take_while(|(a, b)| a == b).count();
    let nearest = value.encoded.iter().max_by_key(common);
    let (at, len) = nearest.map_or((0, 0), |again| (common(&again), again.len()));
    format!(
        "no release's form gives the bytes back: {} were read, {len} written, equal up to byte {at}",
        original.len()
    )
}

fn read(file: &Path) -> Result<Vec<u8>> {
    if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("standard input cannot be read")?;
        return Ok(bytes);
    }
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

const EINVAL: u8 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_printed_and_given_back_and_a_damaged_one_is_refused() {
        let pg = [1, 7, 0, 0, 0, 0, 0, 0, 0, 0x1f, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xaa];
        let value = decoded("pg_t", &pg, Release::NEWEST).unwrap();
        assert_eq!((value.used, value.json.unwrap()), (17, serde_json::json!({"pool": 7, "seed": 31})));
        assert!(value.encoded.iter().all(|again| again == &pg[..17]));
        assert!(decoded("pg_t", &pg[..9], Release::NEWEST).is_err());
        assert!(decoded("nope", &pg, Release::NEWEST).is_err());
    }

    #[test]
    fn names_are_sorted_and_single() {
        assert!(TYPES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
