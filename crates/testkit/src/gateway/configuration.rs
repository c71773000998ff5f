//! What a gateway under test is told: settings by dotted key, written as the nested YAML that people write.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use crate::redis::Redis;

/// The settings and the environment of a gateway under test.
///
/// Starts from: traffic and technical API on free ports of 127.0.0.1, user `admin` with password `adminadmin`, metrics on,
/// a cadence of 200 ms. Later settings win.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Its name, for messages and its folder.
    pub name: String,
    /// What is added to the environment.
    pub environment: Vec<(String, String)>,
    /// The binary; [`gateway_binary`](crate::gateway::gateway_binary) if `None`.
    pub binary: Option<PathBuf>,
    settings: BTreeMap<String, String>,
}

impl GatewayOptions {
    /// A lone gateway without a repository.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let options =
            Self { name: name.to_owned(), environment: Vec::new(), binary: None, settings: BTreeMap::new() };
        options
            .set("http.host", "127.0.0.1")
            .set("services.core.http.enabled", "true")
            .set("services.core.http.host", "127.0.0.1")
            .set("services.core.http.authentication.type", "basic")
            .set("services.core.http.authentication.users.admin", "adminadmin")
            .set("services.metrics.enabled", "true")
            .set("services.metrics.prometheus.enabled", "true")
            .set("services.sync.delay", "200")
            .set("services.sync.unit", "MILLISECONDS")
    }

    /// Reads a management repository behind a JDBC URL.
    #[must_use]
    pub fn repository(self, jdbc_url: &str, user: Option<&str>, password: Option<&str>) -> Self {
        let mut options = self.set("management.type", "jdbc").set("management.jdbc.url", jdbc_url);
        if let Some(user) = user {
            options = options.set("management.jdbc.username", user);
        }
        if let Some(password) = password {
            options = options.set("management.jdbc.password", password);
        }
        options
    }

    /// Takes part in a zone whose store is `redis`, with the password of its default user, if any.
    #[must_use]
    pub fn zone(self, zone: &str, redis: &Redis) -> Self {
        self.zone_at(zone, redis.port(), redis.password())
    }

    /// Takes part in a zone whose store is behind a port of 127.0.0.1, such as that of a
    /// [`TcpProxy`](crate::tcp_proxy::TcpProxy).
    #[must_use]
    pub fn zone_at(self, zone: &str, port: u16, password: Option<&str>) -> Self {
        let mut options = self
            .set("services.sync.distributed.enabled", "true")
            .set("distributed-sync.type", "redis")
            .set("distributed-sync.zone", zone)
            .set("distributed-sync.redis.host", "127.0.0.1")
            .set("distributed-sync.redis.port", &port.to_string());
        if let Some(password) = password {
            options = options.set("distributed-sync.redis.password", password);
        }
        options
    }

    /// Sets one setting by its dotted key.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The file, for a gateway on these ports.
    #[must_use]
    pub fn yaml(&self, http: u16, technical: u16) -> String {
        let mut settings = self.settings.clone();
        settings.entry("http.port".into()).or_insert(http.to_string());
        settings.entry("services.core.http.port".into()).or_insert(technical.to_string());
        let mut text = String::new();
        let mut parents: Vec<&str> = Vec::new();
        // Sorted by their parts, settings with the same parent stand together.
        let mut settings: Vec<(Vec<&str>, &String)> =
            settings.iter().map(|(key, value)| (key.split('.').collect(), value)).collect();
        settings.sort();
        for (parts, value) in &settings {
            let Some((name, path)) = parts.split_last() else { continue };
            let shared = parents.iter().zip(path).take_while(|(a, b)| a == b).count();
            for (depth, parent) in path.iter().enumerate().skip(shared) {
                let _ = writeln!(text, "{:indent$}{parent}:", "", indent = depth * 2);
            }
            let _ = writeln!(text, "{:indent$}{name}: {}", "", scalar(value), indent = path.len() * 2);
            parents = path.to_vec();
        }
        text
    }
}

/// Numbers and truth values plainly, all else quoted.
fn scalar(value: &str) -> String {
    let plain = matches!(value, "true" | "false") || value.parse::<i64>().is_ok();
    if plain { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_keys_become_nested_yaml() {
        let options = GatewayOptions { settings: BTreeMap::new(), ..GatewayOptions::new("a") };
        let options = options
            .set("a-b.c", "x: \"y\"")
            .set("a.b", "1")
            .set("a.d.e", "true")
            .set("a.d.f", "")
            .set("http.port", "1");
        assert_eq!(
            options.yaml(80, 90),
            "a:\n  b: 1\n  d:\n    e: true\n    f: \"\"\na-b:\n  c: \"x: \\\"y\\\"\"\nhttp:\n  port: 1\n\
             services:\n  core:\n    http:\n      port: 90\n"
        );
    }
}
