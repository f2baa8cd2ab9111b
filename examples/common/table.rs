//! Tables for the terminal, for the examples that show what was answered.

use std::{env, io};

/// A table of answers, each of which is compared with the expected one.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    surprises: usize,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let columns = columns.iter().map(ToString::to_string).collect();
        Self {
            rows: vec![columns],
            surprises: 0,
        }
    }

    /// Adds a row: a name, and cells of which the first are expected to be these.
    pub(crate) fn add(&mut self, name: &str, cells: &[String], expected: &[&str]) {
        let mut name = name.to_owned();
        let shown = &cells[..expected.len()];
        if shown != expected {
            eprintln!("{name}: expected {expected:?}, got {cells:?}");
            name.insert_str(0, "✗ ");
            self.surprises += 1;
        }
        let cells = cells.iter().map(|cell| short(cell));
        self.rows.push([name].into_iter().chain(cells).collect());
    }

    /// Prints the table, and counts the unexpected answers.
    pub(crate) fn print(self, title: &str) -> usize {
        print(title, &self.rows);
        self.surprises
    }
}

/// Prints a table whose first row has the names of the columns, at least 100 wide.
fn print(title: &str, rows: &[Vec<String>]) {
    let longest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let mut widths: Vec<_> = (0..rows[0].len()).filter_map(longest).collect();
    // The first column takes up the slack.
    widths[0] += 99_usize.saturating_sub(widths.iter().map(|width| width + 3).sum());

    let rule = |left, middle, right| {
        let dashes: Vec<_> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        let rule = format!("{left}{}{right}", dashes.join(middle));
        println!("{}", paint("2", &rule));
    };
    println!("\n{}", paint("1", title));
    rule("╭", "┬", "╮");
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let style = if number == 0 { "1" } else { style(cell) };
            let text = paint(style, &format!("{cell:width$}"));
            print!("{} {text} ", paint("2", "│"));
        }
        println!("{}", paint("2", "│"));
        if number == 0 {
            rule("├", "┼", "┤");
        }
    }
    rule("╰", "┴", "╯");
}

/// Enough of a GUID to distinguish it from the others of a table. Any other text as it is.
fn short(text: &str) -> String {
    let shown = if text.len() == 36 { 8 } else { usize::MAX };
    text.chars().take(shown).collect()
}

/// The colour for a text: the number in ANSI's escape sequence.
fn style(cell: &str) -> &'static str {
    match cell.split(' ').next().unwrap_or_default() {
        "attested" | "declared" => "36",
        "not_agent" | "200" => "32",
        "unattested" => "33",
        "400" | "401" | "403" | "500" | "502" | "503" => "31",
        "–" => "2",
        _ => "0",
    }
}

pub(crate) fn paint(style: &str, text: &str) -> String {
    if io::IsTerminal::is_terminal(&io::stdout()) && env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
