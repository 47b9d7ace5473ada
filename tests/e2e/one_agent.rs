//! However many ask at once and from wherever: one vault, one agent.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use tokctl_tests::machine::not_run;
use tokctl_tests::process::Output;
use tokctl_tests::{Home, Provider, Run};

#[test]
fn a_hundred_clients_from_nothing_get_one_agent() {
    const CLIENTS: usize = 100;
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.stop_agent();
    let clients: Vec<_> = (0..CLIENTS).map(|_| home.tokctl(["get", "acme"]).start()).collect();
    let tokens: BTreeSet<_> = clients.into_iter().map(|client| client.finish().ok()).collect();
    assert_eq!((tokens.len(), provider.token_requests().len()), (1, 1));
    assert_eq!(agents_of(&home), 1);
}

#[test]
fn of_simultaneous_inits_one_makes_the_vault() {
    const CLIENTS: usize = 8;
    let home = Home::new();
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| home.tokctl(["init", "--no-passphrase"]).start()).collect();
    let outputs: Vec<Output> = clients.into_iter().map(|client| client.finish()).collect();
    let codes = |code| outputs.iter().filter(|output| output.code == code).count();
    assert_eq!((codes(0), codes(2)), (1, CLIENTS - 1), "{outputs:#?}");
    assert_eq!(agents_of(&home), 1);
    assert_eq!(home.agent_status()["state"], "unlocked");
}

#[test]
fn simultaneous_adds_all_land() {
    const CLIENTS: usize = 12;
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let names: BTreeSet<String> = (0..CLIENTS).map(|number| format!("p{number:02}")).collect();
    let clients: Vec<_> = names
        .iter()
        .map(|name| {
            home.add(name, "cc", "cc-secret")
                .args(["--token-endpoint", &provider.token_endpoint()])
                .start()
        })
        .collect();
    for client in clients {
        client.finish().ok();
    }
    assert_eq!(home.profiles().into_iter().collect::<BTreeSet<_>>(), names);
    for name in &names {
        home.get(name);
    }
}

#[test]
fn of_simultaneous_adds_of_one_name_one_lands() {
    const CLIENTS: usize = 8;
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let secret = home.secret_file("secret", "cc-secret");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            home.tokctl(["add", "acme", "--grant", "client_credentials", "--client-id", "cc"])
                .args(["--token-endpoint", &provider.token_endpoint(), "--secret-file"])
                .arg(&secret)
                .start()
        })
        .collect();
    let outputs: Vec<Output> = clients.into_iter().map(|client| client.finish()).collect();
    let codes = |code| outputs.iter().filter(|output| output.code == code).count();
    assert_eq!((codes(0), codes(2)), (1, CLIENTS - 1), "{outputs:#?}");
    home.get("acme");
}

#[test]
fn a_desktop_and_cron_find_the_same_agent() {
    let (home, provider) = (Home::of_ordinary_user(), Provider::start());
    let uid = home.root().metadata().unwrap().uid();
    let usual = format!("/run/user/{uid}/tokctl/agent.sock");
    if Path::new(&usual).exists() {
        return not_run("cron's tokctl would find the agent that you yourself use");
    }
    let runtime = home.root().join("runtime");
    fs::create_dir(&runtime).unwrap();
    chown(&runtime, Some(uid), Some(uid)).unwrap();
    // The places of a user who sets no TOKCTL_HOME: on the desktop with XDG_RUNTIME_DIR, under cron without.
    let places = Unset { home: &home, runtime: &runtime };
    let secret = home.secret_file("secret", "cc-secret");
    places.desktop(&["init", "--no-passphrase"]).run().ok();
    places
        .desktop(&["add", "acme", "--grant", "client_credentials", "--client-id", "cc"])
        .args(["--token-endpoint", &provider.token_endpoint(), "--secret-file"])
        .arg(secret)
        .run()
        .ok();

    let token = places.desktop(&["get", "acme"]).run().ok();
    assert_eq!(places.cron(&["get", "acme"]).run().ok(), token);
    let pid = |run: Run| run.run().json()["pid"].clone();
    let status = ["agent", "status", "--json"];
    assert_eq!(pid(places.desktop(&status)), pid(places.cron(&status)));
    assert_eq!(provider.token_requests().len(), 1);
}

/// A user who sets no TOKCTL_HOME. The agent is in no place that `Home` knows, so it is stopped here.
struct Unset<'a> {
    home: &'a Home,
    runtime: &'a Path,
}

impl Unset<'_> {
    fn desktop(&self, arguments: &[&str]) -> Run {
        self.cron(arguments).env("XDG_RUNTIME_DIR", self.runtime)
    }

    fn cron(&self, arguments: &[&str]) -> Run {
        self.home.tokctl(arguments).env_remove("TOKCTL_HOME")
    }
}

impl Drop for Unset<'_> {
    fn drop(&mut self) {
        // Where none was started there is none to stop.
        drop(self.desktop(&["agent", "stop"]).run());
    }
}

#[test]
fn nothing_is_started_to_be_stopped_or_looked_at() {
    let home = Home::new().init_bare();
    home.stop_agent();
    for arguments in [&["lock"][..], &["agent", "stop"], &["agent", "status"]] {
        home.tokctl(arguments).run();
        assert_eq!(home.agent_pid(), None, "{arguments:?}");
    }
}

#[test]
fn a_named_socket_is_somebody_elses() {
    let home = Home::new().init_bare();
    let socket = home.root().join("elsewhere.sock");
    home.tokctl(["get", "acme"]).env("TOKCTL_SOCK", &socket).run().fails(9, &["elsewhere.sock"]);
    assert!(!socket.exists());
}

/// Processes named tokctl-agent whose environment names this home. Where they cannot be looked into, those
/// that answer are counted.
fn agents_of(home: &Home) -> usize {
    let variable = format!("TOKCTL_HOME={}", home.path().display());
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let found = processes
        .filter(|process| {
            let read = |name: &str| fs::read(process.path().join(name)).unwrap_or_default();
            let ours =
                || read("environ").split(|&byte| byte == 0).any(|it| it == variable.as_bytes());
            read("comm").starts_with(b"tokctl-agent") && ours()
        })
        .count();
    match nix::unistd::geteuid().is_root() {
        true => found,
        false => usize::from(home.agent_pid().is_some()),
    }
}

#[test]
fn a_relative_home_is_one_directory_for_both() {
    let home = Home::new();
    let name = home.path().file_name().unwrap().to_owned();
    let in_parent =
        |run: Run| run.env("TOKCTL_HOME", &name).current_dir(home.path().parent().unwrap());
    in_parent(home.tokctl(["init", "--no-passphrase"])).run().ok();
    assert!(home.vault().join("identity.txt").exists());
    assert_eq!(home.tokctl(["list", "--json"]).run().ok(), "[]");
}
