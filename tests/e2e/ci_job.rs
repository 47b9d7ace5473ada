//! A CI job without a login session: the identity comes with the job, and the agent goes with it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokctl_tests::{Home, Provider, Run, eventually};

/// An identity that no other test has.
fn identity(home: &Home) -> String {
    let made = home.with_environment(Run::new("age-keygen")).run().ok();
    made.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap().to_owned()
}

/// A step of a job: a process group of its own, and the environment that the job's steps share.
fn step<'a>(home: &Home, arguments: impl IntoIterator<Item = &'a str>) -> Run {
    let tokctl = home.programs().tokctl.clone();
    let run = home.with_environment(Run::new("setsid")).arg("--wait").arg(tokctl);
    run.args(arguments).env("CI", "true").env("TOKCTL_EPHEMERAL", "1")
}

/// A job whose first step has made the vault.
fn job() -> (Home, String) {
    let home = Home::new();
    let identity = identity(&home);
    step(&home, ["init"]).env("TOKCTL_IDENTITY", &identity).run().ok();
    (home, identity)
}

#[track_caller]
fn wait_for_the_end(home: &Home) {
    eventually("the agent is gone", || home.agent_pid().is_none().then_some(()));
}

fn log(home: &Home) -> String {
    fs::read_to_string(home.path().join("state/agent.log")).unwrap_or_default()
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(directory).unwrap().map(|found| found.unwrap().path());
    found
        .flat_map(|path| match path.symlink_metadata().unwrap() {
            found if found.is_dir() => files(&path),
            found if found.is_file() => vec![path],
            _ => Vec::new(),
        })
        .collect()
}

/// Whether a process of this user has the text in its environment or its arguments.
fn who_has(text: &str) -> Vec<String> {
    let own = nix::unistd::geteuid().as_raw();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|found| {
        let found = found.ok()?;
        found.file_name().to_str()?.parse::<u32>().ok()?;
        (found.metadata().ok()?.uid() == own || own == 0).then(|| found.path())
    });
    processes
        .flat_map(|process| ["environ", "cmdline"].map(|name| process.join(name)))
        .filter(|path| {
            let bytes = fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(text)
        })
        .map(|path| path.display().to_string())
        .collect()
}

#[test]
fn the_identity_opens_the_vault_and_lies_nowhere() {
    let (home, identity) = job();
    let provider = Provider::start();
    home.add_at("acme", &provider);
    home.get("acme");
    let names: Vec<_> =
        fs::read_dir(home.vault()).unwrap().map(|found| found.unwrap().file_name()).collect();
    for absent in ["identity.txt", "identity.age"] {
        assert!(!names.iter().any(|name| name == absent), "{names:?}");
    }
    assert_eq!(who_has(&identity), [""; 0]);
    for file in files(&home.path()) {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("AGE-SECRET-KEY-1"), "{}", file.display());
    }
}

#[test]
fn stock_age_opens_an_entry_with_the_same_identity() {
    let (home, identity) = job();
    let provider = Provider::start();
    home.add_at("acme", &provider);
    let key = home.secret_file("key.txt", &identity);
    let age = home.with_environment(Run::new("age"));
    let opened = age.args(["-d", "-i"]).arg(key).arg(home.entry("acme")).run().ok();
    assert!(opened.starts_with("tokctl-entry 1 ") && opened.contains("cc-secret"), "{opened}");
}

#[test]
fn a_later_step_finds_the_agent_of_the_first_and_needs_no_identity() {
    let (home, _) = job();
    let provider = Provider::start();
    home.add_at("acme", &provider);
    let agent = home.agent_pid().unwrap();
    let first = step(&home, ["get", "acme"]).run().ok();
    let second = step(&home, ["get", "acme"]).env_remove("TOKCTL_EPHEMERAL").run().ok();
    assert_eq!((first, home.agent_pid()), (second, Some(agent)));
    step(&home, ["agent", "stop"]).run().ok();
    wait_for_the_end(&home);
    // Its last word comes after it has let go of the vault.
    eventually("the agent says that it forgot what it had", || {
        log(&home).contains("forgot the keys, tokens and secrets").then_some(())
    });
}

#[test]
fn whoever_starts_the_next_agent_brings_the_identity() {
    let (home, identity) = job();
    let provider = Provider::start();
    home.add_at("acme", &provider);
    home.stop_agent();
    let sealed = step(&home, ["get", "acme"]).run();
    sealed.fails(4, &["the vault is sealed", "TOKCTL_IDENTITY"]);
    // Many at once: one opens it, and all are served.
    home.stop_agent();
    let asking = |_| step(&home, ["get", "acme"]).env("TOKCTL_IDENTITY", &identity).start();
    let tokens = (0..6).map(asking).collect::<Vec<_>>().into_iter().map(|it| it.finish().ok());
    let tokens: Vec<_> = tokens.collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    let agent = home.agent_pid().unwrap();
    let environment = fs::read(format!("/proc/{agent}/environ")).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&environment).contains("TOKCTL_IDENTITY"));
    assert_eq!(who_has(&identity), [""; 0]);
    assert!(!log(&home).contains(&identity));
}

