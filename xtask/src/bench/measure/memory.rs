//! P5: resident memory for each subscription with its key, of the gateway's binary that read them from the zone store; and
//! of subscriptions to API products, which are to be stored once and not once for each member API.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;
use zonegate_testkit::redis::Redis;

use super::super::line::Line;
use super::failure::MeasureError;
use super::gateways::{self, Memory};
use super::publisher::Publisher;
use super::sample_state::SampleState;
use super::secondary::{Secondary, Serve};
use super::spread::Spread;
use super::{Outcome, Quickness, Row, redis, runtime, tell};
use crate::stopwatch::Stopwatch;

/// Subscriptions of each API, with a key each.
const SUBSCRIPTIONS: usize = 10;
/// The goal, in bytes.
const GOAL: f64 = 300.0;
/// The most that a subscription to a product may take, as a multiple of one to an API. Stored by member API it would be
/// a hundred and more.
const PRODUCT_GOAL: f64 = 1.25;
/// How long a gateway has after it is ready, to give back what it needed to read.
const SETTLE: Duration = Duration::from_secs(5);
/// The longest that a read may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// How much of everything.
struct Size {
    apis: usize,
    product_apis: usize,
    products: usize,
    product_subscriptions: usize,
    /// Starts of a gateway for each state.
    starts: usize,
    product_starts: usize,
}

/// Where the gateways read from.
struct Bed<'a> {
    redis: Redis,
    runtime: Runtime,
    binary: &'a Path,
}

/// Measures the row.
pub(super) fn measure(quickness: Quickness, binary: &Path) -> Result<Outcome, MeasureError> {
    let size = match quickness {
        Quickness::Quick => Size {
            apis: 1_000,
            product_apis: 800,
            products: 20,
            product_subscriptions: 2_000,
            starts: 1,
            product_starts: 1,
        },
        Quickness::Full | Quickness::Large => Size {
            apis: 100_000,
            product_apis: 1_000,
            products: 218,
            product_subscriptions: 36_487,
            starts: 3,
            product_starts: 5,
        },
    };
    let bed = Bed { redis: redis()?, runtime: runtime()?, binary };
    let mut outcome = Outcome::new(Row::P5);
    plain(&bed, &size, &mut outcome)?;
    products(&bed, &size, &mut outcome)?;
    outcome.taken.push(format!(
        "measured: resident memory (VmRSS) of the gateway's binary, {} s after it is ready, as a secondary without a repository \
         that read the zone store; sync core, generation and everything else of the process; median of {} starts of a process \
         ({} with products)",
        SETTLE.as_secs(),
        size.starts,
        size.product_starts
    ));
    Ok(outcome)
}

/// Subscriptions with keys of APIs.
fn plain(bed: &Bed<'_>, size: &Size, outcome: &mut Outcome) -> Result<(), MeasureError> {
    let bare = SampleState::new(size.apis, 0);
    let full = SampleState::new(size.apis, SUBSCRIPTIONS);
    let count = full.subscriptions() as f64;
    let before = bed.memory_with(&SampleState::new(1, 1), size.starts)?;
    let without = bed.memory_with(&bare, size.starts)?;
    bed.fill(&full)?;
    let core = bed.memory_of_core()?;
    let with = bed.memory(&full, size.starts)?;
    let each = (with.resident.median() - without.resident.median()) / count;
    let own = full.own_text() as f64;
    outcome.lines.push(Line {
        work: format!("resident memory of a subscription with its key, at {count}"),
        measured: format!("{each:.0} B"),
        reference: format!("its own text: {own:.0} B"),
        ratio: format!("{:.2} ×", each / own),
        goal: format!("≤ {GOAL:.0} B"),
        met: Some(each <= GOAL),
        figures: BTreeMap::from([
            ("bytes".to_owned(), each),
            ("own_text_bytes".to_owned(), own),
            ("resident_bytes".to_owned(), with.resident.median()),
            ("resident_bytes_without".to_owned(), without.resident.median()),
            ("peak_bytes".to_owned(), with.peak.median()),
        ]),
    });
    outcome.taken.push(format!(
        "{} APIs of 3 to 5 kB, once with {SUBSCRIPTIONS} subscriptions and keys each and once without: the difference, divided by \
         {count}; own text: ids of both, the key's secret, plan, application",
        size.apis
    ));
    let mega = |bytes: f64| bytes / 1e6;
    outcome.costs.push(format!(
        "whole process: {:.0} MB with, {:.0} MB without subscriptions, {:.0} MB with one API; at its peak {:.0} MB, that is {:.0} B \
         for each subscription",
        mega(with.resident.median()),
        mega(without.resident.median()),
        mega(before.resident.median()),
        mega(with.peak.median()),
        (with.peak.median() - without.resident.median()) / count
    ));
    let api = (without.resident.median() - before.resident.median()) / size.apis as f64;
    outcome.costs.push(format!(
        "an API without subscriptions takes {api:.0} B; a sync core alone, of all the rows, takes {:.0} MB: the generations \
         have {:.0} MB",
        mega(core),
        mega(with.resident.median() - before.resident.median() - core)
    ));
    Ok(())
}

