//! The requests that would be sent for a token, as text with no secret in it.
//!
//! No stored secret is read for it: a stand-in takes the place of each from the beginning, so nothing can be shown by
//! mistake. What a provider's metadata would say is not known, since nobody is asked; it is named in its place. What
//! is signed is signed with a key of the moment, and left out of what is shown but for its claims.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tokctl_proto::{Failure, Secret, TokenKey, WallMs};
use url::Url;

use crate::config::{Algorithm, Client, ClientAuth, Grant, Profile, Provider};
use crate::config::{Steps, template};
use crate::oauth::client_auth::{CLIENT_SECRET, PRIVATE_KEY};
use crate::oauth::grant::authorization_code::{self, Code};
use crate::oauth::grant::steps::{self, Filling};
use crate::oauth::grant::{
    self, Endpoint, Held, aws_web_identity, device_code, github_app, impersonation,
};
use crate::oauth::jose::jws;
use crate::oauth::message::HttpRequest;
use crate::oauth::state::Unguessable;
use crate::oauth::{discovery, pkce};

/// What is shown in the place of a secret.
const REDACTED: &str = "[redacted]";
/// The same, as it stands in a form and in a URL.
const REDACTED_IN_FORM: &str = "%5Bredacted%5D";
/// As long as the longest key for HS256 must be (RFC 7518 section 3.2), in hexadecimal and in base64 too.
const STAND_IN: &str =
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000";
/// A host that nobody has (RFC 6761 section 6.4), for endpoints that the metadata would name.
const OF_METADATA: &str = "https://metadata.invalid/";

/// What is known before anything is sent.
#[derive(Debug, Default)]
pub struct DryRun {
    pub requests: Vec<String>,
    /// What else there is to say, one line each.
    pub notes: Vec<String>,
}

/// Which requests are of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The next token of a profile: a person has logged in where one must.
    NextToken,
    /// The first one of a profile that is new: a person has to log in first.
    FirstToken,
}

/// What has to be drawn for a dry run: a private key of the moment.
pub fn wants_key(profile: &Profile) -> Option<Algorithm> {
    let (settings, signs) = match &profile.grant {
        Grant::GithubApp(app) => (&app.jwt, true),
        Grant::JwtBearer(client) => (&client.jwt, true),
        grant => {
            let client = grant.client()?;
            (&client.jwt, client.client_auth == Some(ClientAuth::PrivateKeyJwt))
        }
    };
    let default = match profile.grant {
        Grant::GithubApp(_) => Algorithm::Rs256,
        _ => Algorithm::Es256,
    };
    let algorithm = settings.alg.unwrap_or(default);
    (signs && algorithm != Algorithm::Hs256).then_some(algorithm)
}

/// Works the requests out.
pub fn dry_run(
    now: WallMs,
    profile: &Profile,
    key: &TokenKey,
    until: Until,
    private_key: Option<Secret>,
) -> Result<DryRun, Failure> {
    let stand_ins = stand_ins(profile, private_key);
    let subject = Secret::new(REDACTED.to_owned());
    let held = Held { secrets: &stand_ins, subject: Some(&subject), now, unique: [0; 16] };
    let mut made = DryRun::default();
    match &profile.grant {
        Grant::GithubApp(app) => made.show(&github_app::request(app, key, held)?),
        Grant::AwsWebIdentity(role) => made.show(&aws_web_identity::request(role, key, held)?),
        Grant::Steps(login) => made.show_steps(login, key, &stand_ins)?,
        Grant::SelfSignedJwt(_) => made.note("nothing is sent: the token is signed here"),
        Grant::ApiKey => made.note("nothing is sent: the key is handed out as it is stored"),
        Grant::Command(program) => {
            let words: Vec<_> = program.command.iter().map(|word| format!("`{word}`")).collect();
            made.note(&format!("nothing is sent: a program is run, {}", words.join(" ")));
        }
        Grant::Pool(pool) => {
            let members: Vec<_> = pool.members.iter().map(|name| format!("`{name}`")).collect();
            made.note(&format!("nothing is sent: the tokens are those of {}", members.join(", ")));
        }
        grant => {
            let client = grant.client().expect("all others are clients");
            made.ask_client(grant, client, key, until, held)?;
        }
    }
    Ok(made)
}

