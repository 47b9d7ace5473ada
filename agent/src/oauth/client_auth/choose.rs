//! Which way a client proves itself where the profile does not say.
//!
//! What the provider offers and the entry can do goes first, the cheapest of it before the others. Where that is
//! nothing, it is what the provider offers, so that the failure names the secret that is missing.

use std::collections::BTreeMap;

use tokctl_proto::setting::is_login;
use tokctl_proto::{Failure, Kind, ProfileName, Secret};

use super::{CLIENT_SECRET, PRIVATE_KEY};
use crate::config::ClientAuth;
use crate::oauth::certificate::TLS_CERTIFICATE;
use crate::oauth::jose::key::HMAC_BYTES_MIN;

/// What the metadata calls each way (RFC 8414 section 2, RFC 8705 section 2), the preferred one first.
const OFFERED_NAMES: &[(&str, ClientAuth)] = &[
    ("client_secret_basic", ClientAuth::Basic),
    ("client_secret_post", ClientAuth::Post),
    ("none", ClientAuth::None),
    ("private_key_jwt", ClientAuth::PrivateKeyJwt),
    ("client_secret_jwt", ClientAuth::ClientSecretJwt),
    ("tls_client_auth", ClientAuth::Tls),
    ("self_signed_tls_client_auth", ClientAuth::Tls),
];
/// How many of them anybody can be told of who has stored nothing yet.
const WITHOUT_KEYS: usize = 3;

/// What an entry has to prove a client with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    client_secret: bool,
    /// It is long enough to sign with (RFC 7518 section 3.2).
    long_secret: bool,
    private_key: bool,
    pub certificate: bool,
    /// A person logs in, so a client that has nothing is a public one.
    public: bool,
}

impl Holds {
    /// What these secrets are to a client of this grant.
    pub fn of(grant: &str, secrets: &BTreeMap<String, Secret>) -> Self {
        let length = |name| secrets.get(name).map_or(0, |secret| secret.expose().len());
        Self {
            client_secret: length(CLIENT_SECRET) > 0,
            long_secret: length(CLIENT_SECRET) >= HMAC_BYTES_MIN,
            // There the key signs what the client presents, and says nothing of itself.
            private_key: length(PRIVATE_KEY) > 0 && grant != "jwt_bearer",
            certificate: length(TLS_CERTIFICATE) > 0,
            public: is_login(grant),
        }
    }

    fn can(self, auth: ClientAuth) -> bool {
        match auth {
            ClientAuth::Basic | ClientAuth::BasicRaw | ClientAuth::Post => self.client_secret,
            ClientAuth::PrivateKeyJwt => self.private_key,
            ClientAuth::ClientSecretJwt => self.long_secret,
            ClientAuth::Tls => self.certificate,
            ClientAuth::None => {
                self.public && !self.client_secret && !self.private_key && !self.certificate
            }
            ClientAuth::Federated => false,
        }
    }
}

/// The way that the profile names; else the first of those that the provider offers and the entry can do; else
/// the first of basic, post and none that it offers; else basic, which is what metadata without the list means
/// (RFC 8414 section 2), or none for a client that is public.
pub fn choose(
    profile: &ProfileName,
    configured: Option<ClientAuth>,
    offered: &[String],
    holds: Holds,
) -> Result<ClientAuth, Failure> {
    if let Some(configured) = configured {
        return Ok(configured);
    }
    if offered.is_empty() {
        // A client that somebody logs in with and that has nothing is a public one (RFC 8252 section 8.4).
        return Ok(match holds.can(ClientAuth::None) {
            true => ClientAuth::None,
            false => ClientAuth::Basic,
        });
    }
    let is_offered = |name: &str| offered.iter().any(|offer| offer == name);
    let mut possible = OFFERED_NAMES.iter().filter(|(name, _)| is_offered(name));
    let mut others = OFFERED_NAMES[..WITHOUT_KEYS].iter().filter(|(name, _)| is_offered(name));
    let chosen = possible.find(|(_, auth)| holds.can(*auth)).or_else(|| others.next());
    chosen.map(|&(_, auth)| auth).ok_or_else(|| nothing(profile, offered))
}

