//! `gravitee.yml` and the environment, as typed settings of which each knows where it came from (C1).
//!
//! Relies on nothing but the file's text and the pairs of the environment, both given; [`process_environment`] is the
//! one place that reads the real one. Carries C1, and L1 and L3 for this input: no text makes it panic or run without
//! bounds, and no secret is in a message, an excerpt or a `Debug` output.
//!
//! The way of a value: `yaml` flattens the file to properties → `property` looks a key up in all sources and expands
//! placeholders → `reader` converts it where its type is known → [`Settings`]. `known_keys` says what is known at all.

mod diagnostic;
mod environment;
mod known_keys;
mod load;
mod origin;
mod placeholder;
mod property;
mod reader;
mod report;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod unknown_key;
mod yaml;

pub use known_keys::{KnownKey, Status, known_keys};
pub use load::{LoadError, Loaded, default_path, load, load_text};
pub use origin::{Origin, Place};
pub use report::{EffectiveSetting, IgnoredKey, Problem, Report, Severity};
pub use settings::{
    ApiKeySettings, ApiSettings, Authentication, DistributedSync, ErrorAnswer, Health, HostPort,
    HttpListener, HttpSettings, Jdbc, JdbcPool, JdbcUrl, Layout, Management, Metrics, Mongo, MongoParts,
    MongoPlace, OverrideMode, ReadPreference, RedisEndpoint, RedisStore, RequestHeaders, Role, Settings,
    Sync, TechnicalApi, TracedHeader, Zone, ZoneSource,
};

/// The environment of this process. Variables whose name or value is not UTF-8 are left out.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
