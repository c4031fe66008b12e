//! `osd df` (`OSDUtilizationDumper` in `src/osd/OSDMap.cc`): how full each OSD is, flat or as the CRUSH tree, for all or for
//! those below a CRUSH node, of a device class or of a pool.

use super::request::{Ask, EINVAL, Format, refuse};
use super::{Done, Reads, Row};
use crate::command::CommandOutput;
use crate::pg_map::PgMap;
use crate::text::{Bytes, Cells, Column, LowPrecision, Table, Weight};
use axon_proto::crush::TreeItem;
use axon_proto::json::{Entries, Object, Then};
use axon_proto::osd_map::OSDMap;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub(super) const ROWS: &[Row] = &[Row::read(
    "osd df name=output_method,type=CephChoices,strings=plain|tree,req=false name=filter_by,type=CephChoices,strings=class|name,req=false name=filter,type=CephString,req=false",
    "show OSD utilization",
    "osd",
    osd_df,
)
.of(Reads::Maps)];

fn osd_df(ask: &Ask<'_>) -> Done {
    let filter = ask.text("filter").unwrap_or_default();
    let tree = ask.text("output_method").as_deref() == Some("tree");
    let Some(shown) = Shown::of(&ask.state.osd_map, &filter) else {
        return refuse(EINVAL, format!("'{filter}' not a pool, crush node or device class name"));
    };
    let df = Df::of(&ask.state.osd_map, &ask.state.pg_map, &shown, tree);
    let mut body = match ask.format() {
        Format::Plain => df.text(),
        format => format.text("df", &df.json()),
    };
    // Upstream passes it on line by line: each one ends, and empty ones are lost.
    body.truncate(body.trim_end().len());
    body.push('\n');
    CommandOutput::ok(body).into()
}

/// Which items the filter takes.
#[derive(Default)]
struct Shown<'a> {
    /// Empty: all.
    items: BTreeSet<i32>,
    class: Option<&'a str>,
}

impl<'a> Shown<'a> {
    /// `None` when the filter names nothing.
    fn of(map: &OSDMap, filter: &'a str) -> Option<Self> {
        let crush = &map.crush;
        if filter.is_empty() {
            return Some(Shown::default());
        }
        if let Some(item) = crush.item_id(filter) {
            return Some(Shown { items: crush.subtree(item), class: None });
        }
        if crush.classes().any(|class| class == filter) {
            return Some(Shown { class: Some(filter), ..Default::default() });
        }
        let rule = map.pool_by_name(filter).map(|(_, pool)| i32::from(pool.crush_rule))?;
        let items = crush.takes_of(rule).into_iter().flat_map(|root| crush.subtree(root)).collect();
        Some(Shown { items, class: None })
    }

    fn has(&self, map: &OSDMap, id: i32) -> bool {
        let in_items = self.items.is_empty() || self.items.contains(&id);
        let in_class = id < 0 || self.class.is_none_or(|class| map.crush.item_class(id) == Some(class));
        in_items && in_class
    }

    fn is_all(&self) -> bool {
        self.items.is_empty() && self.class.is_none()
    }
}

/// Space in KiB: total, used, of that data, omap and meta, available.
#[derive(Clone, Copy, Debug, Default)]
struct Space([i64; 6]);

impl Space {
    fn add(&mut self, other: Space) {
        for (to, from) in self.0.iter_mut().zip(other.0) {
            *to += from;
        }
    }

    fn percent_used(self) -> f64 {
        let [kb, used, ..] = self.0;
        if kb != 0 && used != 0 { 100.0 * used as f64 / kb as f64 } else { 0.0 }
    }
}

/// One line.
struct Line<'a> {
    item: Cow<'a, TreeItem>,
    /// -1 of a bucket.
    reweight: f32,
    space: Space,
    util: f64,
    var: f64,
    pgs: i32,
}

struct Df<'a> {
    osd_map: &'a OSDMap,
    pg_map: &'a PgMap,
    shown: &'a Shown<'a>,
    tree: bool,
    average: f64,
    lines: Vec<Line<'a>>,
    /// OSDs that the tree does not hold.
    stray: Vec<Line<'a>>,
    min_var: f64,
    max_var: f64,
    dev: f64,
    /// By OSD: what it has reported.
    spaces: Vec<Option<Space>>,
    osds: OsdSet,
}

/// OSDs, of which there are many.
struct OsdSet(Vec<bool>);

impl OsdSet {
    /// For the OSDs of a map.
    fn none_of(map: &OSDMap) -> Self {
        OsdSet(vec![false; usize::try_from(map.max_osd).unwrap_or(0)])
    }

    fn has(&self, osd: i32) -> bool {
        usize::try_from(osd).ok().and_then(|at| self.0.get(at).copied()).unwrap_or(false)
    }

    /// One that no map can have is let go.
    fn put(&mut self, osd: i32) {
        const OSD_ID_MAX: usize = 1 << 20;
        let Some(at) = usize::try_from(osd).ok().filter(|at| *at < OSD_ID_MAX) else { return };
        if self.0.len() <= at {
            self.0.resize(at + 1, false);
        }
        if let Some(place) = self.0.get_mut(at) {
            *place = true;
        }
    }

