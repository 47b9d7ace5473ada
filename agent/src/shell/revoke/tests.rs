//! Tombstones worked off against a provider that answers by a script.

use std::time::Duration;

use tokctl_proto::WallMs;

use super::work_off::{Tried, find, work_off};
use crate::clock;
use crate::shell::change::Change;
use crate::shell::change::tests::logout::{body, said};
use crate::shell::change::tests::{Bench, bench, name};
use crate::shell::http::scripted::{Answer, Scripted};
use crate::vault::{EntryId, GIVEN_UP_AFTER, Tombstone};

/// A profile whose logout did not reach its provider: the first connection is for that.
async fn buried(mut answers: Vec<Answer>) -> (Bench, Scripted, EntryId) {
    answers.insert(0, Answer::HangUp);
    let server = Scripted::start(answers);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    let logout = Change::Logout { name: name("acme"), local: false };
    let changed = bench.change(logout).await;
    changed.result.unwrap();
    server.request();
    let id = changed.laid[0].id;
    (bench, server, id)
}

/// Changes a tombstone.
async fn rewritten(bench: &Bench, id: EntryId, change: fn(&mut Tombstone)) {
    bench
        .on_worker(move |worker| {
            let (vault, keys) = worker.open().unwrap();
            let mut tombstone = vault.read_tombstone(keys, id).unwrap().unwrap();
            change(&mut tombstone);
            vault.write_tombstone(keys, id, &tombstone).unwrap();
        })
        .await;
}

async fn tried(bench: &Bench, id: EntryId) -> Tried {
    work_off(bench.means.clone(), id).await
}

#[tokio::test]
async fn a_tombstone_is_worked_off_when_its_profile_is_long_gone() {
    let (bench, server, id) = buried(vec![Answer::status(200); 3]).await;
    let remove = Change::Remove { name: name("acme"), local: true };
    bench.change(remove).await.result.unwrap();
    let found = bench.on_worker(|worker| find(worker).unwrap()).await;
    assert_eq!((found[&id].profile.as_str(), found[&id].tokens), ("acme", 3));

    assert!(matches!(tried(&bench, id).await, Tried::Over));
    let first = server.request();
    assert!(first.starts_with("POST /revoke HTTP/1.1\r\n"), "{first}");
    assert!(first.contains("authorization: Basic Y2M6czNjcmV0LTAxMjM=\r\n"), "{first}");
    assert!(first.ends_with("token=refresh-0123&token_type_hint=refresh_token"), "{first}");
    assert!(body(&server).ends_with("token_type_hint=access_token"));
    assert!(bench.tombstones().await.is_empty());
    // It does not come back.
    assert!(matches!(tried(&bench, id).await, Tried::Over));
}

