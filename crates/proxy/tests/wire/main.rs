//! The data plane over real sockets: raw clients on one side, in-process upstreams on the other.

mod api_key;
mod failures;
mod framing;
mod gateway;
mod golden;
mod lifecycle;
mod pass_through;
mod upstream;
