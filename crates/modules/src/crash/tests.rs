//! The module over a store, with reports and answers as upstream's manager gave them.

use super::*;
use crate::{Done, find_command};
use axon_core::commands::Ask;
use axon_core::{Command, Kv};
use axon_proto::Release;

const ID: &str = "2026-11-20T10:00:00.000000Z_abc";
/// What a 20.2.4 manager kept of the report below.
const SIGNATURE: &str = "3c34b1c72bd02f13ca8546b9269d7250421e83174c07ae5df474b5dd02931041";

fn posted() -> String {
    let msg = r"a/b.cc: In function 'void X' thread 7f time 2026\na/b.cc: 12: FAILED\n";
    format!(
        r#"{{"crash_id": "{ID}", "timestamp": "2026-11-20T10:00:00.000000Z", "entity_name": "osd.9",
            "process_name": "ceph-osd", "utsname_hostname": "h", "assert_msg": "{msg}",
            "backtrace": ["(foo()+0x12) [0x55]", "(bar()+0x1) [0x66]"]}}"#
    )
}

/// 2026-11-24T10:45:46.804236Z.
const NOW: UTime = UTime { sec: 1_795_517_146, nsec: 804_236_000 };

fn run(state: &State, command: Command) -> Done {
    let (_, row) = find_command(command.prefix(), state.release).unwrap();
    row.run(&Ask { command: &command, state, now: NOW }, &mut Memory::default())
}

/// Carries out what a command wants stored.
fn store(state: &mut State, done: &Done) {
    for action in &done.actions {
        let Action::Store { key, value } = action else { panic!("{action:?}") };
        state.kv.set(&format!("mgr/crash/{key}"), value.clone().map(Into::into));
    }
}

fn with_report() -> State {
    let mut state = State::default();
    let done = run(&state, Command::plain("crash post").input(posted()));
    store(&mut state, &done);
    state
}

#[test]
fn a_posted_report_is_kept_with_upstreams_signature_and_once() {
    let state = with_report();
    let kept = state.kv.text(&format!("mgr/crash/crash/{ID}")).unwrap();
    assert!(kept.starts_with(&format!(r#"{{"crash_id": "{ID}", "timestamp": "#)), "{kept}");
    assert!(kept.ends_with(&format!(r#""stack_sig": "{SIGNATURE}"}}"#)), "{kept}");
    assert_eq!(run(&state, Command::plain("crash post").input(posted())), Done::default());
}

#[test]
fn a_report_without_what_it_needs_is_refused_in_upstreams_words() {
    let refused = |input: &'static str| {
        let done = run(&State::default(), Command::plain("crash post").input(input));
        assert_eq!(done.retval, 22, "positive, as modules return it");
        done.err
    };
    assert_eq!(refused(r#"{"crash_id":"x"}"#), "malformed crash metadata: missing 'timestamp' field");
    assert_eq!(
        refused(r#"{"crash_id":"x","timestamp":"y"}"#),
        "malformed crash metadata: time data 'y' does not match format '%Y-%m-%d %H:%M:%S.%f'"
    );
    assert!(refused("{").starts_with("malformed crash metadata: "));
    assert!(refused("").starts_with("malformed crash metadata: "));
}

#[test]
fn reports_are_listed_counted_and_shown() {
    let state = with_report();
    let out = |prefix: &str| run(&state, Command::plain(prefix).arg("id", ID).arg("hours", 3)).lines();
    let table = format!("ID                               ENTITY  NEW  \n{ID}  osd.9    *   \n");
    assert_eq!((out("crash ls"), out("crash ls-new")), (table.clone(), table));
    assert_eq!(
        out("crash stat"),
        format!("1 crashes recorded\n1 older than 1 days old:\n{ID}\n1 older than 3 days old:\n{ID}\n")
    );
    assert!(out("crash info").starts_with("{\n    \"assert_msg\": "));
    assert_eq!(run(&state, Command::plain("crash json_report").arg("hours", 3)).err, r#"{"ceph-osd": 1}"#);
    assert_eq!(run(&state, Command::plain("crash info")).err, "crash info: None not found");
}

#[test]
fn an_archived_report_warns_no_more() {
    let mut state = with_report();
    let detail = &tick(&state, NOW, &mut Memory::default()).health.checks["RECENT_CRASH"].detail;
    assert_eq!(*detail, ["osd.9 crashed on host h at 2026-11-20T10:00:00.000000Z"]);
    let done = run(&state, Command::plain("crash archive").arg("id", ID));
    store(&mut state, &done);
    assert!(
        state
            .kv
            .text(&format!("mgr/crash/crash/{ID}"))
            .unwrap()
            .contains(r#""archived": "2026-11-24 10:45:46.804236"}"#)
    );
    assert!(tick(&state, NOW, &mut Memory::default()).health.checks.is_empty());
    assert!(run(&state, Command::plain("crash archive-all")).actions.is_empty());
    assert_eq!(run(&state, Command::plain("crash ls-new")).lines(), "");
}

#[test]
fn reports_go_by_age_by_command_and_by_name() {
    let state = with_report();
    let prune = |days: i64| run(&state, Command::plain("crash prune").arg("keep", days)).actions;
    assert_eq!((prune(5), prune(4)), (vec![], vec![removal(ID)]));
    assert_eq!(run(&state, Command::plain("crash rm").arg("id", ID)).actions, [removal(ID)]);
    assert_eq!(run(&state, Command::plain("crash rm").arg("id", "nope")), Done::default());
    let later = UTime { sec: NOW.sec + 366 * 86_400, nsec: 0 };
    assert_eq!(tick(&state, later, &mut Memory::default()).actions, [removal(ID)]);
}

#[test]
fn many_crashes_are_cut_in_pacific_and_modules_count_apart_since_reef() {
    let crash = |i: usize| {
        let module = if i == 0 { r#", "mgr_module": "m""# } else { "" };
        (format!("mgr/crash/crash/{i:02}"), format!(r#"{{"timestamp": "2026-11-20 10:00:00.5"{module}}}"#))
    };
    let state = |release| State { release, kv: Kv::from_entries((0..33).map(crash)), ..State::default() };
    let pacific = tick(&state(Release::Pacific), NOW, &mut Memory::default()).health.checks;
    assert_eq!((pacific.len(), pacific["RECENT_CRASH"].count), (1, 33));
    assert_eq!(pacific["RECENT_CRASH"].detail.last().unwrap(), "and 3 more");
    let reef = tick(&state(Release::Reef), NOW, &mut Memory::default()).health.checks;
    assert_eq!((reef["RECENT_CRASH"].detail.len(), reef["RECENT_MGR_MODULE_CRASH"].count), (32, 1));
}

#[test]
fn times_are_read_with_and_without_the_letters() {
    assert_eq!(time("1970-01-02T00:00:01.5Z"), Some(86_401.5));
    assert_eq!(time("2018-06-22 20:35:38.058818Z"), time("2018-06-22T20:35:38.058818Z"));
    for bad in ["", "2018-02-30T00:00:00.0", "2018-06-22T24:00:00.0", "2018-06-22", "2018-06-22T20:35:38"] {
        assert_eq!(time(bad), None, "{bad}");
    }
}
