//! JDBC URLs of MySQL and MariaDB: what their drivers make of the parameters that matter to a reader.
//!
//! Parameters of drivers that change nothing for a reader (`useUnicode`, `characterEncoding`, `allowPublicKeyRetrieval`,
//! `rewriteBatchedStatements`, …) are left alone.

use url::Url;

use super::super::{Database, SettingsError};
use super::percent_decoded;
use crate::ColumnZone;
use crate::times::Written;

/// Reads what stands after `jdbc:mysql:` or `jdbc:mariadb:`.
pub(super) fn parse(place: &str) -> Result<Database, SettingsError> {
    let wrong = |message: &str| SettingsError::Url(message.to_owned());
    let Some(hosts) = place.strip_prefix("//") else {
        return Err(wrong(
            "what is written before `//host` (`replication:`, `sequential:` and the like) is not supported yet; \
             write `jdbc:mysql://host:3306/gravitee`",
        ));
    };
    if hosts.split(['/', '?']).next().is_some_and(|hosts| hosts.contains([',', '('])) {
        return Err(wrong("several hosts in one URL are not supported yet; name one"));
    }
    let url = Url::parse(&format!("mysql:{place}"))
        .map_err(|error| SettingsError::Url(format!("not a URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "user and password cannot stand before the host; set `management.jdbc.username` and \
             `management.jdbc.password`",
        ));
    }
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
    let database = url.path().trim_start_matches('/');
    if database.is_empty() || database.contains('/') {
        return Err(wrong("the name of the database is missing, as in `jdbc:mysql://host:3306/gravitee`"));
    }
    let database = percent_decoded(database).ok_or_else(|| wrong("the name of the database is not UTF-8"))?;
    // Secrets stay out of everything that can be shown (L3).
    let parameters = url.query_pairs().filter(|(name, _)| {
        let name = name.to_lowercase();
        name != "user" && !name.contains("password")
    });
    let parameters = parameters.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Ok(Database::Mysql {
        host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: url.port().unwrap_or(3306),
        database,
        parameters,
    })
}

/// Whether a parameter asks for TLS. Both drivers know modes that are content without.
pub(super) fn asks_for_tls(name: &str, value: &str) -> bool {
    let is_one_of = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    match name.to_ascii_lowercase().as_str() {
        "usessl" | "requiressl" => !is_one_of(&["false"]),
        "sslmode" => !is_one_of(&["disabled", "preferred", "disable", "false"]),
        _ => false,
    }
}

