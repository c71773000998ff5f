//! The table as a whole, against a plain map.

use proptest::prelude::*;

use super::*;

fn arbitrary_key() -> impl Strategy<Value = RowKey> {
    let unit = (0_u8..3).prop_map(|api| format!("a{api}"));
    let id = prop_oneof![
        (0_u8..40).prop_map(|id| format!("k{id}")),
        (0_u8..60).prop_map(|id| format!("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8{:02x}", id * 4)),
        (0_u8..20).prop_map(|id| format!("0a1b2c3d4e5f60718293a4b5c6d7e8{id:02x}")),
    ];
    prop_oneof![
        1 => (0_u8..3).prop_map(|id| RowKey::new(Kind::Dictionary, format!("d{id}"))),
        1 => unit.clone().prop_map(|id| RowKey::new(Kind::Api, id)),
        1 => unit.clone().prop_map(|id| RowKey::new(Kind::ApiProduct, id)),
        20 => (unit, any::<bool>(), id).prop_map(|(unit, is_key, id)| {
            RowKey::scoped(if is_key { Kind::ApiKey } else { Kind::Subscription }, unit, id)
        }),
    ]
}

fn arbitrary_row() -> impl Strategy<Value = Row> {
    let text = prop_oneof![
        8 => (0_u8..4, 0_u64..3).prop_map(|(plan, at)| {
            format!(r#"{{"plan":"plan-{plan}","status":"ACCEPTED","startingAt":{at}}}"#)
        }),
        1 => (0_usize..3000).prop_map(|length| "x".repeat(length)),
        1 => "\\PC{0,30}",
    ];
    (arbitrary_key(), prop::option::weighted(0.8, text), 0_i64..4).prop_map(|(key, text, at)| match text {
        Some(text) => Row::deployed(key, text).recorded(RecordedAt(at)),
        None => Row::removed(key),
    })
}

fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(arbitrary_row(), 0..most)
}

/// What a table must be.
#[derive(Default)]
struct Model(BTreeMap<RowKey, Row>);

impl Model {
    fn apply(&mut self, row: &Row) {
        match row.state {
            RowState::Deployed(_) => self.0.insert(row.key.clone(), row.clone()),
            RowState::Removed => self.0.remove(&row.key),
        };
    }

    fn digests(&self) -> Digests {
        let mut digests = Digests::default();
        for (key, row) in &self.0 {
            digests[key.kind].add(row.digest().unwrap());
        }
        digests
    }
}

/// Rows as the table holds them, times that are not known as such.
fn content(table: &RowTable) -> BTreeMap<RowKey, Row> {
    table.keys().map(|key| (key.clone(), table.row(&key))).collect()
}

