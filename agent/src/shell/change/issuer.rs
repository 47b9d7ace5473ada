//! An issuer as people type it, and as its provider spells it.
//!
//! Issuers are compared code point by code point (RFC 8414 section 3.3), so what is written into config.toml is the
//! provider's spelling. Only a missing scheme and a slash at the end are made good: anything else is another issuer.

use super::Assignment;

const KEY: &str = "issuer";

/// Makes a URL of a bare host, as in `acme.eu.auth0.com`.
pub(in crate::shell) fn as_url(settings: &mut [Assignment]) {
    for issuer in values(settings) {
        let is_host = issuer.contains('.') && !issuer.contains("//") && !issuer.contains(':');
        if is_host {
            *issuer = format!("https://{issuer}").into();
        }
    }
}

/// The settings with the slash at the issuer's end that is not there, or without the one that is. `None` where none is
/// named.
pub(super) fn respelled(settings: &[Assignment]) -> Option<Vec<Assignment>> {
    let mut settings = settings.to_vec();
    let mut is_named = false;
    for issuer in values(&mut settings) {
        is_named = true;
        *issuer = match issuer.strip_suffix('/') {
            Some(bare) => bare.to_owned().into(),
            None => format!("{issuer}/").into(),
        };
    }
    is_named.then_some(settings)
}

/// The issuer that is named.
pub(super) fn of(settings: &[Assignment]) -> Option<&str> {
    let named = settings.iter().find(|it| it.key == KEY)?;
    named.values.first().map(|issuer| &**issuer)
}

fn values(
    settings: &mut [Assignment],
) -> impl Iterator<Item = &mut std::borrow::Cow<'static, str>> {
    settings.iter_mut().filter(|it| it.key == KEY).flat_map(|it| &mut it.values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(issuer: &str) -> Vec<Assignment> {
        let assignment = |key: &'static str, value: &str| Assignment {
            key: key.into(),
            values: vec![value.to_owned().into()],
        };
        vec![assignment("client_id", "a.example"), assignment(KEY, issuer)]
    }

    #[test]
    fn a_bare_host_becomes_a_url_and_nothing_else_is_touched() {
        for (typed, written) in [
            ("acme.eu.auth0.com", "https://acme.eu.auth0.com"),
            ("acme.example/realm", "https://acme.example/realm"),
            ("https://acme.example/", "https://acme.example/"),
            ("http://127.0.0.1:1/", "http://127.0.0.1:1/"),
            ("ftp://acme.example", "ftp://acme.example"),
            ("acme", "acme"),
        ] {
            let mut settings = settings(typed);
            as_url(&mut settings);
            assert_eq!(settings[1].values, [written]);
            assert_eq!(settings[0].values, ["a.example"]);
        }
    }

    #[test]
    fn the_other_spelling_differs_by_the_slash_alone() {
        for (one, other) in
            [("https://a.example", "https://a.example/"), ("https://b/c/", "https://b/c")]
        {
            let respelled = respelled(&settings(one)).unwrap();
            assert_eq!(respelled[1].values, [other]);
            assert_eq!(of(&respelled), Some(other));
        }
        assert!(respelled(&[]).is_none());
        assert_eq!(of(&[]), None);
    }
}
