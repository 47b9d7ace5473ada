//! The life of a profile: list, show, set, rename, remove, and what becomes of its secret.

use tokctl_tests::http::free_port;
use tokctl_tests::{Home, Provider};

#[test]
fn a_profile_is_listed_and_shown_without_its_secret() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    assert_eq!(home.profiles(), ["acme"]);
    for arguments in [&["list"][..], &["show", "acme"], &["show", "acme", "--json"], &["status"]] {
        let output = home.tokctl(arguments).run();
        assert!(!format!("{output:?}").contains("cc-secret"), "{output:?}");
        assert!(output.clone().exits(0).stdout.contains("acme"), "{output:?}");
    }
}

#[test]
fn a_setting_that_is_changed_takes_effect() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.get("acme");
    home.tokctl(["set", "acme", "scope=other"]).run().ok();
    home.get("acme");
    let scopes: Vec<_> = provider
        .token_requests()
        .iter()
        .map(|request| request.param("scope").unwrap_or_default().to_owned())
        .collect();
    assert_eq!(scopes, ["api", "other"]);
}

#[test]
fn a_renamed_profile_keeps_its_secret() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.tokctl(["rename", "acme", "acme-old"]).run().ok();
    home.tokctl(["get", "acme"]).run().exits(3);
    home.get("acme-old");
    assert!(!home.entry("acme").exists());
}

#[test]
fn a_removed_profile_takes_its_secret_along() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.get("acme");
    home.tokctl(["remove", "acme", "--yes"]).run().ok();
    home.tokctl(["get", "acme"]).run().exits(3);
    assert!(!home.entry("acme").exists());
    assert_eq!(home.profiles(), Vec::<String>::new());
}

#[test]
fn status_tells_how_long_a_token_is_good() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    assert_eq!(home.status("acme")["state"], "none");
    home.get("acme");
    let row = home.status("acme");
    assert_eq!(row["state"], "valid", "{row}");
    assert!(row["next_at"].as_i64() < row["expires_at"].as_i64(), "{row}");
}

#[test]
fn an_entry_without_a_profile_is_an_orphan_and_not_forgotten() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.add_at("other", &provider);
    let text = std::fs::read_to_string(home.config()).unwrap();
    let (other, _) = text.split_once("[profiles.other]").unwrap();
    std::fs::write(home.config(), other).unwrap();
    home.tokctl(["agent", "reload"]).run().ok();
    assert_eq!(home.status("other")["state"], "orphan");
    assert_eq!(home.status("acme")["state"], "none");
    assert_eq!(home.profiles(), ["acme", "other"]);
}

#[test]
fn a_name_that_is_nobodys_is_told_in_the_same_words_everywhere() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    for (added, hint) in [(false, "tokctl add zzz"), (true, "`tokctl list` shows what there is")] {
        if added {
            home.add_at("acme", &provider);
        }
        for arguments in [
            &["get", "zzz"][..],
            &["show", "zzz"],
            &["set", "zzz", "body=json"],
            &["remove", "zzz", "--yes"],
        ] {
            let words = ["zzz: there is no profile of this name", hint];
            home.tokctl(arguments).run().fails(3, &words);
        }
    }
}

#[test]
fn an_issuer_that_is_misspelt_is_mended_in_the_words_of_each_command() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    // A slash is made good when a profile is added; another name of the same host is another issuer.
    let misspelt = format!("{}/", provider.issuer());
    let other = provider.issuer().replace("127.0.0.1", "localhost");
    home.add("acme", "cc", "cc-secret")
        .args(["--issuer", &other])
        .run()
        .fails(10, &["of another issuer", "`--issuer`", "`--token-endpoint URL`"]);
    // Nothing is said of its spelling where nobody has read it.
    let nobody = format!("http://127.0.0.1:{}", free_port().unwrap());
    home.add("acme", "cc", "cc-secret")
        .args(["--issuer", &nobody])
        .run()
        .fails(7, &["connection refused", "can be reached", "`--token-endpoint URL`"]);
    home.add_at("acme", &provider);
    home.tokctl(["set", "acme", "token_endpoint=", &format!("issuer={misspelt}")]).run().ok();
    let secret = home.secret_file("again", "cc-secret");
    let set_secret = home.tokctl(["set-secret", "acme", "--secret-file"]).arg(secret);
    for command in [set_secret, home.tokctl(["get", "acme"])] {
        command.run().fails(10, &["of another issuer", "`tokctl set acme issuer="]);
    }
    // In its place it needs no metadata.
    let endpoint = format!("token_endpoint={}", provider.token_endpoint());
    home.tokctl(["set", "acme", "issuer=", &endpoint]).run().ok();
    home.get("acme");
}
