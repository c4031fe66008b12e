//! Login, logout, and whether a token is good (`controllers/auth.py`).
//!
//! Invariants: every failed login looks the same and takes as long; a login that is one too many disables the user even
//! with the right password.

use crate::access::password;
use crate::access::user::User;
use crate::auth::jwt::BadToken;
use crate::dashboard::Dashboard;
use crate::http::operation::{Answer, Kind, Param, Resource};
use crate::http::{ApiError, Call, Operation, Reply};
use crate::later;
use crate::release::Release;
use crate::resources::cluster;
use http::{HeaderValue, header};
use serde_json::{Value, json};

pub const RESOURCE: Resource = Resource {
    tag: "Auth",
    doc: "Initiate a session with Ceph",
    operations: &[
        Operation::post("/api/auth", later!(create)).public().summary("Dashboard Authentication").params(&[
            Param::body("username", Kind::Text).required().doc("Username"),
            Param::body("password", Kind::Text).required().doc("Password"),
            Param::body("ttl", Kind::Int).since(Release::Tentacle).doc("Token Time to Live (in hours)"),
        ]),
        Operation::post("/api/auth/logout", later!(logout)).public().status(200).empty_body(),
        Operation::post("/api/auth/check", crate::http::now(check))
            .public()
            .status(200)
            .summary("Check token Authentication")
            .params(&[Param::query("token", Kind::Text).required().doc("Authentication Token")]),
    ],
};

fn invalid_credentials() -> ApiError {
    ApiError::dashboard("Invalid credentials", "invalid_credentials", "auth")
}

async fn create(call: Call) -> Answer {
    let (username, given) = (call.text("username")?.to_owned(), call.text("password")?.to_owned());
    let ttl_secs = call.opt_int("ttl")?.map(|hours| hours.saturating_mul(3600));
    let dash = &call.dash;
    let user = dash.access().user(&username).ok().cloned();
    let good = password_is_good(dash, user.clone(), given).await?;
    let attempts_max = dash.settings().int("ACCOUNT_LOCKOUT_ATTEMPTS");
    if dash.lockout.is_over(&username, attempts_max) {
        return Err(disable(dash, &username).await);
    }
    let Some(user) = user.filter(|_| good) else {
        if dash.access().user(&username).is_ok() {
            dash.lockout.failed(&username);
        }
        tracing::info!(username, "login failed");
        return Err(invalid_credentials());
    };
    dash.lockout.reset(&username);
    tracing::info!(username, "login");
    let token = dash.issue(&username, ttl_secs);
    let secure = if dash.ssl() { "; Secure" } else { "" };
    let cookie = format!("token={token}; HttpOnly; Path=/; SameSite=Strict{secure}");
    let cookie = HeaderValue::try_from(cookie).map_err(|_| ApiError::internal("the token is no header"))?;
    let body = json!({
        "token": token,
        "username": username,
        "permissions": dash.access().permissions(&user, dash.release()),
        "pwdExpirationDate": user.pwd_expiration_date,
        "sso": false,
        "pwdUpdateRequired": user.pwd_update_required,
    });
    Ok(Reply::json(&body).header(header::SET_COOKIE, cookie))
}

/// Whether the user exists, is enabled, not expired, and the password is his. Costs the same whatever is wrong.
async fn password_is_good(dash: &Dashboard, user: Option<User>, given: String) -> Result<bool, ApiError> {
    let now = dash.now();
    let work = move || match user.as_ref().and_then(|u| u.password.as_deref().map(|hash| (u, hash))) {
        Some((user, hash)) => password::verify(&given, hash) && user.enabled && !user.is_pwd_expired(now),
        None => {
            password::verify_nobody(&given);
            false
        }
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| ApiError::internal(format!("the check broke off: {e}")))
}

async fn disable(dash: &Dashboard, username: &str) -> ApiError {
    let disabled = dash
        .change_access(|db, now| {
            let user = db.user_mut(username)?;
            if user.enabled {
                user.set_enabled(false, now);
            }
            Ok::<_, ApiError>(())
        })
        .await;
    match disabled {
        Ok(()) => tracing::warn!(
            username,
            "too many failed logins: the user is disabled until an administrator enables it"
        ),
        Err(error) => {
            tracing::error!(username, ?error, "a user with too many failed logins could not be disabled")
        }
    }
    invalid_credentials()
}

