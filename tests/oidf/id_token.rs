//! What an id_token may say, and who may sign it (OpenID Connect Core section 3.1.3.7).

use serde_json::{Value, json};
use tokctl_tests::keys::{Algorithm, Key, hs256, unsigned};

use super::provider::{CLIENT_ID, CLIENT_SECRET, Script, Wrong};
use super::run::{Module, played};

/// What is wrong with an id_token.
#[derive(Clone, Copy)]
enum Fault {
    Claims(fn(&mut Value)),
    Signed(fn(&Key, &Value) -> String),
}

use Fault::{Claims, Signed};

/// Modules whose id_token must be refused, what is wrong with it, and in which words it is refused.
const REFUSED: &[(&str, Fault, &str)] = &[
    ("oidcc-client-test-idtoken-sig-none", Signed(nobody), "signed with `none`"),
    ("oidcc-client-test-invalid-athash", Claims(|it| it["at_hash"] = "x".into()), "`at_hash`"),
    ("oidcc-client-test-invalid-aud", Claims(other_audience), "for another client"),
    ("oidcc-client-test-invalid-iss", Claims(other_issuer), "of another issuer"),
    ("oidcc-client-test-invalid-sig-es256", Signed(tampered), "no key of the provider's"),
    ("oidcc-client-test-invalid-sig-rs256", Signed(tampered), "no key of the provider's"),
    ("oidcc-client-test-missing-aud", Claims(|it| without(it, "aud")), "lacks `aud`"),
    ("oidcc-client-test-missing-iat", Claims(|it| without(it, "iat")), "lacks `iat`"),
    ("oidcc-client-test-missing-sub", Claims(|it| without(it, "sub")), "lacks `sub`"),
    ("oidcc-client-test-nonce-invalid", Claims(|it| it["nonce"] = "x".into()), "(`nonce`)"),
    (
        "fapi2-security-profile-final-client-test-invalid-alternate-alg",
        Signed(by_another_algorithm),
        "signed with `RS256`, which is not what was agreed on",
    ),
    (
        "fapi2-security-profile-final-client-test-invalid-aud",
        Claims(other_audience),
        "for another client",
    ),
    (
        "fapi2-security-profile-final-client-test-invalid-expired-exp",
        Claims(|it| it["exp"] = (it["iat"].as_i64().unwrap() - 300).into()),
        "had expired",
    ),
    (
        "fapi2-security-profile-final-client-test-invalid-iss",
        Claims(other_issuer),
        "of another issuer",
    ),
    (
        "fapi2-security-profile-final-client-test-invalid-missing-aud",
        Claims(|it| without(it, "aud")),
        "lacks `aud`",
    ),
    (
        "fapi2-security-profile-final-client-test-invalid-missing-exp",
        Claims(|it| without(it, "exp")),
        "lacks `exp`",
    ),
    (
        "fapi2-security-profile-final-client-test-invalid-missing-iss",
        Claims(|it| without(it, "iss")),
        "lacks `iss`",
    ),
    (
        "fapi2-security-profile-final-client-test-invalid-missing-nonce",
        Claims(|it| without(it, "nonce")),
        "lacks `nonce`",
    ),
    (
        "fapi2-security-profile-final-client-test-invalid-nonce",
        Claims(|it| it["nonce"] = "x".into()),
        "(`nonce`)",
    ),
    (
        "fapi2-security-profile-final-client-test-invalid-null-alg",
        Signed(nobody),
        "signed with `none`",
    ),
    (
        "fapi2-security-profile-final-client-test-invalid-secondary-aud",
        Claims(|it| it["aud"] = json!([CLIENT_ID, "another"])),
        "(`azp`)",
    ),
];

pub(crate) fn modules() -> Vec<Module> {
    let refused = REFUSED.iter().map(|&(name, fault, words)| {
        played(name, move |place| {
            let script = script(name, fault);
            match name.starts_with("fapi2-") {
                true => place.fapi(script).refused(words),
                false => place.plain(script).refused(words),
            }
        })
    });
    let others = [
        played("oidcc-client-test-idtoken-sig-rs256", |place| {
            let signer = Key::rsa();
            let wrong = Wrong { signed: stranger, ..Wrong::default() };
            let scene = place.plain(Script { signer, wrong, ..Script::default() });
            scene.refused("no key of the provider's");
            scene.accepted()
        }),
        played("oidcc-client-test-invalid-sig-hs256", |place| {
            let script = Script {
                signed: |_, claims| shared_secret(CLIENT_SECRET, claims),
                wrong: Wrong {
                    signed: |_, claims| shared_secret("another secret", claims),
                    ..Wrong::default()
                },
                ..Script::default()
            };
            let scene = place.plain_with(script, &["--id-token-alg", "HS256"]);
            scene.refused("no key of the provider's")
        }),
        played("fapi2-security-profile-final-client-test-valid-aud-as-array", |place| {
            let claims = |it: &mut Value| it["aud"] = json!([CLIENT_ID]);
            let scene = place.fapi(script("", Claims(claims)));
            scene.provider.misbehave(true);
            scene.accepted()
        }),
    ];
    refused.chain(others).collect()
}

fn script(name: &str, fault: Fault) -> Script {
    let wrong = match fault {
        Claims(claims) => Wrong { claims, ..Wrong::default() },
        Signed(signed) => Wrong { signed, ..Wrong::default() },
    };
    let signer = match name.ends_with("rs256") {
        true => Key::rsa(),
        false => Key::generate(Algorithm::ES256),
    };
    // So that what is wrong is the algorithm alone, the other one's key is in the set.
    Script { signer, other_keys: vec![Key::other_rsa()], wrong, ..Script::default() }
}

fn without(claims: &mut Value, name: &str) {
    let members = claims.as_object_mut().unwrap();
    members.remove(name).unwrap_or_else(|| panic!("{name} was not there"));
}

fn other_audience(claims: &mut Value) {
    claims["aud"] = "another".into();
}

fn other_issuer(claims: &mut Value) {
    claims["iss"] = "https://another.example".into();
}

fn nobody(_: &Key, claims: &Value) -> String {
    format!("{}.", unsigned(&json!({ "alg": "none" }), claims))
}

/// Signed, and then changed in one letter of the signature.
fn tampered(key: &Key, claims: &Value) -> String {
    let token = key.sign(&key.header(), claims);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let changed = if signature.starts_with('A') { "B" } else { "A" };
    format!("{message}.{changed}{}", &signature[1..])
}

/// By a key that is in the set, for an algorithm that was not agreed on.
fn by_another_algorithm(_: &Key, claims: &Value) -> String {
    let key = Key::other_rsa();
    key.sign(&key.header(), claims)
}

/// By a key that is not in the set, under the name of one that is.
fn stranger(key: &Key, claims: &Value) -> String {
    Key::other_rsa().sign(&key.header(), claims)
}

fn shared_secret(secret: &str, claims: &Value) -> String {
    hs256(secret.as_bytes(), &json!({ "alg": "HS256", "typ": "JWT" }), claims)
}