impl DryRun {
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    fn ask_client(
        &mut self,
        grant: &Grant,
        client: &Client,
        key: &TokenKey,
        until: Until,
        held: Held<'_>,
    ) -> Result<(), Failure> {
        if let Provider::Issuer { url, .. } = &client.provider {
            let [place, _] = discovery::well_known(url);
            self.requests.push(format!("GET {place} HTTP/1.1\nAccept: application/json\n"));
            self.note("what the metadata says is not known before it is fetched");
        }
        let endpoint = endpoint(client);
        if until == Until::FirstToken && grant.is_login() {
            return self.log_in(grant, client, &endpoint, key, held);
        }
        let endpoint = match grant.has_refresh_token() {
            true => endpoint.of_refreshes(client),
            false => endpoint,
        };
        let presented = Secret::new(REDACTED.to_owned());
        let request = grant::request(grant, client, &endpoint, key, held, Some(&presented))?;
        self.show(&request);
        if let Some(account) = impersonation::endpoint(client) {
            self.show(&impersonation::request(client, key, &account, &presented));
        }
        Ok(())
    }

    /// What is sent for a login, and at its end.
    fn log_in(
        &mut self,
        grant: &Grant,
        client: &Client,
        endpoint: &Endpoint,
        key: &TokenKey,
        held: Held<'_>,
    ) -> Result<(), Failure> {
        let code = Secret::new(REDACTED.to_owned());
        let scope = if key.scope.is_empty() { &client.scope } else { &key.scope };
        let place =
            |own: &Option<Url>, name: &str| own.clone().unwrap_or_else(|| of_metadata(name));
        if let Grant::DeviceCode(_) = grant {
            let own = &client.endpoints.device_authorization;
            let place = place(own, "device_authorization_endpoint");
            self.show(&device_code::begin(client, &place, endpoint, &key.profile, scope, held)?);
            self.show(&device_code::token_request(client, endpoint, key, held, &code)?);
            return Ok(());
        }
        let place = place(&client.endpoints.authorization, "authorization_endpoint");
        let registered = client.login.redirect_uri.as_ref();
        let redirect_uri = registered.map_or("http://127.0.0.1:PORT/callback", |uri| uri.text());
        let url = authorization_code::url(
            &place,
            &authorization_code::Request {
                client,
                scope,
                redirect_uri,
                state: &Unguessable::new([0; 32]),
                code_challenge: &pkce::Pkce::new([0; 32]).challenge,
                nonce: None,
                dpop_jkt: None,
            },
        );
        self.requests.push(format!("GET {} HTTP/1.1\n", browsed(url.expose())));
        self.note("the first of these is what a browser opens");
        let code = Code { code: &code, verifier: &code, redirect_uri };
        self.show(&authorization_code::token_request(client, endpoint, key, held, &code)?);
        Ok(())
    }

    /// The second step knows of the first reply by name alone.
    fn show_steps(
        &mut self,
        login: &Steps,
        key: &TokenKey,
        secrets: &BTreeMap<String, Secret>,
    ) -> Result<(), Failure> {
        let mut first = Value::Object(Map::new());
        for step in &login.steps {
            let paths = steps::texts(step).flat_map(steps::first_reply_paths);
            for path in paths {
                put_at(&mut first, path);
            }
            let filling = Filling { profile: &key.profile, secrets, first: Some(&first) };
            self.show(&steps::request(step, &filling)?);
        }
        Ok(())
    }

    fn show(&mut self, request: &HttpRequest) {
        for token in signed_in(request) {
            if let Ok(parsed) = jws::Parsed::read(&token) {
                self.note(&format!("what is signed says {}", Value::Object(parsed.claims)));
            }
        }
        self.requests.push(shown(request));
    }
}

/// Where the client asks, and how it proves itself there.
fn endpoint(client: &Client) -> Endpoint {
    match &client.provider {
        Provider::TokenEndpoint(url) => Endpoint::configured(url.clone(), client),
        Provider::Issuer { text, .. } => {
            let configured = Endpoint::configured(of_metadata("token_endpoint"), client);
            Endpoint { audience: text.clone(), ..configured }
        }
    }
}

fn of_metadata(name: &str) -> Url {
    Url::parse(&format!("{OF_METADATA}{name}")).expect("it is a URL")
}

