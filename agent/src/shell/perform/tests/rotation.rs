//! A refresh token is presented, and the agent dies between any two steps of that.

use super::*;

const ROTATED: &str =
    r#"{"access_token":"new","expires_in":3600,"refresh_token":"second","token_type":"Bearer"}"#;

fn rotating(answers: Vec<Script>) -> (Bench, Scripted) {
    with_provider("refresh_token", "client_auth = \"none\"", answers)
}

/// An agent that holds the refresh token `first`.
async fn with_first(answers: Vec<Script>) -> (Bench, Scripted) {
    let (bench, provider) = rotating(answers);
    bench.set_secret("refresh_token", false, "first").await;
    (bench, provider)
}

/// With an answer of the provider to the first token, unsaved.
async fn answered(script: Script) -> (Bench, Scripted, AnswerId) {
    let (mut bench, provider) = with_first(vec![script]).await;
    bench.save_intent(1).await.unwrap();
    let answer = bench.send(Credential::Present).await.unwrap();
    (bench, provider, answer)
}

fn invalid_grant() -> Script {
    refusal(r#"{"error":"invalid_grant"}"#)
}

fn refusal(body: &str) -> Script {
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n";
    Script::Bytes(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

#[tokio::test]
async fn a_start_after_a_crash_finds_how_far_a_rotation_came() {
    for steps in 0..=5 {
        let (mut bench, provider) = with_first(vec![Script::json(ROTATED)]).await;
        let mut answer = AnswerId(0);
        let mut kept = None;
        for step in 1..=steps {
            match step {
                1 => bench.save_intent(1).await.unwrap(),
                2 => answer = bench.send(Credential::Present).await.unwrap(),
                3 => bench.save_answer(answer).await.unwrap(),
                4 => kept = Some(refreshed(tokens(bench.classify(answer).await))),
                _ => bench.save_tokens(kept.take().unwrap()).await.unwrap(),
            }
        }
        if steps > 1 {
            let body = "client_id=cc&grant_type=refresh_token&refresh_token=first";
            assert!(provider.request().ends_with(body));
        }
        let mut bench = bench.restart();
        let contents = bench.load().await;
        let refresh = contents.refresh.unwrap();
        let found = (refresh.tries, contents.unread.is_some(), contents.tokens.len());
        assert_eq!(
            found,
            match steps {
                0 => (0, false, 0),
                1 | 2 => (1, false, 0),
                3 | 4 => (1, true, 0),
                _ => (0, false, 1),
            },
            "after {steps} steps"
        );
        assert!(!refresh.is_dead);
        // What an earlier run has left unread is read and saved in this one.
        if let Some(unread) = contents.unread {
            assert_eq!(unread.key, key());
            let obtained = tokens(bench.classify(unread.answer).await);
            assert_eq!(obtained.token.revision, unread.revision);
            bench.save_tokens(refreshed(obtained)).await.unwrap();
        }
        let after = bench.refresh().await;
        match steps {
            0 => assert_eq!(after, ("first".into(), None, 0, false)),
            1 | 2 => assert_eq!(after, ("first".into(), None, 1, false)),
            _ => {
                assert_eq!(after, ("second".into(), Some("first".into()), 0, false));
                let contents = bench.load().await;
                assert_eq!(contents.tokens[0].1.access_token.expose(), "new");
                assert!(contents.refresh.unwrap().used_at.is_some());
            }
        }
    }
}

#[tokio::test]
async fn an_answer_without_a_successor_lets_the_presented_token_go_on() {
    let plain = r#"{"access_token":"new","expires_in":3600}"#;
    let (mut bench, _provider, answer) = answered(Script::json(plain)).await;
    bench.save_answer(answer).await.unwrap();
    let kept = refreshed(tokens(bench.classify(answer).await));
    bench.save_tokens(kept.clone()).await.unwrap();
    // A write that seemed to fail is done twice.
    bench.save_tokens(kept).await.unwrap();
    assert_eq!(bench.refresh().await, ("first".into(), None, 0, false));
}

#[tokio::test]
async fn nothing_is_sent_without_an_intent_on_the_disk() {
    let (mut bench, provider) = with_first(Vec::new()).await;
    let trouble = bench.send(Credential::Present).await.unwrap_err();
    assert_eq!((trouble.class, trouble.reached), (Class::LoginRequired, Reached::Nobody));
    assert_eq!(trouble.failure.kind, Kind::SecretRequired);
    let hint = "run `tokctl set-secret acme --name refresh_token`";
    assert_eq!(trouble.failure.hint.as_deref(), Some(hint));
    // Nor is a token that took the place of the one that the intent speaks of.
    bench.save_intent(1).await.unwrap();
    bench.set_secret("refresh_token", false, "other").await;
    let trouble = bench.send(Credential::Present).await.unwrap_err();
    assert_eq!(trouble.reached, Reached::Nobody);
    provider.assert_idle();
}

#[tokio::test]
async fn an_intent_needs_a_token_and_room_for_what_follows() {
    let (mut bench, _provider) = rotating(Vec::new());
    let failure = bench.save_intent(1).await.unwrap_err();
    assert_eq!(failure.kind, Kind::SecretRequired);
    bench.set_secret("refresh_token", false, "first").await;
    // A directory in the place of the ballast: there is no room to be had.
    let ballast = bench.home.path().join("vault/ballast");
    std::fs::create_dir(&ballast).unwrap();
    std::fs::write(ballast.join("x"), "").unwrap();
    assert!(bench.save_intent(1).await.is_err());
    assert_eq!(bench.refresh().await, ("first".into(), None, 0, false));
    std::fs::remove_dir_all(&ballast).unwrap();
    bench.save_intent(1).await.unwrap();
    assert_eq!(bench.refresh().await, ("first".into(), None, 1, false));
    assert!(std::fs::metadata(ballast).unwrap().len() >= 32 * 1024);
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_may_have_arrived() {
    let (mut bench, _provider) = with_first(vec![Script::Reset(Vec::new())]).await;
    bench.save_intent(1).await.unwrap();
    let trouble = bench.send(Credential::Present).await.unwrap_err();
    assert_eq!((trouble.class, trouble.reached), (Class::Retry, Reached::Perhaps));
    assert_eq!(trouble.cause, Cause::Provider);
    assert_eq!(bench.restart().load().await.refresh.unwrap().tries, 1);
}

#[tokio::test]
async fn a_sending_that_spent_nothing_is_taken_back_with_its_answer() {
    for (earlier, left) in [(0, 0), (1, 1)] {
        let (mut bench, _provider, answer) = answered(Script::status(503)).await;
        bench.save_answer(answer).await.unwrap();
        let outcome = bench.classify(answer).await;
        assert!(matches!(outcome, Outcome::Failed(trouble)
            if trouble.reached == Reached::Answered(503) && trouble.cause == Cause::Provider));
        bench.quietly(Effect::Withdraw { attempt: ATTEMPT, profile: name(), tries: earlier }).await;
        assert_eq!(bench.refresh().await, ("first".into(), None, left, false));
    }
}

#[tokio::test]
async fn a_refused_token_is_dead_and_kept_unless_another_has_been_stored() {
    for other in [None, Some("other")] {
        let (mut bench, _provider, answer) = answered(invalid_grant()).await;
        bench.save_answer(answer).await.unwrap();
        let outcome = bench.classify(answer).await;
        assert!(
            matches!(outcome, Outcome::Failed(trouble) if trouble.cause == Cause::InvalidGrant)
        );
        if let Some(other) = other {
            bench.set_secret("refresh_token", false, other).await;
        }
        let burial = bench.bury().await;
        assert_eq!(burial == Burial::Dead, other.is_none());
        let mut bench = bench.restart();
        let refresh = bench.load().await.refresh.unwrap();
        assert_eq!((refresh.is_dead, refresh.tries), (other.is_none(), 0));
        assert_eq!(bench.refresh().await.0, other.unwrap_or("first"));
        assert_eq!(bench.save_intent(1).await.is_ok(), other.is_some());
    }
}

#[tokio::test]
async fn a_token_that_a_person_stored_meanwhile_stays_in_its_place() {
    let (mut bench, _provider, answer) = answered(Script::json(ROTATED)).await;
    bench.set_secret("refresh_token", false, "other").await;
    bench.save_answer(answer).await.unwrap();
    let kept = refreshed(tokens(bench.classify(answer).await));
    bench.save_tokens(kept).await.unwrap();
    assert_eq!(bench.refresh().await, ("other".into(), Some("second".into()), 0, false));
}

#[tokio::test]
async fn a_successor_is_saved_although_the_settings_changed_on_its_way() {
    let (mut bench, _provider, answer) = answered(Script::json(ROTATED)).await;
    bench.save_answer(answer).await.unwrap();
    let kept = refreshed(tokens(bench.classify(answer).await));
    // Even the profile may be gone from the file: its entry is kept.
    std::fs::write(bench.home.path().join("config.toml"), "").unwrap();
    let read = |worker: &mut Worker| worker.read_config();
    bench.live = bench.performer.means.jobs.ask(read).await.unwrap();
    bench.save_tokens(Kept { token: None, ..kept }).await.unwrap();
    assert_eq!(bench.refresh().await.0, "second");
}

#[tokio::test]
async fn a_successor_finds_a_place_although_the_entry_was_damaged_meanwhile() {
    let (mut bench, _provider, answer) = answered(Script::json(ROTATED)).await;
    let kept = refreshed(tokens(bench.classify(answer).await));
    std::fs::write(bench.home.path().join("vault/entries/acme.age"), "torn").unwrap();
    bench.save_tokens(kept).await.unwrap();
    assert_eq!(bench.refresh().await.0, "second");
    assert!(bench.home.path().join("vault/quarantine/acme.1.age").exists());
}

#[tokio::test]
async fn an_answer_that_is_not_there_is_a_bug_and_not_a_success() {
    let (mut bench, _provider) = with_first(Vec::new()).await;
    assert_eq!(bench.save_answer(AnswerId(99)).await.unwrap_err().kind, Kind::Internal);
}

#[tokio::test]
async fn a_refusal_that_repeats_what_was_sent_does_not_say_it_before_or_after_a_crash() {
    let body = r#"{"error":"invalid_grant","error_description":"no token SENTINEL-1"}"#;
    let (mut bench, _provider) = rotating(vec![refusal(body)]);
    bench.set_secret("refresh_token", false, "SENTINEL-1").await;
    bench.save_intent(1).await.unwrap();
    let answer = bench.send(Credential::Present).await.unwrap();
    bench.save_answer(answer).await.unwrap();
    let before = bench.classify(answer).await;
    let mut bench = bench.restart();
    let unread = bench.load().await.unread.unwrap();
    for outcome in [before, bench.classify(unread.answer).await] {
        let Outcome::Failed(trouble) = outcome else { panic!("{outcome:?}") };
        let said =
            "the provider refused the refresh token (invalid_grant: \"no token [redacted]\")";
        assert_eq!(trouble.failure.message, said);
    }
}

/// An unsigned id_token: what is compared at a renewal rests on TLS alone.
fn id_token(iss: &str, sub: &str, aud: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = format!(r#"{{"iss":"{iss}","sub":"{sub}","aud":"{aud}"}}"#);
    let encoded = [r#"{"alg":"RS256"}"#, &claims, "signature"].map(|it| URL_SAFE_NO_PAD.encode(it));
    encoded.join(".")
}

#[tokio::test]
async fn a_renewal_for_somebody_else_is_saved_and_not_served() {
    let op = "https://op.example";
    for (id_token, is_served) in [
        (id_token(op, "ada", "cc"), true),
        ("no.id.token".to_owned(), true),
        (id_token(op, "eve", "cc"), false),
        (id_token("https://evil.example", "ada", "cc"), false),
        (id_token(op, "ada", "another"), false),
    ] {
        let body = ROTATED.replacen('{', &format!(r#"{{"id_token":"{id_token}","#), 1);
        let (mut bench, _provider) = with_first(vec![Script::json(&body)]).await;
        let logged_in = |worker: &mut Worker| {
            let (vault, keys) = worker.open()?;
            let mut entry = vault.read(keys, &name()).unwrap().unwrap();
            let (iss, sub) = ("https://op.example".to_owned(), "ada".to_owned());
            entry.subject = Some(crate::vault::Subject { iss, sub });
            vault.write(keys, &name(), &mut entry).unwrap();
            Ok(())
        };
        bench.performer.means.jobs.ask(logged_in).await.unwrap();
        bench.save_intent(1).await.unwrap();
        let answer = bench.send(Credential::Present).await.unwrap();
        bench.save_answer(answer).await.unwrap();
        // As well when it is read after a restart.
        for again in [false, true] {
            let outcome = match again {
                false => bench.classify(answer).await,
                true => {
                    bench = bench.restart();
                    let unread = bench.load().await.unread.unwrap();
                    bench.classify(unread.answer).await
                }
            };
            match outcome {
                Outcome::Tokens(_) => assert!(is_served, "{id_token}"),
                Outcome::Failed(trouble) => {
                    assert!(!is_served, "{id_token}");
                    assert_eq!(trouble.failure.kind, Kind::LoginRequired);
                    assert_eq!(trouble.failure.hint.as_deref(), Some("run `tokctl login acme`"));
                    let successor = trouble.successor.map(|it| it.secret.expose().to_owned());
                    assert_eq!(successor.as_deref(), Some("second"));
                }
            }
        }
    }
}
