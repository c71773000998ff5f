//! MariaDB and MySQL: sessions, statements with lists, and what lies between a stored time and the time that was
//! written.
//!
//! # Times
//!
//! A `TIMESTAMP` column holds UTC. What goes in and out is text in the session's time zone. APIM's drivers leave the
//! session in the server's own zone, and send the local time of the JVM (or of `connectionTimeZone`). So there are two
//! zones between a stored value and the instant that was meant: the server's takes it to the text that was sent, the
//! JVM's takes that to the instant.
//!
//! Our session is always in UTC, so that what is compared is what is stored: positions are exact, and in the order of
//! the index, also in the hour in which a clock is set back. Where the server's zone is UTC, as in most installations,
//! the stored value is the text. Where it is not, the database is asked for both ([`crate::dialect::Names::time`]),
//! and bounds that are no positions are taken back through the server's zone ([`fill`]).

mod row;

use std::time::Duration;

use chrono::NaiveDateTime;
use secrecy::ExposeSecret;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlSslMode};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, MySql, MySqlConnection};

use crate::settings::SqlSettings;
use crate::value::{Argument, Exact, Stored};

/// Begins a snapshot, in a session that reads repeatably.
pub(crate) const SNAPSHOT: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/// Items of a list that are bound as parameters; the server takes 65,535 parameters. The items of a longer list are
/// written into the statement, as hexadecimal digits.
const MOST_PARAMETERS: usize = 8_000;

/// How to connect.
pub(crate) fn options(host: &str, port: u16, database: &str, settings: &SqlSettings) -> MySqlConnectOptions {
    let options = MySqlConnectOptions::new()
        .host(host)
        .port(port)
        .database(database)
        .username(settings.username.as_deref().unwrap_or_default())
        .ssl_mode(MySqlSslMode::Disabled)
        .timezone(Some("+00:00".to_owned()))
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .disable_statement_logging();
    match &settings.password {
        Some(password) => options.password(password.expose_secret()),
        None => options,
    }
}

/// Connects, and makes the session one that reads repeatably and whose statements end when nobody waits any more.
pub(crate) async fn connect(
    options: &MySqlConnectOptions,
    statement: Duration,
) -> Result<MySqlConnection, sqlx::Error> {
    let mut link = options.connect().await?;
    let repeatable = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
    sqlx::raw_sql(repeatable).execute(&mut link).await?;
    // Each of the two takes the other's part for a comment.
    let limits = format!(
        "SET SESSION /*M! max_statement_time = {} */ /*!50708 max_execution_time = {} */",
        statement.as_secs().max(1),
        statement.as_millis().clamp(1, u32::MAX.into())
    );
    sqlx::raw_sql(AssertSqlSafe(limits)).execute(&mut link).await?;
    Ok(link)
}

/// A statement with its parameters in order.
#[derive(Debug, PartialEq)]
pub(crate) struct Filled {
    sql: String,
    values: Vec<Value>,
    /// Whether it can come again in the same words, so that the server may keep it.
    lasting: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Time(NaiveDateTime),
    Number(i64),
}

/// Puts arguments into a template. `$n` is argument `n`; of a list, `$n*` are its texts, `$n~` those of them that a
/// narrow character set can express, `$n#` their bytes.
pub(crate) fn fill(template: &str, arguments: &[Argument]) -> Filled {
    let mut parts = template.split('$');
    let mut filled =
        Filled { sql: parts.next().unwrap_or_default().to_owned(), values: Vec::new(), lasting: true };
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(digits);
        let argument = number.parse::<usize>().ok().and_then(|n| arguments.get(n.checked_sub(1)?));
        let kind = rest.chars().next().filter(|kind| ['*', '~', '#'].contains(kind));
        let rest = rest.get(kind.map_or(0, char::len_utf8)..).unwrap_or_default();
        match (argument, kind) {
            (Some(Argument::Texts(texts)), Some(kind)) => filled.list(texts, kind),
            (Some(Argument::Text(text)), Some(kind)) => filled.list(std::slice::from_ref(text), kind),
            (Some(Argument::Text(text)), None) => filled.value(Value::Text(text.clone())),
            (Some(Argument::Number(number)), _) => filled.value(Value::Number(*number)),
            (Some(Argument::Time(time)), _) => filled.time(time),
            // A list without a kind, or no such argument, matches nothing.
            (Some(Argument::Texts(_)), None) | (None, _) => filled.sql.push_str("NULL"),
        }
        filled.sql.push_str(rest);
    }
    filled
}

impl Filled {
    fn value(&mut self, value: Value) {
        self.sql.push('?');
        self.values.push(value);
    }

