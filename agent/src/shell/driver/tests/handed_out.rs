//! What may leave the agent as a token: RFC 6749 appendix A.12.

use tokctl_core::Token;
use tokctl_proto::{Secret, TokenKey, WallMs};

use super::*;
use crate::shell::change;
use crate::shell::live::revision;
use crate::vault::Entry;

const NO_TOKENS: &[&str] = &["a\nb", "a\r", "\u{1b}[2J", "a\0b", "\u{7f}", "\u{e4}", "\u{9b}2J"];

impl Running {
    /// Changes the entry of acme behind the agent's back, before it has read it.
    async fn change_entry(&self, change: impl FnOnce(&mut Entry) + Send + 'static) {
        let name = ProfileName::parse("acme").unwrap();
        let changed = self.jobs.ask(move |worker| {
            let (vault, keys) = worker.open()?;
            let mut entry = vault.read(keys, &name).unwrap().unwrap();
            change(&mut entry);
            vault.write(keys, &name, &mut entry).unwrap();
            Ok(())
        });
        changed.await.unwrap();
    }

    async fn hands_out_nothing(&mut self, hint: &str) {
        for get in ["get", "get2", "get3"] {
            let mut refused = self.line(&format!(r#"{{"{get}":{{"profile":"acme"}}}}"#));
            let error = &refused.row().await["error"];
            assert_eq!((&error["kind"], &error["hint"]), (&"secret_required".into(), &hint.into()));
            assert!(error["message"].as_str().unwrap().contains("RFC 6749"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_no_token_is_not_stored() {
    let mut running = running().with_key().await;
    for key in NO_TOKENS {
        let value = serde_json::to_string(key).unwrap();
        let set = format!(r#"{{"set_secret":{{"profile":"acme","value":{value}}}}}"#);
        assert_eq!(running.line(&set).end().await, "usage", "{key:?}");
    }
    assert_eq!(running.line(GET).end().await, "token:k3y");
    // A password of HTTP's basic authentication may have a space in it.
    let set = r#"{"set_secret":{"profile":"acme","value":"user:pass word"}}"#;
    assert!(running.line(set).end().await.starts_with("said:"));
    assert_eq!(running.line(GET).end().await, "token:user:pass word");
}

#[tokio::test]
async fn a_key_that_an_entry_holds_and_that_is_no_token_does_not_leave() {
    for key in NO_TOKENS {
        let mut running = running().with_key().await;
        let key = Secret::new((*key).to_owned());
        running
            .change_entry(|entry| {
                entry.secrets.insert("key".to_owned(), key);
            })
            .await;
        running.hands_out_nothing("run `tokctl set-secret acme`").await;
    }
}

#[tokio::test]
async fn a_token_that_an_entry_holds_and_that_is_no_token_does_not_leave() {
    let mut running = running().with_key().await;
    running.configure("[profiles.acme]\ngrant = \"command\"\ncommand = [\"/bin/false\"]\n");
    let profile = running.jobs.ask(|worker| {
        let name = ProfileName::parse("acme").unwrap();
        change::profile(worker, &name)
    });
    let token = Token {
        access_token: Secret::new("a\nGITHUB_TOKEN=b".to_owned()),
        token_type: "Bearer".to_owned(),
        issued_at: WallMs(0),
        expires_at: None,
        scope: None,
        extra: Secret::default(),
        revision: revision(&profile.await.unwrap()),
    };
    let key = TokenKey::plain(ProfileName::parse("acme").unwrap());
    running
        .change_entry(|entry| {
            entry.tokens.insert(key, token);
        })
        .await;
    running.hands_out_nothing("run `tokctl refresh acme`").await;
}
