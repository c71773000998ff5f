//! `zonegate check`: says what a configuration means and what is wrong with it, without starting anything.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use zonegate_config::{Problem, Report, Severity};

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
        Output::Text => print_text(report, loaded.as_ref().err()),
        Output::Json => anstream::println!("{}", as_json(report, usable)),
    }
    if usable { ExitCode::SUCCESS } else { ExitCode::from(CONFIGURATION) }
}

fn print_text(report: &Report, error: Option<&zonegate_config::LoadError>) {
    anstream::print!("{}", report.render(true));
    match error {
        Some(error) => anstream::eprintln!("{error}"),
        None => anstream::println!("The configuration can be used."),
    }
}

fn as_json(report: &Report, usable: bool) -> serde_json::Value {
    let settings: Vec<_> = report
        .settings
        .iter()
        .map(|setting| json!({"key": setting.key, "value": setting.value, "origin": setting.origin}))
        .collect();
    let problems: Vec<_> = report.problems.iter().map(problem_as_json).collect();
    json!({"usable": usable, "settings": settings, "problems": problems})
}

fn problem_as_json(problem: &Problem) -> serde_json::Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    json!({
        "severity": severity,
        "key": problem.key,
        "message": problem.message,
        "hint": problem.hint,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "variable": problem.variable,
    })
}
