//! Programs that are told what happens, and the notice on a desktop.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider, eventually};

/// A program that writes down what it is told, a line for each time.
fn program(directory: &Path, name: &str, script: &str) -> PathBuf {
    fs::create_dir_all(directory).unwrap();
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn configure(home: &Home, agent: &str) {
    let profiles = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), format!("{profiles}\n{agent}\n")).unwrap();
    home.tokctl(["agent", "reload"]).run().ok();
}

/// What was written down, as soon as there are so many lines.
fn lines(file: &Path, count: usize) -> Vec<String> {
    eventually("the program is told", || {
        let text = fs::read_to_string(file).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines: Vec<String> = whole.lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

/// A profile whose refresh token the provider refuses.
fn add_revoked(home: &Home, provider: &Provider, profile: &str) {
    home.add_refresh_token(profile, "rt", "gone")
        .args(["--client-auth", "none", "--token-endpoint", &provider.token_endpoint()])
        .run()
        .ok();
}

#[test]
fn each_hook_is_told_its_event_and_never_a_token() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let told = home.root().join("told");
    let script = format!(
        "env | grep ^TOKCTL_ | sort | tr '\\n' ' ' >> '{0}'; echo >> '{0}'",
        told.display()
    );
    let hook = program(home.root(), "hook", &script);
    let hooks = ["renewed", "failed", "login_needed", "locked"]
        .map(|event| format!("{event} = [\"{}\", \"x y\"]", hook.display()));
    configure(&home, &format!("[agent.hooks]\n{}", hooks.join("\n")));

    let token = home.get("acme");
    let line = lines(&told, 1).remove(0);
    let home_is = format!("TOKCTL_HOME={}", home.path().display());
    for word in ["TOKCTL_EVENT=renewed ", "TOKCTL_PROFILE=acme ", "TOKCTL_EXPIRES_AT=1", &home_is] {
        assert!(line.contains(word), "{line}");
    }
    add_revoked(&home, &provider, "gone");
    provider.answer_next(Answer::json(400, r#"{"error":"invalid_grant"}"#));
    home.tokctl(["get", "gone"]).run().exits(5);
    lines(&told, 3);
    home.tokctl(["lock"]).run().ok();
    let lines = lines(&told, 4);
    // Those of different kinds run beside each other.
    let needed = lines.iter().find(|line| line.contains("=login_needed ")).unwrap();
    for word in ["TOKCTL_PROFILE=gone ", "TOKCTL_KIND=login_required ", "TOKCTL_HINT=run `tokctl "]
    {
        assert!(needed.contains(word), "{needed}");
    }
    assert!(lines.iter().any(|line| line.contains("TOKCTL_EVENT=failed ")), "{lines:?}");
    assert!(lines[3].contains("TOKCTL_EVENT=locked "), "{lines:?}");
    assert!(!lines.concat().contains(&token), "{lines:?}");
}

#[test]
fn a_hook_that_fails_is_a_line_in_the_log_and_nothing_else() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let hook = program(home.root(), "hook", "echo 'it is \u{1b}[2J over' >&2; exit 3");
    configure(
        &home,
        &format!(
            "[agent.hooks]\nrenewed = [\"{}\"]\nlocked = [\"no-such-program\"]",
            hook.display()
        ),
    );
    home.get("acme");
    home.tokctl(["lock"]).run().ok();
    let log = eventually("all of it is in the log", || {
        let log = fs::read_to_string(home.path().join("state/agent.log")).unwrap();
        (log.contains("exit status: 3") && log.contains("no-such-program")).then_some(log)
    });
    assert!(log.contains("it is \\u{1b}[2J over"), "{log}");
    home.tokctl(["unlock"]).run().ok();
    home.get("acme");
}

#[test]
fn a_hook_holds_up_nobody_and_does_not_outlive_its_agent() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let told = home.root().join("told");
    let script = format!("sleep 1000 & echo $! >> '{}'; wait", told.display());
    let hook = program(home.root(), "hook", &script);
    configure(&home, &format!("[agent.hooks]\nrenewed = [\"{}\"]", hook.display()));
    home.get("acme");
    let sleep = lines(&told, 1).remove(0);
    home.tokctl(["get", "acme", "--scope", "api write"]).run().ok();
    home.stop_agent();
    let process = Path::new("/proc").join(&sleep).join("cmdline");
    eventually("the child of the hook is gone", || {
        let line = fs::read_to_string(&process).unwrap_or_default();
        (!line.contains("sleep")).then_some(())
    });
    // The second had to wait for its turn, and has had none.
    assert_eq!(lines(&told, 1), [sleep]);
}

#[test]
fn hooks_that_make_no_sense_are_refused_with_their_line() {
    let home = Home::new().init_bare();
    fs::write(home.config(), "[agent.hooks]\nrenewed = \"echo hello\"\n").unwrap();
    let words = ["config.toml:2: `renewed` must be a list", "write `renewed = ["];
    home.tokctl(["agent", "reload"]).run().fails(10, &words);
}

/// An agent with a session bus, and a `notify-send` that writes down its arguments.
fn with_desktop() -> (Home, PathBuf) {
    let home = Home::new();
    let told = home.root().join("notices");
    let script =
        format!("printf '%s|' \"$@\" | tr '\\n' '~' >> '{0}'; echo >> '{0}'", told.display());
    let desktop = home.root().join("desktop");
    program(&desktop, "notify-send", &script);
    let path = format!("{}:/usr/bin:/bin", desktop.display());
    home.tokctl(["init", "--no-passphrase"])
        .env("PATH", format!("{path}:{}", home.programs().directory.display()))
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .run()
        .ok();
    (home, told)
}

#[test]
fn a_login_that_is_needed_is_a_notice_once_until_there_is_a_token_again() {
    let (home, told) = with_desktop();
    let provider = Provider::start();
    add_revoked(&home, &provider, "acme");
    let refuse = || {
        let description = "<b>no</b> & -x";
        let body = format!(r#"{{"error":"invalid_grant","error_description":"{description}"}}"#);
        provider.answer_next(Answer::json(400, &body));
    };
    refuse();
    home.tokctl(["get", "acme"]).run().exits(5);
    let notice = lines(&told, 1).remove(0);
    assert!(
        notice.starts_with("--app-name=tokctl|--icon=dialog-password|--|acme needs "),
        "{notice}"
    );
    assert!(notice.contains("&lt;b&gt;no&lt;/b&gt; &amp; -x"), "{notice}");
    assert!(notice.contains("~run `tokctl "), "{notice}");
    // Another refusal of the same, by another refresh token that is none.
    let store = |token: &str| {
        let file = home.secret_file("next", token);
        home.tokctl(["set-secret", "acme", "--name", "refresh_token", "--secret-file"])
            .arg(file)
            .run()
            .ok();
    };
    store("gone too");
    refuse();
    home.tokctl(["get", "acme"]).run().exits(5);
    store("good");
    provider.answer_next(Answer::json(200, r#"{"access_token":"t0ken","expires_in":3600}"#));
    home.get("acme");
    store("gone again");
    refuse();
    eventually("the provider is asked again", || {
        (home.tokctl(["refresh", "acme"]).run().code == 5).then_some(())
    });
    let notices = lines(&told, 2);
    assert_eq!(notices.len(), 2, "{notices:?}");
}

#[test]
fn no_notice_is_shown_to_whoever_wants_none() {
    let (home, told) = with_desktop();
    let provider = Provider::start();
    provider.answer(Answer::json(400, r#"{"error":"invalid_grant"}"#));
    add_revoked(&home, &provider, "acme");
    configure(&home, "[agent]\nnotify = false");
    home.tokctl(["get", "acme"]).run().exits(5);
    // One that is shown comes after the other.
    let config = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), config.replace("notify = false", "notify = true")).unwrap();
    home.tokctl(["agent", "reload"]).run().ok();
    add_revoked(&home, &provider, "other");
    home.tokctl(["get", "other"]).run().exits(5);
    let notices = lines(&told, 1);
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("|other needs "), "{notices:?}");
}
