//! Values that go into statements and come out of rows, the same for all databases.

use chrono::NaiveDateTime;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, TypeInfo, ValueRef};
use zonegate_payload::convert::MAX_PAYLOAD;
use zonegate_payload::record::EventText;

/// A value to bind.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    /// A text.
    Text(String),
    /// A list of texts, for `{in}`.
    Texts(Vec<String>),
    /// A time as it stands in a column.
    Time(Stored),
    /// A number.
    Number(i64),
}

impl Argument {
    /// Ids for `{in}`. PostgreSQL takes no NUL in a text, and no id in it has one, so such ids are left out.
    pub(crate) fn ids<T: AsRef<str>>(ids: impl IntoIterator<Item = T>) -> Self {
        let sound = ids.into_iter().filter(|id| !id.as_ref().contains('\0'));
        Self::Texts(sound.map(|id| id.as_ref().to_owned()).collect())
    }

    /// A text.
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// A number of records.
    pub(crate) fn count(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// A time as the column holds it, for use as a bound: nothing is lost, whatever its precision or spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it says: the local time of who wrote it.
    pub(crate) local: NaiveDateTime,
    /// What is compared in the database.
    pub(crate) exact: Exact,
}

/// What a time is compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exact {
    /// The local time itself.
    Local,
    /// SQLite: its text.
    Text(String),
    /// MariaDB and MySQL, beside the server's zone: what is stored.
    Utc(NaiveDateTime),
    /// The same, not known yet: the lowest that can be stored for this local time.
    From,
    /// The highest.
    Before,
}

impl Stored {
    /// A bound that comes from elsewhere.
    pub(crate) fn bound(local: NaiveDateTime) -> Self {
        Self { local, exact: Exact::Local }
    }

    /// The text to compare within SQLite.
    pub(crate) fn as_text(&self) -> String {
        match &self.exact {
            Exact::Text(text) => text.clone(),
            _ => self.local.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        }
    }
}

/// A row of any database.
pub(crate) trait Columns {
    /// A text, absent if null. What is not UTF-8 is replaced, so that one row does not end the read.
    fn text(&self, index: usize) -> Result<Option<String>, sqlx::Error>;
    /// A yes or no; null is no.
    fn flag(&self, index: usize) -> Result<bool, sqlx::Error>;
    /// A number, absent if null.
    fn number(&self, index: usize) -> Result<Option<i64>, sqlx::Error>;
    /// A time; absent if null, or not a time.
    fn time(&self, index: usize) -> Result<Option<Stored>, sqlx::Error>;
    /// Whether the text is UTF-8.
    fn is_text(&self, index: usize) -> bool;

    /// A text that must be there.
    fn required(&self, index: usize) -> Result<String, sqlx::Error> {
        self.text(index)?.ok_or_else(|| sqlx::Error::ColumnDecode {
            index: index.to_string(),
            source: "null where a value must be".into(),
        })
    }

    /// A text that is always there, unless somebody changed the table by hand: empty where it is not.
    fn filled(&self, index: usize) -> Result<String, sqlx::Error> {
        Ok(self.text(index)?.unwrap_or_default())
    }

    /// An event's payload: its length in one column, its text in another, null if too long.
    fn payload(&self, length: usize, text: usize) -> Result<EventText, sqlx::Error> {
        Ok(match self.number(length)? {
            None => EventText::Absent,
            Some(bytes) if bytes > MAX_PAYLOAD as i64 => EventText::TooLong(bytes.unsigned_abs()),
            Some(_) if !self.is_text(text) => EventText::NotText,
            Some(_) => self.text(text)?.map_or(EventText::Absent, EventText::Text),
        })
    }
}

impl Columns for PgRow {
    fn text(&self, index: usize) -> Result<Option<String>, sqlx::Error> {
        match self.try_get(index) {
            Err(sqlx::Error::ColumnDecode { .. }) => {
                let bytes = self.try_get_raw(index)?;
                Ok(bytes.as_bytes().ok().map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
            }
            other => other,
        }
    }

    fn flag(&self, index: usize) -> Result<bool, sqlx::Error> {
        Ok(self.try_get::<Option<bool>, _>(index)?.unwrap_or(false))
    }

    fn number(&self, index: usize) -> Result<Option<i64>, sqlx::Error> {
        match self.try_get::<Option<i64>, _>(index) {
            Err(sqlx::Error::ColumnDecode { .. }) => {
                Ok(self.try_get::<Option<i32>, _>(index)?.map(i64::from))
            }
            other => other,
        }
    }

    fn time(&self, index: usize) -> Result<Option<Stored>, sqlx::Error> {
        Ok(self.try_get::<Option<NaiveDateTime>, _>(index)?.map(Stored::bound))
    }

    fn is_text(&self, index: usize) -> bool {
        self.try_get::<Option<&str>, _>(index).is_ok()
    }
}

impl Columns for SqliteRow {
    fn text(&self, index: usize) -> Result<Option<String>, sqlx::Error> {
        // Unchecked: SQLite's columns hold what was put into them.
        match self.try_get_unchecked::<Option<String>, _>(index) {
            Err(sqlx::Error::ColumnDecode { .. }) => {
                let bytes = self.try_get_unchecked::<Option<Vec<u8>>, _>(index)?;
                Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
            }
            other => other,
        }
    }

    fn flag(&self, index: usize) -> Result<bool, sqlx::Error> {
        // A column can hold anything here. What is neither yes nor no is yes: a key is then revoked or paused.
        let value = self.try_get_raw(index)?;
        let number = value.is_null() || value.type_info().name() == "INTEGER";
        Ok(!number || self.try_get_unchecked::<Option<i64>, _>(index)?.is_some_and(|number| number != 0))
    }

    fn number(&self, index: usize) -> Result<Option<i64>, sqlx::Error> {
        self.try_get_unchecked(index)
    }

    fn time(&self, index: usize) -> Result<Option<Stored>, sqlx::Error> {
        if self.try_get_raw(index)?.is_null() {
            return Ok(None);
        }
        Ok(self.text(index)?.map(|text| {
            let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f")
                .or_else(|_| NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f"));
            // What is no time still has its place in the order of texts, so that it ends no page.
            Stored { local: local.unwrap_or(crate::times::EARLIEST), exact: Exact::Text(text) }
        }))
    }

    fn is_text(&self, index: usize) -> bool {
        self.try_get_unchecked::<Option<&str>, _>(index).is_ok()
    }
}
