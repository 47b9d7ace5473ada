//! The recovery path: the stock `age` program opens what tokctl wrote.

use tokctl_tests::home::PASSPHRASE;
use tokctl_tests::pty::Terminal;
use tokctl_tests::{Home, Provider};

#[test]
fn stock_age_opens_an_entry() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let opened = home
        .with_environment(tokctl_tests::Run::new("age"))
        .arg("--decrypt")
        .arg("--identity")
        .arg(home.vault().join("identity.txt"))
        .arg(home.entry("acme"))
        .run()
        .ok();
    assert!(opened.starts_with("tokctl-entry 1 "), "{opened}");
    assert!(opened.contains("cc-secret"), "{opened}");
}

#[test]
fn stock_age_opens_an_entry_with_the_passphrase() {
    let (home, provider) = (Home::new().init(), Provider::start());
    home.add_at("acme", &provider);
    let mut terminal = Terminal::start(
        home.with_environment(tokctl_tests::Run::new("age"))
            .arg("--decrypt")
            .arg("--identity")
            .arg(home.vault().join("identity.age"))
            .arg(home.entry("acme")),
    );
    terminal.expect_hidden("assphrase");
    terminal.type_line(PASSPHRASE);
    terminal.expect("tokctl-entry 1 ");
    terminal.expect("cc-secret");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
}

#[test]
fn no_secret_lies_about_in_the_clear() {
    let (home, provider) = (Home::new().init(), Provider::start());
    home.add_at("acme", &provider);
    let token = home.get("acme");
    home.stop_agent();
    let mut directories = vec![home.path()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.is_file() {
                let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                for secret in ["cc-secret", PASSPHRASE, token.as_str()] {
                    assert!(!text.contains(secret), "{} has {secret}", path.display());
                }
            }
        }
    }
}
