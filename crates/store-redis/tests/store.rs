//! The adapter against real servers: Redis 7.4 with RediSearch, and Redis 7.0 without.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in what tests share")]
#![expect(clippy::print_stderr, reason = "tests say that they are skipped")]

mod store {
    mod apim;
    mod election;
    mod failure;
    mod fencing;
    mod following;
    mod garbage;
    mod isolation;
    mod members;
    mod older_layout;
    mod reading;
    mod support;
    mod volume;
}
