//! What `add --dry-run` and `get --dry-run` tell of a profile, and that they do nothing else.

use serde_json::json;
use tokctl_tests::{Home, Provider};

/// What lies in a home, but for the agent's own.
fn files(home: &Home) -> Vec<String> {
    let entries = home.vault().join("entries");
    let listed = std::fs::read_dir(entries).into_iter().flatten();
    let mut files: Vec<_> =
        listed.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.extend(std::fs::read_to_string(home.config()).ok());
    files
}

#[test]
fn a_dry_run_of_an_add_writes_and_sends_nothing_and_shows_no_secret() {
    let provider = Provider::start();
    let at = provider.token_endpoint();
    for (home, state) in [(Home::new(), "none"), (Home::new().init_bare(), "open")] {
        let before = files(&home);
        let shown = home
            .add("acme", "cc", "hunter2-hunter2")
            .args(["--token-endpoint", &at, "--scope", "api", "--dry-run"])
            .run();
        let text = shown.clone().ok();
        assert!(text.starts_with("[profiles.acme]\n"), "{state}: {text}");
        assert!(text.contains("client_id = \"cc\"\n") && text.contains("# secrets: client_secret"));
        assert!(text.contains("POST ") && text.contains("Authorization: Basic [redacted]"));
        assert!(!format!("{shown:?}").contains("hunter2"), "{shown:?}");
        assert_eq!(files(&home), before, "{state}");
        assert_eq!(home.profiles(), Vec::<String>::new());
    }
    assert!(provider.token_requests().is_empty());
}

#[test]
fn an_issuer_is_not_asked_and_no_key_is_made() {
    // Nobody listens there.
    let home = Home::new().init_bare();
    let add = |profile: &str| {
        home.tokctl(["add", profile, "--client-id", "cc", "--issuer", "http://127.0.0.1:1/"])
            .args(["--grant", "client_credentials", "--dry-run"])
    };
    let text = add("acme").run().fails(0, &["what the metadata says is not known"]).stdout;
    assert!(text.contains("# no secret\n"), "{text}");
    assert!(text.contains("POST [token_endpoint of the metadata] HTTP/1.1"), "{text}");

    let shown = add("acme").args(["--generate-key", "RS256", "--json"]).run();
    let shown = shown.fails(0, &["a private key for RS256 would be made"]).json();
    assert_eq!(shown["secrets"], json!(["private_key"]));
    let toml = shown["toml"].as_str().unwrap();
    for line in ["alg = \"RS256\"", "client_auth = \"private_key_jwt\""] {
        assert!(toml.contains(line), "{toml}");
    }
    let requests = shown["requests"].to_string();
    assert!(requests.contains("client_assertion=[redacted]"), "{requests}");
    assert!(shown.get("public_key").is_none());
    assert_eq!(home.profiles(), Vec::<String>::new());
}

#[test]
fn a_dry_run_refuses_what_an_add_would_refuse() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let dry = |name: &str| {
        home.add(name, "cc", "hunter2-hunter2").args([
            "--token-endpoint",
            &provider.token_endpoint(),
            "--dry-run",
        ])
    };
    dry("acme").run().fails(2, &["--replace"]);
    dry("acme").arg("--replace").run().ok();
    dry("other").args(["--client-auth", "basik"]).run().exits(2);
    home.get("acme");
}

#[test]
fn a_dry_run_of_a_get_sends_nothing_sealed_or_not() {
    let (home, provider) = (Home::new().init(), Provider::start());
    home.add_at("acme", &provider);
    home.tokctl(["add", "signed", "--grant", "jwt_bearer", "--client-id", "cc", "--alg", "RS256"])
        .args(["--token-endpoint", &provider.token_endpoint(), "--client-auth", "none"])
        .run()
        .ok();
    for sealed in [false, true] {
        if sealed {
            home.tokctl(["lock"]).run().ok();
        }
        let text = home.tokctl(["get", "acme", "--dry-run", "--scope", "x"]).run().ok();
        assert!(text.contains("Authorization: Basic [redacted]") && text.contains("scope=x"));
        let text = home.tokctl(["get", "signed", "--dry-run"]).run().ok();
        assert!(text.contains("assertion=[redacted]"), "{text}");
    }
    assert!(provider.token_requests().is_empty());
}
