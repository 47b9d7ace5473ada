//! Refresh tokens, secrets that end, and secrets that wait beside the present one.

use super::*;

fn refreshing() -> Vec<Assignment> {
    let mut settings = settings(ACME);
    settings.retain(|setting| setting.key != "grant" && setting.key != "client_auth");
    settings.extend([assignment("grant", "refresh_token"), assignment("client_auth", "none")]);
    settings
}

impl Bench {
    async fn add_refreshing(&self, secrets: Vec<NewSecret>, replace: bool) -> Changed {
        let new = profile_of("acme", refreshing(), secrets);
        self.change(Change::Add(NewProfile { replace, ..new })).await
    }

    async fn store(
        &self,
        secret_name: Option<&str>,
        next: bool,
        expires_s: Option<i64>,
    ) -> Changed {
        self.change(Change::SetSecret {
            name: name("acme"),
            secret_name: secret_name.map(str::to_owned),
            value: secret("two"),
            next,
            expires_at: expires_s.map(WallMs::from_unix_s),
        })
        .await
    }

    /// The refresh token, the one behind it, and when it ends.
    async fn refresh(&self) -> Option<(String, Option<String>, Option<WallMs>)> {
        let refresh = self.entry("acme").await?.refresh?;
        let text = |secret: &Secret| secret.expose().to_owned();
        Some((text(&refresh.token), refresh.previous.as_ref().map(text), refresh.expires_at))
    }
}

#[tokio::test]
async fn a_refresh_token_is_stored_in_its_own_place_with_the_one_before_behind_it() {
    let bench = bench().await;
    let expires_at = Some(WallMs(5000));
    let first = NewSecret { expires_at, ..new("refresh_token", "one") };
    let said = bench.add_refreshing(vec![first], false).await.result.unwrap();
    assert_eq!(said, "added acme; its secret is sent to https://id.acme.example:443 alone");
    assert_eq!(bench.refresh().await, Some(("one".into(), None, expires_at)));
    let said = bench.store(None, false, None).await.result.unwrap();
    assert_eq!(said, "stored the refresh token of acme");
    assert_eq!(bench.refresh().await, Some(("two".into(), Some("one".into()), None)));
    let entry = bench.entry("acme").await.unwrap();
    assert!(entry.secrets.is_empty() && entry.secrets_expire.is_empty());
    assert_eq!(entry.origins.into_iter().collect::<Vec<_>>(), ["https://id.acme.example:443"]);
}

#[tokio::test]
async fn an_add_without_a_refresh_token_says_that_it_needs_one() {
    let bench = bench().await;
    let said = bench.add_refreshing(Vec::new(), false).await.result.unwrap();
    assert_eq!(said, "added acme; no refresh token is stored for it: run `tokctl set-secret acme`");
}

#[tokio::test]
async fn a_refresh_token_does_not_follow_to_another_origin_and_its_loss_is_told() {
    let bench = bench().await;
    bench.add_refreshing(vec![new("refresh_token", "one")], false).await.result.unwrap();
    let assignments = vec![assignment("token_endpoint", EVIL)];
    bench.change(Change::Set { name: name("acme"), assignments }).await.result.unwrap();
    let changed = bench.store(Some("password"), false, None).await;
    assert!(changed.warnings.concat().ends_with("gone: refresh_token"), "{:?}", changed.warnings);
    assert_eq!(bench.refresh().await, None);

    let replaced = bench.add_refreshing(Vec::new(), true).await;
    assert!(replaced.warnings.concat().ends_with("gone: password"), "{:?}", replaced.warnings);
}

#[tokio::test]
async fn a_secret_that_is_stored_anew_does_not_inherit_an_end() {
    let bench = bench().await;
    bench.add("acme", &[]).await.result.unwrap();
    for (expires_s, found) in [(Some(5), Some(WallMs(5000))), (None, None)] {
        bench.store(None, false, expires_s).await.result.unwrap();
        let entry = bench.entry("acme").await.unwrap();
        assert_eq!(entry.secrets_expire.get("client_secret").copied(), found);
    }
}

#[tokio::test]
async fn the_next_client_secret_waits_beside_the_present_one_with_its_own_end() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    for named in [None, Some("client_secret")] {
        let said = bench.store(named, true, Some(5)).await.result.unwrap();
        assert!(said.starts_with("stored the next client secret of acme"), "{said}");
        let held = bench.secrets("acme").await;
        assert_eq!(held, ["client_secret=one", "client_secret.next=two"]);
        let ends = bench.entry("acme").await.unwrap().secrets_expire;
        assert_eq!(
            ends.into_iter().collect::<Vec<_>>(),
            [("client_secret.next".to_owned(), WallMs(5000))]
        );
    }
    // Only a client secret is ever tried in the place of another.
    assert_eq!(
        bench.store(Some("password"), true, None).await.result.unwrap_err().kind,
        Kind::Usage
    );
    let empty = Change::SetSecret {
        name: name("acme"),
        secret_name: None,
        value: secret(""),
        next: true,
        expires_at: None,
    };
    assert_eq!(bench.change(empty).await.result.unwrap_err().kind, Kind::Usage);
}

#[tokio::test]
async fn the_next_secret_of_a_refreshing_profile_is_its_clients() {
    let bench = bench().await;
    bench.add_refreshing(vec![new("refresh_token", "one")], false).await.result.unwrap();
    bench.store(None, true, None).await.result.unwrap();
    assert_eq!(bench.secrets("acme").await, ["client_secret.next=two"]);
    assert_eq!(bench.refresh().await.unwrap().0, "one");
    let refused = bench.store(Some("refresh_token"), true, None).await.result.unwrap_err();
    assert_eq!(refused.kind, Kind::Usage);
}

#[tokio::test]
async fn a_pool_needs_no_secret_and_takes_none() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    let add = |secrets: Vec<NewSecret>| {
        let settings = vec![assignment("pool", "acme")];
        bench.change(Change::Add(profile_of("search", settings, secrets)))
    };
    let refused = add(vec![new("client_secret", "two")]).await.result.unwrap_err();
    assert_eq!(refused.kind, Kind::Usage);
    assert_eq!(add(Vec::new()).await.result.as_deref(), Ok("added search"));
    let refused = bench.set_secret("search", None, "two").await.result.unwrap_err();
    assert_eq!((refused.kind, refused.profile), (Kind::Usage, Some(name("search"))));
    assert!(bench.entry("search").await.is_none());
}

#[test]
fn a_change_of_what_a_request_depends_on_is_made_alone() {
    let acme = || name("acme");
    let add =
        |replace| Change::Add(NewProfile { replace, ..profile_of("acme", Vec::new(), Vec::new()) });
    let set_secret = Change::SetSecret {
        name: acme(),
        secret_name: None,
        value: secret("two"),
        next: false,
        expires_at: None,
    };
    for (change, alone) in [
        (add(false), true),
        (add(true), true),
        (set_secret, true),
        (Change::Rename { from: acme(), to: name("other") }, true),
        (Change::Remove { name: acme(), local: false }, true),
        (Change::Logout { name: acme(), local: false }, true),
        (Change::Revoke(TokenKey::plain(acme())), true),
        (Change::Set { name: acme(), assignments: Vec::new() }, false),
    ] {
        assert_eq!(change.alone(), alone.then(acme), "{change:?}");
    }
}
