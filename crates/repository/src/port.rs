//! The port to a database: the queries that reading a management repository takes.
//!
//! An adapter implements [`Database`] and [`Session`] and nothing else: it knows where records lie and turns them into
//! [`zonegate_payload::record`]s; it does not know what they mean. Whatever text it finds, it bounds by itself (L1): a
//! payload beyond [`zonegate_payload::convert::MAX_PAYLOAD`] is not fetched, nor a certificate or configuration beyond
//! [`MAX_TEXT`]. A record that cannot be read ends no page.
//!
//! Lists are read by keyset, each page after the position where the last one ended, so that nothing is lost while
//! records are rewritten under it: a rewritten record moves to the end. The order of ids is the database's own; the
//! reader only hands positions back.

mod records;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use zonegate_payload::record::EventType;
use zonegate_sync::port::{RepositoryError, Watched};

use crate::places::{Selection, Tables};

pub use records::{
    AccessPoint, Event, Head, IndexPage, IndexPosition, Key, KeyLink, License, Listed, Position, Slice,
    Subscription,
};

/// Longest certificate or configuration of a subscription that is read, in bytes.
pub const MAX_TEXT: usize = 256 * 1024;

/// What a query answers.
pub type Answer<T> = Result<T, RepositoryError>;

/// A key with one of its subscriptions.
pub type KeyOf<T> = (Key<T>, Arc<str>);

/// A database with a management repository. Its `Display` is what messages call it, without secrets.
///
/// Makes connections when they are needed: it exists, and can be made, while the database is away.
pub trait Database: fmt::Display + Send + Sync + 'static {
    /// A connection in use.
    type Session: Session;

    /// Connects, or takes a connection that was kept. `afresh`: what is known of the schema is looked up again. A table
    /// or column (collection or field) that is missing is named in the error.
    fn open(&self, afresh: bool) -> impl Future<Output = Answer<Self::Session>> + Send;

    /// Takes a connection back whose read ended in good order. One whose read failed, or was dropped, is not handed
    /// back: dropping it must close it.
    fn keep(&self, session: Self::Session);

    /// A read failed with this error.
    fn failed(&self, _error: &RepositoryError) {}

    /// Waits until something changes; see [`zonegate_sync::port::RepositoryReader::watch`].
    fn watch(&self) -> impl Future<Output = Answer<Watched>> + Send {
        async { Ok(Watched::Unsupported) }
    }
}

/// A connection, used for one read, query after query. Every query has a time limit of its own.
///
/// `selection`: only what belongs to these environments (licences: organizations); `None` for all. An event that is of
/// no environment at all is for all of them. A subscription without an environment, or an access point, is not selected.
pub trait Session: Send {
    /// A record's `updatedAt` exactly as the database has it, for use as a position: nothing is lost, whatever its
    /// precision or spelling.
    type Time: Clone + PartialEq + fmt::Debug + Send + Sync + 'static;

    /// The times between which records of a window lie, both bounds given in epoch milliseconds, inclusive: at or after
    /// the first, before the second. May be wider. Bounds beyond every time (`i64::MIN`, `i64::MAX`) are cut to what
    /// the database can express.
    fn window(&self, from: i64, to: i64) -> (Self::Time, Self::Time);

    /// Epoch milliseconds.
    fn millis(&self, time: &Self::Time) -> i64;

    /// Begins to read one moment of the database, until [`Self::end_snapshot`], where the database can do that.
    fn snapshot(&mut self) -> impl Future<Output = Answer<()>> + Send {
        async { Ok(()) }
    }

    /// Ends what [`Self::snapshot`] began, and says whether what was read since is of one moment. Where it is not, events
    /// are looked at again after what belongs to them was read.
    fn end_snapshot(&mut self) -> impl Future<Output = Answer<bool>> + Send {
        async { Ok(false) }
    }

