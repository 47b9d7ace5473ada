//! Every rule with its line, and every way to write a profile.

mod hooks;
mod pools;

use std::time::Duration;

use tokctl_core::{Ahead, Keep, Policy, Rotation};
use tokctl_proto::setting::Shape;

use super::*;
use crate::config::{Body, Client, ClientAuth, Provider};

const ACME: &str = r#"
[profiles.acme]
grant = "client_credentials"
issuer = "https://as.example/"
client_id = "cc"
"#;

fn only(text: &str) -> Profile {
    parse(text).unwrap().profiles.into_values().next().unwrap()
}

fn only_client(text: &str) -> Client {
    only(text).grant.client().expect("the grant asks a provider").clone()
}

#[test]
fn an_empty_file_has_no_profiles() {
    for text in ["", "\n", "# nothing\n", "[agent]\n", "[profiles]\n", "\u{feff}"] {
        assert_eq!(parse(text), Ok(Config::default()), "{text:?}");
    }
}

#[test]
fn defaults_are_the_documented_ones() {
    let profile = only(ACME);
    assert_eq!(profile.header, HEADER_DEFAULT);
    assert_eq!(profile.api_urls, []);
    assert_eq!(profile.policy, Policy::DEFAULT);
    let client = only_client(ACME);
    assert_eq!((client.client_auth, client.body, client.assume_ttl), (None, Body::Form, None));
    assert_eq!(client.network, Network::default());
    let Provider::Issuer { text, .. } = client.provider else { panic!("no issuer") };
    assert_eq!(text, "https://as.example/");
}

#[test]
fn every_key_is_read() {
    let text = r#"
[agent]
proxy = "http://proxy.example:3128"
no_proxy = "a.example,b.example"
ca_file = "/etc/agent.pem"

[profiles.acme]
grant = "client_credentials"
token_endpoint = "http://127.0.0.1:9400/token?tenant=1"
client_id = "cc"
client_auth = "post"
scope = ["b", "a c"]
audience = "https://api.example/"
resource = ["urn:x", "https://r.example/"]
params = { password = "{secret:password}", organization = "" }
body = "json"
assume_ttl = "5m"
header = "X-Api-Key: {token}"
api_urls = ["https://api.example/v1", "http://localhost:1/"]
ca_file = "/etc/acme.pem"
allow_http_loopback = true
"#;
    let profile = only(text);
    assert_eq!(profile.header, "X-Api-Key: {token}");
    assert_eq!(profile.api_urls.len(), 2);
    let client = only_client(text);
    let Provider::TokenEndpoint(url) = &client.provider else { panic!("no endpoint") };
    assert_eq!(url.as_str(), "http://127.0.0.1:9400/token?tenant=1");
    assert_eq!(client.client_auth, Some(ClientAuth::Post));
    assert_eq!(client.scope, ["a", "b", "c"].map(str::to_owned).into());
    assert_eq!(client.audience, ["https://api.example/".to_owned()].into());
    assert_eq!(client.resource.len(), 2);
    assert_eq!(client.params["password"], "{secret:password}");
    assert_eq!(client.body, Body::Json);
    assert_eq!(client.assume_ttl, Some(Duration::from_secs(300)));
    assert_eq!(
        client.network,
        Network {
            ca_file: Some("/etc/acme.pem".into()),
            proxy: Some("http://proxy.example:3128".into()),
            no_proxy: vec!["a.example".into(), "b.example".into()],
            allow_http_loopback: true,
        }
    );
}

#[test]
fn every_key_of_the_policy_is_read() {
    let refreshing = ACME.replace("client_credentials", "refresh_token");
    let text = format!(
        "{refreshing}refresh_ahead = \"25%\"\nrefresh_ahead_max = \"5m\"\nkeep = \"always\"\n\
         keep_idle = \"7d\"\nrefresh_token_idle = \"30d\"\nrotation = \"grace\"\n"
    );
    let day = Duration::from_secs(86_400);
    let profile = only(&text);
    assert_eq!(
        profile.policy,
        Policy {
            refresh_ahead: Some(Ahead::Percent(25)),
            refresh_ahead_max: Some(Duration::from_secs(300)),
            keep: Keep::Always,
            keep_idle: Some(7 * day),
            refresh_token_idle: Some(30 * day),
            rotation: Rotation::Grace,
        }
    );
    assert!(matches!(profile.grant, Grant::RefreshToken(_)));
    assert_eq!(only_client(&text), only_client(ACME));
    for (word, keep) in
        [("always", Keep::Always), ("used", Keep::Used), ("on_demand", Keep::OnDemand)]
    {
        assert_eq!(only(&format!("{ACME}keep = \"{word}\"\n")).policy.keep, keep);
    }
    for (word, rotation) in
        [("strict", Rotation::Strict), ("grace", Rotation::Grace), ("none", Rotation::None)]
    {
        let text = format!("{refreshing}rotation = \"{word}\"\n");
        assert_eq!(only(&text).policy.rotation, rotation);
    }
}

