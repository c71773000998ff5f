//! The reader against a real server that speaks MongoDB's protocol.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of the functions that clippy knows as tests"
)]

// The scenarios of every repository, against the one that `world` makes.
#[path = "../../../repository/tests/scenarios/audit.rs"]
mod audit;
#[path = "../../../repository/tests/scenarios/changes.rs"]
mod changes;
#[path = "../../../repository/tests/scenarios/everything.rs"]
mod everything;
#[path = "../../../repository/tests/scenarios/members.rs"]
mod members;
#[path = "../../../repository/tests/scenarios/random.rs"]
mod random;
#[path = "../../../repository/tests/scenarios/scope.rs"]
mod scope;
#[path = "../../../repository/tests/scenarios/state.rs"]
mod state;
#[path = "../../../repository/tests/scenarios/transitions.rs"]
mod transitions;

mod documents;
mod fail_points;
mod failures;
mod golden;
mod moments;
mod paging;
mod watching;
mod windows;
mod world;
