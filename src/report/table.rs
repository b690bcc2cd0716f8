//! Tables of text that read well in a terminal and in Markdown.

use std::fmt;

/// A table of text, right-aligned but for its first column.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with the given column heads.
    #[must_use]
    pub fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|head| head.to_string()).collect()] }
    }

    /// Whether it has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// Adds a row, one cell per column. A bar or a new line in a cell, which a file name can have, does not end it.
    ///
    /// # Panics
    /// Where it has more cells or fewer.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.rows[0].len(), "one cell per column");
        self.rows.push(cells.into_iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect());
    }
}

/// A number of things in words, such as `1 epoch` and `2 epochs`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

impl fmt::Display for Table {
    /// As GitHub-flavoured Markdown, padded to equal widths.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).fold(3, usize::max);
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            for (column, width) in widths.iter().enumerate() {
                let cell = &row[column];
                if column == 0 {
                    write!(f, "| {cell:<width$} |")?;
                } else {
                    write!(f, " {cell:>width$} |")?;
                }
            }
            writeln!(f)?;
            if index == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let line = "-".repeat(*width);
                    if column == 0 { write!(f, "|:{line}-|")? } else { write!(f, "-{line}:|")? }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown() {
        let mut table = Table::new(&["method", "8"]);
        table.row(vec!["sampled".into(), "1.00e-3".into()]);
        assert_eq!(table.to_string(), "| method  |       8 |\n|:--------|--------:|\n| sampled | 1.00e-3 |\n");
        table.row(vec!["a|b\nc".into(), "-".into()]);
        assert!(table.to_string().ends_with("| a\\|b c  |       - |\n"), "{table}");
    }
}