#[test]
fn a_key_that_means_nothing_with_the_grant_is_refused() {
    let refreshing = ACME.replace("client_credentials", "refresh_token");
    let api_key = "\n\n\n\n[profiles.a]\ngrant = \"api_key\"\n";
    for (profile, line, said) in [
        (
            ACME,
            "rotation = \"none\"",
            "`rotation` means nothing with `grant = \"client_credentials\"`: there is no refresh token",
        ),
        (
            ACME,
            "refresh_token_idle = \"7d\"",
            "`refresh_token_idle` means nothing with `grant = \"client_credentials\"`: there is no refresh token",
        ),
        (ACME, "rate_limit = \"1/s\"", "`rate_limit` means nothing without `pool`"),
        (&refreshing, "rate_limit = \"1/s\"", "`rate_limit` means nothing without `pool`"),
        (
            api_key,
            "keep = \"used\"",
            "`keep` means nothing with `grant = \"api_key\"`: no provider is asked",
        ),
        (
            api_key,
            "keep_idle = \"1d\"",
            "`keep_idle` means nothing with `grant = \"api_key\"`: no provider is asked",
        ),
        (
            api_key,
            "refresh_ahead = \"1m\"",
            "`refresh_ahead` means nothing with `grant = \"api_key\"`: no provider is asked",
        ),
        (
            api_key,
            "refresh_ahead_max = \"1m\"",
            "`refresh_ahead_max` means nothing with `grant = \"api_key\"`: no provider is asked",
        ),
        (
            api_key,
            "rotation = \"none\"",
            "`rotation` means nothing with `grant = \"api_key\"`: no provider is asked",
        ),
    ] {
        let error = parse(&format!("{profile}{line}\n")).unwrap_err();
        assert_eq!(error.message, said);
        assert_eq!(error.line, profile.lines().count() + 1, "{line}");
        let key = line.split(' ').next().unwrap();
        assert_eq!(error.hint, Some(format!("remove `{key}`")));
    }
}

#[test]
fn every_word_of_the_tables_is_understood() {
    for (word, auth) in setting::CLIENT_AUTHS.iter().zip([
        ClientAuth::Basic,
        ClientAuth::BasicRaw,
        ClientAuth::Post,
        ClientAuth::PrivateKeyJwt,
        ClientAuth::ClientSecretJwt,
        ClientAuth::Tls,
        ClientAuth::Federated,
        ClientAuth::None,
    ]) {
        let text = format!("{ACME}client_auth = \"{word}\"\nsubject = \"env:ID_TOKEN\"\n");
        assert_eq!(only_client(&text).client_auth, Some(auth), "{word}");
    }
    for grant in setting::GRANTS {
        let bare = format!("[profiles.a]\ngrant = \"{grant}\"\n");
        let refused = parse(&bare).err().map(|error| error.message).unwrap_or_default();
        assert!(!refused.contains("`grant`"), "{grant}: {refused}");
    }
}

#[test]
fn every_key_refuses_a_value_of_another_shape() {
    for setting in setting::PROFILE {
        let wrong: &[&str] = match setting.shape {
            Shape::Text | Shape::Word(_) => &["true", "1", "[]", "\"\""],
            Shape::List | Shape::Scopes => &["true", "1", "[1]", "{}", "\"\"", "[\"\"]"],
            Shape::Flag => &["\"true\"", "1"],
            Shape::Duration => &["true", "1.5", "-1", "0", "\"1 h\"", "\"\""],
            Shape::Table => &["\"a=b\"", "[]", "{ a = 1 }"],
            Shape::Hooks => &["true", "1", "\"a\"", "[]", "{ renewed = 1 }"],
            Shape::Steps => &["\"a\"", "[]", "[1]", "{}", "true"],
        };
        for value in wrong {
            let text = format!("[profiles.a]\n\n{} = {value}\n", setting.name);
            let error = parse(&text).unwrap_err();
            assert_eq!(error.line, 3, "{text}");
            assert!(error.message.starts_with(&format!("`{}", setting.name)), "{error}");
        }
    }
}

