//! What happened, as a table: step, promise, measured, kept or not.

use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

/// The result of a step, for one promise or a few that it shows together.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// Their numbers in `guarantees.md`.
    pub(crate) promises: &'static str,
    /// What was measured.
    pub(crate) measured: String,
    late: bool,
}

/// A finding.
pub(crate) fn finding(promises: &'static str, measured: impl Into<String>) -> Finding {
    Finding { promises, measured: measured.into(), late: false }
}

impl Finding {
    /// With what it took and what was promised. More is late, which is shown and is no failure: a busy machine can be
    /// the reason.
    pub(crate) fn within(mut self, took: Duration, promised: Duration) -> Self {
        self.late = took > promised;
        self
    }
}

#[derive(Debug)]
struct Line {
    step: String,
    finding: Finding,
    kept: bool,
}

/// All results so far.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    lines: Vec<Line>,
}

impl Outcome {
    /// A step did what it should.
    pub(crate) fn add(&mut self, step: &str, finding: Finding) {
        self.lines.push(Line { step: step.to_owned(), finding, kept: true });
    }

    /// A step did not.
    pub(crate) fn broken(&mut self, step: &str, promises: &'static str, found: &str) {
        self.lines.push(Line { step: step.to_owned(), finding: finding(promises, found), kept: false });
    }

    /// Whether every promise was kept.
    pub(crate) fn all_kept(&self) -> bool {
        self.lines.iter().all(|line| line.kept)
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        if table.width().is_none() {
            table.set_width(130);
        }
        let head = |text: &str| Cell::new(text).add_attribute(Attribute::Bold);
        table.set_header([head("step"), head("promise"), head("measured"), head("kept")]);
        let mut before = "";
        for line in &self.lines {
            let step = if line.step == before { "" } else { &line.step };
            before = &line.step;
            let kept = match (line.kept, line.finding.late) {
                (false, _) => Cell::new("NO").fg(Color::Red).add_attribute(Attribute::Bold),
                (true, true) => Cell::new("late").fg(Color::Yellow),
                (true, false) => Cell::new("yes").fg(Color::Green),
            };
            table.add_row([
                Cell::new(step),
                Cell::new(line.finding.promises),
                Cell::new(&line.finding.measured),
                kept.set_alignment(CellAlignment::Center),
            ]);
        }
        table.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_promise_spoils_the_outcome_and_shows_in_the_table() {
        let mut outcome = Outcome::default();
        let promised = Duration::from_secs(3);
        outcome.add("kill the primary", finding("Z3", "12 ms").within(Duration::from_millis(12), promised));
        outcome.add("kill the primary", finding("Z3", "4 s").within(Duration::from_secs(4), promised));
        assert!(outcome.all_kept(), "late is no failure");
        outcome.broken("kill the primary", "Z4", "one request failed");
        assert!(!outcome.all_kept());
        let table = outcome.table();
        assert!(table.contains("12 ms") && table.contains("NO") && table.contains("late"), "{table}");
        assert_eq!(table.matches("kill the primary").count(), 1, "a step is named once: {table}");
    }
}
