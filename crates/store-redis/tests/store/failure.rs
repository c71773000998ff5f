//! What goes wrong with the server: said quickly, said clearly, and over when it is over (A2, L3).

use std::time::Duration;

use zonegate_model::ZoneName;
use zonegate_store_redis::{RedisSettings, RedisStore};
use zonegate_sync::port::{ReadMethod, StoreError, StoreFailure, ZoneStore};
use zonegate_testkit::redis::{AclUser, Redis, RedisOptions};

use super::support::*;

fn opened(settings: RedisSettings) -> RedisStore {
    RedisStore::new(settings, ZoneName::new("z"))
}

async fn error_of(store: &RedisStore) -> StoreError {
    store.manifest().await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l3_a_wrong_password_names_the_setting_and_not_the_value() {
    let redis = Redis::start(RedisOptions {
        search: false,
        password: Some("right".into()),
        ..RedisOptions::default()
    })
    .unwrap();
    let given =
        |password: Option<&str>| RedisSettings { password: password.map(Into::into), ..settings(&redis) };
    for password in [Some("hunter2"), None] {
        let error = error_of(&opened(given(password))).await;
        assert_eq!(error.failure, StoreFailure::Denied, "{error}");
        for part in ["distributed-sync.redis.password", &format!("127.0.0.1:{}", redis.port())] {
            assert!(error.message.contains(part), "{error}");
        }
        assert!(!error.message.contains("hunter2"), "{error}");
    }
    assert_eq!(opened(given(Some("right"))).manifest().await, Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c4_an_acl_user_with_just_the_rights_that_are_needed_can_do_everything() {
    let rules = "~distributed_event:* ~distributed_sync_state:* ~zonegate:* resetchannels &zonegate:* -@all +hello +auth \
                 +client|setname +script|load +evalsha +hset +hget +hmget +hgetall +hdel +del +exists +get +set \
                 +time +pttl +pexpire +xadd +xread +zadd +zrange +zremrangebyscore +scan +subscribe +unsubscribe \
                 +pubsub|numsub +ft.create +ft.info +ft.aggregate +ft.cursor +ping";
    for search in [true, false] {
        let rules = if search {
            rules.to_owned()
        } else {
            rules.replace("+ft.create +ft.info +ft.aggregate +ft.cursor", "")
        };
        let user = AclUser { name: "gateway".into(), password: "s3cret".into(), rules };
        let redis =
            Redis::start(RedisOptions { search, user: Some(user), ..RedisOptions::default() }).unwrap();
        let login = RedisSettings {
            username: Some("gateway".into()),
            password: Some("s3cret".into()),
            ..settings(&redis)
        };
        let store = opened(login.clone());
        let mut primary = Primary::new(&store, "n").await;
        primary.write(vec![api("a")]).await;
        for method in [ReadMethod::Index, ReadMethod::Scan] {
            assert_eq!(read(&store, method).await, [api("a")], "{search}");
        }
        assert_eq!(read_since(&store, 1).await, [api("a")], "{search}");
        assert_eq!(store.follow(zonegate_model::Revision(0), Duration::ZERO).await.unwrap().len(), 1);
        store.release(node("n"), primary.grant).await.unwrap();

        let stranger = opened(RedisSettings { username: Some("nobody".into()), ..login });
        let error = error_of(&stranger).await;
        assert_eq!(error.failure, StoreFailure::Denied, "{error}");
        assert!(error.message.contains("distributed-sync.redis.username"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_is_named() {
    let user =
        AclUser { name: "gateway".into(), password: "s3cret".into(), rules: "~* &* +@all -evalsha".into() };
    let redis =
        Redis::start(RedisOptions { search: false, user: Some(user), ..RedisOptions::default() }).unwrap();
    let login = RedisSettings {
        username: Some("gateway".into()),
        password: Some("s3cret".into()),
        ..settings(&redis)
    };
    let error = opened(login).acquire(request("n", LONG)).await.unwrap_err();
    assert_eq!(error.failure, StoreFailure::Denied, "{error}");
    assert!(error.message.contains("evalsha") && error.message.contains("username"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_while_redis_is_down_calls_fail_at_once_and_when_it_is_back_they_work() {
    let mut redis = plain();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    primary.write(vec![api("a")]).await;
    redis.save().unwrap();
    redis.kill().unwrap();
    let address = format!("127.0.0.1:{}", redis.port());
    eventually("the loss is noticed", async || store.manifest().await.is_err()).await;
    // Sixty calls that each waited for a connection would take minutes.
    let calls = tokio::time::timeout(PATIENCE, async {
        for _ in 0..20 {
            let error = error_of(&store).await;
            assert_eq!(error.failure, StoreFailure::Unreachable, "{error}");
            assert!(error.message.contains(&address), "{error}");
            let read = store.read(ReadMethod::Scan, &mut Collect::default()).await.unwrap_err();
            assert_eq!(read.failure, StoreFailure::Unreachable, "{read}");
            let followed = store.follow(zonegate_model::Revision(0), PATIENCE).await.unwrap_err();
            assert_eq!(followed.failure, StoreFailure::Unreachable, "{followed}");
        }
    });
    assert!(calls.await.is_ok(), "calls waited for a server that is known to be down");
    redis.start_again().unwrap();
    eventually("calls work again", async || store.manifest().await == Ok(primary.manifest.clone())).await;
    eventually("reads work again", async || {
        store.read(ReadMethod::Scan, &mut Collect::default()).await.is_ok()
    })
    .await;
    assert_eq!(read(&store, ReadMethod::Index).await, [api("a")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_a_store_may_be_opened_before_redis_runs() {
    let mut redis = plain();
    redis.kill().unwrap();
    let store = store(&redis, "z");
    let error = error_of(&store).await;
    assert_eq!(error.failure, StoreFailure::Unreachable, "{error}");
    assert!(error.message.contains("distributed-sync.redis.host"), "{error}");
    redis.start_again().unwrap();
    eventually("calls work", async || store.manifest().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_a_server_that_hangs_is_given_up_after_the_time_out_and_found_again() {
    let mut redis = plain();
    let store = opened(RedisSettings { call_timeout: Duration::from_secs(1), ..settings(&redis) });
    store.manifest().await.unwrap();
    redis.pause().unwrap();
    let error = error_of(&store).await;
    assert_eq!(error.failure, StoreFailure::Unreachable, "{error}");
    assert!(error.message.contains("1000 ms"), "{error}");
    redis.resume().unwrap();
    eventually("calls work again", async || store.manifest().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_and_a_spoiled_manifest_are_told_from_a_failure_of_the_network() {
    let redis = plain();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    let error = primary.try_write(vec![api("a")]).await.unwrap_err();
    assert_eq!(error.failure, StoreFailure::ReadOnly, "{error}");
    redis.cli(&["REPLICAOF", "NO", "ONE"]).unwrap();
    primary.write(vec![api("a")]).await;
    redis.cli(&["HSET", "zonegate:z:manifest", "revision", "many"]).unwrap();
    let error = error_of(&store).await;
    assert_eq!(error.failure, StoreFailure::Malformed, "{error}");
    assert!(error.message.contains("revision") && error.message.contains("zonegate:z:manifest"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_store_closes_its_connections() {
    let redis = plain();
    let store = store(&redis, "z");
    let _ = Primary::new(&store, "n").await;
    read(&store, ReadMethod::Scan).await;
    store.follow(zonegate_model::Revision(0), Duration::ZERO).await.unwrap();
    let ours = || redis.cli(&["CLIENT", "LIST"]).unwrap().text().unwrap().matches("name=zonegate-").count();
    assert_eq!(ours(), 2, "that of the read is closed already");
    drop(store);
    eventually("connections are closed", async || ours() == 0).await;
}
