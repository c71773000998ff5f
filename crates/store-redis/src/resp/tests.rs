//! What replies mean, whole, in parts, and spoiled.

use proptest::prelude::*;

use super::*;

fn all(bytes: &[u8]) -> Result<Vec<Item<'_>>, Malformed> {
    let mut items = Items::new(bytes);
    let mut found = Vec::new();
    while let Some(item) = items.take()? {
        found.push(item);
    }
    Ok(found)
}

#[test]
fn every_sort_of_item_is_read() {
    let reply = b"*7\r\n+OK\r\n-ERR no\r\n:-12\r\n:9223372036854775807\r\n$2\r\n\r\n\r\n$-1\r\n*-1\r\n";
    let expected = [
        Item::List(7),
        Item::Text(b"OK"),
        Item::Refusal(b"ERR no"),
        Item::Integer(-12),
        Item::Integer(i64::MAX),
        Item::Value(b"\r\n"),
        Item::Nil,
        Item::Nil,
    ];
    assert_eq!(all(reply).unwrap(), expected);
}

#[test]
fn l1_what_is_not_resp_is_refused() {
    for bad in [
        b"!x\r\n".as_slice(),
        b":1x\r\n",
        b":\r\n",
        b"$-2\r\n",
        b"*-2\r\n",
        b"$1\r\nab\r\n",
        b"+a\rb",
        b"$99999999999999999999\r\n",
    ] {
        assert!(all(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
    let endless = vec![b'+'; 2 * LONGEST_LINE];
    assert!(all(&endless).is_err());
}

#[test]
fn l1_a_value_that_is_too_long_is_told_before_it_came() {
    let announced = format!("${}\r\n", LONGEST_VALUE + 1);
    assert_eq!(all(announced.as_bytes()), Ok(vec![Item::Oversized(LONGEST_VALUE + 1)]));
    let row = format!("*2\r\n$1\r\na\r\n{announced}");
    assert_eq!(values(row.as_bytes()), Ok(Taken::HasOversized));
}

#[test]
fn a_row_is_values_or_a_refusal_and_nothing_else() {
    let Ok(Taken::All(Values::Row(row), taken)) = values(b"*3\r\n$1\r\na\r\n$-1\r\n$0\r\n\r\n*1") else {
        panic!("no row")
    };
    assert_eq!(row[..3], [Value::Bytes(b"a"), Value::Nil, Value::Bytes(b"")]);
    assert_eq!(taken, 22);
    assert_eq!(
        values(b"-WRONGTYPE x\r\n"),
        Ok(Taken::All(Values::Refused(b"WRONGTYPE x"), 14)),
        "whoever reads on stands at the next row"
    );
    for bad in [b"*17\r\n".as_slice(), b":1\r\n", b"*1\r\n*1\r\n"] {
        assert!(values(bad).is_err());
    }
}

proptest! {
    #[test]
    fn a_command_is_read_as_it_was_written(words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..5)) {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let mut bytes = Vec::new();
        command(&mut bytes, &words);
        let mut expected = vec![Item::List(words.len())];
        expected.extend(words.iter().map(|word| Item::Value(word)));
        prop_assert_eq!(all(&bytes), Ok(expected));
    }

    #[test]
    fn a_reply_that_breaks_off_is_never_taken_for_a_whole_one(
        words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let mut bytes = Vec::new();
        command(&mut bytes, &words);
        let part = &bytes[..cut.index(bytes.len())];
        prop_assert_eq!(values(part), Ok(Taken::More));
    }

    #[test]
    fn l1_any_bytes_are_items_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = all(&bytes);
        let _ = values(&bytes);
    }

    #[test]
    fn l1_anything_like_a_reply_is_items_or_refused(text in "([*$:+-](-?[0-9]{1,20}|[a-z]{0,3})(\r\n|\r|\n)?){0,12}") {
        let _ = all(text.as_bytes());
        let _ = values(text.as_bytes());
    }
}
