//! The keys of config.toml, as data: the agent checks files by these tables, `tokctl add` makes its
//! options from them, so neither can know a key that the other does not.

/// What the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text or an array of text; repeated options add to it.
    List,
    /// As [`Shape::List`], and split at spaces.
    Scopes,
    Flag,
    /// `90`, `90s`, `5m`, `8h`, `7d`.
    Duration,
    /// A table of text; `--set params.KEY=VALUE` sets one of it.
    Table,
    /// An array of tables, one for each request of a login that is not OAuth; typed as TOML.
    Steps,
    /// A table of lists: a program for each event, with its arguments. It is written in the file alone.
    Hooks,
}

/// One key of config.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As in the file; the option replaces `_` by `-`.
    pub name: &'static str,
    pub shape: Shape,
    /// One line for `--help` and the manual.
    pub help: &'static str,
}

const fn setting(name: &'static str, shape: Shape, help: &'static str) -> Setting {
    Setting { name, shape, help }
}

/// The grants of this version.
pub const GRANTS: &[&str] = &[
    "client_credentials",
    "authorization_code",
    "device_code",
    "refresh_token",
    "jwt_bearer",
    "token_exchange",
    "aws_web_identity",
    "github_app",
    "self_signed_jwt",
    "steps",
    "command",
    "api_key",
];
/// The ways to authenticate a client at the token endpoint (RFC 6749 section 2.3, RFC 7523, RFC 8705).
pub const CLIENT_AUTHS: &[&str] = &[
    "basic",
    "basic_raw",
    "post",
    "private_key_jwt",
    "client_secret_jwt",
    "tls",
    "federated",
    "none",
];
/// The algorithms that a JWT is signed with (RFC 7518 section 3, RFC 8037).
pub const ALGORITHMS: &[&str] = &["RS256", "PS256", "ES256", "EdDSA", "HS256"];

