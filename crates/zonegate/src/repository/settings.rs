//! `management.*` and what else of the settings is about the repository, as its crates want it.

use zonegate_config::{Jdbc, JdbcUrl, Mongo, MongoPlace, ReadPreference, Settings};
use zonegate_repository::{Bulk, EnvironmentFilter};
use zonegate_repository_mongodb::{self as mongodb, MongoServers, MongoSettings};
use zonegate_repository_sql::{ColumnZone, Database, SqlSettings, Timeouts};

use crate::configuration::{NEVER, Unsupported, tags};

/// Which part of the management repository is for this gateway, and how much of it is read at once.
pub(super) fn repository_settings(settings: &Settings) -> zonegate_repository::Settings {
    let sync = &settings.sync;
    zonegate_repository::Settings {
        environments: EnvironmentFilter {
            organizations: settings.organizations.clone(),
            environments: settings.environments.clone(),
            environments_are_ids: !settings.legacy_environment_hrids,
        },
        tags: tags(settings),
        bulk: Bulk {
            events: sync.bulk_items as usize,
            subscriptions: sync.subscription_bulk_items as usize,
            keys: sync.api_key_bulk_items as usize,
            key_subscriptions: sync.api_key_subscriptions_chunk_size as usize,
        },
        authorization: sync.authorization,
        encryption_secret: settings.api.properties_encryption_secret.clone(),
    }
}

/// Where a SQL database is, and how to reach it.
pub(super) fn sql_settings(jdbc: &Jdbc) -> Result<SqlSettings, Unsupported> {
    let database = match &jdbc.url {
        JdbcUrl::Postgresql { host, port, database, parameters } => Database::Postgresql {
            host: host.clone(),
            port: *port,
            database: database.clone(),
            parameters: parameters.clone(),
        },
        JdbcUrl::Mysql { host, port, database, parameters } => Database::Mysql {
            host: host.clone(),
            port: *port,
            database: database.clone(),
            parameters: parameters.clone(),
        },
        JdbcUrl::Sqlite { path } => Database::Sqlite { path: path.clone() },
    };
    let zone = jdbc.time_zone.as_deref().map(str::parse::<ColumnZone>).transpose();
    Ok(SqlSettings {
        username: jdbc.username.clone(),
        password: jdbc.password.clone(),
        schema: jdbc.schema.clone(),
        prefix: jdbc.table_prefix.clone(),
        pool_size: jdbc.pool.max_size as usize,
        zone: zone.map_err(|error| Unsupported::new("management.jdbc.timezone", error.to_string()))?,
        timeouts: Timeouts {
            connect: jdbc.pool.connection_timeout,
            idle: jdbc.pool.idle_timeout.unwrap_or(NEVER),
            lifetime: jdbc.pool.max_lifetime.unwrap_or(NEVER),
            ..Timeouts::default()
        },
        ..SqlSettings::new(database)
    })
}

/// Where a MongoDB is, and how to reach it.
pub(super) fn mongo_settings(mongo: &Mongo) -> MongoSettings {
    let place = match &mongo.place {
        MongoPlace::Uri(uri) => mongodb::MongoPlace::Uri(uri.clone()),
        MongoPlace::Parts(parts) => mongodb::MongoPlace::Servers(Box::new(MongoServers {
            hosts: parts.servers.iter().map(|server| (server.host.clone(), server.port)).collect(),
            username: parts.username.clone(),
            password: parts.password.clone(),
            auth_source: parts.auth_source.clone(),
            connect_timeout: parts.connect_timeout,
            socket_timeout: parts.socket_timeout,
            server_selection_timeout: parts.server_selection_timeout,
            heartbeat_frequency: parts.heartbeat_frequency,
            local_threshold: parts.local_threshold,
            max_idle_time: parts.max_idle_time,
            max_pool_size: parts.max_pool_size,
            min_pool_size: parts.min_pool_size,
            read_preference: match parts.read_preference {
                ReadPreference::Primary => mongodb::ReadPreference::Primary,
                ReadPreference::PrimaryPreferred => mongodb::ReadPreference::PrimaryPreferred,
                ReadPreference::Secondary => mongodb::ReadPreference::Secondary,
                ReadPreference::SecondaryPreferred => mongodb::ReadPreference::SecondaryPreferred,
                ReadPreference::Nearest => mongodb::ReadPreference::Nearest,
            },
            read_preference_tags: parts.read_preference_tags.clone(),
        })),
    };
    MongoSettings {
        place,
        database: mongo.database.clone(),
        prefix: mongo.prefix.clone(),
        description: mongo.description.clone(),
    }
}
