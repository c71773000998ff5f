//! The policies that come with the gateway, one module each.

pub(crate) mod transform_headers;
