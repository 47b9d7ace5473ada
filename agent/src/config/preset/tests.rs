//! Every preset against the schema, and every way to put a profile over one.

use std::fs;
use std::path::Path;

use tokctl_proto::nearest::nearest;
use url::Url;

use super::*;
use crate::config::{self, ClientAuth, ConfigError, Grant, Profile, Provider};

/// An answer of the right kind to a question.
fn sample(key: &str) -> &'static str {
    match key {
        "issuer" => "https://acme.example/oauth2",
        "subject" => "github-actions",
        "installation_id" => "42",
        "impersonate" => "ci@acme.iam.gserviceaccount.com",
        _ => "sample",
    }
}

/// A profile that answers the questions of a preset.
fn answered(preset: &Preset, with_optional: bool, more: &str) -> String {
    let asked = preset.ask.iter().filter(|question| with_optional || !question.optional);
    let line = |question: &Question| format!("{} = \"{}\"\n", question.key, sample(&question.key));
    let lines: String = asked.map(line).collect();
    format!("[profiles.acme]\npreset = \"{}\"\n{lines}{more}", preset.name)
}

fn read(text: &str) -> Result<Profile, ConfigError> {
    let mut profiles = config::parse(text)?.profiles;
    Ok(profiles.pop_first().expect("there is one").1)
}

fn profile(text: &str) -> Profile {
    read(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn refused(text: &str) -> (usize, String) {
    let error = read(text).expect_err(text);
    (
        error.line,
        error.hint.map_or(error.message.clone(), |hint| format!("{}; {hint}", error.message)),
    )
}

#[test]
fn every_file_is_a_preset_of_its_name() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/preset");
    let names = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let is_data = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "toml");
    let mut files: Vec<_> = names
        .filter(is_data)
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    assert_eq!(files, SOURCES.iter().map(|source| source.name).collect::<Vec<_>>());
    for source in &SOURCES {
        Preset::read(source.name, source.text)
            .unwrap_or_else(|why| panic!("{}: {why}", source.name));
    }
}

#[test]
fn every_preset_says_what_it_is_and_where_it_is_from() {
    for preset in all() {
        let name = preset.name;
        for address in [&preset.source, &preset.setup_url] {
            assert_eq!(Url::parse(address).unwrap().scheme(), "https", "{name}: {address}");
        }
        if let Some(checked) = &preset.checked {
            let date: Vec<_> = checked.split('-').map(str::len).collect();
            assert_eq!(date, [4, 2, 2], "{name}: {checked}");
        }
        assert!(!preset.setup.is_empty(), "{name} says nothing of its setup");
        for line in &preset.setup {
            assert!(line.chars().count() <= 240, "{name}: {line}");
        }
        assert!(!preset.title.ends_with('.'), "{name}");
    }
}

#[test]
fn what_was_not_compared_says_so_and_is_not_verified() {
    for preset in all() {
        let told = preset.setup_as_told();
        assert!(told.starts_with(&preset.setup), "{}", preset.name);
        let doubts = told.iter().any(|line| {
            line.contains("written from memory") && line.contains(preset.source.as_str())
        });
        assert_eq!(doubts, preset.checked.is_none(), "{}", preset.name);
        assert!(!(preset.verified && doubts), "{}", preset.name);
    }
    assert!(all().any(|preset| preset.checked.is_none()));
}

#[test]
fn every_key_of_a_preset_is_one_of_a_profile() {
    for preset in all() {
        for (key, _) in &preset.profile {
            assert!(find_setting(PROFILE, key).is_some(), "{}: {key}", preset.name);
        }
        assert!(!preset.profile.contains_key(config::layer::KEY));
        for Question { key, .. } in &preset.ask {
            match key.strip_prefix("vars.") {
                Some(hole) => assert!(preset.holes().contains(hole), "{}: {key}", preset.name),
                None => assert!(find_setting(PROFILE, key).is_some(), "{}: {key}", preset.name),
            }
        }
    }
}

