//! A login on another device (RFC 8628): the provider is asked again and again how far it has come.

use tokctl_core::{Class, Trouble};
use tokctl_proto::{Failure, Kind, ProfileName, Secret};
use tracing::debug;

use super::deadline::Deadline;
use super::flow::expired;
use super::known::{Known, Replied};
use super::{Finished, Method, News, Step, Teller, finish};
use crate::oauth::grant::Held;
use crate::oauth::grant::device_code::{self, Begun, Pace, Word};
use crate::oauth::reply;
use crate::shell::speaker::Wants;

const ENDPOINT: &str = "device authorization endpoint";

/// Begins a login at the provider.
pub(super) async fn begin(known: &Known) -> Result<Begun, Failure> {
    let at = known.endpoints.device_authorization.as_ref();
    let at = at.ok_or_else(|| known.without("device_authorization_endpoint"))?;
    let (client, endpoint, name) = (known.client(), &known.endpoint, &known.profile.name);
    let make = |held: Held<'_>| device_code::begin(client, at, endpoint, name, &known.scope, held);
    let replied = known.send(at, Wants::SomethingElse, make).await;
    let replied = replied.map_err(|trouble| trouble.failure)?;
    known.check(ENDPOINT, at, &replied)?;
    device_code::read_begun(name, client.network.allow_http_loopback, &replied.reply)
}

/// Waits for the person, by asking.
pub(super) async fn run(known: &Known, teller: &Teller, begun: Begun) -> Result<Finished, Failure> {
    let deadline = Deadline::after(begun.lifetime);
    let pace = Pace::new(&begun);
    let Begun { device_code, user_code, verification_uri, verification_uri_complete, .. } = begun;
    teller.tell(News::Step(Step {
        method: Method::Device,
        url: Secret::new(verification_uri.into()),
        code: Some(user_code),
        url_complete: verification_uri_complete.map(String::from),
        expires_at: deadline.wall,
    }));
    let asking = || ask(known, &device_code);
    let replied = wait(&known.profile.name, deadline, pace, asking).await;
    let replied = replied.map_err(|failure| finish::again(known, failure))?;
    teller.tell(News::Committed);
    finish::with_answer(known, known.answer(replied), None).await
}

/// Asks until the answer is about more than the wait.
async fn wait<Asking: Future<Output = Result<Replied, Trouble>>>(
    profile: &ProfileName,
    deadline: Deadline,
    mut pace: Pace,
    ask: impl Fn() -> Asking,
) -> Result<Replied, Failure> {
    loop {
        if deadline.passed_within(pace.wait()).await {
            return Err(expired(profile));
        }
        let replied = match ask().await {
            Ok(replied) => replied,
            Err(Trouble { class: Class::Retry, failure, .. }) => {
                debug!(%profile, problem = %failure.message, "the provider did not answer");
                pace.trouble();
                continue;
            }
            Err(trouble) => return Err(trouble.failure),
        };
        let said = reply::said(&replied.reply.body, &replied.sent);
        match Word::of(said.as_ref().and_then(|said| said.code.as_deref())) {
            Word::SlowDown => pace.slow_down(&replied.reply),
            Word::Pending => pace.answered(),
            Word::Expired => return Err(expired(profile)),
            Word::Denied => {
                let reason = said.map(|said| said.reason).unwrap_or_default();
                let message = format!("the login was denied ({reason})");
                return Err(Failure::new(Kind::LoginDenied, message).of(profile));
            }
            Word::Other if matches!(replied.reply.status, 408 | 429 | 500..=599) => pace.trouble(),
            Word::Other => return Ok(replied),
        }
    }
}

