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

/// A table; `Display` renders it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row; cells that are missing at its end are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |at: usize, column: &Column| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(String::len);
            cells.max().unwrap_or(0).max(column.heading.len())
        };
        let widths: Vec<usize> = self.columns.iter().enumerate().map(|(at, c)| width(at, c)).collect();
        let headings = self.columns.iter().map(|c| (c.heading, c.heading_right));
        line(f, headings.zip(&widths))?;
        for row in &self.rows {
            let sides = self.columns.iter().map(|c| c.cells_right);
            line(f, row.iter().map(String::as_str).zip(sides).zip(&widths))?;
        }
        Ok(())
    }
}

fn line<'a>(
    f: &mut fmt::Formatter<'_>,
    cells: impl Iterator<Item = ((&'a str, bool), &'a usize)>,
) -> fmt::Result {
    for (at, ((text, right), width)) in cells.enumerate() {
        if at > 0 {
            f.write_str("  ")?;
        }
        if right { write!(f, "{text:>width$}")? } else { write!(f, "{text:<width$}")? }
    }
    f.write_str("\n")
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
}
