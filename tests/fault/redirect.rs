//! Visitors of the port that a browser comes back to, and providers that answer a login badly.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokctl_tests::http::Call;
use tokctl_tests::idp::Idp;
use tokctl_tests::login::{Address, Login};
use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider, eventually};

const TOKENS: &str =
    r#"{"access_token":"t1","token_type":"Bearer","refresh_token":"r1","expires_in":3600}"#;
/// In which a port must be free again.
const CLOSES_WITHIN: Duration = Duration::from_secs(1);
/// As many connections as a stranger keeps open at a time.
const SLOW_MAX: usize = 50;

/// A home with a profile that somebody logs in with.
fn with_profile(provider: &Provider) -> Home {
    let home = Home::new().init_bare();
    let authorization = format!("{}/auth", provider.issuer());
    home.tokctl(["add", "acme", "--grant", "authorization_code", "--client-id", "cc"])
        .args(["--token-endpoint", &provider.token_endpoint()])
        .args(["--authorization-endpoint", &authorization])
        .run()
        .ok();
    home
}

fn begin(home: &Home) -> (Login, Address) {
    let login = Login::start(home, "acme", &["--browser"]);
    let address = login.address();
    (login, address)
}

#[test]
fn a_wrong_state_changes_nothing_however_often_it_comes() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    let (login, address) = begin(&home);
    let first = address.send(address.head("code=c&state=0").as_bytes());
    assert!(first.starts_with("HTTP/1.1 400 "), "{first}");
    for n in 1..1000 {
        assert_eq!(address.send(address.head(&format!("code=c&state={n}")).as_bytes()), first);
    }
    assert_eq!(provider.token_requests().len(), 0);
    provider.answer_next(Answer::json(200, TOKENS));
    let page = address.come_back("code=c");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("You are logged in"), "{page}");
    login.finish().ok();
    assert_eq!(home.get("acme"), "t1");
    let request = provider.token_requests().remove(0);
    assert_eq!(request.param("redirect_uri"), Some(&*address.parameter("redirect_uri")));
    assert!(request.param("code_verifier").is_some_and(|verifier| verifier.len() == 43));
}

#[test]
fn fifty_visitors_that_never_finish_keep_nobody_waiting() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    let (login, address) = begin(&home);
    let head = address.head("code=c");
    let slow: Vec<TcpStream> = (0..50)
        .map(|n| {
            let mut stream = TcpStream::connect(("127.0.0.1", address.port())).unwrap();
            stream.write_all(&head.as_bytes()[..n]).unwrap();
            stream
        })
        .collect();
    provider.answer_next(Answer::json(200, TOKENS));
    let begun = Instant::now();
    assert!(address.come_back("code=c").contains("You are logged in"));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    login.finish().ok();
    drop(slow);
}

#[test]
fn whoever_was_not_sent_by_the_provider_gets_the_same_page() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    let (login, address) = begin(&home);
    let (port, state) = (address.port(), address.parameter("state"));
    let right = address.head(&format!("code=c&state={state}"));
    let stray = address.send(address.head("").as_bytes());
    for bytes in [
        right.replace("127.0.0.1", "evil.example"),
        right.replace("127.0.0.1", "localhost"),
        right.replace(&format!("Host: 127.0.0.1:{port}"), "Host: 127.0.0.1"),
        right.replace(&format!("Host: 127.0.0.1:{port}\r\n"), ""),
        right.replace("GET", "POST"),
        right.replace("GET", "HEAD"),
        right.replace("callback", ""),
        right.replace("callback", "favicon.ico"),
        right.replace("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n"),
        right.replace("\r\n\r\n", "\r\nSec-Fetch-Mode: no-cors\r\n\r\n"),
        format!("GET /callback?code=c&state={state}\r\n\r\n"),
        format!("GET /callback?code=c&state={state}&state={state} HTTP/1.1\r\n\r\n"),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n".to_owned(),
    ] {
        assert_eq!(address.send(bytes.as_bytes()), stray, "{bytes}");
    }
    let huge = right.replace("\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)));
    let answer = address.send(huge.as_bytes());
    assert!(stray.starts_with(&answer), "{answer}");
    assert_eq!(provider.token_requests().len(), 0);
    for absent in [&state, "script", "code=c"] {
        assert!(!stray.contains(absent), "{stray}");
    }
    for present in ["Cache-Control: no-store", "default-src 'none'", "Referrer-Policy: no-referrer"]
    {
        assert!(stray.contains(present), "{stray}");
    }
    login.signal(Signal::SIGINT);
    login.finish().exits(130);
}

