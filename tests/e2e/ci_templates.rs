//! What packaging/ci has for CI systems, as far as it runs without one: the action with a real node, the scripts of the
//! templates with a real shell, against an endpoint that gives a job its token and a provider that exchanges it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokctl_tests::api::{Api, Reply};
use tokctl_tests::job::{GithubJob, token_for};
use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider, Run, python};

const TOKEN: &str = r#"{"access_token":"exchanged-1","token_type":"Bearer","expires_in":600,
    "issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#;

fn provider() -> Provider {
    let provider = Provider::start();
    provider.answer(Answer::json(200, TOKEN));
    provider
}

fn packaged(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/ci").join(name)
}

/// A template, read by a real parser.
fn template(name: &str) -> Value {
    let program =
        "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let interpreter = python::interpreter().unwrap();
    let output = Run::new(interpreter).args(["-I", "-B", "-c", program]).arg(packaged(name)).run();
    serde_json::from_str(&output.ok()).unwrap()
}

/// The subjects that the provider was shown.
fn subjects(provider: &Provider) -> Vec<String> {
    let shown = provider.token_requests();
    shown.iter().map(|it| it.param("subject_token").unwrap_or_default().to_owned()).collect()
}

/// Whether a vault is still there, and with it an agent.
fn is_gone(home: &Path) -> bool {
    !home.exists()
}

/// A runner of GitHub's around an action: the files that it names, and what is in them afterwards.
struct Runner {
    home: Home,
    job: GithubJob,
}

impl Runner {
    fn start() -> Self {
        let home = Home::new();
        for file in ["env", "state"] {
            home.secret_file(file, "");
        }
        fs::create_dir(home.root().join("temp")).unwrap();
        Self { home, job: GithubJob::start() }
    }

    fn node(&self, script: &str) -> Run {
        let files = self.home.root().join("files");
        let run = self.home.with_environment(Run::new("node")).env_remove("TOKCTL_HOME");
        self.job
            .run(run)
            .env("RUNNER_TEMP", self.home.root().join("temp"))
            .env("GITHUB_ENV", files.join("env"))
            .env("GITHUB_STATE", files.join("state"))
            .arg(packaged("github").join(script))
    }

    fn main(&self, settings: &str, export: &str) -> Run {
        self.node("main.js")
            .env("INPUT_NAME", "acme")
            .env("INPUT_GRANT", "token_exchange")
            .env("INPUT_SETTINGS", settings)
            .env("INPUT_VARIABLE", "")
            .env("INPUT_EXPORT", export)
            .env("INPUT_PROGRAM", "tokctl")
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.home.root().join("files").join(file)).unwrap()
    }

    fn state(&self, name: &str) -> String {
        let state = self.read("state");
        let value = state.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        value.unwrap_or_else(|| panic!("no {name}: {state}")).to_owned()
    }

    /// The post step, with what the main one left for it.
    fn post(&self) -> Run {
        self.node("post.js")
            .env("STATE_home", self.state("home"))
            .env("STATE_program", self.state("program"))
    }

    /// As a later step calls it.
    fn later(&self, arguments: &[&str]) -> Run {
        let run = self.home.tokctl(arguments).env("TOKCTL_HOME", self.state("home"));
        self.job.run(run)
    }
}

fn settings(provider: &Provider) -> String {
    format!(
        "token_endpoint={}\n  client_auth=none\nsubject_audience=sts.example\n\nallow_http_loopback=true\n",
        provider.token_endpoint()
    )
}

#[test]
fn the_action_exchanges_the_jobs_token_and_leaves_nothing() {
    let (runner, provider) = (Runner::start(), provider());
    let output = runner.main(&settings(&provider), "true").run();
    let said = output.stderr.clone() + &output.ok();
    assert_eq!(subjects(&provider), [token_for("sts.example")]);
    let masks: Vec<&str> = said.lines().filter(|line| line.contains("exchanged-1")).collect();
    assert_eq!(masks, ["::add-mask::exchanged-1"]);
    let environment = runner.read("env");
    let lines: Vec<&str> = environment.lines().collect();
    assert_eq!(lines[0], format!("TOKCTL_HOME={}", runner.state("home")));
    assert!(lines[1].starts_with("ACME_TOKEN<<ghadelimiter_"), "{environment}");
    assert_eq!((lines[2], lines.len()), ("exchanged-1", 4));

    // The agent outlives the step: a later one asks it, and nobody else is asked.
    assert_eq!(runner.later(&["get", "acme"]).run().ok(), "exchanged-1");
    assert_eq!(provider.token_requests().len(), 1);
    let status = runner.later(&["agent", "status", "--json"]).run().json();
    assert!(status["pid"].as_i64().is_some(), "{status}");

    runner.post().run().ok();
    assert!(is_gone(Path::new(&runner.state("home"))));
    let agent = format!("/proc/{}/exe", status["pid"]);
    let is_running = fs::read_link(agent).is_ok_and(|exe| exe.ends_with("tokctl-agent"));
    assert!(!is_running, "the agent is still there");
}

