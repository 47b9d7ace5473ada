//! git fetches from a server that wants a token: the real git, and git's own server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokctl_tests::git::GitServer;
use tokctl_tests::provider::{CLIENT_ID, CLIENT_SECRET};
use tokctl_tests::{Home, Provider, Run};

/// Names under which other programs call tokctl, in a directory of their own.
fn links(home: &Home) -> PathBuf {
    let directory = home.root().join("links");
    std::fs::create_dir(&directory).unwrap();
    for name in ["git-credential-tokctl", "tokctl"] {
        std::os::unix::fs::symlink(&home.programs().tokctl, directory.join(name)).unwrap();
    }
    directory
}

/// The real git with this home's configuration, which asks nobody.
fn git(home: &Home, links: &Path, arguments: &[&str]) -> Run {
    home.with_environment(Run::new("git"))
        .env("PATH", with(links))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@acme.example")
        .env("GIT_COMMITTER_NAME", "Ada")
        .env("GIT_COMMITTER_EMAIL", "ada@acme.example")
        .args(arguments)
}

/// A repository with one commit, in a directory of repositories.
fn repository(home: &Home, links: &Path) -> PathBuf {
    let run = |arguments: &[&str]| git(home, links, arguments).run().ok();
    run(&["init", "--quiet", "--initial-branch", "main", "work"]);
    run(&["-C", "work", "commit", "--quiet", "--allow-empty", "--message", "first"]);
    run(&["clone", "--quiet", "--bare", "work", "served/team.git"]);
    home.root().join("served")
}

/// As [`Home::add_at`], for a place where its token may be used.
fn add(home: &Home, provider: &Provider, api_url: &str) {
    home.add("acme", CLIENT_ID, CLIENT_SECRET)
        .args(["--token-endpoint", &provider.token_endpoint(), "--api-urls", api_url])
        .run()
        .ok();
}

#[test]
fn git_fetches_with_the_profiles_token_and_a_refused_one_is_replaced() {
    let (home, provider) = (Home::new().init_bare(), Arc::new(Provider::start()));
    let links = links(&home);
    let refused: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let server = {
        let (provider, refused) = (Arc::clone(&provider), Arc::clone(&refused));
        GitServer::start(&repository(&home, &links), move |token| {
            provider.is_live(token) && !refused.lock().unwrap().contains(token)
        })
    };
    add(&home, &provider, &server.url("/"));
    let install = home.tokctl(["helper", "install", "git", "acme", "--yes"]);
    let installed = install.env("PATH", with(&links)).run();
    assert!(installed.stderr.contains("git config --global --add credential.http://127.0.0.1"));
    installed.ok();

    let url = server.url("/team.git");
    git(&home, &links, &["clone", "--quiet", &url, "copy"]).run().ok();
    let first = home.get("acme");
    assert_eq!(server.shown().last(), Some(&format!("oauth2:{first}")));
    assert_eq!(
        provider.token_requests().len(),
        1,
        "git asked for each request, the provider did not"
    );

    refused.lock().unwrap().insert(first.clone());
    let fetch = || git(&home, &links, &["-C", "copy", "fetch", "--quiet"]).run();
    fetch().fails(128, &["Authentication failed"]);
    fetch().ok();
    let second = home.get("acme");
    assert_ne!(second, first);
    assert_eq!(server.shown().last(), Some(&format!("oauth2:{second}")));
    assert_eq!(provider.token_requests().len(), 2);
}

/// PATH with a directory in front.
fn with(directory: &Path) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = [directory.to_owned()].into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(directories).unwrap()
}

#[test]
fn a_host_that_is_nobodys_is_left_to_others_and_one_of_ours_is_not() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let links = links(&home);
    add(&home, &provider, "https://git.acme.example/team");
    let helper = |words: &[&str], input: &str| {
        home.tokctl([&["helper", "git"], words].concat()).stdin(input).run()
    };
    let ask = |host: &str| format!("protocol=https\nhost={host}\npath=team/a.git\n\n");
    for verb in ["get", "erase", "store", "unheard-of"] {
        for words in [&[verb][..], &["acme", verb]] {
            let output = helper(words, &ask("git.other.example"));
            assert_eq!((output.code, &*output.stdout, &*output.stderr), (0, "", ""), "{output:?}");
        }
    }
    assert_eq!(provider.token_requests().len(), 0);
    helper(&["nobody", "get"], &ask("git.acme.example")).fails(3, &["nobody"]);
    let token = home.get("acme");
    let answer = helper(&["get"], &ask("git.acme.example")).ok();
    assert!(
        answer.starts_with(&format!("username=oauth2\npassword={token}\npassword_expiry_utc="))
    );
    let smuggled = format!("{}path=x\rhost=git.acme.example\n", "protocol=https\nhost=a.example\n");
    helper(&["get"], &smuggled).fails(2, &["line end"]);
    // git goes by its own rules, too: the whole way, with what it filled in.
    let fill = || {
        let options = ["-c", "credential.helper=tokctl", "-c", "credential.useHttpPath=true"];
        let run = git(&home, &links, &options).args(["credential", "fill"]);
        run.stdin(ask("git.acme.example")).run()
    };
    let filled = fill().ok();
    assert!(filled.contains(&format!("password={token}")), "{filled}");

    // Without a token nobody is asked for a password: it would be the wrong one.
    home.tokctl(["lock"]).run().ok();
    let output = helper(&["get"], &ask("git.acme.example")).fails(4, &["sealed"]);
    assert_eq!(output.stdout, "quit=1\n");
    fill().fails(128, &["the vault is sealed", "told us to quit"]);
}

#[test]
fn a_profile_that_does_not_say_where_its_token_may_be_used_answers_no_helper() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.tokctl(["helper", "git", "acme", "get"])
        .stdin("protocol=https\nhost=git.evil.example\n\n")
        .run()
        .fails(8, &["where its token may be used", "api_urls="]);
    home.tokctl(["helper", "install", "git", "acme", "--yes"]).run().fails(2, &["api_urls="]);
    assert_eq!(provider.token_requests().len(), 0);
}

#[test]
fn what_is_installed_is_listed_and_taken_back() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    add(&home, &provider, "https://git.acme.example/team");
    let config = home.root().join("user/.gitconfig");
    let before = "[user]\n\tname = Ada # as ever\n";
    std::fs::write(&config, before).unwrap();
    let tokctl = |words: &[&str]| home.tokctl([&["helper"], words].concat());
    // Nobody is there to agree: it is shown, and nothing is done.
    tokctl(&["install", "git", "acme"]).run().fails(2, &["--add", "this changes", "--yes"]);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), before);
    tokctl(&["install", "git", "acme", "--yes"]).run().ok();
    tokctl(&["install", "git", "acme", "--yes"]).run().fails(0, &["nothing to change"]);
    let rows = tokctl(&["list", "--json"]).run().json();
    assert_eq!(rows[0]["program"], "git");
    assert_eq!(rows[0]["at"], "https://git.acme.example/team");
    assert_eq!(rows[0]["profile"], "acme");
    tokctl(&["uninstall", "git", "other", "--yes"]).run().fails(0, &["nothing to change"]);
    tokctl(&["uninstall", "git", "acme", "--yes"]).run().ok();
    assert_eq!(std::fs::read_to_string(&config).unwrap(), before);
}