#[test]
fn a_duration_may_be_a_number_of_seconds() {
    for (value, seconds) in [("90", 90), ("\"90\"", 90), ("\"2m\"", 120), ("1", 1)] {
        let text = format!("{ACME}assume_ttl = {value}\n");
        assert_eq!(only_client(&text).assume_ttl, Some(Duration::from_secs(seconds)));
    }
}

#[test]
fn an_error_names_line_key_and_the_nearest() {
    for (text, said, hint) in [
        ("a = \n", "config.toml:1: not TOML: ", None),
        ("[agent]\n[agent]\n", "config.toml:2: not TOML: duplicate key", None),
        ("[profiles.acme\n", "config.toml:1: not TOML: ", None),
        (
            "\n[profile.acme]\n",
            "config.toml:2: `profile` is not a table of config.toml",
            Some("did you mean `profiles`?"),
        ),
        (
            "client_id = \"x\"\n",
            "config.toml:1: `client_id` is not a table of config.toml",
            Some("the keys of a profile stand below `[profiles.NAME]`"),
        ),
        (
            "[acme]\n",
            "config.toml:1: `acme` is not a table of config.toml",
            Some("the tables are `[agent]` and `[profiles.NAME]`"),
        ),
        ("agent = 1\n", "config.toml:1: `agent` must be a table, `[agent]`", None),
        ("[[profiles]]\n", "config.toml:1: `profiles` must be a table, `[profiles]`", None),
        (
            "[profiles]\nacme = 1\n",
            "config.toml:2: `profiles.acme` must be a table, `[profiles.acme]`",
            None,
        ),
        (
            "[agent]\nproxi = \"x\"\n",
            "config.toml:2: `proxi` is not a key of [agent]",
            Some("did you mean `proxy`?"),
        ),
        (
            "[profiles.a]\nscopes = \"x\"\n",
            "config.toml:2: `scopes` is not a key of a profile",
            Some("did you mean `scope`?"),
        ),
        (
            "[profiles.a]\nclient_auth = \"pots\"\n",
            "config.toml:2: `client_auth` cannot be `pots`",
            Some("did you mean `post`?"),
        ),
        (
            "[profiles.a]\ngrant = \"saml\"\n",
            "config.toml:2: `grant` cannot be `saml`",
            Some(
                "known are `client_credentials`, `authorization_code`, `device_code`, `refresh_token`, `jwt_bearer`, `token_exchange`, `aws_web_identity`, `github_app`, `self_signed_jwt`, `steps`, `command`, `api_key`",
            ),
        ),
        (
            "\n[profiles.a]\n",
            "config.toml:2: the profile has no `grant`",
            Some(
                "known are `client_credentials`, `authorization_code`, `device_code`, `refresh_token`, `jwt_bearer`, `token_exchange`, `aws_web_identity`, `github_app`, `self_signed_jwt`, `steps`, `command`, `api_key`",
            ),
        ),
        (
            "[profiles.a]\n\ngrant = \"client_credentials\"\nclient_id = \"x\"\n",
            "config.toml:1: the profile has no `issuer` and no `token_endpoint`",
            None,
        ),
        (
            "[profiles.a]\nscope = [\n  \"a\",\n  \"b\\\\\",\n]\n\
             grant = \"client_credentials\"\nissuer = \"https://a.example\"\nclient_id = \"c\"",
            "config.toml:4: `scope` holds a scope with a character that no scope can have \
             (RFC 6749 section 3.3)",
            None,
        ),
        (
            "[profiles.a]\ngrant = \"api_key\"\nclient_id = \"x\"\n",
            "config.toml:3: `client_id` means nothing with `grant = \"api_key\"`: \
             no provider is asked",
            Some("remove `client_id`"),
        ),
        (
            "[profiles.a]\ngrant = \"api_key\"\napi_urls = []\n",
            "config.toml:3: `api_urls` names no place at all",
            Some("remove it to allow every place"),
        ),
    ] {
        let error = parse(text).unwrap_err();
        let shown = error.to_string();
        let fits = if said.ends_with(": ") { shown.starts_with(said) } else { shown == said };
        assert!(fits, "{text:?}: {shown}");
        assert_eq!(error.hint.as_deref(), hint, "{text:?}");
    }
}

