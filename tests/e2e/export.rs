//! Tokens as variables, by the real programs: in real shells, and in a job of a CI system.

use std::fs;

use serde_json::json;
use tokctl_tests::{Home, Run};

/// What would be something else to a shell, to a runner and to a file of variables.
const KEY: &str = "it's $(id) `id` \"q\" %0A;]|<< \\ ::x";

fn home_with_key(key: &str) -> Home {
    let home = Home::new().init_bare();
    let file = home.secret_file("key", key);
    home.tokctl(["add", "acme", "--grant", "api_key", "--key-file"]).arg(file).run().ok();
    home
}

#[test]
fn a_program_that_the_shell_runs_has_the_token_as_it_is() {
    let home = home_with_key(KEY);
    for (shell, arguments, line) in [
        ("bash", &["-c"][..], "eval \"$(tokctl export KEY=acme)\"; printenv KEY"),
        ("dash", &["-c"], "eval \"$(tokctl export KEY=acme)\"; printenv KEY"),
        ("zsh", &["-fc"], "eval \"$(tokctl export KEY=acme)\"; printenv KEY"),
        ("fish", &["--no-config", "-c"], "tokctl export KEY=acme | source; printenv KEY"),
    ] {
        let run = home.with_environment(Run::new(shell)).args(arguments).arg(line);
        assert_eq!(run.run().ok(), KEY, "{shell}");
    }
}

#[test]
fn the_steps_after_have_the_token_and_the_log_has_not() {
    let home = home_with_key(KEY);
    let file = home.secret_file("github-env", "");
    let output = home
        .tokctl(["export", "--ci", "acme"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_ENV", &file)
        .run();
    let said: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(said[0], format!("::add-mask::{}", KEY.replace('%', "%25")));
    assert!(said.len() == 2 && said[1].contains("after this one"), "{output:?}");
    assert_eq!(output.clone().ok(), "");
    let written = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!((lines.len(), lines[1]), (3, KEY));
    assert_eq!(lines[0], format!("ACME_TOKEN<<{}", lines[2]));
}

#[test]
fn credentials_of_aws_go_to_their_three_variables() {
    let home = Home::new().init_bare();
    let printed = json!({
        "Version": 1, "AccessKeyId": "ASIA1", "SecretAccessKey": "s/+=", "SessionToken": "t==",
        "Expiration": "2035-01-01T00:00:00Z",
    });
    let file = home.secret_file("printed", &printed.to_string());
    home.tokctl(["add", "aws", "--", "cat"]).arg(file).run().ok();
    let variables = home.tokctl(["export", "aws", "--json"]).run().json();
    let wanted = json!({
        "AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "s/+=", "AWS_SESSION_TOKEN": "t==",
    });
    assert_eq!(variables, wanted);
}
