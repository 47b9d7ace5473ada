//! Providers that leave the standards, played: what each is sent, byte by byte, and what its recorded reply comes to.
//!
//! `requests` and `replies` have a test for each way in which providers are known to deviate; `presets` and `logins` play
//! the provider of each preset, and `providers` those that have none, with replies from each provider's own documentation.
//! Whoever looks for a provider finds it here by its name.

mod logins;
mod presets;
mod providers;
mod replies;
mod requests;

use std::collections::{BTreeMap, BTreeSet};

use tokctl_core::Outcome;
use tokctl_proto::{Secret, TokenKey, WallMs};
use url::Url;
use zeroize::Zeroizing;

use crate::config::{self, Client, Grant, Profile, Provider, preset};
use crate::oauth::grant::authorization_code::{self, Code};
use crate::oauth::grant::steps::{self, Filling};
use crate::oauth::grant::{self, Held, device_code, github_app, self_signed_jwt};
use crate::oauth::message::{HttpReply, HttpRequest};
use crate::oauth::reply::{self, Asked, Purpose};
use crate::oauth::state::Unguessable;
use crate::oauth::{Endpoint, pkce};

const NOW: WallMs = WallMs(1_800_000_000_000);
/// What stands in every request in any case.
const USUAL: [(&str, &str); 3] = [
    ("Accept", "application/json"),
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Type", "application/json"),
];

/// A profile, at a provider that is played.
pub(super) struct Played {
    profile: Profile,
    /// Secrets beside those that all have.
    further: BTreeMap<String, Secret>,
}

impl Played {
    /// The profile `acme` with these settings.
    pub(super) fn new(settings: &str) -> Self {
        let text = format!("[profiles.acme]\n{settings}\n");
        let config = config::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let profile = config.profiles.into_values().next().unwrap();
        Self { profile, further: BTreeMap::new() }
    }

    /// As most of these are: a client that asks for a token of its own.
    pub(super) fn client(settings: &str) -> Self {
        Self::new(&format!("grant = \"client_credentials\"\n{AT}{settings}"))
    }

    /// A client that has a refresh token.
    pub(super) fn refreshing(settings: &str) -> Self {
        Self::new(&format!("grant = \"refresh_token\"\n{AT}{settings}"))
    }

