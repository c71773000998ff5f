//! `zonegate check`: says what a configuration means and what is wrong with it, without starting anything.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CONFIGURATION, ConfigurationArguments, Output};
use crate::configuration;

/// Words of `zonegate check`.
#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Prints the report; fails when a gateway would not start with this configuration.
pub(super) fn check(arguments: &CheckArguments) -> ExitCode {
    let location = configuration::locate(
        arguments.configuration.config.as_deref(),
        arguments.configuration.home.as_deref(),
    );
    let loaded = configuration::load(&location);
    let (report, usable) = match &loaded {
        Ok(loaded) => (&loaded.report, true),
        Err(error) => (error.report.as_ref(), false),
    };
    match arguments.output {
        Output::Text => {
            anstream::print!("{}", report.render(true));
            if usable {
                anstream::println!("The configuration can be used.");
            } else {
                anstream::println!("The configuration cannot be used: see the errors above.");
            }
        }
        Output::Json => anstream::println!("{}", json!({"usable": usable, "report": report})),
    }
    if usable { ExitCode::SUCCESS } else { ExitCode::from(CONFIGURATION) }
}
