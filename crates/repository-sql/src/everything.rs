//! Reading everything, and the way of an event from its page to its change, which both kinds of read share.

use std::cell::Cell;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use zonegate_model::{Row, RowState};
use zonegate_payload::convert::{self, ApiOutcome, NotServed, ProductOutcome, Refusal};
use zonegate_payload::record::EventType;
use zonegate_sync::port::{Change, ChangeSink, RepositoryError, Stamp, StampedChange, Window};

use crate::events::{Event, Head, Part, portions};
use crate::failure::ReadEnd;
use crate::plan_memory::Plans;
use crate::platform::{seen, stamp};
use crate::reader::Run;
use crate::times::{EARLIEST, LATEST};
use crate::units::{TooMany, Unit, parts, refused_by};
use crate::value::Stored;

/// Events of one kind of entity that put it in place, kind after kind in order of effect.
const DEPLOYING: [&[EventType]; 5] = [
    &[EventType::PublishOrganization],
    &[EventType::PublishDictionary],
    &[EventType::DeploySharedPolicyGroup],
    &[EventType::DeployApiProduct],
    &[EventType::PublishApi, EventType::StartApi],
];

/// How often, and after what time, an event is looked at again whose properties were not there.
const LOOK_AGAIN: (usize, Duration) = (5, Duration::from_millis(100));

/// Steps to the changes of a portion of events.
enum Step {
    /// It is one.
    Done(StampedChange),
    /// It has subscriptions and keys that are still to be read.
    Unit(Unit),
    /// Nothing to say.
    Nothing,
}

