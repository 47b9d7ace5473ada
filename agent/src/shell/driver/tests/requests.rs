//! Requests about tokens, with the real core: what comes back, and in which shape.

use super::*;

const POOL: &str = "[profiles.acme]\ngrant = \"api_key\"\nheader = \"X-Member: {token}\"\n\
                    [profiles.search]\npool = [\"acme\"]\nheader = \"X-Pool: {token}\"\n";

#[tokio::test]
async fn a_get_is_answered_in_the_shape_of_its_request() {
    let mut running = running().with_key().await;
    assert_eq!(running.line(GET).end().await, "token:k3y");
    assert_eq!(running.line(r#"{"get2":{"profile":"acme"}}"#).end().await, "token2:k3y:");
}

#[tokio::test]
async fn a_pools_token_says_whose_it_is_and_is_used_as_its_member_says() {
    let mut running = running().with_key().await;
    running.configure(POOL);
    let row = running.line(r#"{"get2":{"profile":"search","uses":2}}"#).row().await;
    let token = &row["done"]["token2"];
    let field = |name: &str| token[name].as_str().unwrap().to_owned();
    assert_eq!(
        [field("access_token"), field("profile"), field("member"), field("header")],
        ["k3y", "search", "acme", "X-Member: {token}"]
    );
}

#[tokio::test]
async fn every_question_about_a_profile_finds_one_that_was_just_written() {
    let mut running = running().with_key().await;
    for (number, question) in [
        r#"{"get":{"profile":"PROFILE"}}"#,
        r#"{"get2":{"profile":"PROFILE"}}"#,
        r#"{"refresh":{"profile":"PROFILE"}}"#,
        r#"{"report":{"profile":"PROFILE","status":403}}"#,
        r#"{"why":{"profile":"PROFILE"}}"#,
        r#"{"usage":{"profile":"PROFILE"}}"#,
    ]
    .into_iter()
    .enumerate()
    {
        running.configure(&format!("[profiles.p{number}]\ngrant = \"api_key\"\n"));
        for (profile, known) in [(format!("p{number}"), true), ("nobody".to_owned(), false)] {
            let end = running.line(&question.replace("PROFILE", &profile)).end().await;
            assert_eq!(end != "no_such_profile", known, "{question}: {end}");
        }
    }
}

#[tokio::test]
async fn a_usage_says_how_a_token_is_used_and_a_token_of_a_query_has_no_header() {
    let mut running = running().with_key().await;
    running.configure(
        "[profiles.acme]\ngrant = \"api_key\"\nquery = \"key\"\napi_urls = \"https://a.example/v1\"\n",
    );
    // Which has the agent read the file, as watching it does.
    assert_eq!(running.line(r#"{"why":{"profile":"later"}}"#).end().await, "no_such_profile");
    let row = running.line(r#"{"usage":{"url":"https://a.example/v1/x?y"}}"#).row().await;
    let usage = &row["done"]["usage"];
    assert_eq!(
        (usage["profile"].as_str(), usage["header"].as_str(), usage["query"].as_str()),
        (Some("acme"), Some(""), Some("key"))
    );
    assert_eq!(usage["api_urls"], serde_json::json!(["https://a.example/v1"]));
    let away = r#"{"usage":{"profile":"acme","url":"https://b.example/"}}"#;
    assert_eq!(running.line(away).end().await, "url_refused");
    assert_eq!(running.line(r#"{"usage":{}}"#).end().await, "usage");
    let row = running.line(GET).row().await;
    assert_eq!(row["done"]["token"]["header"], "");
}

#[tokio::test]
async fn why_tells_the_attempts_and_then_how_the_profile_stands() {
    let mut running = running().with_key().await;
    assert!(running.line(GET).end().await.starts_with("token"));
    let report = r#"{"report":{"profile":"acme","status":429,"retry_after_s":60}}"#;
    let reported = running.line(report).end().await;
    assert!(reported.starts_with("said:"), "{reported}");
    let mut waiting = running.line(r#"{"why":{"profile":"acme"}}"#);
    let attempt = waiting.row().await;
    assert_eq!(attempt["item"]["attempt"]["status"], 429);
    assert_eq!(attempt["item"]["attempt"]["origin"], "");
    let done = waiting.row().await;
    assert_eq!(done["done"]["why"]["status"]["state"], "cooling");
    assert!(done["done"]["why"]["next"].as_str().is_some_and(|next| !next.is_empty()));
}

#[tokio::test]
async fn a_listing_of_states_shows_profiles_and_entries_that_have_none() {
    let mut running = running().with_key().await;
    running.configure("[profiles.other]\ngrant = \"api_key\"\n");
    assert!(running.line(r#"{"agent_reload":{}}"#).end().await.starts_with("said:"));
    let mut waiting = running.line(r#"{"status2":{}}"#);
    for (profile, state) in [("acme", "orphan"), ("other", "stored")] {
        let row = waiting.row().await;
        let row = &row["item"]["status2"];
        assert_eq!((&row["profile"], &row["state"]), (&profile.into(), &state.into()));
        assert_eq!(row["exit"], 0);
    }
    assert_eq!(waiting.end().await, "said:");
}

#[tokio::test]
async fn a_sealed_agent_shows_what_the_last_one_knew() {
    let mut running = running().with_key().await;
    assert_eq!(running.line(GET).end().await, "token:k3y");
    let report = r#"{"report":{"profile":"acme","status":429,"retry_after_s":60}}"#;
    assert!(running.line(report).end().await.starts_with("said:"));

    let mut running = running.restart().await;
    let row = running.line(r#"{"status2":{}}"#).row().await;
    let row = &row["item"]["status2"];
    assert_eq!((&row["profile"], &row["state"]), (&"acme".into(), &"sealed".into()));
    assert!(row["last_used_at"].is_i64(), "{row}");
    let attempt = running.line(r#"{"why":{"profile":"acme"}}"#).row().await;
    assert_eq!(attempt["item"]["attempt"]["status"], 429);
    let unlock = r#"{"unlock":{"passphrase":"pw","interactive":false}}"#;
    assert!(running.line(unlock).end().await.starts_with("said:"));
    assert_eq!(running.line(GET).end().await, "rate_limited");
}
