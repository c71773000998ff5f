//! The driver's client: made at the first read, kept from then on. The driver has a pool of connections of its own, and
//! watches the servers beside it.

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::options::{
    ClientOptions, Credential, ReadPreference as Preference, ReadPreferenceOptions, SelectionCriteria,
    ServerAddress,
};
use secrecy::ExposeSecret;

use crate::settings::{Checked, CheckedPlace, MongoServers, ReadPreference};

/// What the servers can do, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// Whether sessions can read one moment of the database: replica sets and sharded clusters since MongoDB 5.0.
    pub(crate) snapshots: bool,
    /// Whether there can be change streams: replica sets and sharded clusters.
    pub(crate) change_streams: bool,
}

/// The wire version of MongoDB 5.0.
const VERSION_5_0: i32 = 13;

impl Abilities {
    /// From the answer to `hello`.
    pub(crate) fn of(hello: &Document) -> Self {
        let cluster =
            hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|message| message == "isdbgrid");
        let version = hello.get_i32("maxWireVersion").unwrap_or_default();
        Self { snapshots: cluster && version >= VERSION_5_0, change_streams: cluster }
    }
}

/// Makes the client. Does not connect, but looks up the servers of a `mongodb+srv` URI.
pub(crate) async fn client(checked: &Checked) -> Result<Client, Error> {
    let mut options = match &checked.place {
        CheckedPlace::Uri(uri) => ClientOptions::parse(uri.connection_string()).await?,
        CheckedPlace::Servers(servers) => options(servers),
    };
    if options.app_name.is_none() {
        options.app_name = Some(checked.description.clone());
    }
    Client::with_options(options)
}

fn options(servers: &MongoServers) -> ClientOptions {
    let hosts = servers.hosts.iter();
    let hosts = hosts.map(|(host, port)| ServerAddress::Tcp { host: host.clone(), port: Some(*port) });
    let credential = servers.username.as_ref().map(|username| {
        let password = servers.password.as_ref().map_or("", |password| password.expose_secret());
        Credential::builder()
            .username(username.clone())
            .password(password.to_owned())
            .source(servers.auth_source.clone())
            .build()
    });
    let mut options = ClientOptions::builder()
        .hosts(hosts.collect::<Vec<_>>())
        .connect_timeout(servers.connect_timeout)
        .server_selection_timeout(servers.server_selection_timeout)
        .build();
    options.direct_connection = Some(servers.hosts.len() == 1);
    options.credential = credential;
    options.heartbeat_freq = servers.heartbeat_frequency;
    options.local_threshold = servers.local_threshold;
    options.max_idle_time = servers.max_idle_time;
    options.max_pool_size = servers.max_pool_size;
    options.min_pool_size = servers.min_pool_size;
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(preference(servers)));
    options
}

fn preference(servers: &MongoServers) -> Preference {
    let tags = &servers.read_preference_tags;
    let tagged = (!tags.is_empty())
        .then(|| ReadPreferenceOptions::builder().tag_sets(vec![tags.iter().cloned().collect()]).build());
    match servers.read_preference {
        ReadPreference::Primary => Preference::Primary,
        ReadPreference::PrimaryPreferred => Preference::PrimaryPreferred { options: None },
        ReadPreference::Secondary => Preference::Secondary { options: tagged },
        ReadPreference::SecondaryPreferred => Preference::SecondaryPreferred { options: tagged },
        ReadPreference::Nearest => Preference::Nearest { options: tagged },
    }
}

/// Asks a server that can be read what it is.
pub(crate) async fn hello(client: &Client) -> Result<Abilities, Error> {
    let admin = client.database("admin");
    let run = admin.run_command(doc! { "hello": 1 });
    let answer = match client.selection_criteria() {
        Some(criteria) => run.selection_criteria(criteria.clone()).await?,
        None => run.await?,
    };
    Ok(Abilities::of(&answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_server_is_connected_to_directly_and_several_are_a_replica_set() {
        let mut servers = MongoServers::new("a", 1);
        servers.username = Some("u".to_owned());
        let made = options(&servers);
        assert_eq!(made.direct_connection, Some(true));
        assert_eq!(made.credential.unwrap().source.as_deref(), Some("gravitee"));
        servers.hosts.push(("b".to_owned(), 2));
        assert_eq!(options(&servers).direct_connection, Some(false));
    }

    #[test]
    fn tags_count_where_apim_counts_them() {
        let mut servers = MongoServers::new("a", 1);
        servers.read_preference_tags = vec![("dc".to_owned(), "east".to_owned())];
        assert_eq!(preference(&servers), Preference::Primary);
        servers.read_preference = ReadPreference::Nearest;
        let Preference::Nearest { options: Some(options) } = preference(&servers) else { panic!() };
        assert_eq!(options.tag_sets.unwrap()[0]["dc"], "east");
    }

    #[test]
    fn only_clusters_have_change_streams_and_only_new_ones_snapshots() {
        let of = |hello| Abilities::of(&hello);
        assert_eq!(of(doc! { "maxWireVersion": 21 }), Abilities::default());
        let set = of(doc! { "setName": "rs", "maxWireVersion": 21 });
        assert!(set.snapshots && set.change_streams);
        let old = of(doc! { "msg": "isdbgrid", "maxWireVersion": 9 });
        assert!(!old.snapshots && old.change_streams);
    }
}
