//! What the README says to do with a further socket: mount its directory in a container, forward it by ssh.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokctl_tests::machine::{is_root, not_run};
use tokctl_tests::sshd::Sshd;
use tokctl_tests::{Home, Provider, Run, eventually};

/// The agent's user where another user's container is tried: one that no container here is run by.
const AGENT: u32 = 1000;
/// What a container's root is on a machine that maps users, and a user beside it.
const CONTAINER: u32 = 100_000;
const STRANGER: u32 = 100_001;

fn two_profiles(home: &Home, provider: &Provider) {
    home.add_at("acme", provider);
    home.add_at("shop", provider);
}

/// The words before a command that give it mounts of its own. `None`, said with the reason, where that is not allowed.
fn mounts() -> Option<Vec<&'static str>> {
    let words = match nix::unistd::geteuid().is_root() {
        true => vec!["unshare", "--mount"],
        false => vec!["unshare", "--mount", "--map-root-user"],
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let works = Run::new("unshare").args(&words[1..]).arg("true").env("PATH", path).run().code == 0;
    if !works {
        not_run("mounts of one's own are not allowed");
    }
    works.then_some(words)
}

/// A shell in a container: `there` is mounted from `here`, and each line that the test writes to it is run.
fn container(home: &Home, words: &[&str], here: &Path, there: &Path, script: &str) -> Run {
    let mount = format!("mount --bind {} {} && {script}", here.display(), there.display());
    home.with_environment(Run::new(words[0])).args(&words[1..]).args(["sh", "-c", &mount])
}

#[test]
fn a_container_that_has_the_directory_mounted_finds_the_socket_that_a_restart_has_made_anew() {
    let Some(words) = mounts() else { return };
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    two_profiles(&home, &provider);
    let socket = home.socket_for("acme", &[]);
    let inode = || socket.metadata().ok().map(|metadata| metadata.ino());
    let before = inode();
    let flag = home.root().join("restarted");
    // The file itself is mounted beside it: that one is the old socket for ever.
    let (directory, file) = (home.root().join("mnt"), home.root().join("file"));
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(&file, "").unwrap();
    let script = format!(
        "mount --bind {} {file} && export TOKCTL_HOME=/elsewhere && \
         TOKCTL_SOCK={at}/agent.sock tokctl get acme && TOKCTL_SOCK={file} tokctl get acme && \
         while ! test -e {flag}; do sleep 0.05; done && \
         TOKCTL_SOCK={at}/agent.sock tokctl get acme && \
         TOKCTL_SOCK={at}/agent.sock tokctl get shop; echo $?; TOKCTL_SOCK={file} tokctl get acme; echo $?",
        socket.display(),
        file = file.display(),
        at = directory.display(),
        flag = flag.display(),
    );
    let running = container(&home, &words, socket.parent().unwrap(), &directory, &script).start();
    eventually("it has two tokens", || running.lines(2));
    home.stop_agent();
    let token = home.get("acme");
    eventually("the socket is made anew", || inode().filter(|found| Some(*found) != before));
    std::fs::write(&flag, "").unwrap();
    let output = running.finish();
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines, [&*token, &token, &token, "3", "9"], "{output:?}");
}

/// `tokctl` as a user of a container: it sees itself as root, and the agent's user as nobody it knows.
fn in_container(home: &Home, uid: u32, socket: &Path, variables: &[(&str, &str)]) -> Run {
    let run = home.with_environment_of_another(Run::new("unshare")).user(uid);
    let run = run.args(["--map-root-user", "tokctl", "get", "acme"]);
    let run = run.env("TOKCTL_SOCK", socket).env("TOKCTL_HOME", "/elsewhere");
    variables.iter().fold(run, |run, (name, value)| run.env(name, value))
}

#[test]
fn a_container_of_another_user_is_let_in_and_says_which_agent_it_accepts() {
    if !is_root("act as several users") {
        return;
    }
    let probe = Run::new("unshare").args(["--map-root-user", "true"]).user(CONTAINER);
    if probe.env("PATH", std::env::var_os("PATH").unwrap_or_default()).run().code != 0 {
        return not_run("user namespaces are not allowed");
    }
    let (home, provider) = (Home::of_user(AGENT).init_bare(), Provider::start());
    two_profiles(&home, &provider);
    let token = home.get("acme");
    let socket = home.socket_for("acme", &["--allow-uid", &CONTAINER.to_string()]);
    // The agent's user is not mapped there, and shows as the kernel's overflow uid.
    let run = in_container(&home, CONTAINER, &socket, &[]).run();
    run.fails(8, &["belongs to uid 65534", "TOKCTL_SOCK_UID=65534"]);
    for accepted in ["65534", "any"] {
        let variables = [("TOKCTL_SOCK_UID", accepted)];
        assert_eq!(in_container(&home, CONTAINER, &socket, &variables).run().ok(), token);
        // The next container over is somebody else, though it too is root to itself.
        let stranger = in_container(&home, STRANGER, &socket, &variables).run();
        stranger.fails(8, &["does not serve", "--allow-uid"]);
    }
}

#[test]
fn a_socket_that_is_forwarded_by_ssh_gives_its_tokens_there_also_after_both_ends_were_cut() {
    let (home, provider) = (Home::of_ordinary_user().init_bare(), Provider::start());
    two_profiles(&home, &provider);
    let token = home.get("acme");
    let here = home.socket_for("acme", &[]);
    let there: PathBuf = home.directory_for_socket("there", 0o700).join("acme.sock");
    let sshd = Sshd::start(&home, "StreamLocalBindUnlink yes");
    let there_says = |arguments: &[&str]| home.tokctl_at(&there, arguments).run();
    let forwarded = || {
        let ssh = sshd.forward(&home, &there, &here);
        eventually("the socket is forwarded", || {
            (there_says(&["get", "acme"]).code == 0).then_some(())
        });
        ssh
    };
    let ssh = forwarded();
    assert_eq!(there_says(&["get", "acme"]).ok(), token);
    there_says(&["get", "shop"]).fails(3, &["this socket knows acme"]);
    there_says(&["list"]).fails(8, &["does nothing else"]);
    // A new agent, and a new socket at the same path: ssh looks for it each time.
    home.stop_agent();
    assert_eq!(home.get("acme"), token);
    assert_eq!(there_says(&["get", "acme"]).ok(), token);
    // Killed, and begun again: what is left of it there is in nobody's way.
    drop(ssh);
    eventually("the old way is closed", || (there_says(&["get", "acme"]).code != 0).then_some(()));
    let _ssh = forwarded();
    assert_eq!(there_says(&["get", "acme"]).ok(), token);
}