/// The keys of `[profiles.NAME]`.
pub const PROFILE: &[Setting] = &[
    setting("preset", Shape::Text, "a provider that is known; `tokctl help presets` lists them"),
    setting("vars", Shape::Table, "what a preset leaves open, as in `vars.tenant=contoso`"),
    setting("grant", Shape::Word(GRANTS), "how the token is obtained"),
    setting("issuer", Shape::Text, "the provider's issuer; its metadata names the endpoints"),
    setting("token_endpoint", Shape::Text, "the token endpoint, in place of an issuer"),
    setting("authorization_endpoint", Shape::Text, "where a person logs in with a browser"),
    setting("device_authorization_endpoint", Shape::Text, "where a device login begins (RFC 8628)"),
    setting(
        "pushed_authorization_request_endpoint",
        Shape::Text,
        "where the request of a login is left before the browser opens (RFC 9126)",
    ),
    setting("revocation_endpoint", Shape::Text, "where tokens are revoked (RFC 7009)"),
    setting("introspection_endpoint", Shape::Text, "where tokens are looked up (RFC 7662)"),
    setting("refresh_endpoint", Shape::Text, "where tokens are renewed, if elsewhere"),
    setting("client_id", Shape::Text, "the client's id at the provider"),
    setting(
        "client_auth",
        Shape::Word(CLIENT_AUTHS),
        "how the client proves itself; absent: from the metadata, basic first",
    ),
    setting("redirect_uri", Shape::Text, "the registered redirect URI, where its port is fixed"),
    setting("scope", Shape::Scopes, "scope to ask for"),
    setting("audience", Shape::List, "audience to ask for"),
    setting("resource", Shape::List, "resource to ask for (RFC 8707)"),
    setting("params", Shape::Table, "further parameters of the token request"),
    setting(
        "authorization_params",
        Shape::Table,
        "further parameters of the authorization request",
    ),
    setting("refresh_params", Shape::Table, "further parameters of a refresh alone"),
    setting("headers", Shape::Table, "further headers of the token request"),
    setting("grant_type", Shape::Text, "what this provider calls the grant"),
    setting(
        "rename",
        Shape::Table,
        "what this provider calls a parameter: `client_id=client_key`; `-`: it is not sent",
    ),
    setting(
        "body",
        Shape::Word(&["form", "json", "query", "get"]),
        "encoding of the token request; `query` and `get` put it into the address",
    ),
    setting("scope_separator", Shape::Text, "what stands between scopes, where it is no space"),
    setting("response", Shape::Table, "where a reply holds what, as in `token=data.token`"),
    setting("errors", Shape::Table, "what this provider's errors mean, as in `601=slow_down`"),
    setting("assume_ttl", Shape::Duration, "lifetime of a token whose reply names none"),
    setting("alg", Shape::Word(ALGORITHMS), "the algorithm of JWTs that are signed here"),
    setting("kid", Shape::Text, "the key's id in those JWTs"),
    setting("iss", Shape::Text, "their issuer; absent: the client id"),
    setting("sub", Shape::Text, "their subject"),
    setting("claims", Shape::Table, "their further claims; JSON where a value is JSON"),
    setting("assertion_audience", Shape::Text, "their audience; absent: the issuer"),
    setting("assertion_lifetime", Shape::Duration, "how long they are valid"),
    setting("assertion_backdate", Shape::Duration, "how far back they are issued, for slow clocks"),
    setting(
        "key_encoding",
        Shape::Word(&["text", "hex", "base64"]),
        "how a key for HS256 is written",
    ),
    setting(
        "subject",
        Shape::Text,
        "whose token is exchanged: `github-actions`, `gitlab`, `file:PATH`, `env:NAME`, `profile:NAME`",
    ),
    setting(
        "subject_audience",
        Shape::Text,
        "whom a job's token is made for (`github-actions`); absent: AWS, where that is asked",
    ),
    setting("subject_token_type", Shape::Text, "the type of the subject token (RFC 8693)"),
    setting("requested_token_type", Shape::Text, "the type of token to ask for (RFC 8693)"),
    setting("impersonate", Shape::Text, "the Google service account to act as"),
    setting("role_arn", Shape::Text, "the AWS role to assume"),
    setting("role_session_name", Shape::Text, "what AWS calls the session; absent: tokctl"),
    setting("session_duration", Shape::Duration, "how long the AWS session lasts"),
    setting("installation_id", Shape::Text, "the installation of a GitHub App"),
    setting("repositories", Shape::List, "repositories that a GitHub App's token is for alone"),
    setting("permissions", Shape::Table, "permissions that a GitHub App's token has alone"),
    setting("steps", Shape::Steps, "the one or two requests of a login that is not OAuth, as TOML"),
    setting("command", Shape::List, "a program that prints a token, and its arguments"),
    setting("command_timeout", Shape::Duration, "how long it may take; absent: 30s"),
    setting("dpop", Shape::Flag, "have tokens bound to a key of this profile (RFC 9449)"),
    setting(
        "id_token_alg",
        Shape::Word(ALGORITHMS),
        "the algorithm that an id_token must be signed with",
    ),
    setting(
        "refresh_ahead",
        Shape::Text,
        "how early a token is renewed: `20%` of its lifetime, or `5m`",
    ),
    setting("refresh_ahead_max", Shape::Duration, "never earlier than this before its end"),
    setting(
        "keep",
        Shape::Word(&["always", "used", "on_demand"]),
        "renew ahead always, while somebody uses the token, or not at all",
    ),
    setting("keep_idle", Shape::Duration, "how long after its last use a token is still renewed"),
    setting(
        "refresh_token_idle",
        Shape::Duration,
        "the provider lets an unused refresh token die after this",
    ),
    setting(
        "rotation",
        Shape::Word(&["strict", "grace", "none"]),
        "whether a refresh token may be presented again when an answer was lost",
    ),
    setting(
        "pool",
        Shape::List,
        "profiles whose tokens are handed out in turn, in place of a grant",
    ),
    setting("rate_limit", Shape::Text, "uses of each member of the pool, as in `60/min`"),
    setting("header", Shape::Text, "how the token is used, as in `X-Api-Key: {token}`"),
    setting(
        "query",
        Shape::Text,
        "the parameter of the URL that holds the token, in place of a header",
    ),
    setting("api_urls", Shape::List, "where the token may be used"),
    setting("ca_file", Shape::Text, "a further certificate authority (PEM) for this provider"),
    setting("proxy", Shape::Text, "the proxy for this provider"),
    setting("allow_http_loopback", Shape::Flag, "let the provider be plain http on this machine"),
];

/// The keys of `[agent]`.
pub const AGENT: &[Setting] = &[
    setting("proxy", Shape::Text, "the proxy for all providers"),
    setting("no_proxy", Shape::List, "hosts that are reached without it"),
    setting("ca_file", Shape::Text, "a further certificate authority (PEM) for all providers"),
    setting("notify", Shape::Flag, "show a desktop notice when a login is needed"),
    setting("hooks", Shape::Hooks, "programs that are run when something happens"),
];

/// The keys of `[agent.hooks]`: the events that run a program.
pub const HOOKS: &[Setting] = &[
    setting("login_needed", Shape::List, "a program for when a person has to log in"),
    setting("renewed", Shape::List, "a program for each new token"),
    setting("failed", Shape::List, "a program for each attempt that failed"),
    setting("locked", Shape::List, "a program for when the vault was sealed"),
];

/// The setting of that name, if there is one.
pub fn find(table: &'static [Setting], name: &str) -> Option<&'static Setting> {
    table.iter().find(|setting| setting.name == name)
}

/// The name of the secret that a grant stores when none is named.
pub fn secret_of(grant: &str) -> &'static str {
    match grant {
        "api_key" => "key",
        "refresh_token" => "refresh_token",
        "jwt_bearer" | "github_app" | "self_signed_jwt" => "private_key",
        _ => "client_secret",
    }
}

/// Whether a person logs in for the grant, and a refresh token comes of it.
pub fn is_login(grant: &str) -> bool {
    matches!(grant, "authorization_code" | "device_code")
}
