//! Features, debug mode, login banner, message of the day, cross-origin URLs (`plugins/*.py`, `module.py`).

use super::{Answer, Args, EINVAL, Input, Refused, Row, row};
use crate::release::Release;
use crate::resources::feature_toggles::{FEATURES, option};

pub const ROWS: &[Row] = &[
    row!(
        "dashboard feature",
        "name=action,req=false,strings=enable|disable|status,type=CephChoices name=features,req=false,n=N,strings=rbd|mirroring|iscsi|cephfs|rgw|nfs,type=CephChoices",
        "Enable or disable features in Ceph-Mgr Dashboard",
        "rw",
        Input::Never,
        feature
    )
    .until(Release::Reef),
    row!(
        "dashboard feature",
        "name=action,req=false,strings=enable|disable|status,type=CephChoices name=features,req=false,n=N,strings=rbd|mirroring|iscsi|cephfs|rgw|nfs|dashboard,type=CephChoices",
        "Enable or disable features in Ceph-Mgr Dashboard",
        "rw",
        Input::Never,
        feature
    )
    .since(Release::Reef),
    row!(
        "dashboard debug",
        "name=action,req=false,strings=enable|disable|status,type=CephChoices",
        "Control and report debug status in Ceph-Dashboard",
        "rw",
        Input::Never,
        debug
    ),
    row!(
        "dashboard set-login-banner",
        "",
        "Set the custom login banner read from -i <file>",
        "w",
        Input::Taken,
        set_login_banner
    ),
    row!(
        "dashboard get-login-banner",
        "",
        "Get the custom login banner text",
        "r",
        Input::Never,
        get_login_banner
    ),
    row!(
        "dashboard unset-login-banner",
        "",
        "Unset the custom login banner",
        "w",
        Input::Never,
        unset_login_banner
    ),
    row!(
        "dashboard set-cross-origin-url",
        "name=value,req=false,type=CephString",
        "",
        "w",
        Input::Never,
        set_cross_origin_url
    )
    .since(Release::Tentacle),
    row!("dashboard get-cross-origin-url", "", "", "r", Input::Never, get_cross_origin_url)
        .since(Release::Tentacle),
    row!(
        "dashboard rm-cross-origin-url",
        "name=value,req=false,type=CephString",
        "",
        "r",
        Input::Never,
        rm_cross_origin_url
    )
    .since(Release::Tentacle),
];

fn state(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

async fn feature(args: Args<'_>) -> Answer {
    let known = || FEATURES.iter().filter(|(_, since)| *since <= args.dash.release()).map(|(name, _)| *name);
    let asked = args.texts("features").ok();
    let action = args.opt("action").unwrap_or("status");
    if action == "status" {
        let names = asked.unwrap_or_else(|| known().map(str::to_owned).collect());
        let line =
            |name: &String| format!("Feature '{name}': {}", state(args.dash.option_is(&option(name), true)));
        return Ok(names.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
    let names = asked.ok_or_else(|| Refused::new(1, "At least one feature must be specified"))?;
    if let Some(unknown) = names.iter().find(|name| !known().any(|k| k == *name)) {
        return Err(Refused::new(EINVAL, format!("there is no feature '{unknown}'")));
    }
    let on = action == "enable";
    let mut lines = Vec::new();
    for name in &names {
        args.dash.set_option(&option(name), Some(if on { "true" } else { "false" })).await?;
        lines.push(format!("Feature '{name}': {}", state(on)));
    }
    Ok(lines.join("\n"))
}

async fn debug(args: Args<'_>) -> Answer {
    let on = match args.opt("action").unwrap_or("status") {
        "enable" => "true",
        "disable" => "false",
        _ => return Ok(format!("Debug: '{}'", state(args.dash.debug()))),
    };
    args.dash.set_option("debug", Some(on)).await?;
    Ok(String::new())
}

const BANNER: &str = "custom_login_banner";

async fn set_login_banner(args: Args<'_>) -> Answer {
    let text = args
        .raw_input()
        .ok_or_else(|| Refused::new(EINVAL, "Please specify the login banner file with \"-i\" option"))?;
    args.dash.store(BANNER, Some(&text)).await?;
    Ok("login banner file added".to_owned())
}

async fn get_login_banner(args: Args<'_>) -> Answer {
    Ok(args.dash.stored(BANNER).unwrap_or_else(|| "No login banner set".to_owned()))
}

async fn unset_login_banner(args: Args<'_>) -> Answer {
    args.dash.store(BANNER, None).await?;
    Ok("Login banner removed".to_owned())
}

const CROSS_ORIGIN: &str = "cross_origin_url";

fn origins(args: &Args<'_>) -> Vec<String> {
    let text = args.dash.option(CROSS_ORIGIN).unwrap_or_default();
    text.split(',').map(|url| url.trim().to_owned()).filter(|url| !url.is_empty()).collect()
}

async fn set_cross_origin_url(args: Args<'_>) -> Answer {
    let mut have = origins(&args);
    for url in args.text("value")?.split(',').map(str::trim) {
        if have.iter().any(|h| h == url) {
            return Err(Refused::new(EINVAL, "Cross-origin URL already set"));
        }
        have.push(url.to_owned());
    }
    args.dash.set_option(CROSS_ORIGIN, Some(&have.join(","))).await?;
    Ok("Cross-origin URL set".to_owned())
}

async fn get_cross_origin_url(args: Args<'_>) -> Answer {
    let have = args.dash.option(CROSS_ORIGIN).filter(|text| !text.is_empty());
    Ok(have.unwrap_or_else(|| "No cross-origin URL set".to_owned()))
}

async fn rm_cross_origin_url(args: Args<'_>) -> Answer {
    let (mut have, value) = (origins(&args), args.text("value")?);
    let before = have.len();
    have.retain(|url| url != value);
    if have.len() == before {
        return Err(Refused::new(EINVAL, "Cross-origin URL not set"));
    }
    args.dash.set_option(CROSS_ORIGIN, Some(&have.join(","))).await?;
    Ok("Cross-origin URL removed".to_owned())
}
