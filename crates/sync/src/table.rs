//! The rows of a whole state with their digests kept up to date. What the sync core knows of the state.
//!
//! There are millions of subscriptions and keys, so they are packed (`table/packed.rs`, `table/texts.rs`): about 100 bytes
//! for a subscription with its key, and what the allocator wastes of it. Their digests are not kept but computed when they are needed. APIs and what stands
//! alone share their text with whoever else has it.
//!
//! Everything is in order, so that a history replays step by step from its seed.

mod ids;
mod packed;
mod skeletons;
mod texts;
mod unit;
mod unwritten;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zonegate_model::{Digest, Digests, Kind, Payload, RecordedAt, Row, RowKey, RowState};

use ids::Id;
use packed::PackedRow;
use texts::Texts;
use unit::{Entry, Unit};

/// A state: active rows by key, and their digests.
#[derive(Default)]
pub(crate) struct RowTable {
    standalone: BTreeMap<RowKey, Entry>,
    units: BTreeMap<Arc<str>, Unit>,
    texts: Texts,
    digests: Digests,
    pass: u32,
    /// Rows that are marked as unwritten.
    unwritten: u64,
    /// No unit before this one has such rows.
    unwritten_from: Option<Arc<str>>,
    buffers: Buffers,
}

/// Kept between uses, so that a row costs no allocation.
#[derive(Default)]
struct Buffers {
    text: Vec<u8>,
    packed: Vec<u8>,
    row: Vec<u8>,
}

/// Where a row belongs.
enum Home<'a> {
    Alone,
    /// It is the API or API product itself.
    Owner(&'a Arc<str>),
    /// A subscription or key.
    Scoped(&'a Arc<str>),
}

fn home(key: &RowKey) -> Home<'_> {
    match (key.kind, &key.scope) {
        (Kind::Api | Kind::ApiProduct, _) => Home::Owner(&key.id),
        (Kind::Subscription | Kind::ApiKey, Some(scope)) => Home::Scoped(scope),
        _ => Home::Alone,
    }
}

/// The unit that a row belongs to, as the table sees it: also of a key that is no proper one.
pub(crate) fn unit_of(key: &RowKey) -> Option<&Arc<str>> {
    match home(key) {
        Home::Alone => None,
        Home::Owner(unit) | Home::Scoped(unit) => Some(unit),
    }
}

/// The time of a row's record, as far as an audit needs it: the low 32 bits of its milliseconds, since it is compared for
/// equality only. Two versions of one record are taken for the same if they lie a multiple of 49.7 days apart to the
/// millisecond, and no window saw the later one. 0 is "not known", which equals nothing.
#[derive(Clone, Copy, Debug)]
struct RecordTime(u32);

impl RecordTime {
    fn of(at: RecordedAt) -> Self {
        let low = at.0 as u32;
        Self(if at == RecordedAt::UNKNOWN { 0 } else { low.max(1) })
    }

    /// What a row is handed on with. Only good for [`Self::of`].
    fn as_recorded_at(self) -> RecordedAt {
        RecordedAt(i64::from(self.0))
    }

    fn compare(self, at: RecordedAt) -> Compared {
        let is_same = self.0 != 0 && self.0 == Self::of(at).0;
        if is_same { Compared::Same } else { Compared::Differs }
    }
}

/// How a record that an index mentions compares with the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The row comes from this version of the record.
    Same,
    /// The row comes from another version, or nobody knows from which.
    Differs,
    /// There is no such row.
    Missing,
}

/// What `set` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The row was like that already (S4).
    Unchanged,
    /// The row is different now.
    From {
        /// What was there before, if anything.
        digest: Option<Digest>,
        /// It was marked as missing in the store.
        unwritten: bool,
    },
}

/// How to take back changes to a table: what each key held before, oldest change first.
#[derive(Default)]
pub(crate) struct Undo(Vec<(RowKey, Option<Digest>, Row)>);

/// What a row was before it changed.
struct Before {
    digest: Option<Digest>,
    unwritten: bool,
    /// The row itself, if it was asked for.
    row: Option<Row>,
}

impl RowTable {
    pub(crate) fn digests(&self) -> &Digests {
        &self.digests
    }

    fn entry(&self, key: &RowKey) -> Option<&Entry> {
        match home(key) {
            Home::Alone => self.standalone.get(key),
            Home::Owner(unit) => self.units.get(unit)?.owner(key.kind),
            Home::Scoped(_) => None,
        }
    }

    fn entry_mut(&mut self, key: &RowKey) -> Option<&mut Entry> {
        match home(key) {
            Home::Alone => self.standalone.get_mut(key),
            Home::Owner(unit) => self.units.get_mut(unit)?.owner_mut(key.kind),
            Home::Scoped(_) => None,
        }
    }

