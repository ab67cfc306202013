//! A table without rules: columns by width, cut to fit. Cells are [`Line`]s, so they are harmless.

use super::line::Line;
use super::look::{LongLines, Look, Style};

/// Columns between two cells.
const GAP: usize = 2;
/// How many columns of most tables are never dropped.
const KEPT: usize = 3;

/// A table under construction.
pub struct Table {
    look: Look,
    heads: Vec<String>,
    rows: Vec<Vec<Line>>,
    /// How many columns are never dropped.
    kept: usize,
    /// How wide the whole may be.
    width: usize,
}

impl Table {
    /// A table with these headings. Where it is too wide, columns are dropped from the right; the first three stay and are cut.
    pub fn new(look: Look, heads: &[&str]) -> Self {
        Self { look, heads: heads.iter().map(|head| (*head).to_owned()).collect(), rows: Vec::new(), kept: KEPT, width: look.width }
    }

    /// The same with no column ever dropped: where there is no room, the longest cells are cut.
    pub const fn keeping_all(mut self) -> Self {
        self.kept = self.heads.len();
        self
    }

    /// The same, as wide as its cells where it isn't a terminal that shows it: what reads it there looks for whole words.
    pub const fn whole_in_files(mut self) -> Self {
        if matches!(self.look.long_lines, LongLines::Keep) {
            self.width = usize::MAX;
        }
        self
    }

    /// Adds a row: one cell for each heading.
    pub fn row(&mut self, cells: Vec<Line>) {
        self.rows.push(cells);
    }

    /// Whether every column has room for its widest cell.
    pub fn fits(&self) -> bool {
        let heads = self.heads.iter().map(|head| Line::new(self.look).plain(head)).collect();
        let rows: Vec<Vec<Line>> = std::iter::once(heads).chain(self.rows.iter().cloned()).collect();
        total(&natural(&rows, self.heads.len())) <= self.width
    }

    /// The table's lines, headings first; none without a row.
    pub fn lines(self) -> Vec<Line> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let look = self.look;
        let heads = self.heads.iter().map(|head| Line::new(look).add(Style::Dim, head)).collect();
        let rows: Vec<Vec<Line>> = std::iter::once(heads).chain(self.rows).collect();
        let widths = fit(natural(&rows, self.heads.len()), self.kept, self.width);
        rows.into_iter().map(|row| join(look, row, &widths)).collect()
    }
}

/// How wide each column would like to be; an empty column has no width.
fn natural(rows: &[Vec<Line>], columns: usize) -> Vec<usize> {
    let widest = |rows: &[Vec<Line>], column: usize| rows.iter().filter_map(|row| row.get(column)).map(Line::width).max().unwrap_or(0);
    (0..columns).map(|column| if widest(&rows[1..], column) == 0 { 0 } else { widest(rows, column) }).collect()
}

/// The widths that fit into `width`: columns are dropped from the right, then the widest of those that stay are cut.
fn fit(mut widths: Vec<usize>, kept: usize, width: usize) -> Vec<usize> {
    while total(&widths) > width {
        if widths.len() > kept {
            widths.pop();
            continue;
        }
        let Some(widest) = widths.iter_mut().max() else { return widths };
        if *widest <= 1 {
            return widths;
        }
        *widest -= 1;
    }
    widths
}

fn total(widths: &[usize]) -> usize {
    widths.iter().filter(|width| **width > 0).map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
}

fn join(look: Look, row: Vec<Line>, widths: &[usize]) -> Line {
    let mut line = Line::new(look);
    let mut end = 0;
    for (cell, width) in row.into_iter().zip(widths).filter(|(_, width)| **width > 0) {
        let gap = end - line.width();
        line = line.space(gap).append(cell.cut(*width));
        end += width + GAP;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::line::text;
    use crate::render::testing::{ASCII, UNICODE, assert_fits, wide};

    fn table(width: usize) -> String {
        let look = wide(UNICODE, width);
        let mut table = Table::new(look, &["PHASE", "HOOK", "OUTCOME", "NOTE"]);
        for cells in [["post-pull", "migrate-the-database-of-every-tenant", "succeeded", ""], ["x", "日本", "failed", ""]] {
            table.row(cells.iter().map(|cell| Line::new(look).plain(cell)).collect());
        }
        text(&table.lines())
    }

    #[test]
    fn columns_stand_below_their_headings_and_empty_ones_are_left_out() {
        insta::assert_snapshot!(table(80), @r#"
        PHASE      HOOK                                  OUTCOME
        post-pull  migrate-the-database-of-every-tenant  succeeded
        x          日本                                  failed
        "#);
    }

    #[test]
    fn a_table_that_keeps_all_cuts_its_longest_cells_on_a_terminal_and_nothing_in_a_file() {
        let table = |look| {
            let mut table = Table::new(look, &["PHASE", "HOOK", "FILE", "ORIGIN"]).keeping_all().whole_in_files();
            let cells = ["post-pull", "migrate", "sh -c 'echo a long command that says much > somewhere'", "wasmhook.toml"];
            table.row(cells.iter().map(|cell| Line::new(look).plain(cell)).collect());
            text(&table.lines())
        };
        insta::assert_snapshot!(table(wide(UNICODE, 60)), @r#"
        PHASE      HOOK     FILE                       ORIGIN
        post-pull  migrate  sh -c 'echo a long comma…  wasmhook.toml
        "#);
        insta::assert_snapshot!(table(wide(ASCII, 60)), @r#"
        PHASE      HOOK     FILE                                                    ORIGIN
        post-pull  migrate  sh -c 'echo a long command that says much > somewhere'  wasmhook.toml
        "#);
        for width in 12..100 {
            assert_fits(&table(wide(UNICODE, width)), width);
        }
    }

    #[test]
    fn narrow_tables_are_cut() {
        insta::assert_snapshot!(table(40), @r#"
        PHASE      HOOK                OUTCOME
        post-pull  migrate-the-datab…  succeeded
        x          日本                failed
        "#);
        for width in 12..100 {
            assert_fits(&table(width), width);
        }
    }
}
