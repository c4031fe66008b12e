//! `iostat` (`pybind/mgr/iostat/module.py`, 16.2 to 20.2): the cluster's client I/O, one row per question; the CLI asks every
//! second.

use crate::{Done, Module, Row};
use axon_core::commands::Ask;
use axon_proto::Release;

pub const MODULE: Module = Module { name: "iostat", options: |_| Vec::new(), commands: ROWS, tick: None };

const ROWS: &[Row] = &[
    Row::new(
        "iostat name=width,req=false,type=CephInt name=print_header,req=false,type=CephBool",
        "Get IO rates",
        "r",
        iostat,
    )
    .poll()
    .until(Release::Reef),
    Row::new(
        "iostat name=width,req=false,type=CephInt name=print_header,positional=False,req=false,type=CephBool",
        "Get IO rates",
        "r",
        iostat,
    )
    .poll()
    .since(Release::Reef),
];

const WIDTH: i64 = 80;
const TITLES: [&str; 6] = ["Read", "Write", "Total", "Read IOPS", "Write IOPS", "Total IOPS"];

fn iostat(ask: &Ask<'_>) -> Done {
    let deltas = &ask.state.pg_map.pg_sum_deltas;
    let sum = deltas.stat().stats;
    let per_second = |count: i64| count.checked_div_euclid(i64::from(deltas.span().sec)).unwrap_or(0);
    let [rd, wr] = [sum.num_rd_kb, sum.num_wr_kb].map(|kb| per_second(kb).saturating_mul(1024));
    let [rd_ops, wr_ops] = [sum.num_rd, sum.num_wr].map(per_second);
    let speeds = [rd, wr, rd.saturating_add(wr)].map(|bytes| format!("{}B/s", pretty_iec(bytes)));
    let ops = [rd_ops, wr_ops, rd_ops.saturating_add(wr_ops)].map(|ops| ops.to_string());
    let width = usize::try_from(ask.number("width").unwrap_or(WIDTH)).unwrap_or(0) / TITLES.len();
    let mut out = String::new();
    if ask.switch("print_header") {
        let dashes =
            format!("+{}\n", format!("{}+", "-".repeat(width.saturating_sub(1))).repeat(TITLES.len()));
        out = format!("{dashes}{}\n{dashes}", row(TITLES.map(str::to_owned), width));
    }
    let [rd, wr, total] = speeds;
    let [rd_ops, wr_ops, total_ops] = ops;
    out.push_str(&row([rd, wr, total, rd_ops, wr_ops, total_ops], width));
    Done::out(out)
}

fn row(cells: [String; 6], width: usize) -> String {
    let width = width.saturating_sub(2);
    cells.iter().fold("|".to_owned(), |out, cell| format!("{out}{cell:>width$} |"))
}

/// `to_pretty_iec`.
fn pretty_iec(n: i64) -> String {
    let units = [(60, "Ei"), (50, "Pi"), (40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")];
    match units.iter().find(|(bits, _)| i128::from(n) > 10i128 << bits) {
        Some((bits, unit)) => format!("{} {unit}", n >> bits),
        None => format!("{n} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::{Command, State};
    use axon_proto::UTime;

    #[test]
    fn a_row_is_as_wide_as_the_terminal() {
        let ask = |command: Command| {
            let state = State::default();
            iostat(&Ask { command: &command, state: &state, now: UTime::ZERO }).lines()
        };
        let row = "|      0 B/s |      0 B/s |      0 B/s |          0 |          0 |          0 |\n";
        assert_eq!(ask(Command::plain("iostat")), row);
        let narrow = Command::plain("iostat").arg("width", 30).arg("print_header", true);
        let dashes = "+----+----+----+----+----+----+\n";
        let title = "|Read |Write |Total |Read IOPS |Write IOPS |Total IOPS |\n";
        assert_eq!(ask(narrow), format!("{dashes}{title}{dashes}|0 B/s |0 B/s |0 B/s |  0 |  0 |  0 |\n"));
        assert_eq!([pretty_iec(10 << 10), pretty_iec(11 << 10), pretty_iec(5)], ["10240 ", "11 Ki", "5 "]);
    }
}
