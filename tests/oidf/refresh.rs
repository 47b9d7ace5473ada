//! Renewals, and those that bring somebody else's id_token (OpenID Connect Core section 12.2).

use serde_json::Value;

use super::provider::{Script, Wrong};
use super::run::{Module, played};
use super::scene::{Place, Scene, failure};

pub(crate) fn modules() -> Vec<Module> {
    vec![
        played("oidcc-client-test-refresh-token", |place| {
            renewed_twice(&place.plain(Script::default()))
        }),
        played("oidcc-client-test-refresh-token-invalid-issuer", |place| {
            somebody_else(place, |it| it["iss"] = "https://another.example".into())
        }),
        played("oidcc-client-test-refresh-token-invalid-sub", |place| {
            somebody_else(place, |it| it["sub"] = "eve".into())
        }),
        played("fapi2-security-profile-final-client-refresh-token-test", |place| {
            renewed_twice(&place.fapi(Script { dpop_nonce: true, ..Script::default() }))
        }),
    ]
}

/// A person wants another token, and an API refuses that one: the second renewal presents the refresh token that the
/// first has brought.
fn renewed_twice(scene: &Scene<'_>) -> String {
    scene.log_in().ok();
    assert_eq!(scene.call_api(), 200);
    let first = scene.token();
    scene.renew().ok();
    let second = scene.token();
    assert_ne!(second, first);
    assert_eq!(scene.call_api(), 200);
    scene.provider.forget_access_tokens();
    assert_eq!(scene.call_api(), 401);
    let report = ["report", &scene.place.profile, "--status", "401", "--token-env", "TOKEN"];
    scene.place.home.tokctl(report).env("TOKEN", &second).run().ok();
    let third = scene.token();
    assert!(third != second && third != first);
    assert_eq!(scene.call_api(), 200);
    let requests = scene.provider.requests("/token");
    let presented = requests.iter().filter_map(|it| it.received.param("refresh_token"));
    let mut presented: Vec<&str> = presented.collect();
    // A request that is repeated for the sake of a nonce presents the same.
    presented.dedup();
    assert_eq!(presented.len(), 2, "{presented:?}");
    "renewed, and after a 401 again with the new refresh token".to_owned()
}

/// A renewal whose id_token is another's: its token is not served, and what the refresh token became is kept.
fn somebody_else(place: &Place<'_>, renewed_claims: fn(&mut Value)) -> String {
    let wrong = Wrong { renewed_claims, ..Wrong::default() };
    let scene = place.plain(Script { wrong, ..Script::default() });
    scene.log_in().ok();
    let token = scene.token();
    scene.provider.misbehave(true);
    let words = "for another account than the one that logged in";
    let told = failure(&scene.renew(), 5, words);
    assert_eq!(scene.token(), token, "the token of a renewal that was refused is served");
    scene.provider.misbehave(false);
    scene.log_in().ok();
    assert_ne!(scene.token(), token);
    format!("refused: {told}")
}
