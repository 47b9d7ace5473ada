//! Prompts: who is asked, when, and who is not.

use tokctl_tests::home::PASSPHRASE;
use tokctl_tests::pty::Terminal;
use tokctl_tests::{Home, Provider, Run};

fn on_terminal(home: &Home, arguments: &[&str]) -> Run {
    home.tokctl(arguments).env_remove("TOKCTL_NO_PROMPT")
}

#[test]
fn init_asks_twice_and_shows_nothing() {
    let home = Home::new();
    let mut terminal = Terminal::start(on_terminal(&home, &["init"]));
    for prompt in ["passphrase", "once more"] {
        terminal.expect_hidden(prompt);
        terminal.type_line("open sesame");
    }
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("sesame"), "{screen}");
    assert!(home.vault().join("identity.age").is_file());
}

#[test]
fn two_passphrases_that_differ_make_no_vault() {
    let home = Home::new();
    let mut terminal = Terminal::start(on_terminal(&home, &["init"]));
    for (prompt, text) in [("passphrase", "one"), ("once more", "other")] {
        terminal.expect_hidden(prompt);
        terminal.type_line(text);
    }
    terminal.expect("differ");
    terminal.expect_hidden("passphrase");
    terminal.type_keys("\x03");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 130, "{screen}");
    assert!(!home.vault().join("identity.age").exists());
}

#[test]
fn a_get_on_a_sealed_vault_asks_on_the_terminal() {
    let (home, provider) = (Home::new().init(), Provider::start());
    home.add_at("acme", &provider);
    home.tokctl(["lock"]).run().ok();
    let mut terminal = Terminal::start(on_terminal(&home, &["get", "acme"]));
    terminal.expect_hidden("passphrase");
    terminal.type_line(PASSPHRASE);
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("cc-0001-"), "{screen}");
}

#[test]
fn a_substituted_get_asks_too() {
    let (home, provider) = (Home::new().init(), Provider::start());
    home.add_at("acme", &provider);
    home.tokctl(["lock"]).run().ok();
    let mut terminal = Terminal::start_substituted(on_terminal(&home, &["get", "acme"]));
    terminal.expect_hidden("passphrase");
    terminal.type_line(PASSPHRASE);
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
}

#[test]
fn one_answer_serves_all_who_wait() {
    let (home, provider) = (Home::new().init(), Provider::start());
    home.add_at("acme", &provider);
    home.tokctl(["lock"]).run().ok();
    let mut asked: Vec<_> =
        (0..3).map(|_| Terminal::start(on_terminal(&home, &["get", "acme"]))).collect();
    for terminal in &mut asked {
        terminal.expect_hidden("passphrase");
    }
    asked[1].type_line(PASSPHRASE);
    for terminal in asked {
        let (code, screen) = terminal.finish();
        assert_eq!(code, 0, "{screen}");
        assert!(screen.contains("cc-0001-"), "{screen}");
    }
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let (home, provider) = (Home::new().init(), Provider::start());
    home.add_at("acme", &provider);
    home.tokctl(["lock"]).run().ok();
    let run = on_terminal(&home, &["get", "acme"]).run();
    run.fails(4, &["tokctl: hint:", "tokctl unlock"]);
}

#[test]
fn ci_is_not_asked_even_on_a_terminal() {
    let (home, provider) = (Home::new().init(), Provider::start());
    home.add_at("acme", &provider);
    home.tokctl(["lock"]).run().ok();
    for (variable, option) in
        [("CI", None), ("TOKCTL_NO_PROMPT", None), ("LANG", Some("--no-prompt"))]
    {
        let run = on_terminal(&home, &["get", "acme"]).args(option).env(variable, "1");
        let (code, screen) = Terminal::start(run).finish();
        assert_eq!(code, 4, "{variable} {option:?}: {screen}");
    }
}

#[test]
fn ctrl_c_at_the_prompt_ends_with_130_and_the_echo_back_on() {
    let home = Home::new().init();
    home.tokctl(["lock"]).run().ok();
    let mut terminal = Terminal::start(on_terminal(&home, &["unlock"]));
    terminal.expect_hidden("passphrase");
    terminal.type_keys("\x03");
    terminal.expect_echo();
    let (code, screen) = terminal.finish();
    assert_eq!(code, 130, "{screen}");
}

#[test]
fn a_new_passphrase_takes_the_place_of_the_old() {
    let home = Home::new().init();
    let old = home.secret_file("old", PASSPHRASE);
    let new = home.secret_file("new", "another one");
    home.tokctl(["passwd", "--passphrase-file"])
        .arg(&old)
        .arg("--new-passphrase-file")
        .arg(&new)
        .run()
        .ok();
    home.tokctl(["lock"]).run().ok();
    home.tokctl(["unlock", "--passphrase-file"]).arg(&old).run().exits(4);
    home.tokctl(["unlock", "--passphrase-file"]).arg(&new).run().ok();
}

#[test]
fn the_old_passphrase_is_needed_even_where_the_vault_is_open() {
    let home = Home::new().init();
    let new = home.secret_file("new", "another one");
    let run = home.tokctl(["passwd", "--new-passphrase-file"]).arg(&new).run();
    run.fails(2, &["the present passphrase was not given", "--passphrase-file FILE"]);
}

#[test]
fn status_of_a_sealed_vault_promises_no_token() {
    let (home, provider) = (Home::new().init(), Provider::start());
    home.add_at("acme", &provider);
    home.get("acme");
    let expires_at = home.status("acme")["expires_at"].clone();
    home.tokctl(["lock"]).run().ok();
    let said = home.tokctl(["status"]).run();
    assert!(said.stderr.contains("sealed") && said.stderr.contains("tokctl unlock"), "{said:?}");
    let row = home.status("acme");
    assert_eq!((&row["state"], &row["expires_at"]), (&"sealed".into(), &expires_at), "{row}");
    assert!(row["next_at"].is_null(), "{row}");
}
