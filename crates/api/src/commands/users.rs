//! `ac-user-*` and `set-login-credentials` (`access_control.py`).

use super::{Answer, Args, EINVAL, EIO, ENOENT, Input, Refused, Row, SECRET, json, row};
use crate::access::user::{User, expiration};
use crate::access::{AccessDb, AccessError, password};
use crate::release::Release;
use crate::resources::user::span_days;

pub const ROWS: &[Row] = &[
    row!(
        "dashboard set-login-credentials",
        "name=username,type=CephString",
        "Set the login credentials. Password read from -i <file>",
        "w",
        Input::Needed(SECRET),
        set_login_credentials
    ),
    row!(
        "dashboard ac-user-show",
        "name=username,req=false,type=CephString",
        "Show user info",
        "r",
        Input::Never,
        show
    ),
    row!(
        "dashboard ac-user-create",
        "name=username,type=CephString name=rolename,req=false,type=CephString name=name,req=false,type=CephString name=email,req=false,type=CephString name=enabled,req=false,type=CephBool name=force_password,req=false,type=CephBool name=pwd_expiration_date,req=false,type=CephInt name=pwd_update_required,req=false,type=CephBool",
        "Create a user. Password read from -i <file>",
        "w",
        Input::Needed(SECRET),
        create
    )
    .until(Release::Reef),
    row!(
        "dashboard ac-user-create",
        "name=username,type=CephString name=rolename,req=false,type=CephString name=name,req=false,type=CephString name=email,req=false,type=CephString name=enabled,req=false,positional=false,type=CephBool name=force_password,req=false,positional=false,type=CephBool name=pwd_expiration_date,req=false,positional=false,type=CephInt name=pwd_update_required,req=false,positional=false,type=CephBool",
        "Create a user. Password read from -i <file>",
        "w",
        Input::Needed(SECRET),
        create
    )
    .since(Release::Reef),
    row!(
        "dashboard ac-user-enable",
        "name=username,req=false,type=CephString",
        "Enable a user",
        "w",
        Input::Never,
        enable
    ),
    row!(
        "dashboard ac-user-disable",
        "name=username,req=false,type=CephString",
        "Disable a user",
        "w",
        Input::Never,
        disable
    ),
    row!(
        "dashboard ac-user-delete",
        "name=username,req=false,type=CephString",
        "Delete user",
        "w",
        Input::Never,
        delete
    ),
    row!(
        "dashboard ac-user-set-roles",
        "name=username,type=CephString name=roles,req=false,n=N,type=CephString",
        "Set user roles",
        "w",
        Input::Never,
        set_roles
    ),
    row!(
        "dashboard ac-user-add-roles",
        "name=username,type=CephString name=roles,req=false,n=N,type=CephString",
        "Add roles to user",
        "w",
        Input::Never,
        add_roles
    ),
    row!(
        "dashboard ac-user-del-roles",
        "name=username,type=CephString name=roles,req=false,n=N,type=CephString",
        "Delete roles from user",
        "w",
        Input::Never,
        del_roles
    ),
    row!(
        "dashboard ac-user-set-password",
        "name=username,type=CephString name=force_password,req=false,type=CephBool",
        "Set user password from -i <file>",
        "w",
        Input::Needed(SECRET),
        set_password
    )
    .until(Release::Reef),
    row!(
        "dashboard ac-user-set-password",
        "name=username,type=CephString name=force_password,req=false,positional=false,type=CephBool",
        "Set user password from -i <file>",
        "w",
        Input::Needed(SECRET),
        set_password
    )
    .since(Release::Reef),
    row!(
        "dashboard ac-user-set-password-hash",
        "name=username,type=CephString",
        "Set user password bcrypt hash from -i <file>",
        "w",
        Input::Needed(SECRET),
        set_password_hash
    ),
    row!(
        "dashboard ac-user-set-info",
        "name=username,type=CephString name=name,type=CephString name=email,req=false,type=CephString",
        "Set user info",
        "w",
        Input::Never,
        set_info
    ),
];

fn enoent(error: AccessError) -> Refused {
    Refused::new(ENOENT, error)
}

async fn show(args: Args<'_>) -> Answer {
    let access = args.dash.access();
    match args.opt("username") {
        None => Ok(json(&access.users().iter().map(|u| u.username.as_str()).collect::<Vec<_>>())),
        Some(name) => access.user(name).map(json).map_err(enoent),
    }
}

async fn create(args: Args<'_>) -> Answer {
    let dash = args.dash;
    let (username, given) = (args.text("username")?.to_owned(), args.input(SECRET)?);
    let role = match args.opt("rolename") {
        Some(name) => Some(dash.access().role(name, dash.release()).map_err(enoent)?.name),
        None => None,
    };
    if !args.flag("force_password", false)? {
        check_policy(&args, &given, &username)?;
    }
    let (now, date) = (dash.now(), args.opt_int("pwd_expiration_date")?.filter(|date| *date != 0));
    if dash.access().user(&username).is_ok() {
        // Not an error: scripts may run twice.
        return Ok(AccessError::UserExists(username).to_string());
    }
    if date.is_some_and(|date| date < now) {
        return Err(Refused::new(EINVAL, "The password expiration date must not be in the past"));
    }
    let user = User {
        username,
        password: Some(hash(given).await?),
        roles: role.into_iter().collect(),
        name: args.opt("name").map(str::to_owned),
        email: args.opt("email").map(str::to_owned),
        last_update: now,
        enabled: args.flag("enabled", true)?,
        pwd_expiration_date: date.or_else(|| expiration(now, span_days(dash))),
        pwd_update_required: args.flag("pwd_update_required", false)?,
    };
    let shown = json(&user);
    let change = |db: &mut AccessDb, _| match db.create_user(user) {
        Ok(()) => Ok(shown),
        Err(exists) => Ok(exists.to_string()),
    };
    dash.change_access::<_, Refused>(change).await
}

