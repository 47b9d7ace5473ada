//! Programs that are run with tokens by the real agent, and that follow their renewals.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tokctl_tests::process::Running;
use tokctl_tests::{Home, Provider, eventually};

/// Prints its token, and lasts.
const SHOWS: &str = "echo \"$ACME_TOKEN\"; exec tail -f /dev/null";

/// The token that a program was started with, the first or a later one.
#[track_caller]
fn shown(program: &Running, count: usize) -> String {
    eventually("the program is started", || program.lines(count)).pop().unwrap()
}

/// Waits until the agent has somebody to tell about renewals.
#[track_caller]
fn is_watched(home: &Home) {
    // Whoever asks is the other one.
    eventually("tokctl listens to the agent", || {
        (home.agent_status()["connections"].as_u64()? >= 2).then_some(())
    });
}

/// Has a token renewed long before it ends, so that only the agent can have told. In its first second it is new enough.
#[track_caller]
fn renew(home: &Home, provider: &Provider) {
    let before = provider.token_requests().len();
    eventually("the token is renewed", || {
        home.tokctl(["refresh", "acme"]).run().ok();
        (provider.token_requests().len() > before).then_some(())
    });
}

#[track_caller]
fn end(program: Running) {
    kill(Pid::from_raw(program.pid().cast_signed()), Signal::SIGTERM).unwrap();
    program.finish().exits(143);
}

#[test]
fn a_program_has_the_token_that_a_get_prints() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let script = "echo \"$ACME_TOKEN\"";
    let shown = home.tokctl(["exec", "acme", "--", "sh", "-c", script]).run().ok();
    assert_eq!(shown, home.get("acme"));
    let masked = ["exec", "acme", "--redact", "--", "sh", "-c", script];
    assert_eq!(home.tokctl(masked).run().ok(), "***");
    let unknown = home.tokctl(["exec", "other", "--", "sh", "-c", script]).run();
    unknown.fails(125, &["other: there is no profile of this name"]);
}

#[test]
fn credentials_of_aws_are_in_the_variables_that_its_programs_read() {
    let home = Home::new().init_bare();
    let printed = json!({
        "Version": 1, "AccessKeyId": "ASIA1", "SecretAccessKey": "s/+=", "SessionToken": "t==",
        "Expiration": "2035-01-01T00:00:00Z",
    });
    let file = home.secret_file("credentials", &printed.to_string());
    home.tokctl(["add", "aws", "--", "cat"]).arg(file).run().ok();
    let script = "echo \"$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN\"";
    let shown = home.tokctl(["exec", "aws", "--", "sh", "-c", script]).run().ok();
    assert_eq!(shown, "ASIA1 s/+= t==");
}

#[test]
fn a_program_and_its_files_follow_a_renewal() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let arguments = ["exec", "acme", "--restart", "--file", "token=acme", "--", "sh", "-c", SHOWS];
    let program = home.tokctl(arguments).start();
    let first = shown(&program, 1);
    is_watched(&home);
    renew(&home, &provider);
    let second = shown(&program, 2);
    assert!(first != second && provider.is_live(&second));
    let file = home.root().join("token");
    assert_eq!(fs::read_to_string(&file).unwrap(), second);
    end(program);
    assert!(!file.exists());
}

#[test]
fn renewals_are_followed_after_a_restart_of_the_agent() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let program = home.tokctl(["exec", "acme", "--restart", "--", "sh", "-c", SHOWS]).start();
    let first = shown(&program, 1);
    is_watched(&home);
    home.stop_agent();
    // Starts another; the renewal may come before it is listened to.
    renew(&home, &provider);
    assert_ne!(shown(&program, 2), first);
    end(program);
}