/// The same number of subscriptions, once to API products and once to APIs.
fn products(bed: &Bed<'_>, size: &Size, outcome: &mut Outcome) -> Result<(), MeasureError> {
    let count = size.product_subscriptions as f64;
    let none = SampleState::new(size.product_apis, 0).with_products(size.products, 0);
    let to_products = none.clone().with_products(size.products, size.product_subscriptions);
    let to_apis = none.clone().with_plain_subscriptions(size.products, size.product_subscriptions);
    let without = bed.memory_with(&none, size.product_starts)?;
    let product = bed.memory_with(&to_products, size.product_starts)?;
    let plain = bed.memory_with(&to_apis, size.product_starts)?;
    let each = |memory: &Memories| (memory.resident.median() - without.resident.median()) / count;
    let (product_each, plain_each) = (each(&product), each(&plain));
    let ratio = product_each / plain_each;
    outcome.lines.push(Line {
        work: format!(
            "the same of one to an API product: {} subscriptions, {} products, up to {} members",
            size.product_subscriptions,
            size.products,
            none.most_members()
        ),
        measured: format!("{product_each:.0} B"),
        reference: format!("as many to APIs: {plain_each:.0} B"),
        ratio: format!("{ratio:.2} ×"),
        goal: format!("stored once: ≤ {PRODUCT_GOAL} ×"),
        met: Some(ratio <= PRODUCT_GOAL),
        figures: BTreeMap::from([
            ("bytes".to_owned(), product_each),
            ("plain_bytes".to_owned(), plain_each),
            ("ratio".to_owned(), ratio),
            ("resident_bytes".to_owned(), product.resident.median()),
            ("resident_bytes_without".to_owned(), without.resident.median()),
        ]),
    });
    outcome.taken.push(format!(
        "products: {} of 1 to {} members of {} APIs, {} memberships in all; the same number of subscriptions with keys once to the \
         products and once to as many of the APIs, less a gateway with the APIs and products alone",
        size.products,
        none.most_members(),
        size.product_apis,
        none.memberships()
    ));
    outcome.costs.push(format!(
        "products: {:.1} MB without subscriptions, {:.1} MB with those of products ({:.1} to {:.1}), {:.1} MB with those of APIs \
         ({:.1} to {:.1})",
        without.resident.median() / 1e6,
        product.resident.median() / 1e6,
        product.resident.least() / 1e6,
        product.resident.worst() / 1e6,
        plain.resident.median() / 1e6,
        plain.resident.least() / 1e6,
        plain.resident.worst() / 1e6
    ));
    Ok(())
}

/// Memory of several processes that did the same.
struct Memories {
    resident: Spread,
    peak: Spread,
}

impl Bed<'_> {
    /// Fills the store with a state and nothing else.
    fn fill(&self, state: &SampleState) -> Result<(), MeasureError> {
        tell(&format!("filling the store with {} rows", state.count()));
        self.redis.cli(&["FLUSHALL", "SYNC"])?;
        self.runtime.block_on(async { Publisher::elect(&self.redis).await?.fill(state.rows()).await })?;
        Ok(())
    }

    fn memory_with(&self, state: &SampleState, starts: usize) -> Result<Memories, MeasureError> {
        self.fill(state)?;
        self.memory(state, starts)
    }

    /// Memory of gateways that read the state.
    fn memory(&self, state: &SampleState, starts: usize) -> Result<Memories, MeasureError> {
        let (mut resident, mut peak) = (Vec::new(), Vec::new());
        for start in 1..=starts {
            tell(&format!("gateway {start} of {starts} reads {} rows", state.count()));
            let options = gateways::secondary("memory", &self.redis, self.binary);
            let (gateway, _) = self.runtime.block_on(gateways::start(options))?;
            self.runtime.block_on(gateways::serves(&gateway, &state.kinds()))?;
            std::thread::sleep(SETTLE);
            let memory = Memory::of(gateway.process_id())?;
            resident.push(memory.resident);
            peak.push(memory.peak);
        }
        Ok(Memories { resident: Spread::new(resident), peak: Spread::new(peak) })
    }

    /// What this process grows by when a sync core in it reads the store, and nothing is served from it.
    fn memory_of_core(&self) -> Result<f64, MeasureError> {
        tell("a sync core reads all of it");
        let before = Memory::of(std::process::id())?.resident;
        let (commits_in, commits) = std::sync::mpsc::sync_channel(16);
        let guard = self.runtime.enter();
        let secondary =
            Secondary::start(0, &self.redis, Stopwatch::start(), Serve::Nothing, move |commit| {
                let _ = commits_in.send(commit);
            })?;
        drop(guard);
        let came = commits.recv_timeout(PATIENCE);
        came.map_err(|_| MeasureError::Unexpected(format!("nothing was read within {PATIENCE:?}")))?;
        std::thread::sleep(SETTLE);
        let after = Memory::of(std::process::id())?.resident;
        drop(secondary);
        Ok(after - before)
    }
}
