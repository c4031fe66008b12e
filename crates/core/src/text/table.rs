//! `TextTable`: columns as wide as their widest cell, two spaces between them.

use std::fmt;

/// A column's heading and on which side its heading and cells stand.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    heading: &'static str,
    heading_right: bool,
    cells_right: bool,
}

impl Column {
    /// Heading and cells on the left.
    #[must_use]
    pub const fn left(heading: &'static str) -> Self {
        Column { heading, heading_right: false, cells_right: false }
    }

    /// Heading on the left, cells on the right: how most of upstream's tables are.
    #[must_use]
    pub const fn number(heading: &'static str) -> Self {
        Column { heading, heading_right: false, cells_right: true }
    }

    /// Heading and cells on the right.
    #[must_use]
    pub const fn right(heading: &'static str) -> Self {
        Column { heading, heading_right: true, cells_right: true }
    }

    /// The same without a heading.
    #[must_use]
    pub const fn without_heading(self) -> Self {
        Column { heading: "", ..self }
    }
}

/// A table; `Display` renders it. The cells stand in one text, for big clusters have tables of a hundred thousand and more.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    text: String,
    /// Where in the text each cell ends.
    ends: Vec<usize>,
}

impl Table {
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Table { columns: columns.into_iter().collect(), text: String::new(), ends: Vec::new() }
    }

    /// Adds a row; cells that are missing at its end are empty, and more than there are columns are left out.
    pub fn row(&mut self, cells: impl IntoIterator<Item: AsRef<str>>) {
        let whole = self.ends.len() + self.columns.len();
        for cell in cells.into_iter().take(self.columns.len()) {
            self.text.push_str(cell.as_ref());
            self.ends.push(self.text.len());
        }
        self.ends.resize(whole, self.text.len());
    }

    fn cells(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| column.heading.len()).collect();
        for (at, cell) in (0..self.columns.len()).cycle().zip(self.cells()) {
            if let Some(width) = widths.get_mut(at) {
                *width = cell.len().max(*width);
            }
        }
        widths
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let line_bytes = widths.iter().map(|width| width + GAP.len()).sum::<usize>() + 1;
        let lines = self.ends.len().checked_div(self.columns.len()).unwrap_or(0) + 1;
        let mut out = String::with_capacity(line_bytes.saturating_mul(lines));
        let headings = self.columns.iter().map(|c| (c.heading, c.heading_right));
        line(&mut out, headings, &widths);
        let mut cells = self.cells();
        for _ in 1..lines {
            let row = self.columns.iter().map(|c| c.cells_right);
            line(&mut out, cells.by_ref().zip(row), &widths);
        }
        f.write_str(&out)
    }
}

const GAP: &str = "  ";

fn line<'a>(out: &mut String, cells: impl Iterator<Item = (&'a str, bool)>, widths: &[usize]) {
    for (at, (width, (text, right))) in widths.iter().zip(cells).enumerate() {
        if at > 0 {
            out.push_str(GAP);
        }
        let blanks = width.saturating_sub(text.chars().count());
        if right {
            pad(out, blanks);
        }
        out.push_str(text);
        if !right {
            pad(out, blanks);
        }
    }
    out.push('\n');
}

fn pad(out: &mut String, mut blanks: usize) {
    const BLANKS: &str = "                                                                ";
    while blanks > 0 {
        let part = blanks.min(BLANKS.len());
        out.push_str(BLANKS.get(..part).unwrap_or_default());
        blanks -= part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([Column::left("POOL"), Column::right("ID"), Column::number("BYTES")]);
        table.row(["device_health_metrics".to_owned(), "1".to_owned(), "0".to_owned()]);
        table.row(["rep".to_owned(), "12".to_owned()]);
        assert_eq!(
            table.to_string(),
            "POOL                   ID  BYTES\n\
             device_health_metrics   1      0\n\
             rep                    12       \n"
        );
    }

    #[test]
    fn a_table_without_rows_or_columns_is_its_headings() {
        let none: [&str; 0] = [];
        let mut table = Table::new([Column::left("A"), Column::number("BC").without_heading()]);
        assert_eq!(table.to_string(), "A  \n");
        table.row(none);
        table.row(["x", "é", "left out"]);
        assert_eq!(table.to_string(), "A    \n     \nx   é\n");
        let mut table = Table::new([]);
        table.row(["x"]);
        assert_eq!(table.to_string(), "\n");
    }
}