impl Run<'_> {
    /// Everything that is to be active.
    pub(crate) async fn everything(&mut self, sink: &mut impl ChangeSink) -> Result<(), ReadEnd> {
        let (from, before) = (Stored::bound(EARLIEST), Stored::bound(LATEST));
        self.repository.plans.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.node_metadata(sink).await?;
        self.licenses(&from, &before, None, sink).await?;
        self.access_points(&from, &before, None, sink).await?;
        for kinds in DEPLOYING {
            let part = Part { kinds, from: from.clone(), before: before.clone() };
            self.part(&part, None, sink).await?;
        }
        Ok(())
    }

    /// A part of the events, page by page. With a window: also what they take away, and not what it has seen.
    pub(crate) async fn part(
        &mut self,
        part: &Part,
        window: Option<&Window>,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let mut after = None;
        loop {
            let mut page = self.event_page(part, after.as_ref()).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            page.retain(|head| !seen(window, &stamp("event", &head.id, self.millis(&head.updated))));
            for portion in portions(page) {
                self.portion(portion, window, sink).await?;
            }
        }
    }

    /// Some events with all that belongs to them, each read at one moment.
    async fn portion(
        &mut self,
        portion: Vec<Head>,
        window: Option<&Window>,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let mut work = vec![portion];
        while let Some(heads) = work.pop() {
            match self.changes_of(&heads, window).await? {
                Ok(changes) => sink.push(changes).await?,
                // The first part goes on top, to be next.
                Err(too_many) => work.extend(parts(heads, &too_many).into_iter().rev()),
            }
        }
        Ok(())
    }

    async fn changes_of(
        &mut self,
        heads: &[Head],
        window: Option<&Window>,
    ) -> Result<Result<Vec<StampedChange>, TooMany>, RepositoryError> {
        let mut looks = 0;
        let events = loop {
            self.session.snapshot().await?;
            let events = self.events(heads).await?;
            if looks == LOOK_AGAIN.0 || events.iter().all(|event| event.settled) {
                break events;
            }
            // Its properties are being written. Outside of the snapshot, or they would never be there.
            self.session.end_snapshot().await?;
            looks += 1;
            tokio::time::sleep(LOOK_AGAIN.1).await;
        };
        let mut before = Vec::new();
        let mut units = Vec::new();
        for event in events {
            match self.step(&event, window.is_some()) {
                Step::Done(change) => before.push(change),
                Step::Unit(unit) => units.push(unit),
                Step::Nothing => {}
            }
        }
        let completed = if units.is_empty() { Ok(Vec::new()) } else { self.complete(units).await? };
        self.session.end_snapshot().await?;
        Ok(completed.map(|mut changes| {
            before.append(&mut changes);
            before
        }))
    }

    /// What an event says. `removals`: whether what it takes away is to be told.
    fn step(&self, event: &Event, removals: bool) -> Step {
        // A record that was read in the middle of being written counts as another version: it is read once more.
        let at = self.millis(&event.updated) - i64::from(!event.settled);
        let stamp = stamp("event", &event.record.id, at);
        // While its environments are being written, an event looks as if it were for all of them.
        let foreign = Cell::new(false);
        let place = |environment: Option<&Arc<str>>| {
            if let (Some(filter), Some(environment)) = (self.places.filter(), environment) {
                foreign.set(!filter.environments.contains(environment));
            }
            self.places.of(environment)
        };
        let settings = &self.repository.convert;
        let row = |row: Result<Row, Refusal>| match row {
            Ok(row) if !removals && row.state == RowState::Removed => Step::Nothing,
            Ok(row) => done(&stamp, Change::Rows(vec![row])),
            Err(refusal) => done(&stamp, refused_by(&refusal)),
        };
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
            EventType::UndeployApiProduct | EventType::StopApi | EventType::UnpublishApi => {
                self.remember(event, Plans::None);
                gone(record.subject())
            }
            EventType::DeployApiProduct => match convert::api_product(record, settings, place) {
                Ok(ProductOutcome::Served { .. }) if foreign.get() => {
                    self.remember(event, Plans::None);
                    gone(record.subject())
                }
                Ok(ProductOutcome::Served { row, plans }) => self.unit(event, stamp.clone(), row, plans),
                Ok(ProductOutcome::NotServed(why)) => {
                    self.not_served(event, why);
                    gone(record.subject())
                }
                Err(refusal) => self.refused(event, &stamp, &refusal),
            },
            EventType::PublishApi | EventType::StartApi => match convert::api(record, settings, place) {
                Ok(ApiOutcome::Served { .. }) if foreign.get() => {
                    self.remember(event, Plans::None);
                    gone(record.subject())
                }
                Ok(ApiOutcome::Served { row, plans }) => self.unit(event, stamp.clone(), row, plans),
                Ok(ApiOutcome::NotServed(why)) => {
                    self.not_served(event, why);
                    gone(record.subject())
                }
                Err(refusal) => self.refused(event, &stamp, &refusal),
            },
        }
    }

    fn unit(&self, event: &Event, stamp: Stamp, row: Row, plans: convert::ServedPlans) -> Step {
        let plans = Arc::new(plans);
        self.remember(event, Plans::Served(Arc::clone(&plans)));
        Step::Unit(Unit { event: Arc::clone(&event.record.id), stamp, row, plans })
    }

    fn not_served(&self, event: &Event, why: NotServed) {
        let id = event.record.subject();
        match why {
            NotServed::NoPlan => tracing::warn!(%id, "the API is not served: {why}"),
            NotServed::Stopped | NotServed::OtherTags => tracing::debug!(%id, "not served: {why}"),
        }
        self.remember(event, Plans::None);
    }

    fn refused(&self, event: &Event, stamp: &Stamp, refusal: &Refusal) -> Step {
        self.remember(event, Plans::Unknown);
        done(stamp, refused_by(refusal))
    }

    /// Keeps what an event says of plans, for changed subscriptions and keys.
    pub(crate) fn remember(&self, event: &Event, plans: Plans) {
        let mut memory = self.repository.plans.lock().unwrap_or_else(PoisonError::into_inner);
        memory.put(event.record.subject(), event.updated.clone(), plans);
    }
}

fn done(stamp: &Stamp, change: Change) -> Step {
    Step::Done(StampedChange { stamp: stamp.clone(), change })
}
