//! What a process holds, from `/proc`.

use std::fs;

/// Of one process, and of those that it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub rss_kib: u64,
    pub threads: u64,
    pub descriptors: u64,
    /// Processes below it, and their memory.
    pub children: u64,
    pub children_rss_kib: u64,
}

impl Held {
    /// `None` when the process is gone.
    #[must_use]
    pub fn of(pid: i32) -> Option<Held> {
        let (rss_kib, threads) = status(pid)?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
        let mut held = Held { rss_kib, threads, descriptors, ..Held::default() };
        let mut below = children(pid);
        while let Some(child) = below.pop() {
            if let Some((rss_kib, _)) = status(child) {
                held.children += 1;
                held.children_rss_kib += rss_kib;
                below.extend(children(child));
            }
        }
        Some(held)
    }
}

fn status(pid: i32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let number = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    Some((number("VmRSS:")?, number("Threads:")?))
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|p| p.parse().ok()).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_and_its_children_are_measured() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let held = Held::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(held.rss_kib > 100 && held.threads > 0 && held.descriptors > 2, "{held:?}");
        assert!(held.children >= 1, "{held:?}");
        assert_eq!(Held::of(i32::MAX), None);
    }
}
