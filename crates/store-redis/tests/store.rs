//! The adapter against real servers: Redis 7.4 with RediSearch, and Redis 7.0 without.

mod store {
    mod apim;
    mod election;
    mod failure;
    mod fencing;
    mod following;
    mod isolation;
    mod members;
    mod reading;
    mod support;
    mod volume;
}
