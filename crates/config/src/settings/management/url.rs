//! JDBC URLs. Credentials in them become secrets, and are not shown.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::JdbcUrl;
use crate::diagnostic::{Diagnostic, names_a_secret};
use crate::reader::Reader;

const KEY: &str = "management.jdbc.url";
const FORMS: &str = "write `jdbc:postgresql://host:port/database`, `jdbc:mysql://…`, `jdbc:mariadb://…` or `jdbc:sqlite:path`";
const SUPPORTED: &str =
    "PostgreSQL, MySQL, MariaDB and SQLite are, and MongoDB with `management.type: mongodb`";

/// What a URL says.
pub(super) struct Parts {
    pub(super) url: JdbcUrl,
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) schema: Option<String>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Parts> {
    let Some(text) = reader.optional_text(KEY) else {
        // A value that is not usable has been reported already.
        reader.about(KEY, Diagnostic::error("is needed for `management.type: jdbc`").hint(FORMS));
        return None;
    };
    match parse(&text) {
        Ok(parts) => {
            if let Some((name, remedy)) = asks_for_tls(&parts.url) {
                reader.about(
                    KEY,
                    Diagnostic::error(format!(
                        "TLS is not supported yet, and `{name}` in the URL asks for it"
                    ))
                    .hint(remedy),
                );
            }
            Some(parts)
        }
        Err(problem) => {
            reader.about(KEY, Diagnostic::error(problem).hint(FORMS));
            None
        }
    }
}

/// The parameter that asks for TLS, and what to do. Content without it are `prefer`, `PREFERRED` and the like.
fn asks_for_tls(url: &JdbcUrl) -> Option<(&str, &'static str)> {
    let on = |value: &str| !value.eq_ignore_ascii_case("false");
    let (parameters, asks, remedy): (_, fn(&str, &str, bool) -> bool, _) = match url {
        JdbcUrl::Postgresql { parameters, .. } => (
            parameters,
            |name, value, on| match name {
                "ssl" => on,
                "sslmode" => ["require", "verify-ca", "verify-full"]
                    .iter()
                    .any(|mode| value.eq_ignore_ascii_case(mode)),
                _ => false,
            },
            "remove `ssl` and `sslmode` from the URL, or set `sslmode=disable`",
        ),
        JdbcUrl::Mysql { parameters, .. } => (
            parameters,
            |name, value, on| match name.to_ascii_lowercase().as_str() {
                "usessl" | "requiressl" => on,
                // The first two of each driver's own words.
                "sslmode" => !["disabled", "preferred", "disable", "false"]
                    .iter()
                    .any(|mode| value.eq_ignore_ascii_case(mode)),
                _ => false,
            },
            "remove `useSSL`, `requireSSL` and `sslMode` from the URL, or set `sslMode=DISABLED` (`disable` for MariaDB)",
        ),
        JdbcUrl::Sqlite { .. } => return None,
    };
    parameters
        .iter()
        .find(|(name, value)| asks(name, value, on(value)))
        .map(|(name, _)| (name.as_str(), remedy))
}

/// Reads a URL, or says what is wrong with it, without showing it.
fn parse(text: &str) -> Result<Parts, String> {
    let rest = text.strip_prefix("jdbc:").ok_or("a JDBC URL begins with `jdbc:`")?;
    if let Some(path) = rest.strip_prefix("sqlite:") {
        return sqlite(path);
    }
    if let Some(rest) = rest.strip_prefix("postgresql:") {
        return postgresql(rest);
    }
    if let Some(rest) = rest.strip_prefix("mysql:").or_else(|| rest.strip_prefix("mariadb:")) {
        return mysql(rest);
    }
    Err(if rest.starts_with("sqlserver:") {
        format!(
            "a management repository in SQL Server is not supported; {SUPPORTED}. A gateway that only reads its \
             zone's store needs none: `services.sync.repository.enabled: false`"
        )
    } else {
        format!("the database is not supported; {SUPPORTED}")
    })
}

