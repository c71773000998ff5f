//! What databases say differently, and how names and lists are put into statements.
//!
//! # Ids in MariaDB and MySQL
//!
//! Ids are opaque (S6), but APIM's columns there compare without regard to case, accents and trailing blanks. So every
//! equality with an id is said twice: as the column compares, which an index answers, and byte by byte, which decides.
//! The *order* of pages is left to the column: an explicit binary order would sort the rest of the table for every page,
//! and the column's own is as good, because its primary key makes ids unique in that same order, and only the
//! database compares positions.

use crate::schema::Schema;

/// Which database it is, and what of it matters to statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MariaDB and MySQL. Their statements are templates for [`crate::mysql::fill`].
    Mysql {
        /// Whether ids are in a character set that has no characters beyond U+FFFF. What has some is not asked for: the
        /// server would refuse the whole statement.
        narrow: bool,
        /// Whether the server's own zone lies between what is stored and what was written; see [`crate::mysql`].
        server_zone: bool,
    },
    /// SQLite.
    Sqlite,
}

/// Names of one database.
pub(crate) struct Names<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) qualifier: Option<&'a str>,
    pub(crate) prefix: &'a str,
    pub(crate) dialect: Dialect,
}

impl Names<'_> {
    /// A table's full name.
    pub(crate) fn table(&self, name: &str) -> String {
        match (self.dialect, self.qualifier) {
            // `keys` is a reserved word. A schema is a database there, and the drivers leave the setting alone.
            (Dialect::Mysql { .. }, _) => format!("`{}{name}`", self.prefix),
            (_, Some(schema)) => format!("{schema}.{}{name}", self.prefix),
            (_, None) => format!("{}{name}", self.prefix),
        }
    }

    /// A column whose name may be a reserved word.
    pub(crate) fn quoted(&self, alias: &str, name: &str) -> String {
        match self.dialect {
            Dialect::Mysql { .. } => format!("{alias}.`{name}`"),
            Dialect::Postgres | Dialect::Sqlite => format!("{alias}.\"{name}\""),
        }
    }

    /// A column, or null of its type (`text` or `boolean`) where there is none.
    pub(crate) fn column(&self, table: &str, alias: &str, name: &str, kind: &str) -> String {
        if self.schema.has(table, name) {
            return self.quoted(alias, name);
        }
        let kind = match (self.dialect, kind) {
            (Dialect::Mysql { .. }, "boolean") => "signed",
            (Dialect::Mysql { .. }, _) => "char",
            (_, kind) => kind,
        };
        format!("CAST(NULL AS {kind})")
    }

    /// A column of times.
    pub(crate) fn time(&self, column: &str) -> String {
        match self.dialect {
            Dialect::Mysql { server_zone: true, .. } => format!(
                "CONCAT(CAST({column} AS char), '|',
                    CAST(COALESCE(CONVERT_TZ({column}, '+00:00', @@global.time_zone), {column}) AS char))"
            ),
            _ => column.to_owned(),
        }
    }

    /// How many bytes a text has.
    pub(crate) fn bytes(&self, column: &str) -> String {
        let kind = if matches!(self.dialect, Dialect::Mysql { .. }) { "signed" } else { "bigint" };
        format!("CAST(octet_length({column}) AS {kind})")
    }

    /// A condition: an expression is one of the texts of argument `n`.
    pub(crate) fn is_in(&self, expression: &str, n: usize) -> String {
        match self.dialect {
            Dialect::Postgres => format!("{expression} = ANY(${n})"),
            Dialect::Mysql { narrow, .. } => {
                let kind = if narrow { '~' } else { '*' };
                format!("{expression} IN (${n}{kind}) AND {} IN (${n}#)", binary(expression))
            }
            Dialect::Sqlite => format!("{expression} IN (SELECT value FROM json_each(${n}))"),
        }
    }

    /// A condition: an expression is the text of argument `n`.
    pub(crate) fn is(&self, expression: &str, n: usize) -> String {
        match self.dialect {
            Dialect::Mysql { .. } => self.is_in(expression, n),
            Dialect::Postgres | Dialect::Sqlite => format!("{expression} = ${n}"),
        }
    }

    /// A condition: an expression is this word.
    pub(crate) fn is_word(&self, expression: &str, word: &str) -> String {
        match self.dialect {
            Dialect::Mysql { .. } => {
                format!("{expression} = '{word}' AND {} = CAST('{word}' AS binary)", binary(expression))
            }
            Dialect::Postgres | Dialect::Sqlite => format!("{expression} = '{word}'"),
        }
    }

    /// A condition: two ids are the same.
    pub(crate) fn same(&self, one: &str, other: &str) -> String {
        match self.dialect {
            Dialect::Mysql { .. } => format!("{one} = {other} AND {} = {}", binary(one), binary(other)),
            Dialect::Postgres | Dialect::Sqlite => format!("{one} = {other}"),
        }
    }

    /// That an optional column is one of the texts of argument `n`, `AND` before it; nothing where the filter or the
    /// column is not.
    pub(crate) fn environment(&self, filtered: bool, table: &str, alias: &str, n: usize) -> String {
        if filtered && self.schema.has(table, "environment_id") {
            format!(" AND {}", self.is_in(&format!("{alias}.environment_id"), n))
        } else {
            String::new()
        }
    }

    /// `columns` of links `l` between keys and subscriptions, those whose `of` is one of the texts of argument 1, joined
    /// with table `to`. Ends in an open `WHERE`.
    ///
    /// The links are looked up first, whatever the database believes of their number: it cannot know how long the list
    /// of an argument is, and walking all of the other table in order of its ids is never right.
    pub(crate) fn links(&self, of: &str, columns: &str, to: &str) -> String {
        let links = self.table("key_subscriptions");
        if matches!(self.dialect, Dialect::Mysql { .. }) {
            let listed = self.is_in(&format!("l.{of}"), 1);
            return format!("SELECT STRAIGHT_JOIN {columns} FROM {links} l JOIN {to} WHERE {listed} AND ");
        }
        format!(
            "WITH l AS MATERIALIZED (SELECT key_id, subscription_id FROM {links} WHERE {})
                SELECT {columns} FROM l JOIN {to} WHERE ",
            self.is_in(of, 1)
        )
    }
}

/// The bytes of a text, whatever the character set of its column.
fn binary(expression: &str) -> String {
    format!("CAST(CONVERT({expression} USING utf8mb4) AS binary)")
}

/// After a position in the order (`time`, `id`), given by arguments `n` and `n + 1`. The first comparison says nothing
/// new, but lets an index be used.
pub(crate) fn after(time: &str, id: &str, n: usize) -> String {
    let m = n + 1;
    format!("{time} >= ${n} AND ({time} > ${n} OR ({time} = ${n} AND {id} > ${m}))")
}
