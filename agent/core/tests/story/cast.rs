//! The cast of a story: callers, persons, reports, and what providers say.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokctl_core::{
    Cause, Class, Get, Happening, Lanes, Obtained, Policy, Pool, Profile, Rate, Reached, Refresh,
    RefreshToken, Report, RequestId, Source, Successor, Token, Trouble,
};
use tokctl_proto::{Failure, Kind, Now, ProfileName, Secret, TokenKey};

pub(super) const PER_KEY: Source = Source::Provider(Lanes::PerKey);
pub(super) const SHARED: Source = Source::Provider(Lanes::Shared);

pub(super) fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

/// `acme`, or `acme:read` with a scope.
pub(super) fn key(text: &str) -> TokenKey {
    let (profile, scope) = text.split_once(':').unwrap_or((text, ""));
    let mut key = TokenKey::plain(name(profile));
    key.scope = scope.split_whitespace().map(str::to_owned).collect();
    key
}

pub(super) fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A plain `get` from a script.
pub(super) fn get(request: u64, of: &str) -> Get {
    Get {
        request: RequestId(request),
        key: key(of),
        min_valid: None,
        best_effort: false,
        refresh: false,
        timeout: seconds(30),
        interactive: false,
        uses: 1,
        wait: Duration::ZERO,
    }
}

/// A person's `refresh`.
pub(super) fn refresh(request: u64, of: &str) -> Refresh {
    let request = RequestId(request);
    Refresh { request, key: key(of), timeout: seconds(30), interactive: false }
}

/// A report about the token with this text.
pub(super) fn report(request: u64, of: &str, status: u16, token: Option<&str>) -> Report {
    Report {
        request: RequestId(request),
        profile: name(of),
        member: None,
        status,
        retry_after: None,
        digest: token.map(|text| Sha256::digest(text).into()),
    }
}

/// Members with tokens of their own, so many uses a minute of each.
pub(super) fn pool(members: &[&str], uses: Option<u32>) -> Source {
    let rate = uses.map(|uses| Rate { uses, period: seconds(60) });
    Source::Pool(Arc::new(Pool { members: members.iter().map(|text| name(text)).collect(), rate }))
}

/// A profile whose providers are all at one place.
pub(super) fn profile(source: Source, revision: u64) -> Profile {
    Profile {
        source,
        revision,
        policy: Policy::DEFAULT,
        grant: "refresh_token",
        origin: "https://op.example".into(),
        scope: Arc::default(),
        subject: None,
    }
}

/// A refresh token in good standing.
pub(super) fn standing(now: Now) -> RefreshToken {
    RefreshToken {
        obtained_at: now.wall,
        used_at: None,
        expires_at: None,
        tries: 0,
        is_dead: false,
    }
}

/// Nobody knows whether the request arrived.
pub(super) fn lost() -> Trouble {
    retry(Kind::ProviderUnreachable).because(Cause::Provider).reached(Reached::Perhaps)
}

/// The provider refuses the refresh token.
pub(super) fn invalid_grant() -> Trouble {
    let failure = Failure::new(Kind::LoginRequired, "the provider refused the refresh token");
    Trouble::new(Class::LoginRequired, failure)
        .because(Cause::InvalidGrant)
        .reached(Reached::Answered(400))
}

/// The provider refuses the client's secret.
pub(super) fn invalid_client() -> Trouble {
    refused().because(Cause::InvalidClient).reached(Reached::Answered(401))
}

pub(super) fn retry(kind: Kind) -> Trouble {
    Trouble::new(Class::Retry, Failure::new(kind, "the provider is down"))
}

pub(super) fn refused() -> Trouble {
    let failure = Failure::new(Kind::ProviderRefused, "the provider refused the client");
    Trouble::new(Class::Permanent, failure)
}

/// A token of `life_s` seconds, issued `age_s` seconds before `now`.
pub(super) fn token(now: Now, text: &str, life_s: Option<u64>, age_s: u64) -> Token {
    let issued_at = now.wall.minus(seconds(age_s));
    Token {
        access_token: Secret::new(text.to_owned()),
        token_type: "Bearer".to_owned(),
        issued_at,
        expires_at: life_s.map(|life| issued_at.plus(seconds(life))),
        scope: None,
        extra: Secret::default(),
        revision: 1,
    }
}

pub(super) fn obtained(token: Token, successor: Option<&str>) -> Obtained {
    let successor =
        successor.map(|text| Successor { secret: Secret::new(text.to_owned()), expires_at: None });
    Obtained { token, successor, clock_ahead_s: None, status: 200 }
}

/// What a watcher hears, with the seconds that a new token has left.
pub(super) fn heard(now: Now, happening: &Happening) -> String {
    let whose = match happening {
        Happening::Renewed { key, .. } | Happening::Failed { key, .. } => key.to_string(),
        other => other.profile().map(ToString::to_string).unwrap_or_default(),
    };
    let left = match happening {
        Happening::Renewed { expires_at: Some(end), .. } => {
            format!("{}", end.since(now.wall).as_secs())
        }
        _ => happening.failure().map_or("", |failure| failure.kind.name()).to_owned(),
    };
    format!("{} {whose} {left}", happening.name()).trim_end().to_owned()
}
