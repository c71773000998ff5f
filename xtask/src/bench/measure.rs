//! The process that measures: one row and its reference, in this very process and in servers that it starts.
//!
//! Only in builds with the feature `measure`, which `cargo xtask bench` makes in release. It tells what it is at line by
//! line, and its outcome in one line at the end.

mod by_hand;
mod cold_read;
mod cpu;
mod failure;
mod follow;
mod full_state;
mod gateways;
mod memory;
mod minimal_client;
mod one_change;
mod proxy;
mod publish;
mod publisher;
mod queries;
mod repository_read;
mod sample_state;
mod secondary;
mod spread;
mod start;
mod takeover;

use std::path::PathBuf;

use clap::Args;
use tokio::runtime::Runtime;
use zonegate_testkit::redis::{Redis, RedisOptions};

use super::line::MARK;
use super::{Outcome, Quickness, Row};
use crate::steps::Failure;
use failure::MeasureError;

/// The allocator that the gateway's binary has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Options of the hidden command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to measure: one row
    #[arg(value_enum)]
    row: Row,
    /// Small sizes and few rounds
    #[arg(long)]
    quick: bool,
    /// The largest sizes
    #[arg(long)]
    large: bool,
    /// The gateway's binary, for the rows that need it
    #[arg(long)]
    gateway: Option<PathBuf>,
}

/// Measures one row and prints the outcome for the process that started this one.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let outcome = measure(options).map_err(|error| Failure::Other(error.to_string()))?;
    let text = serde_json::to_string(&outcome).map_err(|error| Failure::Other(error.to_string()))?;
    anstream::println!("{MARK}{text}");
    Ok(())
}

fn measure(options: &Options) -> Result<Outcome, MeasureError> {
    let quickness = match (options.quick, options.large) {
        (true, _) => Quickness::Quick,
        (false, true) => Quickness::Large,
        (false, false) => Quickness::Full,
    };
    let gateway = || {
        let missing = || MeasureError::Unexpected("this row needs `--gateway FILE`".to_owned());
        options.gateway.clone().ok_or_else(missing)
    };
    match options.row {
        Row::P1 => publish::measure(quickness),
        Row::P2 => cold_read::measure(quickness),
        Row::P3 => follow::measure(quickness),
        Row::P4 => one_change::measure(quickness),
        Row::P5 => memory::measure(quickness, &gateway()?),
        Row::P6 => proxy::measure(quickness, &gateway()?),
        Row::P7 => start::measure(quickness, &gateway()?),
        Row::P8 => takeover::measure(quickness, &gateway()?),
        Row::P9 => queries::measure(quickness, &gateway()?),
        Row::P10 => repository_read::measure(quickness, &gateway()?),
        Row::All => Err(MeasureError::Unexpected("one row at a time".to_owned())),
    }
}

/// Says what is being done.
fn tell(what: &str) {
    anstream::println!("{what}");
}

/// A runtime as the gateway has it for everything but traffic.
fn runtime() -> Result<Runtime, MeasureError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(MeasureError::system("start the runtime"))
}

/// A Redis with its search module, for this row alone.
fn redis() -> Result<Redis, MeasureError> {
    Ok(Redis::start_with_progress(RedisOptions::default(), &tell)?)
}
