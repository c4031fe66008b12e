//! The commands over a fake cluster, and their descriptors.

use super::{Refused, descriptors, run};
use crate::release::Release;
use crate::testing::{Bench, PASSWORD, Running};
use axon_core::{Command, CommandOutput};
use serde_json::{Value, json};

async fn ask(bench: &Running, prefix: &str, args: Value, input: &str) -> CommandOutput {
    let mut command = Command::plain(prefix).input(input.as_bytes().to_vec());
    command.args.extend(args.as_object().unwrap().clone());
    run(&bench.dash, &command).await.unwrap_or_else(|| panic!("no command {prefix}"))
}

fn out(output: &CommandOutput) -> Value {
    assert_eq!(output.retval, 0, "{output:?}");
    serde_json::from_slice(&output.outbl).unwrap_or_else(|_| json!(String::from_utf8_lossy(&output.outbl)))
}

fn refused(output: &CommandOutput) -> (i32, &str) {
    (output.retval, &output.outs)
}

#[tokio::test]
async fn a_user_is_made_changed_and_deleted() {
    let bench = Bench::new(Release::Reef).start().await;
    let user = json!({"username": "bob", "rolename": "read-only", "name": "Bob"});
    let made = out(&ask(&bench, "dashboard ac-user-create", user.clone(), "b0b&his-word\n").await);
    assert_eq!(
        (&made["roles"], &made["enabled"], &made["email"]),
        (&json!(["read-only"]), &json!(true), &json!(null))
    );
    assert!(made["password"].as_str().unwrap().starts_with("$2b$12$"));
    let login = bench.ask("POST", "/api/auth", json!({"username": "bob", "password": "b0b&his-word"})).await;
    assert_eq!(login.status, 201, "the line end of the file is no part of the password");
    let again = ask(&bench, "dashboard ac-user-create", user, "b0b&his-word").await;
    assert_eq!(out(&again), json!("User 'bob' already exists"));
    let roles = json!({"username": "bob", "roles": ["pool-manager"]});
    assert_eq!(
        out(&ask(&bench, "dashboard ac-user-add-roles", roles.clone(), "").await)["roles"],
        json!(["pool-manager", "read-only"])
    );
    assert_eq!(
        out(&ask(&bench, "dashboard ac-user-del-roles", roles.clone(), "").await)["roles"],
        json!(["read-only"])
    );
    let not_his = ask(&bench, "dashboard ac-user-del-roles", roles, "").await;
    assert_eq!(refused(&not_his), (-2, "Role 'pool-manager' is not associated with user 'bob'"));
    let name = json!({"username": "bob"});
    assert_eq!(
        out(&ask(&bench, "dashboard ac-user-delete", name.clone(), "").await),
        json!("User 'bob' deleted")
    );
    assert_eq!(
        refused(&ask(&bench, "dashboard ac-user-show", name, "").await),
        (-2, "User 'bob' does not exist")
    );
    assert_eq!(out(&ask(&bench, "dashboard ac-user-show", json!({}), "").await), json!(["admin"]));
}

#[tokio::test]
async fn passwords_come_from_a_file_and_obey_the_policy() {
    let bench = Bench::new(Release::Pacific).start().await;
    let user = json!({"username": "bob"});
    let create =
        async |args: Value, input: &'static str| ask(&bench, "dashboard ac-user-create", args, input).await;
    let missing = create(user.clone(), "").await;
    assert_eq!(missing.retval, -22);
    assert!(missing.outs.contains("with \"-i\" option"), "{missing:?}");
    assert_eq!(create(user.clone(), "\n").await.retval, -22);
    assert_eq!(refused(&create(user, "short").await), (-22, "Password is too weak."));
    let forced = json!({"username": "bob", "force_password": true});
    assert_eq!(create(forced, "short").await.retval, 0);
    let hash =
        ask(&bench, "dashboard ac-user-set-password-hash", json!({"username": "bob"}), "no hash").await;
    assert_eq!(refused(&hash), (-22, "Invalid password hash"));
}

#[tokio::test]
async fn enabling_a_user_ends_a_lockout() {
    let bench = Bench::new(Release::Pacific).option("ACCOUNT_LOCKOUT_ATTEMPTS", "1").start().await;
    let login = async |password: &'static str| {
        bench.ask("POST", "/api/auth", json!({"username": "admin", "password": password})).await.status
    };
    assert_eq!([login("x").await, login(PASSWORD).await], [400, 400]);
    assert!(!bench.dash.access().user("admin").unwrap().enabled);
    let enabled = ask(&bench, "dashboard ac-user-enable", json!({"username": "admin"}), "").await;
    assert_eq!(out(&enabled)["enabled"], json!(true));
    assert_eq!(login(PASSWORD).await, 201);
}

