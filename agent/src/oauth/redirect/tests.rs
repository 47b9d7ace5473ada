//! Answers to a login, honest and hostile.

use proptest::prelude::*;

use super::*;

const ISSUER: &str = "https://as.example";
/// What `Unguessable` makes of bytes that are all 7.
const STATE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

fn expected(names_itself: bool) -> Expected {
    let issuer = Some(ISSUER.to_owned());
    Expected { state: Unguessable::new([7; 32]), issuer, names_itself }
}

fn line(judged: &Judged) -> String {
    match judged {
        Judged::Stray => "stray".to_owned(),
        Judged::Answer(Ok(code)) => format!("code {}", code.expose()),
        Judged::Answer(Err(refusal)) => format!("{refusal:?}"),
    }
}

#[test]
fn the_code_of_this_login_is_found_and_no_other() {
    for (query, expected_line) in [
        ("code=c&state=STATE", "code c"),
        ("state=STATE&code=c%2F1&session_state=x&more=y", "code c/1"),
        ("code=c&state=STATE&iss=https%3A%2F%2Fas.example", "code c"),
        ("", "stray"),
        ("code=c", "stray"),
        ("code=c&state=", "stray"),
        ("code=c&state=STATE%00", "stray"),
        ("code=c&state=state", "stray"),
        ("code=c&state=STATE1", "stray"),
        ("code=c&state=STAT", "stray"),
        ("code=c&State=STATE", "stray"),
        ("code=c&state=STATE&state=STATE", "stray"),
        ("code=c&state=other&state=STATE", "stray"),
        ("error=access_denied", "stray"),
        ("code=c&code=d&state=STATE", "Twice(\"code\")"),
        ("code=c&error=a&error=b&state=STATE", "Twice(\"error\")"),
        ("code=c&iss=a&iss=https%3A%2F%2Fas.example&state=STATE", "Twice(\"iss\")"),
        ("state=STATE", "NoCode"),
        ("code=&state=STATE", "NoCode"),
        (
            "code=c&state=STATE&iss=https%3A%2F%2Fevil.example",
            "OtherIssuer(\"https://evil.example\")",
        ),
        (
            "code=c&state=STATE&iss=https%3A%2F%2Fas.example%2F",
            "OtherIssuer(\"https://as.example/\")",
        ),
        ("code=c&state=STATE&iss=", "OtherIssuer(\"\")"),
        ("error=x&iss=evil&state=STATE", "OtherIssuer(\"evil\")"),
        (
            "error=access_denied&error_description=no+way&state=STATE&code=c",
            "Error { code: \"access_denied\", description: Some(\"no way\") }",
        ),
    ] {
        assert_eq!(
            line(&judge(&query.replace("STATE", STATE), &expected(false))),
            expected_line,
            "{query}"
        );
    }
}

#[test]
fn a_provider_that_names_itself_must() {
    for (names_itself, query, expected_line) in [
        (true, "code=c&state=STATE", "NoIssuer"),
        (true, "error=access_denied&state=STATE", "NoIssuer"),
        (true, "code=c&state=STATE&iss=https%3A%2F%2Fas.example", "code c"),
        (false, "code=c&state=STATE", "code c"),
    ] {
        assert_eq!(
            line(&judge(&query.replace("STATE", STATE), &expected(names_itself))),
            expected_line,
            "{query}"
        );
    }
    let nameless = Expected { issuer: None, ..expected(true) };
    for query in ["code=c&state=STATE", "code=c&state=STATE&iss=anybody"] {
        assert_eq!(line(&judge(&query.replace("STATE", STATE), &nameless)), "code c");
    }
}

#[test]
fn what_is_pasted_is_an_address_or_its_query() {
    for (pasted, query) in [
        ("http://127.0.0.1:50000/cb?code=c&state=s\n", "code=c&state=s"),
        ("  https://app.example/cb?code=c&state=s#_=_", "code=c&state=s"),
        ("'http://127.0.0.1/cb?code=c'", "code=c"),
        ("127.0.0.1:50000/cb?code=c", "code=c"),
        ("?code=c&state=s", "code=c&state=s"),
        ("code=c&state=s", "code=c&state=s"),
        ("http://127.0.0.1:50000/cb", ""),
        ("", ""),
    ] {
        assert_eq!(pasted_query(pasted), query, "{pasted}");
    }
}

#[test]
fn every_refusal_says_whose_fault_it_is() {
    let error = |code: &str, description: Option<&str>| Refusal::Error {
        code: code.to_owned(),
        description: description.map(str::to_owned),
    };
    for (refusal, kind, message) in [
        (
            error("access_denied", Some("the user said no")),
            Kind::LoginDenied,
            "the login was denied (access_denied: \"the user said no\")",
        ),
        (
            error("server_error", None),
            Kind::ProviderFailed,
            "the provider has a failure of its own (server_error)",
        ),
        (
            error("unauthorized_client", None),
            Kind::ProviderRefused,
            "the provider refused logins to the client (unauthorized_client)",
        ),
        (
            error("invalid_scope", Some("a\u{1b}]52;c;x\u{7}\r\n\u{202e}")),
            Kind::ProviderRefused,
            "the provider refused the scope (invalid_scope: \"a\\u{1b}]52;c;x\\u{7}\\u{d}\\u{a}\\u{202e}\")",
        ),
        (
            error("of_their_own\u{9b}", None),
            Kind::ProviderRefused,
            "the provider refused the login (of_their_own\\u{9b})",
        ),
        (
            Refusal::OtherIssuer("e\u{1b}".to_owned()),
            Kind::ProviderFailed,
            "the answer to the login is of another issuer, `e\\u{1b}` (RFC 9207 section 2.4)",
        ),
    ] {
        let failure = refusal.failure(&ProfileName::parse("acme").unwrap());
        assert_eq!((failure.kind, failure.message.as_str()), (kind, message));
        // Who said no needs no advice.
        assert_eq!(failure.hint.is_some(), kind != Kind::LoginDenied, "{message}");
    }
}

proptest! {
    #[test]
    fn without_the_state_nothing_is_an_answer(query in "\\PC{0,80}") {
        let judged = judge(&query, &expected(true));
        prop_assert!(matches!(judged, Judged::Stray));
    }
}
