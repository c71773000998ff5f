//! The targets by name.

mod definition;
mod event;
mod gravitee_yml;
mod http;
mod rows;
mod store;

/// A parser of foreign input under fuzzing.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, also of the folder of its seeds.
    pub name: &'static str,
    /// What it takes apart.
    pub about: &'static str,
    /// Takes any bytes. Panics if something does not hold.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "definition",
        about: "API, product and organization rows of the zone store",
        run: definition::run,
    },
    Target { name: "event", about: "event payloads of the management repository", run: event::run },
    Target { name: "rows", about: "subscription and key rows, up to the generation", run: rows::run },
    Target { name: "gravitee_yml", about: "gravitee.yml, placeholders, URLs", run: gravitee_yml::run },
    Target { name: "http", about: "request heads, chunked bodies, response heads, queries", run: http::run },
    Target { name: "store", about: "replies of Redis, and what others wrote into it", run: store::run },
];

/// The target of that name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Text as far as the bytes are text: a fuzzer should not have to learn UTF-8 first.
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
