//! Tokens that are signed here and that nobody is asked for, checked by another library.

use serde_json::json;
use tokctl_tests::jwt::Key;
use tokctl_tests::{Home, Run};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn add(home: &Home, key: &Key) -> Run {
    home.tokctl(["add", "acme", "--grant", "self_signed_jwt", "--replace", "--key-file"])
        .arg(home.secret_file("key", &key.private))
}

#[test]
fn snowflake_finds_the_key_in_the_issuer() {
    let (home, key) = (Home::new().init_bare(), Key::generate("RS256"));
    add(&home, &key)
        .args(["--iss", "ACCT.ADA.{key:sha256}", "--sub", "ACCT.ADA", "--assertion-lifetime", "1h"])
        .run()
        .ok();
    let signed = key.check(&home.get("acme"));
    assert_eq!(signed.claims["iss"], format!("ACCT.ADA.{}", key.fingerprint));
    assert_eq!(signed.claims["sub"], "ACCT.ADA");
    // What is said of its end is what it says itself.
    let json = home.tokctl(["get", "acme", "--json"]).run().json();
    let end = json["expires_at"].as_i64().unwrap();
    let off = end - signed.claims["exp"].as_i64().unwrap();
    assert!(off.abs() <= 1, "{json} {:?}", signed.claims);
}

#[test]
fn apple_and_ghost_get_what_they_take() {
    let home = Home::new().init_bare();
    let key = Key::generate("ES256");
    add(&home, &key)
        .args(["--alg", "ES256", "--kid", "ABC123", "--iss", "57246542-96fe"])
        .args(["--assertion-audience", "appstoreconnect-v1", "--assertion-lifetime", "20m"])
        .run()
        .ok();
    let signed = key.check(&home.get("acme"));
    assert_eq!(signed.header, json!({ "alg": "ES256", "kid": "ABC123", "typ": "JWT" }));
    assert_eq!(signed.claims["aud"], "appstoreconnect-v1");
    let time = |name: &str| signed.claims[name].as_i64().unwrap();
    assert!(time("exp") - time("iat") <= 1200);

    let key = Key::secret(SECRET);
    add(&home, &key)
        .args(["--alg", "HS256", "--key-encoding", "hex", "--kid", "6748592f"])
        .args(["--assertion-audience", "/admin/", "--assertion-lifetime", "5m"])
        .args(["--header", "Authorization: Ghost {token}"])
        .run()
        .ok();
    let header = home.tokctl(["get", "acme", "--header"]).run().ok();
    let signed = key.check(header.strip_prefix("Authorization: Ghost ").unwrap());
    assert_eq!(signed.header["kid"], "6748592f");
    assert_eq!(signed.claims["aud"], "/admin/");
}

#[test]
fn a_token_is_signed_once_and_served_until_it_is_old() {
    let (home, key) = (Home::new().init_bare(), Key::generate("EdDSA"));
    add(&home, &key).args(["--iss", "me"]).run().ok();
    let token = home.get("acme");
    assert_eq!(home.get("acme"), token);
    home.stop_agent();
    assert_eq!(home.get("acme"), token, "a restart signed another");
}

#[test]
fn a_secret_option_stores_the_key_too() {
    let (home, key) = (Home::new().init_bare(), Key::secret(SECRET));
    let options = ["--grant", "self_signed_jwt", "--alg", "HS256", "--key-encoding", "hex"];
    home.tokctl(["add", "ghost"]).args(options).run().fails(0, &["no private key is stored"]);
    home.tokctl(["get", "ghost"]).run().fails(5, &["tokctl set-secret ghost"]);
    let file = home.secret_file("secret", SECRET);
    home.tokctl(["set-secret", "ghost", "--secret-file"]).arg(file).run().ok();
    key.check(&home.get("ghost"));
}

#[test]
fn a_key_that_cannot_sign_is_refused_without_being_shown() {
    let home = Home::new().init_bare();
    for (alg, private, code, said) in [
        ("RS256", Key::generate("ES256").private, 10, "cannot sign RS256"),
        ("HS256", "00ff".to_owned(), 5, "HS256 needs 32"),
        ("HS256", "zz".repeat(32), 5, "key_encoding"),
        ("ES256", "hunter2".repeat(9), 5, "neither PEM nor a JWK"),
    ] {
        let mut key = Key::secret(SECRET);
        key.private = private;
        add(&home, &key).args(["--alg", alg, "--key-encoding", "hex"]).run().ok();
        let output = home.tokctl(["get", "acme"]).run().fails(code, &[said]);
        assert!(!output.stderr.contains(&key.private), "{output:?}");
    }
}
