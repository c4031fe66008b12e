//! Variables in values (`md_config_t::_expand_meta`, `src/common/config.cc`): `$cluster`, `$type`, `$id`, `$num`, `$name`,
//! `$host`, `$pid`, `$home`, `$cctid`, `$data_dir`, and any option by its name, as `$name` or `${name}`.
//!
//! As upstream: an unknown name stays as it stands; an option that leads back to itself stays as `$name`; a brace that
//! does not close loses its name. Unlike upstream, `$home` does not drop the text before it.

use axon_proto::AuthEntity;

/// What the variables stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    pub cluster: String,
    pub name: AuthEntity,
    /// The short host name.
    pub host: String,
    pub pid: u32,
    /// `HOME`; empty when not set.
    pub home: String,
}

/// Replaces the variables in `text`; `option` gives another option's value, not expanded.
pub fn expand(text: &str, variables: &Variables, option: &dyn Fn(&str) -> Option<String>) -> String {
    expand_within(text, variables, option, &mut Vec::new())
}

/// Like [`expand`] for the value of option `name`, so that it is not looked up in itself.
pub fn expand_option(
    name: &str,
    text: &str,
    variables: &Variables,
    option: &dyn Fn(&str) -> Option<String>,
) -> String {
    expand_within(text, variables, option, &mut vec![name.to_owned()])
}

fn expand_within(
    text: &str,
    variables: &Variables,
    option: &dyn Fn(&str) -> Option<String>,
    within: &mut Vec<String>,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, written, behind) = variable(after);
        rest = behind;
        if name.is_empty() {
            out.push('$');
            continue;
        }
        out.push_str(&value(name, written, variables, option, within));
    }
    out.push_str(rest);
    out
}

/// The name behind a `$`, how it is written with the sign, and the text behind.
fn variable(after: &str) -> (&str, &str, &str) {
    let names = |c: char| c.is_ascii_lowercase() || c == '_';
    let (braced, text) = match after.strip_prefix('{') {
        Some(text) => (true, text),
        None => (false, after),
    };
    let len = text.find(|c| !names(c)).unwrap_or(text.len());
    let (name, behind) = text.split_at(len);
    if !braced {
        return (name, name, behind);
    }
    match behind.strip_prefix('}') {
        Some(behind) => (name, after.get(..len + 2).unwrap_or_default(), behind),
        None => ("", "", behind),
    }
}

fn value(
    name: &str,
    written: &str,
    variables: &Variables,
    option: &dyn Fn(&str) -> Option<String>,
    within: &mut Vec<String>,
) -> String {
    let kind = variables.name.kind.name();
    let name = match name {
        "type" => return kind.to_owned(),
        "cluster" => return variables.cluster.clone(),
        "name" => return variables.name.to_string(),
        "host" => return option("host").filter(|h| !h.is_empty()).unwrap_or_else(|| variables.host.clone()),
        "num" | "id" => return variables.name.id.clone(),
        // Upstream tells its contexts apart by an address; there is one here.
        "pid" | "cctid" => return variables.pid.to_string(),
        "home" => return variables.home.clone(),
        "data_dir" => format!("{kind}_data"),
        name => name.to_owned(),
    };
    if within.contains(&name) {
        return format!("${name}");
    }
    let Some(text) = option(&name) else { return format!("${written}") };
    within.push(name);
    let out = expand_within(&text, variables, option, within);
    within.pop();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        let variables = Variables {
            cluster: "ceph".into(),
            name: "mgr.x".parse().unwrap(),
            host: "h".into(),
            pid: 7,
            home: "/root".into(),
        };
        let option = |name: &str| match name {
            "run_dir" => Some("/run/$cluster".to_owned()),
            "mgr_data" => Some("/var/lib/ceph/$type/$cluster-$id".to_owned()),
            "a" => Some("a:$b".to_owned()),
            "b" => Some("b:$a".to_owned()),
            _ => None,
        };
        expand(text, &variables, &option)
    }

    #[test]
    fn variables_and_other_options_are_replaced() {
        assert_eq!(expanded("$run_dir/$cluster-$name.asok"), "/run/ceph/ceph-mgr.x.asok");
        assert_eq!(expanded("${data_dir}/keyring"), "/var/lib/ceph/mgr/ceph-x/keyring");
        assert_eq!(expanded("$host.$num.$pid $home/x"), "h.x.7 /root/x");
    }

    #[test]
    fn what_is_no_variable_stays_and_loops_end() {
        assert_eq!(expanded("$unknown/${unknown}/5$/$$id$"), "$unknown/${unknown}/5$/$x$");
        assert_eq!(expanded("$a"), "a:b:$a");
        assert_eq!(expanded("x${id-y"), "x$-y");
    }
}
