//! Rows that came since `begin`, taken apart as they come so that a whole state need not lie in memory as text (L2).

use std::collections::HashMap;
use std::sync::Arc;

use zonegate_model::{Kind, Payload, Row, RowKey, RowState};
use zonegate_payload::{ApiKeyPayload, SubscriptionPayload};

use super::Unreadable;
use crate::credentials::{Credentials, PlanNames};
use crate::table::Seed;

/// Unreadable rows that a commit names (L2).
const NAMED_UNREADABLE: usize = 100;

/// Rows of entities that stand alone: the last text of each, `None` for removed.
pub(super) type Texts = HashMap<Arc<str>, Option<Payload>>;

/// What was staged.
pub(super) struct Staging {
    pub(super) full: bool,
    pub(super) apis: Texts,
    pub(super) organizations: Texts,
    pub(super) dictionaries: Texts,
    pub(super) access_points: Texts,
    pub(super) scopes: HashMap<Arc<str>, StagedScope>,
    pub(super) unreadable: UnreadableRows,
}

/// The credentials of a scope as they will be.
pub(super) struct StagedScope {
    pub(super) credentials: Credentials,
    /// Whether a row made a difference.
    pub(super) changed: bool,
}

impl Staging {
    pub(super) fn new(full: bool) -> Self {
        Self {
            full,
            apis: Texts::new(),
            organizations: Texts::new(),
            dictionaries: Texts::new(),
            access_points: Texts::new(),
            scopes: HashMap::new(),
            unreadable: UnreadableRows::default(),
        }
    }

    /// Takes in one row. Kinds that nothing here is made of are left aside.
    pub(super) fn put(
        &mut self,
        row: Row,
        known: &HashMap<Arc<str>, Arc<Credentials>>,
        seed: &Seed,
        plans: &mut PlanNames,
    ) {
        let texts = match row.key.kind {
            Kind::Api => &mut self.apis,
            Kind::Organization => &mut self.organizations,
            Kind::Dictionary => &mut self.dictionaries,
            Kind::AccessPoint => &mut self.access_points,
            Kind::Subscription | Kind::ApiKey => return self.put_credential(row, known, seed, plans),
            _ => return,
        };
        let text = match row.state {
            RowState::Deployed(payload) => Some(payload),
            RowState::Removed => None,
        };
        texts.insert(row.key.id, text);
    }

    fn put_credential(
        &mut self,
        row: Row,
        known: &HashMap<Arc<str>, Arc<Credentials>>,
        seed: &Seed,
        plans: &mut PlanNames,
    ) {
        let full = self.full;
        let Some(scope) = &row.key.scope else {
            return self.unreadable.note(row.key, "it names no API".to_owned());
        };
        let staged = self.scopes.entry(scope.clone()).or_insert_with(|| {
            let credentials = match known.get(scope) {
                Some(known) if !full => Credentials::clone(known),
                _ => Credentials::new(seed.clone()),
            };
            StagedScope { credentials, changed: false }
        });
        let (credentials, id) = (&mut staged.credentials, &*row.key.id);
        let changed = match (&row.state, row.key.kind) {
            (RowState::Removed, Kind::Subscription) => Ok(credentials.remove_subscription(id)),
            (RowState::Removed, _) => Ok(credentials.remove_key(id)),
            (RowState::Deployed(payload), Kind::Subscription) => {
                serde_json::from_str::<SubscriptionPayload>(payload.as_str())
                    .map(|payload| credentials.put_subscription(id, &payload, plans))
                    .map_err(|error| (error, credentials.remove_subscription(id)))
            }
            (RowState::Deployed(payload), _) => serde_json::from_str::<ApiKeyPayload>(payload.as_str())
                .map(|payload| credentials.put_key(id, &payload))
                .map_err(|error| (error, credentials.remove_key(id))),
        };
        staged.changed |= match changed {
            Ok(changed) => changed,
            Err((error, changed)) => {
                self.unreadable.note(row.key, describe(&error));
                changed
            }
        };
    }
}

/// Where a text is wrong, without repeating any of it (L3).
pub(super) fn describe(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "a value of the wrong type",
        serde_json::error::Category::Eof => "the text ends too early",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "not JSON",
    };
    format!("{what}, at line {} column {}", error.line(), error.column())
}

/// Rows that could not be read: all are counted, the first are named.
#[derive(Default)]
pub(super) struct UnreadableRows {
    pub(super) named: Vec<Unreadable>,
    pub(super) count: usize,
}

impl UnreadableRows {
    pub(super) fn note(&mut self, key: RowKey, problem: String) {
        self.count += 1;
        if self.named.len() < NAMED_UNREADABLE {
            self.named.push(Unreadable { key, problem });
        }
    }
}
