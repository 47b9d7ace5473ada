//! Which way a login takes where nobody says: by a browser that somebody would see, else by a code, else by an address
//! that is pasted; and the port that is registered.

use nix::sys::signal::Signal;
use tokctl_tests::http::{self, Call};
use tokctl_tests::idp::{Idp, Settings};
use tokctl_tests::login::Login;
use tokctl_tests::{Home, eventually};

/// A program that opens nothing.
const BROWSER: (&str, &str) = ("BROWSER", "/bin/true");
const SSH: (&str, &str) = ("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
const DISPLAY: (&str, &str) = ("DISPLAY", ":0");

#[track_caller]
fn add(home: &Home, idp: &Idp, profile: &str, options: &[&str]) {
    home.tokctl(["add", profile, "--grant", "authorization_code", "--client-auth", "none"])
        .args(["--issuer", idp.issuer(), "--client-id", &idp.client("native").id])
        .args(["--scope", "openid api"])
        .args(options)
        .run()
        .ok();
}

#[test]
fn where_no_browser_would_be_seen_a_code_is_shown_or_else_an_address_to_paste() {
    for (without, elsewhere) in [(vec![], "device"), (vec!["device"], "paste")] {
        let idp = Idp::start_with(&Settings { without, ..Settings::default() });
        let home = Home::new().init_bare();
        add(&home, &idp, "acme", &[]);
        for (environment, method) in [
            (&[][..], elsewhere),
            (&[SSH, DISPLAY], elsewhere),
            (&[DISPLAY, BROWSER], "browser"),
            (&[SSH, BROWSER], "browser"),
        ] {
            let run = environment
                .iter()
                .fold(home.tokctl(["login", "acme"]), |run, (name, value)| run.env(name, value));
            let login = Login::run(run);
            assert_eq!(login.step()["method"], method, "{environment:?}");
            login.signal(Signal::SIGINT);
            login.finish();
        }
    }
}

#[test]
fn a_registered_port_is_the_one_that_the_browser_comes_back_to() {
    let idp = Idp::start_with(&Settings { without: vec!["par"], ..Settings::default() });
    let home = Home::new().init_bare();
    let port = http::free_port().unwrap();
    let uri = format!("http://127.0.0.1:{port}/");
    for profile in ["acme", "beta"] {
        add(&home, &idp, profile, &["--redirect-uri", &uri]);
    }
    let login = Login::start(&home, "acme", &["--browser"]);
    let address = login.address();
    assert_eq!(address.parameter("redirect_uri"), uri);
    // One login at a time has it.
    home.tokctl(["login", "beta", "--browser"])
        .run()
        .fails(11, &[&format!("127.0.0.1:{port}"), "tokctl login beta --paste"]);
    let back = idp.authorize(&address.0);
    assert!(back.starts_with(&format!("{uri}?")), "{back}");
    Call::get(&back).send().unwrap();
    login.finish().ok();
    assert_eq!(idp.call_api(&home.get("acme")).0, 200);
    eventually("the port is free again", || (!address.is_listened_to()).then_some(()));

    let login = Login::start(&home, "beta", &["--browser"]);
    Call::get(&idp.authorize(&login.address().0)).send().unwrap();
    login.finish().ok();
}
