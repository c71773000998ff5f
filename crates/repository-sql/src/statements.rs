//! All SQL, built once from the tables and columns that exist. `$n` are the arguments, in the order of the methods
//! that use them.

use std::sync::Arc;

use zonegate_payload::convert::MAX_PAYLOAD;
use zonegate_repository::port::MAX_TEXT;

use crate::dialect::{Dialect, Names, after};
use crate::schema::Schema;

/// The statements for one database: for all environments, and for some.
pub(crate) struct Prepared {
    all: Arc<Statements>,
    selected: Arc<Statements>,
    dialect: Dialect,
}

impl Prepared {
    /// Builds them.
    pub(crate) fn new(schema: &Schema, qualifier: Option<&str>, prefix: &str) -> Self {
        let names = Names { schema, qualifier, prefix, dialect: schema.dialect() };
        let statements = |filtered| Arc::new(Statements::new(&names, filtered));
        Self { all: statements(false), selected: statements(true), dialect: names.dialect }
    }

    /// Which database they are for.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Those for some environments, whose last argument they are, or for all.
    pub(crate) fn statements(&self, selected: bool) -> Arc<Statements> {
        Arc::clone(if selected { &self.selected } else { &self.all })
    }
}

/// The statements for one database, and for some environments or all.
#[derive(Clone, Debug)]
pub(crate) struct Statements {
    /// Events of types $1 after ($2, $3) and before $4, at most $5, of environments $6.
    pub(crate) event_page: Arc<str>,
    /// What is known of the events $1 of types $2, of environments $3.
    pub(crate) event_heads: Arc<str>,
    /// The events $1.
    pub(crate) event_records: Arc<str>,
    /// Properties of the events $1.
    pub(crate) event_properties: Arc<str>,
    /// Accepted subscriptions of plans $1 after ($2, $3), at most $4, of environments $5.
    pub(crate) subscriptions_of_plans: Arc<str>,
    /// Accepted subscriptions of plan $1 after $2, at most $3, of environments $4.
    pub(crate) subscriptions_of_plan: Arc<str>,
    /// How many accepted subscriptions plans $1 have, of environments $2.
    pub(crate) subscription_counts: Arc<str>,
    /// Subscriptions that changed after ($1, $2) and before $3, at most $4, of environments $5.
    pub(crate) subscriptions_changed: Arc<str>,
    /// Metadata of the subscriptions $1.
    pub(crate) metadata: Option<Arc<str>>,
    /// Active keys of the subscriptions $1 after ($2, $3), at most $4.
    pub(crate) active_keys: Arc<str>,
    /// All keys of the subscriptions $1 after ($2, $3), at most $4.
    pub(crate) all_keys: Arc<str>,
    /// Keys that changed after ($1, $2) and before $3, at most $4, of environments $5.
    pub(crate) keys_changed: Arc<str>,
    /// Subscriptions of the keys $1 after ($2, $3), at most $4, of environments $5.
    pub(crate) links_of_keys: Arc<str>,
    /// Ids and times of events of types $1 after $2, at most $3, of environments $4.
    pub(crate) event_index: Arc<str>,
    /// Ids, times and references of accepted subscriptions after $1, at most $2, of environments $3.
    pub(crate) subscription_index: Arc<str>,
    /// Active keys with their accepted subscriptions after ($1, $2), at most $3, of environments $4.
    pub(crate) key_index: Arc<str>,
    /// Environments with their organizations.
    pub(crate) environments: Arc<str>,
    /// Ids of environments with their human-readable ones, in order.
    pub(crate) environment_hrids: Option<Arc<str>>,
    /// Ids of organizations with their human-readable ones, in order.
    pub(crate) organization_hrids: Option<Arc<str>>,
    /// The installation's id.
    pub(crate) installation: Option<Arc<str>>,
    /// Licences after ($1, $2) and before $3, at most $4, of organizations $5.
    pub(crate) licenses: Option<Arc<str>>,
    /// Access points after ($1, $2) and before $3, at most $4, of environments $5.
    pub(crate) access_points: Option<Arc<str>>,
}