fn sqlite(path: &str) -> Result<Parts, String> {
    let path = path.strip_prefix("file:").unwrap_or(path);
    let path = path.split('?').next().unwrap_or_default();
    if path.is_empty() || path == ":memory:" {
        return Err("the URL names no database file".to_owned());
    }
    let url = JdbcUrl::Sqlite { path: PathBuf::from(path) };
    Ok(Parts { url, username: None, password: None, schema: None })
}

fn postgresql(rest: &str) -> Result<Parts, String> {
    // `jdbc:postgresql:database` is allowed and means localhost.
    let full = if rest.starts_with("//") {
        format!("postgresql:{rest}")
    } else {
        format!("postgresql://localhost/{rest}")
    };
    if rest.split(['/', '?']).nth(2).is_some_and(|hosts| hosts.contains(',')) {
        return Err("several hosts in the URL are not supported yet".to_owned());
    }
    let mut server = Server::parse(&full)?;
    let schema = server.take("currentSchema");
    // The driver takes the user's name for an absent database.
    if server.database.is_empty() {
        server.database = server.username.clone().unwrap_or_default();
    }
    if server.database.is_empty() {
        return Err("the URL names no database".to_owned());
    }
    let url = JdbcUrl::Postgresql {
        host: server.host,
        port: server.port.unwrap_or(5432),
        database: server.database,
        parameters: server.parameters,
    };
    Ok(Parts { url, username: server.username, password: server.password, schema })
}

fn mysql(rest: &str) -> Result<Parts, String> {
    // Between kind and host a driver's mode can stand, such as `replication` or `sequential`.
    let Some(place) = rest.strip_prefix("//") else {
        return Err("the host is missing, or modes such as `replication:` or `sequential:`, which are not \
                    supported yet, stand before it"
            .to_owned());
    };
    if place.split(['/', '?']).next().is_some_and(|hosts| hosts.contains([',', '('])) {
        return Err("several hosts in the URL are not supported yet; name one".to_owned());
    }
    let server = Server::parse(&format!("mysql:{rest}"))?;
    if server.database.is_empty() {
        return Err("the URL names no database".to_owned());
    }
    let url = JdbcUrl::Mysql {
        host: server.host,
        port: server.port.unwrap_or(3306),
        database: server.database,
        parameters: server.parameters,
    };
    Ok(Parts { url, username: server.username, password: server.password, schema: None })
}

/// What the URL of a server says, whatever its database.
struct Server {
    host: String,
    port: Option<u16>,
    database: String,
    username: Option<String>,
    password: Option<SecretString>,
    parameters: Vec<(String, String)>,
}

impl Server {
    fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("the URL cannot be read: {error}"))?;
        let host = match url.host_str() {
            Some(host) if !host.is_empty() => host.trim_matches(['[', ']']).to_owned(),
            _ => "localhost".to_owned(),
        };
        let mut server = Self {
            host,
            port: url.port(),
            database: percent_decoded(url.path().trim_start_matches('/')),
            username: Some(percent_decoded(url.username())).filter(|name| !name.is_empty()),
            password: url.password().map(|password| SecretString::from(percent_decoded(password))),
            parameters: Vec::new(),
        };
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "user" => server.username = Some(value.into_owned()),
                "password" => server.password = Some(SecretString::from(value.into_owned())),
                // Passwords of client certificates; TLS is refused anyway.
                name if names_a_secret(name) => {}
                _ => server.parameters.push((name.into_owned(), value.into_owned())),
            }
        }
        Ok(server)
    }

    /// Takes a parameter out. Nothing if it is empty.
    fn take(&mut self, name: &str) -> Option<String> {
        let index = self.parameters.iter().position(|(found, _)| found == name)?;
        Some(self.parameters.remove(index).1).filter(|value| !value.is_empty())
    }
}