#[test]
fn agent_start_and_unlock_take_the_identity_too() {
    let (home, identity) = job();
    home.stop_agent();
    step(&home, ["agent", "start"]).env("TOKCTL_IDENTITY", &identity).run().ok();
    assert_eq!(home.agent_status()["state"], "unlocked");
    home.tokctl(["lock"]).run().ok();
    let key = home.secret_file("key.txt", &format!("# mine\n{identity}\n"));
    home.tokctl(["unlock", "--identity-file"]).arg(&key).run().ok();
    home.tokctl(["lock"]).run().ok();
    home.tokctl(["unlock", "--identity-stdin"]).stdin(identity).run().ok();
    assert_eq!(home.agent_status()["state"], "unlocked");
}

#[test]
fn a_wrong_identity_opens_nothing_and_is_told() {
    let (home, ours) = job();
    let provider = Provider::start();
    home.add_at("acme", &provider);
    home.stop_agent();
    for (wrong, words) in [
        (identity(&home), "the identity does not open this vault, which is for age1"),
        (ours[..40].to_owned(), "part of it is missing or mistyped"),
    ] {
        let run = step(&home, ["get", "acme"]).env("TOKCTL_IDENTITY", &wrong).run();
        let said = run.fails(4, &[words, "TOKCTL_IDENTITY"]);
        assert!(!said.stderr.contains(&wrong), "{said:?}");
        assert!(!log(&home).contains(&wrong));
    }
    let run = step(&home, ["init", "--replace"]).env("TOKCTL_IDENTITY", &ours[..40]).run();
    run.fails(2, &["part of it is missing or mistyped"]);
    step(&home, ["get", "acme"]).env("TOKCTL_IDENTITY", &ours).run().ok();
}

#[test]
fn no_program_that_is_started_gets_the_identity() {
    let (home, identity) = job();
    let provider = Provider::start();
    home.add_at("acme", &provider);
    let seen = step(&home, ["exec", "acme", "--", "env"]).env("TOKCTL_IDENTITY", &identity);
    let seen = seen.run().ok();
    assert!(seen.contains("ACME_TOKEN=") && !seen.contains(&identity), "{seen}");
    let file = home.root().join("seen");
    let script = format!("env > {}; echo tok", file.display());
    step(&home, ["add", "program", "--", "/bin/sh", "-c", &script]).run().ok();
    home.stop_agent();
    step(&home, ["get", "program"]).env("TOKCTL_IDENTITY", &identity).run().ok();
    let seen = fs::read_to_string(file).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains(&identity), "{seen}");
}

#[test]
fn an_ephemeral_agent_ends_by_itself_and_says_what_it_forgot() {
    let (home, _) = job();
    let told = home.agent_status();
    let warnings = told["warnings"].to_string();
    assert!(warnings.contains("ephemeral") && warnings.contains("ends in 5h 59m"), "{warnings}");
    home.stop_agent();
    // It may be over before the start is answered.
    home.tokctl(["agent", "start", "--max-life", "1s"]).run();
    eventually("the agent's life is over", || {
        let log = log(&home);
        (log.contains("longest life") && log.matches("forgot the keys").count() == 2).then_some(())
    });
    wait_for_the_end(&home);
    home.tokctl(["agent", "start"]).run().ok();
    assert_eq!(home.agent_status()["warnings"].to_string(), "[]");
}

#[test]
fn what_a_runner_knows_its_processes_by_is_kept() {
    let home = Home::new();
    let run = step(&home, ["init", "--no-passphrase"]).env("RUNNER_TRACKING_ID", "github_42");
    run.run().ok();
    let environ = fs::read(format!("/proc/{}/environ", home.agent_pid().unwrap())).unwrap();
    let environ = String::from_utf8_lossy(&environ).into_owned();
    assert!(environ.contains("RUNNER_TRACKING_ID=github_42"), "{environ}");
}

#[test]
fn an_ephemeral_agent_presents_no_refresh_token_that_may_be_replaced() {
    let home = Home::new();
    let identity = identity(&home);
    home.tokctl(["init"]).env("TOKCTL_IDENTITY", &identity).run().ok();
    let provider = Provider::start();
    let endpoint = provider.token_endpoint();
    let add = |home: &Home, name: &str| {
        let run = home.add_refresh_token(name, "cc", "rt-1");
        run.args(["--client-auth", "none", "--token-endpoint", &endpoint])
    };
    add(&home, "shop").run().ok();
    home.stop_agent();

    step(&home, ["agent", "start"]).env("TOKCTL_IDENTITY", &identity).run().ok();
    step(&home, ["get", "shop"]).run().fails(10, &["ephemeral", "token_exchange", "rotation"]);
    step(&home, ["refresh", "shop"]).run().fails(10, &["ephemeral"]);
    add(&home, "other").run().fails(10, &["ephemeral", "token_exchange"]);
    assert_eq!(home.profiles(), ["shop"]);
    let login = ["--authorization-endpoint", "https://as.example/a", "--client-id", "cc"];
    let device = home.tokctl(["add", "person", "--grant", "authorization_code"]).args(login);
    device.args(["--token-endpoint", &endpoint]).run().fails(10, &["ephemeral"]);
    assert_eq!(provider.token_requests().len(), 0);
    add(&home, "lasting").args(["--rotation", "none"]).run().ok();
}

#[test]
fn a_home_in_the_workspace_is_warned_of() {
    let home = Home::new();
    let run = step(&home, ["init", "--no-passphrase"]);
    let run = run.env("GITHUB_WORKSPACE", home.root()).env("RUNNER_TEMP", "/nowhere");
    run.run().fails(0, &["lies in $GITHUB_WORKSPACE", "TOKCTL_HOME=\"$RUNNER_TEMP/tokctl\""]);
}