impl Statements {
    /// Builds them. `filtered`: whether only some environments are read, so that the last argument is there.
    pub(crate) fn new(names: &Names<'_>, filtered: bool) -> Self {
        let schema = names.schema;
        let events = names.table("events_latest");
        let properties = names.table("events_latest_properties");
        let of_events = names.table("events_latest_environments");
        let subscriptions = names.table("subscriptions");
        let links = names.table("key_subscriptions");
        let keys = names.table("keys");

        let event_environment = |n| {
            if filtered {
                format!(
                    " AND (NOT EXISTS (SELECT 1 FROM {of_events} v WHERE {own})
                        OR EXISTS (SELECT 1 FROM {of_events} v WHERE {own} AND {}))",
                    names.is_in("v.environment_id", n),
                    own = names.same("v.event_id", "e.id")
                )
            } else {
                String::new()
            }
        };
        let length = names.bytes("e.payload");
        let updated = names.time("e.updated_at");
        let event_page = format!(
            "SELECT e.id, e.type, {updated}, {length} FROM {events} e
                WHERE {} AND {} AND e.updated_at < $4{} ORDER BY e.updated_at, e.id LIMIT $5",
            names.is_in("e.type", 1),
            after("e.updated_at", "e.id", 2),
            event_environment(6)
        );
        let event_index = format!(
            "SELECT e.id, {updated} FROM {events} e WHERE {} AND e.id > $2{} ORDER BY e.id LIMIT $3",
            names.is_in("e.type", 1),
            event_environment(4)
        );
        let event_heads = format!(
            "SELECT e.id, e.type, {updated}, {length} FROM {events} e WHERE {} AND {}{}",
            names.is_in("e.id", 1),
            names.is_in("e.type", 2),
            event_environment(3)
        );
        let event_records = format!(
            "SELECT e.id, e.type, {created}, {updated}, {length},
                CASE WHEN octet_length(e.payload) <= {MAX_PAYLOAD} THEN e.payload END FROM {events} e WHERE {}",
            names.is_in("e.id", 1),
            created = names.time("e.created_at")
        );
        let event_properties = format!(
            "SELECT p.event_id, p.property_key, p.property_value FROM {properties} p WHERE {}",
            names.is_in("p.event_id", 1)
        );

        let subscription = subscription_columns(names);
        let active = names.is_word("s.status", "ACCEPTED");
        let plan = names.quoted("s", "plan");
        let updated = names.time("s.updated_at");
        let subscriptions_of_plans = format!(
            "SELECT {subscription} FROM {subscriptions} s WHERE {} AND {active} AND {}{}
                ORDER BY {plan}, s.id LIMIT $4",
            names.is_in(&plan, 1),
            after(&plan, "s.id", 2),
            names.environment(filtered, "subscriptions", "s", 5)
        );
        let subscriptions_of_plan = format!(
            "SELECT {subscription} FROM {subscriptions} s WHERE {} AND s.id > $2 AND {active}{}
                ORDER BY s.id LIMIT $3",
            names.is(&plan, 1),
            names.environment(filtered, "subscriptions", "s", 4)
        );
        let subscription_counts = format!(
            "SELECT {plan}, count(*) FROM {subscriptions} s WHERE {} AND {active}{} GROUP BY {plan}",
            names.is_in(&plan, 1),
            names.environment(filtered, "subscriptions", "s", 2)
        );
        let subscriptions_changed = format!(
            "SELECT {subscription} FROM {subscriptions} s WHERE {} AND s.updated_at < $3{}
                ORDER BY s.updated_at, s.id LIMIT $4",
            after("s.updated_at", "s.id", 1),
            names.environment(filtered, "subscriptions", "s", 5)
        );

