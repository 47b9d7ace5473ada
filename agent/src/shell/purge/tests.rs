//! Everything taken away, from a home as people have it.

use std::fs;
use std::path::PathBuf;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::shell::change::Change;
use crate::shell::change::tests::logout::body;
use crate::shell::change::tests::{Bench, bench, name};
use crate::shell::http::scripted::{Answer, Scripted};
use crate::shell::reply::{Encoding, Outgoing};

fn listener() -> (ReplyTo, UnboundedReceiver<Outgoing>) {
    let (sender, receiver) = unbounded_channel();
    (ReplyTo::new(Encoding::Json, sender), receiver)
}

/// What was said on the way, warnings alone.
fn warnings(mut receiver: UnboundedReceiver<Outgoing>) -> Vec<String> {
    let mut said = Vec::new();
    while let Ok(outgoing) = receiver.try_recv() {
        let value: serde_json::Value = serde_json::from_slice(&outgoing.bytes).unwrap();
        if value["progress"]["warning"] == true {
            said.push(value["progress"]["text"].as_str().unwrap().to_owned());
        }
    }
    said
}

async fn purged(bench: &Bench, local: bool) -> (Result<String, Failure>, Vec<String>) {
    let (reply, receiver) = listener();
    let result = purge(&bench.means, local, &reply).await;
    (result, warnings(receiver))
}

/// What is left in a home.
fn left(bench: &Bench) -> Vec<PathBuf> {
    let found = fs::read_dir(bench.home.path()).unwrap();
    let mut left: Vec<_> = found.map(|found| found.unwrap().path()).collect();
    left.sort();
    left
}

#[tokio::test]
async fn tokens_are_revoked_and_nothing_is_left() {
    let server = Scripted::start(vec![Answer::status(200); 3]);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    let state = bench.home.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::write(state.join("agent.log"), "log").unwrap();
    let (result, warnings) = purged(&bench, false).await;
    assert_eq!(result.as_deref(), Ok("removed configuration, vault and state"));
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(body(&server).contains("hint=refresh_token"));
    assert!(left(&bench).is_empty(), "{:?}", left(&bench));
    // And nothing comes back by what is still on its way.
    let changed = bench.change(Change::Logout { name: name("acme"), local: true }).await;
    assert!(changed.result.is_err() && left(&bench).is_empty());
}

#[tokio::test]
async fn what_could_not_be_revoked_is_told_and_goes_all_the_same() {
    let (server, gone) = (Scripted::start(vec![Answer::HangUp]), Scripted::start(vec![]));
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    bench.logged_in("beta", server.port).await;
    bench.logged_in("orphan", gone.port).await;
    let text = fs::read_to_string(bench.home.path().join("config.toml")).unwrap();
    let text = crate::config::remove_profile(&text, &name("orphan")).unwrap();
    fs::write(bench.home.path().join("config.toml"), text).unwrap();
    fs::write(bench.home.path().join("vault/entries/torn.age"), "torn").unwrap();

    let (result, warnings) = purged(&bench, false).await;
    result.unwrap();
    let begin = [
        "acme: cannot reach",
        // The same provider is asked once.
        "beta: the provider could not be reached: the refresh token and 2 access tokens live",
        "orphan: it is not in config.toml, so its provider could not be told: the refresh token",
        "torn: ",
    ];
    assert_eq!(warnings.len(), begin.len(), "{warnings:?}");
    for (warning, begin) in warnings.iter().zip(begin) {
        assert!(warning.starts_with(begin), "{warning}");
    }
    gone.assert_idle();
    assert!(left(&bench).is_empty(), "{:?}", left(&bench));
}

#[tokio::test]
async fn a_tombstone_is_tried_once_more() {
    let answers = [vec![Answer::HangUp], vec![Answer::status(200); 3]].concat();
    let server = Scripted::start(answers);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    let remove = Change::Remove { name: name("acme"), local: false };
    bench.change(remove).await.result.unwrap();
    server.request();
    let (result, warnings) = purged(&bench, false).await;
    result.unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    for hint in ["refresh_token", "access_token", "access_token"] {
        assert!(body(&server).ends_with(&format!("hint={hint}")));
    }
}

#[tokio::test]
async fn local_asks_nobody_and_needs_no_passphrase() {
    let server = Scripted::start(vec![]);
    let bench = bench().await;
    bench.logged_in("acme", server.port).await;
    bench.on_worker(|worker| worker.keys = None).await;
    let (result, warnings) = purged(&bench, true).await;
    assert_eq!((result.is_ok(), warnings.len()), (true, 0));
    server.assert_idle();
    assert!(left(&bench).is_empty());
}

#[tokio::test]
async fn what_belongs_to_others_stays() {
    let bench = bench().await;
    let home = bench.home.path();
    fs::write(home.join("notes.txt"), "mine").unwrap();
    fs::create_dir(home.join("vault.replaced-by-me")).unwrap();
    // A dotfiles repository.
    let dotfiles = tempfile::tempdir().unwrap();
    fs::write(dotfiles.path().join("tokctl.toml"), "").unwrap();
    std::os::unix::fs::symlink(dotfiles.path().join("tokctl.toml"), home.join("config.toml"))
        .unwrap();
    purged(&bench, false).await.0.unwrap();
    assert_eq!(left(&bench), ["notes.txt", "vault.replaced-by-me"].map(|it| home.join(it)));
    assert!(dotfiles.path().join("tokctl.toml").exists());
}

#[test]
fn empty_directories_go_and_others_stay() {
    let home = tempfile::tempdir().unwrap();
    let places = |name: &str| Places {
        home: Some(home.path().join(name)),
        config: home.path().join(name).join("config.toml"),
        vault: home.path().join(name).join("vault"),
        state: home.path().join(name).join("state"),
        socket: home.path().join(name).join("run/agent.sock"),
        socket_is_named: false,
        agent_uid: Some(0),
    };
    for (name, foreign) in [("empty", None), ("used", Some("notes"))] {
        let places = places(name);
        let run = places.run_dir();
        fs::create_dir_all(&run).unwrap();
        fs::create_dir_all(&places.state).unwrap();
        fs::write(run.join("start.lock"), "").unwrap();
        if let Some(foreign) = foreign {
            fs::write(home.path().join(name).join(foreign), "").unwrap();
        }
        sweep(&places);
        assert_eq!(home.path().join(name).exists(), foreign.is_some());
        assert!(!run.exists() && !places.state.exists());
    }
}
