//! Fields of documents, read so that nothing foreign can do harm (L1): what has another type than it should is taken for
//! what it says if that is clear, else it is as if it were not there. Absent and null are the same
//! (`management-repository.md` section 2.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use mongodb::bson::raw::RawBsonRef;
use mongodb::bson::{DateTime, RawDocument};
use zonegate_payload::convert::MAX_PAYLOAD;
use zonegate_payload::record::EventText;
use zonegate_repository::port::MAX_TEXT;

/// The fields of a document. One that is not well-formed is left out, with all that follow where its end is not clear.
pub(crate) struct Fields<'a>(Vec<(&'a str, Field<'a>)>);

/// A field's value.
#[derive(Clone, Copy)]
enum Field<'a> {
    Value(RawBsonRef<'a>),
    /// A text that is not UTF-8.
    Broken,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(document: &'a RawDocument) -> Self {
        let elements = document.iter_elements().map_while(Result::ok);
        Self(
            elements
                .map(|element| {
                    let value = element.value().map_or(Field::Broken, Field::Value);
                    (element.key().as_str(), value)
                })
                .collect(),
        )
    }

    fn field(&self, name: &str) -> Option<Field<'a>> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }

    fn value(&self, name: &str) -> Option<RawBsonRef<'a>> {
        match self.field(name)? {
            Field::Value(value) => Some(value),
            Field::Broken => None,
        }
    }

    /// A text, bounded.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        text(self.value(name)?).filter(|text| text.len() <= MAX_TEXT)
    }

    /// An id.
    pub(crate) fn id(&self, name: &str) -> Option<Arc<str>> {
        self.text(name).map(Arc::from)
    }

    /// Whether a text is longer than is read.
    pub(crate) fn is_too_long(&self, name: &str) -> bool {
        matches!(self.value(name), Some(RawBsonRef::String(text)) if text.len() > MAX_TEXT)
    }

    /// A yes or no; absent is no.
    pub(crate) fn flag(&self, name: &str) -> bool {
        match self.value(name) {
            Some(RawBsonRef::Boolean(flag)) => flag,
            Some(RawBsonRef::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(RawBsonRef::Int32(number)) => number != 0,
            Some(RawBsonRef::Int64(number)) => number != 0,
            _ => false,
        }
    }

    /// A time in epoch milliseconds, also where it is a number of them or a text of ISO 8601.
    pub(crate) fn time(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            RawBsonRef::DateTime(time) => Some(time.timestamp_millis()),
            RawBsonRef::Int64(millis) => Some(millis),
            RawBsonRef::Double(millis) if millis.is_finite() => Some(millis as i64),
            RawBsonRef::Timestamp(time) => Some(i64::from(time.time) * 1000),
            RawBsonRef::String(text) => {
                DateTime::parse_rfc3339_str(text).ok().map(DateTime::timestamp_millis)
            }
            _ => None,
        }
    }

    /// A time that is one, as lists are in the order of.
    pub(crate) fn date(&self, name: &str) -> Option<i64> {
        self.value(name)?.as_datetime().map(DateTime::timestamp_millis)
    }

    /// A number; absent is 0.
    pub(crate) fn number(&self, name: &str) -> u64 {
        match self.value(name) {
            Some(RawBsonRef::Int32(number)) => u64::try_from(number).unwrap_or(0),
            Some(RawBsonRef::Int64(number)) => u64::try_from(number).unwrap_or(0),
            Some(RawBsonRef::Double(number)) => number as u64,
            _ => 0,
        }
    }

    /// A list of ids. A single one counts as a list of it.
    pub(crate) fn ids(&self, name: &str) -> Vec<Arc<str>> {
        match self.value(name) {
            Some(RawBsonRef::Array(array)) => array
                .iter_elements()
                .map_while(Result::ok)
                .filter_map(|element| text(element.value().ok()?))
                .map(Arc::from)
                .collect(),
            Some(RawBsonRef::String(id)) => vec![Arc::from(id)],
            _ => Vec::new(),
        }
    }

    /// A sub-document.
    pub(crate) fn inner(&self, name: &str) -> Option<Fields<'a>> {
        self.value(name)?.as_document().map(Fields::of)
    }

    /// A sub-document as a map of texts. What is no text and cannot be taken for one is left out.
    pub(crate) fn map(&self, name: &str) -> BTreeMap<String, String> {
        let inner = self.inner(name);
        let entries = inner.iter().flat_map(|inner| &inner.0).filter_map(|(key, value)| match value {
            Field::Value(value) => Some(((*key).to_owned(), text(*value)?)),
            Field::Broken => None,
        });
        entries.collect()
    }

    /// How many bytes a sub-document has.
    pub(crate) fn size(&self, name: &str) -> usize {
        self.value(name).and_then(RawBsonRef::as_document).map_or(0, |document| document.as_bytes().len())
    }

    /// The payload of an event.
    pub(crate) fn payload(&self, name: &str) -> EventText {
        match self.field(name) {
            None | Some(Field::Value(RawBsonRef::Null | RawBsonRef::Undefined)) => EventText::Absent,
            Some(Field::Value(RawBsonRef::String(text))) if text.len() > MAX_PAYLOAD => {
                EventText::TooLong(text.len() as u64)
            }
            Some(Field::Value(RawBsonRef::String(text))) => EventText::Text(text.to_owned()),
            Some(_) => EventText::NotText,
        }
    }
}

