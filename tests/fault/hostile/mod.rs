//! Providers that mean harm, in what they say of themselves, in tokens, logins and keys. Each ends in a clear error,
//! with nothing lost and nothing sent where it should not go, and other profiles are answered while it is pending.

mod about_token;
mod device;
mod id_token;
mod keys;
mod metadata;
mod tokens;

use tokctl_tests::process::Running;
use tokctl_tests::provider::{Answer, CLIENT_ID, CLIENT_SECRET};
use tokctl_tests::{Home, Output, Provider, Run, eventually};

/// Two lines of 300 characters of a provider's, and what is around them.
const STDERR_BYTES_MAX: usize = 2_500;

/// A home with a profile `good` at a provider that means no harm, which has a token.
fn home_with_good() -> (Home, Provider) {
    let (home, good) = (Home::new().init_bare(), Provider::start());
    home.add_at("good", &good);
    home.get("good");
    (home, good)
}

/// Runs commands that hang on their provider, has another profile answered meanwhile, and lets them go on to their end.
#[track_caller]
fn beside_good(home: &Home, provider: &Provider, runs: Vec<Run>) -> Vec<Output> {
    let mut running: Vec<_> = runs.into_iter().map(Run::start).collect();
    provider.wait_for_hanging(1);
    home.get("good");
    assert!(!running.iter_mut().any(Running::has_ended), "nothing was pending any more");
    eventually("they all end", || {
        // What is tried again hangs again.
        provider.release();
        running.iter_mut().all(Running::has_ended).then_some(())
    });
    running.into_iter().map(Running::finish).collect()
}

/// One of them.
#[track_caller]
fn one_beside_good(home: &Home, provider: &Provider, run: Run) -> Output {
    beside_good(home, provider, vec![run]).remove(0)
}

/// Expects this status, and an error of one or two lines in which nothing drives a terminal.
#[track_caller]
fn fails_clearly(case: &str, output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.code, code, "{case}: {output:?}");
    assert_eq!(output.stdout, "", "{case}: {output:?}");
    let is_warning = |line: &&str| line.starts_with("tokctl: warning: ");
    let lines: Vec<&str> = output.stderr.lines().filter(|line| !is_warning(line)).collect();
    assert!((1..=2).contains(&lines.len()), "{case}: {output:?}");
    assert!(lines[0].starts_with("tokctl: error: "), "{case}: {output:?}");
    let hint = lines.get(1).is_none_or(|line| line.starts_with("tokctl: hint: "));
    assert!(hint, "{case}: {output:?}");
    assert!(output.stderr.len() < STDERR_BYTES_MAX, "{case}: {output:?}");
    assert!(is_harmless(&output.stderr), "{case}: {output:?}");
    for word in words {
        assert!(output.stderr.contains(word), "{case}: no {word:?} in {output:?}");
    }
}

/// Whether a terminal that shows it does nothing else.
fn is_harmless(text: &str) -> bool {
    let bidi = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !text.chars().any(|c| (c.is_control() && c != '\n') || bidi(c))
}

/// An answer of JSON.
fn json(value: &serde_json::Value) -> Answer {
    Answer::json(200, &value.to_string())
}

/// Adds a profile of a provider's client that has a token endpoint of its own there, and says where.
#[track_caller]
fn add_at_own_endpoint(home: &Home, provider: &Provider, profile: &str) -> String {
    let path = format!("/{profile}/token");
    home.add(profile, CLIENT_ID, CLIENT_SECRET)
        .args(["--token-endpoint", &provider.url(&path)])
        .run()
        .ok();
    path
}

/// A `tokctl get` that says nothing but why there is no token.
fn get(home: &Home, profile: &str) -> Run {
    home.tokctl(["get", profile, "-q", "--timeout", "50s"])
}