/// How times were written, from `management.jdbc.timezone` and the parameters.
///
/// The setting wins. Without it: a driver told to set its session's zone, or to use the server's, stores instants;
/// one that was given a zone writes local times of that zone; else those of the JVM, which is UTC unless told.
pub(super) fn written(
    setting: Option<ColumnZone>,
    parameters: &[(String, String)],
) -> Result<Written, SettingsError> {
    let parameter = |wanted: &str| {
        let found = parameters.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let session = parameter("sessionVariables").filter(|value| value.to_lowercase().contains("time_zone"));
    if let Some(session) = session {
        let zone = session.to_lowercase().replace([' ', '"', '\''], "");
        let utc = ["+00:00", "utc", "etc/utc"].iter().any(|zone_name| {
            zone.split([',', ';'])
                .any(|variable| variable.trim_start_matches("@@session.") == format!("time_zone={zone_name}"))
        });
        if !utc {
            return Err(SettingsError::Url(
                "`sessionVariables` sets `time_zone` to something else than `+00:00`, which is not supported; use \
                 `connectionTimeZone` with `forceConnectionTimeZoneToSession=true`"
                    .to_owned(),
            ));
        }
    }
    let through_server = session.is_none();
    if let Some(zone) = setting {
        return Ok(Written { zone, through_server });
    }
    let instants = Written { zone: ColumnZone::default(), through_server: false };
    if parameter("forceConnectionTimeZoneToSession").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(instants);
    }
    // MariaDB's older name, which always set the session's zone.
    match parameter("timezone") {
        Some(value) if !value.eq_ignore_ascii_case("disable") => return Ok(instants),
        _ => {}
    }
    let zone = match parameter("connectionTimeZone").or_else(|| parameter("serverTimezone")) {
        Some(value) if value.eq_ignore_ascii_case("server") => return Ok(instants),
        Some(value) if !value.eq_ignore_ascii_case("local") => value.parse().map_err(|error| {
            SettingsError::Url(format!("`connectionTimeZone` or `serverTimezone`: {error}"))
        })?,
        _ => ColumnZone::default(),
    };
    Ok(Written { zone, through_server })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqlSettings;

    fn server(host: &str, port: u16, database: &str, parameters: &[(&str, &str)]) -> Database {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Database::Mysql {
            host: host.to_owned(),
            port,
            database: database.to_owned(),
            parameters: parameters.collect(),
        }
    }

    fn settings(parameters: &str) -> SqlSettings {
        SqlSettings::new(Database::from_jdbc(&format!("jdbc:mysql://db/g?{parameters}")).unwrap())
    }

    #[test]
    fn a_jdbc_url_says_where_the_database_is() {
        for (url, database) in [
            ("jdbc:mysql://db:3307/gravitee", server("db", 3307, "gravitee", &[])),
            ("jdbc:mariadb://[::1]/my%20base", server("::1", 3306, "my base", &[])),
            ("jdbc:mysql:///g?user=me&password=hunter2", server("localhost", 3306, "g", &[])),
            (
                "jdbc:mysql://db/g?useUnicode=true&trustCertificateKeyStorePassword=hunter2",
                server("db", 3306, "g", &[("useUnicode", "true")]),
            ),
        ] {
            assert_eq!(Database::from_jdbc(url), Ok(database), "{url}");
        }
    }

    #[test]
    fn c1_a_wrong_url_is_an_error_that_names_the_setting_and_no_password() {
        for url in [
            "jdbc:mysql://db",
            "jdbc:mysql://user:hunter2@db/g",
            "jdbc:mysql://a,b/g",
            "jdbc:mysql://address=(host=a)/g",
            "jdbc:mysql:replication://a,b/g",
            "jdbc:mariadb:sequential://a/g",
        ] {
            let message = Database::from_jdbc(url).unwrap_err().to_string();
            assert!(message.contains("management.jdbc.url") && !message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn tls_is_refused_until_it_is_there_and_never_left_out_in_silence() {
        for parameters in [
            "useSSL=true",
            "requireSSL=true",
            "sslMode=REQUIRED",
            "sslMode=VERIFY_CA",
            "sslMode=trust",
            "useSsl=",
        ] {
            let error = settings(parameters).check().unwrap_err();
            assert!(matches!(error, SettingsError::Tls(_)), "{parameters}: {error}");
        }
        for parameters in
            ["useSSL=false", "sslMode=DISABLED", "sslMode=PREFERRED&allowPublicKeyRetrieval=true"]
        {
            settings(parameters).check().unwrap();
        }
    }

    #[test]
    fn how_times_were_written_follows_from_the_drivers_parameters_unless_it_is_set() {
        let paris: ColumnZone = "Europe/Paris".parse().unwrap();
        let china: ColumnZone = "+08:00".parse().unwrap();
        let utc = ColumnZone::default();
        for (parameters, zone, through_server) in [
            ("", utc, true),
            ("connectionTimeZone=LOCAL", utc, true),
            ("serverTimezone=Europe/Paris", paris, true),
            ("serverTimezone=GMT%2B8", china, true),
            ("connectionTimeZone=SERVER", utc, false),
            ("connectionTimeZone=Europe/Paris&forceConnectionTimeZoneToSession=true", utc, false),
            ("timezone=auto", utc, false),
            ("timezone=disable", utc, true),
            ("sessionVariables=sql_mode='ANSI',time_zone='%2B00:00'", utc, false),
        ] {
            let written = settings(parameters).check().unwrap();
            assert_eq!(written, Written { zone, through_server }, "{parameters}");
        }
        let set = SqlSettings { zone: Some(paris), ..settings("connectionTimeZone=SERVER") };
        assert_eq!(set.check().unwrap(), Written { zone: paris, through_server: true });
        for parameters in ["serverTimezone=Mars/Olympus", "sessionVariables=time_zone='Europe/Paris'"] {
            let message = settings(parameters).check().unwrap_err().to_string();
            assert!(message.contains("management.jdbc.url"), "{message}");
        }
    }
}
