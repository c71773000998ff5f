//! What goes wrong in a history, and when: drawn from the seed before the history begins, so that a fault can be left
//! out without changing the others.

use std::time::Duration;

use crate::random::Random;
use crate::repository::{Write, WriteKind};

/// Something that goes wrong, or right again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL. `notice`: whether the server sees the connection go.
    Crash { node: usize, down: Duration, notice: bool },
    /// SIGTERM.
    Stop { node: usize, down: Duration },
    /// SIGSTOP: nothing is processed for a while.
    Pause { node: usize, lasts: Duration },
    /// The wall clock of a gateway jumps, and stays where it got to.
    ClockJump { node: usize, millis: i64 },
    /// A gateway does not reach the store. `notice`: whether the server sees the connection go.
    CutStore { node: usize, lasts: Duration, notice: bool },
    /// A gateway does not reach the repository.
    CutRepository { node: usize, lasts: Duration },
    /// The server sees a connection go although the gateway lives.
    DropConnection { node: usize },
    /// The store is down, with all that it held when it comes back. `hangs`: no answer at all, instead of a refusal.
    StoreDown { lasts: Duration, hangs: bool },
    /// The store takes no writes: full, or a read-only replica.
    StoreReadOnly { lasts: Duration },
    /// FLUSHALL.
    Wipe,
    /// An image of the store is taken, for a `Restore` later.
    Image { slot: usize },
    /// The store goes back to an image: restart from a backup, or failover to a stale replica.
    Restore { slot: usize },
    /// A row is changed by hand.
    Tamper,
    /// The log is trimmed to so many items.
    Trim { keep: usize },
    /// The manifest is deleted by hand.
    DeleteManifest,
    /// The repository is down. `hangs`: no answer at all.
    RepositoryDown { lasts: Duration, hangs: bool },
    /// Reads of the repository take long.
    RepositorySlow { lasts: Duration },
    /// Calls get lost.
    Lossy { lasts: Duration, permille: u32 },
    /// Calls take long.
    Slow { lasts: Duration, factor: u32 },
}

/// Everything that is planned for a history.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    /// How many of them, from the first on, may lead; the others only read.
    pub(crate) leaders: usize,
    pub(crate) log_limit: usize,
    pub(crate) batch_rows: usize,
    /// Most units that an audit reads one by one.
    pub(crate) audit_most_units: usize,
    /// The repository tells when something changed.
    pub(crate) watchable: bool,
    /// Some commits to APIs become visible so late that only an audit finds them.
    pub(crate) hides: bool,
    pub(crate) faults: Vec<(Duration, Fault)>,
    pub(crate) writes: Vec<(Duration, Write)>,
    /// When the last fault has begun; outages may last longer and are ended then.
    pub(crate) ends_at: Duration,
    /// After the faults the repository stays away at first (A1).
    pub(crate) ends_without_repository: bool,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut random = Random::stream(seed, 1);
        let nodes = random.within(2, 5) as usize;
        let ends_at = random.millis(8_000, 40_000);
        // From calm histories to wild ones.
        let pause = [1_500, 4_000, 10_000][random.index(3)];
        let leaders = if random.permille(200) { random.within(1, nodes as u64) as usize } else { nodes };
        let mut plan = Self {
            nodes,
            leaders,
            log_limit: [3, 8, 64][random.index(3)],
            batch_rows: [2, 4, 16][random.index(3)],
            audit_most_units: [2, 1_000, 1_000][random.index(3)],
            watchable: random.permille(400),
            hides: random.permille(400),
            faults: Vec::new(),
            writes: Vec::new(),
            ends_at,
            ends_without_repository: random.permille(250),
        };
        plan.draw_faults(&mut random, pause);
        plan.draw_writes(&mut random);
        plan
    }

    fn draw_faults(&mut self, random: &mut Random, pause: u64) {
        let mut at = random.millis(0, 3_000);
        let mut slot = 0;
        while at < self.ends_at {
            let fault = draw_fault(random, self.nodes, slot);
            if let Fault::Restore { .. } = fault {
                let age = random.millis(1, 6_000);
                self.faults.push((at.saturating_sub(age), Fault::Image { slot }));
                slot += 1;
            }
            self.faults.push((at, fault));
            // Troubles like company.
            at += if random.permille(250) {
                random.millis(0, 200)
            } else {
                random.millis(pause / 4, pause * 2)
            };
        }
        self.faults.sort_by_key(|(at, _)| *at);
    }

    fn draw_writes(&mut self, random: &mut Random) {
        let pause = [400, 1_500, 5_000][random.index(3)];
        let mut at = random.millis(0, 2_000);
        while at < self.ends_at {
            let several = if random.permille(150) { random.within(2, 8) } else { 1 };
            for _ in 0..several {
                let late = lateness(random, self.hides);
                let write = Write { unit: random.next() as u32, kind: WriteKind::draw(random), late };
                self.writes.push((at, write));
            }
            at += random.millis(pause / 4, pause * 2);
        }
    }
}

/// A time for which something lasts: mostly short, now and then beyond every time-out.
fn lasting(random: &mut Random) -> Duration {
    match random.below(10) {
        0..4 => random.millis(50, 1_000),
        4..8 => random.millis(1_000, 5_000),
        _ => random.millis(5_000, 15_000),
    }
}

/// Between a record's time and the moment when others see it. Beyond the overlap of windows only the audit finds it.
fn lateness(random: &mut Random, hides: bool) -> Duration {
    let hidden = if hides { 20 } else { 3 };
    match random.below(100) {
        late if late < hidden => random.millis(2_000, 15_000),
        late if late < hidden + 12 => random.millis(1, 2_000),
        _ => Duration::ZERO,
    }
}

/// How wrong a gateway's wall clock is, milliseconds: less than the overlap of windows, or so much that it is noticed.
fn clock_error(random: &mut Random) -> i64 {
    let error =
        if random.permille(200) { random.within(600_000, 7_200_000) } else { random.below(1_500) } as i64;
    if random.permille(500) { error } else { -error }
}

fn draw_fault(random: &mut Random, nodes: usize, slot: usize) -> Fault {
    let node = random.index(nodes);
    let lasts = lasting(random);
    let coin = random.permille(500);
    match random.below(100) {
        0..14 => Fault::Crash { node, down: lasts, notice: coin },
        14..22 => Fault::Stop { node, down: lasts },
        22..32 => Fault::Pause { node, lasts },
        32..36 => Fault::ClockJump { node, millis: clock_error(random) },
        36..46 => Fault::CutStore { node, lasts, notice: coin },
        46..51 => Fault::CutRepository { node, lasts },
        51..55 => Fault::DropConnection { node },
        55..62 => Fault::StoreDown { lasts, hangs: coin },
        62..64 => Fault::StoreReadOnly { lasts },
        64..70 => Fault::Wipe,
        70..78 => Fault::Restore { slot },
        78..81 => Fault::Tamper,
        81..84 => Fault::Trim { keep: random.index(3) },
        84..85 => Fault::DeleteManifest,
        85..90 => Fault::RepositoryDown { lasts, hangs: coin },
        90..92 => Fault::RepositorySlow { lasts },
        92..97 => Fault::Lossy { lasts, permille: random.within(20, 500) as u32 },
        _ => Fault::Slow { lasts, factor: random.within(2, 300) as u32 },
    }
}
