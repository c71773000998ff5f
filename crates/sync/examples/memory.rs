//! What the sync core costs for each subscription with its key: bytes, and time on the ways that rows take.
//!
//! `memory [PAIRS] [APIS] [APPLICATIONS] [SCATTERED]`; a release build. Each API comes whole, as a repository tells of it,
//! or with a fourth argument of 1 in no order, as a store that is read key by key. The bytes are those of the process, so
//! they count what the allocator wastes, less those of the same number of APIs alone.
#![expect(clippy::print_stdout, reason = "a command-line tool for developers")]

use std::time::Duration;

use zonegate_model::{Kind, Moment, NodeId, RecordedAt, Row, RowKey};
use zonegate_sync::port::{Change, Indexed, Stamp, StampedChange};
use zonegate_sync::{Command, Input, Machine, Mode, RepositoryReply, RepositoryRequest, Settings};

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WALL: i64 = 1_767_000_000_000;
/// Subscriptions that come in one part of an answer.
const PART: usize = 100;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let mut next = |default| arguments.next().and_then(Result::ok).unwrap_or(default);
    let (pairs, apis, applications) = (next(1_000_000), next(1_000), next(20_000));
    let scattered = next(0) == 1;
    let world = World { pairs, apis, applications };

    let empty = resident();
    let mut gateway = Gateway::new();
    let all = gateway.wait(|request| matches!(request, RepositoryRequest::ReadAll));
    for api in 0..apis {
        let change = Change::Scope { id: uuid(1, api).into(), rows: vec![api_row(api)] };
        gateway.reply(all, RepositoryReply::Changes(vec![stamped(change)]));
    }
    let with_apis = resident();
    let mut text = 0;
    for pair in 0..pairs {
        text += world.subscription(pair).size() + world.key(pair).size() - 2 * 64;
    }
    let mut taken = Duration::ZERO;
    for part in 0..world.parts(scattered) {
        let changes = world.part(part, scattered);
        let begun = cpu();
        gateway.reply(all, RepositoryReply::Changes(changes));
        taken += cpu().saturating_sub(begun);
    }
    gateway.reply(all, RepositoryReply::Done(Ok(())));
    let full = resident();
    println!("{pairs} subscriptions with keys of {apis} APIs and {applications} applications");
    println!("  text, with ids             {:>6} bytes a pair", text / pairs.max(1));
    println!("  the APIs                   {:>6} bytes each", (with_apis - empty) / apis.max(1));
    println!(
        "  the core                   {:>6} bytes a pair",
        full.saturating_sub(with_apis) / pairs.max(1)
    );
    let each = |time: Duration, count: usize| time.as_nanos() / count.max(1) as u128;
    println!("  a new row is applied in    {:>6} ns", each(taken, 2 * pairs));

    let mut taken = Duration::ZERO;
    for part in 0..world.parts(scattered) {
        let changes = world.part(part, scattered);
        let begun = cpu();
        gateway.window(changes);
        taken += cpu().saturating_sub(begun);
    }
    println!("  one that did not change in {:>6} ns", each(taken, 2 * pairs));

    let index = gateway.index();
    let mut taken = Duration::ZERO;
    for part in 0..pairs.div_ceil(PART) {
        let pairs = part * PART..pairs.min((part + 1) * PART);
        let rows = pairs.flat_map(|pair| [world.subscription(pair), world.key(pair)]);
        let indexed = rows.map(|row| Indexed { key: row.key, recorded_at: row.recorded_at }).collect();
        let begun = cpu();
        gateway.reply(index, RepositoryReply::Index(indexed));
        taken += cpu().saturating_sub(begun);
    }
    println!("  a record is compared in    {:>6} ns", each(taken, 2 * pairs));
    let begun = cpu();
    gateway.reply(index, RepositoryReply::Done(Ok(())));
    println!("  the end of an index takes  {:>6} us", (cpu().saturating_sub(begun)).as_micros());
}

