//! What the row decoder makes of rows, its own and hostile ones.

use proptest::prelude::*;
use serde::de::IntoDeserializer;
use serde::de::value::{BytesDeserializer, Error, MapDeserializer, SeqDeserializer};
use zonegate_model::ZoneName;

use super::*;

/// A value of a hash as the driver hands it over.
#[derive(Clone, Copy)]
struct Raw<'a>(Option<&'a [u8]>);

impl<'de> Deserializer<'de> for Raw<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Some(bytes) => BytesDeserializer::new(bytes).deserialize_any(visitor),
            None => visitor.visit_none(),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Raw<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn hmget(values: [Option<&[u8]>; 7]) -> RowFields {
    RowFields::deserialize(SeqDeserializer::new(values.into_iter().map(Raw))).unwrap()
}

fn decode(zone: &str, key: &str, values: [Option<&str>; 7]) -> Decoded {
    let values = values.map(|value| value.map(str::as_bytes));
    decode_row(&ZoneKeys::new(ZoneName::new(zone)), key, hmget(values))
}

const KEY: &str = "distributed_event:z:API:a:API_KEY:k";

#[test]
fn a_row_is_read_and_an_undeployed_one_is_removed_whatever_payload_it_kept() {
    let values = |action| [Some("z"), Some("k"), Some("API_KEY"), Some(action), Some("5"), Some("{}"), None];
    let key = RowKey::scoped(Kind::ApiKey, "a", "k");
    assert_eq!(decode("z", KEY, values("DEPLOY")), Decoded::Row(Row::deployed(key.clone(), "{}")));
    assert_eq!(decode("z", KEY, values("UNDEPLOY")), Decoded::Row(Row::removed(key)));
}

#[test]
fn z8_a_row_of_a_zone_that_differs_in_case_or_has_no_zone_is_foreign() {
    let values = |zone| [zone, Some("k"), Some("API"), Some("DEPLOY"), Some("5"), Some("{}"), None];
    assert_eq!(decode("z", "distributed_event:z:API:k", values(Some("Z"))), Decoded::Foreign);
    assert_eq!(decode("z", "distributed_event:z:API:k", values(None)), Decoded::Foreign);
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
}

#[test]
fn both_shapes_of_a_search_row_are_read() {
    let pairs = [
        ("__key", "distributed_event:z:API:k"),
        ("clusterId", "z"),
        ("id", "k"),
        ("type", "API"),
        ("syncAction", "DEPLOY"),
        ("payload", "{}"),
        ("unknown", "x"),
    ];
    let flat: MapDeserializer<'_, _, Error> = MapDeserializer::new(pairs.into_iter());
    let row = NamedRow::deserialize(flat).unwrap();
    let (key, fields) = row.clone().into_parts();
    assert_eq!(&*key, "distributed_event:z:API:k");
    let keys = ZoneKeys::new(ZoneName::new("z"));
    let expected = Decoded::Row(Row::deployed(RowKey::new(Kind::Api, "k"), "{}"));
    assert_eq!(decode_row(&keys, &key, fields), expected);
    let nested =
        serde_json::json!({ "values": [], "extra_attributes": std::collections::BTreeMap::from(pairs) });
    assert_eq!(serde_json::from_value::<NamedRow>(nested).unwrap(), row);
}

#[test]
fn both_shapes_of_a_search_reply_are_read() {
    let modern =
        serde_json::json!([{ "attributes": [], "results": [{ "extra_attributes": { "id": "a" } }] }, 7]);
    let reply: AggregateReply = serde_json::from_value(modern).unwrap();
    assert_eq!((reply.rows.len(), reply.cursor), (1, 7));
    let old = serde_json::json!([[1, { "id": "a" }, { "id": "b" }], 0]);
    let reply: AggregateReply = serde_json::from_value(old).unwrap();
    assert_eq!((reply.rows.len(), reply.cursor), (2, 0));
    let empty: AggregateReply = serde_json::from_value(serde_json::json!([[0], 0])).unwrap();
    assert_eq!(empty.rows.len(), 0);
}

proptest! {
    #[test]
    fn l1_any_bytes_are_a_row_or_not(
        values in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..6)), 7),
        valid in prop::collection::vec(any::<bool>(), 7),
        key in "(distributed_event:z:)?.{0,12}",
    ) {
        let good: [&[u8]; 7] = [b"z", b"k", b"API_KEY", b"DEPLOY", b"5", b"{}", b"9"];
        let mut given: [Option<&[u8]>; 7] = good.map(Some);
        for (place, value) in values.iter().enumerate().filter(|(place, _)| !valid[*place]) {
            given[place] = value.as_deref();
        }
        let _ = decode_row(&ZoneKeys::new(ZoneName::new("z")), &key, hmget(given));
    }
}
