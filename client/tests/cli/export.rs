//! `export --ci` and masks: what runners are given, by the program as it is run in their jobs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::script::Script;

const SECRET: &str = "s3cr3t%0A-token";
const GET: &str = r#"> {"get":{"profile":"acme"}}"#;
/// Without any, none may be asked for.
const NOBODY_ASKS: &str = "";

/// A job: an agent that follows a script, a directory, and nothing of the environment of the tests.
struct Job {
    home: TempDir,
    agent: Script,
}

impl Job {
    fn with(script: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let agent = Script::listen(&home.path().join("agent.sock"), script);
        Self { home, agent }
    }

    /// With an agent that is asked once, and has this token.
    fn with_token(token: &str) -> Self {
        let token = serde_json::to_string(token).unwrap();
        let answer = format!(
            r#"< {{"done":{{"token":{{"access_token":{token},"token_type":"Bearer","expires_at":null,"expires_in":null,"scope":"","profile":"acme","header":"Authorization: Basic {{basic}}","min_valid_met":true,"warning":null,"extra":""}}}}}}"#
        );
        Self::with(&format!("{GET}\n{answer}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn run(&self, arguments: &str, environment: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tokctl"))
            .args(arguments.split(' '))
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", self.home.path())
            .env("TOKCTL_HOME", self.home.path())
            .env("TOKCTL_SOCK", self.path("agent.sock"))
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn ends(self) {
        assert_eq!(self.agent.finish(), [""; 0]);
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn said(output: &Output) -> (Option<i32>, &str, &str) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn github_gets_the_mask_on_stderr_and_the_value_in_its_file() {
    for (option, variable, since) in [
        ("", "GITHUB_ENV", "there for the steps of this job after this one\n"),
        (" --step-output", "GITHUB_OUTPUT", "so another job asks for its own token\n"),
    ] {
        let job = Job::with_token(SECRET);
        let file = job.path("file");
        fs::write(&file, "BEFORE=1").unwrap();
        let environment = [("GITHUB_ACTIONS", "true"), (variable, file.to_str().unwrap())];
        let output = job.run(&format!("export --ci acme{option}"), &environment);
        let (status, stdout, stderr) = said(&output);
        assert_eq!((status, stdout), (Some(0), ""), "{stderr}");
        let said = stderr.strip_prefix("::add-mask::s3cr3t%250A-token\n").unwrap();
        assert!(said.starts_with("ACME_TOKEN: masked, and ") && said.ends_with(since), "{stderr}");
        let written = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        let delimiter = lines[1].strip_prefix("ACME_TOKEN<<").unwrap();
        assert!(delimiter.starts_with("ghadelimiter_") && delimiter.len() > 40, "{delimiter}");
        assert_eq!([lines[0], lines[2], lines[3]], ["BEFORE=1", SECRET, delimiter]);
        assert_eq!(lines.len(), 4);
        job.ends();
    }
}

#[test]
fn forgejo_gets_the_mask_as_it_reads_it() {
    let job = Job::with_token(SECRET);
    let file = job.path("file");
    let environment = [
        ("GITHUB_ACTIONS", "true"),
        ("FORGEJO_ACTIONS", "true"),
        ("GITHUB_ENV", file.to_str().unwrap()),
    ];
    let output = job.run("export --ci acme", &environment);
    let masks = "::add-mask::s3cr3t%0A-token\n::add-mask::s3cr3t%250A-token\n";
    let (status, stdout, stderr) = said(&output);
    assert_eq!((status, stdout), (Some(0), ""));
    assert!(stderr.starts_with(masks), "{stderr}");
    job.ends();
}

#[test]
fn azure_gets_both_on_stdout_the_mask_first() {
    let job = Job::with_token("a;b]c%0A");
    let output = job.run("export --ci acme", &[("TF_BUILD", "True")]);
    let (status, stdout, stderr) = said(&output);
    let lines = "##vso[task.setsecret]a%3Bb%5Dc%AZP250A\n\
                 ##vso[task.setvariable variable=ACME_TOKEN;issecret=true]a%3Bb%5Dc%AZP250A\n";
    assert_eq!((status, stdout), (Some(0), lines));
    assert!(stderr.contains("that map it"), "{stderr}");
    job.ends();
}

/// A program in the place of buildkite-agent, which notes its arguments and its stdin.
fn buildkite_agent(directory: &Path, end: &str) -> PathBuf {
    let program = directory.join("buildkite-agent");
    let log = directory.join("told");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>'{log}'\nIFS= read -r line\nprintf '%s\\n' \"$line\" >>'{log}'\necho noted\n{end}\n",
        log = log.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    log
}

#[test]
fn buildkite_is_told_on_stdin_the_mask_first() {
    let job = Job::with_token("tok\"en\\1");
    let log = buildkite_agent(job.home.path(), "");
    let output = job.run("export --ci acme", &[("BUILDKITE", "true")]);
    let (status, stdout, stderr) = said(&output);
    assert_eq!((status, stdout), (Some(0), ""), "{stderr}");
    let json = r#"{"ACME_TOKEN":"tok\"en\\1"}"#;
    let told = format!(
        "redactor add --format json\n{json}\nenv set --input-format=json --output-format=quiet -\n{json}\n"
    );
    assert_eq!(fs::read_to_string(log).unwrap(), told);
    // What the program says is talk.
    assert!(stderr.starts_with("noted\nnoted\nACME_TOKEN: masked"), "{stderr}");
    job.ends();
}

#[test]
fn nothing_is_set_when_it_was_not_masked() {
    let job = Job::with_token(SECRET);
    let log = buildkite_agent(job.home.path(), "exit 3");
    let output = job.run("export --ci acme", &[("BUILDKITE", "true")]);
    let (status, stdout, stderr) = said(&output);
    assert_eq!((status, stdout), (Some(11), ""));
    assert!(stderr.contains("`buildkite-agent redactor add --format json` failed"), "{stderr}");
    assert_eq!(fs::read_to_string(log).unwrap().lines().count(), 2);
    job.ends();

    let job = Job::with_token(SECRET);
    let output = job.run("export --ci acme", &[("BUILDKITE", "true")]);
    assert_eq!(output.status.code(), Some(11));
    job.ends();
}

#[test]
fn what_cannot_be_masked_is_refused_before_a_token_is_asked_for() {
    for variable in [
        "GITLAB_CI",
        "CIRCLECI",
        "TEAMCITY_VERSION",
        "JENKINS_URL",
        "BITBUCKET_BUILD_NUMBER",
        "DRONE",
        "TRAVIS",
    ] {
        let job = Job::with(NOBODY_ASKS);
        let output = job.run("export --ci acme", &[(variable, "true")]);
        let (status, stdout, stderr) = said(&output);
        assert_eq!((status, stdout), (Some(8), ""), "{variable}");
        assert!(stderr.contains(" cannot mask it: "), "{stderr}");
        assert!(
            stderr.ends_with("better is `tokctl exec ACME_TOKEN=acme -- COMMAND`\n"),
            "{stderr}"
        );
        job.ends();
    }
}

#[test]
fn it_is_handed_over_unmasked_where_that_is_meant() {
    let written = "given.env";
    for (environment, option, line) in [
        (("GITLAB_CI", "true"), " --file given.env", "ACME_TOKEN=s3cr3t%0A-token\n"),
        (("JENKINS_URL", "x"), " --file given.env", "export ACME_TOKEN='s3cr3t%0A-token'\n"),
        (("CIRCLECI", "true"), "", "export ACME_TOKEN='s3cr3t%0A-token'\n"),
        (("BITBUCKET_BUILD_NUMBER", "1"), "", "ACME_TOKEN=s3cr3t%0A-token\n"),
    ] {
        let job = Job::with_token(SECRET);
        let file = job.path(written);
        let environment =
            [environment, ("BASH_ENV", written), ("BITBUCKET_PIPELINES_VARIABLES_PATH", written)];
        let output = job.run(&format!("export --ci --allow-unmasked acme{option}"), &environment);
        let (status, stdout, stderr) = said(&output);
        assert_eq!((status, stdout), (Some(0), ""), "{stderr}");
        assert!(stderr.starts_with("ACME_TOKEN: there for "), "{stderr}");
        assert_eq!(fs::read_to_string(&file).unwrap(), line);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        job.ends();
    }
}

#[test]
fn a_command_line_that_comes_to_nothing_asks_for_no_token() {
    let github = ("GITHUB_ACTIONS", "true");
    for (arguments, environment, status, what) in [
        ("export --ci acme", &[][..], 2, "--ci-vendor NAME"),
        ("export --ci acme", &[github], 2, "GITHUB_ENV, by which"),
        ("export --ci GITHUB_PATH=acme", &[github], 2, "the runner's own"),
        ("export --ci RUNNER_TEMP=acme", &[github], 2, "the runner's own"),
        ("export --ci NODE_OPTIONS=acme", &[github], 2, "what programs run"),
        ("export --ci --ci-vendor azure PATH_OF=acme", &[], 2, "must not begin with `PATH`"),
        ("export --ci --ci-vendor buildkite --step-output acme", &[], 2, "no outputs"),
        ("export --ci --ci-vendor gitlab --allow-unmasked acme", &[], 2, "--file FILE"),
        ("export --ci --ci-vendor gitlba acme", &[], 2, "gitlab"),
    ] {
        let job = Job::with(NOBODY_ASKS);
        let output = job.run(arguments, environment);
        let (code, stdout, stderr) = said(&output);
        assert_eq!((code, stdout), (Some(status), ""), "{arguments}");
        assert!(stderr.contains(what), "{arguments}: {stderr}");
        job.ends();
    }
}

#[test]
fn what_is_too_short_to_be_masked_is_not_handed_over() {
    let job = Job::with_token("short");
    let output = job.run("export --ci acme", &[("TF_BUILD", "True")]);
    let (status, stdout, stderr) = said(&output);
    assert_eq!((status, stdout), (Some(8), ""));
    assert!(stderr.contains("too short") && !stderr.contains("short\n"), "{stderr}");
    job.ends();
}

#[test]
fn a_token_that_is_printed_is_masked_on_stderr_where_githubs_runner_reads_it() {
    let token = "user:pass%0A";
    let mask = "::add-mask::user:pass%250A\n";
    let header = "Authorization: Basic dXNlcjpwYXNzJTBB\n";
    let github = ("GITHUB_ACTIONS", "true");
    let exported = "export ACME_TOKEN='user:pass%0A';\n";
    for (arguments, environment, stdout, stderr) in [
        ("get acme", &[github][..], "user:pass%0A\n", mask),
        ("get acme", &[("GITHUB_ACTIONS", "false")], "user:pass%0A\n", ""),
        ("get acme", &[], "user:pass%0A\n", ""),
        ("get acme --no-mask", &[github], "user:pass%0A\n", ""),
        ("--color never get acme", &[github], "user:pass%0A\n", mask),
        // Forgejo's log hides what is in a mask and nothing that follows from it.
        ("get acme --header", &[github], header, &format!("{mask}::add-mask::dXNlcjpwYXNzJTBB\n")),
        ("export acme --shell sh", &[github], exported, mask),
        ("export acme --shell sh --no-mask", &[github], exported, ""),
        ("export acme --shell sh", &[], exported, ""),
        (
            "get acme",
            &[github, ("GITEA_ACTIONS", "true")],
            "user:pass%0A\n",
            &format!("::add-mask::{token}\n{mask}"),
        ),
    ] {
        let job = Job::with_token(token);
        let output = job.run(arguments, environment);
        assert_eq!(said(&output), (Some(0), stdout, stderr), "{arguments} {environment:?}");
        job.ends();
    }
}

#[test]
fn the_parts_of_aws_credentials_are_masked_each() {
    let job = Job::with_token(
        r#"{"Version":1,"AccessKeyId":"ASIA1","SecretAccessKey":"secret-key","SessionToken":"session"}"#,
    );
    let output = job.run("get acme", &[("GITHUB_ACTIONS", "true")]);
    let masks: Vec<&str> = text(&output.stderr).lines().collect();
    assert_eq!(masks.len(), 3);
    assert_eq!(masks[1..], ["::add-mask::secret-key", "::add-mask::session"]);
    job.ends();
}

#[test]
fn the_statements_are_those_of_the_shell_that_asks() {
    for (shell, arguments, login_shell, statement) in [
        ("bash", &["-c"][..], "/usr/bin/fish", "export ACME_TOKEN='long-token';\n"),
        ("dash", &["-c"], "/usr/bin/fish", "export ACME_TOKEN='long-token';\n"),
        ("zsh", &["-fc"], "/usr/bin/fish", "export ACME_TOKEN='long-token';\n"),
        ("fish", &["--no-config", "-c"], "/bin/bash", "set -gx ACME_TOKEN 'long-token';\n"),
    ] {
        let job = Job::with_token("long-token");
        // Something behind it, so that the shell does not make way for the program.
        let line = format!("{} export acme; true", env!("CARGO_BIN_EXE_tokctl"));
        let output = Command::new(shell)
            .args(arguments)
            .arg(line)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", job.home.path())
            .env("SHELL", login_shell)
            .env("TOKCTL_HOME", job.home.path())
            .env("TOKCTL_SOCK", job.path("agent.sock"))
            .output()
            .unwrap_or_else(|error| panic!("{shell}: {error}: run `cargo xtask prepare`"));
        assert_eq!(text(&output.stdout), statement, "{shell}: {}", text(&output.stderr));
        job.ends();
    }
}
