//! Encrypted API properties (`management-repository.md` section 7.3): AES in ECB mode with PKCS#5 padding under the
//! raw bytes of a shared secret. It only reads: nothing of ours is protected this way.

use aes::cipher::{BlockModeDecrypt, KeyInit, block_padding::Pkcs7};
use aes::{Aes128, Aes192, Aes256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zonegate_model::secrecy::{ExposeSecret, SecretString};

/// The secret of `api.properties.encryption.secret` has the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`api.properties.encryption.secret` is {0} bytes long; it must have 16, 24 or 32, and be the one that the \
     management API uses"
)]
pub struct WrongSecretLength(pub usize);

/// Decrypts property values.
#[derive(Clone)]
pub struct PropertyCipher(Key);

#[derive(Clone)]
enum Key {
    Aes128(ecb::Decryptor<Aes128>),
    Aes192(ecb::Decryptor<Aes192>),
    Aes256(ecb::Decryptor<Aes256>),
}

impl std::fmt::Debug for PropertyCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PropertyCipher")
    }
}

impl PropertyCipher {
    /// APIM's secret where none is set: known to everybody, and used by many installations.
    pub const DEFAULT_SECRET: &str = "vvLJ4Q8Khvv9tm2tIPdkGEdmgKUruAL6";

    /// From the secret, whose bytes are the key.
    pub fn new(secret: &SecretString) -> Result<Self, WrongSecretLength> {
        let bytes = secret.expose_secret().as_bytes();
        let wrong = |_| WrongSecretLength(bytes.len());
        Ok(Self(match bytes.len() {
            16 => Key::Aes128(ecb::Decryptor::new_from_slice(bytes).map_err(wrong)?),
            24 => Key::Aes192(ecb::Decryptor::new_from_slice(bytes).map_err(wrong)?),
            32 => Key::Aes256(ecb::Decryptor::new_from_slice(bytes).map_err(wrong)?),
            other => return Err(WrongSecretLength(other)),
        }))
    }

    /// The clear text, or `None` if it cannot be decrypted under this secret.
    pub fn decrypt(&self, value: &str) -> Option<String> {
        let cipher_text = STANDARD.decode(value.trim()).ok()?;
        let bytes = match &self.0 {
            Key::Aes128(key) => key.clone().decrypt_padded_vec::<Pkcs7>(&cipher_text).ok()?,
            Key::Aes192(key) => key.clone().decrypt_padded_vec::<Pkcs7>(&cipher_text).ok()?,
            Key::Aes256(key) => key.clone().decrypt_padded_vec::<Pkcs7>(&cipher_text).ok()?,
        };
        String::from_utf8(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_default_secret_decrypts() {
        let cipher = PropertyCipher::new(&PropertyCipher::DEFAULT_SECRET.into()).unwrap();
        assert_eq!(cipher.decrypt("vLJAXQh8OPSV6zhosZt82Q==").as_deref(), Some("hello"));
        for broken in ["", "hello", "vLJAXQh8OPSV6zhosZt8", "AAAAAAAAAAAAAAAAAAAAAA=="] {
            assert_eq!(cipher.decrypt(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_secret_of_another_length_is_an_error_that_names_the_setting() {
        let error = PropertyCipher::new(&"short".into()).unwrap_err();
        assert!(error.to_string().contains("api.properties.encryption.secret"));
        assert!(!error.to_string().contains("short"));
        assert!(PropertyCipher::new(&"0123456789abcdef".into()).is_ok());
        assert!(PropertyCipher::new(&"0123456789abcdef01234567".into()).is_ok());
    }
}
