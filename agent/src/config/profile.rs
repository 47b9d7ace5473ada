//! What a checked config.toml says. Values of these types exist only after every rule was checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokctl_core::{Policy, Pool};
use tokctl_proto::ProfileName;
use url::Url;

/// How a token is used unless the profile says otherwise (RFC 6750 section 2.1).
pub const HEADER_DEFAULT: &str = "Authorization: Bearer {token}";

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[agent]`'s network settings; each profile's `Network` has them worked in already.
    pub network: Network,
    pub notify: Notify,
    pub profiles: BTreeMap<ProfileName, Profile>,
}

/// Who is told what happens to tokens, besides those who watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// By the name of an event, a program and its arguments; not empty.
    pub hooks: BTreeMap<&'static str, Vec<String>>,
    /// No desktop notice is shown.
    pub is_silent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: ProfileName,
    pub grant: Grant,
    /// When its tokens are renewed; nothing of it changes what a token is.
    pub policy: Policy,
    /// `NAME: VALUE` with `{token}` or `{basic}` in it.
    pub header: String,
    /// The parameter of a URL's query that holds the token, in place of a header.
    pub query: Option<String>,
    pub api_urls: Vec<Url>,
    /// A token may be used over plain http on this machine.
    pub allow_http_loopback: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// RFC 6749 section 4.4.
    ClientCredentials(Client),
    /// RFC 6749 section 4.1: a person logs in with a browser; refresh tokens from then on.
    AuthorizationCode(Client),
    /// RFC 8628: a person logs in on another device; refresh tokens from then on.
    DeviceCode(Client),
    /// RFC 6749 section 6: a refresh token that was obtained elsewhere.
    RefreshToken(Client),
    /// RFC 7523 section 2.1: an assertion that is signed here.
    JwtBearer(Client),
    /// RFC 8693: a token of somebody else is exchanged.
    TokenExchange(Client),
    /// AWS's AssumeRoleWithWebIdentity.
    AwsWebIdentity(AwsRole),
    /// An installation token of a GitHub App.
    GithubApp(GithubApp),
    /// The token is a JWT that is signed here, and nobody is asked.
    SelfSignedJwt(Jwt),
    /// Requests that are not OAuth.
    Steps(Steps),
    /// A program prints the token.
    Command(Program),
    /// Other profiles, in turn.
    Pool(Arc<Pool>),
    /// A key that is stored and handed out as it is.
    ApiKey,
}

impl Grant {
    /// The name in config.toml; `pool` where other profiles stand for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials(_) => "client_credentials",
            Self::AuthorizationCode(_) => "authorization_code",
            Self::DeviceCode(_) => "device_code",
            Self::RefreshToken(_) => "refresh_token",
            Self::JwtBearer(_) => "jwt_bearer",
            Self::TokenExchange(_) => "token_exchange",
            Self::AwsWebIdentity(_) => "aws_web_identity",
            Self::GithubApp(_) => "github_app",
            Self::SelfSignedJwt(_) => "self_signed_jwt",
            Self::Steps(_) => "steps",
            Self::Command(_) => "command",
            Self::Pool(_) => "pool",
            Self::ApiKey => "api_key",
        }
    }

    /// The client that asks a provider's token endpoint, where one is asked.
    pub fn client(&self) -> Option<&Client> {
        match self {
            Self::ClientCredentials(client)
            | Self::AuthorizationCode(client)
            | Self::DeviceCode(client)
            | Self::RefreshToken(client)
            | Self::JwtBearer(client)
            | Self::TokenExchange(client) => Some(client),
            Self::AwsWebIdentity(_)
            | Self::GithubApp(_)
            | Self::SelfSignedJwt(_)
            | Self::Steps(_)
            | Self::Command(_)
            | Self::Pool(_)
            | Self::ApiKey => None,
        }
    }

    /// Whether its tokens are renewed by a refresh token that an entry holds.
    pub fn has_refresh_token(&self) -> bool {
        matches!(self, Self::AuthorizationCode(_) | Self::DeviceCode(_) | Self::RefreshToken(_))
    }

    /// Whether a person logs in for it.
    pub fn is_login(&self) -> bool {
        tokctl_proto::setting::is_login(self.name())
    }

    /// Whose token is presented for it.
    pub fn subject(&self) -> Option<&Subject> {
        match self {
            Self::AwsWebIdentity(role) => Some(&role.subject),
            grant => grant.client()?.subject.as_ref(),
        }
    }

    /// What that token is asked for, where it is asked for.
    pub fn subject_audience(&self) -> Option<&str> {
        match self {
            Self::AwsWebIdentity(role) => role.subject_audience.as_deref(),
            grant => grant.client()?.exchange.subject_audience.as_deref(),
        }
    }

    /// The way to whoever is asked.
    pub fn network(&self) -> Option<&Network> {
        match self {
            Self::AwsWebIdentity(role) => Some(&role.network),
            Self::GithubApp(app) => Some(&app.network),
            Self::Steps(steps) => Some(&steps.network),
            Self::SelfSignedJwt(_) | Self::Command(_) | Self::Pool(_) | Self::ApiKey => None,
            grant => grant.client().map(|client| &client.network),
        }
    }
}

/// A client at a provider's token endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct Client {
    pub provider: Provider,
    /// Empty where none was registered, as for `jwt_bearer` and `token_exchange` at some providers.
    pub client_id: String,
    /// `None`: chosen from the metadata, basic first.
    pub client_auth: Option<ClientAuth>,
    pub scope: BTreeSet<String>,
    pub audience: BTreeSet<String>,
    /// Absolute, without fragment (RFC 8707 section 2).
    pub resource: BTreeSet<String>,
    /// Further parameters; a value may hold `{secret:NAME}`.
    pub params: BTreeMap<String, String>,
    pub body: Body,
    pub assume_ttl: Option<Duration>,
    pub network: Network,
    pub endpoints: Endpoints,
    pub login: Login,
    pub quirks: Quirks,
    pub jwt: Jwt,
    pub subject: Option<Subject>,
    pub exchange: Exchange,
    /// Tokens are bound to a key of the entry (RFC 9449).
    pub dpop: bool,
}

/// A token is known by this text (`shell/live.rs`), so what is not set is not in it: tokens of before there was
/// such a setting stay good.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Client");
        text.field("provider", &self.provider)
            .field("client_id", &self.client_id)
            .field("client_auth", &self.client_auth)
            .field("scope", &self.scope)
            .field("audience", &self.audience)
            .field("resource", &self.resource)
            .field("params", &self.params)
            .field("body", &self.body)
            .field("assume_ttl", &self.assume_ttl)
            .field("network", &self.network);
        if self.endpoints != Endpoints::default() {
            text.field("endpoints", &self.endpoints);
        }
        if self.login != Login::default() {
            text.field("login", &self.login);
        }
        if self.quirks != Quirks::default() {
            text.field("quirks", &self.quirks);
        }
        if self.jwt != Jwt::default() {
            text.field("jwt", &self.jwt);
        }
        if self.subject.is_some() || self.exchange != Exchange::default() {
            text.field("subject", &self.subject).field("exchange", &self.exchange);
        }
        if self.dpop {
            text.field("dpop", &self.dpop);
        }
        text.finish()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The issuer exactly as written: it is compared code point by code point (RFC 8414 section
    /// 3.3).
    Issuer {
        text: String,
        url: Url,
    },
    TokenEndpoint(Url),
}

/// Endpoints that the profile names itself, beside the token endpoint. They go before those of the metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    pub authorization: Option<Url>,
    pub device_authorization: Option<Url>,
    /// RFC 9126.
    pub pushed_authorization_request: Option<Url>,
    /// RFC 7009.
    pub revocation: Option<Url>,
    /// RFC 7662.
    pub introspection: Option<Url>,
    /// Where refreshes go, if not to the token endpoint.
    pub refresh: Option<Url>,
}

impl Endpoints {
    /// These, and of the others what is not among them.
    pub fn or(&self, others: &Self) -> Self {
        let either =
            |own: &Option<Url>, other: &Option<Url>| own.as_ref().or(other.as_ref()).cloned();
        Self {
            authorization: either(&self.authorization, &others.authorization),
            device_authorization: either(&self.device_authorization, &others.device_authorization),
            pushed_authorization_request: either(
                &self.pushed_authorization_request,
                &others.pushed_authorization_request,
            ),
            revocation: either(&self.revocation, &others.revocation),
            introspection: either(&self.introspection, &others.introspection),
            refresh: either(&self.refresh, &others.refresh),
        }
    }

    /// Those that a client proves itself to; the browser goes to the authorization endpoint.
    pub fn of_client(&self) -> impl Iterator<Item = &Url> {
        [
            &self.device_authorization,
            &self.pushed_authorization_request,
            &self.revocation,
            &self.introspection,
            &self.refresh,
        ]
        .into_iter()
        .flatten()
    }
}

/// What is particular to a login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// As registered: loopback, with or without a port, or https, where the address is pasted.
    pub redirect_uri: Option<RedirectUri>,
    pub params: BTreeMap<String, String>,
    pub id_token_alg: Option<Algorithm>,
}

/// A redirect URI as it was registered, which providers compare as text (RFC 6749 section 3.1.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    url: Url,
}

impl RedirectUri {
    /// Reads one that has been checked (`address::redirect_uri`).
    pub fn read(text: &str) -> Result<Self, url::ParseError> {
        Ok(Self { text: text.to_owned(), url: Url::parse(text)? })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The same at this port, where it names none (RFC 8252 section 7.3).
    pub fn at_port(&self, port: u16) -> Self {
        let mut url = self.url.clone();
        let with_port = self.text.split_once("://").map(|(scheme, rest)| {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            format!("{scheme}://{}:{port}{rest}", authority.trim_end_matches(":80"))
        });
        match (url.port(), url.set_port(Some(port)), with_port) {
            (None, Ok(()), Some(text)) => Self { text, url },
            _ => self.clone(),
        }
    }
}

/// Where a provider leaves the standards.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Quirks {
    /// The profile's grant, and what is sent in place of its own name. A login's refreshes are another grant.
    pub grant_type: Option<(String, String)>,
    /// From a parameter's name to what this provider calls it.
    pub rename: BTreeMap<String, String>,
    /// A value may hold `{secret:NAME}`.
    pub headers: BTreeMap<String, String>,
    pub refresh_params: BTreeMap<String, String>,
    /// `None`: a space (RFC 6749 section 3.3).
    pub scope_separator: Option<String>,
    pub response: ResponseShape,
    /// From a code of this provider's to the standard one that means the same.
    pub errors: BTreeMap<String, String>,
}

/// As that of [`Client`].
impl fmt::Debug for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Quirks");
        text.field("grant_type", &self.grant_type)
            .field("rename", &self.rename)
            .field("headers", &self.headers)
            .field("refresh_params", &self.refresh_params)
            .field("scope_separator", &self.scope_separator)
            .field("response", &self.response);
        if !self.errors.is_empty() {
            text.field("errors", &self.errors);
        }
        text.finish()
    }
}

impl Quirks {
    /// What is sent as the name of a grant that the standard calls `standard`.
    pub fn grant_type<'a>(&'a self, grant: &str, standard: &'a str) -> &'a str {
        match &self.grant_type {
            Some((of, sent)) if of == grant => sent,
            _ => standard,
        }
    }

    /// What stands between scopes (RFC 6749 section 3.3).
    pub fn scope_separator(&self) -> &str {
        self.scope_separator.as_deref().unwrap_or(" ")
    }
}

/// Where a reply holds what, as dotted paths; what is not set is where RFC 6749 section 5.1 has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseShape(pub BTreeMap<String, String>);

impl ResponseShape {
    /// The names of what can be elsewhere.
    pub const NAMES: &[&str] = &[
        "token",
        "refresh_token",
        "token_type",
        "scope",
        "expires_in",
        "expires_in_ms",
        "expires_in_dhm",
        "expires_at",
        "error",
    ];

    /// The path of what is called `name`, if it is elsewhere.
    pub fn path(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// A JWT that is signed here: an assertion, or the token itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jwt {
    /// `None`: what fits the key.
    pub alg: Option<Algorithm>,
    pub kid: Option<String>,
    pub iss: Option<String>,
    pub sub: Option<String>,
    /// A value that is JSON is taken as JSON, else as text.
    pub claims: BTreeMap<String, String>,
    pub audience: Option<String>,
    pub lifetime: Option<Duration>,
    pub backdate: Option<Duration>,
    pub key_encoding: KeyEncoding,
}

/// RFC 7518 section 3.1, RFC 8037 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
    Hs256,
}

impl Algorithm {
    /// As it is written in a JWT's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of that name, among those that are known here.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa, Self::Hs256]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }
}

/// How a key for HS256 is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyEncoding {
    #[default]
    Text,
    Hex,
    Base64,
}

/// Whose token is presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The job's id token, which GitHub is asked for with what is in the job's environment.
    GithubActions,
    /// The job's id token, which GitLab puts into a variable.
    Gitlab,
    /// A file that somebody else keeps fresh, such as a projected token of Kubernetes.
    File(PathBuf),
    /// A variable of the client's environment.
    Env(String),
    /// The plain token of another profile.
    Profile(ProfileName),
}

/// What is particular to an exchange (RFC 8693 section 2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Whom the subject token is for, where it is asked for; GitHub is asked with nothing less, since what it takes
    /// else is an address of the job's owner, which no provider expects.
    pub subject_audience: Option<String>,
    pub subject_token_type: Option<String>,
    pub requested_token_type: Option<String>,
    /// A Google service account to act as with the exchanged token.
    pub impersonate: Option<String>,
}

/// A role that AWS's STS is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsRole {
    pub endpoint: Url,
    pub role_arn: String,
    pub session_name: String,
    pub duration: Option<Duration>,
    pub subject: Subject,
    pub subject_audience: Option<String>,
    pub network: Network,
}

/// An installation of a GitHub App.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubApp {
    /// Of the API: `https://api.github.com/` unless the profile says otherwise.
    pub api: Url,
    /// The app's client id, or its number.
    pub client_id: String,
    pub installation_id: String,
    pub repositories: Vec<String>,
    pub permissions: BTreeMap<String, String>,
    pub jwt: Jwt,
    pub network: Network,
}

