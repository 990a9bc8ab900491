//! The leaderboard with its intervals, comparisons and signatures, ready to be pasted.

use maud::{Markup, html};

use super::metric_title;
use crate::report::{Cell, Column, Comparison, Leaderboard};

pub(super) fn section(board: &Leaderboard) -> Markup {
    html! {
        section #leaderboard {
            h2 { "Leaderboard" }
            @for note in &board.notes { p.note { (note) } }
            (table(board, Column::is_score))
            p.small {
                "Mean over concepts with its 95 % bootstrap interval; the highest of a column is bold. Missing is never zero."
            }
            (beside(board, "What real photos reach among themselves", Column::is_oracle))
            (beside(board, "How sound the runs are", Column::is_health))
            (comparisons(board))
            (signatures(board))
            (to_paste("LaTeX", &board.to_latex()))
            (to_paste("Markdown", &board.to_markdown()))
        }
    }
}

fn beside(board: &Leaderboard, title: &str, wanted: fn(&Column) -> bool) -> Markup {
    html! {
        @if board.columns.iter().any(wanted) {
            details { summary { (title) } (table(board, wanted)) }
        }
    }
}

fn table(board: &Leaderboard, wanted: fn(&Column) -> bool) -> Markup {
    let columns: Vec<usize> = (0..board.columns.len())
        .filter(|at| wanted(&board.columns[*at]))
        .collect();
    html! {
        div.wide { table.sortable {
            thead { tr {
                th { "method" }
                th { "runs" }
                @for at in &columns { (heading(&board.columns[*at])) }
            } }
            tbody {
                @for row in &board.rows {
                    tr {
                        th { (row.method) }
                        td { (row.runs_text()) }
                        @for at in &columns {
                            (cell(&row.cells[*at], is_highest(board, *at, &row.cells[*at])))
                        }
                    }
                }
            }
        } }
    }
}

fn heading(column: &Column) -> Markup {
    let protocol = column.name.split('/').next().unwrap_or_default();
    html! {
        th title=(column.signatures.join("\n")) { (metric_title(&column.name)) br; small { (protocol) } }
    }
}

fn is_highest(board: &Leaderboard, at: usize, cell: &Cell) -> bool {
    let means = board.rows.iter().filter_map(|row| row.cells[at].mean);
    let highest = means.max_by(f64::total_cmp);
    board.columns[at].is_score() && board.rows.len() > 1 && cell.mean.is_some() && cell.mean == highest
}

fn cell(cell: &Cell, highest: bool) -> Markup {
    let Some(mean) = cell.mean else {
        return html! { td.missing { "missing" } };
    };
    html! {
        td.best[highest] data-value=(mean) {
            (format!("{mean:.3}"))
            @if let Some(interval) = cell.interval {
                br; small { (format!("[{:.3}, {:.3}]", interval.low, interval.high)) }
            }
            @if cell.images < cell.images_wanted {
                br; small.missing { (cell.images) "/" (cell.images_wanted) " images" }
            }
        }
    }
}

fn comparisons(board: &Leaderboard) -> Markup {
    html! {
        @if !board.comparisons.is_empty() {
            details {
                summary { "Every two rows on the concepts both have: differences and exact tests" }
                div.wide { table.sortable {
                    thead { tr {
                        @for name in ["metric", "first", "second", "first − second", "p", "p (Holm)", "win/tie/loss"] {
                            th { (name) }
                        }
                    } }
                    tbody { @for comparison in &board.comparisons { (comparison_row(comparison)) } }
                } }
            }
        }
    }
}

fn comparison_row(comparison: &Comparison) -> Markup {
    html! { tr { @for text in comparison.texts() { td { (text) } } } }
}

fn signatures(board: &Leaderboard) -> Markup {
    html! {
        details {
            summary { "Signatures: how each number was made" }
            dl {
                @for column in &board.columns {
                    dt { (column.name) }
                    @for signature in &column.signatures { dd { code { (signature) } } }
                }
                dt { "statistics" }
                dd { code { (board.statistics) } }
            }
        }
    }
}

fn to_paste(name: &str, text: &str) -> Markup {
    html! {
        details {
            summary { (name) " to paste" }
            textarea readonly rows="12" { (text) }
            button.copy type="button" { "copy" }
        }
    }
}
