//! An account of oidc-agent: a client, and the refresh token that somebody has logged in for.
//!
//! The file is encrypted with the account's passphrase; what `oidc-gen --print` shows is taken too. A profile of it
//! goes on with its refresh token, and where the client has a redirect URI, `tokctl login` works when that has ended.

use std::borrow::Cow;

use serde::Deserialize;
use tokctl_proto::escape::shown;
use tokctl_proto::secret::SecretStr;
use url::Url;

use super::{Draft, File, ImportError, object};

mod sealed;

use sealed::Sealed;

const KIND: &str = "account of oidc-agent";
/// From this version on an audience is sent as RFC 8707 has it.
const RESOURCES_SINCE: u32 = 5;
/// The system's own authorities, which oidc-agent writes into every account. tokctl knows those by itself.
const SYSTEM_AUTHORITIES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
    "/etc/ca-certificates/cert.pem",
];

/// What is used of an account. Up to version 4 it has `scope`, from 5 on `auth_scope` and `refresh_scope`.
#[derive(Deserialize)]
struct Account<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "issuer")]
    issuer_url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    config_endpoint: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mytoken_url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    device_authorization_endpoint: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_secret: Option<SecretStr<'a>>,
    #[serde(borrow, default)]
    refresh_token: Option<SecretStr<'a>>,
    #[serde(borrow, default)]
    cert_path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    scope: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    auth_scope: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    audience: Option<Cow<'a, str>>,
    #[serde(default)]
    redirect_uris: Option<Vec<String>>,
    #[serde(borrow, default)]
    password: Option<SecretStr<'a>>,
}

pub(super) fn read(file: &File<'_>) -> Result<Draft, ImportError> {
    let text = file.text.expose();
    if text.trim_start().starts_with('{') {
        return account(file, text, None);
    }
    if text.starts_with("-----BEGIN PGP MESSAGE-----") {
        return Err(ImportError::unsupported("the file is encrypted with GnuPG").instead(
            "run `oidc-gen --print ACCOUNT | tokctl import oidc-agent -`, with the account's name",
        ));
    }
    if is_hexadecimal(text) {
        return Err(ImportError::unsupported(
            "the file was written by an oidc-agent older than 2.1.0, in a format of its own",
        )
        .instead("run `oidc-gen --update ACCOUNT` of a newer oidc-agent first"));
    }
    let sealed = Sealed::parse(text).ok_or_else(|| {
        ImportError::not_this(KIND, "it begins neither with a number nor with `{`")
    })??;
    let version = sealed.version.split('.').next().and_then(|major| major.parse().ok());
    let passphrase = file.passphrase.ok_or(ImportError::PassphraseNeeded)?;
    let opened = sealed.open(passphrase)?;
    account(file, opened.expose(), version)
}

/// `length:salt:nonce:ciphertext` on one line, as before 2.1.0.
fn is_hexadecimal(text: &str) -> bool {
    let parts: Vec<&str> = text.trim().split(':').collect();
    let is_hex = |part: &&str| part.len() > 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    matches!(parts.as_slice(), [length, rest @ ..]
        if rest.len() == 3 && length.parse::<u32>().is_ok() && rest.iter().all(is_hex))
}

fn account(file: &File<'_>, json: &str, major: Option<u32>) -> Result<Draft, ImportError> {
    let account: Account<'_> = object::read(json)
        .map_err(|_| ImportError::not_this(KIND, "what is in it is not the JSON of one"))?;
    let filled = |text: &Option<Cow<'_, str>>| -> Option<String> {
        text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let (Some(issuer), Some(client_id)) = (filled(&account.issuer_url), filled(&account.client_id))
    else {
        return Err(ImportError::not_this(KIND, "it names no issuer and client"));
    };
    let name = filled(&account.name).unwrap_or_else(|| file_name(file.path).to_owned());
    if let Some(mytoken) = filled(&account.mytoken_url) {
        return Err(ImportError::unsupported(format!(
            "it holds no refresh token of its own, but a mytoken of {}",
            shown(&mytoken)
        ))
        .instead("run `tokctl add` with a client of your own, then `tokctl login`"));
    }

    let redirect_uris = account.redirect_uris.as_deref().unwrap_or_default();
    let redirect_uri = redirect_uris.iter().find(|uri| is_loopback(uri));
    let device = filled(&account.device_authorization_endpoint);
    let grant = match (redirect_uri, &device) {
        (Some(_), _) => "authorization_code",
        (None, Some(_)) => "device_code",
        (None, None) => "refresh_token",
    };
    let scope = filled(&account.auth_scope).or_else(|| filled(&account.scope));
    let mut draft = Draft::new(&name, grant)
        .set("issuer", &issuer)
        .set("device_authorization_endpoint", &device.unwrap_or_default())
        .set("client_id", &client_id)
        .set("client_auth", client_auth(&client_id, account.client_secret.as_ref()))
        .set("redirect_uri", redirect_uri.map(String::as_str).unwrap_or_default())
        .set("scope", &scope.unwrap_or_default())
        .secret("client_secret", account.client_secret.as_ref())
        .secret("refresh_token", account.refresh_token.as_ref());
    draft.issuer_may_lack_slash = issuer.ends_with('/');
    draft = audience(draft, account.audience.as_deref().unwrap_or_default(), major);
    draft = authorities(draft, account.cert_path.as_deref().unwrap_or_default());

    let elsewhere = filled(&account.config_endpoint).filter(|endpoint| {
        let base = issuer.trim_end_matches('/');
        endpoint.strip_prefix(base) != Some("/.well-known/openid-configuration")
    });
    if let Some(endpoint) = elsewhere {
        let endpoint = shown(&endpoint);
        draft = draft.note(format!(
            "its metadata is at {endpoint}, which was left out: tokctl looks where the issuer says"
        ));
    }
    let holds = |secret: &Option<SecretStr<'_>>| {
        secret.as_ref().is_some_and(|secret| !secret.expose().is_empty())
    };
    let note = "its user name and password were left out: no login of tokctl sends them";
    draft = draft.note_if(holds(&account.password), note);
    Ok(match holds(&account.refresh_token) {
        true => draft.leaves(leftover(file, &name)),
        false => draft.note("it holds no refresh token: `tokctl login` begins anew"),
    }
    .settle())
}

