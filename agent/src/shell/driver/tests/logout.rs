//! Tokens that are revoked, and the end of everything, as clients meet them.

use super::*;
use crate::shell::http::scripted::{Answer, Scripted};

const INIT: &str = r#"{"init":{"passphrase":null,"replace":false,"network":[]}}"#;
const STATUS: &str = r#"{"agent_status":{}}"#;

/// An agent whose profile `acme` has a refresh token of that provider's.
async fn logged_in(server: &Scripted) -> Running {
    let mut running = running();
    assert!(running.line(INIT).end().await.starts_with("said:made"));
    let origin = format!("http://127.0.0.1:{}", server.port);
    running.configure(&format!(
        "[profiles.acme]\ngrant = \"refresh_token\"\nclient_id = \"cc\"\nclient_auth = \"none\"\n\
         token_endpoint = \"{origin}/token\"\nrevocation_endpoint = \"{origin}/revoke\"\n\
         allow_http_loopback = true\n"
    ));
    let set = r#"{"set_secret2":{"profile":"acme","value":"refresh-0123"}}"#;
    assert_eq!(running.line(set).end().await, "said:stored the refresh token of acme");
    running
}

/// The next request, without holding up the driver.
async fn requested(server: Scripted) -> (Scripted, String) {
    let taking = tokio::task::spawn_blocking(move || {
        let request = server.request();
        (server, request)
    });
    taking.await.unwrap()
}

/// The warnings of `agent status`.
async fn warnings(running: &mut Running) -> Vec<String> {
    let done = running.line(STATUS).row().await;
    let warnings = done["done"]["agent"]["warnings"].as_array().cloned().unwrap_or_default();
    warnings.iter().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn a_logout_ends_with_a_login_that_is_needed() {
    let token =
        Answer::json(r#"{"access_token":"one-0123","token_type":"Bearer","expires_in":600}"#);
    let server = Scripted::start(vec![token, Answer::status(200), Answer::status(200)]);
    let mut running = logged_in(&server).await;
    assert_eq!(running.line(GET).end().await, "token:one-0123");
    let logout = r#"{"logout":{"profile":"acme"}}"#;
    let said = running.line(logout).end().await;
    assert_eq!(said, "said:logged out of acme: revoked the refresh token and the access token");
    assert_eq!(running.line(GET).end().await, "secret_required");
    assert_eq!(running.line(r#"{"status2":{}}"#).row().await["item"]["status2"]["state"], "login");
    assert!(warnings(&mut running).await.is_empty());
}

#[tokio::test]
async fn what_is_still_to_be_revoked_is_told_and_tried_when_the_vault_is_opened() {
    let server = Scripted::start(vec![Answer::HangUp, Answer::status(200)]);
    let mut running = logged_in(&server).await;
    let remove = r#"{"remove2":{"profile":"acme"}}"#;
    assert_eq!(running.line(remove).end().await, "said:removed acme");
    let told = warnings(&mut running).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("acme: 1 token is still to be revoked (cannot reach"), "{told:?}");
    // Those who look at profiles are told too, though this one is gone.
    let (mut status, mut said) = (running.line(r#"{"status2":{}}"#), String::new());
    while !said.contains("done") {
        said = String::from_utf8(status.0.recv().await.unwrap().bytes.to_vec()).unwrap();
        if said.contains("progress") {
            assert!(said.contains("still to be revoked"), "{said}");
            break;
        }
    }
    assert!(said.contains("progress"), "{said}");

    let (server, _) = requested(server).await;
    assert!(running.line(r#"{"lock":{}}"#).end().await.starts_with("said:sealed"));
    running.line(r#"{"unlock":{}}"#).end().await;
    let (_server, request) = requested(server).await;
    assert!(request.ends_with("&token=refresh-0123&token_type_hint=refresh_token"), "{request}");
    while !warnings(&mut running).await.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_purge_ends_the_agent_and_leaves_nothing() {
    let server = Scripted::start(vec![Answer::status(200)]);
    let mut running = logged_in(&server).await;
    let purge = running.line(r#"{"purge":{}}"#);
    assert_eq!(purge.end().await, "said:removed configuration, vault and state");
    assert!(server.request().contains("token=refresh-0123"));
    let Running { home, driving, inbox, jobs, thread, .. } = running;
    driving.await.unwrap();
    drop((inbox, jobs));
    thread.join().unwrap();
    // The state directory of this home is the home itself.
    assert!(!home.path().exists());
}

#[tokio::test]
async fn a_purge_of_a_sealed_vault_needs_to_be_local() {
    let server = Scripted::start(vec![]);
    let mut running = logged_in(&server).await;
    assert!(running.line(r#"{"lock":{}}"#).end().await.starts_with("said:sealed"));
    assert_eq!(running.line(r#"{"purge":{}}"#).end().await, "vault_sealed");
    let purge = running.line(r#"{"purge":{"local":true}}"#);
    assert_eq!(purge.end().await, "said:removed configuration, vault and state");
    server.assert_idle();
}

#[tokio::test]
async fn nobody_waits_while_a_revocation_hangs() {
    let server = Scripted::start(vec![Answer::Hold(Vec::new())]);
    let mut running = logged_in(&server).await;
    let text = std::fs::read_to_string(running.home.path().join("config.toml")).unwrap();
    running.configure(&format!("{text}[profiles.key]\ngrant = \"api_key\"\n"));
    let set = r#"{"set_secret":{"profile":"key","value":"k"}}"#;
    running.line(set).end().await;
    let hanging = running.line(r#"{"logout":{"profile":"acme"}}"#);
    let (_server, _) = requested(server).await;
    assert_eq!(running.line(r#"{"get":{"profile":"key"}}"#).end().await, "token:k");
    drop(hanging);
}
