//! The distributed sync process as a pure state machine: in come events and time, out come commands.
//!
//! Relies on `zonegate-model` only. No tokio, no Redis, no SQL, no clock, no random numbers of its own, so that the
//! code that runs in production runs in the simulation too.

pub mod port;
