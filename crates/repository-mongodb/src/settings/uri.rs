//! `management.mongodb.uri`, read by the driver, without ever repeating what may be a password (L3).

use std::time::Duration;

use mongodb::options::{ConnectionString, HostInfo, ServerAddress, Tls};
use secrecy::{ExposeSecret, SecretString};

use super::SettingsError;

/// The options that count: those that the driver knows, but for writing, compression and the form of ids. Others of its own
/// are left to it to refuse.
const UNDERSTOOD: [&str; 32] = [
    "appname",
    "authmechanism",
    "authmechanismproperties",
    "authsource",
    "connecttimeoutms",
    "directconnection",
    "heartbeatfrequencyms",
    "loadbalanced",
    "localthresholdms",
    "maxconnecting",
    "maxidletimems",
    "maxpoolsize",
    "maxstalenessseconds",
    "minpoolsize",
    "proxyhost",
    "proxypassword",
    "proxyport",
    "proxyusername",
    "readconcernlevel",
    "readpreference",
    "readpreferencetags",
    "replicaset",
    "retryreads",
    "servermonitoringmode",
    "serverselectiontimeoutms",
    "sockettimeoutms",
    "srvmaxhosts",
    "srvservicename",
    "ssl",
    "tls",
    "tlsallowinvalidcertificates",
    "tlsinsecure",
];

/// A URI that the driver understands and that asks for nothing that there is not.
#[derive(Clone)]
pub(crate) struct Uri(ConnectionString);

impl Uri {
    /// Reads it.
    pub(crate) fn parse(uri: &SecretString) -> Result<Self, SettingsError> {
        let text = uri.expose_secret();
        // The driver would read files that options of TLS name, and complain of those.
        let lower = text.to_ascii_lowercase();
        let (_, options) = lower.split_once('?').unwrap_or((&lower, ""));
        for (option, called) in [
            ("tlscafile", "tlsCAFile"),
            ("tlscertificatekeyfile", "tlsCertificateKeyFile"),
            ("tls=true", "tls=true"),
            ("ssl=true", "ssl=true"),
        ] {
            if options.split('&').any(|found| found == option || found.split('=').next() == Some(option)) {
                return Err(SettingsError::Tls(called));
            }
        }
        let read = ConnectionString::parse(without_ignored(text)).map_err(|error| {
            // The driver's words can repeat any part of the URI, and where there is an `@`, there can be a password.
            let why = if text.contains('@') { String::new() } else { format!(" ({error})") };
            SettingsError::Uri(format!(
                "not a URI that can be used{why}; write `mongodb://user:password@host:27017/gravitee?authSource=admin`, \
                 with user and password percent-encoded"
            ))
        })?;
        match &read.tls {
            Some(Tls::Enabled(_)) if matches!(read.host_info, HostInfo::DnsRecord(_)) => {
                Err(SettingsError::Tls("mongodb+srv"))
            }
            Some(Tls::Enabled(_)) => Err(SettingsError::Tls("tls")),
            _ => Ok(Self(read)),
        }
    }

    /// The database that it names.
    pub(crate) fn database(&self) -> Option<&str> {
        self.0.default_database.as_deref()
    }

    /// Its hosts, for messages.
    pub(crate) fn servers(&self) -> String {
        match &self.0.host_info {
            HostInfo::HostIdentifiers(hosts) => {
                hosts.iter().map(ServerAddress::to_string).collect::<Vec<_>>().join(",")
            }
            HostInfo::DnsRecord(name) => format!("{name} (by its SRV record)"),
            _ => "?".to_owned(),
        }
    }

    /// `socketTimeoutMS`, which the driver reads and leaves alone.
    pub(crate) fn socket_timeout(&self) -> Option<Duration> {
        #[expect(deprecated, reason = "only to know what was asked for: it is we who keep to it")]
        self.0.socket_timeout.filter(|time| !time.is_zero())
    }

    /// For the driver.
    pub(crate) fn connection_string(&self) -> ConnectionString {
        let mut uri = self.0.clone();
        #[expect(deprecated, reason = "the driver refuses to work with it")]
        {
            uri.socket_timeout = None;
        }
        uri
    }
}

/// The URI without the options that count for nothing here: the driver refuses those that it does not know, while APIM's
/// leaves them out.
fn without_ignored(uri: &str) -> String {
    let Some((place, options)) = uri.split_once('?') else { return uri.to_owned() };
    let name = |option: &str| option.split('=').next().unwrap_or_default().to_ascii_lowercase();
    let (kept, ignored): (Vec<&str>, Vec<&str>) = options
        .split('&')
        .filter(|option| !option.is_empty())
        .partition(|option| UNDERSTOOD.contains(&&*name(option)));
    if !ignored.is_empty() {
        let names = ignored.into_iter().map(name).collect::<Vec<_>>().join(", ");
        tracing::info!(options = names, "`management.mongodb.uri`: these options count for nothing here");
    }
    format!("{place}?{}", kept.join("&"))
}
