//! The gateway's own state as the core sees it: rows are staged, and become active together (S2).

use zonegate_model::{Digests, Revision, Row, StoreId};

/// A step of building the next state of this gateway. They come in order: `Begin`, any number of `Rows`, then
/// `Commit` or `Abort`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageOp {
    /// Starts a change. `full`: rows that do not come before the commit are gone; otherwise they stay.
    Begin {
        /// Whether what does not come is gone.
        full: bool,
    },
    /// Rows to put in or take out.
    Rows(Vec<Row>),
    /// All at once becomes active.
    Commit {
        /// The store's revision that this state equals; `None` for a state that the store does not have (yet).
        revision: Option<(StoreId, Revision)>,
        /// Counts and digests of the state.
        digests: Digests,
    },
    /// Forgets what was staged since `Begin`.
    Abort,
}
