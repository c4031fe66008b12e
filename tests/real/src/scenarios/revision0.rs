//! msgr v2.0 with real daemons: they speak it with a client that does not offer v2.1.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axon_core::{Command, Target};
use axon_launcher::Kind;
use axon_net::mon::SessionState;
use axon_testkit::{config, follow_osd_map};

use crate::Bench;

/// Commands with small and large input and output to each kind of daemon, in CRC mode; SECURE alone is refused.
pub fn v20_is_spoken_in_crc_mode(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let modes = |mode: &'static str| [("ms_mon_client_mode", mode), ("ms_client_mode", mode)];
        let mut old = config(&bench.cluster, "client.admin", &[]).await?;
        old.limits.revision_max = 0;
        let (client, events) = axon_net::connect(old.clone())?;
        tokio::spawn(follow_osd_map(client.clone(), events));
        client.ready(Duration::from_secs(30)).await?;
        let SessionState::Open(open) = client.state() else { anyhow::bail!("no session") };
        ensure!(open.con_mode == 1, "the mode is {}", open.con_mode);
        let value = "v2.0 ".repeat(12_000);
        let set = Command::plain("config-key set").arg("key", "axon-v20").input(value.clone());
        client.command(Target::Mon, set).await?.success()?;
        let get = Command::plain("config-key get").arg("key", "axon-v20");
        ensure!(client.command(Target::Mon, get).await?.success()? == value, "the value came back otherwise");
        let rm = Command::plain("config-key rm").arg("key", "axon-v20");
        client.command(Target::Mon, rm).await?.success()?;
        for target in [Target::MonNamed("a".into()), Target::Osd(0), Target::Mds("0".into()), Target::Mgr] {
            let what = if target == Target::Mgr { "pg stat" } else { "get_command_descriptions" };
            let answer = client.command(target.clone(), Command::json(what)).await;
            let bytes = answer.with_context(|| target.to_string())?.success()?.len();
            ensure!(bytes > if target == Target::Mgr { 10 } else { 3_000 }, "{target}: {bytes} bytes");
        }
        client.shutdown();

        let mut only_secure = config(&bench.cluster, "client.admin", &modes("secure")).await?;
        only_secure.limits.revision_max = 0;
        let (client, _events) = axon_net::connect(only_secure)?;
        let refused =
            client.ready(Duration::from_secs(5)).await.err().context("SECURE of v2.0 was spoken")?;
        ensure!(refused.to_string().contains("msgr v2.0"), "{refused}");
        client.shutdown();
        Ok(())
    })
}
