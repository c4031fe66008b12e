//! `TextTable`: columns as wide as their widest cell, two spaces between them.

use std::fmt::{self, Write as _};

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

/// A table; `Display` renders it. The cells stand in one text, for big clusters have tables of a hundred thousand rows and more.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    /// Of the widest cell or heading.
    widths: Vec<usize>,
    text: String,
    /// Where in the text each cell ends.
    ends: Vec<usize>,
}

/// A row that is being written. Cells beyond the last column are left out.
pub struct Cells<'t> {
    table: &'t mut Table,
    /// How many cells there are with this row.
    whole: usize,
    column: usize,
}

impl Cells<'_> {
    pub fn put(&mut self, cell: impl fmt::Display) -> &mut Self {
        self.write(|text| {
            // A text takes whatever it is given.
            let _ = write!(text, "{cell}");
        })
    }

    pub fn text(&mut self, cell: &str) -> &mut Self {
        self.write(|text| text.push_str(cell))
    }

    pub fn number(&mut self, cell: impl itoa::Integer) -> &mut Self {
        self.text(itoa::Buffer::new().format(cell))
    }

    pub fn numbers(&mut self, cells: impl IntoIterator<Item: itoa::Integer>) -> &mut Self {
        cells.into_iter().for_each(|cell| {
            self.number(cell);
        });
        self
    }

    fn write(&mut self, cell: impl FnOnce(&mut String)) -> &mut Self {
        let Some(width) = self.table.widths.get_mut(self.column) else { return self };
        let start = self.table.text.len();
        cell(&mut self.table.text);
        let end = self.table.text.len();
        *width = (end - start).max(*width);
        self.table.ends.push(end);
        self.column += 1;
        self
    }
}

impl Drop for Cells<'_> {
    fn drop(&mut self) {
        self.table.ends.resize(self.whole, self.table.text.len());
    }
}

impl Table {
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        let columns: Vec<Column> = columns.into_iter().collect();
        let widths = columns.iter().map(|column| column.heading.len()).collect();
        Table { columns, widths, text: String::new(), ends: Vec::new() }
    }

    /// Adds a row; cells that are missing at its end are empty, and more than there are columns are left out.
    pub fn row(&mut self, cells: impl IntoIterator<Item: AsRef<str>>) {
        let mut row = self.add();
        cells.into_iter().for_each(|cell| {
            row.text(cell.as_ref());
        });
    }

    /// Adds a row that is written cell by cell; cells that are not written are empty.
    pub fn add(&mut self) -> Cells<'_> {
        let whole = self.ends.len() + self.columns.len();
        Cells { table: self, whole, column: 0 }
    }

    fn cells(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }

    /// Puts the rendered table behind a text.
    pub fn write(&self, out: &mut String) {
        let line_bytes = self.widths.iter().map(|width| width + GAP.len()).sum::<usize>() + 1;
        let lines = self.ends.len().checked_div(self.columns.len()).unwrap_or(0) + 1;
        out.reserve(line_bytes.saturating_mul(lines));
        let headings = self.columns.iter().map(|c| (c.heading, c.heading_right));
        // One look at the whole text spares a count of each cell's characters.
        let is_ascii = self.text.is_ascii();
        line(out, headings, &self.widths, false);
        let mut cells = self.cells();
        for _ in 1..lines {
            let row = self.columns.iter().map(|c| c.cells_right);
            line(out, cells.by_ref().zip(row), &self.widths, is_ascii);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}

const GAP: &str = "  ";

fn line<'a>(
    out: &mut String,
    cells: impl Iterator<Item = (&'a str, bool)>,
    widths: &[usize],
    is_ascii: bool,
) {
    for (at, (width, (text, right))) in widths.iter().zip(cells).enumerate() {
        if at > 0 {
            out.push_str(GAP);
        }
        let chars = if is_ascii { text.len() } else { text.chars().count() };
        let blanks = width.saturating_sub(chars);
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
