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
pub const GRANTS: &[&str] = &["client_credentials", "refresh_token", "api_key"];
/// The ways to authenticate a client at the token endpoint (RFC 6749 section 2.3).
pub const CLIENT_AUTHS: &[&str] = &["basic", "basic_raw", "post", "none"];

/// The keys of `[profiles.NAME]`.
pub const PROFILE: &[Setting] = &[
    setting("grant", Shape::Word(GRANTS), "how the token is obtained"),
    setting("issuer", Shape::Text, "the provider's issuer; its metadata names the endpoints"),
    setting("token_endpoint", Shape::Text, "the token endpoint, in place of an issuer"),
    setting("client_id", Shape::Text, "the client's id at the provider"),
    setting(
        "client_auth",
        Shape::Word(CLIENT_AUTHS),
        "how the client proves itself; absent: from the metadata, basic first",
    ),
    setting("scope", Shape::Scopes, "scope to ask for"),
    setting("audience", Shape::List, "audience to ask for"),
    setting("resource", Shape::List, "resource to ask for (RFC 8707)"),
    setting("params", Shape::Table, "further parameters of the token request"),
    setting("body", Shape::Word(&["form", "json"]), "encoding of the token request"),
    setting("assume_ttl", Shape::Duration, "lifetime of a token whose reply names none"),
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
        _ => "client_secret",
    }
}
