//! Commands about profiles that are not as the user thinks.

use tokctl_tests::{Home, Provider};

#[test]
fn an_unknown_profile_gets_the_nearest_name() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.tokctl(["get", "acne"]).run().fails(3, &["acne", "acme"]);
    let json = home.tokctl(["get", "acne", "--json"]).run().exits(3);
    let text = if json.stdout.is_empty() { &json.stderr } else { &json.stdout };
    let error: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(error["error"]["kind"], "no_such_profile", "{error}");
    assert_eq!(error["error"]["exit"], 3, "{error}");
}

#[test]
fn a_profile_that_exists_is_not_added_over() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let before = std::fs::read_to_string(home.config()).unwrap();
    let again = home.add("acme", "other", "other-secret");
    again
        .args(["--token-endpoint", &provider.token_endpoint()])
        .run()
        .fails(2, &["set-secret", "--replace"]);
    assert_eq!(std::fs::read_to_string(home.config()).unwrap(), before);
    home.get("acme");
}

#[test]
fn replace_takes_its_place() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let add = |secret: &str| {
        home.add("acme", "cc", secret).args(["--token-endpoint", &provider.token_endpoint()])
    };
    add("wrong").run().ok();
    add("cc-secret").arg("--replace").run().ok();
    home.get("acme");
}

#[test]
fn a_profile_without_a_secret_needs_one() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    // As somebody writes it who copies a profile by hand.
    let config = std::fs::read_to_string(home.config()).unwrap();
    let copy = config.replace("[profiles.acme]", "[profiles.copy]");
    std::fs::write(home.config(), format!("{config}\n{copy}")).unwrap();
    home.tokctl(["agent", "reload"]).run().ok();
    home.tokctl(["get", "copy"]).run().fails(5, &["tokctl set-secret copy"]);

    let secret = home.secret_file("secret", "cc-secret");
    home.tokctl(["set-secret", "copy", "--secret-file"]).arg(secret).run().ok();
    home.get("copy");
}

#[test]
fn a_name_that_is_no_file_name_is_refused() {
    let home = Home::new().init_bare();
    for name in ["../acme", "Acme", "a/b", ".acme", ""] {
        home.tokctl(["add", name, "--grant", "api_key", "--key-stdin"]).stdin("key").run().exits(2);
    }
    let entries = home.vault().join("entries");
    assert!(entries.read_dir().is_ok_and(|mut entries| entries.next().is_none()));
}
