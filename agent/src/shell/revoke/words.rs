//! What a person is told of tokens that are still alive.

use std::time::Duration;

use tokctl_proto::time::Spoken;
use tokctl_proto::{ProfileName, WallMs};

use super::{Doomed, Left, Outcome};
use crate::oauth::about_token::TokenKind;

/// `the access token`, `the refresh token and 2 access tokens`. To a person a profile has one refresh token, though
/// the one before it may be kept behind it.
pub(in crate::shell) fn named(tokens: &[Doomed]) -> String {
    let refresh = has_refresh_token(tokens).then(|| "the refresh token".to_owned());
    let access = match access_tokens(tokens) {
        0 => None,
        1 => Some("the access token".to_owned()),
        count => Some(format!("{count} access tokens")),
    };
    let named: Vec<String> = refresh.into_iter().chain(access).collect();
    named.join(" and ")
}

/// How many there are to a person.
pub(in crate::shell) fn count(tokens: &[Doomed]) -> usize {
    usize::from(has_refresh_token(tokens)) + access_tokens(tokens)
}

fn has_refresh_token(tokens: &[Doomed]) -> bool {
    tokens.iter().any(|token| token.kind == TokenKind::Refresh)
}

fn access_tokens(tokens: &[Doomed]) -> usize {
    tokens.iter().filter(|token| token.kind == TokenKind::Access).count()
}

/// `1 token`, `2 tokens`.
pub(in crate::shell) fn counted(count: usize) -> String {
    match count {
        1 => "1 token".to_owned(),
        count => format!("{count} tokens"),
    }
}

/// Until when tokens live that nobody revokes: `lives for another 9m`, or `lives until the provider ends it`.
fn alive(tokens: &[Doomed], now: WallMs) -> String {
    let is_one = count(tokens) == 1;
    let verb = if is_one { "lives" } else { "live" };
    let ends: Option<Vec<Duration>> =
        tokens.iter().map(|token| token.expires_at.map(|at| at.since(now))).collect();
    match ends.and_then(|ends| ends.into_iter().max()) {
        Some(longest) if is_one => format!("{verb} for another {}", Spoken(longest)),
        Some(longest) => format!("{verb} for up to another {}", Spoken(longest)),
        None if is_one => format!("{verb} until the provider ends it"),
        None => format!("{verb} until the provider ends them"),
    }
}

