//! Fetches the public keys that a provider signs id_tokens with, and keeps them in memory.
//!
//! A set is good for ten minutes. After that it is fetched again when it is needed, and while that
//! fails the old one stays, for a day. A token that none of its keys has signed has it fetched at
//! once, but no provider is asked twice within a minute, whatever tokens it hands out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind, ProfileName, Secret, WallMs};
use url::Url;

use crate::config::Network;
use crate::oauth::jose::Jwks;
use crate::oauth::message::{HttpRequest, Method};
use crate::oauth::origin;
use crate::shell::http::Http;

/// A provider that replaces its keys keeps the old ones in the set for longer than this.
const FRESH: Duration = Duration::from_secs(600);
/// Keys that were withdrawn are believed no longer than this.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// However many tokens come with keys that nobody knows.
const SPACING: Duration = Duration::from_secs(60);
/// Sets kept at a time: more providers than anybody has.
const SETS_MAX: usize = 64;

/// The keys of every provider that was asked, while the agent runs.
#[derive(Debug, Default)]
pub struct KeyCache {
    /// Locked for a look-up, never across an await.
    sets: Mutex<BTreeMap<Key, Set>>,
}

/// The same provider seen through another proxy or authority may be another.
type Key = (Url, Network);

#[derive(Clone, Debug)]
struct Set {
    jwks: Option<Arc<Jwks>>,
    fetched_at: WallMs,
    asked_at: WallMs,
}

/// What the keys are needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Any,
    /// Those at hand have not signed the token.
    Newer,
}

impl KeyCache {
    /// The keys at `jwks_uri`.
    pub async fn keys(
        &self,
        now: WallMs,
        http: &Http,
        profile: &ProfileName,
        (jwks_uri, network): (&Url, &Network),
        need: Need,
    ) -> Result<Arc<Jwks>, Failure> {
        let key = (jwks_uri.clone(), network.clone());
        let known = self.lock().get(&key).cloned();
        if let Some(set) = &known
            && let Some(jwks) = set.jwks.as_ref().filter(|_| set.will_do(now, need))
        {
            return Ok(Arc::clone(jwks));
        }
        let held = known.as_ref().filter(|set| set.is_younger_than(AGE_MAX, now));
        let held = held.and_then(|set| set.jwks.clone());
        if known.is_some_and(|set| set.was_asked_within(SPACING, now)) {
            return held.ok_or_else(|| later(profile, jwks_uri, now));
        }
        match fetch(now, http, profile, jwks_uri, network).await {
            Ok(jwks) => {
                let jwks = Arc::new(jwks);
                let kept = Some(Arc::clone(&jwks));
                self.keep(key, Set { jwks: kept, fetched_at: now, asked_at: now });
                Ok(jwks)
            }
            Err(failure) => {
                let mut sets = self.lock();
                match sets.get_mut(&key) {
                    Some(set) => set.asked_at = now,
                    None => {
                        drop(sets);
                        self.keep(key, Set { jwks: None, fetched_at: now, asked_at: now });
                    }
                }
                held.ok_or(failure)
            }
        }
    }

