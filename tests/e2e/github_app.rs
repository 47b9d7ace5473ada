//! Installation tokens of a GitHub App, with GitHub's part played by a script.

use serde_json::{Value, json};
use tokctl_tests::api::{self, Reply};
use tokctl_tests::jwt::Key;
use tokctl_tests::{Api, Home, Run};

/// As GitHub writes them since 2026: longer than the forty characters that many programs count on.
fn long_token() -> String {
    format!("ghs_1234567_{}", "eyJ.".repeat(200))
}

fn github() -> Api {
    Api::start(|request| {
        assert_eq!(request.first_line, "POST /app/installations/42/access_tokens HTTP/1.1");
        Reply::json(
            201,
            &json!({
                "token": long_token(), "expires_at": "2099-01-01T00:00:00Z",
                "permissions": { "contents": "read" }, "repository_selection": "selected",
            }),
        )
    })
}

fn add(home: &Home, api: &Api, key: &Key) -> Run {
    home.tokctl(["add", "app", "--grant", "github_app", "--client-id", "Iv23x"])
        .args(["--installation-id", "42", "--token-endpoint", &api.url("/"), "--key-file"])
        .arg(home.secret_file("app.pem", &key.private))
}

#[test]
fn the_app_signs_and_its_installation_gets_a_token() {
    let (home, api, key) = (Home::new().init_bare(), github(), Key::generate("RS256"));
    add(&home, &api, &key).run().ok();
    let json = home.tokctl(["get", "app", "--json"]).run().json();
    assert_eq!(json["access_token"], long_token());
    // 2099-01-01, or ten years from now where that is sooner.
    assert!(json["expires_at"].as_i64().is_some_and(|at| at > 2_000_000_000), "{json}");
    assert_eq!(json["permissions"]["contents"], "read");

    let request = &api.requests()[0];
    assert_eq!(request.header("accept"), Some("application/vnd.github+json"));
    assert_eq!(request.body, b"{}");
    let jwt = request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    let signed = key.check(jwt);
    assert_eq!((&signed.header["alg"], &signed.claims["iss"]), (&json!("RS256"), &json!("Iv23x")));
    let time = |name: &str| signed.claims[name].as_i64().unwrap();
    assert!(time("exp") - time("iat") <= 600, "{:?}", signed.claims);
}

#[test]
fn repositories_and_permissions_narrow_the_token() {
    let (home, api, key) = (Home::new().init_bare(), github(), Key::generate("RS256"));
    add(&home, &api, &key)
        .args(["--repositories", "hello", "--permissions", "contents=read"])
        .args(["--permissions", "issues=write"])
        .run()
        .ok();
    home.get("app");
    let body: Value = serde_json::from_slice(&api.requests()[0].body).unwrap();
    let narrowed = json!({
        "repositories": ["hello"], "permissions": { "contents": "read", "issues": "write" },
    });
    assert_eq!(body, narrowed);
    home.tokctl(["get", "app", "--scope", "repo"]).run().fails(2, &["permissions"]);
}

#[test]
fn the_file_of_a_registration_is_taken_as_it_is() {
    let (home, api, key) = (Home::new().init_bare(), github(), Key::generate("RS256"));
    let file = json!({
        "id": 7, "slug": "ci", "client_id": "Iv23x", "client_secret": "not-ours",
        "webhook_secret": "nor-this", "pem": key.private,
    });
    let file = home.secret_file("app.json", &file.to_string());
    home.tokctl(["add", "app", "--installation-id", "42", "--token-endpoint", &api.url("/")])
        .arg("--from-json")
        .arg(&file)
        .run()
        .ok();
    assert_eq!(home.get("app"), long_token());
    // Without the installation nobody knows whose token is meant.
    home.tokctl(["add", "other", "--from-json"]).arg(&file).run().fails(10, &["installation_id"]);
}

#[test]
fn what_github_refuses_says_what_to_look_at() {
    let (home, key) = (Home::new().init_bare(), Key::generate("RS256"));
    for (status, message, date, said) in [
        (401, "A JSON web token could not be decoded", None, &["tokctl set-secret app"][..]),
        (
            401,
            "'Expiration time' claim ('exp') is too far in the future",
            Some("2 days ago"),
            &["the clock of this machine is 2d ahead"],
        ),
        (404, "Not Found", None, &["no installation 42", "tokctl set app installation_id="]),
        (422, "The repositories requested do not exist", None, &["The repositories requested"]),
    ] {
        let api = Api::start(move |_| {
            let reply = Reply::json(status, &json!({ "message": message }));
            match date {
                Some(words) => reply.with("date", api::date(words)),
                None => reply,
            }
        });
        add(&home, &api, &key).arg("--replace").run().ok();
        home.tokctl(["get", "app"]).run().fails(6, said);
    }
}

#[test]
fn a_limit_on_requests_is_waited_for() {
    let api = Api::start(|_| {
        Reply::json(429, &json!({ "message": "API rate limit exceeded" }))
            .with("retry-after", "600")
    });
    let (home, key) = (Home::new().init_bare(), Key::generate("RS256"));
    add(&home, &api, &key).run().ok();
    home.tokctl(["get", "app"]).run().fails(7, &["slow down"]);
    home.tokctl(["get", "app"]).run().exits(7);
    assert_eq!(api.requests().len(), 1);
}
