//! Providers that leave the standards, played: what each is sent, byte by byte, and what its recorded reply comes to.
//!
//! `requests` and `replies` have a test for each way in which providers are known to deviate; `presets` and `logins` play
//! the provider of each preset, with replies from that provider's own documentation.

mod logins;
mod presets;
mod replies;
mod requests;

use std::collections::BTreeMap;

use tokctl_core::Outcome;
use tokctl_proto::{Secret, TokenKey, WallMs};
use url::Url;
use zeroize::Zeroizing;

use crate::config::{self, Client, Grant, Profile, Provider};
use crate::oauth::grant::authorization_code::{self, Code};
use crate::oauth::grant::{self, Held, device_code, github_app, self_signed_jwt};
use crate::oauth::message::{HttpReply, HttpRequest, Method};
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
pub(super) struct Played(Profile);

impl Played {
    /// The profile `acme` with these settings.
    pub(super) fn new(settings: &str) -> Self {
        let text = format!("[profiles.acme]\n{settings}\n");
        let config = config::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Self(config.profiles.into_values().next().unwrap())
    }

    /// As most of these are: a client that asks for a token of its own.
    pub(super) fn client(settings: &str) -> Self {
        Self::new(&format!("grant = \"client_credentials\"\n{AT}{settings}"))
    }

    /// A client that has a refresh token.
    pub(super) fn refreshing(settings: &str) -> Self {
        Self::new(&format!("grant = \"refresh_token\"\n{AT}{settings}"))
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.0
    }

    pub(super) fn as_client(&self) -> &Client {
        self.0.grant.client().unwrap()
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
        TokenKey::plain(self.0.name.clone())
    }

    /// The request for a token without a person.
    pub(super) fn asked(&self) -> String {
        self.with_secrets(|held| {
            let (client, key) = (self.0.grant.client(), self.key());
            let made = match (&self.0.grant, client) {
                (Grant::GithubApp(app), _) => github_app::request(app, &key, held),
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
            let made = match self.0.grant {
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

    /// The query that a browser is sent with, without what is in each.
    pub(super) fn browsed(&self) -> String {
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
        let (place, query) = url.expose().split_once('?').unwrap();
        const ALWAYS: &[&str] =
            &["response_type", "redirect_uri", "code_challenge", "code_challenge_method", "state"];
        let own =
            query.split('&').filter(|pair| !ALWAYS.contains(&pair.split('=').next().unwrap()));
        format!("{place}?{}", own.collect::<Vec<_>>().join("&"))
    }

    fn with_secrets<T>(&self, use_them: impl FnOnce(Held<'_>) -> T) -> T {
        let mut secrets: BTreeMap<_, _> = [("client_secret", "s3"), ("pin", "p1")]
            .map(|(name, value)| (name.to_owned(), secret(value)))
            .into();
        if matches!(
            self.0.grant,
            Grant::GithubApp(_) | Grant::JwtBearer(_) | Grant::SelfSignedJwt(_)
        ) {
            secrets.insert("private_key".to_owned(), presets::private_key());
        }
        let subject = secret("j1");
        use_them(Held { secrets: &secrets, subject: Some(&subject), now: NOW, unique: [0; 16] })
    }

    /// What a token that is signed here comes to.
    pub(super) fn signed(&self) -> String {
        let Grant::SelfSignedJwt(settings) = &self.0.grant else { panic!("another grant") };
        self.with_secrets(|held| {
            let reply = self_signed_jwt::reply(settings, &self.key(), held).unwrap();
            reply.expose().to_owned()
        })
    }

    /// What a reply comes to.
    pub(super) fn reads(&self, reply: &HttpReply) -> String {
        self.reads_for(Purpose::of(&self.0.grant), reply)
    }

    pub(super) fn reads_for(&self, purpose: Purpose, reply: &HttpReply) -> String {
        let endpoint = Url::parse("https://acme.example/token").unwrap();
        let asked = Asked {
            key: &self.key(),
            grant: &self.0.grant,
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
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
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
