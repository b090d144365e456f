//! Tables of text: columns as wide as their content, two spaces between them.
//!
//! Start at [`Table`].

use super::style::{Paint, Style};

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub fn new(head: &[(&str, Align)]) -> Self {
        Self { head: head.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.head.len(), "a row has a cell for each column");
        self.rows.push(cells);
    }

    /// The finished lines, heading first; none for a table without rows.
    pub fn lines(&self, style: Style) -> Vec<String> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let heading: Vec<String> = self.head.iter().map(|(name, _)| name.clone()).collect();
        let widths: Vec<usize> = (0..self.head.len())
            .map(|i| self.rows.iter().chain([&heading]).map(|row| row[i].chars().count()).max().unwrap_or(0))
            .collect();
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&self.head).zip(&widths);
            let padded: Vec<String> = cells
                .map(|((cell, (_, align)), &width)| match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                })
                .collect();
            padded.join("  ").trim_end().to_owned()
        };
        let mut lines = vec![style.paint(Paint::Faint, &line(&heading))];
        lines.extend(self.rows.iter().map(|row| line(row)));
        lines
    }
}