/// oidc-agent sends Basic without the encoding of RFC 6749 section 2.3.1. Where that makes a difference, its way is the
/// one that has worked.
fn client_auth(client_id: &str, secret: Option<&SecretStr<'_>>) -> &'static str {
    let plain = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*-._".contains(&byte))
    };
    match secret.map(SecretStr::expose).filter(|secret| !secret.is_empty()) {
        None => "none",
        Some(secret) if plain(client_id) && plain(secret) => "basic",
        // A colon would end the id too early.
        Some(_) if client_id.contains(':') => "basic",
        Some(_) => "basic_raw",
    }
}

fn audience(draft: Draft, audience: &str, major: Option<u32>) -> Draft {
    let all: Vec<&str> = audience.split_whitespace().collect();
    let are_uris = all.iter().all(|one| Url::parse(one).is_ok());
    let key = match major >= Some(RESOURCES_SINCE) && are_uris {
        true => "resource",
        false => "audience",
    };
    draft.set_all(key, all)
}

fn authorities(draft: Draft, path: &str) -> Draft {
    match path {
        "" => draft,
        system if SYSTEM_AUTHORITIES.contains(&system) => draft,
        own => draft.set("ca_file", own),
    }
}

/// Whether a login can end there: on this machine, by http.
fn is_loopback(uri: &str) -> bool {
    crate::config::is_http_loopback(uri)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn leftover(file: &File<'_>, name: &str) -> String {
    let (place, name) = (file.place(), shown(name));
    let remove = match file.path.is_empty() {
        true => String::new(),
        false => format!(" and `rm {}`", shown(file.path)),
    };
    format!(
        "{place} still holds the refresh token, and so does an oidc-agent that runs: two users of one \
         rotating token log each other out. Take it out there with `oidc-add --remove {name}`{remove}, \
         not with `oidc-gen --delete {name}`, which revokes it"
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read_one, refused, secret};
    use super::*;
    use crate::import::Source;

    const PASSPHRASE: &str = "correct horse";
    /// Written by the real programs: `oidc-gen acme --manual --flow=refresh --pw-env …`.
    const OF_4: &str = include_str!("../../../tests/import/oidc-agent-4.2.6");
    const OF_5: &str = include_str!("../../../tests/import/oidc-agent-5.3.3");

    fn opened(text: &str, passphrase: Option<&str>) -> Result<Draft, ImportError> {
        let (text, passphrase) = (secret(text), passphrase.map(secret));
        let passphrase = passphrase.as_ref();
        read(&File { text: &text, path: "~/.oidc-agent/acme", passphrase, select: &[] })
    }

    #[test]
    fn what_two_versions_have_written_is_opened() {
        for (text, issuer, kind) in [
            (OF_4, "http://127.0.0.1:18765/", "audience"),
            (OF_5, "http://127.0.0.1:18765", "resource"),
        ] {
            let draft = opened(text, Some(PASSPHRASE)).unwrap();
            assert_eq!(draft.name.as_str(), "acme");
            assert_eq!(
                draft.toml(),
                format!(
                    "grant = \"authorization_code\"\nissuer = \"{issuer}\"\n\
                     device_authorization_endpoint = \"http://127.0.0.1:18765/device\"\n\
                     client_id = \"desk\"\nclient_auth = \"basic_raw\"\n\
                     redirect_uri = \"http://localhost:4242\"\n\
                     scope = [\"api\", \"openid\", \"offline_access\"]\n\
                     {kind} = [\"https://api.example/\"]\nallow_http_loopback = true\n"
                )
            );
            assert_eq!(draft.held("client_secret"), Some("s3cret of acme"));
            assert_eq!(draft.held("refresh_token"), Some("refresh-token-of-acme"));
            assert_eq!(draft.issuer_may_lack_slash, issuer.ends_with('/'));
            let leftover = draft.leftover.unwrap();
            for word in ["~/.oidc-agent/acme", "oidc-add --remove acme", "which revokes it"] {
                assert!(leftover.contains(word), "{leftover}");
            }
        }
    }

    #[test]
    fn a_wrong_passphrase_and_none_are_told_apart_from_damage() {
        assert_eq!(opened(OF_5, Some("correct house")).err(), Some(ImportError::WrongPassphrase));
        assert_eq!(opened(OF_5, None).err(), Some(ImportError::PassphraseNeeded));
        let damaged = |text: &str| match opened(text, Some(PASSPHRASE)) {
            Err(ImportError::Damaged { why }) => why.contains("cut off or damaged"),
            _ => false,
        };
        let lines: Vec<&str> = OF_5.lines().collect();
        for kept in 1..6 {
            assert!(damaged(&lines[..kept].join("\n")), "the first {kept} lines");
        }
        // In the middle of what is encrypted.
        assert!(damaged(&OF_5[..400]));
        let flipped = OF_5.replace("7UQQLBea", "7UQQLBeb");
        assert_ne!(flipped, OF_5);
        assert!(damaged(&flipped));
    }

    #[test]
    fn the_passphrase_and_the_version_are_no_part_of_the_cost() {
        // Without the last line it is still an account.
        let lines: Vec<&str> = OF_4.lines().collect();
        assert!(opened(&lines[..6].join("\r\n"), Some(PASSPHRASE)).is_ok());
    }

    fn printed(fields: &str) -> String {
        format!(
            "{{\"name\":\"My Acme\",\"issuer_url\":\"https://id.example/\",\"client_id\":\"desk\"{fields}}}"
        )
    }

    #[test]
    fn what_oidc_gen_prints_is_taken() {
        let draft = read_one(Source::OidcAgent, &printed(",\"refresh_token\":\"r\\u0031\""));
        assert_eq!(draft.name.as_str(), "my-acme");
        assert_eq!(draft.held("refresh_token"), Some("r1"));
        assert_eq!(
            draft.toml(),
            "grant = \"refresh_token\"\nissuer = \"https://id.example/\"\nclient_id = \"desk\"\n\
             client_auth = \"none\"\n"
        );
    }

    #[test]
    fn the_grant_is_the_login_that_the_client_can_do() {
        for (fields, grant) in [
            (
                r#","redirect_uris":["edu.kit.data.oidc-agent:/redirect","http://localhost:8080"]"#,
                "authorization_code",
            ),
            (r#","redirect_uris":["edu.kit.data.oidc-agent:/redirect"]"#, "refresh_token"),
            (
                r#","redirect_uris":[],"device_authorization_endpoint":"https://id.example/d""#,
                "device_code",
            ),
            (r#","redirect_uris":null"#, "refresh_token"),
        ] {
            let draft = read_one(Source::OidcAgent, &printed(fields));
            assert!(draft.toml().starts_with(&format!("grant = \"{grant}\"")), "{fields}");
            assert!(
                draft.notes.iter().any(|note| note.contains("tokctl login")),
                "{:?}",
                draft.notes
            );
            assert_eq!(draft.leftover, None);
        }
    }

    #[test]
    fn what_is_left_out_is_said() {
        let fields = r#","config_endpoint":"https://id.example/other","password":"p4ss",
            "cert_path":"/home/ada/ca.pem""#;
        let draft = read_one(Source::OidcAgent, &printed(fields));
        assert!(draft.toml().contains("ca_file = \"/home/ada/ca.pem\""));
        let notes = draft.notes.join("\n");
        assert!(
            notes.contains("https://id.example/other") && notes.contains("password"),
            "{notes}"
        );
        assert!(!notes.contains("p4ss"));
    }

    #[test]
    fn what_is_no_account_is_refused_in_words() {
        for (text, words) in [
            ("", "no account of oidc-agent"),
            ("account \"x\" {\n}", "begins neither with a number"),
            ("{\"a\":1}", "names no issuer and client"),
            ("{\"issuer_url\":3}", "not the JSON of one"),
            ("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n", "GnuPG"),
            ("154:00112233445566778899:00112233445566778899:0011223344556677", "older than 2.1.0"),
            (
                &printed(",\"mytoken_url\":\"https://mytoken.example\""),
                "a mytoken of https://mytoken.example",
            ),
        ] {
            let (message, _) = refused(Source::OidcAgent, text);
            assert!(message.contains(words), "{message}");
        }
    }
}
