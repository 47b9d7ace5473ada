//! Text that must not be seen: tokens, passphrases, keys.
//!
//! There is no `Display`, no `PartialEq` and no `Serialize` on [`Secret`]; [`SecretStr`] is its form on the
//! wire and is the only one that is encoded. Every secret tokctl handles is text (RFC 6749 appendix A,
//! age passphrases, PEM), so both hold UTF-8.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

/// A secret that is wiped when it is dropped and prints as `Secret(..)`.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; the caller's buffer becomes the secret, so nothing is left behind.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Takes bytes over when they are UTF-8, and wipes them when they are not.
    pub fn from_utf8(bytes: Vec<u8>) -> Option<Self> {
        match String::from_utf8(bytes) {
            Ok(text) => Some(Self::new(text)),
            Err(refused) => {
                refused.into_bytes().zeroize();
                None
            }
        }
    }

    /// The one door out. The result goes straight into the call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A secret inside a message: borrowed from the frame where the encoding allows it, wiped where it had to be copied.
#[derive(Default)]
pub struct SecretStr<'a>(Cow<'a, str>);

impl SecretStr<'_> {
    /// The one door out, as [`Secret::expose`].
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Copies the text into a secret of its own.
    pub fn to_secret(&self) -> Secret {
        Secret::new(self.0.to_string())
    }
}

impl<'a> From<&'a Secret> for SecretStr<'a> {
    fn from(secret: &'a Secret) -> Self {
        Self(Cow::Borrowed(secret.expose()))
    }
}

impl<'a> From<&'a str> for SecretStr<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl Drop for SecretStr<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.0 {
            text.zeroize();
        }
    }
}

impl fmt::Debug for SecretStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Serialize for SecretStr<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for SecretStr<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = SecretStr<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(SecretStr(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(SecretStr(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(SecretStr(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "Secret(..)");
        assert_eq!(format!("{:?}", SecretStr::from("hunter2")), "Secret(..)");
    }

    #[test]
    fn json_escapes_still_decode() {
        let text: SecretStr<'_> = serde_json::from_str(r#""a\"b\u0041""#).unwrap();
        assert_eq!(text.expose(), "a\"bA");
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        assert!(Secret::from_utf8(vec![0xff, 0xfe]).is_none());
    }
}
