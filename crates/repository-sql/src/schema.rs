//! Which of the tables and columns that are read exist: they came one by one with APIM's versions
//! (`management-repository.md` section 11), and a reader has to live with those that a database lacks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use zonegate_sync::port::RepositoryError;

use crate::connection::{Connections, Session};
use crate::failure;
use crate::value::Argument;

/// Tables that must be there, with the columns that must be in them.
const REQUIRED: [(&str, &[&str]); 7] = [
    ("events_latest", &["id", "type", "payload", "created_at", "updated_at"]),
    ("events_latest_properties", &["event_id", "property_key", "property_value"]),
    ("events_latest_environments", &["event_id", "environment_id"]),
    ("subscriptions", &["id", "plan", "application", "status", "starting_at", "ending_at", "updated_at"]),
    ("keys", &["id", "key", "revoked", "expire_at", "updated_at"]),
    ("key_subscriptions", &["key_id", "subscription_id"]),
    ("environments", &["id", "organization_id"]),
];

/// Tables that are read where they are.
const OPTIONAL: [&str; 8] = [
    "organizations",
    "environment_hrids",
    "organization_hrids",
    "subscriptions_metadata",
    "access_points",
    "licenses",
    "installation",
    "events_latest_organizations",
];

/// The tables that are there, with their columns, by name without prefix.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema(HashMap<&'static str, HashSet<String>>);

impl Schema {
    /// Asks the database. `qualifier` and `prefix` are checked names.
    pub(crate) async fn read(
        connections: &Connections,
        session: &mut Session,
        qualifier: Option<&str>,
        prefix: &str,
    ) -> Result<Self, RepositoryError> {
        let tables = REQUIRED.iter().map(|(table, _)| *table).chain(OPTIONAL).collect::<Vec<_>>();
        // PostgreSQL folds names that are not quoted, and ours are not.
        let full = |table: &str| {
            let name = format!("{prefix}{table}");
            if connections.is_postgres() { name.to_lowercase() } else { name }
        };
        let names = Argument::ids(tables.iter().map(|table| full(table)));
        let (sql, arguments) = if connections.is_postgres() {
            let place = match qualifier {
                Some(schema) => format!("n.nspname = '{}'", schema.to_lowercase()),
                None => "pg_catalog.pg_table_is_visible(c.oid)".to_owned(),
            };
            let sql = format!(
                "SELECT CAST(c.relname AS text), CAST(a.attname AS text) FROM pg_catalog.pg_class c
                    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
                    WHERE c.relname = ANY($1) AND {place} AND a.attnum > 0 AND NOT a.attisdropped"
            );
            (sql, vec![names])
        } else {
            let sql = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
                WHERE m.type IN ('table', 'view') AND m.name IN (SELECT value FROM json_each($1))";
            (sql.to_owned(), vec![names])
        };
        let rows = session
            .fetch("looking for the tables", &Arc::from(sql), arguments, |row| {
                Ok((row.required(0)?, row.required(1)?))
            })
            .await?;
        let mut found: HashMap<String, HashSet<String>> = HashMap::new();
        for (table, column) in rows {
            found.entry(table).or_default().insert(column);
        }
        let schema =
            Self(tables.iter().filter_map(|table| Some((*table, found.remove(&full(table))?))).collect());
        for (table, columns) in REQUIRED {
            if !schema.has_table(table) {
                let missing = format!("there is no table `{}`", full(table));
                return Err(failure::schema(connections.database(), &missing));
            }
            if let Some(column) = columns.iter().find(|column| !schema.has(table, column)) {
                let missing = format!("table `{}` has no column `{column}`", full(table));
                return Err(failure::schema(connections.database(), &missing));
            }
        }
        Ok(schema)
    }

    /// Whether the table is there.
    pub(crate) fn has_table(&self, table: &str) -> bool {
        self.0.contains_key(table)
    }

    /// Whether the column is there.
    pub(crate) fn has(&self, table: &str, column: &str) -> bool {
        self.0.get(table).is_some_and(|columns| columns.contains(column))
    }
}
