//! TLS settings in JSON; V2 and V4 write them alike, except that V2 knows an old `pem` beside the stores.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use zonegate_model::secrecy::SecretString;

use super::{KeyStore, Material, StoreFile, TlsSettings, TrustStore};
use crate::json::{Flag, Text};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{At, DefinitionVersion, label};

/// `ssl` of the settings.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TlsJson<'a> {
    trust_all: Option<Flag>,
    hostname_verifier: Option<Flag>,
    #[serde(borrow)]
    trust_store: Option<StoreJson<'a>>,
    key_store: Option<StoreJson<'a>>,
    pem: Option<Text<'a>>,
    alpn: Option<Flag>,
    tls_protocols: Option<Words<'a>>,
    tls_ciphers: Option<Words<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct StoreJson<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    path: Option<Text<'a>>,
    content: Option<Text<'a>>,
    password: Option<Text<'a>>,
    alias: Option<Text<'a>>,
    key_password: Option<Text<'a>>,
    key_path: Option<Text<'a>>,
    key_content: Option<Text<'a>>,
    cert_path: Option<Text<'a>>,
    cert_content: Option<Text<'a>>,
}

/// An array of words, or one text with commas between them.
struct Words<'a>(Vec<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Words<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<Text<'de>>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array of words, or a text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                Ok(words.map(|word| Text(Cow::Owned(word.to_owned()))).collect())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = access.next_element()? {
                    words.push(word);
                }
                Ok(words)
            }
        }
        deserializer.deserialize_any(Reader).map(Words)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    None,
    Jks,
    Pkcs12,
    Pem,
}

/// TLS settings with what holds where nothing is said.
pub(crate) fn tls_settings(
    json: TlsJson<'_>,
    version: DefinitionVersion,
    at: &At<'_>,
) -> Result<TlsSettings, Refusal> {
    let mut trust_store = None;
    if let Some(store) = json.trust_store {
        trust_store = self::trust_store(store, &at.member("trustStore"))?;
    }
    if let (None, Some(pem)) = (&trust_store, Text::filled(json.pem)) {
        trust_store = Some(TrustStore::Pem(Material::Content(SecretString::from(pem.into_owned()))));
    }
    Ok(TlsSettings {
        trust_all: Flag::or(json.trust_all, false),
        verify_host: Flag::or(json.hostname_verifier, version == DefinitionVersion::V4),
        trust_store,
        key_store: json
            .key_store
            .map(|store| key_store(store, &at.member("keyStore")))
            .transpose()?
            .flatten(),
        alpn: json.alpn.map(|Flag(on)| on),
        protocols: Text::all(json.tls_protocols.map(|Words(words)| words)),
        ciphers: Text::all(json.tls_ciphers.map(|Words(words)| words)),
    })
}

fn trust_store(json: StoreJson<'_>, at: &At<'_>) -> Result<Option<TrustStore>, Refusal> {
    Ok(match kind(json.kind.as_ref(), at)? {
        Kind::None => None,
        Kind::Jks => Some(TrustStore::Jks(file(json))),
        Kind::Pkcs12 => Some(TrustStore::Pkcs12(file(json))),
        Kind::Pem => Some(TrustStore::Pem(material(json.path, json.content))),
    })
}

fn key_store(json: StoreJson<'_>, at: &At<'_>) -> Result<Option<KeyStore>, Refusal> {
    Ok(match kind(json.kind.as_ref(), at)? {
        Kind::None => None,
        Kind::Jks => Some(KeyStore::Jks(file(json))),
        Kind::Pkcs12 => Some(KeyStore::Pkcs12(file(json))),
        Kind::Pem => Some(KeyStore::Pem {
            key: material(json.key_path, json.key_content),
            certificate: material(json.cert_path, json.cert_content),
        }),
    })
}

fn kind(text: Option<&Text<'_>>, at: &At<'_>) -> Result<Kind, Refusal> {
    const KINDS: [(&str, Kind); 5] = [
        ("", Kind::None),
        ("none", Kind::None),
        ("jks", Kind::Jks),
        ("pkcs12", Kind::Pkcs12),
        ("pem", Kind::Pem),
    ];
    let text = text.map_or("", |Text(text)| text);
    label::find(text, &KINDS).ok_or_else(|| at.member("type").refuse(Reason::StoreType(excerpt(text))))
}

fn file(json: StoreJson<'_>) -> StoreFile {
    StoreFile {
        material: material(json.path, json.content),
        password: secret(json.password),
        alias: Text::filled(json.alias).map(Into::into),
        key_password: secret(json.key_password),
    }
}

fn material(path: Option<Text<'_>>, content: Option<Text<'_>>) -> Material {
    match (Text::filled(content), Text::filled(path)) {
        (Some(content), _) => Material::Content(SecretString::from(content.into_owned())),
        (None, Some(path)) => Material::Path(path.into_owned()),
        (None, None) => Material::Nowhere,
    }
}

fn secret(text: Option<Text<'_>>) -> Option<SecretString> {
    text.map(|Text(text)| SecretString::from(text.into_owned()))
}
