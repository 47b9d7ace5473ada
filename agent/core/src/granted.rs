//! Whether a provider granted what was asked for. A caller who names a scope is not content with a token that lacks
//! it; a profile that names one is told, since providers give their scopes other names than were asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokctl_proto::{Failure, Kind, ProfileName, TokenKey};

use crate::core::Core;
use crate::lane::is_plain;
use crate::outcome::{Cause, Class, Obtained, Reached, Trouble};
use crate::token::Token;

/// They are about the login and not about the access token (OpenID Connect Core sections 3.1.2.1, 5.4 and 11), and
/// many providers leave them out of what they name, or call them something else.
const OF_THE_LOGIN: &[&str] = &["openid", "offline_access", "profile", "email"];
/// Microsoft's word for whatever the client has been allowed.
const WHATEVER_THERE_IS: &str = "/.default";

/// The scopes that were asked for and not granted. A provider that does not name what it `granted` granted
/// everything (RFC 6749 section 5.1).
pub fn missing_scopes<'a>(asked: &'a BTreeSet<String>, granted: Option<&str>) -> Vec<&'a str> {
    let Some(granted) = granted else { return Vec::new() };
    let asked = asked.iter().map(String::as_str);
    let named = asked.filter(|scope| !OF_THE_LOGIN.contains(scope));
    let named = named.filter(|scope| !scope.ends_with(WHATEVER_THERE_IS));
    named.filter(|scope| !granted.split(' ').any(|other| is_same(scope, other))).collect()
}

/// Scopes are compared as they are (RFC 6749 section 3.3) but for two liberties that providers take: another
/// case, and the address of the API before a scope where the other side has none.
fn is_same(asked: &str, granted: &str) -> bool {
    let bare = |scope: &str| scope.rsplit('/').next().unwrap_or(scope).to_ascii_lowercase();
    match asked.contains("://") == granted.contains("://") {
        true => asked.eq_ignore_ascii_case(granted),
        false => bare(asked) == bare(granted),
    }
}

/// `write:data`, each between backticks.
fn listed(scopes: &[&str]) -> String {
    scopes.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(", ")
}

impl Core {
    /// What is wrong with a token that lacks a scope which its key names, if it does.
    pub(crate) fn is_missing(&self, key: &TokenKey, obtained: &Obtained) -> Option<Trouble> {
        let missing = missing_scopes(&key.scope, obtained.token.scope.as_deref());
        if missing.is_empty() {
            return None;
        }
        let message = format!("the provider granted no {}", listed(&missing));
        let failure = Failure::new(Kind::ScopeMissing, message)
            .of(&key.profile)
            .hint("allow it for the client at the provider, or ask for less with `--scope`");
        let trouble = Trouble::new(Class::Permanent, failure).because(Cause::Key);
        Some(trouble.reached(Reached::Answered(obtained.status)))
    }

    /// What a profile asks for and this token of it lacks.
    pub(crate) fn not_granted(&self, key: &TokenKey, token: &Token) -> Vec<&str> {
        match self.profiles.get(&key.profile) {
            Some(profile) if key.scope.is_empty() => {
                missing_scopes(&profile.scope, token.scope.as_deref())
            }
            _ => Vec::new(),
        }
    }

    /// What its first caller is told of a token that has less than the profile asks for.
    pub(crate) fn tell_short(&mut self, key: &Arc<TokenKey>) -> Option<String> {
        let state = self.keys.get_mut(key).filter(|state| state.is_short)?;
        state.is_short = false;
        let token = state.token.clone()?;
        let missing = self.not_granted(key, &token);
        (!missing.is_empty()).then(|| {
            format!("the provider granted no {}, which the profile asks for", listed(&missing))
        })
    }

    /// What a person should know of the scopes of a profile's tokens.
    pub(crate) fn scope_warnings(&self, name: &ProfileName) -> Vec<String> {
        let mut warnings = Vec::new();
        for (key, state) in self.held(name) {
            if let Some(token) = state.token.as_ref().filter(|_| is_plain(key)) {
                let missing = self.not_granted(key, token);
                if !missing.is_empty() {
                    warnings.push(format!("the provider granted no {}", listed(&missing)));
                }
            }
            // Somebody used it while the provider gave it.
            if let Some(refused) = state.refused.as_ref().filter(|_| state.times.is_some()) {
                let asked = key.to_string();
                let asked = asked.split_once(' ').map_or("", |(_, asked)| asked);
                warnings.push(format!("{asked} is not renewed: {}", refused.failure.message));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_missing_when_the_provider_names_others_and_not_that() {
        for (asked, granted, expected) in [
            ("a b", None, &[][..]),
            ("a b", Some("a b"), &[]),
            ("a b", Some("b c a"), &[]),
            ("a b", Some("a"), &["b"]),
            ("a b", Some(""), &["a", "b"]),
            ("ab", Some("a b"), &["ab"]),
            ("openid offline_access profile email", Some("x"), &[]),
            ("api://acme/.default", Some("api://acme/Read"), &[]),
            ("https://graph.example/User.Read", Some("User.Read"), &[]),
            ("User.Read", Some("https://graph.example/v1/user.read"), &[]),
            (
                "https://graph.example/User.Read",
                Some("https://graph.example/Mail.Read"),
                &["https://graph.example/User.Read"],
            ),
            ("https://a.example/read", Some("https://b.example/read"), &["https://a.example/read"]),
            ("write:data", Some("read:data write"), &["write:data"]),
            // Without a scheme it is no address: these are two scopes.
            ("a/read", Some("b/read"), &["a/read"]),
        ] {
            let asked: BTreeSet<String> = asked.split(' ').map(str::to_owned).collect();
            assert_eq!(missing_scopes(&asked, granted), expected, "{asked:?} {granted:?}");
        }
    }
}