        let key_updated = names.time("k.updated_at");
        let key = format!(
            "k.id, {}, {}, {}, k.revoked, {}, {key_updated}",
            names.quoted("k", "key"),
            names.column("keys", "k", "application", "text"),
            names.time("k.expire_at"),
            names.column("keys", "k", "paused", "boolean")
        );
        let own = if schema.has("keys", "federated") { " AND k.federated = false" } else { "" };
        let unpaused =
            if schema.has("keys", "paused") { " AND COALESCE(k.paused, false) = false" } else { "" };
        let keys_of = |condition: &str| {
            let to = format!("{keys} k ON {}", names.same("k.id", "l.key_id"));
            format!(
                "{}{}{own}{condition} ORDER BY k.id, l.subscription_id LIMIT $4",
                names.links("subscription_id", &format!("{key}, l.subscription_id"), &to),
                after("k.id", "l.subscription_id", 2)
            )
        };
        let active_keys = keys_of(&format!(" AND k.revoked = false{unpaused}"));
        let all_keys = keys_of("");
        // A key without an environment is decided by its subscriptions.
        let key_environment = if filtered && schema.has("keys", "environment_id") {
            format!(" AND (k.environment_id IS NULL OR {})", names.is_in("k.environment_id", 5))
        } else {
            String::new()
        };
        let keys_changed = format!(
            "SELECT {key} FROM {keys} k WHERE {} AND k.updated_at < $3{own}{key_environment}
                ORDER BY k.updated_at, k.id LIMIT $4",
            after("k.updated_at", "k.id", 1)
        );
        let reference = [
            names.column("subscriptions", "s", "api", "text"),
            names.column("subscriptions", "s", "reference_type", "text"),
            names.column("subscriptions", "s", "reference_id", "text"),
        ]
        .join(", ");
        let to_subscription = format!("{subscriptions} s ON {}", names.same("s.id", "l.subscription_id"));
        let links_of_keys = format!(
            "{}{}{} ORDER BY l.key_id, l.subscription_id LIMIT $4",
            names.links(
                "key_id",
                &format!("l.key_id, s.id, {reference}, {plan}, s.status"),
                &to_subscription
            ),
            after("l.key_id", "l.subscription_id", 2),
            names.environment(filtered, "subscriptions", "s", 5)
        );
        let subscription_index = format!(
            "SELECT s.id, {updated}, {reference} FROM {subscriptions} s WHERE s.id > $1 AND {active}{}
                ORDER BY s.id LIMIT $2",
            names.environment(filtered, "subscriptions", "s", 3)
        );
        // The index of the links is walked, which has the order of the pages: nothing is sorted, and a page costs what is
        // in it. MariaDB and MySQL have to be told.
        let straight = if matches!(names.dialect, Dialect::Mysql { .. }) { "STRAIGHT_JOIN " } else { "" };
        let key_index = format!(
            "SELECT {straight}k.id, s.id, {key_updated}, {reference} FROM {links} l JOIN {keys} k ON {}
                JOIN {to_subscription}
                WHERE {} AND k.revoked = false{unpaused}{own} AND {active}{}
                ORDER BY l.key_id, l.subscription_id LIMIT $3",
            names.same("k.id", "l.key_id"),
            after("l.key_id", "l.subscription_id", 1),
            names.environment(filtered, "subscriptions", "s", 4)
        );

