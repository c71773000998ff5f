//! What is shown while the demo runs: on a terminal a picture that is drawn again, elsewhere a line every second.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::lane::Lane;
use super::record::Record;

/// The time between two pictures on a terminal.
const PICTURE: Duration = Duration::from_millis(200);
/// The time between two lines elsewhere.
const LINE: Duration = Duration::from_secs(1);

/// The screen. What is said on it stays; what is drawn is drawn again.
#[derive(Debug)]
pub(crate) struct Screen {
    record: Arc<Record>,
    lanes: Mutex<Vec<Arc<Lane>>>,
    picture: Option<Picture>,
}

/// The part of a terminal that is drawn again.
#[derive(Debug)]
struct Picture {
    whole: MultiProgress,
    step: ProgressBar,
    heads: ProgressBar,
    gateways: Mutex<Vec<ProgressBar>>,
}

impl Screen {
    /// An empty screen; a picture on a terminal where nothing says that this is CI.
    pub(crate) fn new(record: Arc<Record>) -> Self {
        let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let picture = (terminal && std::env::var_os("CI").is_none()).then(Picture::new);
        Self { record, lanes: Mutex::default(), picture }
    }

    /// Shows a further gateway.
    pub(crate) fn add(&self, lane: &Arc<Lane>) {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(lane));
        if let Some(picture) = &self.picture {
            picture.add();
        }
    }

    /// Says something that stays.
    pub(crate) fn say(&self, line: &str) {
        match &self.picture {
            Some(picture) => picture.whole.suspend(|| anstream::println!("{line}")),
            None => anstream::println!("{line}"),
        }
    }

    /// Names the step that begins.
    pub(crate) fn begin_step(&self, step: &str) {
        self.record.begin_step(step);
        match &self.picture {
            Some(picture) => picture.step.set_message(step.to_owned()),
            None => anstream::println!("{:>6.1} s  {step} …", self.record.elapsed().as_secs_f64()),
        }
    }

    /// Draws, until dropped.
    pub(crate) async fn keep_drawing(self: Arc<Self>) {
        let mut pace = tokio::time::interval(if self.picture.is_some() { PICTURE } else { LINE });
        loop {
            pace.tick().await;
            self.draw();
        }
    }

    /// Removes the picture.
    pub(crate) fn clear(&self) {
        if let Some(picture) = &self.picture {
            picture.remove();
        }
    }

    fn draw(&self) {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(picture) = &self.picture else {
            if !lanes.is_empty() {
                let gateways: Vec<String> = lanes.iter().map(|lane| short(lane)).collect();
                anstream::println!(
                    "{:>6.1} s  {}",
                    self.record.elapsed().as_secs_f64(),
                    gateways.join(" | ")
                );
            }
            return;
        };
        let bars = picture.gateways.lock().unwrap_or_else(PoisonError::into_inner);
        for (bar, lane) in bars.iter().zip(&lanes) {
            bar.set_message(row(lane));
        }
    }
}

impl Picture {
    fn new() -> Self {
        let whole = MultiProgress::new();
        let step = ProgressBar::new_spinner();
        if let Ok(style) =
            ProgressStyle::with_template("\n {spinner:.cyan} {wide_msg} {elapsed_precise:.dim}")
        {
            step.set_style(style);
        }
        let step = whole.add(step);
        step.enable_steady_tick(Duration::from_millis(120));
        let heads = whole.add(line());
        heads.set_message(format!(
            "\x1b[2m{:<11} {:<10} {:>5} {:>8} {:>7} {:>9} {:>7} {:>8}\x1b[0m",
            "gateway", "role", "epoch", "revision", "lag", "served", "failed", "p99"
        ));
        heads.tick();
        Self { whole, step, heads, gateways: Mutex::default() }
    }

    fn remove(&self) {
        let gateways = self.gateways.lock().unwrap_or_else(PoisonError::into_inner);
        self.step.disable_steady_tick();
        for bar in gateways.iter().chain([&self.heads, &self.step]) {
            bar.finish_and_clear();
        }
    }

    fn add(&self) {
        let bar = self.whole.add(line());
        self.gateways.lock().unwrap_or_else(PoisonError::into_inner).push(bar);
    }
}

fn line() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("   {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

/// A gateway's row in the picture.
fn row(lane: &Lane) -> String {
    let sight = lane.sight();
    let role = match &sight {
        None => "\x1b[31mdown\x1b[0m      ".to_owned(),
        Some(sight) if sight.is_primary() => format!("\x1b[32m{:<10}\x1b[0m", sight.role),
        Some(sight) => format!("{:<10}", if sight.ready { sight.role.as_str() } else { "not ready" }),
    };
    let failed = match lane.failed() {
        0 => format!("{:>7}", 0),
        some => format!("\x1b[31m{some:>7}\x1b[0m"),
    };
    format!(
        "{:<11} {role} {:>5} {:>8} {:>7} {:>9} {failed} {:>8}",
        lane.name,
        sight.as_ref().filter(|sight| sight.epoch > 0).map_or_else(dash, |sight| sight.epoch.to_string()),
        sight.as_ref().and_then(|sight| sight.applied).map_or_else(dash, |revision| revision.to_string()),
        sight.as_ref().and_then(|sight| sight.lag).map_or_else(dash, seconds),
        lane.served(),
        lane.p99().map_or_else(dash, millis),
    )
}

/// A gateway's part of a line.
fn short(lane: &Lane) -> String {
    let served = format!(
        "{} served, {} failed, p99 {}",
        lane.served(),
        lane.failed(),
        lane.p99().map_or_else(dash, millis)
    );
    let Some(sight) = lane.sight() else { return format!("{} down, {served}", lane.name) };
    format!(
        "{} {} r{} lag {}, {served}",
        lane.name,
        if sight.ready { sight.role.as_str() } else { "not ready" },
        sight.applied.map_or_else(dash, |revision| revision.to_string()),
        sight.lag.map_or_else(dash, seconds),
    )
}

fn dash() -> String {
    "-".to_owned()
}

/// A time of seconds.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// A time of milliseconds: one decimal below ten.
pub(crate) fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 10.0 { format!("{millis:.1} ms") } else { format!("{millis:.0} ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_have_a_decimal() {
        let told = [400, 9_940, 12_300, 1_250_000].map(|micros| millis(Duration::from_micros(micros)));
        assert_eq!(told, ["0.4 ms", "9.9 ms", "12 ms", "1250 ms"]);
    }
}
