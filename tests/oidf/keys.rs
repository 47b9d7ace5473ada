//! Where the keys of id_tokens are, which of them is meant, and what happens when they are replaced.

use serde_json::{Value, json};
use tokctl_tests::keys::{Algorithm, Key};

use super::provider::{Script, Wrong};
use super::run::{Module, played};
use super::scene::Scene;

const JWKS: &str = "/jwks";
const NO_KEY: &str = "no key of the provider's has signed the id_token";

pub(crate) fn modules() -> Vec<Module> {
    vec![
        played("oidcc-client-test-kid-absent-single-jwks", |place| {
            place.plain(without_kid(Vec::new())).refused(NO_KEY);
            "the only key is tried, and a stranger's signature refused".to_owned()
        }),
        played("oidcc-client-test-kid-absent-multiple-jwks", |place| {
            let other_keys = vec![Key::generate(Algorithm::RS256)];
            place.plain(without_kid(other_keys)).refused(NO_KEY);
            "every key is tried, and a stranger's signature refused".to_owned()
        }),
        played("oidcc-client-test-signing-key-rotation", |place| {
            let scene = place.plain(rotating());
            scene.log_in().ok();
            scene.provider.replace_keys();
            assert_one_look(&scene);
            "the new key is fetched at once, and not again for the next unknown one".to_owned()
        }),
        played("oidcc-client-test-signing-key-rotation-just-before-signing", |place| {
            let scene = place.plain(rotating());
            scene.provider.misbehave(true);
            // Nothing of the keys was known here.
            scene.log_in().ok();
            assert_eq!(scene.provider.count(JWKS), 1);
            assert_one_look(&scene);
            "the new key is fetched at once, and not again for the next unknown one".to_owned()
        }),
    ]
}

/// After a login whose keys were fetched a moment ago: a login that another key has signed is believed after one more
/// look, and the next such key is not looked for.
#[track_caller]
fn assert_one_look(scene: &Scene<'_>) {
    let before = scene.token();
    assert_eq!(scene.provider.count(JWKS), 1);
    scene.log_in().ok();
    assert_eq!(scene.provider.count(JWKS), 2);
    let token = scene.token();
    assert_ne!(token, before);
    scene.provider.misbehave(true);
    for _ in 0..2 {
        scene.refused_login(NO_KEY);
    }
    assert_eq!(scene.provider.count(JWKS), 2, "forged keys had the provider asked again");
    assert_eq!(scene.token(), token);
}

/// Replaces its keys whenever it signs, while it misbehaves.
fn rotating() -> Script {
    let wrong = Wrong { new_keys: true, ..Wrong::default() };
    Script { wrong, ..Script::default() }
}

fn without_kid(other_keys: Vec<Key>) -> Script {
    Script {
        signer: Key::rsa(),
        other_keys,
        published: |jwk| drop(jwk.as_object_mut().unwrap().remove("kid")),
        signed: nameless,
        wrong: Wrong {
            signed: |_, claims| nameless(&Key::other_rsa(), claims),
            ..Wrong::default()
        },
        ..Script::default()
    }
}

fn nameless(key: &Key, claims: &Value) -> String {
    key.sign(&json!({ "alg": "RS256", "typ": "JWT" }), claims)
}