    /// The same with a secret of this name.
    pub(super) fn holding(mut self, name: &str, secret: &Secret) -> Self {
        self.further.insert(name.to_owned(), secret.clone());
        self
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(super) fn as_client(&self) -> &Client {
        self.profile.grant.client().unwrap()
    }

    fn endpoint(&self) -> Endpoint {
        let client = self.as_client();
        match &client.provider {
            Provider::TokenEndpoint(url) => Endpoint::configured(url.clone(), client),
            // Its metadata would say this.
            Provider::Issuer { url, .. } => {
                Endpoint::configured(url.join("/oauth/token").unwrap(), client)
            }
        }
    }

    fn key(&self) -> TokenKey {
        TokenKey::plain(self.profile.name.clone())
    }

    /// The request for a token without a person.
    pub(super) fn asked(&self) -> String {
        self.with_secrets(|held| {
            let (client, key) = (self.profile.grant.client(), self.key());
            let made = match (&self.profile.grant, client) {
                (Grant::GithubApp(app), _) => github_app::request(app, &key, held),
                (Grant::Steps(login), _) => {
                    let filling =
                        Filling { profile: &key.profile, secrets: held.secrets, first: None };
                    steps::request(&login.steps[0], &filling)
                }
                (grant, Some(client)) => {
                    let endpoint = match grant.has_refresh_token() {
                        true => self.endpoint().of_refreshes(client),
                        false => self.endpoint(),
                    };
                    grant::request(grant, client, &endpoint, &key, held, Some(&secret("r1")))
                }
                (grant, None) => panic!("{} asks nobody", grant.name()),
            };
            shown(&made.unwrap())
        })
    }

    /// The request at the end of a login.
    pub(super) fn asked_with_code(&self) -> String {
        self.with_secrets(|held| {
            let (client, endpoint, key) = (self.as_client(), self.endpoint(), self.key());
            let code = secret("c1");
            let made = match self.profile.grant {
                Grant::DeviceCode(_) => {
                    device_code::token_request(client, &endpoint, &key, held, &code)
                }
                _ => {
                    let redirect_uri =
                        client.login.redirect_uri.as_ref().map_or("", |uri| uri.text());
                    let code = Code { code: &code, verifier: &secret("v1"), redirect_uri };
                    authorization_code::token_request(client, &endpoint, &key, held, &code)
                }
            };
            shown(&made.unwrap())
        })
    }

    /// Where a browser is sent, without what is in each query.
    pub(super) fn browsed(&self) -> String {
        let url = self.browsed_whole();
        let (place, query) = url.split_once('?').unwrap();
        const ALWAYS: &[&str] =
            &["response_type", "redirect_uri", "code_challenge", "code_challenge_method", "state"];
        let own =
            query.split('&').filter(|pair| !ALWAYS.contains(&pair.split('=').next().unwrap()));
        format!("{place}?{}", own.collect::<Vec<_>>().join("&"))
    }

    pub(super) fn browsed_whole(&self) -> String {
        let client = self.as_client();
        let at = client.endpoints.authorization.clone();
        let at = at.unwrap_or_else(|| Url::parse("https://acme.example/authorize").unwrap());
        let state = Unguessable::new([1; 32]);
        let url = authorization_code::url(
            &at,
            &authorization_code::Request {
                client,
                scope: &client.scope,
                redirect_uri: "http://127.0.0.1/",
                state: &state,
                code_challenge: &pkce::Pkce::new([2; 32]).challenge,
                nonce: None,
                dpop_jkt: None,
            },
        );
        url.expose().to_owned()
    }

    fn with_secrets<T>(&self, use_them: impl FnOnce(Held<'_>) -> T) -> T {
        let mut secrets: BTreeMap<_, _> =
            [("client_secret", "s3"), ("pin", "p1"), ("tls_certificate", "c"), ("tls_key", "k")]
                .map(|(name, value)| (name.to_owned(), secret(value)))
                .into();
        if matches!(
            self.profile.grant,
            Grant::GithubApp(_) | Grant::JwtBearer(_) | Grant::SelfSignedJwt(_)
        ) {
            secrets.insert("private_key".to_owned(), presets::private_key());
        }
        secrets.extend(self.further.clone());
        let subject = secret("j1");
        use_them(Held { secrets: &secrets, subject: Some(&subject), now: NOW, unique: [0; 16] })
    }

    /// What a token that is signed here comes to.
    pub(super) fn signed(&self) -> String {
        let Grant::SelfSignedJwt(settings) = &self.profile.grant else { panic!("another grant") };
        self.with_secrets(|held| {
            let reply = self_signed_jwt::reply(settings, &self.key(), held).unwrap();
            reply.expose().to_owned()
        })
    }

    /// What a reply comes to.
    pub(super) fn reads(&self, reply: &HttpReply) -> String {
        self.reads_for(Purpose::of(&self.profile.grant), reply)
    }

    pub(super) fn reads_for(&self, purpose: Purpose, reply: &HttpReply) -> String {
        let endpoint = Url::parse("https://acme.example/token").unwrap();
        let asked = Asked {
            key: &self.key(),
            grant: &self.profile.grant,
            endpoint: &endpoint,
            sent: &[],
            purpose,
        };
        told(&reply::classify(NOW, &asked, reply))
    }
}

/// Where most of these are, and who.
const AT: &str = "token_endpoint = \"https://acme.example/token\"\nclient_id = \"c&1\"\n";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

pub(super) fn answer(status: u16, body: &str) -> HttpReply {
    HttpReply {
        status,
        content_type: Some("application/json".to_owned()),
        retry_after: None,
        date: None,
        sent_at: NOW,
        received_at: NOW,
        body: Zeroizing::new(body.as_bytes().to_vec()),
    }
}

/// A request, line by line, without the headers that all have.
fn shown(request: &HttpRequest) -> String {
    let method = request.method.name();
    let own = |(name, value): &&(std::borrow::Cow<'static, str>, Secret)| {
        !USUAL.contains(&(name.as_ref(), value.expose()))
    };
    let headers: String = request
        .headers
        .iter()
        .filter(own)
        .map(|(name, value)| format!("{name}: {}\n", value.expose()))
        .collect();
    format!("{method} {}\n{headers}{}", request.url, request.body.expose())
}

/// What came of it, on one line.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Tokens(obtained) => {
            let token = &obtained.token;
            let life = match token.expires_at {
                Some(end) => format!("{}s", (end.0 - NOW.0) / 1000),
                None => "no end".to_owned(),
            };
            let mut text = format!("{} {} {life}", token.access_token.expose(), token.token_type);
            if let Some(scope) = &token.scope {
                text.push_str(&format!(" scope={scope}"));
            }
            if let Some(successor) = &obtained.successor {
                text.push_str(&format!(" refresh={}", successor.secret.expose()));
                let life = successor.expires_at.map(|end| (end.0 - NOW.0) / 1000);
                text.push_str(&life.map(|life| format!(" for {life}s")).unwrap_or_default());
            }
            if !token.extra.is_empty() {
                text.push_str(&format!(" {}", token.extra.expose()));
            }
            text
        }
        Outcome::Failed(trouble) => {
            let wait = trouble.retry_after.map(|wait| format!(" in {}s", wait.as_secs()));
            format!("{:?}{}: {}", trouble.class, wait.unwrap_or_default(), trouble.failure.message)
        }
    }
}

#[test]
fn every_preset_is_played_and_is_verified_where_it_was_compared_too() {
    let played: BTreeSet<_> = presets::names().chain(logins::names()).collect();
    for preset in preset::all() {
        assert!(played.contains(preset.name), "the preset {} has no row", preset.name);
        assert_eq!(preset.verified, preset.checked.is_some(), "{}", preset.name);
    }
    let known: BTreeSet<_> = preset::all().map(|preset| preset.name).collect();
    assert_eq!(played, known, "a row is of no preset");
}

#[test]
fn no_provider_has_two_rows() {
    let mut seen = BTreeSet::new();
    for name in providers::names().flat_map(|names| names.split(", ")) {
        assert!(seen.insert(name), "{name} has two rows");
    }
}
