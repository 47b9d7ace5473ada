//! Logins with the real programs: a browser that comes back, a code on another device, a pasted address, those who
//! wait, and what becomes of it all afterwards.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokctl_tests::login::Login;
use tokctl_tests::provider::{self, Answer};
use tokctl_tests::{Home, Provider, eventually};

fn tokens(access_token: &str, refresh_token: &str, expires_in: u32) -> Answer {
    let body = json!({
        "access_token": access_token, "refresh_token": refresh_token, "expires_in": expires_in,
        "token_type": "Bearer",
    });
    Answer::json(200, &body.to_string())
}

fn with_profile(provider: &Provider) -> Home {
    let home = Home::new().init_bare();
    let authorization = format!("{}/auth", provider.issuer());
    let secret = home.secret_file("acme.secret", provider::CLIENT_SECRET);
    home.tokctl(["add", "acme", "--grant", "authorization_code", "--client-id", "cc"])
        .arg("--secret-file")
        .arg(secret)
        .args(["--token-endpoint", &provider.token_endpoint()])
        .args(["--authorization-endpoint", &authorization, "--scope", "api"])
        .run()
        .ok();
    home
}

#[test]
fn a_login_brings_a_token_and_renewals_go_on_from_it() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    home.tokctl(["get", "acme"]).run().fails(5, &["run `tokctl login acme`"]);
    let login = Login::start(&home, "acme", &["--browser", "--scope", "more"]);
    let address = login.address();
    assert_eq!(address.parameter("scope"), "api more");
    assert_eq!(address.parameter("code_challenge_method"), "S256");
    provider.answer_next(tokens("t1", &provider.mint_refresh_token(), 3600));
    assert!(address.come_back("code=c").contains("You are logged in"));
    let said = login.finish().ok();
    let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!((&last["logged_in"], &last["method"]), (&json!(true), &json!("browser")));
    assert_eq!(home.get("acme"), "t1");
    // The embedded provider burns a refresh token at each use.
    home.tokctl(["refresh", "acme"]).run().ok();
    assert_ne!(home.get("acme"), "t1");
    home.stop_agent();
    home.tokctl(["refresh", "acme"]).run().ok();
    assert_eq!((provider.rotations(), provider.revoked_families()), (2, 0));
}

#[test]
fn whoever_needs_the_token_waits_for_the_login_that_is_under_way() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    let first = Login::start(&home, "acme", &["--browser"]);
    let address = first.address();
    let second = Login::start(&home, "acme", &["--browser"]);
    assert_eq!(second.address().0, address.0, "one login at a time");
    let waiting = [(); 2].map(|()| home.tokctl(["get", "acme"]).start());
    provider.answer_next(tokens("t1", "r1", 3600));
    address.come_back("code=c");
    for login in [first, second] {
        login.finish().ok();
    }
    assert_eq!(waiting.map(|get| get.finish().ok()), ["t1", "t1"]);
    assert_eq!(provider.token_requests().len(), 1);
}

#[test]
fn whoever_waits_for_a_login_that_comes_to_nothing_is_told_to_log_in() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    for denies in [true, false] {
        let login = Login::start(&home, "acme", &["--browser"]);
        let address = login.address();
        let waiting = home.tokctl(["get", "acme"]).start();
        match denies {
            true => drop(address.come_back("error=access_denied")),
            false => login.signal(Signal::SIGINT),
        }
        login.finish().exits(if denies { 6 } else { 130 });
        waiting.finish().fails(5, &["run `tokctl login acme`"]);
    }
    assert_eq!(provider.token_requests().len(), 0);
}

#[test]
fn a_pasted_address_does_as_well() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    // Its state is known when the address is, so a program pipes the answer in.
    let pipe = home.root().join("files/pipe");
    let script = "mkfifo \"$PIPE\"; exec tokctl login acme --paste --json < \"$PIPE\"";
    let shell = home.with_environment(tokctl_tests::Run::new("/bin/sh"));
    let running = shell.env("PIPE", &pipe).args(["-c", script]).start();
    eventually("there is a pipe", || pipe.exists().then_some(()));
    let mut answer = std::fs::File::options().write(true).open(&pipe).unwrap();
    let lines = eventually("the login says what to do", || running.lines(1));
    let step: Value = serde_json::from_str(&lines[0]).unwrap();
    let address = tokctl_tests::login::Address(step["url"].as_str().unwrap().to_owned());
    assert!(!address.is_listened_to());
    provider.answer_next(tokens("t1", "r1", 3600));
    let (uri, state) = (address.parameter("redirect_uri"), address.parameter("state"));
    std::io::Write::write_all(&mut answer, format!("{uri}?code=c&state={state}\n").as_bytes())
        .unwrap();
    running.finish().ok();
    assert_eq!(home.get("acme"), "t1");
}

#[test]
fn without_a_refresh_token_the_login_says_that_it_will_be_needed_again() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    let login = Login::start(&home, "acme", &["--browser"]);
    provider.answer_next(Answer::json(200, "{\"access_token\":\"t1\",\"expires_in\":1}"));
    login.address().come_back("code=c");
    let output = login.finish().exits(0);
    assert!(output.stderr.contains("gave no refresh token"), "{output:?}");
    eventually("the token has ended", || {
        let output = home.tokctl(["get", "acme"]).run();
        (output.code != 0).then(|| output.fails(5, &["run `tokctl login acme`"]))
    });
    assert_eq!(provider.token_requests().len(), 1);
}

#[test]
fn a_login_that_a_kill_interrupts_leaves_nothing_half_done() {
    let provider = Provider::start();
    let home = with_profile(&provider);
    let login = Login::start(&home, "acme", &["--browser"]);
    let address = login.address();
    provider.answer_next(Answer::Late(Duration::from_millis(300)));
    let browser = std::thread::spawn(move || address.come_back("code=c"));
    provider.wait_for_requests(1);
    home.kill_agent();
    login.finish().exits(9);
    assert_eq!(browser.join().unwrap(), "");
    home.tokctl(["get", "acme"]).run().fails(5, &["run `tokctl login acme`"]);
    let login = Login::start(&home, "acme", &["--browser"]);
    provider.answer_next(tokens("t2", "r2", 3600));
    login.address().come_back("code=c");
    login.finish().ok();
    assert_eq!(home.get("acme"), "t2");
}

#[test]
fn what_needs_no_person_says_what_it_needs() {
    let provider = Provider::start();
    let home = Home::new().init_bare();
    home.add_at("machine", &provider);
    home.tokctl(["login", "machine"]).run().fails(2, &["nothing to log in to", "set-secret"]);
    home.tokctl(["login", "nobody"]).run().exits(3);
}
