//! Asks a cluster: `ask MON_HOST KEYRING NAME [PREFIX] [TARGET]`.
use axon_core::{Command, Target};
use axon_net::{Config, connect};
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let options = |name: &str| match name {
        "mon_host" => Some(args[0].clone()),
        "keyring" => Some(args[1].clone()),
        _ => None,
    };
    let config = match Config::load(args[2].parse().unwrap(), &options).await {
        Ok(config) => config,
        Err(e) => return println!("{e}"),
    };
    let (client, mut events) = connect(config).unwrap();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            println!("event: {:.200}", format!("{event:?}"));
        }
    });
    match client.ready(Duration::from_secs(10)).await {
        Ok(open) => println!("{open:?} {}", client.my_addrs()),
        Err(e) => println!("{e}"),
    }
    let prefix = args.get(3).map_or("status", String::as_str);
    let target = match args.get(4).map(|t| t.split_once('.').unwrap_or((t, ""))) {
        Some(("osd", id)) => Target::Osd(id.parse().unwrap()),
        Some(("mds", spec)) => Target::Mds(spec.to_owned()),
        Some(("pg", pgid)) => Target::Pg(pgid.to_owned()),
        Some(("mon", name)) if !name.is_empty() => Target::MonNamed(name.to_owned()),
        _ => Target::Mon,
    };
    match client.command(target, Command::json(prefix)).await {
        Ok(out) => println!("{} {:?} {}", out.retval, out.outs, String::from_utf8_lossy(&out.outbl)),
        Err(e) => println!("{e}"),
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
}