async fn logout(call: Call) -> Answer {
    // Upstream fails with 500 without a token; there is nothing to revoke then, and the cookie goes all the same.
    if let Some(token) = crate::http::service::token(&call.headers) {
        call.dash.revoke(token).await?;
    }
    let secure = if call.dash.ssl() { "; Secure" } else { "" };
    let gone = format!(
        "token=; expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Max-Age=0; Path=/; SameSite=Strict{secure}"
    );
    let gone = HeaderValue::try_from(gone).map_err(|_| ApiError::internal("the cookie is no header"))?;
    let mut body = json!({"redirect_url": "#/login"});
    if call.dash.release() >= Release::Tentacle {
        body["protocol"] = json!("local");
    }
    Ok(Reply::json(&body).header(header::SET_COOKIE, gone))
}

fn check(call: &Call) -> Answer {
    Ok(Reply::json(&checked(&call.dash, call.opt_text("token")?.unwrap_or(""))))
}

fn checked(dash: &Dashboard, token: &str) -> Value {
    let access = dash.access();
    let user = dash.authenticate(token).and_then(|c| access.user(&c.username).map_err(|_| BadToken::User));
    match user {
        Ok(user) => json!({
            "username": user.username,
            "permissions": access.permissions(user, dash.release()),
            "sso": false,
            "pwdUpdateRequired": user.pwd_update_required,
        }),
        Err(_) => json!({
            "login_url": "#/login",
            "cluster_status": dash.stored(cluster::KEY).unwrap_or_else(|| cluster::DEFAULT.to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::release::Release;
    use crate::testing::{Answered, Bench, PASSWORD, Running};
    use http::StatusCode;
    use serde_json::{Value, json};

    async fn login(bench: &Running, username: &str, password: &str) -> Answered {
        let body = json!({"username": username, "password": password});
        bench.send(bench.request("POST", "/api/auth", "1.0", None, Some(body))).await
    }

    async fn with_token(bench: &Running, token: &str, header: &'static str) -> StatusCode {
        let value =
            if header == "cookie" { format!("a=b; token={token}") } else { format!("Bearer {token}") };
        let mut request = bench.request("GET", "/api/user", "1.0", None, None);
        request.headers_mut().insert(header, value.parse().unwrap());
        bench.send(request).await.status
    }

    #[tokio::test]
    async fn a_login_gives_a_token_that_opens_by_header_and_by_cookie() {
        let bench = Bench::new(Release::Pacific).start().await;
        let answer = login(&bench, "admin", PASSWORD).await;
        assert_eq!(answer.status, 201);
        let body = answer.json();
        let token = body["token"].as_str().unwrap();
        assert_eq!(body["permissions"].as_object().unwrap().len(), 17);
        assert_eq!((&body["sso"], &body["pwdUpdateRequired"]), (&json!(false), &json!(false)));
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        assert_eq!(cookie, format!("token={token}; HttpOnly; Path=/; SameSite=Strict"));
        for header in ["authorization", "cookie"] {
            assert_eq!(with_token(&bench, token, header).await, 200);
        }
    }

    #[tokio::test]
    async fn a_bad_cookie_is_not_rescued_by_a_good_header() {
        let bench = Bench::new(Release::Reef).start().await;
        let mut request = bench.request("GET", "/api/user", "1.0", Some("admin"), None);
        request.headers_mut().insert("cookie", "token=bad".parse().unwrap());
        assert_eq!(bench.send(request).await.status, 401);
    }

    #[tokio::test]
    async fn every_failed_login_looks_the_same() {
        let bench = Bench::new(Release::Reef).user("off", &[]).user("late", &[]).db(|db| {
            db.user_mut("off").unwrap().enabled = false;
            db.user_mut("late").unwrap().pwd_expiration_date = Some(1);
        });
        let bench = bench.start().await;
        let expected =
            json!({"detail": "Invalid credentials", "code": "invalid_credentials", "component": "auth"});
        for (user, password) in [("admin", "x"), ("nobody", "x"), ("off", PASSWORD), ("late", PASSWORD)] {
            let answer = login(&bench, user, password).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (400, expected.clone()), "{user}");
        }
    }

    #[tokio::test]
    async fn a_logout_voids_the_token_and_no_other() {
        let bench = Bench::new(Release::Tentacle).start().await;
        let (mine, other) = (bench.token("admin"), bench.token("admin"));
        assert_eq!(with_token(&bench, &mine, "authorization").await, 200);
        let mut request = bench.request("POST", "/api/auth/logout", "1.0", None, Some(json!({})));
        request.headers_mut().insert("authorization", format!("Bearer {mine}").parse().unwrap());
        let answer = bench.send(request).await;
        assert_eq!(answer.json(), json!({"redirect_url": "#/login", "protocol": "local"}));
        assert!(answer.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(with_token(&bench, &mine, "authorization").await, 401);
        assert_eq!(with_token(&bench, &other, "authorization").await, 200);
        let list: Value = serde_json::from_str(&bench.dash.stored("jwt_token_block_list").unwrap()).unwrap();
        assert_eq!(list.as_object().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_change_of_roles_voids_older_tokens() {
        let bench = Bench::new(Release::Reef).user("bob", &["administrator"]).start().await;
        let token = bench.token("bob");
        assert_eq!(with_token(&bench, &token, "authorization").await, 200);
        // A change in the same second leaves the token good, as upstream; the clock cannot be waited for here.
        let later = bench.dash.now() + 1;
        let change = |db: &mut crate::access::AccessDb, _| {
            db.user_mut("bob").unwrap().set_roles(["administrator".to_owned()], later);
            Ok::<_, crate::http::ApiError>(())
        };
        bench.dash.change_access(change).await.unwrap();
        assert_eq!(with_token(&bench, &token, "authorization").await, 401);
    }

    #[tokio::test]
    async fn the_attempt_after_the_last_allowed_one_disables_the_user() {
        let bench = Bench::new(Release::Pacific)
            .option("ACCOUNT_LOCKOUT_ATTEMPTS", "2")
            .user("bob", &[])
            .start()
            .await;
        for _ in 0..2 {
            login(&bench, "bob", "wrong").await;
            assert!(bench.dash.access().user("bob").unwrap().enabled);
        }
        assert_eq!(login(&bench, "bob", PASSWORD).await.status, 400);
        assert!(!bench.dash.access().user("bob").unwrap().enabled);
        // Enabling over REST does not forgive: the next login is refused, and disables again.
        bench.ask("PUT", "/api/user/bob", json!({"enabled": true})).await;
        assert_eq!(login(&bench, "bob", PASSWORD).await.status, 400);
        assert!(!bench.dash.access().user("bob").unwrap().enabled);
    }

    #[tokio::test]
    async fn a_demanded_password_change_closes_scoped_operations_until_it_is_done() {
        let bench = Bench::new(Release::Reef).user("bob", &["administrator"]).db(|db| {
            db.user_mut("bob").unwrap().pwd_update_required = true;
        });
        let bench = bench.start().await;
        let status = async |path: &'static str| bench.ask_as("bob", "GET", path, json!(null)).await.status;
        assert_eq!(status("/api/user").await, 403);
        assert_eq!(status("/api/feature_toggles").await, 200);
        let change = json!({"old_password": PASSWORD, "new_password": "An0ther&one"});
        assert_eq!(
            bench.ask_as("bob", "POST", "/api/user/bob/change_password", change).await.json(),
            json!(null)
        );
        assert_eq!(status("/api/user").await, 200);
        let other = json!({"old_password": PASSWORD, "new_password": "An0ther&one"});
        let answer = bench.ask_as("bob", "POST", "/api/user/admin/change_password", other).await;
        assert_eq!(answer.json()["code"], "invalid_user_context");
    }

    #[tokio::test]
    async fn a_token_can_be_checked() {
        let bench = Bench::new(Release::Pacific).start().await;
        let check =
            async |token: String| bench.ask("POST", "/api/auth/check", json!({"token": token})).await.json();
        assert_eq!(check(bench.token("admin")).await["username"], "admin");
        assert_eq!(
            check("bad".to_owned()).await,
            json!({"login_url": "#/login", "cluster_status": "POST_INSTALLED"})
        );
    }

    #[tokio::test]
    async fn a_password_in_a_failed_save_changes_nothing() {
        let fail = |_: &axon_core::Command| axon_core::CommandOutput::failed(13, "not allowed");
        let bench = Bench::new(Release::Reef).user("bob", &[]).answer("config-key set", fail).start().await;
        let answer = bench.ask("PUT", "/api/user/bob", json!({"roles": ["administrator"]})).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["detail"]),
            (400, &json!("[errno -13] not allowed"))
        );
        assert!(bench.dash.access().user("bob").unwrap().roles.is_empty());
    }
}