async fn set_login_credentials(args: Args<'_>) -> Answer {
    let (dash, username) = (args.dash, args.text("username")?);
    let (hash, span) = (hash(args.input(SECRET)?).await?, span_days(dash));
    let change = |db: &mut AccessDb, now| {
        if let Ok(user) = db.user_mut(username) {
            user.set_password_hash(hash, now, span);
            return Ok(());
        }
        let user = User {
            username: username.to_owned(),
            password: Some(hash),
            roles: ["administrator".to_owned()].into(),
            name: None,
            email: None,
            last_update: now,
            enabled: true,
            pwd_expiration_date: expiration(now, span),
            pwd_update_required: false,
        };
        db.create_user(user).map_err(|e| Refused::new(EINVAL, e))
    };
    dash.change_access(change).await?;
    dash.lockout.reset(username);
    let text = "This command is deprecated: ac-user-create and ac-user-set-password do the same.\n\
                Username and password updated";
    Ok(text.to_owned())
}

async fn enable(args: Args<'_>) -> Answer {
    let shown = change_user(&args, |user, now| {
        user.set_enabled(true, now);
        Ok(())
    })
    .await?;
    args.dash.lockout.reset(args.text("username")?);
    Ok(shown)
}

async fn disable(args: Args<'_>) -> Answer {
    change_user(&args, |user, now| {
        user.set_enabled(false, now);
        Ok(())
    })
    .await
}

async fn delete(args: Args<'_>) -> Answer {
    let username = args.text("username")?;
    args.dash.change_access(|db, _| db.delete_user(username).map_err(enoent)).await?;
    args.dash.lockout.reset(username);
    Ok(format!("User '{username}' deleted"))
}

async fn set_roles(args: Args<'_>) -> Answer {
    let roles = roles(&args)?;
    change_user(&args, |user, now| {
        user.set_roles(roles, now);
        Ok(())
    })
    .await
}

async fn add_roles(args: Args<'_>) -> Answer {
    let roles = roles(&args)?;
    change_user(&args, |user, now| {
        user.roles.extend(roles);
        user.last_update = now;
        Ok(())
    })
    .await
}

async fn del_roles(args: Args<'_>) -> Answer {
    let roles = roles(&args)?;
    change_user(&args, |user, now| {
        if let Some(other) = roles.iter().find(|role| !user.roles.contains(*role)) {
            return Err(enoent(AccessError::RoleNotInUser(other.clone(), user.username.clone())));
        }
        user.roles.retain(|role| !roles.contains(role));
        user.last_update = now;
        Ok(())
    })
    .await
}

async fn set_password(args: Args<'_>) -> Answer {
    let given = args.input(SECRET)?;
    let user = args.dash.access().user(args.text("username")?).map_err(enoent)?.clone();
    if !args.flag("force_password", false)? {
        // Upstream compares with the full name here, not with the user name.
        check_policy(&args, &given, user.name.as_deref().unwrap_or(""))?;
    }
    store_hash(&args, hash(given).await?).await
}

async fn set_password_hash(args: Args<'_>) -> Answer {
    let hash = args.input(SECRET)?;
    if !password::is_hash(&hash) {
        return Err(Refused::new(EINVAL, "Invalid password hash"));
    }
    store_hash(&args, hash).await
}

async fn set_info(args: Args<'_>) -> Answer {
    let (name, email) = (args.opt("name"), args.opt("email"));
    change_user(&args, |user, _| {
        user.name = name.map(str::to_owned).or(user.name.take());
        user.email = email.map(str::to_owned).or(user.email.take());
        Ok(())
    })
    .await
}

async fn store_hash(args: &Args<'_>, hash: String) -> Answer {
    let span = span_days(args.dash);
    let shown = change_user(args, |user, now| {
        user.set_password_hash(hash, now, span);
        Ok(())
    })
    .await?;
    args.dash.lockout.reset(args.text("username")?);
    Ok(shown)
}

async fn change_user(args: &Args<'_>, change: impl FnOnce(&mut User, i64) -> Result<(), Refused>) -> Answer {
    let username = args.text("username")?;
    let update = |db: &mut AccessDb, now| {
        let user = db.user_mut(username).map_err(enoent)?;
        change(user, now)?;
        Ok(json(user))
    };
    args.dash.change_access(update).await
}

/// The names in `roles`, all of which exist.
fn roles(args: &Args<'_>) -> Result<Vec<String>, Refused> {
    let (access, release) = (args.dash.access(), args.dash.release());
    let names = args.texts("roles")?;
    for name in &names {
        access.role(name, release).map_err(enoent)?;
    }
    Ok(names)
}

fn check_policy(args: &Args<'_>, given: &str, username: &str) -> Result<(), Refused> {
    let policy = args.dash.settings().password_policy();
    policy.check(given, Some(username), None).map(drop).map_err(|why| Refused::new(EINVAL, why))
}

async fn hash(given: String) -> Result<String, Refused> {
    crate::resources::user::hash(given).await.map_err(|e| Refused::new(EIO, Refused::from(e).text))
}
