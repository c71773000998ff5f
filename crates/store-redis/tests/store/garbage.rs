//! What others left in the store (L1): each bad entry loses itself, and nothing else is lost. The next write of a row puts
//! it right, whatever lay there.

use zonegate_model::{Row, RowKey};
use zonegate_sync::port::ZoneStore;
use zonegate_testkit::redis::{Connection, Redis};

use super::support::*;

const VICTIM: &[u8] = b"distributed_event:z:API:victim";

type Words<'a> = Vec<&'a [u8]>;

fn set<'a>(field: &'a [u8], value: &'a [u8]) -> Words<'a> {
    vec![b"HSET", VICTIM, field, value]
}

fn unset(field: &[u8]) -> Words<'_> {
    vec![b"HDEL", VICTIM, field]
}

/// What is done to a row that lay there.
fn damages(long: &[u8]) -> Vec<(&'static str, Vec<Words<'_>>)> {
    let instead = |words: &[&'static [u8]]| vec![vec![b"DEL".as_slice(), VICTIM], words.to_vec()];
    vec![
        ("deleted", vec![vec![b"DEL", VICTIM]]),
        ("a string instead", instead(&[b"SET", VICTIM, b"x"])),
        ("a list instead", instead(&[b"RPUSH", VICTIM, b"x"])),
        ("an empty-looking hash instead", instead(&[b"HSET", VICTIM, b"other", b"x"])),
        ("no payload", vec![unset(b"payload")]),
        ("a payload that is not UTF-8", vec![set(b"payload", b"{\xff}")]),
        ("a payload that is too long", vec![set(b"payload", long)]),
        ("a zone that is too long", vec![set(b"clusterId", long)]),
        ("no zone", vec![unset(b"clusterId")]),
        ("a zone in another letter case", vec![set(b"clusterId", b"Z")]),
        ("a zone that is not UTF-8", vec![set(b"clusterId", b"z\xff")]),
        ("no id", vec![unset(b"id")]),
        ("another id", vec![set(b"id", b"good")]),
        ("an id that is not UTF-8", vec![set(b"id", b"\xff")]),
        ("no type", vec![unset(b"type")]),
        ("a type in lower case", vec![set(b"type", b"api")]),
        ("an unknown type", vec![set(b"type", b"CARRIER_PIGEON")]),
        ("the type of another kind", vec![set(b"type", b"API_KEY")]),
        ("no action", vec![unset(b"syncAction")]),
        ("an action in lower case", vec![set(b"syncAction", b"deploy")]),
        ("an unknown action", vec![set(b"syncAction", b"EXPLODE")]),
    ]
}

/// Rows that are right, around the one that is not.
fn good() -> Vec<Row> {
    vec![api("good"), api("vict"), api("victim2"), key("good", "k"), key("victim", "k")]
}

fn run(connection: &mut Connection, commands: &[Words<'_>]) {
    for words in commands {
        connection.command(words).unwrap();
    }
}

async fn check(redis: &Redis, which: &str) {
    let store = store(redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    let victim = api("victim");
    let whole = [good(), vec![victim.clone()]].concat();
    primary.write(whole.clone()).await;
    let long = vec![b'x'; 64 * 1024 * 1024 + 1];
    let mut connection = redis.connect().unwrap();
    for (what, commands) in damages(&long) {
        run(&mut connection, &commands);
        for way in WAYS {
            let found = read(&store, way.on(redis)).await;
            let (of_victim, others): (Vec<Row>, Vec<Row>) =
                found.into_iter().partition(|row| row.key == victim.key);
            assert_eq!(others, good(), "{which}, {what}, {way:?}");
            // A quick read goes by key, action and payload; only a close look compares the other fields.
            let is_told = of_victim.is_empty() || way != Way::Scanned && of_victim == [victim.clone()];
            assert!(is_told, "{which}, {what}, {way:?}: {of_victim:?}");
        }
        let since: Vec<Row> = read_since(&store, 1).await;
        assert!(good().iter().all(|row| since.contains(row)), "{which}, {what}");
        primary.write(vec![victim.clone()]).await;
        for way in WAYS {
            let found = read(&store, way.on(redis)).await;
            assert_eq!(found.len(), whole.len(), "{which}, {what}, {way:?}: put right");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_a_spoiled_row_loses_itself_only_with_rediseach() {
    check(&with_search(), "with RediSearch").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_a_spoiled_row_loses_itself_only_on_plain_redis() {
    check(&plain(), "plain").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_what_a_row_need_not_have_may_be_anything() {
    for (which, redis) in both() {
        let store = store(&redis, "z");
        let mut primary = Primary::new(&store, "n").await;
        primary.write(vec![api("victim")]).await;
        let mut connection = redis.connect().unwrap();
        for (field, value) in [
            (b"updatedAt".as_slice(), b"yesterday".as_slice()),
            (b"zonegateRecordedAt", b"\xff"),
            (b"zonegateRecordedAt", b"99999999999999999999"),
            (b"whatever", b"\x00"),
        ] {
            run(&mut connection, &[set(field, value)]);
            for way in WAYS {
                // RediSearch leaves out what its index cannot hold, and whoever counts reads key by key.
                if !(way == Way::Searched && field == b"updatedAt") {
                    assert_eq!(read(&store, way.on(&redis)).await, [api("victim")], "{which}, {way:?}");
                }
            }
            primary.write(vec![api("victim")]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_foreign_entries_among_the_rows_are_left_out() {
    for (which, redis) in both() {
        let store = store(&redis, "z");
        let mut primary = Primary::new(&store, "n").await;
        primary.write(good()).await;
        let mut connection = redis.connect().unwrap();
        let row = |key: &'static [u8], kind: &'static [u8]| -> Words<'static> {
            let fields: [&[u8]; 12] = [
                b"clusterId",
                b"z",
                b"id",
                b"x",
                b"type",
                kind,
                b"syncAction",
                b"DEPLOY",
                b"updatedAt",
                b"5",
                b"payload",
                b"{}",
            ];
            [[b"HSET".as_slice(), key].as_slice(), &fields].concat()
        };
        run(
            &mut connection,
            &[
                row(b"distributed_event:z:API:\xff\xfe", b"API"),
                row(b"distributed_event:z:API_KEY:x", b"API_KEY"),
                row(b"distributed_event:z:API:good:API_KEY:y", b"API_KEY"),
                row(b"distributed_event:z:API:good:DICTIONARY:x", b"DICTIONARY"),
                row(b"distributed_event:z:x", b"API"),
                row(b"distributed_event:z:", b"API"),
                row(b"distributed_event:other:API:x", b"API"),
                vec![b"SET", b"distributed_event:z:API:text", b"x"],
            ],
        );
        let known = |row: &Row| row.key == RowKey::scoped(zonegate_model::Kind::ApiKey, "good", "y");
        for way in WAYS {
            let mut found = read(&store, way.on(&redis)).await;
            // Its key is that of a row, its id says another: taken by who goes by keys.
            if way == Way::Searched {
                found.retain(|row| !known(row));
            }
            assert_eq!(found, good(), "{which}, {way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_a_spoiled_list_of_keys_is_found_out_by_who_counts() {
    let redis = plain();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    primary.write(good()).await;
    for spoil in [
        vec!["SET", "zonegate:z:rows", "x"],
        vec!["DEL", "zonegate:z:rows"],
        vec!["XADD", "zonegate:z:rows", "*", "keys", "99999999:x"],
    ] {
        redis.cli(&["DEL", "zonegate:z:rows"]).unwrap();
        redis.cli(&spoil).unwrap();
        // All rows, by another way, or too few: which makes the core read key by key, without the list.
        let found = digests(read(&store, Way::Listed.on(&redis)).await.iter());
        let is_whole = found == store.manifest().await.unwrap().unwrap().digests;
        assert_eq!(is_whole, spoil[0] == "SET", "{spoil:?}");
        assert_eq!(read(&store, Way::Scanned.on(&redis)).await, good(), "{spoil:?}");
        primary.write(vec![api("good")]).await;
    }
}