#[test]
fn every_hole_is_asked_for_or_has_a_default() {
    for preset in all() {
        for hole in preset.holes() {
            let key = format!("vars.{hole}");
            let asked = preset.ask.iter().find(|question| question.key == key);
            let is_filled = preset.default_of(hole).is_some();
            let is_required = asked.is_some_and(|question| !question.optional);
            assert!(is_filled || is_required, "{}: {key}", preset.name);
        }
    }
}

#[test]
fn every_address_of_a_preset_is_https() {
    let is_registered = |text: &str| {
        ["http://127.0.0.1", "http://localhost"].iter().any(|own| text.starts_with(own))
    };
    for preset in all() {
        for (key, item) in &preset.profile {
            for text in texts_of(item).into_iter().filter(|text| text.contains("://")) {
                let fits =
                    text.starts_with("https://") || (key == "redirect_uri" && is_registered(text));
                assert!(fits, "{}: {key} = {text}", preset.name);
            }
        }
    }
}

#[test]
fn what_is_registered_is_what_the_setup_says() {
    for preset in all() {
        let Some(registered) = preset.text("redirect_uri") else { continue };
        let says = |line: &String| line.contains(registered);
        assert!(preset.setup.iter().any(says), "{}: {registered}", preset.name);
    }
}

#[test]
fn every_preset_is_a_profile_once_its_questions_are_answered() {
    for preset in all() {
        for with_optional in [false, true] {
            let profile = profile(&answered(preset, with_optional, ""));
            assert_eq!(profile.grant.name(), preset.grant());
        }
        for question in preset.ask.iter().filter(|question| !question.optional) {
            let text = answered(preset, true, "");
            let unanswered =
                text.lines().filter(|line| !line.starts_with(&format!("{} =", question.key)));
            let unanswered: String = unanswered.map(|line| format!("{line}\n")).collect();
            // Scopes and the like are asked for without a token endpoint that would insist.
            if let Err(error) = read(&unanswered) {
                assert!(error.message.contains(&question.key), "{}: {error}", preset.name);
            }
        }
    }
}

#[test]
fn other_grants_take_what_holds_for_them() {
    let find = |name: &str| find(name).unwrap();
    let scopes = |profile: &Profile| {
        profile.grant.client().unwrap().scope.iter().cloned().collect::<Vec<_>>().join(" ")
    };
    let machine = profile(&answered(
        find("microsoft"),
        false,
        "grant = \"client_credentials\"\nscope = \"https://graph.microsoft.com/.default\"\n",
    ));
    let client = machine.grant.client().unwrap();
    assert_eq!(
        (client.client_auth, scopes(&machine).as_str()),
        (None, "https://graph.microsoft.com/.default")
    );
    let without = profile(&answered(find("microsoft"), false, "grant = \"client_credentials\"\n"));
    assert_eq!(scopes(&without), "");
    let device = profile(&answered(find("microsoft"), false, "grant = \"device_code\"\n"));
    assert_eq!(scopes(&device), "User.Read offline_access");
    assert_eq!(device.grant.client().unwrap().client_auth, Some(ClientAuth::None));

    let person = "grant = \"authorization_code\"\nauthorization_endpoint = \"https://zoom.us/oauth/authorize\"\n";
    let zoom = profile(
        &answered(find("zoom"), false, person).replace("vars.account_id = \"sample\"\n", ""),
    );
    let client = zoom.grant.client().unwrap();
    assert_eq!((client.quirks.grant_type.clone(), client.params.len()), (None, 0));

    for (name, grant, more) in [
        ("github", "authorization_code", ""),
        ("gitlab", "device_code", ""),
        (
            "auth0",
            "authorization_code",
            "client_auth = \"none\"\nredirect_uri = \"http://127.0.0.1:8642/\"\n",
        ),
        ("okta", "client_credentials", "client_auth = \"private_key_jwt\"\n"),
        ("keycloak", "device_code", ""),
        ("salesforce", "jwt_bearer", "sub = \"ada@acme.example\"\n"),
        (
            "box",
            "client_credentials",
            "params = { box_subject_type = \"enterprise\", box_subject_id = \"1\" }\n",
        ),
        ("twitch", "device_code", "client_auth = \"none\"\n"),
        ("twitch", "authorization_code", "scope = \"user:read:email\"\n"),
        ("google", "refresh_token", ""),
    ] {
        let made = profile(&answered(find(name), false, &format!("grant = \"{grant}\"\n{more}")));
        assert_eq!(made.grant.name(), grant, "{name}");
    }
}

