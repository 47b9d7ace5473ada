//! A client without a secret: the token of its job stands for it (RFC 7523 section 2.2), as Microsoft Entra has it.

use tokctl_tests::job::{GithubJob, token_for};
use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider};

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
