//! `zonegate run`: the gateway.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Args;
use zonegate_telemetry::{LogFormat, LogSettings, Redaction};

use super::{CONFIGURATION, ConfigurationArguments, FAILED};
use crate::{assemble, configuration};

/// Words of `zonegate run`.
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// Log lines as text or as JSON.
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "ZONEGATE_LOG_FORMAT")]
    log_format: LogFormat,
    /// Log level, or levels by part of the program, for example `info,zonegate_sync=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "ZONEGATE_LOG")]
    log: String,
}

/// Runs the gateway until it is told to stop.
pub(super) fn run(arguments: &RunArguments) -> ExitCode {
    let location = configuration::locate(
        arguments.configuration.config.as_deref(),
        arguments.configuration.home.as_deref(),
    );
    let loaded = match configuration::load(&location) {
        Ok(loaded) => loaded,
        Err(error) => {
            anstream::eprintln!("{error}");
            return ExitCode::from(CONFIGURATION);
        }
    };
    let settings = LogSettings {
        format: arguments.log_format,
        filter: arguments.log.clone(),
        color: std::io::stdout().is_terminal(),
    };
    let redaction = Redaction::new();
    for secret in configuration::secrets(&loaded.settings) {
        redaction.learn(&secret);
    }
    let levels = match settings.levels() {
        Ok(levels) => levels,
        Err(error) => {
            anstream::eprintln!("{error}");
            return ExitCode::from(CONFIGURATION);
        }
    };
    if let Err(error) = zonegate_telemetry::install_log(&settings, redaction) {
        anstream::eprintln!("{error}");
        return ExitCode::from(FAILED);
    }
    for problem in &loaded.report.problems {
        let (key, line) = (problem.key.as_deref(), problem.line);
        tracing::warn!(key, line, hint = problem.hint.as_deref(), "configuration: {}", problem.message);
    }
    match assemble::run(loaded, levels) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the gateway cannot run");
            ExitCode::from(FAILED)
        }
    }
}
