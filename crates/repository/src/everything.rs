//! Reading everything, and the way of an event from its page to its change, which all kinds of read share.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use zonegate_model::{Row, RowKey, RowState};
use zonegate_payload::convert::{self, ApiOutcome, NotServed, ProductOutcome, Refusal};
use zonegate_payload::record::EventType;
use zonegate_sync::port::{Change, ChangeSink, RepositoryError, Stamp, StampedChange, Window};

use crate::cursor::Cursor;
use crate::families::{OF_UNITS, families, unit_kind};
use crate::plan_memory::{PlanMemory, Plans};
use crate::port::{Database, Event, Head, Session};
use crate::portions::portions;
use crate::reader::{ReadEnd, Run, Time};
use crate::stamps::{recorded_at, seen, stamp};
use crate::units::{TooMany, Unit, parts, refused_by};

/// How often, and after what time, an event is looked at again whose properties were not there.
const LOOK_AGAIN: (usize, Duration) = (5, Duration::from_millis(100));

/// How often events and what belongs to them are read again because an event changed in between, where the database
/// gives no snapshot. After that what was read counts: the change is in the next window.
const READ_AGAIN: usize = 5;

/// Steps to the changes of a portion of events.
enum Step {
    /// It is one.
    Done(StampedChange),
    /// It has subscriptions and keys that are still to be read.
    Unit(Unit),
    /// Nothing to say.
    Nothing,
}

