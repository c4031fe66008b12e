//! The corpus of every fuzz target, and mutations of it by a generator of our own, so that a plain `cargo test` finds what the
//! fuzzer has found before.
//!
//! `AXON_FUZZ_RUNS`: mutations per target (default 3,000), `AXON_FUZZ_SECS`: instead, for so long per target; `AXON_FUZZ_SEED`;
//! `AXON_FUZZ_SEEDS_TO`: a folder to write what each target starts from, for libFuzzer (`fuzz/run` does so).

use axon_hostile_tests::TARGETS;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides.max(1) as u64) as usize
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let Ok(files) = std::fs::read_dir(&dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = files.flatten().map(|f| f.path()).filter(|p| p.is_file()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Dice) {
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(input.len() + 1);
        match dice.roll(7) {
            0 if !input.is_empty() => {
                let at = at.min(input.len() - 1);
                input[at] ^= 1 << dice.roll(8);
            }
            1 => input.truncate(at),
            2 => input.insert(at, dice.roll(256) as u8),
            3 => {
                let end = (at + dice.roll(16)).min(input.len());
                input.drain(at..end);
            }
            4 => {
                let odd = [0u32, 1, 0x7f, 0xff, 0x7fff_ffff, 0x8000_0000, u32::MAX];
                let bytes = odd[dice.roll(odd.len())].to_le_bytes();
                for (to, from) in input.iter_mut().skip(at).zip(bytes) {
                    *to = from;
                }
            }
            5 => {
                let other = &others[dice.roll(others.len())];
                let from = dice.roll(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let end = (at + dice.roll(64)).min(input.len());
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
        }
        input.truncate(1 << 16);
    }
}

#[test]
fn no_bytes_of_the_corpus_nor_mutations_of_them_make_a_decoder_or_a_handshake_panic() {
    let (runs, secs) = (number("AXON_FUZZ_RUNS").unwrap_or(3000), number("AXON_FUZZ_SECS"));
    for target in TARGETS {
        let mut inputs = (target.seeds)();
        inputs.extend(corpus(target.name));
        assert!(!inputs.is_empty(), "{} has seeds", target.name);
        for input in &inputs {
            (target.run)(input);
        }
        if let Some(dir) = std::env::var_os("AXON_FUZZ_SEEDS_TO") {
            let dir = PathBuf::from(dir).join(target.name);
            std::fs::create_dir_all(&dir).unwrap();
            for (i, input) in inputs.iter().enumerate() {
                std::fs::write(dir.join(format!("seed-{i}")), input).unwrap();
            }
        }
        let mut dice = Dice(number("AXON_FUZZ_SEED").unwrap_or(1));
        let begun = Instant::now();
        let mut done = 0u64;
        while secs.map_or(done < runs, |secs| begun.elapsed() < Duration::from_secs(secs)) {
            let mut input = inputs[dice.roll(inputs.len())].clone();
            mutate(&mut input, &inputs, &mut dice);
            (target.run)(&input);
            done += 1;
        }
        println!("{}: {} inputs, {done} mutations in {:?}", target.name, inputs.len(), begun.elapsed());
    }
}

#[test]
fn every_target_has_a_file_in_the_fuzz_folder() {
    for target in TARGETS {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
        assert!(file.join(format!("{}.rs", target.name)).exists(), "{}", target.name);
    }
}