    fn iter(&self) -> impl Iterator<Item = i32> {
        (0..).zip(&self.0).filter_map(|(osd, has)| has.then_some(osd))
    }
}

/// What the OSDs of a map have reported, by OSD.
fn spaces(osd_map: &OSDMap, pg_map: &PgMap) -> Vec<Option<Space>> {
    let mut out = vec![None; usize::try_from(osd_map.max_osd).unwrap_or(0)];
    for (osd, stat) in &pg_map.osd_stat {
        let s = &stat.statfs;
        if let Some(place) = usize::try_from(*osd).ok().and_then(|at| out.get_mut(at)) {
            *place = Some(Space([
                s.kb(),
                s.kb_used_raw(),
                s.kb_used_data(),
                s.kb_used_omap(),
                s.kb_used_meta(),
                s.kb_avail(),
            ]));
        }
    }
    out
}

impl<'a> Df<'a> {
    fn of(osd_map: &'a OSDMap, pg_map: &'a PgMap, shown: &'a Shown<'a>, tree: bool) -> Self {
        let mut df = Df {
            osd_map,
            pg_map,
            shown,
            tree,
            average: 0.0,
            lines: Vec::new(),
            stray: Vec::new(),
            min_var: -1.0,
            max_var: -1.0,
            dev: 0.0,
            spaces: spaces(osd_map, pg_map),
            osds: OsdSet::none_of(osd_map),
        };
        df.average = df.average_utilization();
        let items = osd_map.crush.whole_tree();
        let mut touched = OsdSet::none_of(osd_map);
        items.iter().for_each(|item| touched.put(item.id));
        df.lines = items.iter().filter_map(|item| df.line(Cow::Borrowed(item))).collect();
        let alone = |id| TreeItem { id, parent: 0, depth: 0, weight: 0, children: vec![] };
        let stray = osd_map.osds().filter(|osd| !touched.has(*osd));
        df.stray = stray.filter_map(|id| df.line(Cow::Owned(alone(id)))).collect();
        df.deviation();
        df
    }

    fn average_utilization(&self) -> f64 {
        let mut sum = Space::default();
        let counted = self.osd_map.osds().filter(|osd| self.osd_map.is_in(*osd));
        for osd in counted.filter(|osd| self.shown.has(self.osd_map, *osd)) {
            sum.add(self.osd_space(osd).unwrap_or_default());
        }
        let [kb, used, ..] = sum.0;
        if kb > 0 { 100.0 * used as f64 / kb as f64 } else { 0.0 }
    }

    fn osd_space(&self, osd: i32) -> Option<Space> {
        self.spaces.get(usize::try_from(osd).ok()?).copied().flatten()
    }

    /// The space of an item into `sum`; false when an OSD below it has not reported, which ends the sum of its bucket, and
    /// keeps it from those above.
    fn add_space(&self, id: i32, sum: &mut Space, depth: usize) -> bool {
        const DEPTH_MAX: usize = 100;
        if id >= 0 {
            if self.osd_map.is_out(id) || !self.shown.has(self.osd_map, id) {
                return true;
            }
            let space = self.osd_space(id);
            sum.add(space.unwrap_or_default());
            return space.is_some();
        }
        let items = self.osd_map.crush.bucket(id).map(|bucket| bucket.items.as_slice()).unwrap_or_default();
        let mut add = |item: &i32| {
            let mut below = Space::default();
            let complete = self.add_space(*item, &mut below, depth + 1);
            if complete {
                sum.add(below);
            }
            complete
        };
        depth < DEPTH_MAX && items.iter().rev().all(&mut add)
    }

    fn line(&mut self, item: Cow<'a, TreeItem>) -> Option<Line<'a>> {
        let is_bucket = item.id < 0;
        if !self.tree && (is_bucket || self.osds.has(item.id)) || !self.shown.has(self.osd_map, item.id) {
            return None;
        }
        if !is_bucket {
            self.osds.put(item.id);
        }
        let mut space = Space::default();
        let complete = self.add_space(item.id, &mut space, 0);
        let util = if complete { space.percent_used() } else { 0.0 };
        Some(Line {
            reweight: if is_bucket { -1.0 } else { self.osd_map.weightf(item.id) },
            util,
            var: if self.average == 0.0 { 1.0 } else { util / self.average },
            pgs: if is_bucket { 0 } else { self.pg_map.num_pg_on(item.id) },
            space,
            item,
        })
    }

    fn deviation(&mut self) {
        let (mut sum, mut weights) = (0.0, 0.0);
        let lines = self.lines.iter().chain(&self.stray);
        for line in lines.filter(|line| line.item.id >= 0 && line.reweight > 0.0) {
            self.min_var = if self.min_var < 0.0 { line.var } else { self.min_var.min(line.var) };
            self.max_var = self.max_var.max(line.var);
            let weight = f64::from(line.reweight);
            sum += weight * (line.util - self.average).powi(2);
            weights += weight;
        }
        self.dev = if weights > 0.0 { (sum / weights).sqrt() } else { 0.0 };
    }

    fn sum(&self) -> axon_proto::pg::OsdStat {
        let osds = if self.shown.is_all() { BTreeSet::new() } else { self.osds.iter().collect() };
        self.pg_map.osd_sum_of(&osds)
    }

    fn status(&self, osd: i32) -> &'static str {
        if self.osd_map.is_up(osd) {
            "up"
        } else if self.osd_map.is_destroyed(osd) {
            "destroyed"
        } else {
            "down"
        }
    }

