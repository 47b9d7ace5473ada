//! A provider that wants nonces, tells the time, and hears each request as often as it should.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use tokctl_proto::TokenKey;

use super::*;
use crate::config::{Algorithm, Network};
use crate::oauth::grant::{Endpoint, client_credentials};
use crate::oauth::jose::jws::Parsed;
use crate::shell::http::scripted::{Answer, Scripted, loopback};

struct Stage {
    http: Http,
    server: Scripted,
    client: Client,
    secrets: BTreeMap<String, Secret>,
}

fn answer(status: u16, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Bytes(
        format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
            .into_bytes(),
    )
}

fn wants(nonce: &str) -> Answer {
    answer(400, &format!("DPoP-Nonce: {nonce}\r\n"), r#"{"error":"use_dpop_nonce"}"#)
}

fn tokens(headers: &str) -> Answer {
    answer(200, headers, r#"{"access_token":"t","token_type":"DPoP"}"#)
}

fn stage(answers: Vec<Answer>) -> Stage {
    let server = Scripted::start(answers);
    let endpoint = Url::parse(&format!("http://127.0.0.1:{}/token?x=1", server.port)).unwrap();
    let made = |algorithm| PrivateKey::generate(algorithm).unwrap();
    Stage {
        http: Http::default(),
        client: Client {
            dpop: true,
            client_auth: Some(ClientAuth::PrivateKeyJwt),
            network: Network { ..loopback() },
            ..Client::plain(endpoint)
        },
        secrets: [
            (client_auth::PRIVATE_KEY.to_owned(), made(Algorithm::EdDsa)),
            (DPOP_KEY.to_owned(), made(Algorithm::Es256)),
        ]
        .into(),
        server,
    }
}

impl Stage {
    fn endpoint(&self) -> Endpoint {
        let crate::config::Provider::TokenEndpoint(url) = &self.client.provider else {
            unreachable!("it names one")
        };
        Endpoint::configured(url.clone(), &self.client)
    }

    async fn send(&self, wants: Wants) -> Result<HttpReply, Trouble> {
        let (client, profile, endpoint) =
            (&self.client, ProfileName::parse("acme").unwrap(), self.endpoint());
        let key = TokenKey::plain(profile.clone());
        let speaker = Speaker {
            http: &self.http,
            profile: &profile,
            grant: "client_credentials",
            client,
            auth: endpoint.auth,
            secrets: &self.secrets,
            subject: None,
        };
        let make = |held: Held<'_>| client_credentials::request(client, &endpoint, &key, held);
        speaker.send(&endpoint.token_endpoint, wants, make).await
    }

    /// The claims of the proof in the next request and of the assertion beside it.
    fn request(&self) -> (Option<Map<String, Value>>, Map<String, Value>) {
        let request = self.server.request();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let proofs: Vec<&str> =
            head.lines().filter_map(|line| line.strip_prefix("dpop: ")).collect();
        assert!(proofs.len() <= 1, "{head}");
        let proof = proofs.first().map(|proof| Parsed::read(proof).unwrap().claims);
        let assertion = form_urlencoded::parse(body.as_bytes())
            .find(|(name, _)| name == "client_assertion")
            .unwrap();
        (proof, Parsed::read(&assertion.1).unwrap().claims)
    }
}

#[tokio::test]
async fn a_nonce_is_answered_once_and_the_newest_is_used_from_then_on() {
    let stage = stage(vec![
        tokens(""),
        wants("n1"),
        tokens("DPoP-Nonce: n2\r\n"),
        tokens(""),
        wants("n3"),
        wants("n4"),
    ]);
    let mut seen = BTreeSet::new();
    for (nonces, status) in [
        (&[None][..], 200),
        (&[None, Some("n1")], 200),
        (&[Some("n2")], 200),
        (&[Some("n2"), Some("n3")], 400),
    ] {
        assert_eq!(stage.send(Wants::Tokens).await.unwrap().status, status);
        for nonce in nonces {
            let (proof, assertion) = stage.request();
            let proof = proof.unwrap();
            assert_eq!(proof.get("nonce").and_then(Value::as_str), *nonce);
            assert_eq!(proof["htm"], "POST");
            assert_eq!(proof["htu"], format!("http://127.0.0.1:{}/token", stage.server.port));
            // What is signed is never sent a second time, of neither kind.
            assert!(seen.insert(proof["jti"].to_string()));
            assert!(seen.insert(assertion["jti"].to_string()));
        }
        stage.server.assert_idle();
    }
}

#[tokio::test]
async fn what_is_no_question_for_a_nonce_is_heard_once() {
    let question = r#"{"error":"use_dpop_nonce"}"#;
    for heard in [
        // It names none.
        answer(400, "", question),
        answer(400, "DPoP-Nonce: a b\r\n", question),
        answer(400, "DPoP-Nonce: n1\r\n", r#"{"error":"invalid_dpop_proof"}"#),
        answer(500, "DPoP-Nonce: n1\r\n", question),
    ] {
        let stage = stage(vec![heard, tokens("")]);
        assert_ne!(stage.send(Wants::Tokens).await.unwrap().status, 200);
        stage.server.request();
        stage.server.assert_idle();
    }
    // A nonce that it was given already.
    let stage = stage(vec![wants("n1"), wants("n1"), tokens("")]);
    assert_eq!(stage.send(Wants::Tokens).await.unwrap().status, 400);
    stage.server.request();
    stage.server.request();
    stage.server.assert_idle();
}

#[tokio::test]
async fn only_what_asks_for_tokens_that_are_bound_carries_a_proof() {
    for (dpop, wants, carries) in [
        (true, Wants::Tokens, true),
        (true, Wants::SomethingElse, false),
        (false, Wants::Tokens, false),
    ] {
        let mut stage = stage(vec![tokens("")]);
        stage.client.dpop = dpop;
        stage.send(wants).await.unwrap();
        assert_eq!(stage.request().0.is_some(), carries, "{dpop} {wants:?}");
    }
}

#[tokio::test]
async fn what_is_signed_is_dated_by_the_clock_that_will_read_it() {
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let day_s = 24 * 3600;
    let now = clock::now().wall.unix_s();
    // Decades off is no clock to go by; an hour is.
    let hour_off = httpdate::fmt_http_date(
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(now).unwrap() + 3600),
    );
    for (header, ahead_s) in [(date.to_owned(), 0), (format!("Date: {hour_off}\r\n"), 3600)] {
        let stage = stage(vec![tokens(&header), tokens("")]);
        for ahead_s in [0, ahead_s] {
            stage.send(Wants::Tokens).await.unwrap();
            let (proof, assertion) = stage.request();
            let at = proof.unwrap()["iat"].as_i64().unwrap() - now;
            assert!((ahead_s..ahead_s + 60).contains(&at), "{at} {ahead_s}");
            assert!(assertion["iat"].as_i64().unwrap() - now < day_s);
        }
    }
}

#[tokio::test]
async fn a_key_that_is_missing_or_no_key_is_named_and_nothing_is_sent() {
    for (key, message) in [
        (None, "no secret `dpop_key` is stored"),
        (Some("hunter2"), "the dpop key is neither PEM nor a JWK"),
    ] {
        let mut stage = stage(vec![tokens("")]);
        stage.secrets.remove(DPOP_KEY);
        let key = key.map(|text| (DPOP_KEY.to_owned(), Secret::new(text.to_owned())));
        stage.secrets.extend(key);
        let trouble = stage.send(Wants::Tokens).await.unwrap_err();
        assert_eq!((trouble.failure.message.as_str(), trouble.reached), (message, Reached::Nobody));
        stage.server.assert_idle();
    }
}

#[tokio::test]
async fn a_certificate_is_shown_over_tls_alone() {
    const CERTIFICATE: &str = include_str!("../../oauth/jose/key/samples/certificate.pem");
    const KEY: &str = include_str!("../../oauth/jose/key/samples/p256_sec1.pem");
    for (auth, reaches) in [(ClientAuth::PrivateKeyJwt, true), (ClientAuth::Tls, false)] {
        let mut stage = stage(vec![tokens("")]);
        stage.client.client_auth = Some(auth);
        for (name, text) in [("tls_certificate", CERTIFICATE), ("tls_key", KEY)] {
            stage.secrets.insert(name.to_owned(), Secret::new(text.to_owned()));
        }
        let sent = stage.send(Wants::Tokens).await;
        assert_eq!(sent.is_ok(), reaches, "{auth:?}");
        if let Err(trouble) = sent {
            assert_eq!(trouble.failure.kind, Kind::ConfigInvalid);
            assert!(trouble.failure.message.contains("over TLS alone"), "{trouble:?}");
        }
    }
}