    fn keep(&self, key: Key, set: Set) {
        let mut sets = self.lock();
        if sets.len() >= SETS_MAX && !sets.contains_key(&key) {
            let oldest = sets.iter().min_by_key(|(_, set)| set.asked_at);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| sets.remove(&key));
        }
        sets.insert(key, set);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Set>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Set {
    fn will_do(&self, now: WallMs, need: Need) -> bool {
        need == Need::Any && self.is_younger_than(FRESH, now)
    }

    /// A clock that was set back makes a set old, not eternal.
    fn is_younger_than(&self, age: Duration, now: WallMs) -> bool {
        (self.fetched_at..self.fetched_at.plus(age)).contains(&now)
    }

    fn was_asked_within(&self, spacing: Duration, now: WallMs) -> bool {
        (self.asked_at..self.asked_at.plus(spacing)).contains(&now)
    }
}

async fn fetch(
    now: WallMs,
    http: &Http,
    profile: &ProfileName,
    jwks_uri: &Url,
    network: &Network,
) -> Result<Jwks, Failure> {
    let request = HttpRequest {
        method: Method::Get,
        url: jwks_uri.clone(),
        headers: vec![("Accept".into(), Secret::new("application/json".into()))],
        body: Secret::default(),
    };
    let reply = http.send(network, request, now).await;
    let reply = reply.map_err(|error| error.trouble(profile).failure)?;
    let failed = |what: String| {
        let place = origin::without_query(jwks_uri);
        let message = format!("the keys of the provider at {place} {what}");
        Failure::new(Kind::ProviderFailed, message).of(profile)
    };
    match reply.status {
        200 => Jwks::parse(&reply.body).map_err(|error| failed(shown(&error.to_string()))),
        status => Err(failed(format!("are not to be had (HTTP {status})"))),
    }
}

fn later(profile: &ProfileName, jwks_uri: &Url, now: WallMs) -> Failure {
    let place = origin::without_query(jwks_uri);
    let message =
        format!("the keys of the provider at {place} were asked for a moment ago, in vain");
    Failure::new(Kind::ProviderFailed, message).of(profile).retry_at(now.plus(SPACING))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Algorithm;
    use crate::shell::http::scripted::{Answer, Scripted, loopback};

    const NOW: WallMs = WallMs(1_000_000_000);

    /// A set of so many keys.
    fn keys(count: usize) -> Answer {
        let key = r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#;
        Answer::json(&format!(r#"{{"keys":[{}]}}"#, vec![key; count].join(",")))
    }

    struct Provider {
        cache: KeyCache,
        http: Http,
        server: Scripted,
    }

    impl Provider {
        fn answering(answers: Vec<Answer>) -> Self {
            let server = Scripted::start(answers);
            Self { cache: KeyCache::default(), http: Http::default(), server }
        }

        /// How many keys there are; `None` where there is a failure.
        async fn count(&self, now: WallMs, need: Need) -> Option<usize> {
            let url = Url::parse(&format!("http://127.0.0.1:{}/jwks", self.server.port)).unwrap();
            let profile = ProfileName::parse("acme").unwrap();
            let at = (&url, &loopback());
            let keys = self.cache.keys(now, &self.http, &profile, at, need).await;
            keys.ok().map(|keys| keys.candidates(Algorithm::EdDsa, None).len())
        }
    }

    #[tokio::test]
    async fn keys_are_fetched_when_they_are_old_or_do_not_fit_and_not_twice_a_minute() {
        let provider = Provider::answering(vec![keys(1), keys(2), Answer::status(503), keys(3)]);
        let (old, later) = (NOW.plus(FRESH), NOW.plus(FRESH + SPACING));
        for (now, need, count, requests) in [
            (NOW, Need::Any, Some(1), 1),
            (WallMs(NOW.0 + 59_999), Need::Newer, Some(1), 0),
            (WallMs(NOW.0 + 60_000), Need::Newer, Some(2), 1),
            (WallMs(old.0 + 59_999), Need::Any, Some(2), 0),
            // Old, and nobody has newer ones.
            (later, Need::Any, Some(2), 1),
            (later.plus(SPACING), Need::Any, Some(3), 1),
        ] {
            assert_eq!(provider.count(now, need).await, count, "{now:?}");
            (0..requests).for_each(|_| drop(provider.server.request()));
            provider.server.assert_idle();
        }
    }

    #[tokio::test]
    async fn withdrawn_keys_are_believed_for_a_day_at_most() {
        let provider = Provider::answering(vec![keys(1), Answer::status(404)]);
        assert_eq!(provider.count(NOW, Need::Any).await, Some(1));
        assert_eq!(provider.count(NOW.plus(AGE_MAX), Need::Any).await, None);
        assert_eq!(provider.count(NOW.plus(AGE_MAX), Need::Any).await, None);
        drop((provider.server.request(), provider.server.request()));
        provider.server.assert_idle();
    }

    #[tokio::test]
    async fn what_are_no_keys_is_said() {
        let large = Answer::json(&format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(300 * 1024)));
        for answer in [Answer::html(), large, Answer::status(302), Answer::HangUp] {
            let provider = Provider::answering(vec![answer]);
            assert_eq!(provider.count(NOW, Need::Any).await, None);
        }
    }
}