#[test]
fn the_port_is_this_machines_alone_and_open_for_the_login_alone() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    for how in ["success", "refusal", "ctrl-c", "killed client", "edit", "lock"] {
        let (login, address) = begin(&home);
        let port = address.port();
        assert_eq!(listeners(port), ["0100007F"], "{how}");
        match how {
            "success" => {
                provider.answer_next(Answer::json(200, TOKENS));
                address.come_back("code=c");
            }
            "refusal" => drop(address.come_back("error=access_denied")),
            "ctrl-c" => login.signal(Signal::SIGINT),
            "killed client" => login.signal(Signal::SIGKILL),
            "edit" => drop(home.tokctl(["set", "acme", "scope=x"]).run().ok()),
            _ => drop(home.tokctl(["lock"]).run().ok()),
        }
        let over = Instant::now();
        eventually(&format!("the port is closed by {how}"), || {
            listeners(port).is_empty().then_some(())
        });
        assert!(over.elapsed() < CLOSES_WITHIN, "{how}: {:?}", over.elapsed());
        let code = match how {
            "success" => 0,
            "refusal" => 6,
            "ctrl-c" => 130,
            "killed client" => 137,
            "edit" => 10,
            _ => 4,
        };
        login.finish().exits(code);
    }
}

/// The addresses at which a port is listened to, as the kernel writes them.
fn listeners(port: u16) -> Vec<String> {
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (address, of) = words[1].split_once(':').unwrap();
            if of == format!("{port:04X}") && words[3] == "0A" {
                found.push(address.to_owned());
            }
        }
    }
    found
}

#[test]
fn what_a_provider_says_of_a_refusal_cannot_move_the_cursor() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    let hostile = "%1b%5d52%3bc%3bx%07%0d%0a%e2%80%ae%c2%9b2J";
    for query in [
        format!("error=access_denied&error_description={hostile}"),
        format!("error={hostile}"),
        format!("code=c&iss={hostile}"),
    ] {
        let (login, address) = begin(&home);
        if query.starts_with("code") {
            provider.answer_next(Answer::json(
                400,
                "{\"error\":\"invalid_grant\",\"error_description\":\"\\u001b[2J\\u202e\"}",
            ));
        }
        address.come_back(&query);
        let output = login.finish();
        assert_ne!(output.code, 0);
        let visible = |character: char| matches!(character, ' '..='~' | '\n');
        assert!(output.stderr.chars().all(visible), "{output:?}");
    }
}

#[test]
fn a_provider_that_answers_a_login_with_nonsense_costs_nothing() {
    let (provider, good) = (Provider::start(), Provider::start());
    let home = with_profile(&provider);
    home.add_at("good", &good);
    let token = home.get("good");
    let large = format!("{{\"access_token\":\"{}\"}}", "x".repeat(10 << 20));
    for (answer, code) in [
        (Answer::json(200, &large), 7),
        (Answer::json(200, "{}"), 7),
        (Answer::json(200, "{\"access_token\":\"a\\nb\"}"), 7),
        (Answer::json(400, "{\"error\":\"invalid_grant\"}"), 6),
        (Answer::Close, 7),
        (Answer::CloseAfterHeaders, 7),
        (Answer::canned(302, &[("location", "http://127.0.0.1:1/")], ""), 7),
    ] {
        provider.answer_next(answer.clone());
        let (login, address) = begin(&home);
        assert!(address.come_back("code=c").contains("did not work"), "{answer:?}");
        login.finish().exits(code);
        assert_eq!(home.get("good"), token);
    }
    // A code is sent once, whatever was answered.
    assert_eq!(provider.token_requests().len(), 7);
    home.tokctl(["get", "acme"]).run().fails(5, &["tokctl login acme"]);
}

