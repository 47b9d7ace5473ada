//! Logins through the driver, with a provider that does as it was told and the test in the place of the
//! person and of the browser.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use super::*;
use crate::shell::http::scripted::{Answer, Scripted};
use crate::vault::RawAnswer;

const LOGIN: &str = r#"{"login":{"profile":"acme","method":"browser","has_browser":true}}"#;
const GET: &str = r#"{"get":{"profile":"acme"}}"#;
const TOKENS: &str = r#"{"access_token":"t1","refresh_token":"r1","expires_in":3600}"#;

fn profile(port: u16, more: &str) -> String {
    format!(
        "[profiles.acme]\ngrant = \"authorization_code\"\nclient_id = \"cc\"\n\
         client_auth = \"none\"\nallow_http_loopback = true\n\
         authorization_endpoint = \"http://127.0.0.1:{port}/auth\"\n\
         token_endpoint = \"http://127.0.0.1:{port}/token\"\n{more}\n\
         [profiles.other]\ngrant = \"api_key\"\n"
    )
}

/// An open vault, a profile that somebody logs in with, and its provider.
async fn with_provider(answers: Vec<Answer>, more: &str) -> (Running, Scripted) {
    let provider = Scripted::start(answers);
    let mut running = running();
    running.configure(&profile(provider.port, more));
    let made = running.line(r#"{"init":{"passphrase":null,"replace":false,"network":[]}}"#);
    assert!(made.end().await.starts_with("said:made"));
    running.line(r#"{"agent_reload":{}}"#).end().await;
    (running, provider)
}

/// The step that a client is shown, with its URL.
async fn step(login: &mut Waiting) -> (serde_json::Value, Url) {
    let row = login.row().await;
    let step = row["item"]["login"].clone();
    let url = Url::parse(step["url"].as_str().unwrap_or_else(|| panic!("{row}"))).unwrap();
    (step, url)
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).unwrap_or_else(|| panic!("{name}")).1.into()
}

/// Comes back to where the browser was told to, and gives the page that it shows.
async fn come_back(url: &Url, query: &str) -> String {
    let redirect_uri = Url::parse(&parameter(url, "redirect_uri")).unwrap();
    let port = redirect_uri.port().unwrap();
    let state = parameter(url, "state");
    let request = format!(
        "GET {}?{query}&state={state} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        redirect_uri.path()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut page = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut page)).await.unwrap().unwrap();
    page
}

async fn is_listened_to(url: &Url) -> bool {
    let port = Url::parse(&parameter(url, "redirect_uri")).unwrap().port().unwrap();
    TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

#[tokio::test]
async fn a_browser_that_comes_back_with_a_code_brings_tokens() {
    let (mut running, provider) = with_provider(vec![Answer::json(TOKENS)], "").await;
    let mut login = running.line(LOGIN);
    let (step, url) = step(&mut login).await;
    assert_eq!((&step["method"], &step["opens"]), (&"browser".into(), &true.into()));
    assert_eq!(parameter(&url, "code_challenge_method"), "S256");
    let page = come_back(&url, "code=c-1").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("You are logged in"), "{page}");
    let request = provider.request();
    let redirect_uri = parameter(&url, "redirect_uri").replace(':', "%3A").replace('/', "%2F");
    for part in
        ["POST /token ", "code=c-1&", "&code_verifier=", &format!("redirect_uri={redirect_uri}")]
    {
        assert!(request.contains(part), "{part}: {request}");
    }
    assert_eq!(login.end().await, "said:logged in to acme; its token is valid 1h");
    assert_eq!(running.line(GET).end().await, "token:t1");
    provider.assert_idle();
}

#[tokio::test]
async fn whoever_asks_while_a_login_is_pending_joins_it() {
    let (mut running, provider) = with_provider(vec![Answer::json(TOKENS)], "").await;
    let mut first = running.line(&LOGIN.replace("true", "false"));
    let (first_step, url) = step(&mut first).await;
    assert_eq!(first_step["opens"], false);
    let (mut second, mut third) = (running.line(LOGIN), running.line(LOGIN));
    let (second_step, same) = step(&mut second).await;
    let (third_step, _) = step(&mut third).await;
    assert_eq!(
        (second_step["opens"].clone(), third_step["opens"].clone()),
        (true.into(), false.into())
    );
    assert_eq!(url, same);
    come_back(&url, "code=c").await;
    for waiting in [first, second, third] {
        assert!(waiting.end().await.starts_with("said:logged in to acme"));
    }
    drop(provider.request());
    provider.assert_idle();
}

#[tokio::test]
async fn a_login_ends_with_the_last_one_who_waits_for_it() {
    let (mut running, _provider) = with_provider(vec![], "").await;
    let ids = [RequestId(running.next_id), RequestId(running.next_id + 1)];
    let (mut first, mut second) = (running.line(LOGIN), running.line(LOGIN));
    let (_, url) = step(&mut first).await;
    step(&mut second).await;
    running.inbox.send(Input::Gone(ids[0])).unwrap();
    running.settle().await;
    assert!(is_listened_to(&url).await);
    running.inbox.send(Input::Event(Event::Cancel { request: ids[1] })).unwrap();
    assert_eq!(second.end().await, "cancelled");
    running.settle().await;
    assert!(!is_listened_to(&url).await);
    // Another one begins anew.
    let (_, other) = step(&mut running.line(LOGIN)).await;
    assert_ne!(parameter(&url, "state"), parameter(&other, "state"));
}

#[tokio::test]
async fn a_person_who_says_no_and_a_provider_that_fails_are_told_apart() {
    let large = Answer::Flood(
        b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n{\"access_token\":\"".to_vec(),
        vec![b'x'; 64 * 1024],
    );
    for (query, answers, kind, page) in [
        ("error=access_denied&error_description=%1b%5b2J", vec![], "login_denied", "was denied"),
        ("error=server_error", vec![], "provider_failed", "did not work"),
        ("code=c&code=d", vec![], "provider_failed", "did not work"),
        ("code=c", vec![Answer::status(500)], "provider_failed", "did not work"),
        ("code=c", vec![large], "provider_failed", "did not work"),
        ("code=c", vec![Answer::HangUp], "provider_unreachable", "did not work"),
    ] {
        let (mut running, _provider) = with_provider(answers, "").await;
        let mut login = running.line(LOGIN);
        let (_, url) = step(&mut login).await;
        assert!(come_back(&url, query).await.contains(page), "{query}");
        assert_eq!(login.end().await, kind, "{query}");
        assert_eq!(stored(&running).await, None, "{query}");
    }
}

/// The refresh token and whether there is an answer to a login that nobody has read, of what the vault has
/// for the profile.
async fn stored(running: &Running) -> Option<(Option<String>, bool)> {
    let read = running.jobs.ask(|worker| {
        let (vault, keys) = worker.open()?;
        Ok(vault.read(keys, &ProfileName::parse("acme").unwrap()).unwrap())
    });
    let entry = read.await.unwrap()?;
    let refresh = entry.refresh.as_ref().map(|held| held.token.expose().to_owned());
    (refresh.is_some() || entry.unread_login().is_some())
        .then(|| (refresh, entry.unread_login().is_some()))
}

#[tokio::test]
async fn others_are_served_while_a_login_hangs() {
    let (mut running, provider) = with_provider(vec![Answer::Hold(Vec::new())], "").await;
    let set = r#"{"set_secret":{"profile":"other","name":null,"value":"k3y","interactive":false}}"#;
    assert!(running.line(set).end().await.starts_with("said:"));
    let mut login = running.line(LOGIN);
    let (_, url) = step(&mut login).await;
    let browser = tokio::spawn(async move { come_back(&url, "code=c").await });
    let asked = tokio::task::spawn_blocking(move || (provider.request(), provider));
    let (request, _hangs) = asked.await.unwrap();
    assert!(request.contains("code=c&"));
    assert_eq!(running.line(r#"{"get":{"profile":"other"}}"#).end().await, "token:k3y");
    browser.abort();
}

#[tokio::test]
async fn a_code_that_is_spent_is_seen_through_though_nobody_waits() {
    let (mut running, provider) = with_provider(vec![Answer::json(TOKENS)], "").await;
    let id = RequestId(running.next_id);
    let mut login = running.line(LOGIN);
    let (_, url) = step(&mut login).await;
    // Nothing is sent before the vault thread has shown that it can write.
    let held = running.hold_vault_thread();
    let browser = tokio::spawn({
        let url = url.clone();
        async move { come_back(&url, "code=c").await }
    });
    while is_listened_to(&url).await {
        tokio::task::yield_now().await;
    }
    running.inbox.send(Input::Gone(id)).unwrap();
    drop(held);
    assert!(browser.await.unwrap().contains("You are logged in"));
    drop(provider.request());
    while stored(&running).await != Some((Some("r1".to_owned()), false)) {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.line(GET).end().await, "token:t1");
}

#[tokio::test]
async fn a_pasted_address_is_taken_when_it_is_the_right_one() {
    let (mut running, provider) = with_provider(vec![Answer::json(TOKENS)], "").await;
    let id = RequestId(running.next_id);
    let mut login = running.line(&LOGIN.replace("browser\",", "paste\","));
    let (step, url) = step(&mut login).await;
    assert_eq!(step["method"], "paste");
    assert!(!is_listened_to(&url).await);
    let ended_at = |query: &str| {
        format!("{}?{query}&state={}", parameter(&url, "redirect_uri"), parameter(&url, "state"))
    };
    for pasted in ["https://example.com/", "code=c&state=x", &ended_at("code=c-2")] {
        assert!(login.row().await["ask"]["hidden"] == false);
        let passphrase = tokctl_proto::Secret::new(pasted.to_owned());
        let answer = Event::Passphrase { request: id, passphrase };
        running.inbox.send(Input::Event(answer)).unwrap();
    }
    assert!(login.end().await.starts_with("said:logged in to acme"));
    assert!(provider.request().contains("code=c-2&"));
}

#[tokio::test]
async fn a_login_on_another_device_is_asked_about_until_it_is_done() {
    let begun = r#"{"device_code":"d-1","user_code":"WDJB-MJHT","interval":1,"expires_in":600,
        "verification_uri":"https://as.example/device"}"#;
    let pending = Answer::Bytes(
        b"HTTP/1.1 400 X\r\nContent-Length: 33\r\n\r\n{\"error\":\"authorization_pending\"}\n"
            .to_vec(),
    );
    let answers = vec![Answer::json(begun), pending, Answer::json(TOKENS)];
    let provider = Scripted::start(answers);
    let device =
        format!("device_authorization_endpoint = \"http://127.0.0.1:{}/d\"", provider.port);
    let mut running = running();
    running.configure(&profile(provider.port, &device));
    running.line(r#"{"init":{"passphrase":null,"replace":false,"network":[]}}"#).end().await;
    running.line(r#"{"agent_reload":{}}"#).end().await;
    // Nobody says how: there is no browser, and the provider has an endpoint for devices.
    let mut login = running.line(r#"{"login":{"profile":"acme","scope":["a b"]}}"#);
    let (step, url) = step(&mut login).await;
    assert_eq!((&step["method"], &step["code"]), (&"device".into(), &"WDJB-MJHT".into()));
    assert_eq!(url.as_str(), "https://as.example/device");
    assert!(login.end().await.starts_with("said:logged in to acme"));
    assert!(provider.request().ends_with("client_id=cc&scope=a+b"));
    for _ in 0..2 {
        assert!(provider.request().contains("device_code=d-1&grant_type=urn"));
    }
    assert_eq!(stored(&running).await, Some((Some("r1".to_owned()), false)));
}

#[tokio::test]
async fn a_refused_pushed_request_ends_the_login_before_a_browser_is_sent() {
    let body = r#"{"error":"invalid_request","error_description":"redirect_uri"}"#;
    let refused = format!("HTTP/1.1 400 X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let provider = Scripted::start(vec![Answer::Bytes(refused.into_bytes())]);
    let par = format!(
        "pushed_authorization_request_endpoint = \"http://127.0.0.1:{}/par\"",
        provider.port
    );
    let mut running = running();
    running.configure(&profile(provider.port, &par));
    running.line(r#"{"init":{"passphrase":null,"replace":false,"network":[]}}"#).end().await;
    running.line(r#"{"agent_reload":{}}"#).end().await;
    assert_eq!(running.line(LOGIN).end().await, "provider_refused");
    assert!(provider.request().starts_with("POST /par "));
}

#[tokio::test]
async fn what_needs_no_person_has_nothing_to_log_in_to() {
    let (mut running, _provider) = with_provider(vec![], "").await;
    assert_eq!(running.line(r#"{"login":{"profile":"other"}}"#).end().await, "usage");
    assert_eq!(running.line(r#"{"login":{"profile":"nobody"}}"#).end().await, "no_such_profile");
    let odd = r#"{"login":{"profile":"acme","method":"carrier-pigeon"}}"#;
    assert_eq!(
        Command::parse(NOBODY, codec::decode_line(odd.as_bytes()).unwrap()).unwrap_err().kind,
        tokctl_proto::Kind::Usage
    );
}

#[tokio::test]
async fn an_edit_of_the_profile_and_a_lock_end_a_login_that_waits() {
    let (mut running, provider) = with_provider(vec![], "").await;
    let mut login = running.line(LOGIN);
    let (_, url) = step(&mut login).await;
    running.configure(&profile(provider.port, "scope = \"x\""));
    assert!(running.line(r#"{"agent_reload":{}}"#).end().await.starts_with("said:"));
    assert_eq!(login.end().await, "config_invalid");
    let mut login = running.line(LOGIN);
    let (_, other) = step(&mut login).await;
    assert!(running.line(r#"{"lock":{}}"#).end().await.starts_with("said:sealed"));
    assert_eq!(login.end().await, "vault_sealed");
    running.settle().await;
    assert!(!is_listened_to(&url).await && !is_listened_to(&other).await);
}

#[tokio::test]
async fn an_answer_that_a_crash_left_unread_is_read_at_the_next_start() {
    let (mut running, provider) = with_provider(vec![], "").await;
    let port = provider.port;
    let left = move |worker: &mut Worker| {
        let name = ProfileName::parse("acme").unwrap();
        let profile = worker.read_config()?.config.profiles[&name].clone();
        let (vault, keys) = worker.open()?;
        let mut entry = crate::vault::Entry::new(crate::shell::stored::new_id()?);
        entry.origins = [format!("http://127.0.0.1:{port}")].into();
        let now = clock::now().wall;
        entry.receive_login(RawAnswer {
            key: TokenKey::plain(name.clone()),
            revision: crate::shell::live::revision(&profile),
            endpoint: format!("http://127.0.0.1:{port}/token"),
            sent_at: now,
            received_at: now,
            status: 200,
            content_type: None,
            retry_after: None,
            date: None,
            body: tokctl_proto::Secret::new(base64::Engine::encode(
                &base64::engine::general_purpose::STANDARD,
                TOKENS,
            )),
        });
        vault.write(keys, &name, &mut entry).unwrap();
        Ok(())
    };
    running.jobs.ask(left).await.unwrap();
    assert_eq!(stored(&running).await, Some((None, true)));
    running = running.restart().await;
    assert_eq!(running.line(GET).end().await, "token:t1");
    assert_eq!(stored(&running).await, Some((Some("r1".to_owned()), false)));
    provider.assert_idle();
}