/// Something in the place of each secret that the profile's requests could be made of.
fn stand_ins(profile: &Profile, private_key: Option<Secret>) -> BTreeMap<String, Secret> {
    let redacted = |name: &str| (name.to_owned(), Secret::new(REDACTED.to_owned()));
    let mut secrets: BTreeMap<_, _> =
        [CLIENT_SECRET, "tls_certificate", "tls_key"].map(redacted).into();
    let mut name_all = |text: &str| {
        for piece in template::pieces(text).unwrap_or_default() {
            if let template::Piece::Secret(name) = piece {
                secrets.extend([redacted(name)]);
            }
        }
    };
    if let Grant::Steps(login) = &profile.grant {
        login.steps.iter().flat_map(steps::texts).for_each(&mut name_all);
    }
    if let Some(client) = profile.grant.client() {
        let quirks = &client.quirks;
        let tables = [&client.params, &quirks.headers, &quirks.refresh_params];
        tables.into_iter().flat_map(BTreeMap::values).for_each(|text| name_all(text));
        if client.client_auth == Some(ClientAuth::ClientSecretJwt) {
            secrets.insert(CLIENT_SECRET.to_owned(), Secret::new(STAND_IN.to_owned()));
        }
    }
    let key = private_key.unwrap_or_else(|| Secret::new(STAND_IN.to_owned()));
    secrets.insert(PRIVATE_KEY.to_owned(), key);
    secrets
}

/// The request line, the headers, an empty line and the body.
fn shown(request: &HttpRequest) -> String {
    let method = request.method.name();
    let url = body(&named(&request.url));
    let mut text = format!("{method} {url} HTTP/1.1\n");
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {}\n", header(name, value.expose())));
    }
    if !request.body.is_empty() {
        text.push_str(&format!("\n{}\n", body(request.body.expose())));
    }
    text
}

/// An endpoint that only the metadata knows goes by its name.
fn named(url: &Url) -> String {
    match url.as_str().strip_prefix(OF_METADATA) {
        Some(name) => format!("[{name} of the metadata]"),
        None => url.to_string(),
    }
}

/// The address that a browser opens, without what is drawn for each login.
fn browsed(url: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let place = match place.strip_prefix(OF_METADATA) {
        Some(name) => format!("[{name} of the metadata]"),
        None => place.to_owned(),
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name @ ("state" | "nonce" | "code_challenge"), _)) => {
            Cow::Owned(format!("{name}={REDACTED}"))
        }
        _ => Cow::Borrowed(pair),
    });
    format!("{place}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// What proves somebody is left out, but for its scheme.
fn header(name: &str, value: &str) -> String {
    let proves = ["authorization", "dpop"].iter().any(|known| name.eq_ignore_ascii_case(known));
    match (proves, value.split_once(' ')) {
        (false, _) => value.to_owned(),
        (true, Some((scheme, _))) => format!("{scheme} {REDACTED}"),
        (true, None) => REDACTED.to_owned(),
    }
}

/// Whatever looks like something signed is left out too.
fn body(text: &str) -> String {
    let mut text = text.replace(REDACTED_IN_FORM, REDACTED).replace(STAND_IN, REDACTED);
    for token in tokens_in(&text.clone()) {
        text = text.replace(token, REDACTED);
    }
    text
}

/// What is signed in a request.
fn signed_in(request: &HttpRequest) -> Vec<String> {
    let headers = request.headers.iter().map(|(_, value)| value.expose());
    let texts = headers.chain([request.body.expose(), request.url.query().unwrap_or_default()]);
    texts.flat_map(tokens_in).map(str::to_owned).collect()
}

/// The JWTs in a text: three segments of base64url, the first of which begins a JSON object.
fn tokens_in(text: &str) -> impl Iterator<Item = &str> {
    let is_of_jwt = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.split(move |c| !is_of_jwt(c))
        .filter(|word| word.starts_with("eyJ") && word.split('.').count() == 3)
}

/// Makes a dotted path lead to a stand-in.
fn put_at(value: &mut Value, path: &str) {
    let mut at = value;
    for name in path.split('.') {
        let Value::Object(fields) = at else { return };
        at = fields.entry(name).or_insert_with(|| Value::Object(Map::new()));
    }
    *at = REDACTED.into();
}

#[cfg(test)]
mod tests;
