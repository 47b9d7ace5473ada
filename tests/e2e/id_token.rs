//! Who logged in, by the certified provider's id_tokens: believed when everything fits, with keys that change, and not
//! exchanged for somebody else by a renewal.

use serde_json::json;
use tokctl_tests::Home;
use tokctl_tests::http::Call;
use tokctl_tests::idp::{Idp, Person};
use tokctl_tests::login::Login;

#[track_caller]
fn add(home: &Home, idp: &Idp, profile: &str, client: &str) {
    home.tokctl(["add", profile, "--grant", "authorization_code", "--client-auth", "none"])
        .args(["--issuer", idp.issuer(), "--client-id", client])
        .args(["--scope", "openid offline_access api"])
        .run()
        .ok();
}

fn with_profile(idp: &Idp) -> Home {
    let home = Home::new().init_bare();
    add(&home, idp, "acme", &idp.client("native").id);
    home
}

/// A login whose person has come back.
#[track_caller]
fn come_back(home: &Home, idp: &Idp, profile: &str) -> Login {
    let login = Login::start(home, profile, &["--browser"]);
    let back = idp.authorize(&login.address().0);
    Call::get(&back).send().unwrap();
    login
}

#[track_caller]
fn assert_token_of(idp: &Idp, token: &str, name: &str) {
    let (status, body) = idp.call_api(token);
    assert_eq!((status, &body["sub"]), (200, &json!(name)), "{body}");
}

#[test]
fn every_algorithm_is_believed_also_when_the_keys_have_changed() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let profiles = ["rs256", "ps256", "es256", "eddsa"];
    for (profile, algorithm) in profiles.into_iter().zip(["RS256", "PS256", "ES256", "EdDSA"]) {
        let client = idp.register(&json!({
            "token_endpoint_auth_method": "none",
            "id_token_signed_response_alg": algorithm,
        }));
        add(&home, &idp, profile, &client.id);
        come_back(&home, &idp, profile).finish().ok();
        assert_token_of(&idp, &home.get(profile), "ada");
    }
    // Each login has a nonce of its own.
    let pushed = idp.requests_at("pushed_authorization_request").into_iter();
    let mut nonces: Vec<_> =
        pushed.map(|it| it["params"]["nonce"].as_str().unwrap_or_default().to_owned()).collect();
    nonces.sort_unstable();
    nonces.dedup();
    assert!(nonces.len() == profiles.len() && !nonces[0].is_empty(), "{nonces:?}");

    idp.rotate_keys();
    for profile in profiles {
        home.tokctl(["refresh", profile]).run().ok();
        assert_token_of(&idp, &home.get(profile), "ada");
        come_back(&home, &idp, profile).finish().ok();
        assert_token_of(&idp, &home.get(profile), "ada");
    }
}

#[test]
fn another_algorithm_than_the_profiles_is_refused_and_nothing_is_stored() {
    let idp = Idp::start();
    let home = with_profile(&idp);
    home.tokctl(["set", "acme", "id_token_alg=ES256"]).run().ok();
    let login = come_back(&home, &idp, "acme");
    login.finish().fails(7, &["signed with `RS256`", "run `tokctl login acme` again"]);
    home.tokctl(["get", "acme"]).run().fails(5, &["tokctl login acme"]);
    home.tokctl(["set", "acme", "id_token_alg="]).run().ok();
    come_back(&home, &idp, "acme").finish().ok();
    assert_token_of(&idp, &home.get("acme"), "ada");
}

#[test]
fn a_renewal_for_another_person_is_not_served_and_costs_no_refresh_token() {
    let idp = Idp::start();
    let home = with_profile(&idp);
    come_back(&home, &idp, "acme").finish().ok();
    let token = home.get("acme");
    idp.mistake_for(Some("eve"));
    home.tokctl(["refresh", "acme"]).run().fails(
        5,
        &["the token came for another account than the one that logged in", "tokctl login acme"],
    );
    // The one before is still ada's.
    let served = home.tokctl(["get", "acme"]).run().fails(0, &["for another account"]);
    assert_eq!(served.ok(), token);
    // What came with it is the only refresh token that is still good, and it was kept.
    idp.mistake_for(None);
    home.tokctl(["refresh", "acme"]).run().ok();
    let next = home.get("acme");
    assert_ne!(next, token);
    assert_token_of(&idp, &next, "ada");
    let [family] = &idp.families("native")[..] else { panic!("one family") };
    assert_eq!((family.rotations, family.revoked), (2, false));
}

#[test]
fn somebody_else_may_log_in_and_is_the_one_from_then_on() {
    let idp = Idp::start();
    let home = with_profile(&idp);
    come_back(&home, &idp, "acme").finish().ok();
    let login = Login::start(&home, "acme", &["--browser"]);
    let eve = Person { name: "eve".into(), ..Person::default() };
    Call::get(&idp.authorize_as(&eve, &login.address().0)).send().unwrap();
    login.finish().ok();
    assert_token_of(&idp, &home.get("acme"), "eve");
    home.tokctl(["refresh", "acme"]).run().ok();
    assert_token_of(&idp, &home.get("acme"), "eve");
}