#[test]
fn an_action_that_fails_says_why_and_is_cleaned_up() {
    let runner = Runner::start();
    let output = runner.main("token_endpoint=not an address", "true").run();
    assert!(output.code != 0 && output.stderr.contains("tokctl: error:"), "{output:?}");
    assert_eq!(runner.read("env"), "");
    runner.post().run().ok();
    assert!(is_gone(Path::new(&runner.state("home"))));
}

#[test]
fn an_action_without_export_leaves_the_token_to_those_who_ask() {
    let (runner, provider) = (Runner::start(), provider());
    runner.main(&settings(&provider), "false").run().ok();
    assert!(!runner.read("env").contains("exchanged-1"));
    assert_eq!(runner.later(&["get", "acme"]).run().ok(), "exchanged-1");
    runner.post().run().ok();
}

#[test]
fn the_action_declares_what_it_reads() {
    let action = template("github/action.yml");
    let main = fs::read_to_string(packaged("github/main.js")).unwrap();
    let read: Vec<&str> = main
        .split("input('")
        .skip(1)
        .filter_map(|rest| rest.split_once('\'').map(|(name, _)| name))
        .collect();
    assert!(read.len() > 5);
    for name in &read {
        assert!(action["inputs"][name].is_object(), "{name}");
    }
    for name in action["inputs"].as_object().unwrap().keys() {
        assert!(read.contains(&&**name), "{name} is not read");
    }
    for step in ["main", "post"] {
        assert!(packaged("github").join(action["runs"][step].as_str().unwrap()).is_file());
    }
}

/// The lines of a script, as GitLab makes one of them: it ends where one fails.
fn script(lines: &Value) -> String {
    let lines = lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    ["set -eu"].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_template_for_gitlab_exchanges_the_jobs_token_and_leaves_nothing() {
    let (home, provider) = (Home::new(), provider());
    let job = &template("gitlab.yml")[".tokctl"];
    let at = home.root().join("tokctl-42");
    let variables = job["variables"].as_object().unwrap();
    assert_eq!(variables["TOKCTL_HOME"], "/tmp/tokctl-$CI_JOB_ID");
    let sh = |script: &str| {
        let settings = format!(
            "--token-endpoint {} --client-auth none --allow-http-loopback",
            provider.token_endpoint()
        );
        home.with_environment(Run::new("sh"))
            .env("TOKCTL_HOME", &at)
            .env("GITLAB_CI", "true")
            .env("TOKCTL_ID_TOKEN", "job-1")
            .env("TOKCTL_PROFILE", "acme")
            .env("TOKCTL_SETTINGS", settings)
            .args(["-c", script])
    };
    // The same shell runs both.
    let before = format!("{}\ntokctl get acme", script(&job["before_script"]));
    assert_eq!(sh(&before).run().ok(), "exchanged-1");
    assert_eq!(subjects(&provider), ["job-1"]);
    sh(&script(&job["after_script"])).run().ok();
    assert!(is_gone(&at));
}

#[test]
fn the_template_for_azure_exchanges_the_jobs_token_and_leaves_nothing() {
    let (home, provider) = (Home::new(), provider());
    let endpoint = Api::start(|message| {
        let is_allowed = message.header("authorization") == Some("Bearer opens-azure")
            && message.word(0) == "POST"
            && message.word(1) == "/oidc?api-version=7.1&serviceConnectionId=c-1";
        match is_allowed {
            true => Reply::json(200, &json!({ "oidcToken": "job-1" })),
            false => Reply::json(401, &json!({})),
        }
    });
    let step = &template("azure.yml")["steps"][0];
    let temporary = home.root().join("temp");
    fs::create_dir(&temporary).unwrap();
    let settings = format!(
        "--token-endpoint {} --client-auth none --allow-http-loopback",
        provider.token_endpoint()
    );
    let names: Vec<&str> = step["env"].as_object().unwrap().keys().map(String::as_str).collect();
    for name in ["CONNECTION", "PROFILE", "VARIABLE", "SETTINGS", "SYSTEM_ACCESSTOKEN"] {
        assert!(names.contains(&name), "{name}");
    }
    let run = home
        .with_environment(Run::new("bash"))
        .env_remove("TOKCTL_HOME")
        .env("TF_BUILD", "True")
        .env("AGENT_TEMPDIRECTORY", &temporary)
        .env("SYSTEM_OIDCREQUESTURI", endpoint.url("/oidc"))
        .env("SYSTEM_ACCESSTOKEN", "opens-azure")
        .env("CONNECTION", "c-1")
        .env("PROFILE", "acme")
        .env("VARIABLE", "MY_TOKEN")
        .env("SETTINGS", settings)
        .args(["--noprofile", "--norc", "-c", step["bash"].as_str().unwrap()]);
    let output = run.run();
    assert_eq!(subjects(&provider), ["job-1"], "{output:?}");
    let commands = "##vso[task.setsecret]exchanged-1\n\
                    ##vso[task.setvariable variable=MY_TOKEN;issecret=true]exchanged-1";
    assert_eq!(output.ok(), commands);
    assert_eq!(fs::read_dir(temporary).unwrap().count(), 0);
}
