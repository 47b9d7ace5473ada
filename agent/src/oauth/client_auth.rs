//! How a client proves itself at the token endpoint (RFC 6749 section 2.3): what each way puts into the request.
//!
//! Exactly one way is used per request (section 2.3), a refused one is never followed by a try of
//! another, and nothing of it goes into the URL. With `tls` the proof is on the connection (RFC 8705), so that
//! whoever sends the request shows the certificate; here it is only seen that there is one.

mod assertion;
mod basic;
mod choose;

use std::collections::BTreeMap;

use tokctl_proto::setting::secret_of;
use tokctl_proto::{Failure, Kind, ProfileName, Secret};

pub use choose::{Holds, choose};

use crate::config::{Client, ClientAuth};
use crate::oauth::certificate::TLS_CERTIFICATE;
use crate::oauth::form::Parameters;
use crate::oauth::grant::{Endpoint, Held};
use crate::oauth::subject;

/// The name of the client's secret in an entry.
pub const CLIENT_SECRET: &str = "client_secret";

/// The name of the one that waits beside it, to be tried when the present one is refused.
pub const CLIENT_SECRET_NEXT: &str = "client_secret.next";

/// The name of a key that assertions are signed with.
pub const PRIVATE_KEY: &str = "private_key";

/// Parameters that prove a client. They belong to this file: put in by hand they would be a second
/// way.
const PROOFS: &[&str] = &["client_secret", "client_assertion", "client_assertion_type"];

/// Who is to be proved, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub profile: &'a ProfileName,
    /// As in config.toml: it decides which secret `set-secret` stores when none is named.
    pub grant: &'a str,
    pub client: &'a Client,
    pub auth: ClientAuth,
    /// Whom an assertion is for.
    pub audience: &'a str,
}

impl<'a> Identity<'a> {
    /// A client as its token endpoint knows it.
    pub fn at(
        endpoint: &'a Endpoint,
        profile: &'a ProfileName,
        grant: &'a str,
        client: &'a Client,
    ) -> Self {
        Self { profile, grant, client, auth: endpoint.auth, audience: &endpoint.audience }
    }
}

/// Puts the proof into the request: into the parameters, or as the header that is returned.
pub fn prove(
    identity: Identity<'_>,
    held: Held<'_>,
    parameters: &mut Parameters,
) -> Result<Option<Secret>, Failure> {
    let Identity { profile, grant, client, auth, .. } = identity;
    let client_id = client.client_id.as_str();
    let stored = |name| stored(profile, grant, held.secrets, name);
    match auth {
        ClientAuth::Basic => return Ok(Some(basic::encoded(client_id, stored(CLIENT_SECRET)?))),
        ClientAuth::BasicRaw if client_id.contains(':') => {
            return Err(Failure::new(
                Kind::ConfigInvalid,
                "the client_id holds a colon, which client_auth = \"basic_raw\" cannot carry \
                 (RFC 7617 section 2)",
            )
            .of(profile)
            .hint(format!("run `tokctl set {profile} client_auth=basic`")));
        }
        ClientAuth::BasicRaw => return Ok(Some(basic::raw(client_id, stored(CLIENT_SECRET)?))),
        ClientAuth::Post => parameters.set(CLIENT_SECRET, stored(CLIENT_SECRET)?.clone()),
        ClientAuth::PrivateKeyJwt => {
            assertion::present(parameters, assertion::of_private_key(identity, held)?);
        }
        ClientAuth::ClientSecretJwt => {
            let secret = stored(CLIENT_SECRET)?;
            assertion::present(parameters, assertion::of_secret(identity, held, secret)?);
        }
        ClientAuth::Federated => {
            let subject =
                held.subject.ok_or_else(|| subject::required(profile, client.subject.as_ref()))?;
            assertion::present(parameters, subject.clone());
        }
        ClientAuth::Tls => drop(stored(TLS_CERTIFICATE)?),
        ClientAuth::None => {}
    }
    // RFC 8705 section 2 wants it beside a certificate, RFC 6749 section 3.2.1 where nothing is proved; RFC 7521
    // section 4.2 leaves it open beside an assertion, and Entra wants it there too.
    parameters.set_text("client_id", client_id);
    Ok(None)
}

/// What an entry holds under this name.
fn stored<'a>(
    profile: &ProfileName,
    grant: &str,
    secrets: &'a BTreeMap<String, Secret>,
    name: &str,
) -> Result<&'a Secret, Failure> {
    let secret = secrets.get(name).filter(|secret| !secret.is_empty());
    secret.ok_or_else(|| secret_required(profile, grant, name))
}

/// What an entry must hold to prove its client this way, as far as that is stored; else what is stored most often.
pub fn proof_name(auth: Option<ClientAuth>) -> &'static str {
    match auth {
        Some(ClientAuth::PrivateKeyJwt) => PRIVATE_KEY,
        Some(ClientAuth::Tls) => TLS_CERTIFICATE,
        _ => CLIENT_SECRET,
    }
}

/// Whether a parameter would prove the client a second time.
pub fn is_proof(parameter: &str) -> bool {
    PROOFS.contains(&parameter)
}

/// The secrets with the client secret that waits in the place of the present one; `None` where none
/// waits.
pub fn with_next(mut secrets: BTreeMap<String, Secret>) -> Option<BTreeMap<String, Secret>> {
    let next = secrets.remove(CLIENT_SECRET_NEXT).filter(|next| !next.is_empty())?;
    secrets.insert(CLIENT_SECRET.to_owned(), next);
    Some(secrets)
}

/// The failure of a profile whose entry does not hold a secret that it needs.
pub fn secret_required(profile: &ProfileName, grant: &str, name: &str) -> Failure {
    Failure::new(Kind::SecretRequired, format!("no secret `{name}` is stored"))
        .of(profile)
        .hint(set_secret(profile, grant, name))
}

/// What to type to store a secret, which is named where the grant would store another.
pub fn set_secret(profile: &ProfileName, grant: &str, name: &str) -> String {
    match secret_of(grant) == name {
        true => format!("run `tokctl set-secret {profile}`"),
        false => format!("run `tokctl set-secret {profile} --name {name}`"),
    }
}

#[cfg(test)]
mod tests;
