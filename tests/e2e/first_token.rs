//! From nothing to a token, as a script with no terminal does it.

use tokctl_tests::Home;
use tokctl_tests::idp::Idp;

#[test]
fn a_script_gets_its_first_token() {
    let (home, idp) = (Home::new(), Idp::start());
    let client = idp.client("basic");
    let pass = home.secret_file("pass", "correct horse battery staple\n");
    let secret = home.secret_file("secret", &format!("{}\n", client.secret));

    home.tokctl(["init", "--passphrase-file"]).arg(&pass).run().ok();
    home.tokctl(["add", "acme", "--grant", "client_credentials"])
        .args(["--issuer", idp.issuer()])
        .args(["--client-id", &client.id, "--client-auth", "basic"])
        .arg("--secret-file")
        .arg(&secret)
        .args(["--scope", "api"])
        .run()
        .ok();
    let got = home.tokctl(["get", "acme"]).run();
    assert_eq!(got.stdout.matches('\n').count(), 1, "{got:?}");
    let token = got.ok();
    let (status, body) = idp.call_api(&token);
    assert_eq!((status, body["client_id"].as_str()), (200, Some("cc")), "{body}");

    home.tokctl(["lock"]).run().ok();
    home.tokctl(["get", "acme"]).run().fails(4, &["tokctl: hint:", "tokctl unlock"]);
    home.tokctl(["unlock", "--passphrase-file"]).arg(&pass).run().ok();
    assert_eq!(home.get("acme"), token);
    home.tokctl(["agent", "stop"]).run().ok();
    assert_eq!(idp.token_requests().len(), 1);
}

#[test]
fn a_token_comes_with_what_a_program_needs() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let client = idp.client("basic");
    home.add("acme", &client.id, &client.secret)
        .args(["--issuer", idp.issuer(), "--scope", "api"])
        .run()
        .ok();

    let token = home.get("acme");
    let header = home.tokctl(["get", "acme", "--header"]).run().ok();
    assert_eq!(header, format!("Authorization: Bearer {token}"));

    let json = home.tokctl(["get", "acme", "--json"]).run().json();
    assert_eq!(json["access_token"], token.as_str(), "{json}");
    assert_eq!((&json["profile"], &json["scope"]), (&"acme".into(), &"api".into()), "{json}");
    let left = json["expires_in"].as_i64().unwrap();
    assert!((500..=600).contains(&left), "{json}");
    assert!(json["expires_at"].as_i64().unwrap() > 1_700_000_000, "{json}");
}

#[test]
fn an_agent_that_was_killed_serves_the_same_token_again() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let client = idp.client("basic");
    home.add("acme", &client.id, &client.secret)
        .args(["--issuer", idp.issuer(), "--scope", "api"])
        .run()
        .ok();
    // A token that came without a refresh token is saved after it is served: a stop waits for that, where a
    // kill at once would not.
    let token = home.get("acme");
    home.stop_agent();
    assert_eq!(home.get("acme"), token);
    home.kill_agent();
    assert_eq!(home.get("acme"), token);
    assert_eq!(idp.token_requests().len(), 1);
}

#[test]
fn a_refresh_asks_the_provider_again_but_not_twice_in_a_row() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let client = idp.client("basic");
    home.add("acme", &client.id, &client.secret).args(["--issuer", idp.issuer()]).run().ok();
    let first = home.get("acme");
    home.stop_agent();
    let second = home.tokctl(["get", "acme", "--refresh"]).run().ok();
    assert_ne!(first, second);
    assert_eq!(home.get("acme"), second);
    // Providers count requests: a token this new is the answer, and the caller is told.
    let third = home.tokctl(["get", "acme", "--refresh"]).run().fails(0, &["this token is new"]);
    assert_eq!(third.stdout.trim_end(), second);
    assert_eq!(idp.token_requests().len(), 2);
}
