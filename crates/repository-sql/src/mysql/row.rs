//! Rows of MariaDB and MySQL.

use chrono::NaiveDateTime;
use sqlx::mysql::MySqlRow;
use sqlx::{Column, Row, TypeInfo, ValueRef};

use crate::value::{Columns, Exact, Stored};

// Unchecked: a yes or no is BIT or TINYINT, a text has any character set, and the catalogue's texts are even binary,
// depending on product, version and who created the table.
impl Columns for MySqlRow {
    fn text(&self, index: usize) -> Result<Option<String>, sqlx::Error> {
        match self.try_get_unchecked::<Option<String>, _>(index) {
            Err(sqlx::Error::ColumnDecode { .. }) => {
                let bytes = self.try_get_unchecked::<Option<Vec<u8>>, _>(index)?;
                Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
            }
            other => other,
        }
    }

    fn flag(&self, index: usize) -> Result<bool, sqlx::Error> {
        Ok(self.number(index)?.is_some_and(|number| number != 0))
    }

    fn number(&self, index: usize) -> Result<Option<i64>, sqlx::Error> {
        self.try_get_unchecked(index)
    }

    fn time(&self, index: usize) -> Result<Option<Stored>, sqlx::Error> {
        if self.try_get_raw(index)?.is_null() {
            return Ok(None);
        }
        if matches!(self.try_column(index)?.type_info().name(), "TIMESTAMP" | "DATETIME") {
            // `0000-00-00` is a value there, and no time.
            let time = self.try_get_unchecked::<NaiveDateTime, _>(index).ok();
            return Ok(time.map(Stored::bound));
        }
        Ok(self.text(index)?.as_deref().and_then(stored))
    }

    fn is_text(&self, index: usize) -> bool {
        self.try_get_unchecked::<Option<&str>, _>(index).is_ok()
    }
}

/// What is stored, and what was written, as [`crate::dialect::Names::time`] asks for them.
fn stored(text: &str) -> Option<Stored> {
    let time = |text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok();
    let (stored, local) = text.split_once('|')?;
    Some(Stored { local: time(local)?, exact: Exact::Utc(time(stored)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_beside_the_servers_zone_is_two_times() {
        let found = stored("2026-07-01 10:00:00.123456|2026-07-01 12:00:00.123456").unwrap();
        assert_eq!(found.local.to_string(), "2026-07-01 12:00:00.123456");
        assert!(matches!(found.exact, Exact::Utc(time) if time.to_string() == "2026-07-01 10:00:00.123456"));
        assert_eq!(stored("0000-00-00 00:00:00|0000-00-00 00:00:00"), None);
        assert_eq!(stored(""), None);
    }
}
