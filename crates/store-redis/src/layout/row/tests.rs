//! What the row decoder makes of rows, its own and hostile ones.

use proptest::prelude::*;
use zonegate_model::ZoneName;

use super::*;
use crate::resp::MOST_VALUES;
use crate::settings::Layout;

fn keys(zone: &str, layout: Layout) -> ZoneKeys {
    ZoneKeys::new(ZoneName::new(zone), layout)
}

fn row_of<'a>(values: &[Option<&'a [u8]>]) -> RowValues<'a> {
    let mut row = [Value::Nil; MOST_VALUES];
    for (place, value) in row.iter_mut().zip(values) {
        *place = value.map_or(Value::Nil, Value::Bytes);
    }
    row
}

fn decode(zone: &str, key: &str, values: [Option<&str>; 7]) -> Decoded {
    let values = values.map(|value| value.map(str::as_bytes));
    decode_any(&keys(zone, Layout::V4_12), key, &Hash::of_any(&row_of(&values)))
}

const KEY: &str = "distributed_event:z:API:a:API_KEY:k";

#[test]
fn a_row_is_read_and_an_undeployed_one_is_removed_whatever_payload_it_kept() {
    let values =
        |action| [Some("z"), Some("k"), Some("API_KEY"), Some(action), Some("5"), Some("{}"), Some("9")];
    let key = RowKey::scoped(Kind::ApiKey, "a", "k");
    let recorded = |row: Row| Decoded::Row(row.recorded(RecordedAt(9)));
    assert_eq!(decode("z", KEY, values("DEPLOY")), recorded(Row::deployed(key.clone(), "{}")));
    assert_eq!(decode("z", KEY, values("UNDEPLOY")), recorded(Row::removed(key)));
}

#[test]
fn z8_a_row_of_a_zone_that_differs_in_case_or_has_no_zone_is_foreign() {
    let values = |zone| [zone, Some("k"), Some("API"), Some("DEPLOY"), Some("5"), Some("{}"), None];
    assert_eq!(decode("z", "distributed_event:z:API:k", values(Some("Z"))), Decoded::Foreign);
    assert_eq!(decode("z", "distributed_event:z:API:k", values(None)), Decoded::Foreign);
}

#[test]
fn c3_in_the_older_layout_a_row_has_no_zone_and_one_that_has_is_foreign() {
    let keys = keys("z", Layout::V4_11);
    let decode = |key: &str, zone: Option<&[u8]>, kind: &[u8]| {
        let values = [zone, Some(b"k"), Some(kind), Some(b"DEPLOY"), Some(b"5"), Some(b"{}")];
        decode_any(&keys, key, &Hash::of_any(&row_of(&values)))
    };
    let api = Decoded::Row(Row::deployed(RowKey::new(Kind::Api, "k"), "{}"));
    assert_eq!(decode("distributed_event::API:k", None, b"API"), api);
    assert_eq!(decode("distributed_event::API:k", Some(b"z"), b"API"), Decoded::Foreign);
    assert_eq!(decode("distributed_event:z:API:k", Some(b"z"), b"API"), Decoded::Foreign);
    let key = Decoded::Row(Row::deployed(RowKey::scoped(Kind::ApiKey, "api-1", "k"), "{}"));
    assert_eq!(decode("distributed_event:API:api-1:API_KEY:k", None, b"API_KEY"), key);
    assert!(matches!(decode("distributed_event::API_KEY:k", None, b"API_KEY"), Decoded::Malformed(_)));
    assert!(matches!(decode("distributed_event:API:k", None, b"API"), Decoded::Malformed(_)));
}

#[test]
fn l1_what_is_no_row_says_why() {
    let good = [Some("z"), Some("k"), Some("API_KEY"), Some("DEPLOY"), Some("5"), Some("{}"), None];
    for (place, value, word) in [
        (1, None, "`id`"),
        (2, Some("api_key"), "`type`"),
        (3, Some("deploy"), "`syncAction`"),
        (5, None, "`payload`"),
    ] {
        let mut values = good;
        values[place] = value;
        let Decoded::Malformed(reason) = decode("z", KEY, values) else { panic!("{word} was accepted") };
        assert!(reason.contains(word), "{reason}");
    }
    let misplaced = decode("z", "distributed_event:z:API_KEY:k", good);
    assert_eq!(misplaced, Decoded::Malformed("the key does not name the API or API product"));
    let mut long = row_of(&good.map(|value| value.map(str::as_bytes)));
    long[5] = Value::Oversized;
    let decoded = decode_any(&keys("z", Layout::V4_12), KEY, &Hash::of_any(&long));
    assert_eq!(decoded, Decoded::Malformed("`payload` is longer than 64 MiB"));
}

#[test]
fn a_row_of_a_search_is_read_by_names_in_any_order() {
    let pairs = ["payload", "{}", "unknown", "x", "__key", KEY, "clusterId", "z", RECORDED_AT, "9"];
    let values = row_of(&pairs.map(|text| Some(text.as_bytes())));
    let (key, hash) = Hash::of_pairs(&values);
    assert_eq!(key, KEY);
    let keys = keys("z", Layout::V4_12);
    let expected = Row::deployed(RowKey::scoped(Kind::ApiKey, "a", "k"), "{}").recorded(RecordedAt(9));
    assert_eq!(decode_found(&keys, Kind::ApiKey, key, &hash), Some(Decoded::Row(expected)));
    assert_eq!(
        decode_found(&keys, Kind::Subscription, key, &hash),
        None,
        "it has to be looked at as a whole"
    );
}

proptest! {
    #[test]
    fn l1_any_bytes_are_a_row_or_not(
        values in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..6)), 7),
        valid in prop::collection::vec(any::<bool>(), 7),
        key in "(distributed_event:z:|distributed_event::)?.{0,12}",
        older in any::<bool>(),
    ) {
        let good: [&[u8]; 7] = [b"z", b"k", b"API_KEY", b"DEPLOY", b"5", b"{}", b"9"];
        let mut given: [Option<&[u8]>; 7] = good.map(Some);
        for (place, value) in values.iter().enumerate().filter(|(place, _)| !valid[*place]) {
            given[place] = value.as_deref();
        }
        let keys = keys("z", if older { Layout::V4_11 } else { Layout::V4_12 });
        let row = row_of(&given);
        let _ = decode_any(&keys, &key, &Hash::of_any(&row));
        let _ = decode_known(&keys, RowKey::new(Kind::Api, "k"), &Hash::of_known(&row));
        let (named, hash) = Hash::of_pairs(&row);
        let _ = decode_found(&keys, Kind::Api, named, &hash);
    }
}
