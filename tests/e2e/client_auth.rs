//! How a client proves itself, with the certified provider as the judge.

use tokctl_tests::Home;
use tokctl_tests::idp::Idp;

/// Adds `client` of the provider with these further options, gets a token and shows it to the API.
#[track_caller]
fn token_of(home: &Home, idp: &Idp, client: &str, options: &[&str]) {
    let known = idp.client(client);
    home.add(client, &known.id, &known.secret).args(["--scope", "api"]).args(options).run().ok();
    let token = home.get(client);
    let (status, body) = idp.call_api(&token);
    assert_eq!((status, body["client_id"].as_str()), (200, Some(known.id.as_str())), "{body}");
}

#[test]
fn reserved_characters_survive_basic() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    token_of(&home, &idp, "reserved", &["--issuer", idp.issuer(), "--client-auth", "basic"]);
    assert_eq!(idp.token_requests()[0]["basic"], true);
}

#[test]
fn the_secret_goes_into_the_body_with_post() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    token_of(&home, &idp, "post", &["--issuer", idp.issuer(), "--client-auth", "post"]);
    assert_eq!(idp.token_requests()[0]["basic"], false);
}

#[test]
fn basic_is_chosen_where_the_metadata_allows_it() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    token_of(&home, &idp, "basic", &["--issuer", idp.issuer()]);
    assert_eq!(idp.token_requests()[0]["basic"], true);
}

#[test]
fn a_provider_that_wants_json_gets_json() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let endpoint = idp.json_token_endpoint();
    let json = ["--token-endpoint", endpoint, "--client-auth", "post", "--body", "json"];
    token_of(&home, &idp, "post", &json);
}

#[test]
fn basic_and_json_go_together() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let endpoint = idp.json_token_endpoint();
    let json = ["--token-endpoint", endpoint, "--client-auth", "basic", "--body", "json"];
    token_of(&home, &idp, "reserved", &json);
}

#[test]
fn a_wrong_secret_is_the_providers_refusal() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    home.add("acme", "cc", "not-the-secret").args(["--issuer", idp.issuer()]).run().ok();
    home.tokctl(["get", "acme"]).run().fails(6, &["invalid_client", "tokctl set-secret acme"]);

    let right = home.secret_file("right", &idp.client("basic").secret);
    home.tokctl(["set-secret", "acme", "--secret-file"]).arg(right).run().ok();
    assert_eq!(idp.call_api(&home.get("acme")).0, 200);
}

#[test]
fn add_checks_when_it_is_asked_to() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    home.add("acme", "cc", "not-the-secret")
        .args(["--issuer", idp.issuer(), "--check"])
        .run()
        .fails(6, &["invalid_client"]);
}
