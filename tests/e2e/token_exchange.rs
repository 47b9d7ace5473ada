//! Somebody else's token for one of a provider: where it is read, what is sent, and what is said when there is none.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread::JoinHandle;

use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider, Run, eventually};

const TOKEN: &str = r#"{"access_token":"exchanged","token_type":"Bearer","expires_in":600,
    "issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#;

pub(super) fn provider() -> Provider {
    let provider = Provider::start();
    provider.answer(Answer::json(200, TOKEN));
    provider
}

/// Adds a profile that exchanges `subject`.
pub(super) fn add(home: &Home, profile: &str, provider: &Provider, subject: &str) {
    let endpoint = provider.token_endpoint();
    home.tokctl(["add", profile, "--grant", "token_exchange", "--token-endpoint", &endpoint])
        .args(["--client-auth", "none", "--set", "subject_audience=sts.example"])
        .args(["--set", &format!("subject={subject}"), "--set", "audience=pool"])
        .args(["--set", "allow_http_loopback=true"])
        .run()
        .ok();
}

fn get(home: &Home, profile: &str) -> Run {
    let run = home.tokctl(["get", profile, "--no-prompt"]);
    ["TOKCTL_ID_TOKEN", "ID_TOKEN", "MY_TOKEN", "GITHUB_ACTIONS", "ACTIONS_ID_TOKEN_REQUEST_URL"]
        .into_iter()
        .fold(run, Run::env_remove)
}

/// The subjects that the provider was shown so far.
fn subjects(provider: &Provider) -> Vec<String> {
    let shown = provider.token_requests();
    shown.iter().map(|it| it.param("subject_token").unwrap_or_default().to_owned()).collect()
}

/// What GitHub asks for at the URL that it gives to jobs: once, and the head of the request comes back.
fn github(answer: &'static str) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token?api-version=2.0", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        let length = answer.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}"
        )
        .unwrap();
        head
    });
    (url, serving)
}

#[test]
fn a_token_is_read_from_the_environment_of_whoever_asks() {
    let (home, provider) = (Home::new().init_bare(), provider());
    add(&home, "env", &provider, "env:MY_TOKEN");
    add(&home, "gitlab", &provider, "gitlab");
    assert_eq!(get(&home, "env").env("MY_TOKEN", "job-1").run().ok().trim(), "exchanged");
    assert_eq!(get(&home, "gitlab").env("TOKCTL_ID_TOKEN", "job-2").run().ok().trim(), "exchanged");
    assert_eq!(subjects(&provider), ["job-1", "job-2"]);
    let sent = &provider.token_requests()[0];
    for (name, value) in [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("audience", "pool"),
    ] {
        assert_eq!(sent.param(name), Some(value));
    }
    // It is served to the next without another look at the environment.
    assert_eq!(get(&home, "env").run().ok().trim(), "exchanged");
    assert_eq!(subjects(&provider).len(), 2);
}

#[test]
fn a_job_without_the_right_to_a_token_is_told_which_right_it_needs() {
    let (home, provider) = (Home::new().init_bare(), provider());
    add(&home, "ci", &provider, "github-actions");
    get(&home, "ci")
        .env("GITHUB_ACTIONS", "true")
        .run()
        .fails(5, &["may not ask GitHub", "id-token: write"]);
    get(&home, "ci").run().fails(5, &["no job of GitHub Actions"]);
    assert!(provider.token_requests().is_empty());
    // Nothing of it is held against the next job.
    let (url, serving) = github(r#"{"count":1,"value":"eyJ0"}"#);
    let token = get(&home, "ci")
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", &url)
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "opens")
        .run()
        .ok();
    assert_eq!((token.trim(), subjects(&provider)), ("exchanged", vec!["eyJ0".to_owned()]));
    let head = serving.join().unwrap();
    assert_eq!(head[0], "GET /token?api-version=2.0&audience=sts.example HTTP/1.1");
    assert!(
        head.iter().any(|line| line.to_lowercase() == "authorization: bearer opens"),
        "{head:?}"
    );
}

#[test]
fn a_job_of_gitlab_without_a_token_is_told_how_it_gets_one() {
    let (home, provider) = (Home::new().init_bare(), provider());
    add(&home, "ci", &provider, "gitlab");
    get(&home, "ci")
        .env("GITLAB_CI", "true")
        .run()
        .fails(5, &["no token of the job into $TOKCTL_ID_TOKEN", "id_tokens: { TOKCTL_ID_TOKEN"]);
    assert!(provider.token_requests().is_empty());
    let got = get(&home, "ci").env("ID_TOKEN", "job-1").run().ok();
    assert_eq!((got.as_str(), subjects(&provider)), ("exchanged", vec!["job-1".to_owned()]));
}