#[test]
fn what_the_profile_says_goes_before_what_the_preset_says() {
    let text = "[profiles.acme]\npreset = \"linear\"\nclient_id = \"c\"\nscope = []\n\
                redirect_uri = \"http://127.0.0.1:9/\"\nkeep = \"always\"\n";
    let client = profile(text).grant.client().unwrap().clone();
    assert!(client.scope.is_empty());
    assert_eq!(client.login.redirect_uri.unwrap().url().port(), Some(9));
    assert_eq!(client.quirks.scope_separator.as_deref(), Some(","));
}

#[test]
fn tables_add_up_entry_by_entry() {
    let zoom =
        "[profiles.acme]\npreset = \"zoom\"\nclient_id = \"c\"\nvars = { account_id = \"A1\" }\n";
    for (own, expected) in [
        ("", vec![("account_id", "A1")]),
        ("params = { further = \"x\" }\n", vec![("account_id", "A1"), ("further", "x")]),
        ("[profiles.acme.params]\nfurther = \"x\"\n", vec![("account_id", "A1"), ("further", "x")]),
        ("params.account_id = \"B2\"\n", vec![("account_id", "B2")]),
    ] {
        let client = profile(&format!("{zoom}{own}")).grant.client().unwrap().clone();
        let params: Vec<_> =
            client.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(params, expected, "{own}");
    }
}

#[test]
fn who_names_another_provider_takes_no_address_from_the_preset() {
    let text = "[profiles.acme]\npreset = \"gitlab\"\nclient_id = \"c\"\nissuer = \"https://git.acme.example\"\n";
    let read = profile(text);
    assert_eq!(read.api_urls, []);
    let Grant::AuthorizationCode(client) = read.grant else { panic!("{read:?}") };
    assert!(
        matches!(client.provider, Provider::Issuer { text, .. } if text == "https://git.acme.example")
    );
    assert_eq!(client.endpoints.device_authorization, None);
    assert_eq!(client.client_auth, Some(ClientAuth::None));
}

#[test]
fn a_pool_takes_from_a_preset_how_a_token_is_used() {
    let text = "[profiles.one]\ngrant = \"api_key\"\n[profiles.two]\npreset = \"anthropic\"\npool = [\"one\"]\n";
    let profiles = config::parse(text).unwrap().profiles;
    let (_, two) = profiles.last_key_value().unwrap();
    assert_eq!((two.grant.name(), two.header.as_str()), ("pool", "X-Api-Key: {token}"));
}

#[test]
fn holes_are_filled_from_vars_and_defaults() {
    for (vars, endpoint) in [
        ("", "https://api-m.paypal.com/v1/oauth2/token"),
        (
            "vars = { host = \"api-m.sandbox.paypal.com\" }\n",
            "https://api-m.sandbox.paypal.com/v1/oauth2/token",
        ),
    ] {
        let text = format!("[profiles.acme]\npreset = \"paypal\"\nclient_id = \"c\"\n{vars}");
        let client = profile(&text).grant.client().unwrap().clone();
        assert!(
            matches!(client.provider, Provider::TokenEndpoint(url) if url.as_str() == endpoint)
        );
    }
    let text =
        "[profiles.acme]\npreset = \"snowflake\"\nvars = { account = \"ORG-A\", user = \"ADA\" }\n";
    let Grant::SelfSignedJwt(jwt) = profile(text).grant else { panic!("another grant") };
    assert_eq!(
        (jwt.iss.as_deref(), jwt.sub.as_deref()),
        (Some("ORG-A.ADA.{key:sha256}"), Some("ORG-A.ADA"))
    );
}