fn in_order(table: &RowTable) -> bool {
    let place = |key: RowKey| (unit_of(&key).cloned(), key);
    table.keys().map(place).collect::<Vec<_>>().is_sorted()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 50 } else { 2_000 }))]

    #[test]
    fn it_holds_what_was_put_in(rows in rows(500)) {
        let (mut table, mut model) = (RowTable::default(), Model::default());
        for row in &rows {
            let before = model.0.get(&row.key).and_then(Row::digest);
            let change = table.set(row);
            let is_change = before != row.digest();
            prop_assert_eq!(change, if is_change { Change::From { digest: before, unwritten: false } } else { Change::Unchanged });
            model.apply(row);
            prop_assert!(table.holds(row));
        }
        prop_assert_eq!(&content(&table), &model.0);
        prop_assert_eq!(*table.digests(), model.digests());
        prop_assert!(in_order(&table));
        for key in model.0.keys() {
            table.set(&Row::removed(key.clone()));
        }
        prop_assert!(table.units.is_empty() && table.standalone.is_empty());
        prop_assert_eq!(table.texts.kept(), (0, 0));
        prop_assert_eq!(*table.digests(), Digests::default());
    }

    #[test]
    fn undo_restores_rows_and_digests(before in rows(200), after in rows(100)) {
        let mut table = RowTable::default();
        table.apply(&before);
        let digests = *table.digests();
        let texts: BTreeMap<RowKey, Option<Digest>> =
            table.keys().map(|key| (key.clone(), table.digest(&key))).collect();
        let undo = table.try_apply(&after);
        let differing = table.differing_rows(&undo);
        for row in &differing {
            prop_assert!(table.holds(row));
            prop_assert_ne!(row.digest(), texts.get(&row.key).copied().flatten());
        }
        table.undo(undo);
        prop_assert_eq!(*table.digests(), digests);
        for (key, digest) in texts {
            prop_assert_eq!(table.digest(&key), digest);
        }
    }

    #[test]
    fn s5_a_pass_knows_exactly_what_was_seen_in_it(before in rows(400), passes in prop::collection::vec(rows(100), 1..4)) {
        let mut table = RowTable::default();
        table.apply(&before);
        for pass in passes {
            table.begin_pass();
            let mut seen = BTreeSet::new();
            for (index, row) in pass.iter().enumerate() {
                let is_there = table.contains(&row.key);
                match index % 3 {
                    0 => prop_assert_eq!(table.mark(&row.key), is_there.then(|| seen.contains(&row.key))),
                    1 => prop_assert_eq!(table.compare(&row.key, row.recorded_at) == Compared::Missing, !is_there),
                    _ => { table.set(row); }
                }
                if table.contains(&row.key) {
                    seen.insert(row.key.clone());
                } else {
                    seen.remove(&row.key);
                }
            }
            let unseen: Vec<RowKey> = table.keys().filter(|key| !seen.contains(key)).collect();
            prop_assert_eq!(table.unseen(), unseen.clone());
            let units: BTreeSet<&Arc<str>> = unseen.iter().filter_map(unit_of).collect();
            prop_assert_eq!(table.unseen_units().collect::<BTreeSet<_>>(), units);
            table.unseen_are_unwritten();
            prop_assert_eq!(table.unwritten_count(), unseen.len() as u64);
            prop_assert_eq!(table.unwritten_keys().collect::<Vec<_>>(), unseen.clone());
            for key in unseen.iter().step_by(2) {
                table.set_unwritten(key, false);
            }
            table.settle_unwritten();
            let left: Vec<RowKey> = unseen.iter().skip(1).step_by(2).cloned().collect();
            prop_assert_eq!(table.unwritten_keys().collect::<Vec<_>>(), left.clone());
            for key in &unseen {
                table.set_unwritten(key, true);
            }
            prop_assert_eq!(table.unwritten_keys().collect::<Vec<_>>(), unseen);
            table.clear_unwritten();
            prop_assert_eq!(table.unwritten_keys().count(), 0);
        }
    }

    #[test]
    fn marks_of_other_rows_stay_when_rows_come_and_go(before in rows(400), after in rows(200)) {
        let mut table = RowTable::default();
        table.apply(&before);
        table.begin_pass();
        table.unseen_are_unwritten();
        let mut unwritten: BTreeSet<RowKey> = table.keys().collect();
        for row in &after {
            let was = unwritten.contains(&row.key);
            if let Change::From { unwritten, .. } = table.set(row) {
                prop_assert_eq!(unwritten, was);
            }
            if row.state == RowState::Removed {
                unwritten.remove(&row.key);
            }
        }
        prop_assert_eq!(table.unwritten_keys().collect::<BTreeSet<_>>(), unwritten.clone());
        prop_assert_eq!(table.unwritten_count(), unwritten.len() as u64);
    }

    #[test]
    fn keys_of_a_unit_that_go_are_those_that_do_not_stay(before in rows(300), staying in rows(100)) {
        let mut table = RowTable::default();
        table.apply(&before);
        let unit: Arc<str> = "a1".into();
        let staying: Vec<Row> = staying.into_iter().filter(|row| unit_of(&row.key) == Some(&unit)).collect();
        let stays = |key: &RowKey| staying.iter().any(|row| row.key == *key);
        let gone: Vec<RowKey> =
            table.keys().filter(|key| unit_of(key) == Some(&unit) && !stays(key)).collect();
        prop_assert_eq!(table.unit_keys_except(&unit, &staying), gone);
    }
}

#[test]
fn s4_setting_an_equal_row_is_no_change_but_counts_as_seen() {
    let mut table = RowTable::default();
    for key in [RowKey::new(Kind::Api, "a"), RowKey::scoped(Kind::ApiKey, "a", "k")] {
        let row = Row::deployed(key, "x");
        assert_eq!(table.set(&row), Change::From { digest: None, unwritten: false });
        table.begin_pass();
        assert!(table.unseen().contains(&row.key));
        assert_eq!(table.set(&row), Change::Unchanged);
        assert!(!table.unseen().contains(&row.key));
    }
    assert_eq!(table.set(&Row::removed(RowKey::new(Kind::Api, "b"))), Change::Unchanged);
}

#[test]
fn times_are_compared_by_their_low_bits_and_an_unknown_one_equals_nothing() {
    let mut table = RowTable::default();
    let key = RowKey::scoped(Kind::ApiKey, "a", "k");
    table.set(&Row::deployed(key.clone(), "x").recorded(RecordedAt(1_750_000_000_123)));
    assert_eq!(table.compare(&key, RecordedAt(1_750_000_000_123)), Compared::Same);
    assert_eq!(table.compare(&key, RecordedAt(1_750_000_000_124)), Compared::Differs);
    // As it is after a way through the store.
    let handed_on = table.row(&key);
    let mut other = RowTable::default();
    other.set(&handed_on);
    assert_eq!(other.compare(&key, RecordedAt(1_750_000_000_123)), Compared::Same);
    table.set(&Row::deployed(key.clone(), "x"));
    assert_eq!(table.compare(&key, RecordedAt::UNKNOWN), Compared::Differs);
}

#[test]
fn a_key_that_is_no_proper_one_is_kept_as_it_is() {
    let mut table = RowTable::default();
    let odd = [
        RowKey { kind: Kind::ApiKey, scope: None, id: "k".into() },
        RowKey { kind: Kind::Dictionary, scope: Some("a".into()), id: "d".into() },
        RowKey { kind: Kind::Subscription, scope: Some("".into()), id: "".into() },
    ];
    for key in odd {
        table.set(&Row::deployed(key.clone(), ""));
        assert!(table.contains(&key) && table.unseen().is_empty());
        assert!(table.keys().any(|other| other == key));
    }
}
