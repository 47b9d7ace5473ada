//! config.toml: edited under the agent, broken, linked, read-only.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use tokctl_tests::{Home, Provider, eventually};

fn edit(home: &Home, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), change(text)).unwrap();
}

#[test]
fn an_edit_under_the_agent_is_kept_by_the_next_command() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    edit(&home, |text| format!("# mine\n{text}\n# and this\n"));
    home.add_at("other", &provider);
    let text = fs::read_to_string(home.config()).unwrap();
    for kept in ["# mine", "# and this", "[profiles.acme]", "[profiles.other]"] {
        assert!(text.contains(kept), "{kept} is gone: {text}");
    }
    assert_eq!(home.profiles(), ["acme", "other"]);
}

#[test]
fn an_edit_is_noticed_by_itself() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.get("acme");
    edit(&home, |text| text.replace("\"api\"", "\"other\""));
    eventually("the new scope is asked for", || {
        home.get("acme");
        let requests = provider.token_requests();
        (requests.last()?.param("scope") == Some("other")).then_some(())
    });
}

#[test]
fn a_broken_edit_leaves_the_last_good_configuration_in_force() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let token = home.get("acme");
    edit(&home, |text| text.replace("client_id", "clinet_id"));
    let reload = home.tokctl(["agent", "reload"]).run();
    reload.fails(10, &["config.toml:", "clinet_id", "client_id"]);
    assert_eq!(home.get("acme"), token);
    let problem = home.agent_status()["config_problem"].clone();
    assert!(problem.as_str().is_some_and(|text| text.contains("clinet_id")), "{problem}");
    for command in [&["list"][..], &["status"], &["show", "acme"]] {
        let listed = home.tokctl(command).run();
        assert!(listed.stderr.contains("warning: the last good configuration"), "{listed:?}");
        listed.ok();
    }
    // And nothing is written over what cannot be read.
    let before = fs::read(home.config()).unwrap();
    home.add("other", "cc", "cc-secret")
        .args(["--token-endpoint", &provider.token_endpoint()])
        .run()
        .exits(10);
    assert_eq!(fs::read(home.config()).unwrap(), before);

    edit(&home, |text| text.replace("clinet_id", "client_id"));
    home.tokctl(["agent", "reload"]).run().ok();
    assert!(home.agent_status()["config_problem"].is_null());
}

#[test]
fn an_agent_that_starts_on_a_broken_file_names_the_line() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.stop_agent();
    edit(&home, |text| format!("{text}\n[profiles.acme\n"));
    home.tokctl(["get", "acme"]).run().fails(10, &["config.toml:"]);
    // What is stored is not shown as if its profile had been removed.
    home.tokctl(["show", "acme"]).run().fails(10, &["config.toml:"]);
    for listing in ["list", "status"] {
        let listed = home.tokctl([listing]).run();
        for word in ["warning: no profile is in use", "config.toml:"] {
            assert!(listed.stderr.contains(word), "{listed:?}");
        }
    }
    edit(&home, |text| text.replace("\n[profiles.acme\n", "\n"));
    home.get("acme");
}

#[test]
fn a_file_of_windows_stays_one() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    edit(&home, |text| format!("\u{feff}{}", text.replace('\n', "\r\n")));
    home.tokctl(["set", "acme", "scope=other"]).run().ok();
    let text = fs::read_to_string(home.config()).unwrap();
    assert!(text.starts_with('\u{feff}') && text.contains("[\"other\"]"), "{text:?}");
    assert_eq!(text.matches("\r\n").count(), text.matches('\n').count(), "{text:?}");
    home.get("acme");
}

#[test]
fn a_link_is_followed_and_stays_a_link() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let dotfiles = home.secret_file("config.toml", "# from my dotfiles\n");
    drop(fs::remove_file(home.config()));
    symlink(&dotfiles, home.config()).unwrap();
    home.add_at("acme", &provider);
    assert!(home.config().is_symlink());
    let text = fs::read_to_string(&dotfiles).unwrap();
    assert!(text.contains("# from my dotfiles") && text.contains("[profiles.acme]"), "{text}");
    home.get("acme");
}

#[test]
fn a_read_only_file_gets_what_to_paste() {
    let (home, provider) = (Home::of_ordinary_user().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o400)).unwrap();
    pastes(&home, &provider);
}

#[test]
fn a_link_to_a_read_only_file_gets_what_to_paste() {
    let (home, provider) = (Home::of_ordinary_user().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let managed = home.root().join("files/managed.toml");
    fs::rename(home.config(), &managed).unwrap();
    fs::set_permissions(&managed, fs::Permissions::from_mode(0o400)).unwrap();
    symlink(&managed, home.config()).unwrap();
    pastes(&home, &provider);
}

/// `add` refuses, prints the profile, and changes nothing.
#[track_caller]
fn pastes(home: &Home, provider: &Provider) {
    let before = fs::read_to_string(home.config()).unwrap();
    let output = home
        .add("other", "cc", "cc-secret")
        .args(["--token-endpoint", &provider.token_endpoint()])
        .run()
        .fails(10, &["read-only"]);
    assert!(output.stdout.contains("[profiles.other]"), "{output:?}");
    assert!(!output.stdout.contains("cc-secret"), "{output:?}");
    assert_eq!(fs::read_to_string(home.config()).unwrap(), before);
    home.get("acme");
}

#[test]
fn a_secret_stays_with_the_origin_it_was_stored_for() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let elsewhere = Provider::start();
    home.add_at("acme", &provider);
    edit(&home, |text| text.replace(&provider.token_endpoint(), &elsewhere.token_endpoint()));
    home.tokctl(["agent", "reload"]).run().ok();
    home.tokctl(["get", "acme"]).run().fails(10, &["tokctl set-secret acme"]);
    assert_eq!(elsewhere.token_requests().len(), 0);

    let secret = home.secret_file("again", "cc-secret");
    home.tokctl(["set-secret", "acme", "--secret-file"]).arg(secret).run().ok();
    assert!(elsewhere.is_live(&home.get("acme")));
}
