//! Programs that print a token.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tokctl_tests::{Home, eventually};

/// Adds a profile whose program is a line of shell.
#[track_caller]
fn add_script(home: &Home, script: &str, options: &[&str]) {
    home.tokctl(["add", "acme", "--replace"])
        .args(options)
        .args(["--", "sh", "-c", script])
        .run()
        .ok();
}

/// Adds a profile whose program prints a text. Another text is another program: what is the same has its token.
#[track_caller]
fn add_printing(home: &Home, text: &str) {
    let file = home.secret_file(&format!("printed-{}", text.len()), text);
    add_script(home, &format!("cat '{}'", file.display()), &[]);
}

#[test]
fn every_shape_that_programs_print_is_a_token() {
    let home = Home::new().init_bare();
    let end = "2035-01-01T00:00:00Z";
    let end_s = 2_051_222_400;
    for (printed, expires_at) in [
        ("tok-1\n".to_owned(), None),
        (json!({ "access_token": "tok-1" }).to_string(), None),
        (json!({ "access_token": "tok-1", "expires_at": end_s }).to_string(), Some(end_s)),
        (json!({ "version": 1, "value": "tok-1", "expires_at": end }).to_string(), Some(end_s)),
        (
            json!({
                "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                "status": { "token": "tok-1", "expirationTimestamp": end },
            })
            .to_string(),
            Some(end_s),
        ),
    ] {
        add_printing(&home, &printed);
        let json = home.tokctl(["get", "acme", "--json"]).run().json();
        assert_eq!(json["access_token"], "tok-1", "{printed}");
        let found = json["expires_at"].as_i64();
        // A lifetime is told in whole seconds.
        let is_near = found.zip(expires_at).is_some_and(|(a, b): (i64, i64)| (a - b).abs() <= 2);
        assert!(is_near || (found, expires_at) == (None, None), "{printed}: {json}");
    }
}

#[test]
fn credentials_of_aws_are_one_token_and_its_parts() {
    let home = Home::new().init_bare();
    let printed = json!({
        "Version": 1, "AccessKeyId": "ASIA1", "SecretAccessKey": "s/+=", "SessionToken": "t==",
        "Expiration": "2035-01-01T00:00:00Z",
    });
    add_printing(&home, &printed.to_string());
    let token: Value = serde_json::from_str(&home.get("acme")).unwrap();
    assert_eq!(token, printed);
    let json = home.tokctl(["get", "acme", "--json"]).run().json();
    assert_eq!(json["aws_session_token"], "t==");
}

#[test]
fn a_token_without_an_end_ends_when_the_profile_says() {
    let home = Home::new().init_bare();
    add_script(&home, "echo tok", &["--assume-ttl", "10m"]);
    let json = home.tokctl(["get", "acme", "--json"]).run().json();
    assert!((590..=600).contains(&json["expires_in"].as_i64().unwrap()), "{json}");
}

#[test]
fn what_is_no_token_is_said_and_not_repeated() {
    let home = Home::new().init_bare();
    for (script, said) in [
        ("true", "printed no token"),
        ("printf 'hunter2 two words'", "printed no token"),
        ("printf '{\"password\":\"hunter2\"}'", "printed no token"),
        ("printf 'hunter2'; exit 3", "exit status: 3"),
        ("printf hunter2; kill -9 $$", "signal: 9"),
        ("head -c 1100000 /dev/zero | tr '\\0' x", "more than 1024 KiB"),
    ] {
        add_script(&home, script, &[]);
        let output = home.tokctl(["get", "acme", "--timeout", "10s"]).run().fails(7, &[said]);
        assert!(!output.stderr.contains("hunter2"), "{output:?}");
    }
}

#[test]
fn what_a_program_complains_of_is_shown_as_text() {
    let home = Home::new().init_bare();
    add_script(&home, "printf 'log in first\\033[2J\\nmore' >&2; exit 1", &[]);
    let output = home.tokctl(["get", "acme"]).run().fails(7, &["`sh` failed", "log in first"]);
    assert!(!output.stderr.contains('\u{1b}'), "{output:?}");
}

#[test]
fn a_program_that_takes_too_long_ends_with_its_children() {
    let home = Home::new().init_bare();
    let file = home.root().join("files/pid");
    let script = format!("sleep 600 & echo $! > '{}'; wait", file.display());
    add_script(&home, &script, &["--command-timeout", "1s"]);
    home.tokctl(["get", "acme"]).run().fails(7, &["printed no token within 1"]);
    let pid = fs::read_to_string(&file).unwrap();
    let status = Path::new("/proc").join(pid.trim()).join("stat");
    eventually("the child of the program is gone", || {
        // Whoever inherits it may not have taken notice yet.
        let stat = fs::read_to_string(&status).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

#[test]
fn a_program_knows_little_and_reads_nothing() {
    let home = Home::new().init_bare();
    let file = home.root().join("files/env");
    // Answers with what it can read, which is nothing, and a token.
    let script = format!("env > '{}'; cat; ls -l /proc/self/fd >> '{0}'; echo tok", file.display());
    add_script(&home, &script, &[]);
    assert_eq!(home.get("acme"), "tok");
    let seen = fs::read_to_string(&file).unwrap();
    for word in ["HOME=", "PATH=", "LANG=C.UTF-8"] {
        assert!(seen.contains(word), "no {word}: {seen}");
    }
    for word in ["TOKCTL", "socket:", "vault", "config.toml"] {
        assert!(!seen.contains(word), "{word}: {seen}");
    }
}

#[test]
fn a_program_is_named_by_a_whole_path_or_found_on_path() {
    let home = Home::new().init_bare();
    // The working directory of the agent is nobody's business.
    for program in ["./tok", "bin/tok", "no-such-program"] {
        home.tokctl(["add", "acme", "--grant", "command", "--replace", "--command", program])
            .run()
            .ok();
        home.tokctl(["get", "acme"]).run().fails(10, &[program, "command="]);
    }
    home.tokctl(["add", "acme", "--grant", "command", "--replace"]).run().fails(10, &["`command`"]);
}

#[test]
fn no_argument_is_read_by_a_shell() {
    let home = Home::new().init_bare();
    let arguments = ["--command", "printf", "--command", "%s", "--command", "$(id);`id`|*"];
    home.tokctl(["add", "acme", "--grant", "command"]).args(arguments).run().ok();
    assert_eq!(home.get("acme"), "$(id);`id`|*");
}
