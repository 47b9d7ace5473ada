//! Logins on another device (RFC 8628) at the certified provider: allowed, denied, slowed down, too late, given up.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokctl_tests::gate::{Gate, Pass};
use tokctl_tests::idp::{Idp, Settings};
use tokctl_tests::login::Login;
use tokctl_tests::pty::Terminal;
use tokctl_tests::{Home, eventually};

/// A provider that may be asked every second.
fn provider() -> Idp {
    Idp::start_with(&Settings { device_interval_s: Some(1), ..Settings::default() })
}

fn with_profile(idp: &Idp) -> Home {
    let home = Home::new().init_bare();
    add(&home, "acme", idp);
    home
}

#[track_caller]
fn add(home: &Home, profile: &str, idp: &Idp) {
    home.tokctl(["add", profile, "--grant", "device_code", "--client-auth", "none"])
        .args(["--issuer", idp.issuer(), "--client-id", &idp.client("native").id])
        .args(["--scope", "openid offline_access api"])
        .run()
        .ok();
}

/// A login, and the code that it shows.
#[track_caller]
fn begin(home: &Home, profile: &str) -> (Login, String) {
    let login = Login::start(home, profile, &["--device"]);
    let code = code(&login);
    (login, code)
}

#[track_caller]
fn code(login: &Login) -> String {
    let step = login.step();
    assert_eq!(step["method"], "device", "{step}");
    step["code"].as_str().unwrap_or_else(|| panic!("no code: {step}")).to_owned()
}

/// Device codes that were asked for, in order, and what was said of each.
fn polls(idp: &Idp) -> Vec<(String, Value)> {
    let code = |request: &Value| request["params"]["device_code"].as_str().map(str::to_owned);
    let requests = idp.token_requests().into_iter();
    requests.filter_map(|request| Some((code(&request)?, request["error"].clone()))).collect()
}

/// Waits until the provider was asked so many times.
#[track_caller]
fn wait_for_polls(idp: &Idp, count: usize) {
    eventually(&format!("the provider is asked {count} times"), || {
        (polls(idp).len() >= count).then_some(())
    });
}

#[test]
fn the_code_is_shown_with_its_address_and_brings_a_token_when_it_is_approved() {
    let idp = provider();
    let home = with_profile(&idp);
    let mut terminal = Terminal::start(home.tokctl(["login", "acme", "--device"]));
    terminal.expect("to log in to acme, open this address on any device:");
    terminal.expect(&format!("  {}/device\r\n", idp.issuer()));
    terminal.expect("and type this code:\r\n  ");
    terminal.expect("waiting for the login, ");
    let screen = terminal.screen();
    let (_, shown) = screen.split_once("and type this code:\r\n  ").unwrap();
    wait_for_polls(&idp, 1);
    idp.approve_device(shown.lines().next().unwrap());
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");

    let token = home.get("acme");
    assert_eq!(idp.call_api(&token).1["sub"], "ada");
    home.tokctl(["refresh", "acme"]).run().ok();
    let next = home.get("acme");
    assert_ne!(next, token);
    assert_eq!(idp.call_api(&next).0, 200);
    assert_eq!(idp.requests_at("device_authorization").len(), 1);
}

#[test]
fn a_client_proves_itself_when_it_begins_and_each_time_it_asks() {
    let (idp, home) = (provider(), Home::new().init_bare());
    let client = idp.client("web");
    let secret = home.secret_file("secret", &client.secret);
    home.tokctl(["add", "acme", "--grant", "authorization_code", "--client-id", &client.id])
        .args(["--issuer", idp.issuer(), "--scope", "api", "--secret-file"])
        .arg(secret)
        .run()
        .ok();
    let (login, code) = begin(&home, "acme");
    idp.approve_device(&code);
    login.finish().ok();
    for request in [idp.requests_at("device_authorization"), idp.token_requests()].concat() {
        assert_eq!((&request["client"], &request["basic"]), (&json!("web"), &json!(true)));
    }
    assert_eq!(idp.call_api(&home.get("acme")).1["client_id"], "web");
}

#[test]
fn a_person_who_says_no_ends_it_with_the_providers_word() {
    let idp = provider();
    let home = with_profile(&idp);
    let (login, code) = begin(&home, "acme");
    idp.deny_device(&code);
    login.finish().fails(6, &["the login was denied (access_denied", "`tokctl login acme` again"]);
    home.tokctl(["get", "acme"]).run().fails(5, &["tokctl login acme"]);
    assert_eq!(polls(&idp).len(), 1);
}