#[test]
fn what_is_wrong_is_told_with_the_line_where_it_can_be_mended() {
    let head = "[profiles.acme]\nclient_id = \"c\"\n";
    for (more, line, said) in [
        (
            "preset = \"gihub\"\n",
            3,
            "`preset` cannot be `gihub`: no such provider is known; did you mean `github`?",
        ),
        ("preset = 1\n", 3, "`preset` must be text in quotes, not an integer"),
        (
            "preset = \"zoom\"\n",
            3,
            "`preset` is `zoom`, which needs `vars.account_id`, the account id; add `vars.account_id = \"\u{2026}\"` to the profile",
        ),
        ("preset = \"zoom\"\nvars = 1\n", 4, "`vars` must be a table of text, not an integer"),
        (
            "preset = \"zoom\"\n\n[profiles.acme.vars]\nacount_id = \"1\"\n",
            6,
            "`vars.acount_id` fills nothing in the preset `zoom`; did you mean `vars.account_id`?",
        ),
        (
            "preset = \"linear\"\nvars = { host = \"x\" }\n",
            4,
            "`vars.host` fills nothing in the preset `linear`; remove it: this preset leaves nothing open there",
        ),
        ("preset = \"paypal\"\nvars = { host = \"\" }\n", 4, "`vars.host` is empty"),
        (
            "preset = \"paypal\"\nvars = { host = \"{host}\" }\n",
            4,
            "`vars.host` must not hold braces or control characters",
        ),
        (
            "preset = \"paypal\"\n\n[profiles.acme.vars]\nhost = \"a b\"\n",
            6,
            "`token_endpoint` must be visible ASCII without spaces or `\\` (from the preset `paypal`, filled from `vars.host`)",
        ),
        ("vars = { host = \"x\" }\n", 3, "`vars` means nothing without `preset`; remove `vars`"),
        (
            "preset = \"linear\"\nrole_arn = \"x\"\n",
            4,
            "`role_arn` means nothing with `grant = \"authorization_code\"`: it belongs to `grant = \"aws_web_identity\"`; remove `role_arn`",
        ),
    ] {
        let (at, message) = refused(&format!("{head}{more}"));
        assert_eq!((at, message.as_str()), (line, said), "{more}");
    }
    let (line, said) = refused("[profiles.acme]\npreset = \"github\"\n");
    assert_eq!((line, said.as_str()), (1, "the profile has no `client_id`"));
}

#[test]
fn a_hole_is_a_lower_case_name_and_nobody_elses() {
    for (text, holes) in [
        ("https://{host}/{realm_2}", vec!["host", "realm_2"]),
        ("{token} {basic} {scope} {secret:x} {key:sha256} {step1:a}", vec![]),
        ("{\"a\":1} {} {A} {1a} {a b} {_a} {open", vec![]),
        ("{{host}}", vec!["host"]),
    ] {
        assert_eq!(holes_in(text).collect::<Vec<_>>(), holes, "{text}");
    }
}

#[test]
fn the_secrets_of_a_preset_are_those_of_its_grant() {
    for (name, secrets) in [
        ("github", &[][..]),
        ("github-app", &["private_key"]),
        ("google", &["client_secret"]),
        ("google-workload-identity", &[]),
        ("openai", &["key"]),
        ("snowflake", &["private_key"]),
        ("okta", &["client_secret"]),
    ] {
        assert_eq!(find(name).unwrap().secrets(), secrets, "{name}");
    }
}

#[test]
fn a_malformed_preset_is_found_out() {
    let good = "title = \"A\"\nsource = \"s\"\nchecked = \"c\"\nverified = false\nsetup_url = \"u\"\n\
                setup = [\"x\"]\n[ask]\nclient_id = \"id\"\n[profile]\ngrant = \"api_key\"\n";
    assert!(Preset::read("a", good).is_ok());
    for (from, to) in [
        ("title = \"A\"\n", ""),
        ("title = \"A\"", "title = \"\""),
        ("checked = \"c\"", "checked = 1"),
        ("verified = false", "verified = \"no\""),
        ("setup = [\"x\"]", "setup = [1]"),
        ("client_id = \"id\"", "client_id = 1"),
        ("[profile]", "[profiles]"),
        ("setup_url", "extra = 1\nsetup_url"),
    ] {
        assert!(Preset::read("a", &good.replace(from, to)).is_err(), "{to}");
    }
    assert_eq!(nearest("okt", SOURCES.iter().map(|source| source.name)), Some("okta"));
}
