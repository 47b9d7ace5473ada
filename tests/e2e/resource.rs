//! Tokens for one resource or audience among several: keys of their own, served to nobody else.

use tokctl_tests::idp::Idp;
use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider};

#[test]
fn each_resource_has_a_token_of_its_own() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let client = idp.client("basic");
    home.add("acme", &client.id, &client.secret)
        .args(["--issuer", idp.issuer(), "--scope", "api"])
        .run()
        .ok();
    let resources = ["https://api.example/one", "https://api.example/two"];
    let get = |resource: &str| home.tokctl(["get", "acme", "--resource", resource]).run().ok();
    let tokens = resources.map(get);
    for (resource, token) in resources.iter().zip(&tokens) {
        assert_eq!(idp.call_api(token).1["audience"], *resource);
        assert_eq!(&get(resource), token);
    }
    assert_eq!(idp.token_requests().len(), 2);
}

#[test]
fn the_profiles_resource_is_asked_for() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let client = idp.client("basic");
    home.add("acme", &client.id, &client.secret)
        .args(["--issuer", idp.issuer(), "--resource", "https://api.example/one"])
        .run()
        .ok();
    let body = idp.call_api(&home.get("acme")).1;
    assert_eq!(body["audience"], "https://api.example/one", "{body}");
}

#[test]
fn an_audience_reaches_a_provider_that_calls_it_so() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let client = idp.client("post");
    home.add("acme", &client.id, &client.secret)
        .args(["--token-endpoint", idp.json_token_endpoint()])
        .args(["--client-auth", "post", "--body", "json"])
        .args(["--audience", "https://api.example/two"])
        .run()
        .ok();
    let body = idp.call_api(&home.get("acme")).1;
    assert_eq!(body["audience"], "https://api.example/two", "{body}");
}

#[test]
fn the_order_of_scopes_makes_no_difference() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let client = idp.client("basic");
    home.add("acme", &client.id, &client.secret).args(["--issuer", idp.issuer()]).run().ok();
    let get = |scope: &str| home.tokctl(["get", "acme", "--scope", scope]).run().ok();
    assert_eq!(get("read:data write:data"), get("write:data read:data"));
    assert_eq!(idp.token_requests().len(), 1);
}

#[test]
fn a_resource_that_the_provider_does_not_know_is_its_refusal() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let client = idp.client("basic");
    home.add("acme", &client.id, &client.secret).args(["--issuer", idp.issuer()]).run().ok();
    home.tokctl(["get", "acme", "--resource", "https://elsewhere.example/"])
        .run()
        .fails(6, &["invalid_target", "`--resource`"]);
}

/// RFC 6749 section 5.1: what was asked for was granted, unless the provider says otherwise.
#[test]
fn a_provider_that_names_no_scope_has_granted_what_was_asked_for() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    provider.answer(Answer::Changed(|body| drop(body.as_object_mut().unwrap().remove("scope"))));
    home.add_at("acme", &provider);
    home.tokctl(["set", "acme", "scope=b a"]).run().ok();
    for (arguments, scope) in [(&[][..], "a b"), (&["--scope", "read"], "read")] {
        let json = home.tokctl(["get", "acme", "--json"]).args(arguments).run().json();
        assert_eq!(json["scope"], scope, "{json}");
    }
}
