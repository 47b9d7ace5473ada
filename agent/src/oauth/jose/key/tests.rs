//! Keys as they come: from openssl, from providers, made here.

use super::*;

const ASYMMETRIC: [Algorithm; 4] =
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

fn text(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// A file that openssl has made; no key in them is anybody's.
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("samples/", $name))
    };
}

#[test]
fn what_openssl_writes_is_read_or_refused_by_what_it_is() {
    let unusable = Err(KeyError::NotAPrivateKey);
    for (pem, read) in [
        (sample!("rsa_pkcs1.pem"), Ok(Algorithm::Rs256)),
        (sample!("rsa.jwk.json"), Ok(Algorithm::Rs256)),
        (sample!("p256_sec1.pem"), Ok(Algorithm::Es256)),
        (sample!("ed25519_pkcs8.pem"), Ok(Algorithm::EdDsa)),
        (sample!("rsa_1024_pkcs1.pem"), Err(KeyError::RsaTooShort(1024))),
        (sample!("rsa_1024_pkcs8.pem"), Err(KeyError::RsaTooShort(1024))),
        (sample!("p256_sec1_encrypted.pem"), Err(KeyError::Encrypted)),
        (sample!("p256_pkcs8_encrypted.pem"), Err(KeyError::Encrypted)),
        (sample!("p384_pkcs8.pem"), unusable.clone()),
        (sample!("certificate.pem"), unusable),
    ] {
        let made = PrivateKey::asymmetric(&text(pem)).map(|key| key.algorithm());
        assert_eq!(made, read, "{pem:.40}");
    }
}

#[test]
fn a_certificate_beside_its_key_is_no_hindrance() {
    let both = [sample!("certificate.pem"), sample!("p256_sec1.pem")].concat();
    assert!(PrivateKey::asymmetric(&text(&both)).is_ok());
    assert_eq!(
        certificate_thumbprint(&both).unwrap(),
        "FX08tngpBhgy7AZfQuU2eYBBAfpV_DmUn8IpjB2zyoI"
    );
    assert_eq!(certificate_thumbprint(sample!("p256_sec1.pem")), None);
}

#[test]
fn a_key_that_was_made_signs_its_own_algorithm_and_no_other() {
    for made_for in ASYMMETRIC {
        let key = PrivateKey::asymmetric(&PrivateKey::generate(made_for).unwrap()).unwrap();
        for algorithm in ASYMMETRIC.into_iter().chain([Algorithm::Hs256]) {
            let is_rsa = |one| matches!(one, Algorithm::Rs256 | Algorithm::Ps256);
            let fits = algorithm == made_for || (is_rsa(algorithm) && is_rsa(made_for));
            assert_eq!(key.sign(algorithm, b"x").is_ok(), fits, "{made_for:?} {algorithm:?}");
        }
    }
    assert!(PrivateKey::generate(Algorithm::Hs256).is_none());
    let key = PrivateKey::asymmetric(&PrivateKey::generate(Algorithm::Rs256).unwrap()).unwrap();
    let refused = key.check(Algorithm::Es256).unwrap_err();
    assert_eq!(refused.to_string(), "is an RSA key, which cannot sign ES256");
}

#[test]
fn an_hmac_secret_is_read_as_it_is_written_and_long_enough() {
    let raw = "0123456789abcdef0123456789abcdef";
    let hex: String = raw.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = STANDARD.encode(raw);
    let unpadded = base64url(raw.as_bytes());
    let read = |secret: &str, encoding| {
        PrivateKey::read(&text(secret), Some(Algorithm::Hs256), encoding)
            .map(|key| key.sign(Algorithm::Hs256, b"x").unwrap())
    };
    let signed = read(raw, KeyEncoding::Text).unwrap();
    assert_eq!(read(&hex, KeyEncoding::Hex), Ok(signed.clone()));
    assert_eq!(read(&base64, KeyEncoding::Base64), Ok(signed.clone()));
    assert_eq!(read(&unpadded, KeyEncoding::Base64), Ok(signed));
    for (secret, encoding, refused) in [
        (&raw[1..], KeyEncoding::Text, KeyError::HmacTooShort(31)),
        ("", KeyEncoding::Text, KeyError::HmacTooShort(0)),
        ("0g", KeyEncoding::Hex, KeyError::Encoding),
        ("0", KeyEncoding::Hex, KeyError::Encoding),
        ("ää", KeyEncoding::Hex, KeyError::Encoding),
        ("?", KeyEncoding::Base64, KeyError::Encoding),
    ] {
        assert_eq!(read(secret, encoding), Err(refused), "{secret}");
    }
}

#[test]
fn what_is_no_key_says_what_it_is() {
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let public = PrivateKey::asymmetric(&PrivateKey::generate(Algorithm::Es256).unwrap());
    let public = public.unwrap().public_pem().unwrap();
    for (secret, refused) in [
        ("", KeyError::NotAKey),
        ("hunter2", KeyError::NotAKey),
        (encrypted, KeyError::Encrypted),
        (public.as_str(), KeyError::NotAPrivateKey),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", KeyError::NotAPrivateKey),
        ("-----BEGIN PRIVATE KEY-----", KeyError::NotAPrivateKey),
        ("{}", KeyError::BadJwk),
        ("{\"kty\":\"EC\"", KeyError::BadJwk),
        ("{\"kty\":\"oct\",\"k\":\"AAAA\"}", KeyError::UnknownJwk),
        ("{\"kty\":\"EC\",\"crv\":\"P-384\"}", KeyError::UnknownJwk),
    ] {
        assert_eq!(PrivateKey::asymmetric(&text(secret)).err(), Some(refused), "{secret}");
    }
}

#[test]
fn a_key_never_prints() {
    let made = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    let key = PrivateKey::asymmetric(&made).unwrap();
    assert_eq!(format!("{key:?}"), "PrivateKey(EdDSA)");
}

#[test]
fn the_fingerprint_is_the_one_that_openssl_makes() {
    let key = PrivateKey::asymmetric(&text(sample!("rsa_pkcs1.pem"))).unwrap();
    assert_eq!(key.fingerprint().unwrap(), "SHA256:YvwFBrEcCtSjvuipHEcCWR7Ll2/f3Rz+KygXTiZIY5M=");
    assert!(key.public_pem().unwrap().starts_with("-----BEGIN PUBLIC KEY-----\n"));
}
