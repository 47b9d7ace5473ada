//! The Python package: its own tests with a real agent, its types, and its wheel.

use std::fs;
use std::process::Command;
use std::time::Duration;

use tokctl_tests::idp::Idp;
use tokctl_tests::provider::CLIENT_SECRET;
use tokctl_tests::{Home, Provider, Run, python};

use crate::e2e::{dpop, token_exchange};

/// All of it takes half a minute on a machine with nothing else to do.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn the_packages_own_tests_pass_with_a_real_agent() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let temporary = home.root().join("pytest");
    let output = home
        .with_environment(python::with_package().unwrap())
        .env("TOKCTL_TEST_LIVE", "1")
        .env("TOKCTL_TEST_TOKEN_ENDPOINT", provider.token_endpoint())
        .env("TOKCTL_TEST_SECRET", CLIENT_SECRET)
        // Without a trace in the repository.
        .args(["-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "--basetemp"])
        .arg(temporary)
        .current_dir(python::package())
        .patience(PATIENCE)
        .run();
    let report = output.ok();
    let summary = report.lines().last().unwrap_or_default();
    assert!(summary.contains(" passed"), "{report}");
    assert!(!summary.contains("skipped"), "a test was not run:\n{report}");
}

#[test]
fn its_types_hold() {
    let home = Home::new();
    let run = home.with_environment(python::with_package().unwrap()).patience(PATIENCE);
    let cache = home.root().join("mypy");
    let run = run.args(["-m", "mypy", "--cache-dir"]).arg(cache);
    run.current_dir(python::package()).run().ok();
}

#[test]
fn a_bound_token_comes_with_a_proof_for_each_request() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    dpop::machine(&home, &idp);
    // What a proof lacks is told by the first answer.
    idp.require_api_dpop_nonce(true);
    let program = "import httpx, requests, sys, tokctl
for auth in tokctl.RequestsAuth('acme'), tokctl.HTTPXAuth('acme'):
    fetch = requests if isinstance(auth, tokctl.RequestsAuth) else httpx
    for _ in range(2):
        print(fetch.get(sys.argv[1], auth=auth).status_code)";
    assert_eq!(said(&home, &["-c", program, idp.api()], &[]), "200\n200\n200\n200");
    // The nonce was missing and not the token: it is not renewed for that.
    assert_eq!(idp.token_requests().len(), 1);
}

#[test]
fn a_jobs_own_token_is_brought_for_exchange() {
    let (home, provider) = (Home::new().init_bare(), token_exchange::provider());
    token_exchange::add(&home, "job", &provider, "env:MY_TOKEN");
    let program = "import tokctl
try:
    print(tokctl.get('job'))
except tokctl.SubjectRequired as error:
    print(error.message)";
    assert_eq!(said(&home, &["-c", program], &[]), "$MY_TOKEN is empty or not set");
    let token = said(&home, &["-c", program], &[("MY_TOKEN", "job-1")]);
    assert_eq!(token, home.get("job"));
    let requests = provider.token_requests();
    assert_eq!((requests.len(), requests[0].param("subject_token")), (1, Some("job-1")));
}

/// What a program in Python prints.
#[track_caller]
fn said(home: &Home, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let run = home.with_environment(python::with_package().unwrap()).args(arguments);
    variables.iter().fold(run, |run, (name, value)| run.env(name, value)).run().ok()
}

#[test]
fn its_wheel_is_the_same_twice_and_works_where_nothing_else_is() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let wheels = ["once", "twice"].map(|name| python::wheel(&place(name)).unwrap());
    let [once, twice] = wheels.each_ref().map(|wheel| fs::read(wheel).unwrap());
    assert!(once == twice, "two builds differ");
    let name = wheels[0].file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(name, format!("tokctl-{}-py3-none-any.whl", env!("CARGO_PKG_VERSION")));

    let venv = place("venv");
    run(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&venv));
    run(Command::new(python::interpreter().unwrap())
        .args(["-I", "-m", "pip", "--python"])
        .arg(venv.join("bin/python"))
        .args(["install", "--quiet", "--no-input", "--no-index"])
        .arg(&wheels[0]));
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let program = "import tokctl, importlib.resources as r
from tokctl import *
print(tokctl.get('acme'), tokctl.__version__, r.files('tokctl').joinpath('py.typed').is_file())";
    let python = home.with_environment(Run::new(venv.join("bin/python")));
    let said = python.args(["-I", "-c", program]).run().ok();
    assert_eq!(said, format!("{} {} True", home.get("acme"), env!("CARGO_PKG_VERSION")));
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1").output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

#[test]
fn nothing_is_left_in_the_repository() {
    for name in ["build", "dist", "src/tokctl.egg-info", ".mypy_cache", ".pytest_cache"] {
        assert!(!python::package().join(name).exists(), "{name}");
    }
}