impl<D: Database> Run<'_, D> {
    /// Everything that is to be active.
    pub(crate) async fn everything(&mut self, sink: &mut impl ChangeSink) -> Result<(), ReadEnd> {
        self.repository.plans(PlanMemory::clear);
        self.read_members().await?;
        self.standing_alone(sink).await?;
        let always = self.session.window(i64::MIN, i64::MAX);
        for family in families(false).filter(|family| family.is_of_units()) {
            self.latest_events(family.deploying, &always, None, sink).await?;
        }
        // Every API was read after all products.
        self.touched.take();
        Ok(())
    }

    /// Everything that is to be active and has no subscriptions.
    pub(crate) async fn standing_alone(&mut self, sink: &mut impl ChangeSink) -> Result<(), ReadEnd> {
        let always = self.session.window(i64::MIN, i64::MAX);
        self.node_metadata(sink).await?;
        self.licenses(&always, None, sink).await?;
        self.access_points(&always, None, sink).await?;
        for family in families(self.repository.settings.authorization) {
            if !family.is_of_units() {
                self.latest_events(family.deploying, &always, None, sink).await?;
            }
        }
        Ok(())
    }

    /// Latest events of some types between two times, page by page. With a window: also what they take away, and not
    /// what it has seen.
    pub(crate) async fn latest_events(
        &mut self,
        kinds: &[EventType],
        span: &(Time<D>, Time<D>),
        window: Option<&Window>,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let mut cursor = Cursor::new(span, self.repository.settings.bulk.events);
        loop {
            let mut page = self.session.event_page(kinds, cursor.slice(), self.selection.as_deref()).await?;
            if !cursor.advance(&mut page) {
                return Ok(());
            }
            page.retain(|head| !seen(window, &stamp("event", &head.id, self.session.millis(&head.updated))));
            for portion in portions(page) {
                self.portion(portion, window.is_some(), sink).await?;
            }
        }
    }

    /// Some events with all that belongs to them. `removals`: whether what they take away is to be told.
    pub(crate) async fn portion(
        &mut self,
        portion: Vec<Head<Time<D>>>,
        removals: bool,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let mut work = vec![portion];
        while let Some(heads) = work.pop() {
            match self.changes_of(&heads, removals).await? {
                Ok(changes) => sink.push(changes).await?,
                // The first part goes on top, to be next.
                Err(too_many) => work.extend(parts(heads, &too_many).into_iter().rev()),
            }
        }
        Ok(())
    }

    /// The same, read at one moment: in a snapshot, or again if an event changed in between.
    async fn changes_of(
        &mut self,
        heads: &[Head<Time<D>>],
        removals: bool,
    ) -> Result<Result<Vec<StampedChange>, TooMany>, RepositoryError> {
        let ids = heads.iter().map(|head| Arc::clone(&head.id)).collect::<Vec<_>>();
        let (mut looks, mut reads) = (0, 0);
        loop {
            self.session.snapshot().await?;
            let events = self.session.events(&ids).await?;
            if looks < LOOK_AGAIN.0 && events.iter().any(|event| !event.settled) {
                // Its properties are being written. Outside of the snapshot, or they would never be there.
                self.session.end_snapshot().await?;
                looks += 1;
                tokio::time::sleep(LOOK_AGAIN.1).await;
                continue;
            }
            let mut events: HashMap<Arc<str>, Event<Time<D>>> =
                events.into_iter().map(|event| (Arc::clone(&event.record.id), event)).collect();
            let mut before = Vec::new();
            let mut units = Vec::new();
            let mut versions = HashMap::new();
            for event in ids.iter().filter_map(|id| events.remove(id)) {
                match self.step(&event, removals) {
                    Step::Done(change) => before.push(change),
                    Step::Unit(unit) => {
                        units.push(unit);
                        versions.insert(event.record.id, event.updated);
                    }
                    Step::Nothing => {}
                }
            }
            let completed = if units.is_empty() { Ok(Vec::new()) } else { self.complete(units).await? };
            let one_moment = self.session.end_snapshot().await?;
            if !one_moment && reads < READ_AGAIN && self.changed_since(&versions).await? {
                reads += 1;
                continue;
            }
            return Ok(completed.map(|mut changes| {
                before.append(&mut changes);
                before
            }));
        }
    }

    /// Whether one of these events is not any more as it was read.
    async fn changed_since(
        &mut self,
        versions: &HashMap<Arc<str>, Time<D>>,
    ) -> Result<bool, RepositoryError> {
        if versions.is_empty() {
            return Ok(false);
        }
        let ids = versions.keys().cloned().collect::<Vec<_>>();
        let now = self.session.event_heads(&ids, &OF_UNITS, None).await?;
        let same = now.iter().filter(|head| versions.get(&head.id) == Some(&head.updated)).count();
        Ok(same != versions.len())
    }

    /// What an event says. `removals`: whether what it takes away is to be told.
    fn step(&self, event: &Event<Time<D>>, removals: bool) -> Step {
        // A record that was read in the middle of being written counts as another version: it is read once more.
        let at = self.session.millis(&event.updated) - i64::from(!event.settled);
        let recorded = recorded_at(Some(at));
        let stamp = stamp("event", &event.record.id, at);
        // While its environments are being written, an event looks as if it were for all of them.
        let foreign = Cell::new(false);
        let place = |environment: Option<&Arc<str>>| {
            if let (Some(selection), Some(environment)) = (&self.selection, environment) {
                foreign.set(!selection.environments.contains(environment));
            }
            self.places.of(environment)
        };
        let settings = &self.repository.convert;
        let row = |row: Result<Row, Refusal>| match row {
            Ok(row) if !removals && row.state == RowState::Removed => Step::Nothing,
            Ok(row) => done(&stamp, Change::Rows(vec![row.recorded(recorded)])),
            Err(refusal) => done(&stamp, refused_by(&refusal)),
        };
        if let Some(kind) = unit_kind(event.record.kind)
            && event.record.subject() != event.record.id
        {
            // It would be found under one id, and its rows under another.
            let key = RowKey::new(kind, Arc::clone(&event.record.id));
            let reason = format!("the event's property `{}` names another id", event.record.kind.property());
            return done(&stamp, Change::Refused { key, reason });
        }
        let gone = |id: Arc<str>| {
            if removals { done(&stamp, Change::Scope { id, rows: Vec::new() }) } else { Step::Nothing }
        };
        let record = &event.record;
        match record.kind {
            EventType::PublishOrganization => row(convert::organization(record, settings)),
            EventType::PublishDictionary | EventType::UnpublishDictionary => row(convert::dictionary(record)),
            EventType::DeploySharedPolicyGroup | EventType::UndeploySharedPolicyGroup => {
                row(convert::shared_policy_group(record, place))
            }
            EventType::PublishAuthzEntity | EventType::UnpublishAuthzEntity => {
                row(convert::authz_entity(record))
            }
            EventType::PublishAuthzPolicy | EventType::UnpublishAuthzPolicy => {
                row(convert::authz_policy(record))
            }
            EventType::StopApi | EventType::UnpublishApi => {
                self.remember(event, Plans::None, true);
                gone(record.subject())
            }
            EventType::UndeployApiProduct => {
                self.remember(event, Plans::None, true);
                self.told_product(&record.id, Vec::new());
                gone(record.subject())
            }
            EventType::DeployApiProduct => match convert::api_product(record, settings, place) {
                Ok(ProductOutcome::Served { row, plans, members }) if !foreign.get() => {
                    self.told_product(&record.id, members);
                    self.unit(event, stamp.clone(), row.recorded(recorded), plans, true)
                }
                Ok(outcome) => {
                    if let ProductOutcome::NotServed(why) = outcome {
                        tracing::debug!(id = %record.id, "the API product is not served: {why}");
                    }
                    self.remember(event, Plans::None, true);
                    self.told_product(&record.id, Vec::new());
                    gone(record.subject())
                }
                Err(refusal) => self.refused(event, &stamp, &refusal),
            },
            EventType::PublishApi | EventType::StartApi => match self.api(record, place) {
                Ok((ApiOutcome::Served { row, plans }, own)) if !foreign.get() => {
                    self.unit(event, stamp.clone(), row.recorded(recorded), plans, own)
                }
                Ok((outcome, own)) => {
                    match outcome {
                        ApiOutcome::NotServed(why @ NotServed::NoPlan) => {
                            tracing::warn!(id = %record.id, "the API is not served: {why}");
                        }
                        ApiOutcome::NotServed(why) => {
                            tracing::debug!(id = %record.id, "the API is not served: {why}");
                        }
                        ApiOutcome::Served { .. } => {}
                    }
                    self.remember(event, Plans::None, own);
                    gone(record.subject())
                }
                Err(refusal) => self.refused(event, &stamp, &refusal),
            },
        }
    }

    fn unit(
        &self,
        event: &Event<Time<D>>,
        stamp: Stamp,
        row: Row,
        plans: convert::ServedPlans,
        own: bool,
    ) -> Step {
        let plans = Arc::new(plans);
        self.remember(event, Plans::Served(Arc::clone(&plans)), own);
        Step::Unit(Unit { event: Arc::clone(&event.record.id), stamp, row, plans })
    }

    fn refused(&self, event: &Event<Time<D>>, stamp: &Stamp, refusal: &Refusal) -> Step {
        self.remember(event, Plans::Unknown, true);
        done(stamp, refused_by(refusal))
    }

    /// Keeps what an event says of plans, for changed subscriptions and keys.
    pub(crate) fn remember(&self, event: &Event<Time<D>>, plans: Plans, own: bool) {
        let (id, updated) = (Arc::clone(&event.record.id), event.updated.clone());
        self.repository.plans(|memory| memory.put(id, updated, plans, own));
    }
}

fn done(stamp: &Stamp, change: Change) -> Step {
    Step::Done(StampedChange { stamp: stamp.clone(), change })
}
