//! Which of the tables and columns that are read exist: they came one by one with APIM's versions
//! (`management-repository.md` section 11), and a reader has to live with those that a database lacks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use zonegate_sync::port::RepositoryError;

use crate::Database;
use crate::connection::Session;
use crate::dialect::Dialect;
use crate::failure;
use crate::times::Written;
use crate::value::{Argument, Columns};

/// A table that is read.
struct Table {
    name: &'static str,
    /// Columns that must be in it. Those of which it says so in `statements` may be missing.
    columns: &'static [&'static str],
    /// Since which version of APIM it is there, where that is known.
    since: Option<&'static str>,
    /// Whether nothing can be read without it.
    needed: bool,
}

const fn needed(name: &'static str, columns: &'static [&'static str], since: Option<&'static str>) -> Table {
    Table { name, columns, since, needed: true }
}

const fn read_if_there(
    name: &'static str,
    columns: &'static [&'static str],
    since: Option<&'static str>,
) -> Table {
    Table { name, columns, since, needed: false }
}

/// All that are read.
const TABLES: [Table; 13] = [
    needed("events_latest", &["id", "type", "payload", "created_at", "updated_at"], Some("4.0")),
    needed("events_latest_properties", &["event_id", "property_key", "property_value"], Some("4.0")),
    needed("events_latest_environments", &["event_id", "environment_id"], Some("4.0")),
    needed(
        "subscriptions",
        &["id", "plan", "application", "status", "starting_at", "ending_at", "updated_at"],
        None,
    ),
    needed("keys", &["id", "key", "revoked", "expire_at", "updated_at"], Some("3.12")),
    needed("key_subscriptions", &["key_id", "subscription_id"], Some("3.17")),
    needed("environments", &["id", "organization_id"], None),
    read_if_there("environment_hrids", &["environment_id", "hrid", "pos"], None),
    read_if_there("organization_hrids", &["organization_id", "hrid", "pos"], None),
    read_if_there("subscriptions_metadata", &["id", "subscription_id", "k", "v"], None),
    read_if_there("access_points", &["id", "reference_type", "reference_id", "target", "host"], Some("4.2")),
    read_if_there("licenses", &["reference_type", "reference_id", "license", "updated_at"], Some("4.3")),
    read_if_there("installation", &["id", "created_at"], None),
];

/// What is found of MariaDB's and MySQL's columns besides their names; see [`Dialect::Mysql`]. Whether times go through
/// the server's zone cannot be seen from its name (`SYSTEM`, `CET`): it is tried, in winter and in summer.
const MYSQL: &str = "SELECT c.table_name, c.column_name, c.data_type, c.character_set_name,
        @@lower_case_table_names <> 0,
        COALESCE(CONVERT_TZ('2024-01-15 12:00:00', '+00:00', @@global.time_zone) <> '2024-01-15 12:00:00'
            OR CONVERT_TZ('2024-07-15 12:00:00', '+00:00', @@global.time_zone) <> '2024-07-15 12:00:00', 0)
    FROM information_schema.columns c WHERE c.table_schema = DATABASE() AND c.table_name IN ($1*)";

/// The tables that are there, with their columns, by name without prefix.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    tables: HashMap<&'static str, HashSet<String>>,
    dialect: Dialect,
}

