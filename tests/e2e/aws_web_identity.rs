//! An AWS role for somebody else's token: by moto, which is AWS's STS without Amazon, and by refusals as STS words them.

use std::fs;

use serde_json::Value;
use tokctl_tests::job::{GithubJob, token_for};
use tokctl_tests::moto::Moto;
use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider};

const ROLE: &str = "arn:aws:iam::123456789012:role/ci";

/// Adds a profile that takes the role for `subject`.
fn add(home: &Home, profile: &str, sts: &str, subject: &str) {
    home.tokctl(["add", profile, "--grant", "aws_web_identity", "--role-arn", ROLE])
        .args(["--token-endpoint", sts, "--subject", subject])
        .run()
        .ok();
}

/// What `credential_process` of an AWS program would read.
#[track_caller]
fn credentials(printed: &str) -> Value {
    let read: Value = serde_json::from_str(printed).unwrap();
    assert_eq!(read["Version"], 1, "{read}");
    assert!(read["AccessKeyId"].as_str().unwrap().starts_with("ASIA"), "{read}");
    for part in ["SecretAccessKey", "SessionToken", "Expiration"] {
        assert!(read[part].as_str().is_some_and(|text| !text.is_empty()), "{part}: {read}");
    }
    read
}

fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    \
         <Type>Sender</Type>\n    <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  \
         <RequestId>4fd9c7a1</RequestId>\n</ErrorResponse>"
    )
}

#[test]
fn a_role_is_had_for_a_token_from_wherever_the_job_has_it() {
    let (home, moto, others) = (Home::new().init_bare(), Moto::start(), Provider::start());
    let path = home.secret_file("projected", "pod.to.ken\n");
    home.add_at("base", &others);
    add(&home, "env", moto.endpoint(), "env:MY_TOKEN");
    add(&home, "file", moto.endpoint(), &format!("file:{}", path.display()));
    add(&home, "chained", moto.endpoint(), "profile:base");
    let job = GithubJob::start();
    add(&home, "job", moto.endpoint(), "github-actions");

    let first = home.tokctl(["get", "env"]).env("MY_TOKEN", "job.to.ken").run().ok();
    let first = credentials(&first);
    credentials(&home.get("file"));
    credentials(&home.get("chained"));
    credentials(&job.run(home.tokctl(["get", "job"])).run().ok());
    assert_eq!((others.token_requests().len(), job.asked()), (1, 1));
    // Served to the next without the token, and with the parts beside it.
    let again = home.tokctl(["get", "env", "--json"]).run().json();
    assert_eq!(credentials(again["access_token"].as_str().unwrap()), first);
    assert!(again["expires_in"].as_i64().unwrap() > 0, "{again}");
}

#[test]
fn sts_is_shown_the_token_that_github_made_for_it() {
    let (home, sts, job) = (Home::new().init_bare(), Provider::start(), GithubJob::start());
    add(&home, "ci", &sts.token_endpoint(), "github-actions");
    sts.answer(Answer::canned(
        200,
        &[("content-type", "text/xml")],
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>ASIA0</AccessKeyId><SecretAccessKey>wJalr</SecretAccessKey>\
         <SessionToken>AQoD</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
    ));
    credentials(&job.run(home.tokctl(["get", "ci"])).run().ok());
    let asked = &sts.token_requests()[0];
    let token = token_for("sts.amazonaws.com");
    for (name, value) in [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "tokctl"),
        ("WebIdentityToken", token.as_str()),
    ] {
        assert_eq!(asked.param(name), Some(value));
    }
    let shown = home.tokctl(["show", "ci", "--resolved"]).run().ok();
    assert!(shown.contains("subject_audience = \"sts.amazonaws.com\""), "{shown}");
}

/// Asks for a role that STS refuses in these words.
fn refused(status: u16, code: &str, message: &str, exit: i32, said: &[&str]) {
    let (home, sts) = (Home::new().init_bare(), Provider::start());
    add(&home, "aws", &sts.token_endpoint(), "env:MY_TOKEN");
    let body = error(code, message);
    sts.answer(Answer::canned(status, &[("content-type", "text/xml")], &body));
    let output = home.tokctl(["get", "aws"]).env("MY_TOKEN", "job.to.ken").run();
    assert!(!format!("{output:?}").contains("job.to.ken"), "{output:?}");
    output.fails(exit, said).fails(exit, &[code, message]);
}

#[test]
fn what_sts_refuses_says_whose_fault_it_is() {
    // Side by side: each is tried three times before it is told.
    std::thread::scope(|scope| {
        for (status, code, message, exit, said) in [
            (400, "ExpiredTokenException", "Token expired", 5, &["refused the subject token"][..]),
            (400, "InvalidIdentityToken", "Incorrect token audience", 5, &["the subject token"]),
            (
                403,
                "AccessDenied",
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
                6,
                &["refused the request", "trust policy of the role"],
            ),
            (400, "Throttling", "Rate exceeded", 7, &["said to slow down"]),
            (503, "ServiceUnavailable", "try later", 7, &["a failure of its own"]),
        ] {
            scope.spawn(move || refused(status, code, message, exit, said));
        }
    });
}

#[test]
fn a_token_that_was_refused_is_of_no_matter_to_the_next() {
    let (home, sts) = (Home::new().init_bare(), Provider::start());
    let path = home.secret_file("projected", "old.to.ken");
    add(&home, "pod", &sts.token_endpoint(), &format!("file:{}", path.display()));
    sts.answer(Answer::canned(400, &[], &error("ExpiredTokenException", "Token expired")));
    home.tokctl(["get", "pod"]).run().fails(5, &["ExpiredTokenException"]);
    fs::write(&path, "new.to.ken").unwrap();
    sts.answer(Answer::canned(
        200,
        &[],
        "<R><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA0</AccessKeyId>\
         <SecretAccessKey>w</SecretAccessKey><SessionToken>A</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
         </AssumeRoleWithWebIdentityResult></R>",
    ));
    credentials(&home.tokctl(["get", "pod", "--timeout", "2m"]).run().ok());
    let shown = sts.token_requests();
    assert_eq!(shown.last().unwrap().param("WebIdentityToken"), Some("new.to.ken"));
}