#[test]
fn an_answer_that_names_another_issuer_or_none_costs_its_code() {
    let idp = Idp::start();
    let home = Home::new().init_bare();
    home.tokctl(["add", "acme", "--grant", "authorization_code", "--client-auth", "none"])
        .args(["--issuer", idp.issuer(), "--client-id", &idp.client("native").id])
        .args(["--scope", "api"])
        .run()
        .ok();
    for (iss, said) in [
        ("&iss=https%3A%2F%2Fevil.example", "is of another issuer, `https://evil.example`"),
        ("", "does not say whose it is"),
    ] {
        let login = Login::start(&home, "acme", &["--browser"]);
        let back = idp.authorize(&login.address().0);
        let (rest, _) = back.split_once("&iss=").unwrap();
        let page = Call::get(&format!("{rest}{iss}")).send().unwrap();
        assert!(page.text().contains("did not work"), "{page:?}");
        login.finish().fails(7, &[said, "run `tokctl login acme` again"]);
    }
    assert_eq!(idp.token_requests().len(), 0);
}

#[test]
fn others_are_served_while_a_login_hangs_at_the_provider() {
    let (provider, good) = (Provider::start(), Provider::start());
    let home = with_profile(&provider);
    home.add_at("good", &good);
    let token = home.get("good");
    provider.answer_next(Answer::Hang);
    let (login, address) = begin(&home);
    let browser = std::thread::spawn(move || address.come_back("code=c"));
    provider.wait_for_hanging(1);
    assert_eq!(home.get("good"), token);
    home.tokctl(["get", "good", "--refresh"]).run().ok();
    provider.release();
    browser.join().unwrap();
    login.finish().exits(6);
}

#[test]
fn others_are_served_and_log_in_while_strangers_keep_a_login_busy() {
    let (provider, good) = (Provider::start(), Provider::start());
    let home = with_profile(&provider);
    home.add_at("good", &good);
    let token = home.get("good");
    home.tokctl(["add", "other", "--grant", "authorization_code", "--client-id", "cc"])
        .args(["--token-endpoint", &provider.token_endpoint()])
        .args(["--authorization-endpoint", &format!("{}/auth", provider.issuer())])
        .run()
        .ok();
    let (login, address) = begin(&home);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let strangers = || {
            let mut slow = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                // Half a request that stays, and a whole one of another login.
                let mut stream = TcpStream::connect(("127.0.0.1", address.port())).unwrap();
                stream.write_all(b"GET /callback?code=c&state=").unwrap();
                slow.push(stream);
                address.send(address.head("code=c&state=0").as_bytes());
                slow.truncate(SLOW_MAX);
            }
        };
        scope.spawn(strangers);
        scope.spawn(strangers);
        // Whatever fails here, the strangers go.
        let _gone = Raised(&stop);
        assert_eq!(home.get("good"), token);
        home.add_at("late", &good);
        assert_ne!(home.get("late"), token);
        let other = Login::start(&home, "other", &["--browser"]);
        provider.answer_next(Answer::json(200, TOKENS));
        assert!(other.address().come_back("code=c").contains("You are logged in"));
        other.finish().ok();
        assert_eq!(home.get("other"), "t1");
    });
    assert_eq!(provider.token_requests().len(), 1);
    provider.answer_next(Answer::json(200, TOKENS));
    assert!(address.come_back("code=c").contains("You are logged in"));
    login.finish().ok();
}

/// Set when it is dropped.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
