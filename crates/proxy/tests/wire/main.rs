//! The data plane over real sockets: raw clients on one side, in-process upstreams on the other.

#![expect(clippy::expect_used, reason = "a test fails where something is not as expected")]
#![expect(clippy::needless_pass_by_value, reason = "callers write JSON literals")]

mod api_key;
mod failures;
mod framing;
mod gateway;
mod golden;
mod lifecycle;
mod pass_through;
mod products;
mod upstream;
