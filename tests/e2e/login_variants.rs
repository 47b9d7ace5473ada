//! One login, and the tokens that come of its refresh token: for a resource, for less than was granted, and again after
//! another scope was added.

use serde_json::Value;
use tokctl_tests::Home;
use tokctl_tests::http::Call;
use tokctl_tests::idp::Idp;
use tokctl_tests::login::Login;

fn with_profile(idp: &Idp, options: &[&str]) -> Home {
    let home = Home::new().init_bare();
    home.tokctl(["add", "acme", "--grant", "authorization_code", "--client-auth", "none"])
        .args(["--issuer", idp.issuer(), "--client-id", &idp.client("native").id])
        .args(options)
        .run()
        .ok();
    home
}

#[track_caller]
fn log_in(home: &Home, idp: &Idp, options: &[&str]) {
    let login = Login::start(home, "acme", &[&["--browser"], options].concat());
    Call::get(&idp.authorize(&login.address().0)).send().unwrap();
    login.finish().ok();
}

/// What the API knows of a token that `tokctl get acme` gives.
#[track_caller]
fn seen(home: &Home, idp: &Idp, options: &[&str]) -> Value {
    let token = home.tokctl(["get", "acme"]).args(options).run().ok();
    let (status, body) = idp.call_api(&token);
    assert_eq!(status, 200, "{body}");
    body
}

#[test]
fn a_login_for_a_resource_has_tokens_for_that_one_alone() {
    let idp = Idp::start();
    let [one, two] = ["https://api.example/one", "https://api.example/two"];
    let scope = ["--scope", "offline_access api"];
    let home = with_profile(&idp, &[&scope[..], &["--resource", one]].concat());
    log_in(&home, &idp, &[]);
    assert_eq!(seen(&home, &idp, &[])["audience"], one);
    home.tokctl(["refresh", "acme"]).run().ok();
    assert_eq!(seen(&home, &idp, &[])["audience"], one);
    home.tokctl(["get", "acme", "--resource", two]).run().fails(6, &["invalid_target"]);
    assert_eq!(seen(&home, &idp, &[])["audience"], one);
}

#[test]
fn less_than_was_granted_comes_of_the_same_refresh_token_and_more_of_another_login() {
    let idp = Idp::start();
    let home = with_profile(&idp, &["--scope", "openid offline_access api read:data"]);
    log_in(&home, &idp, &[]);
    assert_eq!(seen(&home, &idp, &["--scope", "read:data"])["scope"], "read:data");
    let write = ["get", "acme", "--scope", "write:data"];
    home.tokctl(write).run().fails(6, &["invalid_scope", "tokctl login acme --scope SCOPE"]);
    log_in(&home, &idp, &["--scope", "write:data"]);
    assert_eq!(seen(&home, &idp, &["--scope", "write:data"])["scope"], "write:data");
    let families = idp.families("native");
    assert!(families.iter().all(|family| !family.revoked), "{families:?}");
    assert_eq!(families.len(), 2);
}
