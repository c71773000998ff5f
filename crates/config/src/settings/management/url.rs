//! JDBC URLs. Credentials in them become secrets, and are not shown.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::JdbcUrl;
use crate::diagnostic::{Diagnostic, names_a_secret};
use crate::reader::Reader;

const KEY: &str = "management.jdbc.url";
const FORMS: &str = "write `jdbc:postgresql://host:port/database` or `jdbc:sqlite:path`";

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
            if let JdbcUrl::Postgresql { parameters, .. } = &parts.url
                && parameters.iter().any(|(name, value)| asks_for_tls(name, value))
            {
                reader.about(
                    KEY,
                    Diagnostic::error("TLS is not supported yet")
                        .hint("remove `ssl` and `sslmode` from the URL, or set `sslmode=disable`"),
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

fn asks_for_tls(name: &str, value: &str) -> bool {
    match name {
        "ssl" => !value.eq_ignore_ascii_case("false"),
        // `prefer` and `allow` are content without.
        "sslmode" => matches!(value.to_ascii_lowercase().as_str(), "require" | "verify-ca" | "verify-full"),
        _ => false,
    }
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
    let dialect = rest.split(':').next().unwrap_or_default();
    let known = ["mysql", "mariadb", "sqlserver"].contains(&dialect);
    Err(if known {
        format!("{dialect} is not supported yet; PostgreSQL and SQLite are")
    } else {
        "the database is not supported; PostgreSQL and SQLite are".to_owned()
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
    let url = Url::parse(&full).map_err(|error| format!("the URL cannot be read: {error}"))?;
    let database = percent_decoded(url.path().trim_start_matches('/'));
    let host = match url.host_str() {
        Some(host) if !host.is_empty() => host.trim_matches(['[', ']']).to_owned(),
        _ => "localhost".to_owned(),
    };
    let mut username = Some(percent_decoded(url.username())).filter(|name| !name.is_empty());
    let mut password = url.password().map(|password| SecretString::from(percent_decoded(password)));
    let mut schema = None;
    let mut parameters = Vec::new();
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "user" => username = Some(value.into_owned()),
            "password" => password = Some(SecretString::from(value.into_owned())),
            "currentSchema" => schema = Some(value.into_owned()).filter(|schema| !schema.is_empty()),
            // Passwords of client certificates; TLS is refused anyway.
            name if names_a_secret(name) => {}
            _ => parameters.push((name.into_owned(), value.into_owned())),
        }
    }
    // The driver takes the user's name for an absent database.
    let database = if database.is_empty() { username.clone().unwrap_or_default() } else { database };
    if database.is_empty() {
        return Err("the URL names no database".to_owned());
    }
    let url = JdbcUrl::Postgresql { host, port: url.port().unwrap_or(5432), database, parameters };
    Ok(Parts { url, username, password, schema })
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
            "jdbc:mysql://db/apim",
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
}