fn text(value: RawBsonRef<'_>) -> Option<String> {
    match value {
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) => Some(text.to_owned()),
        RawBsonRef::Int32(number) => Some(number.to_string()),
        RawBsonRef::Int64(number) => Some(number.to_string()),
        RawBsonRef::Double(number) => Some(number.to_string()),
        RawBsonRef::Boolean(flag) => Some(flag.to_string()),
        RawBsonRef::ObjectId(id) => Some(id.to_hex()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::spec::BinarySubtype;
    use mongodb::bson::{Binary, Bson, Document, RawDocumentBuf, Timestamp, doc, oid::ObjectId};
    use proptest::prelude::*;

    use super::*;

    fn raw(document: &Document) -> RawDocumentBuf {
        RawDocumentBuf::try_from(document).unwrap()
    }

    fn sample() -> Document {
        doc! {
            "_id": "a", "text": "t", "time": DateTime::from_millis(5), "list": ["x", 1, Bson::Null], "long": "x".repeat(40),
            "inner": { "a": "1", "b": { "c": 2 } }, "flag": true, "number": 7_i64, "double": 1e300, "null": Bson::Null,
            "id": ObjectId::new(), "stamp": Timestamp { time: 3, increment: 4 },
            "binary": Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2, 3] },
        }
    }

    /// Asks for every field as everything.
    fn ask(fields: &Fields<'_>) {
        let names = fields.0.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        for name in names.into_iter().chain(["absent"]) {
            let _ =
                (fields.text(name), fields.id(name), fields.flag(name), fields.time(name), fields.date(name));
            let _ = (fields.number(name), fields.ids(name), fields.map(name), fields.size(name));
            let _ = (fields.payload(name), fields.is_too_long(name));
            if let Some(inner) = fields.inner(name) {
                ask(&inner);
            }
        }
    }

    #[test]
    fn l1_what_is_clear_is_taken_whatever_its_type_and_the_rest_is_not_there() {
        let document = raw(&doc! {
            "number": 3, "yes": "TRUE", "text": "2026-01-02T03:04:05.678Z", "millis": 9_i64, "stamp": Timestamp { time: 3, increment: 4 },
            "one": "x", "null": Bson::Null, "list": ["a", 2, { "b": 1 }], "map": { "a": "1", "b": 2, "c": [1], "d": Bson::Null },
        });
        let fields = Fields::of(&document);
        assert_eq!(fields.text("number").as_deref(), Some("3"));
        assert!(
            fields.flag("yes") && fields.flag("number") && !fields.flag("null") && !fields.flag("absent")
        );
        assert_eq!(fields.time("text"), Some(1_767_323_045_678));
        assert_eq!((fields.time("millis"), fields.time("stamp")), (Some(9), Some(3_000)));
        assert_eq!(
            (fields.date("text"), fields.date("millis")),
            (None, None),
            "lists are in the order of dates only"
        );
        assert_eq!(fields.ids("one"), ["x".into()]);
        assert_eq!(fields.ids("list"), ["a".into(), "2".into()]);
        let map =
            fields.map("map").into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
        assert_eq!(map, ["a=1", "b=2"]);
        assert_eq!(fields.payload("null"), EventText::Absent);
        assert_eq!(fields.payload("number"), EventText::NotText);
    }

    #[test]
    fn l1_a_text_that_is_not_utf_8_takes_nothing_else_along() {
        let mut bytes = raw(&doc! { "before": "b", "payload": "XX", "after": "a" }).into_bytes();
        let place = bytes.windows(2).position(|two| two == b"XX").unwrap();
        bytes[place] = 0xff;
        let document = RawDocumentBuf::from_bytes(bytes).unwrap();
        let fields = Fields::of(&document);
        assert_eq!(fields.payload("payload"), EventText::NotText);
        assert_eq!((fields.text("payload"), fields.text("after").as_deref()), (None, Some("a")));
    }

    proptest! {
        #[test]
        fn l1_documents_that_are_not_well_formed_harm_nobody(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
            cut in 0_usize..8,
        ) {
            let mut bytes = raw(&sample()).into_bytes();
            bytes.truncate(bytes.len() - cut);
            let length = i32::try_from(bytes.len()).unwrap().to_le_bytes();
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            // Length and end are right, or the driver would have said so.
            bytes[..4].copy_from_slice(&length);
            *bytes.last_mut().unwrap() = 0;
            if let Ok(document) = RawDocument::from_bytes(&bytes) {
                ask(&Fields::of(document));
            }
        }

        #[test]
        fn l1_bytes_of_any_sort_harm_nobody(mut bytes in prop::collection::vec(any::<u8>(), 5..200)) {
            let length = i32::try_from(bytes.len()).unwrap().to_le_bytes();
            bytes[..4].copy_from_slice(&length);
            *bytes.last_mut().unwrap() = 0;
            if let Ok(document) = RawDocument::from_bytes(&bytes) {
                ask(&Fields::of(document));
            }
        }
    }
}
