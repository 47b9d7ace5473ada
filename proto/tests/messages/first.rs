//! One of each message of the first release, with something in every field.

use tokctl_proto::error::WireFailure;
use tokctl_proto::request::{self, Assignment, NamedSecret, Request};
use tokctl_proto::response::{
    Agent, Ask, Config, Done, Item, Paste, Profile, ProfileRow, Progress, Response, Said,
    StatusRow, Token,
};

pub(crate) fn requests() -> Vec<(&'static str, Request<'static>)> {
    let get = || request::Get { profile: "acme".into(), ..request::Get::default() };
    vec![
        ("request-get", Request::Get(get())),
        (
            "request-get-full",
            Request::Get(request::Get {
                scope: vec!["read:data".into(), "write:data".into()],
                audience: vec!["https://api.acme.example/".into()],
                resource: vec!["https://api.acme.example/v1".into()],
                min_valid_s: Some(300),
                best_effort: true,
                refresh: true,
                timeout_ms: Some(30_000),
                interactive: true,
                ..get()
            }),
        ),
        ("request-init-bare", Request::Init(request::Init::default())),
        (
            "request-init",
            Request::Init(request::Init {
                passphrase: Some("correct horse".into()),
                replace: true,
                network: vec![Assignment {
                    key: "proxy".into(),
                    values: vec!["http://proxy.example:3128".into()],
                }],
            }),
        ),
        (
            "request-add",
            Request::Add(request::Add {
                profile: "acme".into(),
                settings: vec![
                    Assignment { key: "grant".into(), values: vec!["client_credentials".into()] },
                    Assignment { key: "scope".into(), values: vec!["a".into(), "b".into()] },
                ],
                secrets: vec![NamedSecret { name: "client_secret".into(), value: "s3cret".into() }],
                replace: false,
                interactive: true,
            }),
        ),
        (
            "request-set",
            Request::Set(request::Set {
                profile: "acme".into(),
                assignments: vec![Assignment { key: "audience".into(), values: vec![] }],
            }),
        ),
        (
            "request-set-secret",
            Request::SetSecret(request::SetSecret {
                profile: "acme".into(),
                name: Some("password".into()),
                value: "s3cret".into(),
                interactive: false,
            }),
        ),
        ("request-list", Request::List(request::List {})),
        ("request-show", Request::Show(request::Show { profile: "acme".into() })),
        (
            "request-rename",
            Request::Rename(request::Rename {
                from: "acme".into(),
                to: "acme-eu".into(),
                interactive: false,
            }),
        ),
        (
            "request-remove",
            Request::Remove(request::Remove { profile: "acme".into(), interactive: false }),
        ),
        ("request-status", Request::Status(request::Status {})),
        ("request-lock", Request::Lock(request::Lock {})),
        (
            "request-unlock",
            Request::Unlock(request::Unlock {
                passphrase: Some("correct horse".into()),
                interactive: false,
            }),
        ),
        (
            "request-passwd",
            Request::Passwd(request::Passwd {
                passphrase: Some("correct horse".into()),
                new_passphrase: Some("battery staple".into()),
            }),
        ),
        ("request-config-read", Request::ConfigRead(request::ConfigRead {})),
        (
            "request-config-write",
            Request::ConfigWrite(request::ConfigWrite {
                text: "[profiles.acme]\n".into(),
                fingerprint: "00ff".into(),
            }),
        ),
        ("request-agent-status", Request::AgentStatus(request::AgentStatus {})),
        ("request-agent-stop", Request::AgentStop(request::AgentStop {})),
        ("request-agent-reload", Request::AgentReload(request::AgentReload {})),
        ("request-answer", Request::Answer(request::Answer { text: "correct horse".into() })),
        ("request-cancel", Request::Cancel(request::Cancel {})),
    ]
}

pub(crate) fn responses() -> Vec<(&'static str, Response<'static>)> {
    vec![
        (
            "response-progress",
            Response::Progress(Progress {
                text: "acme: trying again in 2s".into(),
                warning: false,
            }),
        ),
        (
            "response-item-profile",
            Response::Item(Item::Profile(ProfileRow {
                profile: "acme".into(),
                grant: "client_credentials".into(),
                provider: "https://id.acme.example/".into(),
                stored: true,
            })),
        ),
        (
            "response-item-status",
            Response::Item(Item::Status(StatusRow {
                profile: "acme".into(),
                state: "valid".into(),
                expires_at: Some(1_800_003_600),
                next_at: Some(1_800_003_000),
                error: None,
                unsaved: false,
            })),
        ),
        (
            "response-item-paste",
            Response::Item(Item::Paste(Paste { text: "[profiles.acme]\n".into() })),
        ),
        ("response-ask", Response::Ask(Ask { prompt: "Passphrase: ".into(), hidden: true })),
        (
            "response-done-token",
            Response::Done(Done::Token(Token {
                access_token: "eyJhbGciOiJub25lIn0".into(),
                token_type: "Bearer".into(),
                expires_at: Some(1_800_003_600),
                expires_in: Some(3600),
                scope: "read:data".into(),
                profile: "acme".into(),
                header: "Authorization: Bearer {token}".into(),
                min_valid_met: true,
                warning: None,
                extra: r#"{"instance_url":"https://eu.acme.example"}"#.into(),
            })),
        ),
        ("response-done-said", Response::Done(Done::Said(Said { text: "added acme".into() }))),
        (
            "response-done-profile",
            Response::Done(Done::Profile(Profile {
                profile: "acme".into(),
                toml: "grant = \"client_credentials\"\n".into(),
                secrets: Some(vec!["client_secret".to_owned()]),
                origins: Some(vec!["https://id.acme.example:443".to_owned()]),
            })),
        ),
        (
            "response-done-config",
            Response::Done(Done::Config(Config {
                text: "[profiles.acme]\n".into(),
                fingerprint: "00ff".into(),
                path: "/home/ada/.config/tokctl/config.toml".into(),
            })),
        ),
        (
            "response-done-agent",
            Response::Done(Done::Agent(Agent {
                pid: 4242,
                version: "0.1.0".into(),
                socket: "/run/user/1000/tokctl/agent.sock".into(),
                vault: "/home/ada/.local/share/tokctl/vault".into(),
                state: "unlocked".into(),
                started_at: 1_800_000_000,
                profiles: 1,
                connections: 2,
                config_problem: None,
                warnings: vec![],
            })),
        ),
        (
            "response-error",
            Response::Error(WireFailure {
                exit: 5,
                kind: "login_required".into(),
                profile: Some("acme".into()),
                message: "the provider refused the refresh token".into(),
                hint: Some("run `tokctl login acme`".into()),
                retry_at: None,
            }),
        ),
        (
            "response-error-later",
            Response::Error(WireFailure {
                exit: 7,
                kind: "rate_limited".into(),
                profile: Some("acme".into()),
                message: "the provider asked to slow down".into(),
                hint: None,
                retry_at: Some(1_800_000_060),
            }),
        ),
    ]
}