    fn scoped(&self, key: &RowKey) -> Option<PackedRow<'_>> {
        let Home::Scoped(unit) = home(key) else { return None };
        let rows = &self.units.get(unit)?.rows;
        rows.get(rows.find(key.kind, &Id::of(key.id.as_bytes())))
    }

    pub(crate) fn contains(&self, key: &RowKey) -> bool {
        self.scoped(key).is_some() || self.entry(key).is_some()
    }

    /// Text and time of a row.
    fn content(&self, key: &RowKey) -> Option<(Payload, RecordTime)> {
        if let Some(entry) = self.entry(key) {
            return Some((entry.payload.clone(), entry.recorded));
        }
        let row = self.scoped(key)?;
        Some((payload_of(&self.text_of(row, key)), RecordTime(row.recorded)))
    }

    pub(crate) fn digest(&self, key: &RowKey) -> Option<Digest> {
        if let Some(entry) = self.entry(key) {
            return Some(entry.digest);
        }
        self.content(key).map(|(payload, _)| Digest::of(key, &payload))
    }

    /// The row as it is to be written: active with its text, or removed where there is none.
    pub(crate) fn row(&self, key: &RowKey) -> Row {
        match self.content(key) {
            Some((payload, recorded)) => {
                Row::deployed(key.clone(), payload).recorded(recorded.as_recorded_at())
            }
            None => Row::removed(key.clone()),
        }
    }

    /// Whether the table holds exactly what a row says.
    pub(crate) fn holds(&self, row: &Row) -> bool {
        let RowState::Deployed(payload) = &row.state else { return !self.contains(&row.key) };
        if let Some(entry) = self.entry(&row.key) {
            return entry.payload == *payload;
        }
        let packed = self.scoped(&row.key);
        packed.is_some_and(|packed| self.text_of(packed, &row.key) == payload.as_str().as_bytes())
    }

    fn text_of(&self, row: PackedRow<'_>, key: &RowKey) -> Vec<u8> {
        let mut text = Vec::with_capacity(512);
        self.texts.unpack(row.text, key.id.as_bytes(), scope_of(key), &mut text);
        text
    }

    /// Whether the API or API product that scoped rows need is there.
    pub(crate) fn has_owner(&self, scope: &Arc<str>) -> bool {
        self.units.get(scope).is_some_and(Unit::has_owner)
    }

    /// Compares the row with the version of its record that an index mentions, and marks it as seen.
    pub(crate) fn compare(&mut self, key: &RowKey, at: RecordedAt) -> Compared {
        let pass = self.pass;
        if let Home::Scoped(unit) = home(key) {
            let Some(unit) = self.units.get_mut(unit) else { return Compared::Missing };
            let spot = unit.rows.find(key.kind, &Id::of(key.id.as_bytes()));
            let Some(row) = unit.rows.get(spot) else { return Compared::Missing };
            let recorded = RecordTime(row.recorded);
            unit.rows.mark(spot, pass);
            return recorded.compare(at);
        }
        let Some(entry) = self.entry_mut(key) else { return Compared::Missing };
        entry.seen_in = pass;
        entry.recorded.compare(at)
    }

    /// Puts the row in or takes it out, and marks it as seen. The time of the record is kept even if the text is the same.
    pub(crate) fn set(&mut self, row: &Row) -> Change {
        match self.put(row, false) {
            Some(Before { digest, unwritten, .. }) => Change::From { digest, unwritten },
            None => Change::Unchanged,
        }
    }

    /// Puts the row in or takes it out. `None` if it was like that. `keep`: what was there is to be given back.
    fn put(&mut self, row: &Row, keep: bool) -> Option<Before> {
        let RowState::Deployed(payload) = &row.state else { return self.take_out(&row.key, keep) };
        let key = &row.key;
        let recorded = RecordTime::of(row.recorded_at);
        match home(key) {
            Home::Scoped(unit) => self.put_scoped(key, unit, payload, recorded, keep),
            Home::Alone | Home::Owner(_) => self.put_entry(key, payload, recorded, keep),
        }
    }

    fn put_entry(
        &mut self,
        key: &RowKey,
        payload: &Payload,
        recorded: RecordTime,
        keep: bool,
    ) -> Option<Before> {
        let pass = self.pass;
        let digest = Digest::of(key, payload);
        let Some(old) = self.entry_mut(key) else {
            let entry = Entry { digest, payload: payload.clone(), recorded, seen_in: pass, unwritten: false };
            match home(key) {
                Home::Owner(unit) => {
                    self.units.entry(Arc::clone(unit)).or_default().set_owner(key.kind, entry);
                }
                Home::Alone | Home::Scoped(_) => {
                    self.standalone.insert(key.clone(), entry);
                }
            }
            self.digests[key.kind].add(digest);
            return Some(Before {
                digest: None,
                unwritten: false,
                row: keep.then(|| Row::removed(key.clone())),
            });
        };
        old.seen_in = pass;
        if old.digest == digest {
            old.recorded = recorded;
            return None;
        }
        let row = keep
            .then(|| Row::deployed(key.clone(), old.payload.clone()).recorded(old.recorded.as_recorded_at()));
        let before = Before { digest: Some(old.digest), unwritten: old.unwritten, row };
        (old.digest, old.payload, old.recorded) = (digest, payload.clone(), recorded);
        self.count(key.kind, before.digest, Some(digest));
        Some(before)
    }

    fn put_scoped(
        &mut self,
        key: &RowKey,
        scope: &Arc<str>,
        payload: &Payload,
        recorded: RecordTime,
        keep: bool,
    ) -> Option<Before> {
        let unit = self.units.entry(Arc::clone(scope)).or_default();
        let id = Id::of(key.id.as_bytes());
        let spot = unit.rows.find(key.kind, &id);
        let buffers = &mut self.buffers;
        let mut before = Before { digest: None, unwritten: false, row: None };
        if let Some(old) = unit.rows.get(spot) {
            let old_recorded = RecordTime(old.recorded);
            buffers.text.clear();
            self.texts.unpack(old.text, key.id.as_bytes(), scope.as_bytes(), &mut buffers.text);
            if buffers.text == payload.as_str().as_bytes() {
                unit.rows.mark(spot, self.pass);
                if old_recorded.0 != recorded.0 {
                    unit.rows.set_recorded(spot, recorded.0);
                }
                return None;
            }
            let old_payload = payload_of(&buffers.text);
            before.digest = Some(Digest::of(key, &old_payload));
            before.unwritten = unit.rows.is_unwritten(spot);
            self.texts.release(old.text);
            before.row =
                keep.then(|| Row::deployed(key.clone(), old_payload).recorded(old_recorded.as_recorded_at()));
        } else if keep {
            before.row = Some(Row::removed(key.clone()));
        }
        buffers.packed.clear();
        self.texts.pack(
            payload.as_str().as_bytes(),
            key.id.as_bytes(),
            scope.as_bytes(),
            &mut buffers.packed,
        );
        buffers.row.clear();
        let packed = PackedRow { kind: key.kind, id, recorded: recorded.0, text: &buffers.packed };
        packed.write(&mut buffers.row);
        unit.rows.put(spot, &buffers.row, self.pass);
        self.count(key.kind, before.digest, Some(Digest::of(key, payload)));
        Some(before)
    }

    fn take_out(&mut self, key: &RowKey, keep: bool) -> Option<Before> {
        let (payload, recorded) = self.content(key)?;
        let unwritten = self.is_unwritten(key);
        let digest = match home(key) {
            Home::Alone => self.standalone.remove(key).map(|entry| entry.digest),
            Home::Owner(id) => self.units.get_mut(id).and_then(|unit| unit.take_owner(key.kind)),
            Home::Scoped(scope) => {
                let unit = self.units.get_mut(scope)?;
                let spot = unit.rows.find(key.kind, &Id::of(key.id.as_bytes()));
                self.texts.release(unit.rows.get(spot)?.text);
                unit.rows.remove(spot);
                Some(Digest::of(key, &payload))
            }
        };
        if let Some(id) = unit_of(key)
            && let Some(unit) = self.units.get_mut(id)
        {
            unit.unwritten -= u32::from(unwritten);
            if unit.rows.is_empty() && !unit.has_owner() {
                self.units.remove(id);
            }
        }
        self.unwritten -= u64::from(unwritten);
        self.count(key.kind, digest, None);
        let row = keep.then(|| Row::deployed(key.clone(), payload).recorded(recorded.as_recorded_at()));
        Some(Before { digest, unwritten, row })
    }

    fn count(&mut self, kind: Kind, before: Option<Digest>, after: Option<Digest>) {
        if let Some(digest) = before {
            self.digests[kind].subtract(digest);
        }
        if let Some(digest) = after {
            self.digests[kind].add(digest);
        }
    }

    /// Applies rows in order.
    pub(crate) fn apply(&mut self, rows: &[Row]) {
        for row in rows {
            self.set(row);
        }
    }

    /// Applies rows in order; [`Self::undo`] can take it back.
    pub(crate) fn try_apply(&mut self, rows: &[Row]) -> Undo {
        let mut undo = Undo::default();
        for row in rows {
            if let Some(Before { digest, row: Some(before), .. }) = self.put(row, true) {
                undo.0.push((row.key.clone(), digest, before));
            }
        }
        undo
    }

    /// What the changes in `undo` came to: the rows that differ from before, as they are now, in the order in which
    /// they first changed (S4).
    pub(crate) fn differing_rows(&self, undo: &Undo) -> Vec<Row> {
        let mut seen = BTreeSet::new();
        let first_changes = undo.0.iter().filter(|(key, ..)| seen.insert(key));
        first_changes.filter(|(_, _, before)| !self.holds(before)).map(|(key, ..)| self.row(key)).collect()
    }

    /// Takes changes back.
    pub(crate) fn undo(&mut self, undo: Undo) {
        for (.., before) in undo.0.into_iter().rev() {
            self.put(&before, false);
        }
    }

    /// Keys of a unit that are not among `staying`.
    pub(crate) fn unit_keys_except(&self, unit: &Arc<str>, staying: &[Row]) -> Vec<RowKey> {
        let Some(rows) = self.units.get(unit) else { return Vec::new() };
        let mut staying: Vec<(Kind, &str)> =
            staying.iter().map(|row| (row.key.kind, row.key.id.as_ref())).collect();
        staying.sort_unstable();
        let mut staying = staying.into_iter().peekable();
        let mut text = Vec::new();
        // Both are in order, so that a unit of many rows is walked once.
        let mut stays = |kind: Kind, id: &[u8]| {
            while staying.next_if(|(other, name)| (*other, name.as_bytes()) < (kind, id)).is_some() {}
            staying.peek().is_some_and(|(other, name)| (*other, name.as_bytes()) == (kind, id))
        };
        let mut gone = Vec::new();
        for kind in [Kind::ApiProduct, Kind::Api] {
            if rows.owner(kind).is_some() && !stays(kind, unit.as_bytes()) {
                gone.push(RowKey::new(kind, Arc::clone(unit)));
            }
        }
        for row in rows.rows.rows() {
            text.clear();
            row.id.render(&mut text);
            if !stays(row.kind, &text) {
                gone.push(row.key(unit));
            }
        }
        gone
    }

    #[cfg(test)]
    /// All keys: standalone rows in order of effect, then unit by unit.
    pub(crate) fn keys(&self) -> impl Iterator<Item = RowKey> + '_ {
        let units = self.units.iter().flat_map(|(id, unit)| unit.keys(id, |_| true, unit.rows.rows()));
        self.standalone.keys().cloned().chain(units)
    }

    /// Starts a pass over a source of truth: from now on `set`, `mark` and `compare` mark rows as seen.
    pub(crate) fn begin_pass(&mut self) {
        self.pass = self.pass.wrapping_add(1);
    }

    /// Marks a row as seen in the current pass without changing it. Answers whether it was seen before in this pass;
    /// `None` if it is not there.
    pub(crate) fn mark(&mut self, key: &RowKey) -> Option<bool> {
        let pass = self.pass;
        if let Home::Scoped(unit) = home(key) {
            let rows = &mut self.units.get_mut(unit)?.rows;
            let spot = rows.find(key.kind, &Id::of(key.id.as_bytes()));
            return spot.found.then(|| rows.mark(spot, pass));
        }
        let entry = self.entry_mut(key)?;
        Some(std::mem::replace(&mut entry.seen_in, pass) == pass)
    }

    /// Marks all rows of a unit as seen.
    pub(crate) fn mark_unit(&mut self, unit: &Arc<str>) {
        let pass = self.pass;
        if let Some(unit) = self.units.get_mut(unit) {
            unit.owners_mut().for_each(|entry| entry.seen_in = pass);
            unit.rows.mark_all(pass);
        }
    }

    /// Keys of rows that stand alone and were not seen in the current pass, in order of effect.
    pub(crate) fn unseen_alone(&self) -> Vec<RowKey> {
        let unseen = self.standalone.iter().filter(|(_, entry)| entry.seen_in != self.pass);
        unseen.map(|(key, _)| key.clone()).collect()
    }

    /// Units of which some row was not seen in the current pass.
    pub(crate) fn unseen_units(&self) -> impl Iterator<Item = &Arc<str>> {
        let unseen = |unit: &Unit| {
            unit.owners().any(|(_, entry)| entry.seen_in != self.pass) || unit.rows.has_unseen(self.pass)
        };
        self.units.iter().filter(move |(_, unit)| unseen(unit)).map(|(unit, _)| unit)
    }

    /// Keys that were not seen in the current pass, in order of effect.
    pub(crate) fn unseen(&self) -> Vec<RowKey> {
        let units = self.units.iter().flat_map(|(id, unit)| {
            unit.keys(id, |entry| entry.seen_in != self.pass, unit.rows.unseen(self.pass))
        });
        self.unseen_alone().into_iter().chain(units).collect()
    }
}

/// What was packed was text.
fn payload_of(text: &[u8]) -> Payload {
    Payload::new(String::from_utf8_lossy(text).as_ref())
}

fn scope_of(key: &RowKey) -> &[u8] {
    key.scope.as_ref().map_or(&[], |scope| scope.as_bytes())
}

#[cfg(test)]
mod tests;
