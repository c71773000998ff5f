//! What comes over the wire: heads of requests and responses, chunked bodies, queries. How the bytes are cut into pieces
//! must not matter.

pub(super) fn run(bytes: &[u8]) {
    zonegate_proxy::fuzzing::request_head(bytes);
    zonegate_proxy::fuzzing::response_head(bytes);
    zonegate_proxy::fuzzing::chunked_body(bytes);
    zonegate_proxy::fuzzing::query(&super::text(bytes));
}
