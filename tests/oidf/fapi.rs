//! The rest of FAPI 2.0: pushed requests and bound tokens, and answers that are not from where the browser was sent.

use serde_json::Value;
use tokctl_tests::Home;
use tokctl_tests::login::Login;

use super::login::other_issuer;
use super::provider::{Params, Script, Wrong};
use super::run::{Module, played};
use super::scene::{Place, failure, visit};

pub(crate) fn modules() -> Vec<Module> {
    vec![
        played("fapi2-security-profile-final-client-test-happy-path", |place| {
            let scene = place.fapi(Script { dpop_nonce: true, ..Script::default() });
            scene.accepted();
            // Once without the nonce, once with it.
            assert_eq!((scene.provider.count("/par"), scene.provider.count("/token")), (1, 2));
            "pushed, proved, bound, with the nonce that is asked for".to_owned()
        }),
        played("fapi2-security-profile-final-client-test-happy-path-no-dpop-nonce", |place| {
            let scene = place.fapi(Script::default());
            scene.accepted();
            assert_eq!((scene.provider.count("/par"), scene.provider.count("/token")), (1, 1));
            "pushed, proved, bound, without a nonce".to_owned()
        }),
        played(
            "fapi2-security-profile-final-client-test-discovery-issuer-mismatch",
            another_issuer_later,
        ),
        played(
            "fapi2-security-profile-final-client-test-invalid-authorization-response-iss",
            |place| {
                let other = |back: &mut Params| set(back, "iss", "https://another.example");
                never_exchanged(place, other, "is of another issuer, `https://another.example`")
            },
        ),
        played(
            "fapi2-security-profile-final-client-test-remove-authorization-response-iss",
            |place| {
                let none = |back: &mut Params| back.retain(|(name, _)| name != "iss");
                never_exchanged(place, none, "does not say whose it is")
            },
        ),
        played(
            "fapi2-security-profile-final-client-test-ensure-authorization-response-with-invalid-state-fails",
            |place| stray(place, |back| set(back, "state", "another")),
        ),
        played(
            "fapi2-security-profile-final-client-test-ensure-authorization-response-with-invalid-missing-state-fails",
            |place| stray(place, |back| back.retain(|(name, _)| name != "state")),
        ),
        played(
            "fapi2-security-profile-final-client-test-token-endpoint-response-without-expires_in",
            |place| {
                changed_answer(place, |body| {
                    drop(body.as_object_mut().unwrap().remove("expires_in"));
                })
            },
        ),
        played("fapi2-security-profile-final-client-test-token-type-case-insensitivity", |place| {
            changed_answer(place, |body| body["token_type"] = "dpOp".into())
        }),
    ]
}

fn set(params: &mut Params, name: &str, value: &str) {
    let (_, held) = params.iter_mut().find(|(key, _)| key == name).unwrap();
    value.clone_into(held);
}

/// The profile is there and has a token when the issuer's metadata become another's: the next agent that reads them
/// sends nothing there, and what there was stays.
fn another_issuer_later(place: &Place<'_>) -> String {
    // Of its own, since its agent is stopped.
    let home = Home::new().init_bare();
    let place = &Place { home: &home, profile: place.profile.clone() };
    let wrong = Wrong { metadata: other_issuer, ..Wrong::default() };
    let scene = place.fapi(Script { wrong, ..Script::default() });
    scene.log_in().ok();
    let token = scene.token();
    home.stop_agent();
    scene.provider.misbehave(true);
    let requests = (scene.provider.count("/par"), scene.provider.count("/token"));
    let login = Login::start(&home, &place.profile, &["--browser"]).finish();
    let told = failure(&login, 10, "is of another issuer");
    assert_eq!(requests, (scene.provider.count("/par"), scene.provider.count("/token")));
    assert_eq!(scene.token(), token);
    format!("refused: {told}")
}

/// An answer that is not the provider's ends the login, and its code is not sent anywhere.
fn never_exchanged(place: &Place<'_>, comes_back: fn(&mut Params), words: &str) -> String {
    let wrong = Wrong { comes_back, ..Wrong::default() };
    let scene = place.fapi(Script { wrong, ..Script::default() });
    scene.provider.misbehave(true);
    let told = scene.refused_login(words);
    scene.assert_no_token();
    assert_eq!(scene.provider.count("/token"), 0, "the code was sent all the same");
    scene.refused(words);
    format!("refused: {told}")
}

/// An answer that does not hold the state of the login is nobody's: the browser is told so, nothing is sent anywhere, and
/// the login waits for its own.
fn stray(place: &Place<'_>, comes_back: fn(&mut Params)) -> String {
    let wrong = Wrong { comes_back, ..Wrong::default() };
    let scene = place.fapi(Script { wrong, ..Script::default() });
    scene.provider.misbehave(true);
    let (login, address) = scene.begin();
    let back = scene.provider.authorize(&address);
    let page = visit(&back);
    assert!(page.contains("Nothing is expected here"), "{page}");
    assert_eq!(scene.provider.count("/token"), 0, "the code was sent all the same");
    scene.provider.misbehave(false);
    assert!(visit(&scene.provider.authorize(&address)).contains("You are logged in"));
    login.finish().ok();
    assert_eq!((scene.provider.count("/token"), scene.call_api()), (1, 200));
    "not taken: the browser is told, and no code is sent".to_owned()
}

fn changed_answer(place: &Place<'_>, answer: fn(&mut Value)) -> String {
    let wrong = Wrong { answer, ..Wrong::default() };
    let scene = place.fapi(Script { wrong, ..Script::default() });
    scene.provider.misbehave(true);
    scene.accepted()
}
