//! The certificate that a client shows on its connection (RFC 8705), made of what an entry holds.
//!
//! Whether it is any good is the server's to say; here it is PEM with a key beside it. It stands for the client
//! itself where `client_auth = "tls"`, and binds tokens to it whatever the client proves itself by (section 3).

use std::collections::BTreeMap;
use std::fmt;

use tokctl_proto::{Failure, Kind, ProfileName, Secret};

use crate::oauth::buffer::Buffer;
use crate::oauth::client_auth::{secret_required, set_secret};
use crate::oauth::jose::key::certificate_thumbprint;
use crate::oauth::jose::{KeyError, pem};

/// The certificate in an entry, with those that lead to its authority behind it.
pub const TLS_CERTIFICATE: &str = "tls_certificate";
/// Its private key. It may stand in the same text as the certificate instead.
pub const TLS_KEY: &str = "tls_key";

/// Why a certificate cannot be used with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is none.
    NoKey,
    /// Which of the two, and what it is.
    Broken { name: &'static str, what: String },
}

/// A certificate and its private key.
#[derive(Clone)]
pub struct ClientCertificate {
    bundle: Secret,
    thumbprint: String,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({})", self.thumbprint)
    }
}

impl ClientCertificate {
    /// The certificate of an entry; `None` where it has none.
    pub fn of(
        profile: &ProfileName,
        grant: &str,
        secrets: &BTreeMap<String, Secret>,
    ) -> Result<Option<Self>, Failure> {
        let stored = |name| secrets.get(name).filter(|text| !text.is_empty());
        let Some(certificate) = stored(TLS_CERTIFICATE) else { return Ok(None) };
        Self::read(certificate, stored(TLS_KEY)).map(Some).map_err(|unfit| match unfit {
            Unfit::NoKey => secret_required(profile, grant, TLS_KEY),
            Unfit::Broken { name, what } => {
                Failure::new(Kind::SecretRequired, format!("the stored `{name}` {what}"))
                    .of(profile)
                    .hint(set_secret(profile, grant, name))
            }
        })
    }

    /// A certificate and its key, which may stand in the same text.
    pub fn read(certificate: &Secret, key: Option<&Secret>) -> Result<Self, Unfit> {
        let broken = |name, what: String| Unfit::Broken { name, what };
        let Some(thumbprint) = certificate_thumbprint(certificate.expose()) else {
            return Err(broken(TLS_CERTIFICATE, "is no certificate (PEM)".to_owned()));
        };
        let (name, key) = match key {
            Some(key) => (TLS_KEY, key),
            None => (TLS_CERTIFICATE, certificate),
        };
        let is_key = |block: &pem::Block<'_>| block.label.ends_with("PRIVATE KEY");
        let key = match pem::blocks(key.expose()).find(is_key) {
            Some(key) if key.is_encrypted() => {
                return Err(broken(name, KeyError::Encrypted.to_string()));
            }
            Some(key) => key,
            None if name == TLS_CERTIFICATE => return Err(Unfit::NoKey),
            None => {
                return Err(broken(name, "is PEM without a private key, or no PEM".to_owned()));
            }
        };
        let mut bundle = Buffer::default();
        let certificates = pem::blocks(certificate.expose());
        for block in certificates.filter(|block| block.label == "CERTIFICATE").chain([key]) {
            let der = block.der().ok_or_else(|| broken(name, "is broken PEM".to_owned()))?;
            bundle.push_str(pem::write(block.label, &der).expose());
        }
        let bundle = bundle.into_secret().expect("PEM is ASCII");
        Ok(Self { bundle, thumbprint })
    }

    /// Certificates and key, one PEM.
    pub fn bundle(&self) -> &Secret {
        &self.bundle
    }

    /// What a token that is bound to it names it by: `x5t#S256` (RFC 8705 section 3.1).
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }
}

