//! A look at a token, against a provider that answers by a script.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokctl_core::Token;
use tokctl_proto::WallMs;
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::shell::change::tests::logout::{body, said};
use crate::shell::change::tests::{Bench, bench, name, secret};
use crate::shell::http::scripted::{Answer, Scripted};
use crate::shell::reply::Encoding;

fn jwt() -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", part(r#"{"alg":"none"}"#), part(r#"{"sub":"ada"}"#))
}

/// A profile at a provider that is asked about tokens at `/introspect`, if at all, and holds this one.
async fn holding(port: u16, endpoint: bool, token: &str) -> Bench {
    let bench = bench().await;
    let origin = format!("http://127.0.0.1:{port}");
    let line = match endpoint {
        true => format!("introspection_endpoint = \"{origin}/introspect\"\n"),
        false => String::new(),
    };
    let text = format!(
        "[profiles.acme]\ngrant = \"client_credentials\"\nclient_id = \"cc\"\n\
         token_endpoint = \"{origin}/token\"\nallow_http_loopback = true\n{line}\
         [profiles.key]\ngrant = \"api_key\"\n[profiles.all]\npool = [\"acme\"]\n"
    );
    std::fs::write(bench.home.path().join("config.toml"), text).unwrap();
    let token = secret(token);
    bench
        .on_worker(move |worker| {
            let acme = name("acme");
            let profile = crate::shell::change::profile(worker, &acme).unwrap();
            let (vault, keys) = worker.open().unwrap();
            for at in ["acme", "key"] {
                let mut entry = Entry::new(crate::shell::stored::new_id().unwrap());
                let token = Token {
                    access_token: token.clone(),
                    token_type: "Bearer".to_owned(),
                    issued_at: WallMs(1),
                    expires_at: Some(WallMs(2)),
                    scope: None,
                    extra: Secret::default(),
                    revision: live::revision(&profile),
                };
                if at == "acme" {
                    entry.origins.insert(origin.clone());
                    entry.secrets.insert("client_secret".to_owned(), secret("s3cret-0123"));
                    entry.tokens.insert(TokenKey::plain(acme.clone()), token);
                } else {
                    entry.secrets.insert("key".to_owned(), token.access_token);
                }
                vault.write(keys, &name(at), &mut entry).unwrap();
            }
        })
        .await;
    bench
}

/// Every line of the answer.
async fn looked(bench: &Bench, at: &str) -> Vec<Value> {
    let (sender, mut receiver) = unbounded_channel();
    let reply = ReplyTo::new(Encoding::Json, sender);
    inspect(bench.means.clone(), TokenKey::plain(name(at)), reply).await;
    let mut lines = Vec::new();
    while let Ok(outgoing) = receiver.try_recv() {
        lines.push(serde_json::from_slice(&outgoing.bytes).unwrap());
    }
    lines
}

fn inspected(lines: &[Value]) -> (&str, &str, Option<bool>) {
    let done = &lines.last().unwrap()["done"]["inspected"];
    let text = |key: &str| done[key].as_str().unwrap_or_else(|| panic!("{lines:?}"));
    (text("introspection"), text("claims"), done["active"].as_bool())
}

#[tokio::test]
async fn claims_and_the_providers_word_are_told_and_the_token_never() {
    let answer = format!(r#"{{"active":true,"scope":"a","token":"{}"}}"#, jwt());
    let server = Scripted::start(vec![Answer::json(&answer)]);
    let bench = holding(server.port, true, &jwt()).await;
    let lines = looked(&bench, "acme").await;
    let redacted = r#"{"active":true,"scope":"a","token":"[redacted]"}"#;
    assert_eq!(inspected(&lines), (redacted, r#"{"sub":"ada"}"#, Some(true)));
    assert!(!format!("{lines:?}").contains(&jwt()));
    let request = body(&server);
    assert_eq!(request, format!("token={}&token_type_hint=access_token", jwt()));
}

#[tokio::test]
async fn without_an_endpoint_nobody_is_asked() {
    let server = Scripted::start(vec![]);
    for (token, claims) in [(jwt(), r#"{"sub":"ada"}"#), ("opaque".to_owned(), "")] {
        let bench = holding(server.port, false, &token).await;
        for at in ["acme", "key"] {
            assert_eq!(inspected(&looked(&bench, at).await), ("", claims, None), "{at}");
        }
    }
    server.assert_idle();
}

#[tokio::test]
async fn a_provider_that_does_not_answer_takes_no_claims_away() {
    for (token, is_told) in [(jwt(), true), ("opaque".to_owned(), false)] {
        let server = Scripted::start(vec![said(503, 1, "")]);
        let bench = holding(server.port, true, &token).await;
        let lines = looked(&bench, "acme").await;
        match is_told {
            true => {
                assert_eq!(lines[0]["progress"]["warning"], true);
                assert_eq!(inspected(&lines), ("", r#"{"sub":"ada"}"#, None));
            }
            false => assert_eq!(lines[0]["error"]["kind"], "provider_failed"),
        }
    }
}

#[tokio::test]
async fn there_is_nothing_to_look_at_where_nothing_is_held() {
    let server = Scripted::start(vec![]);
    let bench = holding(server.port, true, "opaque").await;
    bench
        .on_worker(|worker| {
            let (vault, keys) = worker.open().unwrap();
            vault.remove(keys, &name("acme")).unwrap();
        })
        .await;
    for (at, kind, hint) in [
        ("acme", "usage", Some("run `tokctl get acme` first")),
        ("all", "usage", Some("name a member of it")),
        ("nobody", "no_such_profile", None),
    ] {
        let lines = looked(&bench, at).await;
        assert_eq!(lines[0]["error"]["kind"], kind, "{at}");
        assert_eq!(lines[0]["error"]["profile"], at);
        if let Some(hint) = hint {
            assert_eq!(lines[0]["error"]["hint"], hint, "{at}");
        }
    }
    server.assert_idle();
}

#[tokio::test]
async fn neither_token_nor_secret_goes_anywhere_else() {
    let (server, evil) = (Scripted::start(vec![]), Scripted::start(vec![]));
    let bench = holding(server.port, true, "opaque").await;
    let config = bench.home.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let evil_endpoint = format!("{}/introspect", evil.port);
    let text = text.replace(&format!("{}/introspect", server.port), &evil_endpoint);
    std::fs::write(&config, text).unwrap();
    // Obtained by other settings, so it is not this profile's any more.
    assert_eq!(looked(&bench, "acme").await[0]["error"]["kind"], "usage");
    evil.assert_idle();
    server.assert_idle();
}
