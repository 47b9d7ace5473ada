//! Grants that spend nothing, client secrets that overlap, and tokens that an API refused.

use super::*;

const GIVEN: &str = r#"{"access_token":"given","expires_in":3600,"refresh_token":"unwanted"}"#;

fn basic(answers: Vec<Script>) -> (Bench, Scripted) {
    with_provider("client_credentials", "client_auth = \"post\"", answers)
}

#[tokio::test]
async fn a_grant_without_a_refresh_token_keeps_its_token_alone() {
    let (mut bench, provider) = basic(vec![Script::json(GIVEN)]);
    bench.set_secret("client_secret", false, "one").await;
    let answer = bench.send(Credential::Present).await.unwrap();
    assert!(provider.request().contains("client_secret=one"));
    let obtained = tokens(bench.classify(answer).await);
    assert!(obtained.successor.is_none());
    let token = Some(Arc::new(obtained.token));
    bench.save_tokens(Kept { token, refresh: None, promote: false }).await.unwrap();
    let contents = bench.restart().load().await;
    assert_eq!(contents.tokens[0].1.access_token.expose(), "given");
    assert!(contents.refresh.is_none() && !contents.has_next && contents.unread.is_none());
}

#[tokio::test]
async fn the_next_client_secret_is_sent_when_it_is_asked_for_and_promoted_when_it_worked() {
    let (mut bench, provider) = basic(vec![Script::json(GIVEN)]);
    bench.set_secret("client_secret", false, "one").await;
    let trouble = bench.send(Credential::Next).await.unwrap_err();
    assert_eq!((trouble.cause, trouble.reached), (Cause::InvalidClient, Reached::Nobody));
    assert_eq!(trouble.failure.hint.as_deref(), Some("run `tokctl set-secret acme --next`"));

    bench.set_secret("client_secret", true, "two").await;
    assert!(bench.load().await.has_next);
    let answer = bench.send(Credential::Next).await.unwrap();
    assert!(provider.request().contains("client_secret=two"));
    let obtained = tokens(bench.classify(answer).await);
    let token = Some(Arc::new(obtained.token));
    bench.save_tokens(Kept { token, refresh: None, promote: true }).await.unwrap();
    assert!(!bench.load().await.has_next);
    let secrets = bench.entry().await.unwrap().secrets;
    let held: Vec<_> =
        secrets.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(held, [("client_secret", "two")]);
}

#[tokio::test]
async fn a_refused_token_goes_and_a_newer_one_stays() {
    let (mut bench, _provider) = basic(Vec::new());
    bench.set_secret("client_secret", false, "one").await;
    let held = Kept { token: Some(token("held")), refresh: None, promote: false };
    bench.save_tokens(held).await.unwrap();
    for (refused, left) in [("older", 1), ("held", 0), ("held", 0)] {
        bench.quietly(Effect::DropToken { key: key(), token: token(refused) }).await;
        assert_eq!(bench.entry().await.unwrap().tokens.len(), left, "{refused}");
    }
}

#[tokio::test]
async fn a_vault_that_cannot_be_read_now_is_tried_again_and_a_damaged_entry_is_not() {
    let (mut bench, provider) = basic(Vec::new());
    bench.set_secret("client_secret", false, "one").await;
    bench.performer.perform(Effect::Seal, &bench.live);
    let trouble = bench.send(Credential::Present).await.unwrap_err();
    assert_eq!((trouble.class, trouble.failure.kind), (Class::Retry, Kind::VaultSealed));

    let mut bench = bench.restart();
    let path = bench.home.path().join("vault/entries/acme.age");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let trouble = bench.send(Credential::Present).await.unwrap_err();
    assert_eq!((trouble.class, trouble.failure.kind), (Class::Retry, Kind::Machine));

    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, "torn").unwrap();
    let trouble = bench.send(Credential::Present).await.unwrap_err();
    assert_eq!((trouble.class, trouble.failure.kind), (Class::Permanent, Kind::EntryDamaged));
    provider.assert_idle();
}

#[tokio::test]
async fn what_ends_is_told_with_its_name() {
    let (bench, _provider) = basic(Vec::new());
    let change = Change::SetSecret {
        name: name(),
        secret_name: None,
        value: Secret::new("one".into()),
        next: false,
        expires_at: Some(WallMs(5000)),
    };
    change::carry_out(bench.performer.means.clone(), change).await.result.unwrap();
    let expiring = bench.restart().load().await.expiring;
    assert_eq!(expiring, [("client_secret".to_owned(), WallMs(5000))]);
}
