//! What the glue adds to `axon-cephx`: policy, refusals, method `none`. The login itself is tested there and against real
//! monitors.

use super::*;
use axon_cephx::{CryptoKey, KeyType, Principal};
use axon_msgr::auth::{ClientAuth, ServerAuth, ServerStep, method};
use axon_proto::{AuthEntity, EntityType, UTime};
use std::sync::Arc;

fn mgr_x() -> AuthEntity {
    AuthEntity::new(EntityType::MGR, "x")
}

fn context() -> Arc<AuthContext> {
    let key = CryptoKey::new(KeyType::AES, UTime::ZERO, Zeroizing::new(vec![7; 16])).unwrap();
    AuthContext::new(Principal { name: mgr_x(), key }, 0x17)
}

fn policy() -> Arc<AuthPolicy> {
    Arc::new(AuthPolicy::new(EntityType::MGR))
}

fn none_policy() -> Arc<AuthPolicy> {
    let none = || vec![method::NONE];
    let mut policy = AuthPolicy::new(EntityType::MGR);
    (policy.cluster_methods, policy.service_methods, policy.client_methods) = (none(), none(), none());
    Arc::new(policy)
}

#[test]
fn the_opening_request_carries_mode_name_and_global_id() {
    let (mut auth, _) = MonClientAuth::new(context(), policy());
    let request = auth.request().unwrap();
    assert_eq!(request.method, method::CEPHX);
    assert_eq!(request.preferred_modes, [con_mode::SECURE, con_mode::CRC]);
    assert_eq!(&request.payload[..], b"\x0a\x10\0\0\0\x01\0\0\0x\0\0\0\0\0\0\0\0");
}

#[test]
fn a_refused_key_is_told_from_a_refused_method() {
    let (mut auth, _) = MonClientAuth::new(context(), policy());
    auth.request().unwrap();
    let e = auth.bad_method(method::CEPHX, 13, &[method::CEPHX], &[1, 2]).unwrap_err();
    assert!(e.errno == 13 && e.why.contains("wrong key for mgr.x"), "{e}");
    auth.request().unwrap();
    let e = auth.bad_method(method::CEPHX, 95, &[method::NONE], &[con_mode::CRC]).unwrap_err();
    assert!(e.errno == 95 && e.why.contains("auth_*_required"), "{e}");
}

/// A refusal may be about the key instead, which is rotated: the manager that stays the same one needs no fail-over.
#[test]
fn a_global_id_that_may_not_be_kept_is_given_up_only_when_a_login_without_it_succeeds() {
    let context = context();
    let mut credentials = axon_cephx::Credentials::default();
    credentials.global_id = 4711;
    context.adopt(credentials.clone());
    let refused_with = |separate: bool| {
        let login = if separate { MonClientAuth::separate } else { MonClientAuth::new };
        let (mut auth, _) = login(context.clone(), policy());
        let request = auth.request().unwrap();
        assert!(auth.bad_method(method::CEPHX, 13, &[method::CEPHX], &[1]).is_err());
        u64::from_le_bytes(request.payload[10..].try_into().unwrap())
    };
    assert_eq!([false, true, false, false].map(refused_with), [4711, 0, 0, 4711]);
    context.replace_key(CryptoKey::new(KeyType::AES, UTime::ZERO, Zeroizing::new(vec![8; 16])).unwrap());
    assert_eq!(refused_with(false), 4711, "with the new key");
    credentials.global_id = 4712;
    context.adopt(credentials);
    assert_eq!(refused_with(false), 4712);
}

