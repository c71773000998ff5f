//! The `zonegate` binary: command line, wiring, task ownership, signals, shutdown. The only crate that knows all others.

mod assemble;
mod clock;
mod command;
mod configuration;
mod notes;
mod repository;
mod serving;
mod tally;
mod view;

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::dispatch()
}
