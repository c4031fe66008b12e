//! The arguments of `ceph-mgr` (`ceph_argparse.cc`, `global_init.cc`): a few short options, and any configuration option
//! as `--name value`, `--name=value` or, for flags, `--name`. Not clap's: the set of options is open.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MgrArgs {
    /// `x` of `mgr.x`.
    pub id: Option<String>,
    pub conf: Option<PathBuf>,
    pub cluster: Option<String>,
    /// Stay in the foreground.
    pub foreground: bool,
    /// `-d`: foreground, and log to standard error.
    pub debug: bool,
    pub setuser: Option<String>,
    pub setgroup: Option<String>,
    pub help: bool,
    pub version: bool,
    /// Configuration options; names with underscores.
    pub options: BTreeMap<String, String>,
    /// `--default-<name>`: below the configuration file in precedence.
    pub defaults: BTreeMap<String, String>,
}

/// Reads the arguments behind `axon mgr`.
pub fn parse(args: impl IntoIterator<Item = String>) -> Result<MgrArgs, String> {
    let mut out = MgrArgs::default();
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        let (name, mut inline) = match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (arg.clone(), None),
        };
        let mut value = |what: &str| {
            inline.take().or_else(|| args.next()).ok_or_else(|| format!("{arg} needs a value: {what}"))
        };
        match name.as_str() {
            "-f" | "--foreground" => out.foreground = true,
            "-d" => (out.foreground, out.debug) = (true, true),
            "-h" | "--help" => out.help = true,
            "-v" | "--version" => out.version = true,
            "-i" | "--id" => out.id = Some(value("the manager's id, as x in mgr.x")?),
            "-n" | "--name" => out.id = Some(mgr_id(&value("the manager's name, as mgr.x")?)?),
            "-c" | "--conf" => out.conf = Some(value("the configuration file")?.into()),
            "--cluster" => out.cluster = Some(value("the cluster's name")?),
            "--setuser" => out.setuser = Some(value("a user name or uid")?),
            "--setgroup" => out.setgroup = Some(value("a group name or gid")?),
            "-k" => {
                out.options.insert("keyring".to_owned(), value("the keyring file")?);
            }
            "-m" => {
                out.options.insert("mon_host".to_owned(), value("monitor addresses")?);
            }
            _ => {
                let Some(option) = name.strip_prefix("--").filter(|o| !o.is_empty()) else {
                    return Err(format!("unexpected argument {arg:?}; see axon mgr --help"));
                };
                let followed_by_value = args.peek().is_some_and(|next| !next.starts_with('-'));
                let value = match inline {
                    Some(value) => value,
                    None if followed_by_value => args.next().unwrap_or_default(),
                    None => "true".to_owned(),
                };
                let option = option.replace('-', "_");
                match option.strip_prefix("default_") {
                    Some(name) => out.defaults.insert(name.to_owned(), value),
                    None => out.options.insert(option, value),
                };
            }
        }
    }
    Ok(out)
}

fn mgr_id(name: &str) -> Result<String, String> {
    match name.split_once('.') {
        Some(("mgr", id)) if !id.is_empty() => Ok(id.to_owned()),
        _ => Err(format!("{name:?} does not name a manager: it must be mgr.<id>")),
    }
}

/// What `axon mgr --help` prints.
pub const HELP: &str = "\
usage: axon mgr -i ID [options]

  -i, --id ID          the manager's id: it runs as mgr.ID
  -n, --name mgr.ID    the same as a full name
  -c, --conf FILE      configuration file (default: /etc/ceph/$cluster.conf)
      --cluster NAME   the cluster's name (default: ceph)
  -k, --keyring FILE   the file that holds the key of mgr.ID
  -m, --mon-host LIST  monitors, instead of the configuration file's
  -f                   stay in the foreground
  -d                   stay in the foreground and log to standard error
      --setuser USER   run as this user once started
      --setgroup GROUP run as this group once started
      --OPTION VALUE   any configuration option; --default-OPTION VALUE where nothing else sets it
  -v, --version        print the version
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<MgrArgs, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_drop_ins_command_line_is_understood() {
        let unit = include_str!("../../../packaging/systemd/ceph-mgr@.service.d/axon.conf");
        let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/axon mgr ")).unwrap();
        let got = parsed(&line.replace("%i", "host.abc").replace("${CLUSTER}", "ceph")).unwrap();
        assert_eq!((got.id.as_deref(), got.cluster.as_deref()), (Some("host.abc"), Some("ceph")));
        assert!(got.foreground && !got.debug && got.options.is_empty());
        assert_eq!((got.setuser.as_deref(), got.setgroup.as_deref()), (Some("ceph"), Some("ceph")));
    }

    #[test]
    fn the_units_command_line_is_understood() {
        let got = parsed("-f --cluster ceph --id host.abc --setuser ceph --setgroup ceph").unwrap();
        assert_eq!(got.id.as_deref(), Some("host.abc"));
        assert!(got.foreground && !got.debug);
        assert_eq!((got.setuser.as_deref(), got.setgroup.as_deref()), (Some("ceph"), Some("ceph")));
    }

    #[test]
    fn any_option_may_be_given() {
        let got = parsed(
            "-n mgr.x -k /k -m 1.2.3.4 --debug-mgr=20 --log_file /l --default-log-to-file=false --no-mon-config",
        );
        let got = got.unwrap();
        assert_eq!(got.id.as_deref(), Some("x"));
        let options: Vec<(&str, &str)> = got.options.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let expect = [
            ("debug_mgr", "20"),
            ("keyring", "/k"),
            ("log_file", "/l"),
            ("mon_host", "1.2.3.4"),
            ("no_mon_config", "true"),
        ];
        assert_eq!(options, expect);
        assert_eq!(got.defaults["log_to_file"], "false");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(parsed("-i").unwrap_err().contains("needs a value"));
        assert!(parsed("-n osd.0").unwrap_err().contains("mgr.<id>"));
        assert!(parsed("stray").unwrap_err().contains("stray"));
    }
}
