//! How a client proves itself at the token endpoint (RFC 6749 section 2.3): which way, and what
//! that puts into the request.
//!
//! Exactly one way is used per request (section 2.3), a refused one is never followed by a try of
//! another, and nothing of it goes into the URL. Assertions (RFC 7523) and certificates (RFC 8705)
//! are not here.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokctl_proto::setting::secret_of;
use tokctl_proto::{Failure, Kind, ProfileName, Secret};

use crate::config::ClientAuth;
use crate::oauth::buffer::Buffer;
use crate::oauth::form::{self, Parameters};

/// The name of the client's secret in an entry.
pub const CLIENT_SECRET: &str = "client_secret";

/// The name of the one that waits beside it, to be tried when the present one is refused.
pub const CLIENT_SECRET_NEXT: &str = "client_secret.next";

/// Parameters that prove a client. They belong to this file: put in by hand they would be a second
/// way.
const PROOFS: &[&str] = &["client_secret", "client_assertion", "client_assertion_type"];

/// What the metadata calls each way (RFC 8414 section 2), the preferred one first.
const OFFERED_NAMES: &[(&str, ClientAuth)] = &[
    ("client_secret_basic", ClientAuth::Basic),
    ("client_secret_post", ClientAuth::Post),
    ("none", ClientAuth::None),
];

/// The way that the profile names; else the first of basic, post and none that the provider offers;
/// else basic, which is what metadata without the list means (RFC 8414 section 2).
pub fn choose(
    profile: &ProfileName,
    configured: Option<ClientAuth>,
    offered: &[String],
) -> Result<ClientAuth, Failure> {
    if let Some(configured) = configured {
        return Ok(configured);
    }
    if offered.is_empty() {
        return Ok(ClientAuth::Basic);
    }
    OFFERED_NAMES
        .iter()
        .find(|(name, _)| offered.iter().any(|offer| offer == name))
        .map(|&(_, auth)| auth)
        .ok_or_else(|| {
            let offered = tokctl_proto::escape::shown(&offered.join(", "));
            Failure::new(
                Kind::ConfigInvalid,
                format!("the provider offers no client authentication that tokctl has ({offered})"),
            )
            .of(profile)
            .hint(format!("run `tokctl set {profile} client_auth=basic` to try it all the same"))
        })
}

/// Who is to be proved.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub profile: &'a ProfileName,
    /// As in config.toml: it decides which secret `set-secret` stores when none is named.
    pub grant: &'a str,
    pub client_id: &'a str,
}