#[test]
fn a_rule_that_is_broken_shows_its_line() {
    for (line, said) in [
        ("token_endpoint = \"https://as.example/t\"", "`token_endpoint` cannot stand beside"),
        ("client_id = \"x\"", "not TOML: duplicate key"),
        ("resource = \"api\"", "`resource` must be an absolute URI"),
        ("api_urls = \"http://api.example\"", "`api_urls` is plain http"),
        ("api_urls = \"http://127.0.0.1\"", "`api_urls` is plain http"),
        ("header = \"{token}\"", "`header` must be a name, a colon"),
        ("query = \"a=b\"", "`query` must be the name of a parameter alone"),
        ("query = \"key\"\nheader = \"X: {token}\"", "`query` cannot stand beside `header`"),
        ("query = \"key\"\ndpop = true", "`query` cannot stand beside `dpop`"),
        ("ca_file = \"ca.pem\"", "`ca_file` must be an absolute path"),
        ("proxy = \"proxy:1\"", "`proxy` must be a URL that starts with http://"),
        ("proxy = \"socks5://proxy\"", "`proxy` must be a URL that starts with http://"),
        ("params = { scope = \"a\" }", "`params` must not set `scope`: tokctl does"),
        ("params.password = \"{secret}\"", "`params.password` has a malformed placeholder"),
        ("scope = \"\\u00e4\"", "`scope` holds a scope"),
        ("refresh_ahead = \"91%\"", "`refresh_ahead` must be a share from 1% to 90%, or a dur"),
        ("errors.601 = \"busy\"", "`errors.601` cannot mean `busy`"),
        ("keep = \"sometimes\"", "`keep` cannot be `sometimes`"),
        ("params.refresh_token = \"r\"", "`params` must not set `refresh_token`: tokctl does"),
    ] {
        let error = parse(&format!("{ACME}{line}\n")).unwrap_err();
        assert_eq!(error.line, 6, "{line}");
        assert!(error.message.starts_with(said), "{line}: {error}");
    }
}

#[test]
fn plain_http_says_what_it_needs() {
    for (issuer, said) in [
        ("http://127.0.0.1:9400", "needs `allow_http_loopback = true`"),
        ("http://as.example", "a loopback host alone (127.0.0.0/8, ::1, localhost)"),
    ] {
        let text = ACME.replace("https://as.example/", issuer);
        assert!(parse(&text).unwrap_err().message.contains(said), "{issuer}");
    }
    let allowed = ACME.replace("https://as.example/", "http://127.0.0.1:9400")
        + "allow_http_loopback = true\n";
    assert!(parse(&allowed).is_ok());
}

#[test]
fn names_of_profiles_are_file_names() {
    for (name, fits) in [("acme", true), ("\"a.b\"", true), ("Acme", false), ("\"..\"", false)] {
        let text = format!("[profiles.{name}]\ngrant = \"api_key\"\n");
        assert_eq!(parse(&text).is_ok(), fits, "{name}");
    }
}

#[test]
fn a_profile_may_be_written_in_every_way_of_toml() {
    let whole = parse("[profiles.a]\ngrant = \"api_key\"\n");
    for text in [
        "[profiles]\na.grant = \"api_key\"\n",
        "[profiles]\na = { grant = \"api_key\" }\n",
        "profiles.a.grant = \"api_key\"\n",
        "profiles = { a = { grant = \"api_key\" } }\n",
        "[profiles.\"a\"]\r\ngrant = 'api_key'\r\n",
    ] {
        assert_eq!(parse(text), whole, "{text}");
    }
}

#[test]
fn sets_have_a_limit() {
    for (count, fits) in [(64, true), (65, false)] {
        let scopes: Vec<_> = (0..count).map(|n| format!("s{n}")).collect();
        let text = format!("{ACME}scope = \"{}\"\n", scopes.join(" "));
        assert_eq!(parse(&text).is_ok(), fits, "{count}");
    }
}
