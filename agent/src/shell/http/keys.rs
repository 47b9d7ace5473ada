//! Fetches the public keys that a provider signs id_tokens with, and keeps them in memory.
//!
//! A set is good for ten minutes. After that it is fetched again when it is needed, and while that
//! fails the old one stays, for a day. A token that none of its keys has signed has it fetched at
//! once, however new it is: a provider may replace its keys at any moment. The next such token is
//! heeded a minute later at the earliest, so forged ones make nobody ask again and again; nor is a
//! provider that gave no keys asked again before.

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
/// Between two looks for the sake of tokens whose keys nobody knows, however many there are, and after
/// a look that failed.
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
    /// The last look that failed, unless one has succeeded since.
    failed_at: Option<WallMs>,
    /// The last look for the sake of a token that none of the keys had signed.
    looked_again_at: Option<WallMs>,
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
        if known.as_ref().is_some_and(|set| set.rests(now, need)) {
            return held.ok_or_else(|| later(profile, jwks_uri, now));
        }
        // One before this was long ago: a set that is old, or whose last look failed, has waited longer.
        let looked_again_at = (need == Need::Newer).then_some(now);
        match fetch(now, http, profile, jwks_uri, network).await {
            Ok(jwks) => {
                let jwks = Arc::new(jwks);
                let kept = Some(Arc::clone(&jwks));
                self.keep(key, Set { jwks: kept, looked_again_at, ..Set::at(now) });
                Ok(jwks)
            }
            Err(failure) => {
                let before = self.lock().get(&key).cloned().unwrap_or_else(|| Set::at(now));
                let failed_at = Some(now);
                self.keep(key, Set { asked_at: now, failed_at, looked_again_at, ..before });
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
    /// No keys, asked for now.
    fn at(now: WallMs) -> Self {
        Self { jwks: None, fetched_at: now, asked_at: now, failed_at: None, looked_again_at: None }
    }

    fn will_do(&self, now: WallMs, need: Need) -> bool {
        need == Need::Any && self.is_younger_than(FRESH, now)
    }

    /// A clock that was set back makes a set old, not eternal.
    fn is_younger_than(&self, age: Duration, now: WallMs) -> bool {
        is_within(age, self.fetched_at, now)
    }

    /// Whether the provider is not to be asked now.
    fn rests(&self, now: WallMs, need: Need) -> bool {
        let looked_again_at = self.looked_again_at.filter(|_| need == Need::Newer);
        let mut looks = [self.failed_at, looked_again_at].into_iter().flatten();
        looks.any(|look| is_within(SPACING, look, now))
    }
}

fn is_within(time: Duration, since: WallMs, now: WallMs) -> bool {
    (since..since.plus(time)).contains(&now)
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

    /// Asks at these times, and for each compares how many keys come and how many requests went out.
    async fn assert_looks(provider: &Provider, looks: &[(WallMs, Need, usize, usize)]) {
        for &(now, need, count, requests) in looks {
            assert_eq!(provider.count(now, need).await, Some(count), "{now:?} {need:?}");
            (0..requests).for_each(|_| drop(provider.server.request()));
            provider.server.assert_idle();
        }
    }

    #[tokio::test]
    async fn keys_are_fetched_when_they_are_old_and_a_failure_is_not_repeated_at_once() {
        let provider = Provider::answering(vec![keys(1), keys(2), Answer::status(503), keys(3)]);
        let old = NOW.plus(FRESH);
        let older = old.plus(FRESH);
        let looks = [
            (NOW, Need::Any, 1, 1),
            (WallMs(old.0 - 1), Need::Any, 1, 0),
            (old, Need::Any, 2, 1),
            // Old, and nobody has newer ones.
            (older, Need::Any, 2, 1),
            (WallMs(older.0 + 59_999), Need::Any, 2, 0),
            (WallMs(older.0 + 59_999), Need::Newer, 2, 0),
            (older.plus(SPACING), Need::Any, 3, 1),
        ];
        assert_looks(&provider, &looks).await;
    }

    #[tokio::test]
    async fn a_key_that_nobody_knows_is_looked_for_at_once_and_not_twice_a_minute() {
        let provider = Provider::answering(vec![keys(1), keys(2), Answer::status(503), keys(3)]);
        let later = NOW.plus(SPACING);
        let looks = [
            (NOW, Need::Any, 1, 1),
            // The provider has just replaced its keys.
            (NOW, Need::Newer, 2, 1),
            (NOW, Need::Newer, 2, 0),
            (WallMs(NOW.0 + 59_999), Need::Newer, 2, 0),
            (later, Need::Newer, 2, 1),
            (WallMs(later.0 + 59_999), Need::Newer, 2, 0),
            (later.plus(SPACING), Need::Newer, 3, 1),
        ];
        assert_looks(&provider, &looks).await;
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