        let hrids = |table: &str, column: &str| {
            schema.has_table(table).then(|| {
                Arc::from(format!("SELECT h.{column}, h.hrid FROM {} h ORDER BY h.pos", names.table(table)))
            })
        };
        Self {
            event_page: event_page.into(),
            event_heads: event_heads.into(),
            event_records: event_records.into(),
            event_properties: event_properties.into(),
            subscriptions_of_plans: subscriptions_of_plans.into(),
            subscriptions_of_plan: subscriptions_of_plan.into(),
            subscription_counts: subscription_counts.into(),
            subscriptions_changed: subscriptions_changed.into(),
            metadata: schema.has_table("subscriptions_metadata").then(|| {
                let table = names.table("subscriptions_metadata");
                let condition = names.is_in("m.subscription_id", 1);
                format!("SELECT m.subscription_id, m.k, m.v FROM {table} m WHERE {condition} ORDER BY m.id")
                    .into()
            }),
            active_keys: active_keys.into(),
            all_keys: all_keys.into(),
            keys_changed: keys_changed.into(),
            links_of_keys: links_of_keys.into(),
            event_index: event_index.into(),
            subscription_index: subscription_index.into(),
            key_index: key_index.into(),
            environments: format!("SELECT e.id, e.organization_id FROM {} e", names.table("environments"))
                .into(),
            environment_hrids: hrids("environment_hrids", "environment_id"),
            organization_hrids: hrids("organization_hrids", "organization_id"),
            installation: schema.has_table("installation").then(|| {
                let table = names.table("installation");
                format!("SELECT i.id FROM {table} i ORDER BY i.created_at, i.id LIMIT 1").into()
            }),
            licenses: schema.has_table("licenses").then(|| {
                let organizations = if filtered {
                    format!(" AND {}", names.is_in("l.reference_id", 5))
                } else {
                    String::new()
                };
                format!(
                    "SELECT l.reference_id, l.license, {} FROM {} l WHERE {}
                        AND {} AND l.updated_at < $3{organizations}
                        ORDER BY l.updated_at, l.reference_id LIMIT $4",
                    names.time("l.updated_at"),
                    names.table("licenses"),
                    names.is_word("l.reference_type", "ORGANIZATION"),
                    after("l.updated_at", "l.reference_id", 1)
                )
                .into()
            }),
            access_points: access_points(names, filtered),
        }
    }
}

/// Columns of a subscription, in the order in which `subscriptions` reads them.
fn subscription_columns(names: &Names<'_>) -> String {
    let optional = |name: &str| names.column("subscriptions", "s", name, "text");
    let bounded = |name: &str| {
        let column = optional(name);
        format!("CASE WHEN octet_length({column}) <= {MAX_TEXT} THEN {column} END")
    };
    let too_long = |name: &str| format!("COALESCE(octet_length({}), 0) > {MAX_TEXT}", optional(name));
    [
        "s.id".to_owned(),
        optional("api"),
        optional("reference_type"),
        optional("reference_id"),
        optional("environment_id"),
        names.quoted("s", "plan"),
        "s.application".to_owned(),
        optional("application_name"),
        optional("client_id"),
        bounded("client_certificate"),
        "s.status".to_owned(),
        optional("consumer_status"),
        names.time("s.starting_at"),
        names.time("s.ending_at"),
        optional("type"),
        bounded("configuration"),
        names.time("s.updated_at"),
        format!("({} OR {})", too_long("client_certificate"), too_long("configuration")),
    ]
    .join(", ")
}

/// Access points count since 4.4, when they got a state and a time.
fn access_points(names: &Names<'_>, filtered: bool) -> Option<Arc<str>> {
    if !names.schema.has("access_points", "status") || !names.schema.has("access_points", "updated_at") {
        return None;
    }
    let environments =
        if filtered { format!(" AND {}", names.is_in("a.reference_id", 5)) } else { String::new() };
    let sql = format!(
        "SELECT a.id, a.reference_id, a.target, a.host, a.status, {} FROM {} a
            WHERE {} AND a.target IN ('GATEWAY', 'TCP_GATEWAY', 'KAFKA_GATEWAY')
            AND {} AND a.updated_at < $3{environments} ORDER BY a.updated_at, a.id LIMIT $4",
        names.time("a.updated_at"),
        names.table("access_points"),
        names.is_word("a.reference_type", "ENVIRONMENT"),
        after("a.updated_at", "a.id", 1)
    );
    Some(sql.into())
}