/// A login that is not OAuth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// One or two.
    pub steps: Vec<Step>,
    /// Of the last reply.
    pub response: ResponseShape,
    pub assume_ttl: Option<Duration>,
    pub network: Network,
}

/// One request of such a login. Texts may hold `{secret:NAME}`, and in the second step `{step1:PATH}`, what the
/// first reply has at that dotted path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `GET` or `POST`.
    pub method: String,
    /// Its scheme, host and port have no holes.
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: StepBody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepBody {
    None,
    Form(BTreeMap<String, String>),
    /// The text of a JSON value; holes stand within its strings.
    Json(String),
}

/// A program that prints a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments; not empty.
    pub command: Vec<String>,
    pub timeout: Duration,
    pub assume_ttl: Option<Duration>,
}

/// RFC 6749 section 2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Id and secret form-encoded, then Basic (section 2.3.1).
    Basic,
    /// Basic without the encoding, for providers that do not decode.
    BasicRaw,
    Post,
    /// An assertion signed with a private key (RFC 7523 section 2.2).
    PrivateKeyJwt,
    /// An assertion signed with the client's secret.
    ClientSecretJwt,
    /// A certificate on the connection (RFC 8705 section 2).
    Tls,
    /// The subject token as the assertion: a workload identity.
    Federated,
    /// `client_id` alone.
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    #[default]
    Form,
    Json,
    /// A POST whose address holds the parameters.
    Query,
    /// A GET likewise.
    Get,
}

impl Body {
    /// The encoding at endpoints other than the token endpoint: to put parameters into the address is a quirk of
    /// that one alone.
    pub fn elsewhere(self) -> Self {
        match self {
            Self::Query | Self::Get => Self::Form,
            own @ (Self::Form | Self::Json) => own,
        }
    }
}

/// How a provider is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    pub ca_file: Option<PathBuf>,
    pub proxy: Option<String>,
    pub no_proxy: Vec<String>,
    pub allow_http_loopback: bool,
}

#[cfg(test)]
impl Client {
    /// A client with nothing but what every client has.
    pub(crate) fn plain(token_endpoint: Url) -> Self {
        Self {
            provider: Provider::TokenEndpoint(token_endpoint),
            client_id: "cc".into(),
            client_auth: None,
            scope: BTreeSet::new(),
            audience: BTreeSet::new(),
            resource: BTreeSet::new(),
            params: BTreeMap::new(),
            body: Body::Form,
            assume_ttl: None,
            network: Network::default(),
            endpoints: Endpoints::default(),
            login: Login::default(),
            quirks: Quirks::default(),
            jwt: Jwt::default(),
            subject: None,
            exchange: Exchange::default(),
            dpop: false,
        }
    }
}
