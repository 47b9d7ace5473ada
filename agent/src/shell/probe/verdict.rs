//! What an API's answers to a call with a token and to the same call without one mean, and what to do about it. Pure:
//! facts in, words out.

use std::collections::BTreeSet;

use tokctl_proto::escape::shown;
use tokctl_proto::setting::is_login;

/// What is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts<'a> {
    pub(super) profile: &'a str,
    pub(super) grant: &'a str,
    pub(super) method: &'a str,
    /// Scopes, separated by spaces.
    pub(super) asked: &'a str,
    pub(super) granted: &'a str,
    pub(super) is_bound: bool,
    pub(super) with: Heard<'a>,
    pub(super) without: Heard<'a>,
}

/// An answer, or why there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard<'a> {
    pub(super) status: Option<u16>,
    pub(super) problem: Option<String>,
    pub(super) challenge: Option<&'a str>,
    pub(super) retry_after_s: Option<u64>,
    pub(super) location: Option<&'a str>,
    pub(super) body: &'a [u8],
}

type Verdict = (String, Option<String>);

/// One sentence, and what to do.
pub(super) fn of(facts: &Facts<'_>) -> Verdict {
    let without = facts.without.status;
    let is_open = without.is_some_and(|status| (200..300).contains(&status));
    let Some(status) = facts.with.status else {
        let problem = facts.with.problem.as_deref().unwrap_or("there is no answer");
        return (format!("nothing was learned: {problem}"), None);
    };
    match status {
        200..300 if is_open => say(
            "this endpoint answers without a token too, so it tells nothing about this one",
            "probe one that needs a token",
        ),
        200..300 => ("the token works here".to_owned(), None),
        300..400 => redirected(facts),
        401 => unauthorized(facts),
        403 => forbidden(facts, is_open),
        429 => slow_down(facts),
        404 | 410 if matches!(without, Some(401 | 403)) => say(
            "the token is taken, and there is nothing at this URL, or nothing that it may see",
            "check the path; some APIs hide in this way what a token has no right to",
        ),
        404 | 410 => say(
            "there is nothing at this URL, with a token or without",
            "check the path, and the method (`-X`)",
        ),
        405 => say(
            format!("this endpoint takes no {}, so it tells nothing about the token", facts.method),
            "name another method with `-X`",
        ),
        400..500 if matches!(without, Some(401 | 403)) => say(
            format!("the token is taken; what the API objects to is the request (HTTP {status})"),
            "see what it says, and give it a body with `--data-file` if it wants one",
        ),
        400..500 => say(
            format!("the API objects to the request (HTTP {status}) before it looks at the token"),
            "see what it says, and give it a body with `--data-file` if it wants one",
        ),
        500.. => say(
            format!(
                "the API failed by itself (HTTP {status}), which tells nothing about the token"
            ),
            "try again later",
        ),
        _ => (format!("HTTP {status} tells nothing about the token"), None),
    }
}

fn say(verdict: impl Into<String>, hint: impl Into<String>) -> Verdict {
    (verdict.into(), Some(hint.into()))
}

fn redirected(facts: &Facts<'_>) -> Verdict {
    let verdict = match facts.without.status == facts.with.status {
        true => "the API sends everybody elsewhere, and a token goes along with no redirect",
        false => {
            "the API sends who has this token elsewhere, and a token goes along with no redirect"
        }
    };
    match facts.with.location {
        Some(place) => say(verdict, format!("it points to {}", shown(place))),
        None => (verdict.to_owned(), None),
    }
}

fn unauthorized(facts: &Facts<'_>) -> Verdict {
    let profile = facts.profile;
    let challenge = facts.with.challenge.unwrap_or_default();
    let schemes = schemes(challenge);
    let takes = |scheme: &str| schemes.iter().any(|one| one.eq_ignore_ascii_case(scheme));
    if takes("DPoP") && !takes("Bearer") && !facts.is_bound {
        return say(
            "the API wants a token that is bound to a key (DPoP)",
            format!("run `tokctl set {profile} dpop=true`"),
        );
    }
    if takes("Basic") && !takes("Bearer") && !takes("DPoP") {
        return say(
            "the API takes no bearer token here: it asks for a user and a password",
            format!(
                "if the token is a password, `tokctl set {profile} header='Authorization: Basic {{basic}}'`"
            ),
        );
    }
    if parameter(challenge, "error").as_deref() == Some("insufficient_scope") {
        return lacks_scope(facts, challenge);
    }
    let says = ["error_description", "error"].iter().find_map(|name| parameter(challenge, name));
    let is_same = facts.without.status == Some(401)
        && facts.without.challenge == facts.with.challenge
        && facts.without.body == facts.with.body;
    if is_same && says.is_none() {
        return say(
            "the API answers the same without the token: it may not have seen it",
            format!(
                "check where the API wants it: `tokctl show {profile} --resolved` has `header` and `query`"
            ),
        );
    }
    let why = says.map(|says| format!(" ({})", shown(&says))).unwrap_or_default();
    let hint = match facts.grant {
        "api_key" => {
            format!("if the key was replaced or revoked, run `tokctl set-secret {profile}`")
        }
        grant => {
            let anew = if is_login(grant) { "login" } else { "refresh" };
            format!(
                "run `tokctl {anew} {profile}`; if that does not help, the token is for another \
                 audience or from another issuer: `tokctl inspect {profile}`"
            )
        }
    };
    (format!("the API does not take the token{why}"), Some(hint))
}

