//! A workload of Google that acts as a service account: its token is exchanged, and what comes of it is presented for
//! the account's.

use serde_json::{Value, json};
use tokctl_tests::api::{Reply, timestamp};
use tokctl_tests::job::{GithubJob, token_for};
use tokctl_tests::{Api, Home, Run};

const ACCOUNT: &str =
    "/v1/projects/-/serviceAccounts/ci@p.iam.gserviceaccount.com:generateAccessToken";

fn exchanged() -> Reply {
    Reply::json(
        200,
        &json!({
            "access_token": "federated", "token_type": "Bearer", "expires_in": 60,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }),
    )
}

/// Google's two services, on one address.
fn google(
    sts: impl Fn() -> Reply + Send + Sync + 'static,
    iam: impl Fn() -> Reply + Send + Sync + 'static,
) -> Api {
    Api::start(move |message| match message.word(1) {
        "/v1/token" => sts(),
        ACCOUNT => iam(),
        _ => Reply::json(404, &Value::Null),
    })
}

fn add(home: &Home, google: &Api, account: &str) -> Run {
    home.tokctl([
        "add",
        "gcp",
        "--preset",
        "google-workload-identity",
        "--subject",
        "github-actions",
    ])
    .args(["--token-endpoint", &google.url("/v1/token"), "--impersonate", account])
    .args(["--set", "vars.project_number=7", "--set", "vars.pool=ci"])
    .args(["--set", "vars.provider=github"])
}

#[test]
fn the_token_is_the_accounts_and_ends_when_that_ends() {
    let (home, job) = (Home::new().init_bare(), GithubJob::start());
    let ends = timestamp("30 minutes");
    let at = ends.clone();
    let google = google(exchanged, move || {
        Reply::json(200, &json!({ "accessToken": "of-ci", "expireTime": at }))
    });
    add(&home, &google, &google.url(ACCOUNT)).run().ok();
    let token = job.run(home.tokctl(["get", "gcp", "--json"])).run().json();
    assert_eq!(token["access_token"], "of-ci");
    assert_eq!(timestamp(&format!("@{}", token["expires_at"])), ends);

    let requests = google.requests();
    assert_eq!(requests.len(), 2);
    let form: Vec<(String, String)> =
        form_urlencoded::parse(&requests[0].body).into_owned().collect();
    let pool =
        "iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/ci/providers/github";
    for (name, value) in [
        ("subject_token", token_for(&format!("https://{pool}"))),
        ("audience", format!("//{pool}")),
    ] {
        assert!(form.contains(&(name.to_owned(), value)), "{name}: {form:?}");
    }
    assert_eq!(requests[1].header("authorization"), Some("Bearer federated"));
    let body: Value = serde_json::from_slice(&requests[1].body).unwrap();
    assert_eq!(body["scope"], json!(["https://www.googleapis.com/auth/cloud-platform"]));
}

#[test]
fn each_step_is_refused_in_words_of_its_own() {
    let refused_by_sts = || {
        let said = "The audience in ID Token does not match the expected audience.";
        Reply::json(400, &json!({ "error": "invalid_grant", "error_description": said }))
    };
    let refused_by_iam = || {
        let said = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource";
        let error = json!({ "code": 403, "message": said, "status": "PERMISSION_DENIED" });
        Reply::json(403, &json!({ "error": error }))
    };
    let mentions_token = || {
        let error =
            json!({ "code": 400, "message": "bad: federated", "status": "INVALID_ARGUMENT" });
        Reply::json(400, &json!({ "error": error }))
    };
    refused(refused_by_sts, exchanged, 5, &["refused the subject token", "audience"], "acting as");
    let denied = &["acting as", "PERMISSION_DENIED", "workloadIdentityUser"];
    refused(exchanged, refused_by_iam, 6, denied, "set-secret");
    refused(exchanged, mentions_token, 6, &["acting as", "INVALID_ARGUMENT"], "federated");
}

/// Gets a token of a Google that answers like this.
fn refused(sts: fn() -> Reply, iam: fn() -> Reply, exit: i32, said: &[&str], not: &str) {
    let (home, job) = (Home::new().init_bare(), GithubJob::start());
    let google = google(sts, iam);
    add(&home, &google, &google.url(ACCOUNT)).run().ok();
    let output = job.run(home.tokctl(["get", "gcp"])).run().fails(exit, said);
    assert!(!output.stderr.contains(not), "{output:?}");
}

#[test]
fn an_edit_does_not_take_a_stored_secret_to_another_account_service() {
    let (home, evil) = (Home::new().init_bare(), google(exchanged, exchanged));
    let google = google(exchanged, || {
        Reply::json(200, &json!({ "accessToken": "of-ci", "expireTime": timestamp("1 hour") }))
    });
    let secret = home.secret_file("secret", "of-the-client");
    let path = home.secret_file("token", "of.the.job");
    home.tokctl([
        "add",
        "gcp",
        "--grant",
        "token_exchange",
        "--client-id",
        "c",
        "--client-auth",
        "post",
    ])
    .args(["--token-endpoint", &google.url("/v1/token"), "--impersonate", &google.url(ACCOUNT)])
    .args(["--subject", &format!("file:{}", path.display()), "--secret-file"])
    .arg(&secret)
    .run()
    .ok();
    assert_eq!(home.get("gcp"), "of-ci");
    let config = std::fs::read_to_string(home.config()).unwrap();
    let config = config.replace(
        &format!("impersonate = \"{}\"", google.url(ACCOUNT)),
        &format!("impersonate = \"{}\"", evil.url(ACCOUNT)),
    );
    std::fs::write(home.config(), config).unwrap();
    home.tokctl(["agent", "reload"]).run().ok();
    home.tokctl(["get", "gcp"])
        .run()
        .fails(10, &["the secret was stored for", "tokctl set-secret gcp"]);
    assert!(evil.requests().is_empty(), "something was sent there");
    assert_eq!(google.requests().len(), 2, "the subject was exchanged for nothing");
    // If that is meant, it is said.
    home.tokctl(["set-secret", "gcp", "--secret-file"]).arg(&secret).run().ok();
    assert_ne!(home.tokctl(["get", "gcp"]).run().code, 10);
    assert_eq!(evil.requests().len(), 1);
}
