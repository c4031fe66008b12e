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
            "cluster_status": dash.stored("cluster/status").unwrap_or_else(|| "POST_INSTALLED".to_owned()),
        }),
    }
}
