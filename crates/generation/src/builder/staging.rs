//! Rows that came since `begin`, taken apart as they come so that a whole state need not lie in memory as text (L2).

use std::collections::HashMap;
use std::sync::Arc;

use zonegate_model::{Kind, Payload, RecordedAt, Row, RowKey, RowState};
use zonegate_payload::{ApiKeyPayload, SubscriptionPayload};

use super::Unreadable;
use crate::credentials::{Bulk, Credentials};
use crate::generation::{FEW, ScopeRow};
use crate::table::{Seed, Table};

/// Unreadable rows that a commit names (L2).
const NAMED_UNREADABLE: usize = 100;

/// Rows of entities that stand alone: the last text of each, `None` for removed.
pub(super) type Texts = HashMap<Arc<str>, Option<Payload>>;

/// What was staged.
pub(super) struct Staging {
    pub(super) full: bool,
    pub(super) apis: Texts,
    pub(super) products: Texts,
    /// Node metadata and licences.
    pub(super) carried: HashMap<RowKey, Option<(Payload, RecordedAt)>>,
    pub(super) organizations: Texts,
    pub(super) dictionaries: Texts,
    pub(super) access_points: Texts,
    pub(super) scopes: HashMap<Arc<str>, StagedScope>,
    pub(super) unreadable: UnreadableRows,
}

/// The credentials of a scope as they will be.
pub(super) enum StagedScope {
    /// Of a full state.
    Whole(Bulk),
    /// Of what was there, and whether a row made a difference.
    Changed(Credentials, bool),
}

impl Staging {
    pub(super) fn new(full: bool) -> Self {
        Self {
            full,
            apis: Texts::new(),
            products: Texts::new(),
            carried: HashMap::new(),
            organizations: Texts::new(),
            dictionaries: Texts::new(),
            access_points: Texts::new(),
            scopes: HashMap::new(),
            unreadable: UnreadableRows::default(),
        }
    }

    /// Takes in one row. Kinds of which nothing but their number is shown are left aside: the digests have that.
    pub(super) fn put(&mut self, row: Row, known: &Table<ScopeRow, FEW>, seed: &Seed) {
        let texts = match row.key.kind {
            Kind::Api => &mut self.apis,
            Kind::ApiProduct => &mut self.products,
            Kind::Organization => &mut self.organizations,
            Kind::Dictionary => &mut self.dictionaries,
            Kind::AccessPoint => &mut self.access_points,
            Kind::Subscription | Kind::ApiKey => return self.put_credential(row, known, seed),
            Kind::NodeMetadata | Kind::License => return self.put_carried(row),
            Kind::SharedPolicyGroup | Kind::AuthzEntity | Kind::AuthzPolicy => return,
        };
        let text = match row.state {
            RowState::Deployed(payload) => Some(payload),
            RowState::Removed => None,
        };
        texts.insert(row.key.id, text);
    }

    fn put_carried(&mut self, row: Row) {
        let state = match row.state {
            RowState::Deployed(payload) => Some((payload, row.recorded_at)),
            RowState::Removed => None,
        };
        self.carried.insert(row.key, state);
    }

    fn put_credential(&mut self, row: Row, known: &Table<ScopeRow, FEW>, seed: &Seed) {
        let full = self.full;
        let Some(scope) = &row.key.scope else {
            return self.unreadable.note(row.key, "it names no API or API product".to_owned());
        };
        let staged = self.scopes.entry(scope.clone()).or_insert_with(|| {
            if full {
                return StagedScope::Whole(Bulk::new(seed.clone()));
            }
            let known = known.find(seed.hash(scope.as_bytes()), |row| row.is(scope));
            let known = known.map(|row| row.credentials().clone());
            StagedScope::Changed(known.unwrap_or_else(|| Credentials::new(seed.clone())), false)
        });
        let read = Read::of(&row);
        let (id, is_key) = (&*row.key.id, row.key.kind == Kind::ApiKey);
        match staged {
            StagedScope::Whole(bulk) => match &read {
                Ok(Read::Subscription(payload)) => bulk.put_subscription(id, payload),
                Ok(Read::Key(payload)) => bulk.put_key(id, payload),
                _ if is_key => bulk.remove_key(id),
                _ => bulk.remove_subscription(id),
            },
            StagedScope::Changed(credentials, changed) => {
                *changed |= match &read {
                    Ok(Read::Subscription(payload)) => credentials.put_subscription(id, payload),
                    Ok(Read::Key(payload)) => credentials.put_key(id, payload),
                    _ if is_key => credentials.remove_key(id),
                    _ => credentials.remove_subscription(id),
                }
            }
        }
        if let Err(error) = read {
            self.unreadable.note(row.key, describe(&error));
        }
    }
}

/// What a row of a scope says. One that cannot be read is taken for removed, so that nobody gets in by it.
enum Read {
    Subscription(SubscriptionPayload),
    Key(ApiKeyPayload),
    Removed,
}

impl Read {
    fn of(row: &Row) -> Result<Self, serde_json::Error> {
        match (&row.state, row.key.kind) {
            (RowState::Removed, _) => Ok(Self::Removed),
            (RowState::Deployed(payload), Kind::ApiKey) => {
                serde_json::from_str(payload.as_str()).map(Self::Key)
            }
            (RowState::Deployed(payload), _) => {
                serde_json::from_str(payload.as_str()).map(Self::Subscription)
            }
        }
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