#[tokio::test]
async fn what_is_done_is_not_done_again() {
    let answers = vec![Answer::status(200), said(503, 7, ""), Answer::status(200), Answer::HangUp];
    let (bench, server, id) = buried(answers).await;
    for (left, retry_after_s) in [(2, Some(7)), (1, None)] {
        match tried(&bench, id).await {
            Tried::Again { waiting: Some(waiting), retry_after: asked, .. } => {
                // It counts from the answer, which was a moment ago.
                let asked_s = asked.map(|asked| asked.as_secs_f64().round() as u64);
                assert_eq!((waiting.tokens, asked_s), (left, retry_after_s));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.tombstones().await[0].1.tokens.len(), left);
    }
    let bodies: Vec<_> = (0..3).map(|_| body(&server)).collect();
    assert!(bodies[0].starts_with("token=refresh-0123&") && bodies[1] == bodies[2], "{bodies:?}");
}

#[tokio::test]
async fn what_cannot_be_done_is_given_up() {
    let unsupported = || said(400, 0, r#"{"error":"unsupported_token_type"}"#);
    let (bench, server, id) = buried(vec![Answer::status(200), unsupported(), unsupported()]).await;
    assert!(matches!(tried(&bench, id).await, Tried::Over));
    assert!(bench.tombstones().await.is_empty());
    drop(server);

    let (bench, server, id) = buried(vec![said(401, 0, r#"{"error":"invalid_client"}"#)]).await;
    assert!(matches!(tried(&bench, id).await, Tried::Over));
    assert!(bench.tombstones().await.is_empty());
    server.request();
    server.assert_idle();
}

#[tokio::test]
async fn what_has_had_its_time_is_given_up_without_a_request() {
    let rewrites: [fn(&mut Tombstone); 3] = [
        |it| it.made_at = clock::now().wall.minus(GIVEN_UP_AFTER),
        |it| it.tokens.clear(),
        |it| it.tokens.iter_mut().for_each(|token| token.expires_at = Some(WallMs(1))),
    ];
    for rewrite in rewrites {
        let (bench, server, id) = buried(Vec::new()).await;
        rewritten(&bench, id, rewrite).await;
        assert!(bench.on_worker(|worker| find(worker).unwrap()).await.is_empty());
        assert!(matches!(tried(&bench, id).await, Tried::Over));
        assert!(bench.tombstones().await.is_empty());
        server.assert_idle();
    }
    let (bench, server, id) = buried(vec![Answer::status(200); 2]).await;
    rewritten(&bench, id, |it| {
        it.made_at = clock::now().wall.minus(GIVEN_UP_AFTER - Duration::from_secs(60));
        it.tokens[0].expires_at = Some(WallMs(1));
    })
    .await;
    assert!(matches!(tried(&bench, id).await, Tried::Over));
    // The one that has died is left out.
    assert!(body(&server).contains("hint=access_token") && body(&server).contains("hint=access"));
}

#[tokio::test]
async fn a_logout_that_was_cut_short_is_not_completed_behind_its_users_back() {
    // The tombstone was laid, and the entry was not written: they may have gone on with the profile.
    let (bench, server, id) = buried(Vec::new()).await;
    bench
        .on_worker(|worker| {
            let (vault, keys) = worker.open().unwrap();
            let acme = name("acme");
            let mut entry = vault.read(keys, &acme).unwrap().unwrap();
            let refresh = crate::shell::change::tests::secret("refresh-0123");
            entry.set_refresh_token(clock::now().wall, refresh, None);
            vault.write(keys, &acme, &mut entry).unwrap();
        })
        .await;
    assert!(bench.on_worker(|worker| find(worker).unwrap()).await.is_empty());
    assert!(matches!(tried(&bench, id).await, Tried::Over));
    server.assert_idle();
    assert!(bench.entry("acme").await.unwrap().refresh.is_some());
}

#[tokio::test]
async fn what_did_not_open_is_set_apart_and_the_rest_is_found() {
    let (bench, _server, id) = buried(Vec::new()).await;
    let dir = bench.home.path().join("vault/tombstones");
    std::fs::write(dir.join(format!("{}.age", "ab".repeat(16))), "torn").unwrap();
    let found = bench.on_worker(|worker| find(worker).unwrap()).await;
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [id]);
    let quarantine = bench.home.path().join("vault/quarantine");
    assert_eq!(std::fs::read_dir(quarantine).unwrap().count(), 1);
}

#[tokio::test]
async fn a_tombstone_waits_while_the_vault_is_sealed() {
    let (bench, server, id) = buried(Vec::new()).await;
    bench.on_worker(|worker| worker.keys = None).await;
    assert!(matches!(tried(&bench, id).await, Tried::Again { waiting: None, .. }));
    server.assert_idle();
}

#[tokio::test]
async fn where_it_may_be_sent_is_sealed_into_a_tombstone() {
    let (bench, server, id) = buried(Vec::new()).await;
    rewritten(&bench, id, |it| it.origins = ["https://elsewhere.example:443".to_owned()].into())
        .await;
    match tried(&bench, id).await {
        Tried::Again { why, .. } => assert!(why.contains("elsewhere.example"), "{why}"),
        Tried::Over => panic!("it was given up"),
    }
    server.assert_idle();
}
