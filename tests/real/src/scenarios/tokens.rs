//! Logins and tokens that must be refused, at the stock manager and at Axon alike: expired, unsigned, signed by somebody else,
//! of another issuer, revoked; and an account that locks after too many wrong passwords.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Kind;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::compare::{Who, get, post};
use crate::{Bench, http};

const USER: &str = "tokens";
const PASSWORD: &str = "Tokens-Pass-1!";

pub fn bad_ones_are_refused(bench: &mut Bench) -> Result<()> {
    if bench.release().stock_modules_load() {
        bench.only(Kind::Ceph)?;
        refusals(bench, Kind::Ceph).context("stock manager")?;
    }
    bench.only(Kind::Axon)?;
    refusals(bench, Kind::Axon).context("Axon")
}

fn refusals(bench: &Bench, kind: Kind) -> Result<()> {
    let base = bench.url(kind).context("no port")?;
    let good = user(bench, &base)?;
    let probe = |token: &str| -> Result<u64> {
        let answer = get("/api/summary").send(&base, Some(token))?;
        answer.get("status").and_then(Value::as_u64).context("no status")
    };
    ensure!(probe(&good)? == 200, "a good token is refused");

    let secret =
        bench.cluster.mon_command(json!({"prefix": "config-key get", "key": "mgr/dashboard/jwt_secret"}))?;
    let secret = secret.trim();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let claims = |exp: u64, iss: &str, user: &str| json!({"iss": iss, "jti": "11111111-2222-3333-4444-555555555555", "exp": exp, "iat": now, "username": user});
    let fine = claims(now + 600, "ceph-dashboard", USER);
    let mut older = fine.clone();
    older["iat"] = (now - 3600).into();
    // The same way of signing passes, so that what fails below fails for its own reason.
    ensure!(
        probe(&signed(secret, "HS256", &fine)?)? == 200,
        "a token signed with the stored secret is refused"
    );
    let bad = [
        ("expired", signed(secret, "HS256", &claims(now - 10, "ceph-dashboard", USER))?),
        ("signed with another secret", signed("another", "HS256", &fine)?),
        ("alg=none", format!("{}.", unsigned("none", &fine))),
        ("alg=none with a signature", signed(secret, "none", &fine)?),
        ("of an unknown user", signed(secret, "HS256", &claims(now + 600, "ceph-dashboard", "nobody"))?),
        ("older than the user's last change", signed(secret, "HS256", &older)?),
        ("empty", String::new()),
        ("no token at all", "x.y.z".to_owned()),
        ("two parts", unsigned("HS256", &fine)),
        ("a cut one", good.get(..good.len() - 3).unwrap_or_default().to_owned()),
    ];
    for (what, token) in bad {
        let status = probe(&token)?;
        // docs/differences.md: what is no token at all makes the stock dashboard stumble.
        let stumbles = kind == Kind::Ceph && status == 500;
        ensure!(status == 401 || stumbles, "a token that is {what} is answered {status}");
    }

    let logout = post("/api/auth/logout", json!({})).send(&base, Some(&good))?;
    ensure!(logout.get("status") == Some(&200.into()), "logout: {logout}");
    ensure!(probe(&good)? == 401, "a token that logged out still works");
    lockout(bench, &base)
}

/// Makes the user anew and logs in; the stock modules may still be loading.
fn user(bench: &Bench, base: &str) -> Result<String> {
    let file = bench.cluster.dir().join("tokens.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let begun = Instant::now();
    loop {
        let made = bench.cluster.ceph(&["dashboard", "ac-user-create", USER, "-i", file, "administrator"])?;
        match http::login(base, USER, PASSWORD) {
            Ok(token) => return Ok(token),
            Err(e) if begun.elapsed() > Duration::from_secs(90) => {
                bail!("{e:#}: {}", String::from_utf8_lossy(&made.stderr));
            }
            Err(_) => std::thread::sleep(Duration::from_secs(1)),
        }
    }
}

/// After three wrong passwords the right one is refused too, until an operator enables the account.
fn lockout(bench: &Bench, base: &str) -> Result<()> {
    let login = |password: &str| -> Result<Value> {
        post("/api/auth", json!({"username": USER, "password": password})).who(Who::Nobody).send(base, None)
    };
    bench.cluster.ceph_ok(&["dashboard", "set-account-lockout-attempts", "3"])?;
    for _ in 0..3 {
        let refused = login("wrong")?;
        ensure!(refused.get("status") == Some(&400.into()), "a wrong password: {refused}");
        ensure!(refused.pointer("/body/code") == Some(&"invalid_credentials".into()), "{refused}");
    }
    let locked = login(PASSWORD)?;
    ensure!(locked.get("status") == Some(&400.into()), "the right password after three wrong ones: {locked}");
    bench.cluster.ceph_ok(&["dashboard", "ac-user-enable", USER])?;
    let free = login(PASSWORD)?;
    ensure!(
        free.get("status") == Some(&201.into()),
        "the right password after the account was enabled: {free}"
    );
    bench.cluster.ceph_ok(&["dashboard", "reset-account-lockout-attempts"])?;
    bench.cluster.ceph_ok(&["dashboard", "ac-user-delete", USER])?;
    Ok(())
}

fn unsigned(alg: &str, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(&json!({"alg": alg, "typ": "JWT"})), part(claims))
}

fn signed(secret: &str, alg: &str, claims: &Value) -> Result<String> {
    let text = unsigned(alg, claims);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(text.as_bytes());
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}
