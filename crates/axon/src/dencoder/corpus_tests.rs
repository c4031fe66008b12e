//! Every sample that Ceph's own daemons encoded (`AXON_CORPUS`, or `../shared/corpus` beside the workspace, when it is there) through the
//! whole table of types: it decodes, no prefix of it does, it has JSON, and it is written back byte for byte; where it is not, the
//! reason stands here and the value that is written reads as the same JSON.

use super::types::{TYPES, Type};
use axon_proto::Release;
use std::path::{Path, PathBuf};

/// Types of which some samples are not written back as they were.
const REWRITTEN: &[(&str, &str)] = &[
    ("PGMap", "unordered maps, and pg_stat_t inside"),
    ("PGMapDigest", "num_pg_by_osd and others are unordered maps upstream"),
    ("pg_stat_t", "always written as the newest version, as upstream does"),
];

/// Types without an envelope whose later sections may be missing: a prefix that ends between two of them is an older map.
const GROWS: &[&str] = &["CrushWrapper"];

/// Types of the corpus that no manager meets, by who does.
const OTHERS: &[(&str, &[&str])] = &[
    (
        "within and between monitors",
        &[
            "FeatureMap",
            "KeyServer",
            "KeyServerData",
            "KeyServerData::Incremental",
            "LogEntryKey",
            "LogSummary",
            "MonCap",
        ],
    ),
    (
        "between an MDS, its clients and the monitors",
        &[
            "MClientRequest::Release",
            "MDSCacheObjectInfo",
            "MDSHealth",
            "SnapContext",
            "dirfrag_t",
            "file_layout_t",
            "frag_t",
            "fragtree_t",
            "inode_load_vec_t",
            "inodeno_t",
            "mds_load_t",
            "quota_info_t",
            "snaplink_t",
        ],
    ),
    (
        "within and between OSDs and their clients",
        &[
            "HitSet",
            "bloom_filter",
            "entity_inst_t",
            "errorcode32_t",
            "ghobject_t",
            "hobject_t",
            "object_locator_t",
            "object_t",
            "osd_reqid_t",
            "pg_create_t",
            "pg_fast_info_t",
            "pg_history_t",
            "pg_hit_set_history_t",
            "pg_hit_set_info_t",
            "pg_info_t",
            "pg_lease_ack_t",
            "pg_lease_t",
            "pg_log_dup_t",
            "pg_log_entry_t",
            "pg_log_op_return_item_t",
            "pg_log_t",
            "pg_ls_response_t",
            "pg_missing_item",
            "pg_missing_t",
            "pg_nls_response_t",
            "pg_notify_t",
            "pg_query_t",
            "pool_pg_num_history_t",
        ],
    ),
    ("objects of RBD images", &["cls_rbd_parent", "cls_rbd_snap"]),
    ("wrappers of the tool itself", &["sstring_wrapper", "string_wrapper"]),
];

/// What was seen of one release.
#[derive(Default)]
struct Seen {
    types: usize,
    samples: usize,
    equal: usize,
    rewritten: Vec<(&'static str, usize)>,
}

#[test]
fn every_sample_of_the_corpus_has_json_and_is_written_back() {
    let root = std::env::var_os("AXON_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    if !root.is_dir() {
        println!("skipped: there is no corpus at {}", root.display());
        return;
    }
    let mut wrong = Vec::new();
    for release in folders(&root) {
        let mut seen = Seen::default();
        for folder in folders(&release) {
            let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match TYPES.iter().find(|t| t.name == name) {
                Some(found) => wrong.extend(all_of(found, &folder, &mut seen)),
                None => assert!(is_anothers(name), "{name} is neither ours nor known to be another's"),
            }
        }
        println!(
            "{}: {} samples of {} types, {} written back byte for byte; rewritten: {:?}",
            release.display(),
            seen.samples,
            seen.types,
            seen.equal,
            seen.rewritten
        );
        assert!(seen.types > 70 && seen.samples > 0, "too few types are there");
    }
    assert!(wrong.is_empty(), "{} samples:\n{}", wrong.len(), wrong.join("\n"));
}

/// Counts the samples of one type; what is wrong with them.
fn all_of(one: &Type, folder: &Path, seen: &mut Seen) -> Vec<String> {
    let (mut rewritten, mut wrong) = (0, Vec::new());
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let bytes = std::fs::read(file.path()).unwrap();
        seen.samples += 1;
        match checked(one, &bytes) {
            Ok(true) => seen.equal += 1,
            Ok(false) if REWRITTEN.iter().any(|(name, _)| *name == one.name) => rewritten += 1,
            Ok(false) => wrong.push(format!("{}: other bytes, and no reason for it", file.path().display())),
            Err(why) => wrong.push(format!("{}: {why}", file.path().display())),
        }
    }
    seen.types += 1;
    if rewritten > 0 {
        seen.rewritten.push((one.name, rewritten));
    }
    wrong
}

/// Whether the bytes are given back; an error where anything else does not hold.
fn checked(one: &Type, bytes: &[u8]) -> Result<bool, String> {
    let value = (one.decode)(bytes, Release::NEWEST).map_err(|e| e.to_string())?;
    let json = value.json?;
    let read = &bytes[..value.used];
    let newest = value.encoded.first().ok_or("nothing is written")?;
    let again = (one.decode)(newest, Release::NEWEST).map_err(|e| format!("what is written: {e}"))?;
    if again.json.as_ref() != Ok(&json) {
        return Err(format!("what is written reads as {:?}, not as {json}", again.json));
    }
    let cut = (0..read.len()).step_by((read.len() / 100).max(1));
    let decodes =
        |len: &usize| !GROWS.contains(&one.name) && (one.decode)(&read[..*len], Release::NEWEST).is_ok();
    if let Some(len) = cut.into_iter().find(decodes) {
        return Err(format!("{len} of {} bytes decode", read.len()));
    }
    Ok(value.encoded.iter().any(|again| again == read))
}

fn is_anothers(name: &str) -> bool {
    name.starts_with("cls::rbd::") || OTHERS.iter().any(|(_, names)| names.contains(&name))
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(root).unwrap().flatten().map(|entry| entry.path()).collect();
    all.retain(|path| path.is_dir());
    all.sort();
    all
}
