//! Fetches an issuer's metadata and keeps it in memory.
//!
//! A document is good for 24 hours. After that it is fetched again, and while that fails the old
//! one stays: a bad night at the issuer must not take away an endpoint that still works. Nothing is
//! written to disk. Cache-Control is not read.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokctl_core::{Cause, Class, Reached, Trouble};
use tokctl_proto::{Failure, Kind, ProfileName, Secret, WallMs};
use url::Url;

use crate::config::Network;
use crate::oauth::discovery::{self, Metadata};
use crate::oauth::message::{HttpReply, HttpRequest, Method};
use crate::oauth::{origin, retry_after};
use crate::shell::http::{Http, KeyCache};

/// As long as a document is believed without looking again.
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// After a look that failed, the old document is believed this much longer.
const AGAIN_AFTER: Duration = Duration::from_secs(300);
/// Documents kept at a time: more issuers than anybody has, a few KiB each.
const DOCUMENTS_MAX: usize = 256;

/// The documents of every issuer that was asked, while the agent runs.
#[derive(Debug, Default)]
pub struct MetadataCache {
    /// Locked for a look-up, never across an await.
    documents: Mutex<BTreeMap<Key, Document>>,
    /// Where a document says that the keys are.
    pub keys: KeyCache,
}

/// The same issuer seen through another proxy or authority may be another.
type Key = (String, Network);

#[derive(Clone, Debug)]
struct Document {
    metadata: Metadata,
    fetched_at: WallMs,
    look_again_at: WallMs,
}

impl MetadataCache {
    /// The metadata of the issuer that a profile names, spelt `issuer` and read as `url`.
    pub async fn discover(
        &self,
        now: WallMs,
        http: &Http,
        profile: &ProfileName,
        (issuer, url): (&str, &Url),
        network: &Network,
    ) -> Result<Metadata, Undiscovered> {
        let key = (issuer.to_owned(), network.clone());
        let known = self.known(&key);
        if let Some(document) = known.as_ref().filter(|document| document.is_fresh(now)) {
            return Ok(document.metadata.clone());
        }
        match (fetch(now, http, profile, issuer, url, network).await, known) {
            (Ok(metadata), _) => {
                let look_again_at = now.plus(FRESH);
                self.keep(
                    key,
                    Document { metadata: metadata.clone(), fetched_at: now, look_again_at },
                );
                Ok(metadata)
            }
            (Err(_), Some(old)) => {
                let metadata = old.metadata.clone();
                self.keep(key, Document { look_again_at: now.plus(AGAIN_AFTER), ..old });
                Ok(metadata)
            }
            (Err(undiscovered), None) => Err(undiscovered),
        }
    }

    /// Lets go of an issuer's document, for when the endpoint in it turned out to be gone.
    pub fn forget(&self, issuer: &str) {
        self.lock().retain(|(known, _), _| known != issuer);
    }

    fn known(&self, key: &Key) -> Option<Document> {
        self.lock().get(key).cloned()
    }