impl Schema {
    /// Asks the database. `qualifier` and `prefix` are checked names.
    pub(crate) async fn read(
        database: &Database,
        session: &mut Session,
        qualifier: Option<&str>,
        prefix: &str,
        written: Written,
    ) -> Result<Self, RepositoryError> {
        let tables = TABLES.each_ref().map(|table| table.name);
        let mut folded = false;
        // PostgreSQL folds names that are not quoted, and ours are not.
        let full = |table: &str| {
            let name = format!("{prefix}{table}");
            if matches!(database, Database::Postgresql { .. }) { name.to_lowercase() } else { name }
        };
        let names = Argument::ids(tables.iter().map(|table| full(table)));
        let doing = "looking for the tables";
        let mut found: HashMap<String, HashSet<String>> = HashMap::new();
        let dialect = match database {
            Database::Mysql { .. } => {
                let columns = session.fetch(doing, &Arc::from(MYSQL), vec![names], MysqlColumn::of).await?;
                folded = columns.first().is_some_and(|column| column.folded);
                let dialect = MysqlColumn::dialect(&columns, written);
                for MysqlColumn { table, column, .. } in columns {
                    found.entry(table).or_default().insert(column);
                }
                dialect
            }
            Database::Postgresql { .. } | Database::Sqlite { .. } => {
                let (sql, dialect) = match database {
                    Database::Postgresql { .. } => (postgresql(qualifier), Dialect::Postgres),
                    _ => (SQLITE.to_owned(), Dialect::Sqlite),
                };
                let pairs = session
                    .fetch(doing, &Arc::from(sql), vec![names], |row| {
                        Ok((row.required(0)?, row.required(1)?))
                    })
                    .await?;
                for (table, column) in pairs {
                    found.entry(table).or_default().insert(column);
                }
                dialect
            }
        };
        let full = |table: &str| if folded { full(table).to_lowercase() } else { full(table) };
        let tables = tables.iter().filter_map(|table| Some((*table, found.remove(&full(table))?))).collect();
        let schema = Self { tables, dialect };
        for table in &TABLES {
            let (name, since) = (full(table.name), table.since.map_or_else(String::new, came_with));
            if table.needed && !schema.has_table(table.name) {
                return Err(failure::schema(database, &format!("there is no table `{name}`{since}")));
            }
            let missing = table.columns.iter().find(|column| !schema.has(table.name, column));
            if let Some(column) = missing.filter(|_| schema.has_table(table.name)) {
                let missing = format!("table `{name}` has no column `{column}`{since}");
                return Err(failure::schema(database, &missing));
            }
        }
        Ok(schema)
    }

    /// Which database it is.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether the table is there.
    pub(crate) fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// Whether the column is there.
    pub(crate) fn has(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.contains(column))
    }
}

fn came_with(version: &str) -> String {
    format!(", which came with APIM {version}")
}

const SQLITE: &str = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type IN ('table', 'view') AND m.name IN (SELECT value FROM json_each($1))";

fn postgresql(qualifier: Option<&str>) -> String {
    let place = match qualifier {
        Some(schema) => format!("n.nspname = '{}'", schema.to_lowercase()),
        None => "pg_catalog.pg_table_is_visible(c.oid)".to_owned(),
    };
    format!(
        "SELECT CAST(c.relname AS text), CAST(a.attname AS text) FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
            WHERE c.relname = ANY($1) AND {place} AND a.attnum > 0 AND NOT a.attisdropped"
    )
}

/// A row of [`MYSQL`].
struct MysqlColumn {
    table: String,
    column: String,
    kind: String,
    characters: Option<String>,
    folded: bool,
    other_zone: bool,
}

impl MysqlColumn {
    fn of(row: &dyn Columns) -> Result<Self, sqlx::Error> {
        let folded = row.flag(4)?;
        let table = row.required(0)?;
        Ok(Self {
            table: if folded { table.to_lowercase() } else { table },
            // Names of columns have no case there.
            column: row.required(1)?.to_lowercase(),
            kind: row.required(2)?.to_lowercase(),
            characters: row.text(3)?,
            folded,
            other_zone: row.flag(5)?,
        })
    }

    fn dialect(columns: &[Self], written: Written) -> Dialect {
        let narrow = |column: &Self| {
            column.kind == "varchar"
                && matches!(column.characters.as_deref(), Some("utf8" | "utf8mb3" | "ucs2"))
        };
        let other_zone = columns.iter().any(|column| column.other_zone);
        // A DATETIME column holds the text itself.
        let texts = columns.iter().any(|column| column.kind == "datetime");
        Dialect::Mysql {
            narrow: columns.iter().any(narrow),
            server_zone: written.through_server && other_zone && !texts,
        }
    }
}
