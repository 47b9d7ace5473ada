//! A client without a secret: the token of its job stands for it (RFC 7523 section 2.2), as Microsoft Entra has it.

use std::collections::BTreeMap;

use serde_json::json;
use tokctl_tests::api::Reply;
use tokctl_tests::http::Message;
use tokctl_tests::job::{GithubJob, token_for};
use tokctl_tests::login::Login;
use tokctl_tests::provider::Answer;
use tokctl_tests::{Api, Home, Provider};

const TOKEN: &str = r#"{"access_token":"graph","token_type":"Bearer","expires_in":3599}"#;
const REFUSED: &str = r#"{"error":"invalid_client","error_description":"AADSTS700213: No matching federated identity record found","error_codes":[700213]}"#;
const AUDIENCE: &str = "api://AzureADTokenExchange";

fn add(home: &Home, provider: &Provider) {
    home.tokctl(["add", "entra", "--grant", "client_credentials", "--client-id", "app-1"])
        .args(["--token-endpoint", &provider.token_endpoint(), "--client-auth", "federated"])
        .args(["--subject", "github-actions", "--subject-audience", AUDIENCE])
        .args(["--scope", "https://graph.microsoft.com/.default"])
        .run()
        .ok();
}

#[test]
fn the_token_of_the_job_proves_the_client() {
    let (home, provider, job) = (Home::new().init_bare(), Provider::start(), GithubJob::start());
    provider.answer(Answer::json(200, TOKEN));
    add(&home, &provider);
    assert_eq!(job.run(home.tokctl(["get", "entra"])).run().ok(), "graph");
    let (asked, token) = (&provider.token_requests()[0], token_for(AUDIENCE));
    for (name, value) in [
        ("grant_type", Some("client_credentials")),
        ("client_id", Some("app-1")),
        ("client_assertion_type", Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")),
        ("client_assertion", Some(token.as_str())),
        ("scope", Some("https://graph.microsoft.com/.default")),
        ("client_secret", None),
    ] {
        assert_eq!(asked.param(name), value, "{name}");
    }
    assert_eq!(asked.basic, None);
    // Whoever comes later needs no job, and the token of the job is nowhere kept.
    assert_eq!(home.get("entra"), "graph");
    assert_eq!(job.asked(), 1);
    for name in ["why", "inspect", "show"] {
        let shown = home.tokctl([name, "entra"]).run();
        assert!(!format!("{shown:?}").contains(&token), "{shown:?}");
    }
}

#[test]
fn a_token_that_no_record_matches_is_the_providers_refusal() {
    let (home, provider, job) = (Home::new().init_bare(), Provider::start(), GithubJob::start());
    provider.answer(Answer::json(401, REFUSED));
    add(&home, &provider);
    let output = job.run(home.tokctl(["get", "entra"])).run();
    let output = output.fails(6, &["refused the client", "AADSTS700213"]);
    assert!(!output.stderr.contains("set-secret"), "there is no secret to store: {output:?}");
    assert!(!format!("{output:?}").contains(&token_for(AUDIENCE)), "{output:?}");
}

#[test]
fn whom_the_token_is_for_has_to_be_said() {
    let home = Home::new().init_bare();
    home.tokctl(["add", "entra", "--grant", "client_credentials", "--client-id", "app-1"])
        .args(["--token-endpoint", "https://as.example/token", "--client-auth", "federated"])
        .args(["--subject", "github-actions"])
        .run()
        .fails(10, &["no `subject_audience`", "api://AzureADTokenExchange"]);
    assert_eq!(home.profiles(), Vec::<String>::new());
}

/// A provider that issues and revokes.
fn revoking() -> Api {
    Api::start(|message| match message.word(1) {
        "/token" => Reply::json(
            200,
            &json!({ "access_token": "short", "refresh_token": "long", "expires_in": 3599 }),
        ),
        "/revoke" => Reply::json(200, &json!({})),
        _ => Reply::json(404, &json!({})),
    })
}

fn add_at(home: &Home, api: &Api, grant: &str, subject: &str) {
    home.tokctl(["add", "acme", "--grant", grant, "--client-id", "app-1", "--subject", subject])
        .args(["--token-endpoint", &api.url("/token"), "--client-auth", "federated"])
        .args(["--revocation-endpoint", &api.url("/revoke")])
        .args(match grant {
            "authorization_code" => vec!["--authorization-endpoint".to_owned(), api.url("/auth")],
            _ => vec![],
        })
        .run()
        .ok();
}

/// Where a request went, and what it presented.
fn proved(api: &Api) -> Vec<(String, String, Option<String>)> {
    let presented = |request: Message| {
        let form: BTreeMap<String, String> =
            form_urlencoded::parse(&request.body).into_owned().collect();
        let assertion = form.get("client_assertion").cloned().unwrap_or_default();
        (request.word(1).to_owned(), assertion, form.get("token").cloned())
    };
    api.requests().into_iter().map(presented).collect()
}

#[test]
fn what_a_file_proves_can_log_in_and_revoke() {
    let (home, api) = (Home::new().init_bare(), revoking());
    let path = home.secret_file("projected", "first.of.pod");
    add_at(&home, &api, "authorization_code", &format!("file:{}", path.display()));
    let login = Login::start(&home, "acme", &["--browser"]);
    assert!(login.address().come_back("code=c").contains("You are logged in"));
    login.finish().ok();
    assert_eq!(home.get("acme"), "short");
    std::fs::write(&path, "second.of.pod").unwrap();
    let said = home.tokctl(["logout", "acme", "--yes"]).run();
    assert!(said.stderr.contains("revoked"), "{said:?}");
    said.ok();
    let (token, revoke) = ("/token".to_owned(), "/revoke".to_owned());
    let (first, second) = ("first.of.pod".to_owned(), "second.of.pod".to_owned());
    assert_eq!(
        proved(&api),
        [
            (token, first, None),
            (revoke.clone(), second.clone(), Some("long".to_owned())),
            (revoke, second, Some("short".to_owned())),
        ]
    );
}

#[test]
fn what_only_a_job_brings_is_not_asked_for_in_vain() {
    let (home, api, job) = (Home::new().init_bare(), revoking(), GithubJob::start());
    add_at(&home, &api, "authorization_code", "env:MY_TOKEN");
    // Said before a person has agreed to anything.
    let output = home.tokctl(["login", "acme", "--browser"]).env("MY_TOKEN", "of.the.job").run();
    output.fails(10, &["that a login cannot bring", "subject=file:PATH"]);
    home.tokctl(["remove", "acme", "--yes"]).run().ok();
    add_at(&home, &api, "client_credentials", "env:MY_TOKEN");
    job.run(home.tokctl(["get", "acme"])).env("MY_TOKEN", "of.the.job").run().ok();
    let said = home.tokctl(["revoke", "acme", "--yes"]).run();
    assert!(said.stderr.contains("a token of the moment, which nobody has brought"), "{said:?}");
    said.ok();
    let sent: Vec<String> = proved(&api).into_iter().map(|(to, ..)| to).collect();
    assert_eq!(sent, ["/token"]);
}
