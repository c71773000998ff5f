//! Cross-origin settings of an API (`data-plane.md` sections 1.3, 2.10).

pub(crate) mod json;

/// Cross-origin settings that are switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Number of the V4 listener that has them; 0 in V2.
    pub listener: usize,
    /// Origins: `*`, exact, or a regular expression if it has `(`, `[` or `*`.
    pub allow_origin: Vec<String>,
    /// Methods in upper case; `*`: any; empty: every preflight fails.
    pub allow_methods: Vec<String>,
    /// Request headers; `*` or empty: any.
    pub allow_headers: Vec<String>,
    /// Response headers that scripts may read.
    pub expose_headers: Vec<String>,
    /// Credentials may be sent.
    pub allow_credentials: bool,
    /// Seconds that a preflight may be remembered.
    pub max_age: Option<u64>,
    /// Run flows on a preflight.
    pub run_policies: bool,
    /// Allow requests into a private network.
    pub allow_private_network: bool,
}