/// Puts the proof into the request: into the parameters, or as the header that is returned.
pub fn prove(
    identity: Identity<'_>,
    auth: ClientAuth,
    secrets: &BTreeMap<String, Secret>,
    parameters: &mut Parameters,
) -> Result<Option<Secret>, Failure> {
    let Identity { profile, grant, client_id } = identity;
    let secret = || secrets.get(CLIENT_SECRET).filter(|secret| !secret.is_empty());
    let secret = || secret().ok_or_else(|| secret_required(profile, grant, CLIENT_SECRET));
    match auth {
        ClientAuth::Basic => Ok(Some(basic(client_id, secret()?))),
        ClientAuth::BasicRaw if client_id.contains(':') => Err(Failure::new(
            Kind::ConfigInvalid,
            "the client_id holds a colon, which client_auth = \"basic_raw\" cannot carry (RFC 7617 section 2)",
        )
        .of(profile)
        .hint(format!("run `tokctl set {profile} client_auth=basic`"))),
        ClientAuth::BasicRaw => Ok(Some(basic_raw(client_id, secret()?))),
        ClientAuth::Post => {
            parameters.set_text("client_id", client_id);
            parameters.set(CLIENT_SECRET, secret()?.clone());
            Ok(None)
        }
        ClientAuth::None => {
            parameters.set_text("client_id", client_id);
            Ok(None)
        }
        ClientAuth::PrivateKeyJwt
        | ClientAuth::ClientSecretJwt
        | ClientAuth::Tls
        | ClientAuth::Federated => Err(Failure::new(
            Kind::Internal,
            "this client authentication is not built in yet",
        )),
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

/// RFC 6749 section 2.3.1: both halves are form-encoded before they meet.
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let mut pair = Buffer::default();
    form::push_form_encoded(&mut pair, client_id);
    pair.push_str(":");
    form::push_form_encoded(&mut pair, secret.expose());
    header(pair)
}

fn basic_raw(client_id: &str, secret: &Secret) -> Secret {
    let mut pair = Buffer::default();
    pair.push_str(client_id);
    pair.push_str(":");
    pair.push_str(secret.expose());
    header(pair)
}

/// RFC 7617 section 2.
fn header(pair: Buffer) -> Secret {
    let pair = pair.into_bytes();
    let scheme = "Basic ";
    // Room for all of it at once: a String that grows leaves its old self behind.
    let mut value = String::with_capacity(scheme.len() + pair.len().div_ceil(3) * 4);
    value.push_str(scheme);
    STANDARD.encode_string(&pair, &mut value);
    Secret::new(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Body;

    fn profile() -> ProfileName {
        ProfileName::parse("acme").unwrap()
    }

    fn proved(
        auth: ClientAuth,
        client_id: &str,
        secrets: &BTreeMap<String, Secret>,
        parameters: &mut Parameters,
    ) -> Result<Option<Secret>, Failure> {
        let identity = Identity { profile: &profile(), grant: "client_credentials", client_id };
        prove(identity, auth, secrets, parameters)
    }

    fn proof(auth: ClientAuth, id: &str, secret: &str) -> (String, Option<String>) {
        let secrets = BTreeMap::from([(CLIENT_SECRET.to_owned(), Secret::new(secret.into()))]);
        let mut parameters = Parameters::default();
        let header = proved(auth, id, &secrets, &mut parameters).unwrap();
        let pair = header.map(|value| {
            let encoded = value.expose().strip_prefix("Basic ").unwrap().to_owned();
            String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
        });
        (parameters.encode(Body::Form).expose().to_owned(), pair)
    }

    #[test]
    fn each_way_puts_the_proof_in_one_place() {
        for (auth, body, pair) in [
            (ClientAuth::Basic, "", Some("a%26b:s%2Bt")),
            (ClientAuth::BasicRaw, "", Some("a&b:s+t")),
            (ClientAuth::Post, "client_id=a%26b&client_secret=s%2Bt", None),
            (ClientAuth::None, "client_id=a%26b", None),
        ] {
            let (made_body, made_pair) = proof(auth, "a&b", "s+t");
            assert_eq!((made_body.as_str(), made_pair.as_deref()), (body, pair), "{auth:?}");
        }
    }

    #[test]
    fn basic_is_encoded_as_the_rfc_says() {
        for (raw, encoded) in [
            // RFC 6749 appendix B.
            (" %&+\u{a3}\u{20ac}", "+%25%26%2B%C2%A3%E2%82%AC"),
            // What a provider that does not decode would see of most ids is the id itself.
            ("4b1f-00_x.y", "4b1f-00_x.y"),
            ("a:b", "a%3Ab"),
            ("plain", "plain"),
        ] {
            let (_, pair) = proof(ClientAuth::Basic, raw, raw);
            assert_eq!(pair.unwrap(), format!("{encoded}:{encoded}"));
        }
    }

    #[test]
    fn basic_decodes_to_what_other_clients_encode() {
        let strict = "client+%25%26%2B%2D%5F%2E%21%7E%2A%27%28%29";
        let (_, pair) = proof(ClientAuth::Basic, "client %&+-_.!~*'()", "s");
        let ours = pair.unwrap();
        let decode =
            |text: &str| form_urlencoded::parse(text.as_bytes()).next().unwrap().0.into_owned();
        assert_eq!(decode(ours.strip_suffix(":s").unwrap()), decode(strict));
    }

    #[test]
    fn the_first_way_that_is_offered_is_chosen() {
        let every = ["private_key_jwt", "none", "client_secret_post", "client_secret_basic"];
        for (configured, offered, chosen) in [
            (None, &[][..], Some(ClientAuth::Basic)),
            (None, &every[..], Some(ClientAuth::Basic)),
            (None, &every[..3], Some(ClientAuth::Post)),
            (None, &every[..2], Some(ClientAuth::None)),
            (None, &every[..1], None),
            (Some(ClientAuth::Post), &every[..1], Some(ClientAuth::Post)),
            (Some(ClientAuth::BasicRaw), &[][..], Some(ClientAuth::BasicRaw)),
        ] {
            let offered: Vec<_> = offered.iter().map(|&name| name.to_owned()).collect();
            let made = choose(&profile(), configured, &offered);
            assert_eq!(made.ok(), chosen, "{configured:?} {offered:?}");
        }
    }

    #[test]
    fn a_missing_secret_says_which_command_stores_it() {
        for (held, fits) in [(None, false), (Some(""), false), (Some("s"), true)] {
            let secrets: BTreeMap<_, _> = held
                .map(|text| (CLIENT_SECRET.to_owned(), Secret::new(text.into())))
                .into_iter()
                .collect();
            for auth in [ClientAuth::Basic, ClientAuth::BasicRaw, ClientAuth::Post] {
                let made = proved(auth, "id", &secrets, &mut Parameters::default());
                assert_eq!(made.is_ok(), fits, "{held:?}");
                if let Err(failure) = made {
                    assert_eq!(failure.kind, Kind::SecretRequired);
                    assert_eq!(failure.hint.unwrap(), "run `tokctl set-secret acme`");
                }
            }
        }
    }

    #[test]
    fn a_secret_is_named_where_the_grant_would_store_another() {
        for (grant, name, hint) in [
            ("client_credentials", "client_secret", "run `tokctl set-secret acme`"),
            ("client_credentials", "pin", "run `tokctl set-secret acme --name pin`"),
            ("refresh_token", "client_secret", "run `tokctl set-secret acme --name client_secret`"),
            ("refresh_token", "refresh_token", "run `tokctl set-secret acme`"),
        ] {
            assert_eq!(set_secret(&profile(), grant, name), hint);
        }
    }

    #[test]
    fn the_next_secret_stands_in_the_place_of_the_present_one() {
        let held = |pairs: &[(&str, &str)]| {
            let pair = |(name, value): &(&str, &str)| {
                ((*name).to_owned(), Secret::new((*value).to_owned()))
            };
            pairs.iter().map(pair).collect::<BTreeMap<_, _>>()
        };
        for (pairs, after) in [
            (&[("client_secret", "a")][..], None),
            (&[("client_secret", "a"), ("client_secret.next", "")][..], None),
            (
                &[("client_secret", "a"), ("client_secret.next", "b"), ("pin", "1")][..],
                Some(&[("client_secret", "b"), ("pin", "1")][..]),
            ),
            (&[("client_secret.next", "b")][..], Some(&[("client_secret", "b")][..])),
        ] {
            let made = with_next(held(pairs)).map(|made| {
                let shown = |(name, value): (String, Secret)| (name, value.expose().to_owned());
                made.into_iter().map(shown).collect::<Vec<_>>()
            });
            let after = after.map(|after| {
                let owned =
                    |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
                after.iter().map(owned).collect::<Vec<_>>()
            });
            assert_eq!(made, after);
        }
    }

    #[test]
    fn a_colon_in_the_id_is_not_sent_raw() {
        let secrets = BTreeMap::from([(CLIENT_SECRET.to_owned(), Secret::new("s".into()))]);
        let made = proved(ClientAuth::BasicRaw, "a:b", &secrets, &mut Parameters::default());
        assert_eq!(made.unwrap_err().kind, Kind::ConfigInvalid);
    }
}
