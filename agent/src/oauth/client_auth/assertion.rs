//! A client proved by an assertion (RFC 7521 section 4.2, RFC 7523 section 2.2): signed with its private key, with the
//! secret that it shares, or made by whoever the provider trusts in its place.
//!
//! Its audience is the issuer as one text, since providers that take others have been made to take assertions that
//! were meant for somebody else (CVE-2025-27370). It is typed `JWT`: the type that the revision of RFC 7523 defines
//! is not known to most providers yet.

use std::collections::BTreeMap;

use tokctl_proto::{Failure, Kind, Secret};

use super::{Identity, PRIVATE_KEY};
use crate::config::{Algorithm, Jwt, KeyEncoding};
use crate::oauth::certificate::{TLS_CERTIFICATE, is_certified};
use crate::oauth::form::Parameters;
use crate::oauth::grant::{Held, private_key, unfit_key};
use crate::oauth::jose::key::certificate_thumbprint;
use crate::oauth::jose::{Assertion, PrivateKey};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Puts an assertion into a request.
pub(super) fn present(parameters: &mut Parameters, assertion: Secret) {
    parameters.set_text("client_assertion_type", TYPE);
    parameters.set("client_assertion", assertion);
}

/// Signed with the client's private key.
pub(super) fn of_private_key(identity: Identity<'_>, held: Held<'_>) -> Result<Secret, Failure> {
    let Identity { profile, grant, client, .. } = identity;
    let settings = settings(identity);
    let key = private_key(profile, grant, held.secrets, &settings)?;
    let algorithm = client.jwt.alg.unwrap_or_else(|| key.algorithm());
    let certificate = certificate_of(&key, held.secrets);
    sign(identity, held, &settings, &key, algorithm, certificate.as_deref())
        .map_err(|error| unfit_key(profile, grant, PRIVATE_KEY, &error))
}

/// Signed with the secret that the client shares with the provider.
pub(super) fn of_secret(
    identity: Identity<'_>,
    held: Held<'_>,
    secret: &Secret,
) -> Result<Secret, Failure> {
    let Identity { profile, grant, client, .. } = identity;
    if let Some(other) = client.jwt.alg.filter(|alg| *alg != Algorithm::Hs256) {
        let message = format!(
            "client_auth = \"client_secret_jwt\" signs with HS256, not with {}",
            other.name()
        );
        return Err(Failure::new(Kind::ConfigInvalid, message)
            .of(profile)
            .hint(format!("run `tokctl set {profile} alg=`")));
    }
    let made = PrivateKey::read(secret, Some(Algorithm::Hs256), KeyEncoding::Text)
        .and_then(|key| sign(identity, held, &settings(identity), &key, Algorithm::Hs256, None));
    made.map_err(|error| unfit_key(profile, grant, super::CLIENT_SECRET, &error))
}

fn sign(
    identity: Identity<'_>,
    held: Held<'_>,
    settings: &Jwt,
    key: &PrivateKey,
    algorithm: Algorithm,
    certificate: Option<&str>,
) -> Result<Secret, crate::oauth::jose::KeyError> {
    let Identity { client, audience, .. } = identity;
    // A grant may present an assertion too, and of one issuer no two are called the same.
    let unique = held.unique.map(|byte| !byte);
    let assertion = Assertion::of_client(&client.client_id, audience, unique);
    Assertion { certificate, ..assertion }.sign(held.now, key, algorithm, settings)
}

/// What the profile says of assertions, as far as it is of this one: issuer and subject are the client (RFC 7523
/// section 3), and where the grant presents an assertion, claims and times are of that.
fn settings(identity: Identity<'_>) -> Jwt {
    let jwt = &identity.client.jwt;
    let own = Jwt { iss: None, sub: None, ..jwt.clone() };
    match identity.grant {
        "jwt_bearer" => Jwt { claims: BTreeMap::new(), lifetime: None, backdate: None, ..own },
        _ => own,
    }
}

/// The thumbprint of the certificate beside the key, if it is this key's: Entra finds the key by it.
fn certificate_of(key: &PrivateKey, secrets: &BTreeMap<String, Secret>) -> Option<String> {
    let certificate = secrets.get(TLS_CERTIFICATE)?.expose();
    is_certified(certificate, &key.public_der()?).then(|| certificate_thumbprint(certificate))?
}
