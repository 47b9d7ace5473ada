use super::*;

fn heard<'a>(status: u16, challenge: &'a str, body: &'a str) -> Heard<'a> {
    Heard {
        status: (status > 0).then_some(status),
        problem: (status == 0).then(|| "https://a.example refused the connection".to_owned()),
        challenge: Some(challenge).filter(|text| !text.is_empty()),
        body: body.as_bytes(),
        ..Heard::default()
    }
}

fn facts<'a>(with: Heard<'a>, without: Heard<'a>) -> Facts<'a> {
    Facts {
        profile: "acme",
        grant: "client_credentials",
        method: "GET",
        asked: "read",
        granted: "read",
        with,
        without,
        ..Facts::default()
    }
}

const INVALID: &str =
    "Bearer realm=\"x\", error=\"invalid_token\", error_description=\"expired, sorry\"";
const SCOPE: &str = "Bearer error=\"insufficient_scope\", scope=\"read write\"";

#[test]
fn two_answers_have_one_meaning() {
    for (with, without, verdict, hint) in [
        ((200, ""), (401, ""), "the token works here", ""),
        ((204, ""), (0, ""), "the token works here", ""),
        ((200, ""), (200, ""), "this endpoint answers without a token too", "probe one that needs"),
        ((0, ""), (401, ""), "nothing was learned: https://a.example refused the connection", ""),
        ((302, ""), (302, ""), "the API sends everybody elsewhere", ""),
        ((302, ""), (401, ""), "the API sends who has this token elsewhere", ""),
        (
            (401, INVALID),
            (401, "Bearer"),
            "the API does not take the token (expired, sorry)",
            "`tokctl refresh acme`",
        ),
        (
            (401, "Bearer realm=\"x\""),
            (401, "Bearer realm=\"x\""),
            "the API answers the same without",
            "`tokctl show acme --resolved`",
        ),
        ((401, ""), (401, ""), "the API answers the same without", "`header` and `query`"),
        ((401, "Bearer"), (200, ""), "the API does not take the token", "`tokctl inspect acme`"),
        (
            (401, "Basic realm=\"Bearer\""),
            (401, ""),
            "the API takes no bearer token here",
            "{basic}",
        ),
        (
            (401, "DPoP algs=\"ES256\""),
            (401, ""),
            "the API wants a token that is bound to a key",
            "dpop=true",
        ),
        ((401, "Bearer, DPoP algs=\"ES256\""), (401, ""), "the API does not take the token", ""),
        (
            (401, SCOPE),
            (401, ""),
            "the token is good, and lacks the scope write",
            "scope='read write'",
        ),
        (
            (403, SCOPE),
            (401, ""),
            "the token is good, and lacks the scope write",
            "`tokctl set acme scope='read write'`",
        ),
        (
            (403, "Bearer error=insufficient_scope"),
            (401, ""),
            "the token is good, and lacks a scope that",
            "look it up",
        ),
        ((403, ""), (401, ""), "the token is good, and may not do this", "lacks a right"),
        ((403, ""), (403, ""), "the API refuses with and without the token alike", "firewall"),
        ((403, ""), (200, ""), "everybody may do this, but not with this token", ""),
        ((404, ""), (401, ""), "the token is taken, and there is nothing at this URL", "hide"),
        ((404, ""), (404, ""), "there is nothing at this URL, with a token or without", "`-X`"),
        ((405, ""), (405, ""), "this endpoint takes no GET", "`-X`"),
        (
            (422, ""),
            (401, ""),
            "the token is taken; what the API objects to is the request (HTTP 422)",
            "--data-file",
        ),
        ((400, ""), (400, ""), "the API objects to the request (HTTP 400) before", ""),
        (
            (429, ""),
            (401, ""),
            "the token is taken, and the API says to slow down",
            "report acme --status 429`",
        ),
        ((429, ""), (429, ""), "the API says to slow down, with a token or without", "wait"),
        ((503, ""), (503, ""), "the API failed by itself (HTTP 503)", "later"),
        ((199, ""), (401, ""), "HTTP 199 tells nothing", ""),
    ] {
        let case = facts(heard(with.0, with.1, ""), heard(without.0, without.1, ""));
        let (said, done) = of(&case);
        assert!(said.starts_with(verdict), "{with:?} {without:?}: {said}");
        assert!(done.unwrap_or_default().contains(hint), "{with:?} {without:?}: {hint}");
    }
}

#[test]
fn what_to_do_depends_on_whose_token_it_is() {
    let refused = facts(heard(401, INVALID, ""), heard(401, "", ""));
    for (grant, hint) in [
        ("api_key", "`tokctl set-secret acme`"),
        ("authorization_code", "`tokctl login acme`"),
        ("jwt_bearer", "`tokctl refresh acme`"),
    ] {
        let (_, done) = of(&Facts { grant, ..refused.clone() });
        assert!(done.unwrap().contains(hint), "{grant}");
    }
    let narrow = facts(heard(403, SCOPE, ""), heard(401, "", ""));
    let (_, done) = of(&Facts { grant: "device_code", ..narrow.clone() });
    assert_eq!(done.unwrap(), "run `tokctl set acme scope='read write'`, then `tokctl login acme`");
    // It was asked for already.
    let (_, done) = of(&Facts { asked: "read write", ..narrow });
    assert!(done.unwrap().starts_with("it was asked for"));
    let ungranted = facts(heard(403, "", ""), heard(401, "", ""));
    let (said, _) = of(&Facts { asked: "admin read", ..ungranted });
    assert!(said.ends_with("did not grant all that was asked for: admin"), "{said}");
}

#[test]
fn a_pause_is_told_with_its_length() {
    let mut slow = facts(heard(429, "", ""), heard(401, "", ""));
    slow.with.retry_after_s = Some(30);
    let (said, done) = of(&slow);
    assert!(said.ends_with("slow down, for 30 s"));
    assert!(done.unwrap().contains("--retry-after 30`"));
}

#[test]
fn challenges_are_read_as_they_are_written() {
    for (challenge, name, value) in [
        (INVALID, "error", Some("invalid_token")),
        (INVALID, "error_description", Some("expired, sorry")),
        (INVALID, "scope", None),
        ("Bearer Error=\"x\"", "error", Some("x")),
        ("Bearer error=x, scope=y", "error", Some("x")),
        ("Bearer error=x, scope=y", "scope", Some("y")),
        ("Bearer myerror=x", "error", None),
        ("Bearer error=", "error", Some("")),
        ("Bearer error=\"x", "error", Some("x")),
        ("", "error", None),
    ] {
        assert_eq!(parameter(challenge, name).as_deref(), value, "{challenge} {name}");
    }
    assert_eq!(schemes("Bearer realm=\"a, DPoP\", DPoP algs=\"ES256\""), ["Bearer", "DPoP"]);
}
