//! JDBC URLs, as far as the databases go.

mod mysql;

use std::path::PathBuf;

use url::Url;

use super::{Database, SettingsError};
use crate::ColumnZone;
use crate::times::Written;

impl Database {
    /// Reads `jdbc:postgresql://host:port/database?parameters`, the same with `mysql` or `mariadb`, or
    /// `jdbc:sqlite:/path`.
    pub fn from_jdbc(url: &str) -> Result<Self, SettingsError> {
        let wrong = |message: &str| SettingsError::Url(message.to_owned());
        let rest = url.strip_prefix("jdbc:").ok_or_else(|| wrong("a JDBC URL begins with `jdbc:`"))?;
        let (kind, place) = rest
            .split_once(':')
            .ok_or_else(|| wrong("a JDBC URL names a database, as in `jdbc:postgresql:…`"))?;
        match kind {
            "postgresql" => postgresql(place),
            "mysql" | "mariadb" => mysql::parse(place),
            "sqlite" => {
                let path = place.split('?').next().unwrap_or_default();
                if path.is_empty() || path == ":memory:" {
                    return Err(wrong("`jdbc:sqlite:` needs the path of a file"));
                }
                Ok(Self::Sqlite { path: PathBuf::from(path) })
            }
            other => {
                let other = other.chars().take(20).collect::<String>();
                Err(SettingsError::Url(format!(
                    "databases of type `{other}` are not supported; `jdbc:postgresql:`, `jdbc:mysql:`, \
                     `jdbc:mariadb:` and `jdbc:sqlite:` are"
                )))
            }
        }
    }

    /// Whether it can be used. Says how its times were written, given `management.jdbc.timezone`.
    pub(crate) fn check(&self, zone: Option<ColumnZone>) -> Result<Written, SettingsError> {
        let written = Written { zone: zone.unwrap_or_default(), through_server: false };
        let (parameters, asks_for_tls): (_, fn(&str, &str) -> bool) = match self {
            Self::Postgresql { parameters, .. } => (parameters, asks_for_tls),
            Self::Mysql { parameters, .. } => (parameters, mysql::asks_for_tls),
            Self::Sqlite { .. } => return Ok(written),
        };
        if let Some((name, value)) = parameters.iter().find(|(name, value)| asks_for_tls(name, value)) {
            let value = value.chars().take(20).collect::<String>();
            return Err(SettingsError::Tls(format!("{name}={value}")));
        }
        match self {
            Self::Mysql { parameters, .. } => mysql::written(zone, parameters),
            Self::Postgresql { .. } | Self::Sqlite { .. } => Ok(written),
        }
    }
}

fn asks_for_tls(name: &str, value: &str) -> bool {
    match name {
        "sslmode" => !["disable", "allow", "prefer"].contains(&value),
        "ssl" => !value.eq_ignore_ascii_case("false"),
        _ => false,
    }
}

fn postgresql(place: &str) -> Result<Database, SettingsError> {
    let wrong = |message: &str| SettingsError::Url(message.to_owned());
    if place.split('?').next().is_some_and(|hosts| hosts.contains(',')) {
        return Err(wrong("several hosts in one URL are not supported yet; name one"));
    }
    // `jdbc:postgresql:database` means the local server.
    let place = if place.starts_with("//") {
        format!("postgresql:{place}")
    } else {
        format!("postgresql://localhost/{}", place.trim_start_matches('/'))
    };
    let url = Url::parse(&place).map_err(|error| SettingsError::Url(format!("not a URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "user and password cannot stand before the host; set `management.jdbc.username` and \
             `management.jdbc.password`",
        ));
    }
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
    let database = url.path().trim_start_matches('/');
    if database.is_empty() || database.contains('/') {
        return Err(wrong(
            "the name of the database is missing, as in `jdbc:postgresql://host:5432/gravitee`",
        ));
    }
    let database = percent_decoded(database).ok_or_else(|| wrong("the name of the database is not UTF-8"))?;
    // What is a setting of its own does not count here, and secrets stay out of everything that can be shown (L3).
    let kept =
        |name: &str| !["user", "currentSchema"].contains(&name) && !name.to_lowercase().contains("password");
    let parameters = url.query_pairs().filter(|(name, _)| kept(name));
    let parameters = parameters.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Ok(Database::Postgresql {
        host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: url.port().unwrap_or(5432),
        database,
        parameters,
    })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqlSettings;

    fn server(host: &str, port: u16, database: &str, parameters: &[(&str, &str)]) -> Database {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Database::Postgresql {
            host: host.to_owned(),
            port,
            database: database.to_owned(),
            parameters: parameters.collect(),
        }
    }

    #[test]
    fn a_jdbc_url_says_where_the_database_is() {
        for (url, database) in [
            ("jdbc:postgresql://db:5433/gravitee", server("db", 5433, "gravitee", &[])),
            (
                "jdbc:postgresql://db/my%20base?sslmode=prefer",
                server("db", 5432, "my base", &[("sslmode", "prefer")]),
            ),
            ("jdbc:postgresql://[::1]:5432/g", server("::1", 5432, "g", &[])),
            ("jdbc:postgresql:g", server("localhost", 5432, "g", &[])),
            ("jdbc:sqlite:/var/lib/apim.db", Database::Sqlite { path: "/var/lib/apim.db".into() }),
        ] {
            assert_eq!(Database::from_jdbc(url), Ok(database), "{url}");
        }
    }

    #[test]
    fn c1_a_wrong_url_is_an_error_that_names_the_setting_and_no_password() {
        for url in [
            "postgresql://db/g",
            "jdbc:postgresql://db:5432/",
            "jdbc:postgresql://user:hunter2@db/g",
            "jdbc:postgresql://a,b/g",
            "jdbc:sqlserver://db:1433;databaseName=g",
            "jdbc:sqlite:",
            "jdbc:",
            "",
        ] {
            let message = Database::from_jdbc(url).unwrap_err().to_string();
            assert!(message.contains("management.jdbc.url") && !message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn l3_a_password_in_the_url_is_not_kept() {
        let url = "jdbc:postgresql://db/g?user=me&password=hunter2&sslpassword=hunter2&ssl=false";
        assert_eq!(Database::from_jdbc(url), Ok(server("db", 5432, "g", &[("ssl", "false")])));
    }

    #[test]
    fn tls_is_refused_until_it_is_there_and_never_left_out_in_silence() {
        for parameters in ["sslmode=require", "sslmode=verify-full", "ssl=true", "ssl=", "sslmode=REQUIRE"] {
            let database = Database::from_jdbc(&format!("jdbc:postgresql://db/g?{parameters}")).unwrap();
            let error = SqlSettings::new(database).check().unwrap_err();
            assert!(matches!(error, SettingsError::Tls(_)), "{parameters}: {error}");
        }
        let plain = Database::from_jdbc("jdbc:postgresql://db/g?sslmode=disable&ssl=false&tcpKeepAlive=true")
            .unwrap();
        assert!(SqlSettings::new(plain).check().is_ok());
    }

    #[test]
    fn names_that_go_into_statements_are_checked() {
        let database = Database::Sqlite { path: "x".into() };
        let settings = SqlSettings { prefix: "gio_".to_owned(), ..SqlSettings::new(database) };
        assert!(settings.check().is_ok());
        let settings = SqlSettings { prefix: "x; drop table keys".to_owned(), ..settings };
        assert!(settings.check().unwrap_err().to_string().contains("management.jdbc.prefix"));
    }
}
