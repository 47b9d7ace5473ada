//! `add` on a terminal asks for what is missing.

use tokctl_tests::pty::Terminal;
use tokctl_tests::{Home, Provider};

#[test]
fn add_asks_for_what_is_missing_and_ends_with_a_token() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let run = home
        .tokctl(["add", "acme", "--grant", "client_credentials", "--client-id", "cc"])
        .args(["--token-endpoint", &provider.token_endpoint()])
        .env_remove("TOKCTL_NO_PROMPT");
    let mut terminal = Terminal::start(run);
    terminal.expect_hidden("ecret");
    terminal.type_line("cc-secret");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("cc-secret"), "{screen}");
    assert_eq!(provider.token_requests().len(), 1);
    home.get("acme");
}

#[test]
fn add_offers_init_where_there_is_no_vault() {
    let (home, provider) = (Home::new(), Provider::start());
    let secret = home.secret_file("secret", "cc-secret");
    let run = home
        .tokctl(["add", "acme", "--grant", "client_credentials", "--client-id", "cc"])
        .args(["--token-endpoint", &provider.token_endpoint(), "--secret-file"])
        .arg(secret)
        .env_remove("TOKCTL_NO_PROMPT");
    let mut terminal = Terminal::start(run);
    terminal.expect("make one now?");
    terminal.type_line("y");
    for prompt in ["passphrase", "once more"] {
        terminal.expect_hidden(prompt);
        terminal.type_line("open sesame");
    }
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    home.get("acme");
}

#[test]
fn plain_http_on_loopback_is_said() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let added = home
        .add("acme", "cc", "cc-secret")
        .args(["--token-endpoint", &provider.token_endpoint()])
        .run();
    let added = added.fails(0, &["http"]);
    assert_eq!(added.stdout, "", "{added:?}");
    let config = std::fs::read_to_string(home.config()).unwrap();
    assert!(config.contains("allow_http_loopback = true"), "{config}");
}

#[test]
fn plain_http_to_anywhere_else_is_refused() {
    let home = Home::new().init_bare();
    home.add("acme", "cc", "cc-secret")
        .args(["--token-endpoint", "http://provider.example/token"])
        .run()
        .fails(10, &["http"]);
    assert_eq!(home.profiles(), Vec::<String>::new());
}

#[test]
fn an_issuer_is_written_as_its_provider_spells_it() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let issuer = provider.issuer();
    for (profile, typed) in [("exact", issuer.clone()), ("slash", format!("{issuer}/"))] {
        home.add(profile, "cc", "cc-secret").args(["--issuer", &typed]).run().ok();
        let settings = home.tokctl(["show", profile, "--json"]).run().json();
        let text = settings.to_string();
        assert!(text.contains(&format!("{issuer}\\\"")), "{text}");
        home.get(profile);
    }
}