fn forbidden(facts: &Facts<'_>, is_open: bool) -> Verdict {
    let challenge = facts.with.challenge.unwrap_or_default();
    let error = parameter(challenge, "error");
    if error.as_deref() == Some("insufficient_scope") || parameter(challenge, "scope").is_some() {
        return lacks_scope(facts, challenge);
    }
    if is_open {
        return say(
            "everybody may do this, but not with this token",
            "leave the token out, or see what the API says",
        );
    }
    let missing = without(facts.asked, facts.granted);
    if !missing.is_empty() {
        return (
            format!(
                "the token is good, but the provider did not grant all that was asked for: {missing}"
            ),
            Some(format!("have the provider allow {missing} to this client")),
        );
    }
    if facts.without.status == Some(403) && facts.without.body == facts.with.body {
        return say(
            "the API refuses with and without the token alike: it may not have come to looking at it",
            "check the URL and the method; a firewall or a proxy answers so, too",
        );
    }
    say(
        "the token is good, and may not do this",
        "whoever it stands for lacks a right at the API, which no other token of theirs will have",
    )
}

fn lacks_scope(facts: &Facts<'_>, challenge: &str) -> Verdict {
    let profile = facts.profile;
    let needed = parameter(challenge, "scope").unwrap_or_default();
    let missing = shown(&without(&needed, facts.granted));
    if missing.is_empty() {
        return say(
            "the token is good, and lacks a scope that the API does not name",
            format!("look it up, then `tokctl set {profile} scope='\u{2026}'`"),
        );
    }
    let verdict = format!("the token is good, and lacks the scope {missing}");
    if without(&missing, facts.asked).is_empty() {
        return (
            verdict,
            Some("it was asked for: have the provider allow it to this client".to_owned()),
        );
    }
    let all = [facts.asked, &missing].join(" ");
    let login = match is_login(facts.grant) {
        true => format!(", then `tokctl login {profile}`"),
        false => String::new(),
    };
    (verdict, Some(format!("run `tokctl set {profile} scope='{}'`{login}", all.trim())))
}

fn slow_down(facts: &Facts<'_>) -> Verdict {
    let profile = facts.profile;
    let wait = facts.with.retry_after_s;
    let until = wait.map(|wait| format!(", for {wait} s")).unwrap_or_default();
    if facts.without.status == Some(429) {
        return say(
            format!(
                "the API says to slow down{until}, with a token or without: it counts by address"
            ),
            "wait, or call from elsewhere",
        );
    }
    let option = wait.map(|wait| format!(" --retry-after {wait}")).unwrap_or_default();
    say(
        format!("the token is taken, and the API says to slow down{until}"),
        format!(
            "run `tokctl report {profile} --status 429{option}`, so that nobody else uses it meanwhile"
        ),
    )
}

/// The scopes of one list that the other has not.
fn without(scopes: &str, others: &str) -> String {
    let others: BTreeSet<&str> = others.split(' ').collect();
    let left: BTreeSet<&str> =
        scopes.split(' ').filter(|scope| !scope.is_empty() && !others.contains(scope)).collect();
    left.into_iter().collect::<Vec<_>>().join(" ")
}

/// The schemes of the challenges (RFC 9110 section 11.6.1): words that no `=` follows, outside of quotes.
fn schemes(challenges: &str) -> Vec<&str> {
    let outside = challenges.split('"').step_by(2);
    let words = outside.flat_map(|text| text.split([' ', ',']));
    let is_word = |word: &&str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    words.filter(is_word).collect()
}

/// The value of a parameter of a challenge, quoted or not.
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let lower = challenge.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower[from..].find(&format!("{name}=")).map(|at| at + from) {
        from = at + name.len() + 1;
        let starts =
            lower[..at].chars().next_back().is_none_or(|before| matches!(before, ' ' | ','));
        if !starts {
            continue;
        }
        let rest = &challenge[from..];
        let value = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => rest.split([' ', ',']).next(),
        };
        return value.map(str::to_owned);
    }
    None
}

#[cfg(test)]
mod tests;
