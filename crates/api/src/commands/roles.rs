//! `ac-role-*` (`access_control.py`).

use super::{Answer, Args, EEXIST, EINVAL, ENOENT, EPERM, Input, Refused, Row, json, row};
use crate::access::db::set_scope_permissions;
use crate::access::roles::{is_system_role, system_role_names};
use crate::access::scope::{Permission, Scope};
use crate::access::{AccessDb, AccessError, Role};
use crate::settings::repr;

pub const ROWS: &[Row] = &[
    row!(
        "dashboard ac-role-show",
        "name=rolename,req=false,type=CephString",
        "Show role info",
        "r",
        Input::Never,
        show
    ),
    row!(
        "dashboard ac-role-create",
        "name=rolename,req=false,type=CephString name=description,req=false,type=CephString",
        "Create a new access control role",
        "w",
        Input::Never,
        create
    ),
    row!(
        "dashboard ac-role-delete",
        "name=rolename,req=false,type=CephString",
        "Delete an access control role",
        "w",
        Input::Never,
        delete
    ),
    row!(
        "dashboard ac-role-add-scope-perms",
        "name=rolename,type=CephString name=scopename,type=CephString name=permissions,req=false,n=N,type=CephString",
        "Add the scope permissions for a role",
        "w",
        Input::Never,
        add_scope_perms
    ),
    row!(
        "dashboard ac-role-del-scope-perms",
        "name=rolename,type=CephString name=scopename,req=false,type=CephString",
        "Delete the scope permissions for a role",
        "w",
        Input::Never,
        del_scope_perms
    ),
];

async fn show(args: Args<'_>) -> Answer {
    let (access, release) = (args.dash.access(), args.dash.release());
    let Some(name) = args.opt("rolename") else {
        let custom = access.custom_roles().iter().map(|r| r.name.clone());
        return Ok(json(&custom.chain(system_role_names(release).map(str::to_owned)).collect::<Vec<_>>()));
    };
    access.role(name, release).map(|role| json(&role)).map_err(|e| Refused::new(ENOENT, e))
}

async fn create(args: Args<'_>) -> Answer {
    let (name, release) = (args.text("rolename")?, args.dash.release());
    let description = args.opt("description").map(str::to_owned);
    let change = |db: &mut AccessDb, _| {
        let role = db.create_role(name, description, release);
        role.map(|role| json(role)).map_err(|e| Refused::new(EEXIST, e))
    };
    args.dash.change_access(change).await
}

async fn delete(args: Args<'_>) -> Answer {
    let (name, release) = (args.text("rolename")?, args.dash.release());
    let change = |db: &mut AccessDb, _| match db.delete_role(name) {
        Ok(()) => Ok(format!("Role '{name}' deleted")),
        Err(AccessError::NoRole(_)) if is_system_role(name, release) => {
            Err(Refused::new(EPERM, format!("Cannot delete system role '{name}'")))
        }
        Err(e @ AccessError::NoRole(_)) => Err(Refused::new(ENOENT, e)),
        Err(e) => Err(Refused::new(EPERM, e)),
    };
    args.dash.change_access(change).await
}

async fn add_scope_perms(args: Args<'_>) -> Answer {
    let (scope, permissions) = (args.text("scopename")?, args.texts("permissions")?);
    let release = args.dash.release();
    change_role(&args, |role| {
        set_scope_permissions(role, scope, &permissions, release).map_err(|e| {
            let names: Vec<&str> = match e {
                AccessError::BadScope(_) => Scope::all(release).map(Scope::name).collect(),
                _ => Permission::ALL.iter().map(|p| p.name()).collect(),
            };
            Refused::new(EINVAL, format!("{e}\n Possible values: {}", repr(&serde_json::json!(names))))
        })
    })
    .await
}

async fn del_scope_perms(args: Args<'_>) -> Answer {
    let scope = args.text("scopename")?;
    change_role(&args, |role| match role.scopes_permissions.remove(scope) {
        Some(_) => Ok(()),
        None => Err(Refused::new(ENOENT, AccessError::ScopeNotInRole(scope.to_owned(), role.name.clone()))),
    })
    .await
}

async fn change_role(args: &Args<'_>, change: impl FnOnce(&mut Role) -> Result<(), Refused>) -> Answer {
    let (name, release) = (args.text("rolename")?, args.dash.release());
    let update = |db: &mut AccessDb, now| {
        let role = db.custom_role_mut(name).map_err(|e| match is_system_role(name, release) {
            true => Refused::new(EPERM, format!("Cannot update system role '{name}'")),
            false => Refused::new(ENOENT, e),
        })?;
        change(role)?;
        let shown = json(role);
        db.touch_users_of_role(name, now);
        Ok(shown)
    };
    args.dash.change_access(update).await
}
