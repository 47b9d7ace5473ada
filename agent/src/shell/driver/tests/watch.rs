//! What clients are told that watch.

use super::*;

const PROGRAMS: &str = "[profiles.acme]\ngrant = \"command\"\ncommand = [\"/bin/echo\", \"t0ken\"]\n\
                        [profiles.other]\ngrant = \"command\"\ncommand = [\"/bin/echo\", \"t0ken\"]\n\
                        [profiles.broken]\ngrant = \"command\"\ncommand = [\"/no-such-program\"]\n\
                        [profiles.search]\npool = [\"other\"]\n";

/// An open vault without a passphrase, and profiles whose tokens come of programs.
async fn with_programs() -> Running {
    let mut running = running();
    let init = r#"{"init":{"passphrase":null,"replace":false,"network":[]}}"#;
    assert!(running.line(init).end().await.starts_with("said:made"));
    running.configure(PROGRAMS);
    assert!(running.line(r#"{"agent_reload":{}}"#).end().await.starts_with("said:"));
    running
}

impl Running {
    /// A watcher that knows that it is one, and its request.
    async fn watches(&mut self, profiles: &str) -> (RequestId, Waiting) {
        let id = RequestId(self.next_id);
        let mut watching = self.line(&format!(r#"{{"watch":{{"profiles":[{profiles}]}}}}"#));
        let first = tokio::time::timeout(PATIENCE, watching.0.recv()).await.unwrap().unwrap();
        assert_eq!(&*first.bytes, b"{\"progress\":{\"text\":\"watching\",\"warning\":false}}\n");
        (id, watching)
    }

    async fn gets(&mut self, profile: &str) -> String {
        self.line(&format!(r#"{{"get":{{"profile":"{profile}"}}}}"#)).end().await
    }
}

/// What happened, to whom, and of which kind a failure is.
async fn told(watching: &mut Waiting) -> String {
    let row = watching.row().await;
    let event = &row["item"]["event"];
    assert!(!row.to_string().contains("t0ken"), "{row}");
    assert!(event["at_ms"].as_i64().unwrap() > 0, "{row}");
    let word = |name: &str| event[name].as_str().map(|text| format!(" {text}")).unwrap_or_default();
    format!("{}{}{}", word("what").trim(), word("profile"), word("kind"))
}

#[tokio::test]
async fn a_watcher_is_told_of_its_profiles_and_of_nothing_else() {
    let mut running = with_programs().await;
    let (_, mut of_acme) = running.watches(r#""acme""#).await;
    let (_, mut of_pool) = running.watches(r#""search""#).await;
    let (_, mut of_all) = running.watches("").await;
    assert_eq!(running.gets("other").await, "token:t0ken");
    assert_eq!(running.gets("acme").await, "token:t0ken");
    assert_eq!(running.gets("broken").await, "config_invalid");
    assert!(running.line(r#"{"lock":{}}"#).end().await.starts_with("said:"));
    let unlock = r#"{"unlock":{"passphrase":null,"interactive":false}}"#;
    assert!(running.line(unlock).end().await.starts_with("said:"));
    for expected in
        ["renewed other", "renewed acme", "failed broken config_invalid", "locked", "unlocked"]
    {
        assert_eq!(told(&mut of_all).await, expected);
    }
    assert_eq!(told(&mut of_acme).await, "renewed acme");
    assert_eq!(told(&mut of_pool).await, "renewed other");
    assert!(of_acme.0.try_recv().is_err());
    assert!(of_pool.0.try_recv().is_err());
}

#[tokio::test]
async fn a_profile_that_is_not_there_cannot_be_watched_and_one_that_was_just_written_can() {
    let mut running = with_programs().await;
    let both = r#"{"watch":{"profiles":["acme","nobody"]}}"#;
    assert_eq!(running.line(both).end().await, "no_such_profile");
    running.configure(&format!("{PROGRAMS}[profiles.nobody]\ngrant = \"api_key\"\n"));
    running.watches(r#""acme","nobody""#).await;
}

#[tokio::test]
async fn a_watch_ends_when_it_is_cancelled_and_with_the_agent() {
    let mut running = with_programs().await;
    let (id, cancelled) = running.watches("").await;
    let (_, stopped) = running.watches("").await;
    let (gone, left) = running.watches("").await;
    running.inbox.send(Input::Event(Event::Cancel { request: id })).unwrap();
    running.inbox.send(Input::Gone(gone)).unwrap();
    assert_eq!(cancelled.end().await, "cancelled");
    drop(left);
    assert!(running.line(r#"{"agent_stop":{}}"#).end().await.starts_with("said:"));
    assert_eq!(stopped.end().await, "no_agent");
    running.driving.await.unwrap();
}
