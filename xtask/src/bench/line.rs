//! What a row's measurement comes to: the lines of the table, as the measuring process hands them to the one that prints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Row;

/// What a measuring process prints before its outcome, so that the outcome is found among whatever else is printed.
pub(super) const MARK: &str = "OUTCOME ";

/// Everything that was found out about one row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Which row.
    pub(crate) row: Row,
    /// Its lines in the table.
    pub(crate) lines: Vec<Line>,
    /// How it was taken: sizes, commands, what was left out.
    pub(crate) taken: Vec<String>,
    /// Where the time went, for whoever wants to make it less.
    pub(crate) costs: Vec<String>,
}

/// One line of the table. Texts are for people; `figures` has the numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    /// What was done.
    pub(crate) work: String,
    /// What it took.
    pub(crate) measured: String,
    /// What the reference took, in the same run.
    pub(crate) reference: String,
    /// One against the other.
    pub(crate) ratio: String,
    /// What it should be.
    pub(crate) goal: String,
    /// Whether it is; `None` where there is no goal.
    pub(crate) met: Option<bool>,
    /// Name with unit, and value.
    pub(crate) figures: BTreeMap<String, f64>,
}

impl Outcome {
    /// The outcome in a line that a measuring process printed, if it is in there.
    pub(super) fn find(line: &str) -> Option<Self> {
        serde_json::from_str(line.strip_prefix(MARK)?).ok()
    }

    /// Nothing found out yet.
    #[cfg(feature = "measure")]
    pub(super) fn new(row: Row) -> Self {
        Self { row, lines: Vec::new(), taken: Vec::new(), costs: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_found_where_it_is_and_nowhere_else() {
        let outcome = Outcome { row: Row::P6, lines: Vec::new(), taken: vec!["a".into()], costs: Vec::new() };
        let text = serde_json::to_string(&outcome).unwrap();
        let found = Outcome::find(&format!("{MARK}{text}")).unwrap();
        assert_eq!((found.row, found.taken), (Row::P6, vec!["a".to_owned()]));
        assert!(Outcome::find(&text).is_none() && Outcome::find("OUTCOME of nothing").is_none());
    }
}
