//! Members of the zone and their expiry.

use std::time::Duration;

use zonegate_model::{Revision, StoreId, ZoneName};
use zonegate_store_redis::{RedisSettings, RedisStore};
use zonegate_sync::port::{Member, MemberRole, ZoneStore};

use super::support::*;

fn member(name: &str) -> Member {
    Member {
        node: node(name),
        host: "host-ü".into(),
        version: "1".into(),
        role: MemberRole::Secondary,
        technical_api: Some("http://10.0.0.1:18082".into()),
        applied: Some((StoreId(u128::MAX), Revision(7))),
        repository_reachable: Some(false),
        suspects: None,
        wants_audit: true,
        since: -1,
    }
}

fn names(members: &[Member]) -> Vec<String> {
    let mut names: Vec<_> = members.iter().map(|member| member.node.to_string()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_see_each_other_and_the_silent_ones_expire() {
    for (which, redis) in both() {
        let store = RedisStore::new(
            RedisSettings { member_expiry: Duration::from_secs(2), ..settings(&redis) },
            ZoneName::new("z"),
        );
        assert_eq!(store.heartbeat(member("a")).await.unwrap(), [member("a")], "{which}");
        assert_eq!(names(&store.heartbeat(member("b")).await.unwrap()), ["a", "b"], "{which}");
        eventually("a expires", async || names(&store.heartbeat(member("b")).await.unwrap()) == ["b"]).await;
        assert_eq!(redis.cli(&["HKEYS", "zonegate:z:members"]).unwrap().texts(), ["b"], "{which}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_members_that_cannot_be_read_and_keys_of_the_wrong_type_do_no_harm() {
    let redis = plain();
    let store = store(&redis, "z");
    redis.cli(&["RPUSH", "zonegate:z:members", "x"]).unwrap();
    redis.cli(&["SET", "zonegate:z:seen", "x"]).unwrap();
    store.heartbeat(member("a")).await.unwrap();
    redis.cli(&["HSET", "zonegate:z:members", "garbage", "{", "unseen", "{}"]).unwrap();
    redis.cli(&["ZADD", "zonegate:z:seen", "9999999999999", "from-the-future"]).unwrap();
    let now = redis.cli(&["ZSCORE", "zonegate:z:seen", "a"]).unwrap().text().unwrap();
    redis.cli(&["ZADD", "zonegate:z:seen", &now, "garbage"]).unwrap();
    assert_eq!(names(&store.heartbeat(member("b")).await.unwrap()), ["a", "b"]);
}