    fn list<'s>(&'s self, lines: &'s [Line<'s>]) -> Lines<'s> {
        Lines { df: self, lines }
    }

    fn json(&self) -> impl Serialize {
        let s = self.sum().statfs;
        let summary = json!({
            "total_kb": s.kb(),
            "total_kb_used": s.kb_used_raw(),
            "total_kb_used_data": s.kb_used_data(),
            "total_kb_used_omap": s.kb_used_omap(),
            "total_kb_used_meta": s.kb_used_meta(),
            "total_kb_avail": s.kb_avail(),
            "average_utilization": self.average,
            "min_var": self.min_var,
            "max_var": self.max_var,
            "dev": self.dev,
        });
        let lists = Then(("nodes", self.list(&self.lines)), ("stray", self.list(&self.stray)));
        Object(Then(lists, ("summary", summary)))
    }

    fn text(&self) -> String {
        let names = [
            "ID", "CLASS", "WEIGHT", "REWEIGHT", "SIZE", "RAW USE", "DATA", "OMAP", "META", "AVAIL", "%USE",
            "VAR", "PGS", "STATUS",
        ];
        let mut columns: Vec<Column> = names.map(Column::number).into();
        if self.tree {
            columns.push(Column::left("TYPE NAME"));
        }
        let mut table = Table::new(columns);
        for line in self.lines.iter().chain(&self.stray) {
            self.cells(line, &mut table.add());
        }
        let s = self.sum().statfs;
        let space = [s.total, s.used_raw(), s.allocated, s.omap_allocated, s.internal_metadata, s.available];
        let mut total = table.add();
        for blank in ["", "", "", "TOTAL"] {
            total.text(blank);
        }
        for amount in space {
            total.put(Bytes(amount));
        }
        total.put(LowPrecision(self.average as f32));
        drop(total);
        let mut out = String::new();
        table.write(&mut out);
        let [min, max, dev] = [self.min_var, self.max_var, self.dev].map(|of| LowPrecision(of as f32));
        // A text takes whatever it is given.
        let _ = writeln!(out, "MIN/MAX VAR: {min}/{max}  STDDEV: {dev}");
        out
    }

    fn cells(&self, line: &Line, row: &mut Cells<'_>) {
        const ONE: f32 = 65_536.0;
        let (item, crush) = (&line.item, &self.osd_map.crush);
        row.number(item.id).text(crush.item_class(item.id).unwrap_or_default());
        row.put(Weight(item.weight as f32 / ONE)).put(Weight(line.reweight));
        for kb in line.space.0 {
            row.put(Bytes(kb << 10));
        }
        row.put(LowPrecision(line.util as f32)).put(LowPrecision(line.var as f32));
        if item.id < 0 {
            row.text("-").text("");
        } else {
            row.number(line.pgs).text(self.status(item.id));
        }
        if self.tree {
            let indent = item.depth * 4;
            if item.id >= 0 {
                row.put(format_args!("{:indent$}osd.{}", "", item.id));
            } else {
                let kind = crush.type_name(crush.item_type(item.id)).unwrap_or_default();
                let name = crush.item_name(item.id).unwrap_or_default();
                row.put(format_args!("{:indent$}{kind} {name}", ""));
            }
        }
    }
}

/// Lines as JSON.
struct Lines<'a> {
    df: &'a Df<'a>,
    lines: &'a [Line<'a>],
}

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.lines.iter().map(|line| Object(LineOf { df: self.df, line })))
    }
}

struct LineOf<'a> {
    df: &'a Df<'a>,
    line: &'a Line<'a>,
}

impl Entries for LineOf<'_> {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        let LineOf { df, line } = self;
        let pool_name = |id: i64| df.osd_map.pool_name.get(&id).cloned();
        df.osd_map.crush.tree_item_fields(&line.item, &pool_name, out)?;
        out.serialize_entry("reweight", &f64::from(line.reweight))?;
        let keys = ["kb", "kb_used", "kb_used_data", "kb_used_omap", "kb_used_meta", "kb_avail"];
        for (key, kb) in keys.into_iter().zip(line.space.0) {
            out.serialize_entry(key, &kb)?;
        }
        out.serialize_entry("utilization", &line.util)?;
        out.serialize_entry("var", &line.var)?;
        out.serialize_entry("pgs", &line.pgs)?;
        if line.item.id >= 0 {
            out.serialize_entry("status", df.status(line.item.id))
        } else {
            out.serialize_entry("children", &line.item.children)
        }
    }
}
