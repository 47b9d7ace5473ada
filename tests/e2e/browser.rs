//! Logins in a real browser: the pages of the certified provider clicked through, and ours at their end.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;
use tokctl_tests::browser::Browser;
use tokctl_tests::idp::Idp;
use tokctl_tests::login::Address;
use tokctl_tests::process::Running;
use tokctl_tests::pty::Terminal;
use tokctl_tests::{Home, eventually};

/// What a browser shows where nobody listens.
const REFUSED: &str = "ERR_CONNECTION_REFUSED";

fn with_profile(idp: &Idp, options: &[&str]) -> Home {
    let home = Home::new().init_bare();
    home.tokctl(["add", "acme", "--grant", "authorization_code", "--client-auth", "none"])
        .args(["--issuer", idp.issuer(), "--client-id", &idp.client("native").id])
        .args(["--scope", "openid offline_access api"])
        .args(options)
        .run()
        .ok();
    home
}

/// A program that hands on the address that it is to open, and the file in which it does.
fn opener(home: &Home) -> (PathBuf, PathBuf) {
    let script = "#!/bin/sh\nprintf %s \"$1\" >\"$0.new\" && mv \"$0.new\" \"$0.url\"\n";
    let program = home.secret_file("opener", script);
    fs::set_permissions(&program, Permissions::from_mode(0o700)).unwrap();
    let file = program.with_extension("url");
    (program, file)
}

/// A login that has opened the person's browser, and where it was sent.
#[track_caller]
fn begin(home: &Home) -> (Running, Address) {
    let (program, file) = opener(home);
    let login = home.tokctl(["login", "acme", "--browser"]).env("BROWSER", program).start();
    let url = eventually("tokctl opens the browser", || fs::read_to_string(&file).ok());
    (login, Address(url))
}

#[track_caller]
fn sign_in(browser: &Browser, address: &Address) {
    browser.visit(&address.0);
    browser.shows("Sign in");
    browser.type_into("#login", "ada");
    browser.click("#sign-in");
    browser.shows("Allow access");
}

#[test]
fn who_signs_in_and_allows_it_is_logged_in_and_told_so_by_the_last_page() {
    let (idp, browser) = (Idp::start(), Browser::start());
    let home = with_profile(&idp, &[]);
    let (login, address) = begin(&home);
    sign_in(&browser, &address);
    browser.click("#allow");
    browser.shows("You are logged in - tokctl");
    let output = login.finish().exits(0);
    assert!(output.stderr.contains("opening a browser to log in to acme"), "{output:?}");
    let (status, body) = idp.call_api(&home.get("acme"));
    assert_eq!((status, &body["sub"]), (200, &json!("ada")), "{body}");

    // The address bar holds what the provider has put there and nobody can use again; the page holds none of it, and
    // has loaded nothing and run nothing.
    let end = Address(browser.address());
    let query = end.0.split_once('?').unwrap().1;
    let mut names: Vec<_> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["code", "iss", "state"]);
    let page = browser.source();
    for absent in [&end.parameter("code"), &end.parameter("state"), "<script"] {
        assert!(!page.contains(absent), "{page}");
    }
    assert!(page.contains("You can close this window"), "{page}");
    let loaded = browser.run("return performance.getEntriesByType('resource').length");
    assert_eq!(loaded, 0, "{page}");
    browser.reload();
    eventually("nobody listens at that address", || {
        browser.source().contains(REFUSED).then_some(())
    });
}

#[test]
fn who_denies_it_is_told_so_by_the_browser_and_at_the_terminal() {
    let (idp, browser) = (Idp::start(), Browser::start());
    // The browser chooses what `localhost` is.
    let home = with_profile(&idp, &["--redirect-uri", "http://localhost/callback"]);
    let (login, address) = begin(&home);
    sign_in(&browser, &address);
    browser.click("#deny");
    browser.shows("The login was denied - tokctl");
    assert!(browser.source().contains("Nothing was stored"));
    assert!(browser.address().starts_with("http://localhost:"), "{}", browser.address());
    let said = ["acme: the login was denied", "the person said no", "`tokctl login acme` again"];
    login.finish().fails(6, &said);
    home.tokctl(["get", "acme"]).run().fails(5, &["tokctl login acme"]);
    assert_eq!(idp.token_requests().len(), 0);
}

#[test]
fn a_browser_that_cannot_come_back_shows_the_address_to_paste() {
    let (idp, browser) = (Idp::start(), Browser::start());
    let home = with_profile(&idp, &[]);
    let run = home.tokctl(["login", "acme", "--paste"]).env_remove("TOKCTL_NO_PROMPT");
    let mut terminal = Terminal::start(run);
    terminal.expect("open this address in any browser:");
    terminal.expect("the browser shows that it cannot connect");
    terminal.expect("copy its address bar");
    terminal.expect("the address at which the browser ended: ");
    let screen = terminal.screen();
    let url = screen.lines().find_map(|line| line.strip_prefix("  http")).unwrap();
    sign_in(&browser, &Address(format!("http{}", url.trim_end())));
    browser.click_to_nowhere("#allow");
    let end = eventually("the browser goes where nobody listens", || {
        Some(browser.address()).filter(|address| address.contains("/callback?"))
    });
    eventually("the browser says so", || browser.source().contains(REFUSED).then_some(()));
    terminal.type_line(&end);
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(idp.call_api(&home.get("acme")).1["sub"], "ada");
}
