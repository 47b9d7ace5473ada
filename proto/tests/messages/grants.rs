//! What came with further grants: logins, bound tokens, revocation, presets, imports.

use tokctl_proto::request::{self, Assignment, DatedSecret, DpopFor, Request};
use tokctl_proto::response::{
    AskSubject, Done, HttpRequest, Imported, Inspected, Item, LoginStep, Preset, PublicKey,
    Question, Response, Setting, Token3,
};

pub(crate) fn requests() -> Vec<(&'static str, Request<'static>)> {
    vec![
        (
            "request-get3",
            Request::Get3(request::Get3 {
                profile: "acme".into(),
                scope: vec!["read:data".into()],
                min_valid_s: Some(300),
                timeout_ms: Some(30_000),
                dpop: Some(DpopFor {
                    method: "GET".into(),
                    url: "https://api.acme.example/v1".into(),
                    nonce: Some("n-1".into()),
                }),
                ..request::Get3::default()
            }),
        ),
        (
            "request-login",
            Request::Login(request::Login {
                profile: "acme".into(),
                scope: vec!["write:data".into()],
                method: Some("paste".into()),
                has_browser: true,
                interactive: true,
            }),
        ),
        (
            "request-revoke",
            Request::Revoke(request::Revoke {
                profile: "acme".into(),
                scope: vec!["read:data".into()],
                ..request::Revoke::default()
            }),
        ),
        (
            "request-logout",
            Request::Logout(request::Logout {
                profile: "acme".into(),
                local: false,
                interactive: true,
            }),
        ),
        (
            "request-remove2",
            Request::Remove2(request::Remove2 {
                profile: "acme".into(),
                local: true,
                interactive: false,
            }),
        ),
        ("request-purge", Request::Purge(request::Purge { local: false, interactive: true })),
        (
            "request-add3",
            Request::Add3(request::Add3 {
                profile: "acme".into(),
                settings: vec![Assignment {
                    key: "client_auth".into(),
                    values: vec!["private_key_jwt".into()],
                }],
                secrets: vec![DatedSecret {
                    name: "client_secret".into(),
                    value: "s3cret".into(),
                    expires_at: None,
                }],
                generate_key: Some("ES256".into()),
                from_json: Some("{}".into()),
                dry_run: true,
                ..request::Add3::default()
            }),
        ),
        (
            "request-import",
            Request::Import(request::Import {
                source: "dotenv".into(),
                text: "ACME_KEY=k\n".into(),
                path: "/home/ada/.env".into(),
                select: vec!["ACME_KEY".into()],
                name: Some("acme".into()),
                ..request::Import::default()
            }),
        ),
        ("request-show2", Request::Show2(request::Show2 { profile: "acme".into() })),
        ("request-presets", Request::Presets(request::Presets { name: Some("github".into()) })),
        (
            "request-dry-run",
            Request::DryRun(request::DryRun {
                profile: "acme".into(),
                audience: vec!["https://api.acme.example/".into()],
                ..request::DryRun::default()
            }),
        ),
        (
            "request-inspect",
            Request::Inspect(request::Inspect {
                profile: "acme".into(),
                ..request::Inspect::default()
            }),
        ),
    ]
}

pub(crate) fn responses() -> Vec<(&'static str, Response<'static>)> {
    vec![
        (
            "response-ask-subject",
            Response::AskSubject(AskSubject {
                source: "env:ID_TOKEN".into(),
                profile: "acme".into(),
            }),
        ),
        (
            "response-item-login",
            Response::Item(Item::Login(LoginStep {
                method: "device".into(),
                url: "https://id.acme.example/device".into(),
                code: Some("WDJB-MJHT".into()),
                url_complete: Some("https://id.acme.example/device?user_code=WDJB-MJHT".into()),
                expires_at: 1_800_000_900,
                opens: true,
            })),
        ),
        (
            "response-item-public-key",
            Response::Item(Item::PublicKey(PublicKey {
                jwk: "{\"kty\":\"EC\"}".into(),
                pem: "-----BEGIN PUBLIC KEY-----\n".into(),
            })),
        ),
        (
            "response-item-http-request",
            Response::Item(Item::HttpRequest(HttpRequest {
                text: "POST https://id.acme.example/token\n".into(),
            })),
        ),
        (
            "response-item-imported",
            Response::Item(Item::Imported(Imported {
                profile: "acme".into(),
                toml: "grant = \"api_key\"\n".into(),
                secrets: vec!["key".to_owned()],
                notes: vec!["the file still holds the key".to_owned()],
                error: None,
            })),
        ),
        (
            "response-item-setting",
            Response::Item(Item::Setting(Setting {
                key: "body".into(),
                value: "\"form\"".into(),
                layer: "default".into(),
            })),
        ),
        (
            "response-item-preset",
            Response::Item(Item::Preset(Preset {
                name: "auth0".into(),
                title: "Auth0".into(),
                grant: "client_credentials".into(),
                verified: true,
                setup_url: "https://manage.auth0.com/".into(),
                setup: vec!["create an application".to_owned()],
                ask: vec![Question {
                    key: "issuer".to_owned(),
                    prompt: "your Auth0 domain".to_owned(),
                    optional: false,
                }],
                secrets: vec!["client_secret".to_owned()],
            })),
        ),
        (
            "response-done-token3",
            Response::Done(Done::Token3(Token3 {
                access_token: "eyJhbGciOiJub25lIn0".into(),
                token_type: "DPoP".into(),
                expires_at: Some(1_800_003_600),
                expires_in: Some(3600),
                scope: "read:data".into(),
                profile: "acme".into(),
                header: "Authorization: DPoP {token}".into(),
                min_valid_met: true,
                warning: None,
                extra: "".into(),
                member: None,
                dpop: Some("eyJ0eXAiOiJkcG9wK2p3dCJ9.e30.c2ln".into()),
            })),
        ),
        (
            "response-done-inspected",
            Response::Done(Done::Inspected(Inspected {
                introspection: "{\"active\":true}".into(),
                claims: "".into(),
                active: Some(true),
            })),
        ),
    ]
}
