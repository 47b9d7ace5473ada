//! What came with the life of tokens: renewing on demand, reports, pools, dated secrets.

use tokctl_proto::error::WireFailure;
use tokctl_proto::request::{self, Assignment, DatedSecret, Request};
use tokctl_proto::response::{AttemptRow, Done, Item, Member, Response, StatusRow2, Token2, Why};

/// Of the token `eyJ0`.
const SHA256: &str = "fcacabd5033a9927bbd89bd4729b490ff77d225b845099fb822f9998bf994fe5";

pub(crate) fn requests() -> Vec<(&'static str, Request<'static>)> {
    let get = || request::Get2 { profile: "acme".into(), ..request::Get2::default() };
    vec![
        ("request-get2", Request::Get2(get())),
        (
            "request-get2-full",
            Request::Get2(request::Get2 {
                scope: vec!["read:data".into()],
                audience: vec!["https://api.acme.example/".into()],
                resource: vec!["https://api.acme.example/v1".into()],
                min_valid_s: Some(300),
                best_effort: true,
                refresh: true,
                timeout_ms: Some(30_000),
                interactive: true,
                uses: Some(5),
                wait_ms: Some(120_000),
                ..get()
            }),
        ),
        (
            "request-refresh",
            Request::Refresh(request::Refresh {
                profile: "acme".into(),
                scope: vec!["read:data".into()],
                audience: vec!["https://api.acme.example/".into()],
                resource: vec!["https://api.acme.example/v1".into()],
                timeout_ms: Some(10_000),
                interactive: true,
            }),
        ),
        (
            "request-report-401",
            Request::Report(request::Report {
                profile: "acme".into(),
                status: 401,
                token: Some("eyJhbGciOiJub25lIn0".into()),
                ..request::Report::default()
            }),
        ),
        (
            "request-report-429",
            Request::Report(request::Report {
                profile: "search".into(),
                member: Some("acct2".into()),
                status: 429,
                retry_after_s: Some(60),
                token_sha256: Some(SHA256.into()),
                ..request::Report::default()
            }),
        ),
        ("request-why", Request::Why(request::Why { profile: "acme".into() })),
        ("request-status2", Request::Status2(request::Status2 {})),
        (
            "request-set-secret2",
            Request::SetSecret2(request::SetSecret2 {
                profile: "acme".into(),
                name: Some("client_secret".into()),
                value: "s3cret".into(),
                next: true,
                expires_at: Some(1_811_721_600),
                interactive: false,
            }),
        ),
        (
            "request-add2",
            Request::Add2(request::Add2 {
                profile: "acme".into(),
                settings: vec![Assignment {
                    key: "grant".into(),
                    values: vec!["refresh_token".into()],
                }],
                secrets: vec![
                    DatedSecret {
                        name: "refresh_token".into(),
                        value: "r-1".into(),
                        expires_at: Some(1_811_721_600),
                    },
                    DatedSecret {
                        name: "client_secret".into(),
                        value: "s3cret".into(),
                        expires_at: None,
                    },
                ],
                replace: true,
                interactive: false,
            }),
        ),
    ]
}

fn status() -> StatusRow2<'static> {
    StatusRow2 {
        profile: "acme".into(),
        state: "valid".into(),
        issued_at: Some(1_800_000_000),
        expires_at: Some(1_800_003_600),
        next_at: Some(1_800_003_000),
        last_used_at: Some(1_800_000_060),
        error: None,
        exit: 0,
        unsaved: false,
        warnings: vec![],
        members: vec![],
    }
}

pub(crate) fn responses() -> Vec<(&'static str, Response<'static>)> {
    let refused = WireFailure {
        exit: 5,
        kind: "login_required".into(),
        profile: Some("acme".into()),
        message: "the provider refused the refresh token".into(),
        hint: Some("run `tokctl login acme`".into()),
        retry_at: None,
    };
    vec![
        ("response-item-status2", Response::Item(Item::Status2(status()))),
        (
            "response-item-status2-login",
            Response::Item(Item::Status2(StatusRow2 {
                state: "login".into(),
                issued_at: None,
                expires_at: None,
                next_at: None,
                last_used_at: None,
                error: Some(refused),
                exit: 5,
                warnings: vec!["the client secret ends in 12d".to_owned()],
                ..status()
            })),
        ),
        (
            "response-item-status2-pool",
            Response::Item(Item::Status2(StatusRow2 {
                profile: "search".into(),
                members: vec![
                    Member {
                        profile: "acct1".to_owned(),
                        free: true,
                        free_at: None,
                        uses_left: Some(58),
                    },
                    Member {
                        profile: "acct2".to_owned(),
                        free: false,
                        free_at: Some(1_800_000_120),
                        uses_left: None,
                    },
                ],
                ..status()
            })),
        ),
        (
            "response-item-attempt",
            Response::Item(Item::Attempt(AttemptRow {
                at_ms: 1_800_000_000_123,
                took_ms: 212,
                what: "client_credentials scope=read:data".into(),
                origin: "https://id.acme.example:443".into(),
                status: Some(503),
                result: "the provider failed".into(),
                kind: Some("provider_failed".into()),
            })),
        ),
        (
            "response-done-token2",
            Response::Done(Done::Token2(Token2 {
                access_token: "eyJhbGciOiJub25lIn0".into(),
                token_type: "Bearer".into(),
                expires_at: Some(1_800_003_600),
                expires_in: Some(3600),
                scope: "read:data".into(),
                profile: "search".into(),
                header: "Authorization: Bearer {token}".into(),
                min_valid_met: true,
                warning: None,
                extra: "".into(),
                member: Some("acct2".into()),
            })),
        ),
        (
            "response-done-why",
            Response::Done(Done::Why(Why {
                status: status(),
                next: "renewed at 2027-01-15 08:50:00".into(),
            })),
        ),
    ]
}