fn percent_decoded(text: &str) -> String {
    // A form decoder would turn `+` into a blank.
    let protected = text.replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={protected}").as_bytes())
        .next()
        .map_or_else(|| text.to_owned(), |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn server(text: &str) -> (String, u16, String) {
        match parse(text).map(|parts| parts.url) {
            Ok(JdbcUrl::Postgresql { host, port, database, .. }) => (host, port, database),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn c1_jdbc_urls_of_postgresql_and_sqlite_are_read() {
        assert_eq!(server("jdbc:postgresql://db:5433/apim?x=y"), ("db".into(), 5433, "apim".into()));
        assert_eq!(server("jdbc:postgresql://[::1]/apim"), ("::1".into(), 5432, "apim".into()));
        assert_eq!(server("jdbc:postgresql:apim"), ("localhost".into(), 5432, "apim".into()));
        let sqlite = parse("jdbc:sqlite:/var/lib/a.db").map(|parts| parts.url).ok();
        assert_eq!(sqlite, Some(JdbcUrl::Sqlite { path: "/var/lib/a.db".into() }));
        let parts = parse("jdbc:postgresql://db/apim?user=u&password=p%2Bq&currentSchema=s").ok().unwrap();
        assert_eq!(parts.username.as_deref(), Some("u"));
        assert_eq!(parts.password.unwrap().expose_secret(), "p+q");
        assert_eq!(parts.schema.as_deref(), Some("s"));
        for wrong in [
            "postgresql://db/apim",
            "jdbc:postgresql://db",
            "jdbc:postgresql://a,b/apim",
            "jdbc:sqlite:",
            "jdbc:sqlite::memory:",
            "jdbc:",
            "",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn c1_jdbc_urls_of_mysql_and_mariadb_are_read() {
        let parts = |text: &str| parse(text).ok().unwrap();
        let of = |host: &str, port, parameters: &[(&str, &str)]| JdbcUrl::Mysql {
            host: host.to_owned(),
            port,
            database: "apim".to_owned(),
            parameters: parameters.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        };
        assert_eq!(parts("jdbc:mariadb://[::1]/apim").url, of("::1", 3306, &[]));
        let url =
            "jdbc:mysql://db:3307/apim?useUnicode=true&user=u&password=p%2Bq&serverTimezone=Europe/Paris";
        let found = parts(url);
        assert_eq!(found.url, of("db", 3307, &[("useUnicode", "true"), ("serverTimezone", "Europe/Paris")]));
        assert_eq!(found.username.as_deref(), Some("u"));
        assert_eq!(found.password.unwrap().expose_secret(), "p+q");
        for wrong in [
            "jdbc:mysql://db",
            "jdbc:mysql://db/",
            "jdbc:mysql://a:1,b:2/apim",
            "jdbc:mysql:replication://a,b/apim",
            "jdbc:mariadb:sequential://a/apim",
            "jdbc:mysql://address=(host=a)(port=1)/apim",
            "jdbc:mysql:apim",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tls_is_recognised_in_every_drivers_words_and_indifference_to_it_too() {
        let asks = |text: &str| {
            let parts = parse(text).ok().unwrap();
            asks_for_tls(&parts.url).map(|(name, _)| name.to_owned())
        };
        for (name, value) in [
            ("useSSL", "true"),
            ("useSsl", "true"),
            ("requireSSL", "true"),
            ("sslMode", "REQUIRED"),
            ("sslMode", "VERIFY_IDENTITY"),
            ("sslMode", "trust"),
            ("sslMode", "verify-full"),
        ] {
            let url = format!("jdbc:mysql://db/apim?useUnicode=true&{name}={value}");
            assert_eq!(asks(&url).as_deref(), Some(name), "{url}");
        }
        assert_eq!(asks("jdbc:mysql://db/apim?useSSL=false&sslMode=PREFERRED"), None);
        assert_eq!(asks("jdbc:mariadb://db/apim?sslMode=disable&allowPublicKeyRetrieval=true"), None);
        assert_eq!(asks("jdbc:postgresql://db/apim?sslmode=require").as_deref(), Some("sslmode"));
        assert_eq!(asks("jdbc:postgresql://db/apim?sslmode=prefer&ssl=false"), None);
    }

    #[test]
    fn a_database_that_is_not_supported_is_named_with_those_that_are() {
        let error = parse("jdbc:sqlserver://db:1433;databaseName=apim").err().unwrap();
        assert!(error.contains("SQL Server") && error.contains("PostgreSQL, MySQL, MariaDB"), "{error}");
    }
}
