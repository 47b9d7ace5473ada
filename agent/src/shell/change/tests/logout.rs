//! Revoke, logout and remove against a provider that answers by a script.

use std::time::Duration;

use super::*;
use crate::shell::http::scripted::{Answer, Scripted};
use crate::vault::{EntryId, RawAnswer, TOMBSTONES_MAX, Tombstone, Via};

/// A refresh token, an access token for everything and one for less.
const HELD: &[(&str, &str)] = &[("", "access-0123"), ("read", "narrow-0123")];

impl Bench {
    /// A profile that is logged in at a provider of this machine.
    pub(in crate::shell) async fn logged_in(&self, at: &str, port: u16) {
        self.logged_in_with(at, port, &[("revocation_endpoint", "/revoke")]).await;
    }

    async fn logged_in_with(&self, at: &str, port: u16, endpoints: &[(&str, &str)]) {
        let origin = format!("http://127.0.0.1:{port}");
        let mut settings: Vec<Assignment> = [
            ("grant", "refresh_token"),
            ("token_endpoint", &format!("{origin}/token")),
            ("client_id", "cc"),
            ("client_auth", "basic"),
            ("allow_http_loopback", "true"),
        ]
        .map(|(key, value)| assignment(key, value))
        .into();
        settings.extend(
            endpoints.iter().map(|(key, path)| assignment(key, &format!("{origin}{path}"))),
        );
        let secrets = vec![
            new("client_secret", "s3cret-0123"),
            new("refresh_token", "refresh-0123"),
            new("unrelated", "other-0123"),
        ];
        let add = Change::Add(profile_of(at, settings, secrets));
        self.change(add).await.result.unwrap();
        self.obtained(at).await;
    }

    /// What a provider has issued so far.
    async fn obtained(&self, at: &str) {
        let at = name(at);
        self.on_worker(move |worker| {
            let revision = revision(&profile(worker, &at).unwrap());
            for (scope, access) in HELD {
                let mut key = TokenKey::plain(at.clone());
                key.scope.extend(scope.split_whitespace().map(str::to_owned));
                let expires_at = Some(crate::clock::now().wall.plus(Duration::from_secs(600)));
                let token =
                    Token { access_token: secret(access), expires_at, revision, ..token(1) };
                rotate::save_tokens(worker, &key, &kept(token)).unwrap();
            }
        })
        .await;
    }

    async fn logout(&self, at: &str, local: bool) -> Changed {
        self.change(Change::Logout { name: name(at), local }).await
    }

    /// What an entry holds of tokens.
    async fn held(&self, at: &str) -> Vec<String> {
        let Some(entry) = self.entry(at).await else { return Vec::new() };
        let refresh = entry.refresh.iter().map(|it| it.token.expose().to_owned());
        let access = entry.tokens.values().map(|token| token.access_token.expose().to_owned());
        refresh.chain(access).collect()
    }

    pub(in crate::shell) async fn tombstones(&self) -> Vec<(EntryId, Tombstone)> {
        self.on_worker(|worker| {
            let (vault, keys) = worker.open().unwrap();
            let ids = vault.tombstones().unwrap().into_iter();
            ids.map(|id| (id, vault.read_tombstone(keys, id).unwrap().unwrap())).collect()
        })
        .await
    }
}

