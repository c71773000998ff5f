//! TLS to an endpoint (`data-plane.md` section 1.4, `ssl`).

pub(crate) mod json;

use zonegate_model::secrecy::SecretString;

/// Whom to trust, and as whom to appear.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// Trust any certificate. Default no.
    pub trust_all: bool,
    /// Compare the certificate's names with the host's. Default yes (V4), no (V2).
    pub verify_host: bool,
    /// Certificates to trust instead of the system's.
    pub trust_store: Option<TrustStore>,
    /// Certificate and key of the gateway itself.
    pub key_store: Option<KeyStore>,
    /// Negotiate the protocol.
    pub alpn: Option<bool>,
    /// Names of TLS versions; empty: the implementation's own.
    pub protocols: Vec<String>,
    /// Names of cipher suites; empty: the implementation's own.
    pub ciphers: Vec<String>,
}

/// Certificates to trust.
#[derive(Clone, Debug)]
pub enum TrustStore {
    /// A Java key store.
    Jks(StoreFile),
    /// PKCS #12.
    Pkcs12(StoreFile),
    /// Certificates in PEM.
    Pem(Material),
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub enum KeyStore {
    /// A Java key store.
    Jks(StoreFile),
    /// PKCS #12.
    Pkcs12(StoreFile),
    /// Key and certificate in PEM.
    Pem {
        /// The private key.
        key: Material,
        /// The certificate chain.
        certificate: Material,
    },
}

/// A store with a password.
#[derive(Clone, Debug)]
pub struct StoreFile {
    /// The store; content is in base64.
    pub material: Material,
    /// Password of the store.
    pub password: Option<SecretString>,
    /// The entry to use.
    pub alias: Option<String>,
    /// Password of the key, where it is another one. Key stores only.
    pub key_password: Option<SecretString>,
}

/// Where something is.
#[derive(Clone, Debug)]
pub enum Material {
    /// In a file of the node.
    Path(String),
    /// In the definition.
    Content(SecretString),
    /// Nothing is said. The original minds only when it connects with TLS, so definitions with it exist.
    Nowhere,
}
