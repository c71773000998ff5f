//! The `zonegate` binary: command line, wiring, task ownership, signals, shutdown.
fn main() {}
