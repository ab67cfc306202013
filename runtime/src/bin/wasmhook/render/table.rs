//! A table without rules: columns by width, cut to fit. Cells are [`Line`]s, so they are harmless.

use super::line::Line;
use super::look::{Look, Style};

/// Columns between two cells.
const GAP: usize = 2;
/// How many columns are never dropped.
const KEPT: usize = 3;

/// A table under construction.
pub struct Table {
    look: Look,
    heads: Vec<String>,
    rows: Vec<Vec<Line>>,
}

impl Table {
    /// A table with these headings. Where it is too wide, columns are dropped from the right; the first three stay and are cut.
    pub fn new(look: Look, heads: &[&str]) -> Self {
        Self { look, heads: heads.iter().map(|head| (*head).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row: one cell for each heading.
    pub fn row(&mut self, cells: Vec<Line>) {
        self.rows.push(cells);
    }

    /// Whether every column has room for its widest cell.
    pub fn fits(&self) -> bool {
        let heads = self.heads.iter().map(|head| Line::new(self.look).plain(head)).collect();
        let rows: Vec<Vec<Line>> = std::iter::once(heads).chain(self.rows.iter().cloned()).collect();
        total(&natural(&rows, self.heads.len())) <= self.look.width
    }

    /// The table's lines, headings first; none without a row.
    pub fn lines(self) -> Vec<Line> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let look = self.look;
        let heads = self.heads.iter().map(|head| Line::new(look).add(Style::Dim, head)).collect();
        let rows: Vec<Vec<Line>> = std::iter::once(heads).chain(self.rows).collect();
        let widths = fit(natural(&rows, self.heads.len()), look.width);
        rows.into_iter().map(|row| join(look, row, &widths)).collect()
    }
}

/// How wide each column would like to be; an empty column has no width.
fn natural(rows: &[Vec<Line>], columns: usize) -> Vec<usize> {
    let widest = |rows: &[Vec<Line>], column: usize| rows.iter().filter_map(|row| row.get(column)).map(Line::width).max().unwrap_or(0);
    (0..columns).map(|column| if widest(&rows[1..], column) == 0 { 0 } else { widest(rows, column) }).collect()
}

/// The widths that fit into `width`: columns are dropped from the right, then the widest of those that stay are cut.
fn fit(mut widths: Vec<usize>, width: usize) -> Vec<usize> {
    while total(&widths) > width {
        if widths.len() > KEPT {
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
    use crate::render::testing::{UNICODE, assert_fits, wide};

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