async fn ask(known: &Known, device_code: &Secret) -> Result<Replied, Trouble> {
    let (client, endpoint) = (known.client(), &known.endpoint);
    let make = |held: Held<'_>| {
        device_code::token_request(client, endpoint, &known.key(), held, device_code)
    };
    let mut replied = known.send(&endpoint.token_endpoint, Wants::Tokens, make).await?;
    replied.sent.push(device_code.clone());
    Ok(replied)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use serde_json::{Value, json};
    use tokctl_proto::WallMs;
    use tokio::time::Instant;
    use zeroize::Zeroizing;

    use super::*;
    use crate::oauth::HttpReply;

    /// What the provider does when it is asked.
    enum Says {
        Reply(u16, Value),
        /// The connection is dropped.
        Nothing,
    }

    fn pending() -> Says {
        Says::Reply(400, json!({"error": "authorization_pending"}))
    }

    fn slow_down(more: Value) -> Says {
        let mut body = json!({"error": "slow_down"});
        body["interval"] = more;
        Says::Reply(400, body)
    }

    fn reply(status: u16, body: &Value) -> HttpReply {
        HttpReply {
            status,
            content_type: None,
            retry_after: None,
            date: None,
            sent_at: WallMs(0),
            received_at: WallMs(0),
            body: Zeroizing::new(body.to_string().into_bytes()),
        }
    }

    fn acme() -> ProfileName {
        ProfileName::parse("acme").unwrap()
    }

    /// How the wait ended, and the seconds between the requests. A provider that has nothing more to say
    /// says that the person has not finished.
    async fn waited(begins: Value, says: Vec<Says>) -> (Result<String, Kind>, Vec<u64>) {
        let mut fields = json!({
            "device_code": "d-1", "user_code": "u", "verification_uri": "https://as.example/",
        });
        fields.as_object_mut().unwrap().extend(begins.as_object().unwrap().clone());
        let begun = device_code::read_begun(&acme(), false, &reply(200, &fields)).unwrap();
        let (says, last) = (RefCell::new(VecDeque::from(says)), RefCell::new(Instant::now()));
        let gaps = RefCell::new(Vec::new());
        let ask = || async {
            let before = last.replace(Instant::now());
            gaps.borrow_mut().push(before.elapsed().as_secs());
            match says.borrow_mut().pop_front().unwrap_or_else(pending) {
                Says::Reply(status, body) => Ok(Replied {
                    reply: reply(status, &body),
                    sent: vec![Secret::new("d-1".into())],
                }),
                Says::Nothing => {
                    let failure = Failure::new(Kind::ProviderUnreachable, "dropped");
                    Err(Trouble::new(Class::Retry, failure))
                }
            }
        };
        let deadline = Deadline::after(begun.lifetime);
        let waited = wait(&acme(), deadline, Pace::new(&begun), ask).await;
        let ended = waited
            .map_err(|failure| failure.kind)
            .map(|replied| String::from_utf8(replied.reply.body.to_vec()).unwrap());
        (ended, gaps.into_inner())
    }

    fn tokens() -> Says {
        Says::Reply(200, json!({"access_token": "t"}))
    }

    fn done() -> Result<String, Kind> {
        Ok(r#"{"access_token":"t"}"#.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn the_provider_is_asked_as_often_as_it_wants() {
        let null = || Value::Null;
        for (begins, says, ended, gaps) in [
            (json!({}), vec![pending(), pending(), tokens()], done(), vec![5, 5, 5]),
            (json!({"interval": 0}), vec![tokens()], done(), vec![5]),
            (json!({"interval": 86_400}), vec![tokens()], done(), vec![60]),
            (
                json!({}),
                vec![slow_down(null()), slow_down(null()), pending(), tokens()],
                done(),
                vec![5, 10, 15, 15],
            ),
            (json!({}), vec![slow_down(json!(42)), tokens()], done(), vec![5, 42]),
            // GitHub answers 200.
            (
                json!({"interval": 2}),
                vec![Says::Reply(200, json!({"error": "authorization_pending"})), tokens()],
                done(),
                vec![2, 2],
            ),
            (
                json!({}),
                vec![Says::Nothing, Says::Nothing, pending(), tokens()],
                done(),
                vec![5, 10, 20, 5],
            ),
            (
                json!({}),
                vec![Says::Reply(503, json!({})), Says::Reply(429, json!({})), tokens()],
                done(),
                vec![5, 10, 20],
            ),
            (
                json!({}),
                vec![Says::Reply(400, json!({"error": "access_denied"}))],
                Err(Kind::LoginDenied),
                vec![5],
            ),
            (
                json!({}),
                vec![Says::Reply(400, json!({"error": "expired_token"}))],
                Err(Kind::LoginExpired),
                vec![5],
            ),
        ] {
            let (has_ended, were) = waited(begins.clone(), says).await;
            assert_eq!((has_ended, were), (ended, gaps), "{begins}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_asked_after_the_end() {
        for (expires_in, gaps) in [(24, vec![5, 5, 5, 5]), (25, vec![5, 5, 5, 5]), (4, vec![])] {
            let (ended, were) = waited(json!({"expires_in": expires_in}), vec![]).await;
            assert_eq!((ended, were), (Err(Kind::LoginExpired), gaps), "{expires_in}");
        }
        let nobody = (0..1000).map(|_| Says::Nothing).collect();
        let (ended, gaps) = waited(json!({"expires_in": 600}), nobody).await;
        assert_eq!(ended, Err(Kind::LoginExpired));
        assert_eq!(gaps, [5, 10, 20, 40, 60, 60, 60, 60, 60, 60, 60, 60]);
    }
}