fn nothing(profile: &ProfileName, offered: &[String]) -> Failure {
    let shown = tokctl_proto::escape::shown(&offered.join(", "));
    let is_offered = |name: &str| offered.iter().any(|offer| offer == name);
    let keyed = OFFERED_NAMES[WITHOUT_KEYS..].iter().find(|(name, _)| is_offered(name));
    let (message, hint) = match keyed.map(|(_, auth)| super::proof_name(Some(*auth))) {
        Some(name) => (
            format!(
                "the provider wants its clients to prove themselves by {shown}, and none is possible with what is stored"
            ),
            format!("run `tokctl set-secret {profile} --name {name}`"),
        ),
        None => (
            format!("the provider offers no client authentication that tokctl has ({shown})"),
            format!("run `tokctl set {profile} client_auth=basic` to try it all the same"),
        ),
    };
    let kind = match keyed {
        Some(_) => Kind::SecretRequired,
        None => Kind::ConfigInvalid,
    };
    Failure::new(kind, message).of(profile).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0123456789abcdef0123456789abcdef";
    const EVERY: [&str; 7] = [
        "self_signed_tls_client_auth",
        "tls_client_auth",
        "client_secret_jwt",
        "private_key_jwt",
        "none",
        "client_secret_post",
        "client_secret_basic",
    ];

    fn profile() -> ProfileName {
        ProfileName::parse("acme").unwrap()
    }

    fn chosen(
        configured: Option<ClientAuth>,
        offered: &[&str],
        grant: &str,
        secrets: &[(&str, &str)],
    ) -> Result<ClientAuth, Failure> {
        let offered: Vec<_> = offered.iter().map(|&name| name.to_owned()).collect();
        let own =
            |(name, text): &(&str, &str)| ((*name).to_owned(), Secret::new((*text).to_owned()));
        let holds = Holds::of(grant, &secrets.iter().map(own).collect());
        choose(&profile(), configured, &offered, holds)
    }

    #[test]
    fn what_the_profile_names_is_done_whatever_is_offered() {
        for (configured, offered) in
            [(ClientAuth::Post, &EVERY[..4]), (ClientAuth::BasicRaw, &[]), (ClientAuth::Tls, &[])]
        {
            let made = chosen(Some(configured), offered, "client_credentials", &[]);
            assert_eq!(made, Ok(configured));
        }
    }

    #[test]
    fn the_first_way_that_is_offered_and_possible_is_chosen() {
        use ClientAuth::{Basic, ClientSecretJwt, None, Post, PrivateKeyJwt, Tls};
        let (secret, long) = ((CLIENT_SECRET, "s3"), (CLIENT_SECRET, LONG));
        let (key, certificate) = ((PRIVATE_KEY, "k"), (TLS_CERTIFICATE, "c"));
        let machine = "client_credentials";
        for (offered, grant, secrets, expected) in [
            (&[][..], machine, &[key][..], Some(Basic)),
            (&EVERY[..], machine, &[secret, key], Some(Basic)),
            (&EVERY[..6], machine, &[secret, key], Some(Post)),
            (&EVERY[..5], machine, &[long, key, certificate], Some(PrivateKeyJwt)),
            (&EVERY[..3], machine, &[long, key, certificate], Some(ClientSecretJwt)),
            (&EVERY[..3], machine, &[secret, key, certificate], Some(Tls)),
            (&EVERY[..1], machine, &[certificate], Some(Tls)),
            (&EVERY[..], machine, &[key], Some(PrivateKeyJwt)),
            // Nothing is possible: the failure will name what is missing.
            (&EVERY[..], machine, &[], Some(Basic)),
            (&EVERY[..5], machine, &[], Some(None)),
            (&EVERY[..4], machine, &[], Option::None),
            (&["kerberos"], machine, &[long, key, certificate], Option::None),
            // A person's program may have nothing to prove itself with, and is known for that.
            (&EVERY[..], "device_code", &[], Some(None)),
            (&EVERY[..], "device_code", &[secret], Some(Basic)),
            (&EVERY[6..], "device_code", &[], Some(Basic)),
            (&[], "authorization_code", &[], Some(None)),
            (&[], "authorization_code", &[secret], Some(Basic)),
            // The key is what an assertion of the grant is signed with.
            (&EVERY[..], "jwt_bearer", &[key], Some(Basic)),
        ] {
            let made = chosen(Option::None, offered, grant, secrets);
            assert_eq!(made.ok(), expected, "{offered:?} {grant} {secrets:?}");
        }
    }

    #[test]
    fn what_would_be_possible_is_named() {
        for (offered, kind, hint) in [
            (
                &["private_key_jwt", "tls_client_auth"][..],
                Kind::SecretRequired,
                "run `tokctl set-secret acme --name private_key`",
            ),
            (
                &["tls_client_auth"],
                Kind::SecretRequired,
                "run `tokctl set-secret acme --name tls_certificate`",
            ),
            (
                &["kerberos"],
                Kind::ConfigInvalid,
                "run `tokctl set acme client_auth=basic` to try it all the same",
            ),
        ] {
            let failure = chosen(None, offered, "client_credentials", &[]).unwrap_err();
            assert_eq!((failure.kind, failure.hint.as_deref()), (kind, Some(hint)));
        }
    }
}
