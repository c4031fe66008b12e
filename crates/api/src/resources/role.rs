//! Roles and scopes (`controllers/role.py`).

use crate::access::db::set_scope_permissions;
use crate::access::roles::{is_system_role, system_role, system_role_names};
use crate::access::scope::{Permission, Scope};
use crate::access::{AccessDb, AccessError, Role};
use crate::http::operation::{Answer, Kind, Param, Resource};
use crate::http::{ApiError, Call, Operation, Reply, now};
use crate::later;
use crate::release::Release;
use serde_json::{Map, Value, json};

pub const RESOURCE: Resource =
    Resource {
        tag: "Role",
        doc: "Role Management API",
        operations: &[
            Operation::get("/api/role", now(list)).scope(Scope::User).summary("Display Role list"),
            Operation::post("/api/role", later!(create)).scope(Scope::User).params(&[
                Param::body("name", Kind::Text),
                Param::body("description", Kind::Text),
                Param::body("scopes_permissions", Kind::Object),
            ]),
            Operation::get("/api/role/{name}", now(get)).scope(Scope::User),
            Operation::put("/api/role/{name}", later!(set)).scope(Scope::User).params(&[
                Param::body("description", Kind::Text),
                Param::body("scopes_permissions", Kind::Object),
            ]),
            Operation::delete("/api/role/{name}", later!(delete)).scope(Scope::User),
            Operation::post("/api/role/{name}/clone", later!(clone))
                .scope(Scope::User)
                .params(&[Param::body("new_name", Kind::Text).required()]),
        ],
    };

pub const SCOPES: Resource = Resource {
    tag: "Scope",
    doc: "",
    operations: &[Operation::get("/ui-api/scope", now(scopes)).scope(Scope::User)],
};

fn scopes(call: &Call) -> Answer {
    Ok(Reply::json(&Scope::all(call.dash.release()).map(Scope::name).collect::<Vec<_>>()))
}

fn list(call: &Call) -> Answer {
    let (access, release) = (call.dash.access(), call.dash.release());
    let system = system_role_names(release).filter_map(|name| system_role(name, release));
    let mut roles: Vec<Role> = access.custom_roles().iter().cloned().chain(system).collect();
    roles.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Reply::json(&roles.iter().map(|role| shown(role, release)).collect::<Vec<_>>()))
}

fn get(call: &Call) -> Answer {
    let release = call.dash.release();
    Ok(Reply::json(&shown(&call.dash.access().role(call.path("name"), release)?, release)))
}

async fn create(call: Call) -> Answer {
    let name = call.opt_text("name")?.unwrap_or("").to_owned();
    let description = call.opt_text("description")?.map(str::to_owned);
    let permissions = permissions(&call)?;
    add(&call, &name, description, permissions).await
}

async fn clone(call: Call) -> Answer {
    let source = call.dash.access().role(call.path("name"), call.dash.release())?;
    let name = call.text("new_name")?.to_owned();
    add(&call, &name, source.description, source.scopes_permissions.into_iter().collect()).await
}

async fn set(call: Call) -> Answer {
    let (name, release) = (call.path("name"), call.dash.release());
    if call.dash.access().custom_role(name).is_err() && is_system_role(name, release) {
        return Err(refused("Cannot update system role", "cannot_update_system_role"));
    }
    call.dash.access().custom_role(name)?;
    let permissions = permissions(&call)?;
    let description = call.opt_text("description")?.map(str::to_owned);
    let change = |db: &mut AccessDb, now| {
        let role = db.custom_role_mut(name)?;
        role.description = description;
        replace(role, &permissions, release)?;
        let shown = shown(role, release);
        db.touch_users_of_role(name, now);
        Ok::<_, ApiError>(shown)
    };
    Ok(Reply::json(&call.dash.change_access(change).await?))
}

async fn delete(call: Call) -> Answer {
    let (name, release) = (call.path("name"), call.dash.release());
    let change = |db: &mut AccessDb, _| {
        db.delete_role(name).map_err(|error| match error {
            AccessError::NoRole(_) if is_system_role(name, release) => {
                refused("Cannot delete system role", "cannot_delete_system_role")
            }
            AccessError::RoleInUse(..) => {
                refused("Role is associated with user", "role_is_associated_with_user")
            }
            other => other.into(),
        })
    };
    call.dash.change_access(change).await?;
    Ok(Reply::default())
}

type Permissions = Vec<(String, Vec<String>)>;

async fn add(call: &Call, name: &str, description: Option<String>, permissions: Permissions) -> Answer {
    let release = call.dash.release();
    if name.is_empty() {
        return Err(refused("Name is required", "name_required"));
    }
    let change = |db: &mut AccessDb, _| {
        let taken = |_| refused("Role already exists", "role_already_exists");
        let role = db.create_role(name, description, release).map_err(taken)?;
        replace(role, &permissions, release)?;
        Ok::<_, ApiError>(shown(role, release))
    };
    Ok(Reply::json(&call.dash.change_access(change).await?))
}

/// Sets a role's permissions to exactly these; scopes without any are left out.
fn replace(role: &mut Role, permissions: &Permissions, release: Release) -> Result<(), ApiError> {
    role.scopes_permissions.clear();
    for (scope, permissions) in permissions.iter().filter(|(_, p)| !p.is_empty()) {
        set_scope_permissions(role, scope, permissions, release)?;
    }
    Ok(())
}

/// `scopes_permissions` of the request, checked.
fn permissions(call: &Call) -> Result<Permissions, ApiError> {
    let empty = Map::new();
    let given = call.opt_object("scopes_permissions")?.unwrap_or(&empty);
    given.iter().map(|(scope, list)| checked(scope, list, call.dash.release())).collect()
}

fn checked(scope: &str, list: &Value, release: Release) -> Result<(String, Vec<String>), ApiError> {
    let invalid = || refused("Invalid permission", "invalid_permission");
    if Scope::known(scope, release).is_none() {
        return Err(refused("Invalid scope", "invalid_scope"));
    }
    let names = list.as_array().ok_or_else(invalid)?.iter();
    let names = names.map(|v| v.as_str().filter(|p| Permission::named(p).is_some()).map(str::to_owned));
    Ok((scope.to_owned(), names.collect::<Option<_>>().ok_or_else(invalid)?))
}

fn shown(role: &Role, release: Release) -> Value {
    let mut value = json!(role);
    value["system"] = json!(is_system_role(&role.name, release));
    value
}

fn refused(detail: &str, code: &str) -> ApiError {
    ApiError::dashboard(detail, code, "role")
}
