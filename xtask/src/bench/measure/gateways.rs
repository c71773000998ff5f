//! The gateway's binary as the rows start it, and what is seen of its process from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zonegate_testkit::gateway::{Gateway, GatewayOptions};
use zonegate_testkit::redis::Redis;

use super::failure::MeasureError;
use super::publisher::ZONE;
use crate::stopwatch::Stopwatch;

/// The longest that a gateway may take to be ready.
pub(super) const PATIENCE: Duration = Duration::from_mins(10);

/// A member of the measured zone that has no repository: it reads the zone store.
pub(super) fn secondary(name: &str, redis: &Redis, binary: &Path) -> GatewayOptions {
    let mut options = GatewayOptions::new(name)
        .zone(ZONE, redis)
        .set("services.sync.repository.enabled", "false")
        .set("distributed-sync.role", "secondary");
    options.binary = Some(PathBuf::from(binary));
    options
}

/// Starts a gateway and waits until it is ready. Answers how long that took, process and all.
pub(super) async fn start(options: GatewayOptions) -> Result<(Gateway, Duration), MeasureError> {
    let watch = Stopwatch::start();
    let mut gateway = Gateway::start(options)?;
    gateway.wait_ready(PATIENCE).await?;
    Ok((gateway, watch.elapsed()))
}

/// Makes sure that a gateway serves so many rows of each of these kinds, and refuses nothing.
pub(super) async fn serves(gateway: &Gateway, kinds: &[(&str, usize)]) -> Result<(), MeasureError> {
    let answer = gateway.node("/_node/sync").await?.json();
    let zone = &answer["zone"];
    let wrong = kinds.iter().find(|(kind, count)| zone["rows"][kind].as_u64().unwrap_or(0) != *count as u64);
    if let Some((kind, count)) = wrong {
        let text = format!("{count} rows of kind {kind} should be there, and there are {}", zone["rows"]);
        return Err(MeasureError::Unexpected(text));
    }
    match zone["refusedCount"].as_u64() {
        Some(0) => Ok(()),
        _ => Err(MeasureError::Unexpected(format!(
            "APIs were refused: {}, first {}",
            zone["refusedCount"], zone["refused"][0]
        ))),
    }
}

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// In memory now.
    pub(super) resident: f64,
    /// The most that ever was.
    pub(super) peak: f64,
}

impl Memory {
    /// Of the process with this id.
    pub(super) fn of(process: u32) -> Result<Self, MeasureError> {
        let path = format!("/proc/{process}/status");
        let text = fs::read_to_string(&path).map_err(MeasureError::system(&format!("read {path}")))?;
        let field = |name| {
            field(&text, name).ok_or_else(|| MeasureError::Unexpected(format!("{path} has no {name}")))
        };
        Ok(Self { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
    }
}

fn field(status: &str, name: &str) -> Option<f64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(rest.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(field("Name:\tx\nVmHWM:\t  10 kB\nVmRSS:\t       7 kB\n", "VmRSS:"), Some(7168.0));
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.resident > 0.0 && memory.peak >= memory.resident);
    }
}