    fn list(&mut self, texts: &[String], kind: char) {
        let narrow = |text: &&String| kind != '~' || text.chars().all(|c| c <= '\u{ffff}');
        let texts = texts.iter().filter(narrow).collect::<Vec<_>>();
        let Some(last) = texts.last() else {
            self.sql.push_str("NULL");
            return;
        };
        if texts.len() > MOST_PARAMETERS {
            self.lasting = false;
            let introducer = if kind == '#' { "" } else { "_utf8mb4 " };
            for (index, text) in texts.iter().enumerate() {
                let separator = if index == 0 { "" } else { "," };
                self.sql.extend([separator, introducer, "x'"]);
                for byte in text.bytes() {
                    for digit in [byte >> 4, byte & 15] {
                        self.sql.extend(char::from_digit(digit.into(), 16));
                    }
                }
                self.sql.push('\'');
            }
            return;
        }
        // The last is repeated, so that there are few statements to keep.
        let filling = texts.len().next_power_of_two().min(MOST_PARAMETERS) - texts.len();
        for (index, text) in texts.iter().chain(std::iter::repeat_n(last, filling)).enumerate() {
            if index > 0 {
                self.sql.push(',');
            }
            self.value(match kind {
                '#' => Value::Bytes(text.as_bytes().to_vec()),
                _ => Value::Text((*text).clone()),
            });
        }
    }

    /// A bound that is not a position goes back through the server's zone. An hour that is twice, or not at all, is
    /// looked at from two hours before (or after), where everything is plain, so that nothing is left out.
    fn time(&mut self, time: &Stored) {
        const STORED: &str = "CONVERT_TZ(CAST(? AS datetime(6)), @@global.time_zone, '+00:00')";
        let (function, sign, away) = match &time.exact {
            Exact::Local | Exact::Text(_) => return self.value(Value::Time(time.local)),
            Exact::Utc(stored) => return self.value(Value::Time(*stored)),
            Exact::From => ("LEAST", "+", -chrono::TimeDelta::hours(2)),
            Exact::Before => ("GREATEST", "-", chrono::TimeDelta::hours(2)),
        };
        let shifted = time.local.checked_add_signed(away).unwrap_or(time.local);
        self.sql.extend([function, "(", STORED, ", ", STORED, " ", sign, " INTERVAL 2 HOUR)"]);
        self.values.extend([Value::Time(time.local), Value::Time(shifted)]);
    }

    /// As a query.
    pub(crate) fn query(self) -> Query<'static, MySql, MySqlArguments> {
        // Statements are made of constants, checked names and hexadecimal digits; values are bound.
        let query = sqlx::query(AssertSqlSafe(self.sql)).persistent(self.lasting);
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Time(time) => query.bind(time),
            Value::Number(number) => query.bind(number),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::EARLIEST;

    fn texts(texts: &[&str]) -> Argument {
        Argument::ids(texts)
    }

    #[test]
    fn arguments_are_put_in_the_order_in_which_they_stand() {
        let arguments = [Argument::text("a"), Argument::Number(7), Argument::Time(Stored::bound(EARLIEST))];
        let filled = fill("$3 AND $1 OR $1 LIMIT $2", &arguments);
        assert_eq!(filled.sql, "? AND ? OR ? LIMIT ?");
        let a = Value::Text("a".to_owned());
        assert_eq!(filled.values, [Value::Time(EARLIEST), a.clone(), a, Value::Number(7)]);
    }

    #[test]
    fn s6_a_list_is_bound_as_texts_and_as_bytes_in_a_few_lengths_only() {
        let filled = fill("i IN ($1*) AND b IN ($1#);", &[texts(&["a", "b", "c"])]);
        assert_eq!(filled.sql, "i IN (?,?,?,?) AND b IN (?,?,?,?);");
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(filled.values.get(..4).unwrap(), [text("a"), text("b"), text("c"), text("c")]);
        assert_eq!(filled.values.get(6), Some(&Value::Bytes(b"c".to_vec())));
        assert!(filled.lasting);
    }

    #[test]
    fn nothing_is_in_an_empty_list_or_one_that_the_columns_cannot_hold() {
        assert_eq!(fill("i IN ($1*)", &[texts(&[])]).sql, "i IN (NULL)");
        assert_eq!(fill("i IN ($1~)", &[texts(&["\u{1f600}"])]).sql, "i IN (NULL)");
        assert_eq!(fill("i IN ($1~)", &[texts(&["\u{1f600}", "é"])]).values.len(), 1);
        assert_eq!(fill("i IN ($2*)", &[texts(&["a"])]).sql, "i IN (NULL)");
    }

    #[test]
    fn l1_a_list_longer_than_a_server_takes_is_written_out_without_being_read_as_sql() {
        let many = (0..=MOST_PARAMETERS).map(|n| format!("'{n}")).collect::<Vec<_>>();
        let filled = fill("i IN ($1*) AND b IN ($1#)", &[Argument::Texts(many)]);
        assert!(filled.sql.starts_with("i IN (_utf8mb4 x'2730',_utf8mb4 x'2731',"), "{:.60}", filled.sql);
        assert!(filled.sql.contains("AND b IN (x'2730',x'2731',") && !filled.lasting);
        assert!(filled.values.is_empty());
    }

    #[test]
    fn a_bound_goes_back_through_the_servers_zone_and_a_position_does_not() {
        let position = Stored { local: EARLIEST, exact: Exact::Utc(EARLIEST) };
        assert_eq!(fill("$1", &[Argument::Time(position)]).sql, "?");
        for (exact, function) in [(Exact::From, "LEAST("), (Exact::Before, "GREATEST(")] {
            let filled = fill("$1", &[Argument::Time(Stored { local: EARLIEST, exact })]);
            assert!(filled.sql.starts_with(function), "{}", filled.sql);
            assert_eq!(filled.sql.matches('?').count(), filled.values.len());
        }
    }
}