#[test]
fn a_stranger_gets_errno_and_what_is_allowed() {
    let mut server = CephxServerAuth::new(context(), policy());
    let mut refusal = |method, modes: &[u32], payload: &[u8]| match server
        .request(EntityType::OSD, method, modes, payload)
        .unwrap()
    {
        ServerStep::BadMethod { errno, allowed_methods, allowed_modes } => {
            assert_eq!(allowed_methods, [axon_msgr::auth::method::CEPHX]);
            (errno, allowed_modes.len())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(method::CEPHX, &[2], b""), (13, 2), "no authorizer");
    assert_eq!(refusal(method::CEPHX, &[2], b"\x0a"), (13, 2), "a monitor's mode");
    assert_eq!(refusal(method::CEPHX, &[2], b"\x01junk"), (13, 2), "no authorizer");
    assert_eq!(refusal(method::CEPHX, &[9], b"\x01"), (95, 2), "an unknown connection mode");
    assert_eq!(refusal(method::NONE, &[1], b"\x01"), (95, 1), "a method that is not allowed");
    assert!(matches!(server.request_more(b"\x01").unwrap(), ServerStep::BadMethod { errno: 13, .. }));
}

#[test]
fn method_none_goes_through_where_it_is_allowed_and_never_in_secure_mode() {
    let context = AuthContext::without_key(AuthEntity::new(EntityType::CLIENT, "admin"));
    let (mut login, slot) = MonClientAuth::new(context.clone(), none_policy());
    let request = login.request().unwrap();
    assert_eq!((request.method, request.preferred_modes), (method::NONE, vec![con_mode::CRC]));
    login.done(4711, con_mode::CRC, &[]).unwrap();
    context.adopt(slot.take().unwrap());

    let mut client = ServiceClientAuth::new(context.clone(), none_policy(), EntityType::MGR);
    let request = client.request().unwrap();
    let mut server = CephxServerAuth::new(AuthContext::without_key(mgr_x()), none_policy());
    let step = server.request(EntityType::CLIENT, request.method, &request.preferred_modes, &request.payload);
    match step.unwrap() {
        ServerStep::Done { identity, con_mode: 1, .. } => {
            assert_eq!((identity.name, identity.global_id), (context.name().clone(), 4711));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_session_there_is_no_authorizer_and_nothing_to_renew() {
    let context = context();
    let mut client = ServiceClientAuth::new(context.clone(), policy(), EntityType::OSD);
    assert_eq!(client.request().unwrap_err().errno, 107);
    assert_eq!(context.renewal_request().unwrap(), None);
    assert_eq!(context.rotating_request(), None);
    assert!(!context.has_rotating_keys());
}

#[test]
fn lists_of_methods_and_modes_read_as_the_options_spell_them() {
    assert_eq!(parse_modes("secure crc"), Ok(vec![con_mode::SECURE, con_mode::CRC]));
    assert_eq!(parse_methods("cephx, none"), Ok(vec![method::CEPHX, method::NONE]));
    assert!(parse_methods("gss").is_err() && parse_modes("").is_err());
}

/// Only the system's time differs; the monitors' answers are the same.
fn at(hours: i64) -> Arc<AuthContext> {
    let key = CryptoKey::new(KeyType::AES, UTime::ZERO, Zeroizing::new(vec![7; 16])).unwrap();
    let skew = std::time::Duration::from_secs(3600 * hours.unsigned_abs());
    let clock = Clock::new(move || match hours < 0 {
        true => SystemTime::now() - skew,
        false => SystemTime::now() + skew,
    });
    AuthContext::with_clock(Principal { name: mgr_x(), key }, 0x17, clock)
}

#[test]
fn rotating_keys_are_asked_for_once_a_second_whatever_the_clock_says() {
    for hours in [-1, 0, 1] {
        let context = at(hours);
        context.adopt(axon_cephx::Credentials::default());
        assert!(context.rotating_request().is_some(), "{hours}");
        assert_eq!(context.rotating_request(), None, "{hours}");
        assert!(context.renewal_request().unwrap().is_some(), "{hours}: there is no ticket yet");
    }
}

/// The clock was set back: "a second ago" is then in the future, and must not keep anybody waiting for an hour.
#[test]
fn a_clock_that_is_set_back_does_not_stop_the_asking() {
    let hours = Arc::new(std::sync::atomic::AtomicU64::new(2));
    let clock = {
        let hours = hours.clone();
        let hours = move || hours.load(std::sync::atomic::Ordering::Relaxed);
        Clock::new(move || {
            SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000 + 3600 * hours())
        })
    };
    let key = CryptoKey::new(KeyType::AES, UTime::ZERO, Zeroizing::new(vec![7; 16])).unwrap();
    let context = AuthContext::with_clock(Principal { name: mgr_x(), key }, 0x17, clock);
    context.adopt(axon_cephx::Credentials::default());
    assert!(context.rotating_request().is_some());
    hours.store(1, std::sync::atomic::Ordering::Relaxed);
    assert!(context.rotating_request().is_some());
}