#[tokio::test]
async fn roles_are_made_and_changed_and_system_roles_are_not() {
    let bench = Bench::new(Release::Reef).start().await;
    let name = json!({"rolename": "mine", "description": "d"});
    let made = ask(&bench, "dashboard ac-role-create", name.clone(), "").await;
    assert_eq!(made.outbl, r#"{"name": "mine", "description": "d", "scopes_permissions": {}}"#);
    assert_eq!(
        refused(&ask(&bench, "dashboard ac-role-create", name, "").await),
        (-17, "Role 'mine' already exists")
    );
    let add = async |role: &str, scope: &str, permissions: Value| {
        let args = json!({"rolename": role, "scopename": scope, "permissions": permissions});
        ask(&bench, "dashboard ac-role-add-scope-perms", args, "").await
    };
    let shown = out(&add("mine", "osd", json!(["update", "read"])).await);
    assert_eq!(shown["scopes_permissions"], json!({"osd": ["read", "update"]}));
    assert_eq!(
        refused(&add("mine", "osd", json!(["write"])).await),
        (-22, "Permission 'write' is not valid\n Possible values: ['create', 'delete', 'read', 'update']")
    );
    assert_eq!(
        refused(&add("read-only", "osd", json!(["read"])).await),
        (-1, "Cannot update system role 'read-only'")
    );
    let gone = json!({"rolename": "mine", "scopename": "pool"});
    assert_eq!(
        refused(&ask(&bench, "dashboard ac-role-del-scope-perms", gone, "").await),
        (-2, "There are no permissions for scope 'pool' in role 'mine'")
    );
}

#[tokio::test]
async fn settings_are_read_set_and_reset() {
    let bench = Bench::new(Release::Pacific).start().await;
    let get = async |name: &str| out(&ask(&bench, &format!("dashboard get-{name}"), json!({}), "").await);
    assert_eq!(get("grafana-api-url").await, json!(""));
    let set = ask(&bench, "dashboard set-grafana-api-url", json!({"value": "http://g"}), "").await;
    assert_eq!(out(&set), json!("Option GRAFANA_API_URL updated"));
    assert_eq!(get("grafana-api-url").await, json!("http://g"));
    let reset = ask(&bench, "dashboard reset-grafana-api-url", json!({}), "").await;
    assert_eq!(out(&reset), json!("Option GRAFANA_API_URL reset to default value \"\""));
    ask(&bench, "dashboard set-pwd-policy-enabled", json!({"value": "false"}), "").await;
    assert_eq!(get("pwd-policy-enabled").await, json!("False"));
    let secret = ask(&bench, "dashboard set-grafana-api-password", json!({}), "s3cret\n").await;
    assert_eq!(secret.retval, 0);
    assert_eq!(get("grafana-api-password").await, json!("s3cret"));
    let bad = ask(&bench, "dashboard set-rest-requests-timeout", json!({"value": "x"}), "").await;
    assert_eq!(bad.retval, -22);
    assert!(
        run(&bench.dash, &Command::plain("dashboard get-issue-tracker-api-key")).await.is_none(),
        "Reef's"
    );
}

#[tokio::test]
async fn certificates_go_to_the_store_for_all_or_for_one_manager() {
    let bench = Bench::new(Release::Reef).start().await;
    let made = ask(&bench, "dashboard create-self-signed-cert", json!({}), "").await;
    assert_eq!(out(&made), json!("Self-signed certificate created"));
    assert!(bench.dash.stored("crt").unwrap().starts_with("-----BEGIN CERTIFICATE"));
    assert!(bench.dash.stored("key").unwrap().contains("PRIVATE KEY"));
    ask(&bench, "dashboard set-ssl-certificate", json!({"mgr_id": "x"}), "PEM").await;
    assert_eq!(bench.dash.state().localized_module_store("dashboard", "crt"), Some("PEM"));
    let missing = ask(&bench, "dashboard set-ssl-certificate-key", json!({}), "").await;
    assert_eq!(refused(&missing), (-22, "Please specify the certificate key with \"-i\" option"));
}

#[tokio::test]
async fn input_is_refused_where_none_is_taken() {
    let bench = Bench::new(Release::Reef).start().await;
    let shown = ask(&bench, "dashboard ac-user-show", json!({}), "data").await;
    assert_eq!(refused(&shown), (-22, "Invalid command: Input file data (-i) not supported"));
    assert_eq!(Refused::new(1, "x"), Refused { errno: 1, text: "x".to_owned() });
}

#[tokio::test]
async fn features_and_cross_origins_are_options() {
    let bench = Bench::new(Release::Tentacle).start().await;
    let args = json!({"action": "disable", "features": ["rgw"]});
    assert_eq!(out(&ask(&bench, "dashboard feature", args, "").await), json!("Feature 'rgw': disabled"));
    let status = ask(&bench, "dashboard feature", json!({"features": ["rgw", "nfs"]}), "").await;
    assert_eq!(out(&status), json!("Feature 'rgw': disabled\nFeature 'nfs': enabled"));
    let set = ask(&bench, "dashboard set-cross-origin-url", json!({"value": "http://a, http://b"}), "").await;
    assert_eq!(set.retval, 0);
    let shown = ask(&bench, "dashboard get-cross-origin-url", json!({}), "").await;
    assert_eq!(out(&shown), json!("http://a,http://b"));
    let unknown = ask(&bench, "dashboard rm-cross-origin-url", json!({"value": "http://c"}), "").await;
    assert_eq!(refused(&unknown), (-22, "Cross-origin URL not set"));
}

#[test]
fn a_prefix_is_announced_once_per_release() {
    for release in Release::ALL {
        let prefix = |cmd: &str| cmd.split(" name=").next().unwrap().trim().to_owned();
        let mut prefixes: Vec<_> = descriptors(release).iter().map(|d| prefix(&d.cmdstring)).collect();
        let count = prefixes.len();
        prefixes.sort();
        prefixes.dedup();
        assert_eq!(prefixes.len(), count);
    }
}

/// Against the descriptors that upstream's module declares, one JSON list per release in `$AXON_COMMANDS/<major>.json`.
#[test]
fn descriptors_are_upstreams() {
    let Some(folder) = std::env::var_os("AXON_COMMANDS") else { return };
    for release in Release::ALL {
        let file = std::path::Path::new(&folder).join(format!("{}.json", release as u32));
        let listed: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for desc in descriptors(release) {
            let same = |row: &&Value| {
                row["cmd"] == desc.cmdstring
                    && row["desc"] == desc.helpstring
                    && row["perm"] == desc.req_perms
            };
            assert!(listed.iter().any(|row| same(&row)), "{release:?} {desc:?}");
        }
    }
}
