//! The distributed sync process as a pure state machine: in come events and time, out come commands.
//!
//! Relies on `zonegate-model` only. No tokio, no Redis, no SQL, no clock, no random numbers of its own, so that the
//! code that runs in production runs in the simulation too.

mod command;
mod machine;
pub mod port;
mod random;
mod settings;
mod status;
mod table;

pub use command::{
    CallId, Command, FullReadReason, Input, Note, RepositoryReply, RepositoryRequest, StoreReply,
    StoreRequest,
};
pub use machine::Machine;
pub use settings::{Mode, Settings};
pub use status::{Counters, Failure, Role, Status};
