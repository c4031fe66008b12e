//! What a daemon tells about its host in its metadata (`collect_sys_info` in `src/common/util.cc`): kernel, distribution,
//! CPU, memory, container. The Ceph version is not here: see `identity.rs`.

use std::collections::BTreeMap;
use std::fs;

/// Upstream's keys, each present only where the host tells.
#[must_use]
pub fn collect() -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    uname(&mut out);
    container(&mut out);
    if let Ok(text) =
        fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"))
    {
        distro(&text, &mut out);
    }
    if let Ok(text) = fs::read_to_string("/proc/meminfo") {
        memory(&text, &mut out);
    }
    if let Some(model) = fs::read_to_string("/proc/cpuinfo").ok().as_deref().and_then(cpu_model) {
        out.insert("cpu".to_owned(), model.to_owned());
    }
    out
}

fn uname(out: &mut BTreeMap<String, String>) {
    let Ok(u) = nix::sys::utsname::uname() else { return };
    let fields = [
        ("os", u.sysname()),
        ("kernel_version", u.release()),
        ("kernel_description", u.version()),
        ("hostname", u.nodename()),
        ("arch", u.machine()),
    ];
    for (key, value) in fields {
        out.insert(key.to_owned(), value.to_string_lossy().into_owned());
    }
}

/// Orchestrators tell a container about itself by its environment; the host's name is then the node's.
fn container(out: &mut BTreeMap<String, String>) {
    let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    for (name, key) in
        [("POD_NAME", "pod_name"), ("CONTAINER_IMAGE", "container_image"), ("POD_NAMESPACE", "pod_namespace")]
    {
        if let Some(value) = var(name) {
            out.insert(key.to_owned(), value);
        }
    }
    if let Some(name) = var("CONTAINER_NAME") {
        out.insert("container_name".to_owned(), name);
    }
    if let Some(node) = var("NODE_NAME")
        && let Some(host) = out.insert("hostname".to_owned(), node)
    {
        out.insert("container_hostname".to_owned(), host);
    }
}

fn distro(os_release: &str, out: &mut BTreeMap<String, String>) {
    let keys = [("ID", "distro"), ("PRETTY_NAME", "distro_description"), ("VERSION_ID", "distro_version")];
    for line in os_release.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        if let Some((_, key)) = keys.iter().find(|(n, _)| *n == name) {
            out.insert((*key).to_owned(), value.trim().trim_matches(['"', '\'']).to_owned());
        }
    }
}

fn memory(meminfo: &str, out: &mut BTreeMap<String, String>) {
    for line in meminfo.lines() {
        let mut words = line.split_whitespace();
        let key = match words.next() {
            Some("MemTotal:") => "mem_total_kb",
            Some("SwapTotal:") => "mem_swap_kb",
            _ => continue,
        };
        if let Some(kb) = words.next() {
            out.insert(key.to_owned(), kb.to_owned());
        }
    }
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|l| l.starts_with("model name"))?;
    line.split_once(':').map(|(_, model)| model.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_and_meminfo_give_upstreams_keys() {
        let mut out = BTreeMap::new();
        distro(
            "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nNAME=x\n",
            &mut out,
        );
        memory("MemTotal:       24684092 kB\nMemFree: 1 kB\nSwapTotal:             0 kB\n", &mut out);
        let got: Vec<(&str, &str)> = out.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let expect = [
            ("distro", "debian"),
            ("distro_description", "Debian GNU/Linux 12 (bookworm)"),
            ("distro_version", "12"),
            ("mem_swap_kb", "0"),
            ("mem_total_kb", "24684092"),
        ];
        assert_eq!(got, expect);
    }

    #[test]
    fn this_host_has_a_name_and_a_kernel() {
        let out = collect();
        assert!(out.contains_key("hostname") && out.contains_key("kernel_version"));
    }
}
