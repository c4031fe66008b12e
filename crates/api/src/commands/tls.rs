//! Certificates and tokens (`module.py`).

use super::{Answer, Args, EINVAL, EIO, Input, Refused, Row, row};
use crate::server::tls::self_signed;

pub const ROWS: &[Row] = &[
    row!(
        "dashboard set-jwt-token-ttl",
        "name=seconds,type=CephInt",
        "Set the JWT token TTL in seconds",
        "w",
        Input::Ignored,
        set_jwt_token_ttl
    ),
    row!(
        "dashboard get-jwt-token-ttl",
        "",
        "Get the JWT token TTL in seconds",
        "r",
        Input::Ignored,
        get_jwt_token_ttl
    ),
    row!(
        "dashboard set-ssl-certificate",
        "name=mgr_id,req=false,type=CephString",
        "",
        "w",
        Input::Taken,
        set_ssl_certificate
    ),
    row!(
        "dashboard set-ssl-certificate-key",
        "name=mgr_id,req=false,type=CephString",
        "",
        "w",
        Input::Taken,
        set_ssl_certificate_key
    ),
    row!("dashboard create-self-signed-cert", "", "", "w", Input::Never, create_self_signed_cert),
];

async fn set_jwt_token_ttl(args: Args<'_>) -> Answer {
    let secs = args.opt_int("seconds")?.ok_or_else(|| Refused::new(EINVAL, "missing argument: seconds"))?;
    args.dash.set_option("jwt_token_ttl", Some(&secs.to_string())).await?;
    Ok("JWT token TTL updated".to_owned())
}

async fn get_jwt_token_ttl(args: Args<'_>) -> Answer {
    Ok(args.dash.jwt_ttl_secs().to_string())
}

async fn set_ssl_certificate(args: Args<'_>) -> Answer {
    set_item(&args, "certificate", "crt").await
}

async fn set_ssl_certificate_key(args: Args<'_>) -> Answer {
    set_item(&args, "certificate key", "key").await
}

async fn set_item(args: &Args<'_>, label: &str, key: &str) -> Answer {
    let input = args.raw_input();
    let text = input
        .ok_or_else(|| Refused::new(EINVAL, format!("Please specify the {label} with \"-i\" option")))?;
    let key = match args.opt("mgr_id") {
        Some(id) => format!("{id}/{key}"),
        None => key.to_owned(),
    };
    args.dash.store(&key, Some(&text)).await?;
    Ok(format!("SSL {label} updated"))
}

async fn create_self_signed_cert(args: Args<'_>) -> Answer {
    let (crt, key) = self_signed().map_err(|e| Refused::new(EIO, e))?;
    // The key first: the server looks at both, and a certificate without its key would be a moment of failure.
    args.dash.store("key", Some(&key)).await?;
    args.dash.store("crt", Some(&crt)).await?;
    Ok("Self-signed certificate created".to_owned())
}