    fn keep(&self, key: Key, document: Document) {
        let mut documents = self.lock();
        if documents.len() >= DOCUMENTS_MAX && !documents.contains_key(&key) {
            let oldest = documents
                .iter()
                .min_by_key(|(_, document)| document.fetched_at)
                .map(|(key, _)| key.clone());
            oldest.and_then(|key| documents.remove(&key));
        }
        documents.insert(key, document);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Document>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Document {
    /// A clock that was set back makes a document old, not eternal.
    fn is_fresh(&self, now: WallMs) -> bool {
        (self.fetched_at..self.look_again_at).contains(&now)
    }
}

/// Why an issuer's metadata cannot be had.
#[derive(Debug)]
pub struct Undiscovered {
    pub trouble: Trouble,
    /// Something answered, and another issuer may answer better.
    pub answered: bool,
}

impl Undiscovered {
    fn answered(trouble: Trouble) -> Self {
        Self { trouble, answered: true }
    }

    /// The trouble, with what to change in a profile that is in the file.
    pub fn trouble_of(self, profile: &ProfileName) -> Trouble {
        let Self { mut trouble, answered } = self;
        if answered && trouble.class == Class::Permanent && trouble.failure.hint.is_none() {
            trouble.failure.hint = Some(other_issuer(profile));
        }
        trouble
    }
}

/// What to change in a profile whose issuer is not the right one, or has no metadata.
pub fn other_issuer(profile: &ProfileName) -> String {
    format!(
        "run `tokctl set {profile} issuer=\u{2026}`, or without metadata \
         `tokctl set {profile} issuer= token_endpoint=URL`"
    )
}

/// Why one place has no document.
enum Miss {
    /// The other place is not to be asked.
    Stop(Trouble),
    Elsewhere(Trouble),
    /// There is nothing there, by this status.
    Nothing(u16),
}

async fn fetch(
    now: WallMs,
    http: &Http,
    profile: &ProfileName,
    issuer: &str,
    url: &Url,
    network: &Network,
) -> Result<Metadata, Undiscovered> {
    let mut nothing_at = Vec::new();
    let mut first_trouble = None;
    for place in discovery::well_known(url) {
        let request = HttpRequest {
            method: Method::Get,
            url: place.clone(),
            headers: vec![("Accept".into(), Secret::new("application/json".into()))],
            body: Secret::default(),
        };
        let reply = http.send(network, request, now).await.map_err(|error| {
            // What reached somebody was a question about metadata, not the request for a token.
            let trouble = error.trouble(profile).reached(Reached::Nobody);
            Undiscovered { trouble, answered: false }
        })?;
        match judge(now, profile, issuer, &place, network, &reply) {
            Ok(metadata) => return Ok(metadata),
            Err(Miss::Stop(trouble)) => return Err(Undiscovered::answered(trouble)),
            Err(Miss::Elsewhere(trouble)) => {
                first_trouble.get_or_insert(trouble);
            }
            Err(Miss::Nothing(status)) => {
                nothing_at.push(format!("{} (HTTP {status})", origin::without_query(&place)));
            }
        }
    }
    // A place that may have it later says more than one that has nothing.
    Err(Undiscovered::answered(first_trouble.unwrap_or_else(|| {
        let failure = Failure::new(
            Kind::ConfigInvalid,
            format!("the issuer has no metadata at {}", nothing_at.join(" nor at ")),
        );
        Trouble::new(Class::Permanent, failure.of(profile))
    })))
}

fn judge(
    now: WallMs,
    profile: &ProfileName,
    issuer: &str,
    place: &Url,
    network: &Network,
    reply: &HttpReply,
) -> Result<Metadata, Miss> {
    match reply.status {
        200 => {
            discovery::parse(issuer, network.allow_http_loopback, &reply.body).map_err(|error| {
                let trouble = error.trouble(profile, issuer, place);
                if error.may_be_elsewhere() {
                    Miss::Elsewhere(trouble)
                } else {
                    Miss::Stop(trouble)
                }
            })
        }
        429 => Err(Miss::Stop(later(now, profile, place, reply, Kind::RateLimited))),
        408 | 500..=599 => {
            Err(Miss::Elsewhere(later(now, profile, place, reply, Kind::ProviderFailed)))
        }
        status => Err(Miss::Nothing(status)),
    }
}

fn later(
    now: WallMs,
    profile: &ProfileName,
    place: &Url,
    reply: &HttpReply,
    kind: Kind,
) -> Trouble {
    let place = origin::without_query(place);
    let message = format!("the provider gives no metadata at {place} (HTTP {})", reply.status);
    let retry_after = retry_after::of(now, reply);
    let mut failure = Failure::new(kind, message).of(profile);
    failure.retry_at = retry_after.map(|wait| now.plus(wait));
    let trouble = Trouble { retry_after, ..Trouble::new(Class::Retry, failure) };
    match kind {
        Kind::ProviderFailed => trouble.because(Cause::Provider),
        _ => trouble,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::http::scripted::{Answer, Scripted, loopback};

    const NOW: WallMs = WallMs(1_000_000_000);

    struct Issuer {
        cache: MetadataCache,
        http: Http,
        server: Scripted,
        text: String,
    }

    impl Issuer {
        fn answering(answers: impl FnOnce(&str) -> Vec<Answer>) -> Self {
            let (server, text) = Scripted::start_with(|port| {
                let text = format!("http://127.0.0.1:{port}");
                (answers(&text), text)
            });
            Self { cache: MetadataCache::default(), http: Http::default(), server, text }
        }

        async fn discover(&self, now: WallMs) -> Result<Metadata, Undiscovered> {
            let url = Url::parse(&self.text).unwrap();
            let profile = ProfileName::parse("acme").unwrap();
            self.cache.discover(now, &self.http, &profile, (&self.text, &url), &loopback()).await
        }
    }

    fn document(issuer: &str, path: &str) -> Answer {
        Answer::json(&format!(r#"{{"issuer":"{issuer}","token_endpoint":"{issuer}/{path}"}}"#))
    }

    #[tokio::test]
    async fn the_second_place_is_asked_when_the_first_has_nothing() {
        for first in [Answer::status(404), Answer::status(302), Answer::html(), Answer::status(503)]
        {
            let issuer = Issuer::answering(|text| vec![first, document(text, "token")]);
            let metadata = issuer.discover(NOW).await.unwrap();
            assert_eq!(metadata.token_endpoint.path(), "/token");
            assert!(
                issuer
                    .server
                    .request()
                    .starts_with("GET /.well-known/openid-configuration HTTP/1.1")
            );
            let second = issuer.server.request();
            assert!(second.starts_with("GET /.well-known/oauth-authorization-server HTTP/1.1"));
        }
    }

    #[tokio::test]
    async fn a_document_is_asked_for_once_a_day_and_never_lost() {
        let issuer = Issuer::answering(|text| {
            vec![document(text, "one"), Answer::status(429), document(text, "two")]
        });
        let fresh_until = NOW.plus(FRESH);
        let stale_until = fresh_until.plus(AGAIN_AFTER);
        for (now, path, requests) in [
            (NOW, "/one", 1),
            (NOW, "/one", 0),
            (WallMs(fresh_until.0 - 1), "/one", 0),
            (fresh_until, "/one", 1),
            (WallMs(stale_until.0 - 1), "/one", 0),
            (stale_until, "/two", 1),
            (stale_until, "/two", 0),
        ] {
            assert_eq!(issuer.discover(now).await.unwrap().token_endpoint.path(), path, "{now:?}");
            for _ in 0..requests {
                issuer.server.request();
            }
            issuer.server.assert_idle();
        }
    }

    #[tokio::test]
    async fn a_clock_set_back_and_a_forgotten_document_ask_again() {
        let issuer = Issuer::answering(|text| {
            vec![document(text, "one"), document(text, "two"), document(text, "three")]
        });
        for (now, path) in [(NOW, "/one"), (WallMs(NOW.0 - 1), "/two")] {
            assert_eq!(issuer.discover(now).await.unwrap().token_endpoint.path(), path);
        }
        issuer.cache.forget(&issuer.text);
        assert_eq!(issuer.discover(NOW).await.unwrap().token_endpoint.path(), "/three");
    }

    #[tokio::test]
    async fn each_failure_says_whether_it_passes() {
        for (answers, class, kind, requests) in [
            (
                vec![Answer::status(404), Answer::status(404)],
                Class::Permanent,
                Kind::ConfigInvalid,
                2,
            ),
            (vec![Answer::status(503), Answer::status(404)], Class::Retry, Kind::ProviderFailed, 2),
            (vec![Answer::status(404), Answer::status(500)], Class::Retry, Kind::ProviderFailed, 2),
            (vec![Answer::status(429)], Class::Retry, Kind::RateLimited, 1),
            (vec![Answer::html(), Answer::html()], Class::Permanent, Kind::ProviderFailed, 2),
            (vec![document("https://evil.example", "t")], Class::Permanent, Kind::ConfigInvalid, 1),
        ] {
            let issuer = Issuer::answering(|_| answers);
            let trouble = issuer.discover(NOW).await.unwrap_err().trouble;
            assert_eq!((trouble.class, trouble.failure.kind), (class, kind));
            // No token was asked for yet, however well the metadata were received.
            assert_eq!(trouble.reached, Reached::Nobody);
            let is_down = (class, kind) == (Class::Retry, Kind::ProviderFailed);
            assert_eq!(trouble.cause == Cause::Provider, is_down);
            for _ in 0..requests {
                issuer.server.request();
            }
            issuer.server.assert_idle();
        }
    }

    #[tokio::test]
    async fn a_question_that_broke_off_has_asked_for_no_token() {
        let issuer = Issuer::answering(|_| vec![Answer::Reset(b"HTTP/1.1 200".to_vec())]);
        let trouble = issuer.discover(NOW).await.unwrap_err().trouble;
        assert_eq!((trouble.cause, trouble.reached), (Cause::Provider, Reached::Nobody));
    }

    #[tokio::test]
    async fn an_issuer_without_metadata_is_told_both_places() {
        let issuer = Issuer::answering(|_| vec![Answer::status(404), Answer::status(410)]);
        let undiscovered = issuer.discover(NOW).await.unwrap_err();
        let failure = undiscovered.trouble_of(&ProfileName::parse("acme").unwrap()).failure;
        let text = &issuer.text;
        assert_eq!(
            failure.message,
            format!(
                "the issuer has no metadata at {text}/.well-known/openid-configuration (HTTP 404) nor at \
                 {text}/.well-known/oauth-authorization-server (HTTP 410)"
            )
        );
        assert_eq!(
            failure.hint.as_deref(),
            Some(
                "run `tokctl set acme issuer=\u{2026}`, or without metadata \
                 `tokctl set acme issuer= token_endpoint=URL`"
            )
        );
    }
}
