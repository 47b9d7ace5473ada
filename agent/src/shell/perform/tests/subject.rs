//! What clients are asked for, and what becomes of their answers.

use std::collections::VecDeque;

use tokctl_proto::codec;
use tokctl_proto::response::Response;

use super::*;
use crate::shell::reply::{Encoding, Outgoing, ReplyTo};

const REQUEST: RequestId = RequestId(3);

/// An agent whose profile `acme` presents this, and a client that waits.
fn asked(subject: &str) -> (Bench, UnboundedReceiver<Outgoing>) {
    let home = tempfile::tempdir().unwrap();
    let text = format!(
        "[profiles.acme]\ngrant = \"token_exchange\"\ntoken_endpoint = \"https://as.example/t\"\n\
         subject = \"{subject}\"\nsubject_audience = \"x\"\n"
    );
    std::fs::write(home.path().join("config.toml"), text).unwrap();
    let mut bench = start(home);
    let (sender, receiver) = mpsc::unbounded_channel();
    let pending = Pending {
        reply: ReplyTo::new(Encoding::Json, sender),
        task: None,
        form: TokenForm::Token2,
        subjects: VecDeque::new(),
    };
    bench.performer.requests.insert(REQUEST, pending);
    (bench, receiver)
}

fn answer(text: &str) -> Event {
    Event::Passphrase { request: REQUEST, passphrase: Secret::new(text.to_owned()) }
}

#[tokio::test]
async fn a_client_is_asked_for_what_the_profile_presents_and_its_answer_is_that() {
    for (subject, answered, token) in [
        ("env:ID_TOKEN", "ey.J0.x\n", Some("ey.J0.x")),
        ("env:ID_TOKEN", "two words", None),
        ("gitlab", "", None),
        ("github-actions", "https://x.example\nt", Some("https://x.example\nt")),
        ("github-actions", "https://10.0.0.1\nt", None),
        ("github-actions", "https://x.example\n", None),
    ] {
        let (mut bench, mut client) = asked(subject);
        let ask = Effect::AskSubject { request: REQUEST, profile: name() };
        assert!(bench.performer.perform(ask, &bench.live).is_none());
        let asked = client.try_recv().unwrap();
        let Response::AskSubject(ask) = codec::decode_line(&asked.bytes).unwrap() else {
            panic!("it is asked for something else");
        };
        assert_eq!((&*ask.source, &*ask.profile), (subject, "acme"));
        match bench.performer.heard(answer(answered)) {
            Event::Subject { request: REQUEST, subject: Ok(brought) } => {
                assert_eq!(Some(brought.expose()), token);
            }
            Event::Subject { request: REQUEST, subject: Err(failure) } => {
                assert_eq!((failure.kind, token), (Kind::SubjectRequired, None));
            }
            other => panic!("{other:?}"),
        }
        // Nothing more was asked.
        assert!(matches!(bench.performer.heard(answer("x")), Event::Passphrase { .. }));
    }
}

#[tokio::test]
async fn nobody_is_asked_for_what_is_not_a_client_s() {
    let (mut bench, mut client) = asked("file:/var/run/token");
    let ask = Effect::AskSubject { request: REQUEST, profile: name() };
    match bench.performer.perform(ask, &bench.live) {
        Some(Event::Subject { request: REQUEST, subject: Err(failure) }) => {
            assert_eq!(failure.message, "there is no token in /var/run/token");
        }
        other => panic!("{other:?}"),
    }
    assert!(client.try_recv().is_err());
}