    /// Heads of latest events of some types, in the order of time and id.
    fn event_page(
        &mut self,
        kinds: &[EventType],
        slice: Slice<'_, Self::Time>,
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<Vec<Head<Self::Time>>>> + Send;

    /// Heads of those of these latest events that exist and are of these types, in any order.
    fn event_heads(
        &mut self,
        ids: &[Arc<str>],
        kinds: &[EventType],
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<Vec<Head<Self::Time>>>> + Send;

    /// These latest events, as they are now, in any order. One that is gone is not answered.
    fn events(&mut self, ids: &[Arc<str>]) -> impl Future<Output = Answer<Vec<Event<Self::Time>>>> + Send;

    /// Accepted subscriptions of some plans, after a plan and an id in the order of both. Fewer than `limit` only at
    /// the end. Metadata may be left out, to be added by [`Self::add_metadata`].
    fn subscriptions_of_plans(
        &mut self,
        plans: &[Arc<str>],
        after: (&str, &str),
        limit: usize,
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<Vec<Subscription<Self::Time>>>> + Send;

    /// How many accepted subscriptions some plans have, by plan. One that has none may be left out.
    fn subscription_counts(
        &mut self,
        plans: &[Arc<str>],
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<HashMap<String, usize>>> + Send;

    /// Subscriptions in any state, in the order of time and id. Metadata may be left out.
    fn subscriptions_changed(
        &mut self,
        slice: Slice<'_, Self::Time>,
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<Vec<Subscription<Self::Time>>>> + Send;

    /// Adds what [`Self::subscriptions_of_plans`] and [`Self::subscriptions_changed`] leave out of their metadata. At
    /// most `services.sync.subscription.bulk_items` at a time.
    fn add_metadata(
        &mut self,
        _subscriptions: &mut [&mut Subscription<Self::Time>],
    ) -> impl Future<Output = Answer<()>> + Send {
        async { Ok(()) }
    }

    /// Keys of some subscriptions, each with one of those, after a key and a subscription in the order of both. Not
    /// federated ones. `active`: not revoked or paused ones either. Fewer than `limit` only at the end; more where all
    /// of these subscriptions of the last key come.
    fn keys_of(
        &mut self,
        subscriptions: &[Arc<str>],
        active: bool,
        after: (&str, &str),
        limit: usize,
    ) -> impl Future<Output = Answer<Vec<KeyOf<Self::Time>>>> + Send;

    /// Keys in any state but federated, in the order of time and id. One without an environment is always selected.
    fn keys_changed(
        &mut self,
        slice: Slice<'_, Self::Time>,
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<Vec<Key<Self::Time>>>> + Send;

    /// Subscriptions in any state that some keys are for, after a key and a subscription in the order of both. Fewer
    /// than `limit` only at the end; more where all subscriptions of the last key come.
    fn links_of_keys(
        &mut self,
        keys: &[Arc<str>],
        after: (&str, &str),
        limit: usize,
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<Vec<KeyLink>>> + Send;

    /// Ids and times of latest events of some types, after an id.
    fn event_index(
        &mut self,
        kinds: &[EventType],
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<IndexPage<Self::Time>>> + Send;

    /// Ids, scopes and times of accepted subscriptions, after an id.
    fn subscription_index(
        &mut self,
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<IndexPage<Self::Time>>> + Send;

    /// Ids and times of active keys, not federated ones, once for each of their accepted subscriptions, with its
    /// scope. `selection` is of the subscriptions.
    fn key_index(
        &mut self,
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<IndexPage<Self::Time>>> + Send;

    /// All environments and the names of environments and organizations.
    fn places(&mut self) -> impl Future<Output = Answer<Tables>> + Send;

    /// The installation's id, if there is one.
    fn installation(&mut self) -> impl Future<Output = Answer<Option<String>>> + Send;

    /// Licences of organizations, in the order of time and organization.
    fn licenses(
        &mut self,
        slice: Slice<'_, Self::Time>,
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<Vec<License<Self::Time>>>> + Send;

    /// Access points of environments to gateways of any sort, deleted ones too, in the order of time and id.
    fn access_points(
        &mut self,
        slice: Slice<'_, Self::Time>,
        selection: Option<&Selection>,
    ) -> impl Future<Output = Answer<Vec<AccessPoint<Self::Time>>>> + Send;
}
