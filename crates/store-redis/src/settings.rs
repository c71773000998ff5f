//! How to reach the zone store and how to use it. Independent of `gravitee.yml`: the binary translates.

use std::time::Duration;

use zonegate_model::secrecy::SecretString;

/// How rows lie in Redis (`zone-store.md` section 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// As APIM 4.12 and later have it: each zone by itself (Z8).
    #[default]
    V4_12,
    /// As APIM 4.0 to 4.11 have it: rows do not say of which zone they are, so a Redis holds one zone only.
    V4_11,
}

/// Settings of one [`crate::RedisStore`].
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// Host name or address of the server (`distributed-sync.redis.host`).
    pub host: String,
    /// Its port (`distributed-sync.redis.port`).
    pub port: u16,
    /// ACL user; `None` is Redis' `default` user (`distributed-sync.redis.username`).
    pub username: Option<String>,
    /// Password; `None` for a server that asks for none (`distributed-sync.redis.password`).
    pub password: Option<SecretString>,
    /// How rows lie there (`distributed-sync.layout`).
    pub layout: Layout,
    /// How long opening a connection, greeting included, may take (`distributed-sync.redis.tcp.connectTimeout`).
    pub connect_timeout: Duration,
    /// How long one command may take before the connection is given up as dead.
    pub call_timeout: Duration,
    /// How many committed batches the log keeps at most. A follower that is further behind reads the store instead.
    pub log_length: u32,
    /// How many bytes of rows the log keeps at most, so that full batches do not fill the server. The newest entry stays,
    /// whatever its size.
    pub log_bytes: u64,
    /// How long a member counts as alive after its last heartbeat.
    pub member_expiry: Duration,
    /// Most rows in one round trip of a read. Fewer where rows are large.
    pub read_rows: usize,
    /// Bytes of rows that one round trip of a read aims at, to bound memory (L2). One larger row still comes through.
    pub read_bytes: usize,
    /// What goes into the field `nodeVersion` of APIM's sync state. APIM writes it and never uses it.
    pub node_version: String,
}

impl RedisSettings {
    /// Defaults for a server at `host`:`port` without a password.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            username: None,
            password: None,
            layout: Layout::default(),
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(5),
            log_length: 512,
            log_bytes: 64 * 1024 * 1024,
            member_expiry: Duration::from_secs(10),
            read_rows: 1000,
            read_bytes: 8 * 1024 * 1024,
            node_version: concat!("zonegate ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// `host:port`, for messages.
    pub(crate) fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l3_the_password_does_not_show() {
        let settings =
            RedisSettings { password: Some("hunter2".into()), ..RedisSettings::new("redis", 6379) };
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert_eq!(settings.address(), "redis:6379");
        assert_eq!(RedisSettings::new("::1", 1).address(), "[::1]:1");
    }
}
