//! Users, the password policy, and a user's own change of password (`controllers/user.py`).

use crate::access::policy::valuation;
use crate::access::scope::Scope;
use crate::access::user::{User, expiration};
use crate::access::{AccessDb, AccessError, password};
use crate::dashboard::Dashboard;
use crate::http::operation::{Answer, Kind, Param, Resource};
use crate::http::{ApiError, Call, Operation, Reply, now};
use crate::later;
use serde_json::json;

pub const RESOURCE: Resource = Resource {
    tag: "User",
    doc: "Display User Details",
    operations: &[
        Operation::get("/api/user", now(list)).scope(Scope::User).summary("Get List Of Users"),
        Operation::post("/api/user", later!(create)).scope(Scope::User).params(&[
            Param::body("username", Kind::Text),
            Param::body("password", Kind::Text),
            Param::body("name", Kind::Text),
            Param::body("email", Kind::Text),
            Param::body("roles", Kind::List),
            Param::body("enabled", Kind::Bool).default("true"),
            Param::body("pwdExpirationDate", Kind::Int),
            Param::body("pwdUpdateRequired", Kind::Bool).default("true"),
        ]),
        Operation::get("/api/user/{username}", now(get)).scope(Scope::User),
        Operation::put("/api/user/{username}", later!(set)).scope(Scope::User).params(&[
            Param::body("password", Kind::Text),
            Param::body("name", Kind::Text),
            Param::body("email", Kind::Text),
            Param::body("roles", Kind::List),
            Param::body("enabled", Kind::Bool),
            Param::body("pwdExpirationDate", Kind::Int),
            Param::body("pwdUpdateRequired", Kind::Bool).default("false"),
        ]),
        Operation::delete("/api/user/{username}", later!(delete)).scope(Scope::User),
    ],
};

pub const POLICY: Resource = Resource {
    tag: "UserPasswordPolicy",
    doc: "Get User Password Policy Details",
    operations: &[Operation::post("/api/user/validate_password", now(validate_password))
        .status(200)
        .empty_body()
        .summary("Check if the password meets the password policy")
        .params(&[
            Param::body("password", Kind::Text).required().doc("The password to validate"),
            Param::body("username", Kind::Text).doc("The name of the user"),
            Param::body("old_password", Kind::Text).doc("The old password"),
        ])],
};

pub const CHANGE_PASSWORD: Resource = Resource {
    tag: "UserChangePassword",
    doc: "Change User Password",
    operations: &[Operation::post("/api/user/{username}/change_password", later!(change_password))
        .status(200)
        .params(&[
            Param::body("old_password", Kind::Text).required(),
            Param::body("new_password", Kind::Text).required(),
        ])],
};

fn list(call: &Call) -> Answer {
    let access = call.dash.access();
    Ok(Reply::json(&access.users().iter().map(User::to_public_json).collect::<Vec<_>>()))
}

fn get(call: &Call) -> Answer {
    Ok(Reply::json(&call.dash.access().user(call.path("username"))?.to_public_json()))
}

async fn create(call: Call) -> Answer {
    let dash = &call.dash;
    let username = call.opt_text("username")?.unwrap_or("").to_owned();
    if username.is_empty() {
        return Err(refused("Username is required", "username_required"));
    }
    if username.contains(|c: char| c.is_control()) {
        return Err(refused("the username has a character that cannot be printed", "ceph_type_not_valid"));
    }
    let roles = roles(&call)?;
    let given = call.opt_text("password")?.filter(|p| !p.is_empty());
    if let Some(given) = given {
        check_policy(dash, given, Some(&username), None)?;
    }
    let date = call.opt_int("pwdExpirationDate")?.filter(|date| *date != 0);
    check_date(dash, date)?;
    let now = dash.now();
    let user = User {
        username: username.clone(),
        password: None,
        roles: roles.into_iter().collect(),
        name: call.opt_text("name")?.map(str::to_owned),
        email: call.opt_text("email")?.map(str::to_owned),
        last_update: now,
        enabled: call.opt_bool("enabled")?.unwrap_or(true),
        pwd_expiration_date: date.or_else(|| expiration(now, span_days(dash))),
        pwd_update_required: call.opt_bool("pwdUpdateRequired")?.unwrap_or(true),
    };
    if dash.access().user(&username).is_ok() {
        return Err(exists());
    }
    let hash = match given {
        Some(given) => Some(hash(given.to_owned()).await?),
        None => None,
    };
    let user = User { password: hash, ..user };
    let body = user.to_public_json();
    dash.change_access(|db, _| db.create_user(user).map_err(|_| exists())).await?;
    Ok(Reply::json(&body))
}