/// Processor time of this thread: other work on the machine does not count.
fn cpu() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(times.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// Resident bytes of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

#[derive(Clone, Copy)]
struct World {
    pairs: usize,
    apis: usize,
    applications: usize,
}

/// An id that looks like any other.
fn uuid(what: u64, number: usize) -> String {
    let mix = |salt: u64| {
        let mut mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what << 56 ^ salt;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    let (a, b) = (mix(1), mix(2));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 48 & 0xfff,
        b & 0xffff_ffff_ffff
    )
}

impl World {
    fn api(&self, pair: usize) -> String {
        uuid(1, pair % self.apis)
    }

    fn application(&self, pair: usize) -> usize {
        pair.wrapping_mul(104_729) % self.applications
    }

    fn at(pair: usize) -> i64 {
        WALL - 90_000_000_000 + (pair as i64).wrapping_mul(86_413) % 89_000_000_000
    }

    /// As in `zone-store.md` section 6.3.
    fn subscription(&self, pair: usize) -> Row {
        let (api, id, application) = (self.api(pair), uuid(2, pair), self.application(pair));
        let text = format!(
            r#"{{"id":"{id}","api":"{api}","plan":"{}","application":"{}","applicationName":"Application {application}","status":"ACCEPTED","consumerStatus":"STARTED","startingAt":{},"metadata":{{}},"type":"STANDARD","forceDispatch":true,"environmentId":"DEFAULT"}}"#,
            uuid(3, pair % self.apis * 3 + pair % 3),
            uuid(4, application),
            Self::at(pair),
        );
        Row::deployed(RowKey::scoped(Kind::Subscription, api, id), text)
            .recorded(RecordedAt(Self::at(pair) + 17))
    }

    /// As in `zone-store.md` section 6.2.
    fn key(&self, pair: usize) -> Row {
        let (api, id) = (self.api(pair), uuid(5, pair));
        let text = format!(
            r#"{{"id":"{id}","key":"{}","api":"{api}","plan":"{}","subscription":"{}","application":"{}","revoked":false,"paused":false,"active":true}}"#,
            uuid(6, pair),
            uuid(3, pair % self.apis * 3 + pair % 3),
            uuid(2, pair),
            uuid(4, self.application(pair)),
        );
        Row::deployed(RowKey::scoped(Kind::ApiKey, api, id), text).recorded(RecordedAt(Self::at(pair) + 23))
    }

    fn parts(&self, scattered: bool) -> usize {
        if scattered { self.pairs.div_ceil(PART) } else { self.apis }
    }

    /// A part of what is read: an API with all that belongs to it, or some pairs of any.
    fn part(&self, part: usize, scattered: bool) -> Vec<StampedChange> {
        let pair = |pair| [self.subscription(pair), self.key(pair)];
        if scattered {
            let pairs = part * PART..self.pairs.min((part + 1) * PART);
            return pairs.map(|number| stamped(Change::Rows(pair(number).to_vec()))).collect();
        }
        let rows = std::iter::once(api_row(part)).chain((part..self.pairs).step_by(self.apis).flat_map(pair));
        vec![stamped(Change::Scope { id: uuid(1, part).into(), rows: rows.collect() })]
    }
}

fn api_row(api: usize) -> Row {
    Row::deployed(RowKey::new(Kind::Api, uuid(1, api)), r#"{"definition":{}}"#)
}

fn stamped(change: Change) -> StampedChange {
    StampedChange { stamp: Stamp { record: "record".into(), at: 0 }, change }
}

/// A lone gateway: the core without a zone store. What it wants staged goes nowhere.
struct Gateway {
    machine: Machine,
    now: Moment,
    open: Vec<(zonegate_sync::CallId, RepositoryRequest)>,
}

impl Gateway {
    fn new() -> Self {
        let now = Moment { elapsed: Duration::ZERO, wall_millis: WALL };
        let machine = Machine::new(Settings::new(NodeId::new("a"), Mode::Lone), 1, now);
        Self { machine, now, open: Vec::new() }
    }

    fn drain(&mut self) {
        while let Some(command) = self.machine.next_command() {
            match command {
                Command::Repository { call, request } => self.open.push((call, request)),
                Command::Cancel(call) => self.open.retain(|(open, _)| *open != call),
                _ => {}
            }
        }
    }

    fn reply(&mut self, call: zonegate_sync::CallId, reply: RepositoryReply) {
        self.machine.handle(self.now, Input::Repository { call, reply });
        self.drain();
    }

    fn take(&mut self, wanted: impl Fn(&RepositoryRequest) -> bool) -> Option<zonegate_sync::CallId> {
        self.drain();
        let place = self.open.iter().position(|(_, request)| wanted(request))?;
        Some(self.open.swap_remove(place).0)
    }

    /// Waits for a call.
    fn wait(&mut self, wanted: impl Fn(&RepositoryRequest) -> bool + Copy) -> zonegate_sync::CallId {
        loop {
            if let Some(call) = self.take(wanted) {
                return call;
            }
            self.now = self.now.after(Duration::from_secs(5));
            self.machine.handle(self.now, Input::Tick);
        }
    }

    fn window(&mut self, changes: Vec<StampedChange>) {
        let call = self.wait(|request| matches!(request, RepositoryRequest::ReadChanges(_)));
        self.reply(call, RepositoryReply::Changes(changes));
        self.open.push((
            call,
            RepositoryRequest::ReadChanges(zonegate_sync::port::Window {
                from: 0,
                to: 0,
                seen: std::sync::Arc::default(),
            }),
        ));
    }

    fn index(&mut self) -> zonegate_sync::CallId {
        let window = self.wait(|request| matches!(request, RepositoryRequest::ReadChanges(_)));
        self.reply(window, RepositoryReply::Done(Ok(())));
        self.now = self.now.after(Duration::from_hours(1));
        self.machine.handle(self.now, Input::Tick);
        loop {
            if let Some(index) = self.take(|request| matches!(request, RepositoryRequest::ReadIndex)) {
                return index;
            }
            let window = self.wait(|request| matches!(request, RepositoryRequest::ReadChanges(_)));
            self.reply(window, RepositoryReply::Done(Ok(())));
            self.now = self.now.after(Duration::from_secs(5));
            self.machine.handle(self.now, Input::Tick);
        }
    }
}