/// What is left alive for good, and why, one line for each reason.
pub(in crate::shell) fn left(name: &ProfileName, outcome: &Outcome, now: WallMs) -> Vec<String> {
    let mut reasons: Vec<&Left> = Vec::new();
    for (_, reason) in &outcome.left {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let line = |reason: &Left| {
        let tokens = outcome.left.iter().filter(|(_, why)| why == reason);
        let tokens: Vec<Doomed> = tokens.map(|(token, _)| token.clone()).collect();
        let (what, alive) = (named(&tokens), alive(&tokens, now));
        match reason {
            Left::NoEndpoint => {
                format!("{name}'s provider has no revocation endpoint: {what} {alive}")
            }
            Left::Unsupported => {
                format!("{name}'s provider does not revoke access tokens: {what} {alive}")
            }
            Left::Unproved => format!(
                "{name}'s client proves itself by a token of the moment, which nobody has brought: \
                 {what} {alive}"
            ),
            // Most providers have ended it together with the refresh token.
            Left::Refused(why) => format!("{name}: {why}: perhaps {what} {alive}"),
        }
    };
    reasons.into_iter().map(line).collect()
}

/// What is revoked later, and why not now.
pub(in crate::shell) fn later(name: &ProfileName, outcome: &Outcome) -> Option<String> {
    let trouble = outcome.trouble.as_ref().filter(|_| !outcome.later.is_empty())?;
    let (is, can) = match count(&outcome.later) {
        1 => ("is", "it can"),
        _ => ("are", "they can"),
    };
    Some(format!(
        "{name}: {}; {} {is} forgotten here and revoked as soon as {can} be",
        trouble.failure.message,
        named(&outcome.later)
    ))
}

/// What nobody will revoke any more, though it could have been done.
pub(in crate::shell) fn given_up(
    name: &ProfileName,
    tokens: &[Doomed],
    why: &str,
    now: WallMs,
) -> String {
    format!("{name}: {why}: {} {}", named(tokens), alive(tokens, now))
}

#[cfg(test)]
mod tests {
    use tokctl_core::{Class, Trouble};
    use tokctl_proto::{Failure, Kind, Secret};

    use super::*;

    const NOW: WallMs = WallMs(1_000_000);

    fn token(kind: TokenKind, lives_s: Option<u64>) -> Doomed {
        let expires_at = lives_s.map(|s| NOW.plus(Duration::from_secs(s)));
        Doomed { kind, token: Secret::new("t0ken".to_owned()), expires_at }
    }

    fn name() -> ProfileName {
        ProfileName::parse("acme").unwrap()
    }

    #[test]
    fn what_is_left_is_told_with_its_end() {
        use TokenKind::{Access, Refresh};
        for (tokens, reason, said) in [
            (
                vec![token(Access, Some(540))],
                Left::NoEndpoint,
                "acme's provider has no revocation endpoint: the access token lives for another 9m",
            ),
            (
                vec![
                    token(Refresh, None),
                    // The one before it.
                    token(Refresh, None),
                    token(Access, Some(60)),
                    token(Access, Some(120)),
                ],
                Left::NoEndpoint,
                "acme's provider has no revocation endpoint: the refresh token and 2 access tokens \
                 live until the provider ends them",
            ),
            (
                vec![token(Access, Some(60)), token(Access, Some(120))],
                Left::Unsupported,
                "acme's provider does not revoke access tokens: 2 access tokens live for up to \
                 another 2m",
            ),
            (
                vec![token(Refresh, None), token(Refresh, None)],
                Left::Refused("no".to_owned()),
                "acme: no: perhaps the refresh token lives until the provider ends it",
            ),
        ] {
            let left = tokens.into_iter().map(|token| (token, reason.clone())).collect();
            let outcome = Outcome { left, ..Outcome::default() };
            assert_eq!(super::left(&name(), &outcome, NOW), [said]);
        }
    }

    #[test]
    fn each_reason_has_a_line_of_its_own() {
        let outcome = Outcome {
            left: vec![
                (token(TokenKind::Access, None), Left::Unsupported),
                (token(TokenKind::Access, None), Left::Refused("no".to_owned())),
                (token(TokenKind::Access, None), Left::Unsupported),
            ],
            ..Outcome::default()
        };
        assert_eq!(left(&name(), &outcome, NOW).len(), 2);
        assert!(left(&name(), &Outcome::default(), NOW).is_empty());
    }

    #[test]
    fn what_is_put_off_is_told_with_the_reason() {
        let failure = Failure::new(Kind::ProviderUnreachable, "cannot reach x: connection refused");
        let trouble = Some(Trouble::new(Class::Retry, failure));
        let one = vec![token(TokenKind::Access, None)];
        let two = vec![token(TokenKind::Refresh, None), token(TokenKind::Access, None)];
        for (later, said) in [
            (
                one,
                Some(
                    "acme: cannot reach x: connection refused; the access token is forgotten here \
                     and revoked as soon as it can be",
                ),
            ),
            (
                two,
                Some(
                    "acme: cannot reach x: connection refused; the refresh token and the access \
                     token are forgotten here and revoked as soon as they can be",
                ),
            ),
            (Vec::new(), None),
        ] {
            let outcome = Outcome { later, trouble: trouble.clone(), ..Outcome::default() };
            assert_eq!(super::later(&name(), &outcome).as_deref(), said);
        }
    }
}