async fn set(call: Call) -> Answer {
    let dash = &call.dash;
    let username = call.path("username");
    let enabled = call.opt_bool("enabled")?;
    if call.username() == username && enabled == Some(false) {
        return Err(refused("You are not allowed to disable your user", "cannot_disable_current_user"));
    }
    dash.access().user(username)?;
    let roles = roles(&call)?;
    let given = call.opt_text("password")?.filter(|p| !p.is_empty());
    if let Some(given) = given {
        check_policy(dash, given, Some(username), None)?;
    }
    let date = call.opt_int("pwdExpirationDate")?;
    check_date(dash, date.filter(|d| *d != 0))?;
    let (name, email) =
        (call.opt_text("name")?.map(str::to_owned), call.opt_text("email")?.map(str::to_owned));
    let update_required = call.opt_bool("pwdUpdateRequired")?.unwrap_or(false);
    let hash = match given {
        Some(given) => Some(hash(given.to_owned()).await?),
        None => None,
    };
    let span = span_days(dash);
    let new_password = hash.is_some();
    let body = dash
        .change_access(|db, now| {
            let user = db.user_mut(username)?;
            if let Some(hash) = hash {
                user.set_password_hash(hash, now, span);
            }
            user.name = name;
            user.email = email;
            user.enabled = enabled.unwrap_or(user.enabled);
            user.pwd_expiration_date = date;
            user.set_roles(roles, now);
            user.pwd_update_required = update_required;
            Ok::<_, ApiError>(user.to_public_json())
        })
        .await?;
    if new_password {
        dash.lockout.reset(username);
    }
    Ok(Reply::json(&body))
}

async fn delete(call: Call) -> Answer {
    let username = call.path("username");
    if call.username() == username {
        return Err(refused("Cannot delete current user", "cannot_delete_current_user"));
    }
    call.dash.change_access(|db, _| Ok::<_, ApiError>(db.delete_user(username)?)).await?;
    Ok(Reply::default())
}

fn validate_password(call: &Call) -> Answer {
    let policy = call.dash.settings().password_policy();
    let checked =
        policy.check(call.text("password")?, call.opt_text("username")?, call.opt_text("old_password")?);
    Ok(Reply::json(&match checked {
        Ok(credits) => json!({"valid": true, "credits": credits, "valuation": valuation(credits)}),
        Err(why) => json!({"valid": false, "credits": 0, "valuation": why}),
    }))
}

async fn change_password(call: Call) -> Answer {
    let dash = &call.dash;
    let username = call.path("username");
    if call.username() != username {
        return Err(refused("Invalid user context", "invalid_user_context"));
    }
    let (old, new) = (call.text("old_password")?.to_owned(), call.text("new_password")?.to_owned());
    let have = dash.access().user(username)?.password.clone().unwrap_or_default();
    let given = old.clone();
    if !blocking(move || password::verify(&given, &have)).await? {
        return Err(refused("Invalid old password", "invalid_old_password"));
    }
    check_policy(dash, &new, Some(username), Some(&old))?;
    let (hash, span) = (hash(new).await?, span_days(dash));
    let change = |db: &mut AccessDb, now| {
        db.user_mut(username)?.set_password_hash(hash, now, span);
        Ok::<_, ApiError>(())
    };
    dash.change_access(change).await?;
    dash.lockout.reset(username);
    Ok(Reply::null())
}

/// A hash, made off the event loop.
pub async fn hash(given: String) -> Result<String, ApiError> {
    let hash = blocking(move || password::hash(&given)).await?;
    hash.map_err(|e| ApiError::internal(format!("the password cannot be hashed: {e}")))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| ApiError::internal(format!("the check broke off: {e}")))
}

/// `USER_PWD_EXPIRATION_SPAN`.
#[must_use]
pub fn span_days(dash: &Dashboard) -> i64 {
    dash.settings().int("USER_PWD_EXPIRATION_SPAN")
}

fn check_policy(
    dash: &Dashboard,
    given: &str,
    username: Option<&str>,
    old: Option<&str>,
) -> Result<(), ApiError> {
    let policy = dash.settings().password_policy();
    policy
        .check(given, username, old)
        .map(drop)
        .map_err(|why| refused(&why, "password_policy_validation_failed"))
}

fn check_date(dash: &Dashboard, date: Option<i64>) -> Result<(), ApiError> {
    if date.is_some_and(|date| date < dash.now()) {
        return Err(refused("Password expiration date must not be in the past", "pwd_past_expiration_date"));
    }
    Ok(())
}

/// The names in `roles`, all of which exist.
fn roles(call: &Call) -> Result<Vec<String>, ApiError> {
    let unknown = |_: AccessError| refused("Role does not exist", "role_does_not_exist");
    let names = call.opt_texts("roles")?.unwrap_or_default();
    let access = call.dash.access();
    for name in &names {
        access.role(name, call.dash.release()).map_err(unknown)?;
    }
    Ok(names)
}

fn exists() -> ApiError {
    refused("Username already exists", "username_already_exists")
}

fn refused(detail: &str, code: &str) -> ApiError {
    ApiError::dashboard(detail, code, "user")
}
