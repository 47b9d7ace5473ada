//! What came for those who hand tokens on: where they may be used, what happens to them, further sockets.

use tokctl_proto::request::{self, Request};
use tokctl_proto::response::{Answered, Done, Event, Item, Probed, Response, Socket, Usage};

pub(crate) fn requests() -> Vec<(&'static str, Request<'static>)> {
    vec![
        (
            "request-usage",
            Request::Usage(request::Usage {
                profile: None,
                url: Some("https://api.acme.example/v1".into()),
            }),
        ),
        ("request-watch", Request::Watch(request::Watch { profiles: vec!["acme".into()] })),
        (
            "request-probe",
            Request::Probe(request::Probe {
                profile: "acme".into(),
                url: "https://api.acme.example/v1".into(),
                method: Some("PUT".into()),
                body: Some("{}".into()),
                content_type: Some("application/json".into()),
                scope: vec!["read:data".into()],
                ..request::Probe::default()
            }),
        ),
        (
            "request-socket-create",
            Request::SocketCreate(request::SocketCreate {
                path: Some("/home/ada/box/agent.sock".into()),
                only: vec!["acme".into()],
                scope: vec!["read:data".into()],
                allow_uid: Some(1001),
                expires_s: Some(28_800),
            }),
        ),
        ("request-socket-list", Request::SocketList(request::SocketList {})),
        (
            "request-socket-remove",
            Request::SocketRemove(request::SocketRemove {
                path: "/home/ada/box/agent.sock".into(),
            }),
        ),
    ]
}

pub(crate) fn responses() -> Vec<(&'static str, Response<'static>)> {
    vec![
        (
            "response-item-event",
            Response::Item(Item::Event(Event {
                at_ms: 1_800_000_000_123,
                what: "failed".into(),
                profile: Some("acme".into()),
                scope: "".into(),
                expires_at: None,
                kind: Some("provider_failed".into()),
                message: Some("the provider failed (HTTP 503)".into()),
                hint: None,
            })),
        ),
        (
            "response-item-socket",
            Response::Item(Item::Socket(Socket {
                path: "/home/ada/box/agent.sock".into(),
                only: vec!["acme".to_owned()],
                scope: vec!["read:data".to_owned()],
                allow_uid: Some(1001),
                expires_at: Some(1_800_028_800),
                connections: 1,
            })),
        ),
        (
            "response-done-usage",
            Response::Done(Done::Usage(Usage {
                profile: "acme".into(),
                header: "Authorization: Bearer {token}".into(),
                query: Some("key".into()),
                api_urls: vec!["https://api.acme.example/".to_owned()],
            })),
        ),
        (
            "response-done-probed",
            Response::Done(Done::Probed(Probed {
                with: Answered {
                    status: Some(403),
                    problem: None,
                    www_authenticate: Some("Bearer error=\"insufficient_scope\"".into()),
                    retry_after_s: None,
                    body: "{\"message\":\"no\"}".into(),
                },
                without: Answered {
                    status: None,
                    problem: Some("connection refused".into()),
                    www_authenticate: None,
                    retry_after_s: Some(30),
                    body: "".into(),
                },
                verdict: "the token is good and may not do this".into(),
                hint: Some("run `tokctl login acme --scope write:data`".into()),
                asked: "read:data".into(),
                granted: "read:data".into(),
                audience: vec!["https://api.acme.example/".to_owned()],
            })),
        ),
    ]
}