#[test]
fn who_is_told_to_slow_down_does_and_so_is_told_once() {
    let idp = provider();
    let home = with_profile(&idp);
    idp.slow_devices_down(1);
    let (login, _) = begin(&home, "acme");
    // Whoever comes again earlier than it said, this provider tells to slow down once more.
    wait_for_polls(&idp, 2);
    login.signal(Signal::SIGINT);
    login.finish().exits(130);
    let said: Vec<Value> = polls(&idp).into_iter().map(|(_, said)| said).collect();
    assert_eq!(said, ["slow_down", "authorization_pending"]);
}

#[test]
fn a_provider_that_is_away_for_a_moment_does_not_end_a_login() {
    let idp = provider();
    let gate = Gate::before(idp.issuer());
    let home = Home::new().init_bare();
    home.tokctl(["add", "acme", "--grant", "device_code", "--client-auth", "none"])
        .args(["--client-id", &idp.client("native").id, "--scope", "api"])
        .args(["--token-endpoint", &gate.url("/token")])
        .args(["--device-authorization-endpoint", &gate.url("/device/auth")])
        .run()
        .ok();
    let (login, code) = begin(&home, "acme");
    gate.set_next(Pass::Nowhere);
    gate.wait_for_requests(2);
    idp.approve_device(&code);
    login.finish().ok();
    assert_eq!(idp.call_api(&home.get("acme")).0, 200);
    assert_eq!(polls(&idp).len(), 1, "the first never came so far");
}

#[test]
fn a_code_that_nobody_types_in_time_ends_the_login_and_another_can_begin() {
    let idp = Idp::start_with(&Settings {
        device_interval_s: Some(1),
        device_ttl_s: Some(2),
        ..Settings::default()
    });
    let home = with_profile(&idp);
    let (login, first) = begin(&home, "acme");
    login
        .finish()
        .fails(5, &["nobody finished the login in time", "run `tokctl login acme` again"]);
    let asked = polls(&idp).len();
    let (login, second) = begin(&home, "acme");
    assert_ne!(second, first);
    idp.approve_device(&second);
    login.finish().ok();
    let after = polls(&idp).split_off(asked);
    assert_eq!(after.len(), 1, "the first code was asked for again: {after:?}");
    assert_eq!(idp.call_api(&home.get("acme")).0, 200);
}

#[test]
fn nobody_asks_for_a_login_that_nobody_waits_for() {
    let idp = provider();
    let home = with_profile(&idp);
    add(&home, "beta", &idp);
    add(&home, "other", &idp);
    let given_up = [("acme", Signal::SIGINT), ("beta", Signal::SIGKILL)];
    let logins = given_up.map(|(profile, signal)| (begin(&home, profile).0, signal));
    let asked_for = || polls(&idp).into_iter().map(|(code, _)| code).collect::<BTreeSet<_>>();
    eventually("both are asked for", || (asked_for().len() == 2).then_some(()));
    let both = asked_for();
    for (login, signal) in logins {
        login.signal(signal);
        login.finish().exits(128 + signal as i32);
    }
    // Another one tells the time: from its first poll to its third, each of the two would be asked for.
    let (login, _) = begin(&home, "other");
    let count = |of_both: bool| {
        polls(&idp).iter().filter(|(code, _)| both.contains(code) == of_both).count()
    };
    eventually("the other is asked for", || (count(false) > 0).then_some(()));
    let so_far = count(true);
    eventually("the other is asked for again", || (count(false) > 2).then_some(()));
    assert_eq!(count(true), so_far, "{:?}", polls(&idp));
    login.signal(Signal::SIGINT);
    login.finish().exits(130);
    home.tokctl(["get", "acme"]).run().fails(5, &["tokctl login acme"]);
}

#[test]
fn a_login_goes_on_for_whoever_still_waits() {
    let idp = provider();
    let home = with_profile(&idp);
    let (first, shown) = begin(&home, "acme");
    let (second, joined) = begin(&home, "acme");
    assert_eq!(joined, shown, "one login at a time");
    let waiting = [(); 2].map(|()| home.tokctl(["get", "acme"]).start());
    first.signal(Signal::SIGKILL);
    first.finish().exits(137);
    idp.approve_device(&shown);
    second.finish().ok();
    let [one, other] = waiting.map(|get| get.finish().ok());
    assert_eq!(one, other);
    assert_eq!(idp.call_api(&one).0, 200);
    assert_eq!(idp.requests_at("device_authorization").len(), 1);
}