/// Whether the first certificate in a text is of this key, a SubjectPublicKeyInfo. A certificate holds that of its
/// key as it is (RFC 5280 section 4.1), and nobody can put the key of another into one and have it signed.
pub fn is_certified(text: &str, public_der: &[u8]) -> bool {
    let certificate = pem::blocks(text).find(|block| block.label == "CERTIFICATE");
    let der = certificate.and_then(|block| block.der());
    der.is_some_and(|der| der.windows(public_der.len()).any(|window| window == public_der))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = include_str!("jose/key/samples/certificate.pem");
    const KEY: &str = include_str!("jose/key/samples/p256_sec1.pem");
    const ENCRYPTED: &str = include_str!("jose/key/samples/p256_pkcs8_encrypted.pem");

    fn of(certificate: &str, key: &str) -> Result<Option<ClientCertificate>, Failure> {
        let secrets = [(TLS_CERTIFICATE, certificate), (TLS_KEY, key)]
            .map(|(name, text)| (name.to_owned(), Secret::new(text.to_owned())));
        let profile = ProfileName::parse("acme").unwrap();
        ClientCertificate::of(&profile, "client_credentials", &secrets.into())
    }

    #[test]
    fn a_certificate_and_its_key_are_one_bundle_however_they_were_stored() {
        let both = [CERTIFICATE, KEY].concat();
        let two = [CERTIFICATE, CERTIFICATE].concat();
        for (certificate, key, certificates) in
            [(CERTIFICATE, KEY, 1), (&both, "", 1), (&both, KEY, 1), (&two, KEY, 2)]
        {
            let held = of(certificate, key).unwrap().unwrap();
            assert_eq!(held.thumbprint(), "FX08tngpBhgy7AZfQuU2eYBBAfpV_DmUn8IpjB2zyoI");
            let labels: Vec<_> =
                pem::blocks(held.bundle().expose()).map(|block| block.label).collect();
            let (last, before) = labels.split_last().unwrap();
            assert_eq!((*last, before), ("EC PRIVATE KEY", &vec!["CERTIFICATE"; certificates][..]));
        }
        assert!(of("", KEY).unwrap().is_none());
    }

    #[test]
    fn what_is_stored_in_vain_says_what_it_is_and_what_to_type() {
        for (certificate, key, message, name) in [
            (KEY, KEY, "the stored `tls_certificate` is no certificate (PEM)", TLS_CERTIFICATE),
            (CERTIFICATE, "", "no secret `tls_key` is stored", TLS_KEY),
            (
                CERTIFICATE,
                CERTIFICATE,
                "the stored `tls_key` is PEM without a private key, or no PEM",
                TLS_KEY,
            ),
            (
                CERTIFICATE,
                ENCRYPTED,
                "the stored `tls_key` is encrypted: decrypt it first, as with `openssl pkey`, \
                 and let the vault encrypt it",
                TLS_KEY,
            ),
        ] {
            let failure = of(certificate, key).unwrap_err();
            assert_eq!((failure.kind, &*failure.message), (Kind::SecretRequired, message));
            let hint = format!("run `tokctl set-secret acme --name {name}`");
            assert_eq!(failure.hint, Some(hint));
        }
    }

    #[test]
    fn a_certificate_is_of_one_key() {
        use crate::oauth::jose::PrivateKey;
        const OTHER: &str = include_str!("jose/key/samples/ed25519_pkcs8.pem");
        for (key, certificate, is_its) in
            [(KEY, CERTIFICATE, true), (OTHER, CERTIFICATE, false), (KEY, KEY, false)]
        {
            let key = PrivateKey::asymmetric(&Secret::new(key.to_owned())).unwrap();
            assert_eq!(is_certified(certificate, &key.public_der().unwrap()), is_its);
        }
    }

    #[test]
    fn a_certificates_key_never_prints() {
        let held = of(CERTIFICATE, KEY).unwrap();
        assert!(!format!("{held:?}").contains("BEGIN"));
    }
}