/// The body of the next request.
pub(in crate::shell) fn body(server: &Scripted) -> String {
    let request = server.request();
    request.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn status(status: u16) -> Answer {
    Answer::status(status)
}

/// A status with a body of JSON, and a Retry-After of so many seconds.
pub(in crate::shell) fn said(status: u16, retry_after_s: u32, body: &str) -> Answer {
    let length = body.len();
    Answer::Bytes(
        format!(
            "HTTP/1.1 {status} X\r\nRetry-After: {retry_after_s}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

#[tokio::test]
async fn a_logout_revokes_the_refresh_token_first_and_then_forgets_all() {
    let server = Scripted::start(vec![status(200), status(200), status(204)]);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    let changed = bench.logout("acme", false).await;
    assert_eq!(
        changed.result.as_deref(),
        Ok("logged out of acme: revoked the refresh token and 2 access tokens")
    );
    assert_eq!((changed.warnings.len(), changed.laid.len()), (0, 0));
    assert_eq!((&changed.forget, &changed.entries), (&vec![name("acme")], &vec![name("acme")]));

    let first = server.request();
    assert!(first.starts_with("POST /revoke HTTP/1.1\r\n"), "{first}");
    // cc:s3cret-0123
    assert!(first.contains("authorization: Basic Y2M6czNjcmV0LTAxMjM=\r\n"), "{first}");
    assert!(first.ends_with("token=refresh-0123&token_type_hint=refresh_token"), "{first}");
    let mut rest = [body(&server), body(&server)];
    rest.sort();
    assert_eq!(
        rest,
        ["access", "narrow"].map(|it| format!("token={it}-0123&token_type_hint=access_token"))
    );
    assert!(bench.held("acme").await.is_empty());
    let secrets = bench.secrets("acme").await;
    assert_eq!(secrets, ["client_secret=s3cret-0123", "unrelated=other-0123"]);

    // Twice is as good as once.
    let again = bench.logout("acme", false).await;
    assert_eq!(again.result.as_deref(), Ok("acme holds no tokens"));
    server.assert_idle();
}

#[tokio::test]
async fn exactly_one_token_is_revoked_where_one_is_named() {
    let server = Scripted::start(vec![status(200)]);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    let mut key = TokenKey::plain(name("acme"));
    key.scope.insert("read".to_owned());
    let changed = bench.change(Change::Revoke(key.clone())).await;
    assert_eq!(changed.result.as_deref(), Ok("revoked the access token of acme"));
    assert_eq!(body(&server), "token=narrow-0123&token_type_hint=access_token");
    assert_eq!(bench.held("acme").await, ["refresh-0123", "access-0123"]);
    let again = bench.change(Change::Revoke(key)).await;
    assert_eq!(again.result.as_deref(), Ok("acme holds no such token: nothing was revoked"));
}

#[tokio::test]
async fn what_the_provider_did_not_hear_of_is_buried_and_forgotten() {
    // The first answer is lost, the second says to come back.
    let lost = Answer::HangUp;
    for (answers, revoked, retry_after_s) in
        [(vec![lost], 0, None), (vec![status(200), said(503, 7, "")], 1, Some(7))]
    {
        let server = Scripted::start(answers);
        let bench = bench().await;
        bench.logged_in("acme", server.port).await;
        let changed = bench.logout("acme", false).await;
        changed.result.unwrap();
        let warning = &changed.warnings[..];
        assert_eq!(warning.len(), 1, "{warning:?}");
        assert!(
            warning[0].ends_with("are forgotten here and revoked as soon as they can be"),
            "{warning:?}"
        );
        let laid = &changed.laid[0];
        // It counts from the answer, which was a moment ago.
        let asked_s = laid.retry_after.map(|asked| asked.as_secs_f64().round() as u64);
        assert_eq!((laid.waiting.tokens, asked_s), (3 - revoked, retry_after_s));
        assert!(bench.held("acme").await.is_empty());

        let tombstones = bench.tombstones().await;
        let [(id, tombstone)] = &tombstones[..] else { panic!("{tombstones:?}") };
        assert_eq!((*id, &tombstone.profile), (laid.id, &name("acme")));
        let origin = format!("http://127.0.0.1:{}", server.port);
        assert_eq!(tombstone.origins, [origin.clone()].into());
        assert_eq!(tombstone.network, Via::default());
        // Nothing that is not needed.
        assert_eq!(tombstone.secrets.keys().collect::<Vec<_>>(), ["client_secret"]);
        let hints: Vec<_> = tombstone.tokens.iter().map(|buried| buried.hint.as_str()).collect();
        assert_eq!(hints, &["refresh_token", "access_token", "access_token"][revoked..]);
        assert!(config::parse(&tombstone.settings).is_ok(), "{}", tombstone.settings);
        assert!(tombstone.settings.contains(&format!("{origin}/revoke")));
    }
}

#[tokio::test]
async fn a_refusal_forgets_nothing_and_says_how_to_go_on() {
    for (answer, kind) in [
        (said(401, 0, r#"{"error":"invalid_client"}"#), Kind::ProviderRefused),
        (said(400, 0, r#"{"error":"unsupported_token_type"}"#), Kind::ProviderRefused),
        (status(404), Kind::ProviderRefused),
        (status(302), Kind::ProviderFailed),
    ] {
        let server = Scripted::start(vec![answer]);
        let bench = bench().await;
        bench.logged_in("acme", server.port).await;
        let failure = bench.logout("acme", false).await.result.unwrap_err();
        assert_eq!(failure.kind, kind);
        assert!(failure.message.ends_with("; nothing was forgotten"), "{failure:?}");
        let hint = failure.hint.unwrap();
        assert!(hint.contains("`tokctl logout acme --local` goes on"), "{hint}");
        assert_eq!(bench.held("acme").await.len(), 3);
        assert!(bench.tombstones().await.is_empty());

        // And that way asks nobody.
        let changed = bench.logout("acme", true).await;
        assert_eq!(changed.result.as_deref(), Ok("forgot the tokens of acme"));
        assert!(bench.held("acme").await.is_empty());
        server.request();
        server.assert_idle();
    }
}

#[tokio::test]
async fn what_a_provider_does_not_revoke_is_told_and_forgotten() {
    let unsupported = || said(400, 0, r#"{"error":"unsupported_token_type"}"#);
    let refused = || said(400, 0, r#"{"error":"invalid_request"}"#);
    let no = &[][..];
    let yes = &[("revocation_endpoint", "/revoke")][..];
    for (endpoints, answers, said) in [
        (no, vec![], "acme's provider has no revocation endpoint: the refresh token and 2 access"),
        (
            yes,
            vec![status(200), unsupported(), unsupported()],
            "acme's provider does not revoke access tokens: 2 access tokens live for up to another",
        ),
        // The refresh token is gone, and that is what counts.
        (yes, vec![status(200), refused(), refused()], "acme: the provider refused to revoke"),
    ] {
        let server = Scripted::start(answers);
        let bench = bench().await;
        bench.logged_in_with("acme", server.port, endpoints).await;
        let changed = bench.logout("acme", false).await;
        changed.result.unwrap();
        assert!(changed.warnings[0].starts_with(said), "{:?}", changed.warnings);
        assert_eq!(changed.warnings.len(), 1);
        assert!(bench.held("acme").await.is_empty() && bench.tombstones().await.is_empty());
    }
}

#[tokio::test]
async fn a_burnt_refresh_token_that_is_refused_holds_nobody_up() {
    // As at Linear, which says 400 to what is revoked already.
    let server = Scripted::start(vec![status(200), said(400, 0, "{}"), status(200), status(200)]);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    bench
        .on_worker(|worker| {
            let (vault, keys) = worker.open().unwrap();
            let mut entry = vault.read(keys, &name("acme")).unwrap().unwrap();
            entry.set_refresh_token(WallMs(2), secret("next-0123"), None);
            vault.write(keys, &name("acme"), &mut entry).unwrap();
        })
        .await;
    let changed = bench.logout("acme", false).await;
    assert!(changed.result.unwrap().contains("revoked the refresh token and 2 access tokens"));
    assert!(changed.warnings.is_empty(), "{:?}", changed.warnings);
    assert!(body(&server).starts_with("token=next-0123&"));
    assert!(body(&server).starts_with("token=refresh-0123&"));
    assert!(bench.held("acme").await.is_empty());
}

#[tokio::test]
async fn whoever_cannot_prove_the_client_is_told_so_and_forgets_all_the_same() {
    let server = Scripted::start(vec![]);
    let bench = bench().await;
    let origin = format!("http://127.0.0.1:{}", server.port);
    let settings = format!(
        "[profiles.ci]\ngrant = \"client_credentials\"\ntoken_endpoint = \"{origin}/token\"\n\
         client_id = \"ci\"\nclient_auth = \"federated\"\nsubject = \"gitlab\"\n\
         allow_http_loopback = true\nrevocation_endpoint = \"{origin}/revoke\"\n"
    );
    std::fs::write(bench.config(), settings).unwrap();
    bench.on_worker(|worker| worker.read_config().unwrap()).await;
    bench.obtained("ci").await;
    let changed = bench.logout("ci", false).await;
    changed.result.unwrap();
    assert!(changed.warnings[0].contains("a token of the moment"), "{:?}", changed.warnings);
    assert!(bench.held("ci").await.is_empty());
    server.assert_idle();
}

#[tokio::test]
async fn a_token_is_revoked_where_its_secrets_may_go_and_nowhere_else() {
    let (server, evil) = (Scripted::start(vec![]), Scripted::start(vec![]));
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    bench.set("acme", "revocation_endpoint", &format!("http://127.0.0.1:{}/", evil.port)).await;
    let failure = bench.logout("acme", false).await.result.unwrap_err();
    assert_eq!(failure.kind, Kind::OriginChanged);
    assert_eq!(bench.held("acme").await.len(), 3);
    evil.assert_idle();
}

#[tokio::test]
async fn tokens_that_were_obtained_without_a_secret_go_where_they_were_obtained() {
    let bench = bench().await;
    let obtain = async |server: &Scripted| {
        let origin = format!("http://127.0.0.1:{}", server.port);
        let settings = format!(
            "[profiles.ci]\ngrant = \"client_credentials\"\ntoken_endpoint = \"{origin}/token\"\n\
             client_id = \"ci\"\nclient_auth = \"none\"\nallow_http_loopback = true\n\
             revocation_endpoint = \"{origin}/revoke\"\n"
        );
        std::fs::write(bench.config(), settings).unwrap();
        bench.on_worker(|worker| worker.read_config().unwrap()).await;
    };
    let server = Scripted::start(vec![status(200), status(200)]);
    obtain(&server).await;
    bench.obtained("ci").await;
    // Somebody else's settings: what was obtained by those of before is not told there.
    let evil = Scripted::start(vec![]);
    obtain(&evil).await;
    assert_eq!(bench.logout("ci", false).await.result.as_deref(), Ok("ci holds no tokens"));
    evil.assert_idle();
    obtain(&server).await;
    bench.obtained("ci").await;
    let changed = bench.logout("ci", false).await;
    assert_eq!(changed.result.as_deref(), Ok("logged out of ci: revoked 2 access tokens"));
}

#[tokio::test]
async fn what_is_in_an_answer_that_nobody_has_read_is_revoked_too() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let server = Scripted::start(vec![status(200); 5]);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    bench
        .on_worker(|worker| {
            let acme = name("acme");
            let revision = revision(&profile(worker, &acme).unwrap());
            rotate::save_intent(worker, &acme, 1).unwrap();
            let answer = |of: &str| RawAnswer {
                key: TokenKey::plain(name("acme")),
                revision,
                endpoint: "https://as.example/token".to_owned(),
                sent_at: WallMs(1),
                received_at: WallMs(1),
                status: 200,
                content_type: None,
                retry_after: None,
                date: None,
                body: secret(&STANDARD.encode(format!(
                    r#"{{"access_token":"a-{of}","token_type":"Bearer","refresh_token":"r-{of}"}}"#
                ))),
            };
            let (vault, keys) = worker.open().unwrap();
            let mut entry = vault.read(keys, &acme).unwrap().unwrap();
            entry.tokens.clear();
            entry.receive_login(answer("login"));
            assert!(entry.receive(answer("renewal")));
            vault.write(keys, &acme, &mut entry).unwrap();
        })
        .await;
    bench.logout("acme", false).await.result.unwrap();
    let bodies: Vec<_> = (0..5).map(|_| body(&server)).collect();
    let tokens = ["r-login", "r-renewal", "refresh-0123", "a-login", "a-renewal"];
    for (body, token) in bodies.iter().zip(tokens) {
        assert!(body.starts_with(&format!("token={token}&")), "{bodies:?}");
    }
    assert!(bench.entry("acme").await.unwrap().unread_login().is_none());
}

#[tokio::test]
async fn what_was_never_issued_to_us_is_not_logged_out_of() {
    let bench = bench().await;
    std::fs::write(
        bench.config(),
        "[profiles.key]\ngrant = \"api_key\"\n[profiles.all]\npool = [\"key\"]\n",
    )
    .unwrap();
    for (at, word) in [("key", "tokctl remove key"), ("all", "member")] {
        let mut results = vec![bench.logout(at, false).await.result];
        results.push(bench.change(Change::Revoke(TokenKey::plain(name(at)))).await.result);
        for result in results {
            let failure = result.unwrap_err();
            assert_eq!(failure.kind, Kind::Usage);
            assert!(failure.hint.unwrap().contains(word), "{at}");
        }
    }
    let failure = bench.logout("nobody", false).await.result.unwrap_err();
    assert_eq!(failure.kind, Kind::NoSuchProfile);
}

#[tokio::test]
async fn a_remove_logs_out_first_and_its_tombstone_outlives_the_profile() {
    let server = Scripted::start(vec![status(200), Answer::HangUp]);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    let changed = bench.change(Change::Remove { name: name("acme"), local: false }).await;
    assert_eq!(changed.result.as_deref(), Ok("removed acme"));
    assert!(changed.warnings[0].contains("revoked as soon as they can be"));
    assert_eq!((changed.forget.len(), changed.laid.len()), (1, 1));
    assert!(bench.entry("acme").await.is_none());
    assert!(!bench.config_text().contains("acme"));
    assert_eq!(bench.tombstones().await[0].1.tokens.len(), 2);
}

#[tokio::test]
async fn a_remove_that_is_refused_asks_nobody() {
    let server = Scripted::start(vec![]);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    let text = format!("{}[profiles.all]\npool = [\"acme\"]\n", bench.config_text());
    std::fs::write(bench.config(), &text).unwrap();
    let remove = |local| bench.change(Change::Remove { name: name("acme"), local });
    for local in [false, true] {
        let failure = remove(local).await.result.unwrap_err();
        assert_eq!(failure.kind, Kind::ConfigInvalid);
    }
    assert_eq!(bench.held("acme").await.len(), 3);
    server.assert_idle();
}

#[tokio::test]
async fn what_has_no_settings_any_more_is_removed_with_a_word_about_its_tokens() {
    let server = Scripted::start(vec![]);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    std::fs::write(bench.config(), "").unwrap();
    let changed = bench.change(Change::Remove { name: name("acme"), local: false }).await;
    assert_eq!(changed.result.as_deref(), Ok("removed acme"));
    assert!(changed.warnings[0].contains("not in config.toml"), "{:?}", changed.warnings);
    assert!(bench.entry("acme").await.is_none());
    let absent = bench.change(Change::Remove { name: name("acme"), local: false }).await;
    assert_eq!(absent.result.unwrap_err().kind, Kind::NoSuchProfile);
    server.assert_idle();
}

#[tokio::test]
async fn so_many_revocations_wait_and_no_more() {
    let server = Scripted::start(vec![Answer::HangUp, Answer::HangUp]);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    bench
        .on_worker(|worker| {
            let (vault, keys) = worker.open().unwrap();
            for n in 0..TOMBSTONES_MAX - 1 {
                let id = EntryId::draw(&mut |bytes| {
                    bytes.fill(0);
                    bytes[..8].copy_from_slice(&n.to_be_bytes());
                });
                let tombstone = Tombstone::new(name("other"), WallMs(0), String::new());
                vault.write_tombstone(keys, id, &tombstone).unwrap();
            }
        })
        .await;
    bench.change(Change::Revoke(TokenKey::plain(name("acme")))).await.result.unwrap();
    let failure = bench.logout("acme", false).await.result.unwrap_err();
    assert!(failure.message.contains("256 revocations wait already"), "{failure:?}");
    assert_eq!(bench.held("acme").await, ["refresh-0123", "narrow-0123"]);
}
