//! Figures of the process, read at each scrape.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use zonegate_model::{Clock, Moment};

use super::catalogue;
use crate::host::Host;

pub(super) struct ProcessCollector {
    version: String,
    clock: Arc<dyn Clock>,
    started: Moment,
    host: Host,
}

impl ProcessCollector {
    pub(super) fn new(version: &str, clock: Arc<dyn Clock>, started: Moment) -> Self {
        Self { version: version.to_owned(), clock, started, host: Host::default() }
    }
}

impl fmt::Debug for ProcessCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessCollector").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut encoder;
        catalogue::BUILD_INFO
            .begin(out)?
            .encode_family(&[("version", self.version.as_str())])?
            .encode_gauge(&1_i64)?;
        catalogue::UPTIME.gauge(out, (self.clock.now() - self.started).as_secs_f64())?;
        // Where the host tells nothing, the figures are absent; that is no reason to fail the scrape.
        let Ok(figures) = self.host.process() else { return Ok(()) };
        catalogue::RESIDENT_MEMORY.gauge(out, figures.resident as f64)?;
        catalogue::OPEN_FDS.gauge(out, figures.open_files as f64)?;
        catalogue::THREADS.gauge(out, figures.threads as f64)?;
        catalogue::CPU
            .begin(out)?
            .encode_counter::<[(&str, &str); 0], _, u64>(&figures.cpu.as_secs_f64(), None)
    }
}