#[test]
fn a_job_does_not_lead_the_agent_into_its_own_network() {
    let (home, provider) = (Home::new().init_bare(), provider());
    add(&home, "ci", &provider, "github-actions");
    for (url, said) in [
        ("https://169.254.169.254/latest", "of its own network"),
        ("https://10.0.0.1/token", "of its own network"),
        ("http://8.8.8.8/token", "is not https"),
    ] {
        let output = get(&home, "ci")
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", url)
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "opens")
            .run()
            .fails(5, &[said]);
        assert!(!output.stderr.contains("opens"), "{output:?}");
    }
    assert!(provider.token_requests().is_empty());
}

#[test]
fn a_file_is_read_when_a_token_is_wanted_and_not_before() {
    let (home, provider) = (Home::new().init_bare(), provider());
    let path = home.secret_file("projected", "first");
    add(&home, "pod", &provider, &format!("file:{}", path.display()));
    fs::write(&path, "second\n").unwrap();
    assert_eq!(home.get("pod"), "exchanged");
    fs::remove_file(&path).unwrap();
    home.tokctl(["get", "pod", "--scope", "other"])
        .run()
        .fails(5, &["cannot read the token in", "projected"]);
    assert_eq!(subjects(&provider), ["second"]);
}

/// As the kubelet does: what is named leads through a link to a directory, and that link is replaced.
fn project(volume: &Path, version: &str, token: &str) {
    fs::create_dir(volume.join(version)).unwrap();
    fs::write(volume.join(version).join("token"), token).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[test]
fn a_projected_token_that_is_replaced_is_tried_before_the_wait_is_over() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let volume = home.root().join("files");
    project(&volume, "..1", "stale");
    symlink("..data/token", volume.join("token")).unwrap();
    add(&home, "pod", &provider, &format!("file:{}", volume.join("token").display()));
    let unchanged = home.secret_file("unchanged", "unchanged");
    add(&home, "other", &provider, &format!("file:{}", unchanged.display()));
    // What nobody documents is the provider's last word: for a while nobody asks again.
    provider.answer(Answer::json(400, r#"{"error":"access_denied"}"#));
    for profile in ["other", "pod"] {
        home.tokctl(["get", profile]).run().fails(6, &["access_denied"]);
    }
    assert_eq!(subjects(&provider), ["unchanged", "stale"]);
    provider.answer(Answer::json(200, TOKEN));
    project(&volume, "..2", "fresh");
    let token = eventually("the new token is exchanged", || {
        let output = home.tokctl(["get", "pod"]).run();
        (output.code == 0).then(|| output.ok())
    });
    assert_eq!(token, "exchanged");
    // The other one was refused earlier, and its wait is not over.
    home.tokctl(["get", "other"]).run().fails(6, &["access_denied"]);
    assert_eq!(subjects(&provider), ["unchanged", "stale", "fresh"]);
}

#[test]
fn the_token_of_another_profile_is_obtained_first() {
    let (home, provider, others) = (Home::new().init_bare(), provider(), Provider::start());
    home.add_at("acme", &others);
    add(&home, "chained", &provider, "profile:acme");
    assert_eq!(home.get("chained"), "exchanged");
    assert_eq!(subjects(&provider), [home.get("acme")]);
    assert_eq!(others.token_requests().len(), 1);
    let kind = provider.token_requests()[0].param("subject_token_type").map(str::to_owned);
    assert_eq!(kind.as_deref(), Some("urn:ietf:params:oauth:token-type:access_token"));
}

#[test]
fn a_refused_subject_is_asked_for_again_and_shown_to_nobody() {
    let (home, provider) = (Home::new().init_bare(), provider());
    add(&home, "env", &provider, "env:MY_TOKEN");
    let body = r#"{"error":"invalid_grant","error_description":"job-secret has expired"}"#;
    provider.answer_next(Answer::json(400, body));
    let output = get(&home, "env").env("MY_TOKEN", "job-secret").run();
    assert!(!format!("{output:?}").contains("job-secret"), "{output:?}");
    output.clone().ok();
    let talk = output.stderr;
    assert!(talk.contains("refused the subject token (invalid_grant"), "{talk}");
    assert_eq!(subjects(&provider), ["job-secret", "job-secret"]);
    let why = home.tokctl(["why", "env"]).run().ok();
    assert!(!why.contains("job-secret"), "{why}");
}
