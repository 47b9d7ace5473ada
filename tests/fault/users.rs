//! Other users: root in somebody's home, somebody at our socket, somebody in its place.

use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;

use tokctl_tests::machine::{NOBODY, is_root};
use tokctl_tests::wire::Raw;
use tokctl_tests::{Home, Provider, Run};

#[test]
fn root_is_told_to_leave_out_sudo() {
    if !is_root("act as an ordinary user and as root") {
        return;
    }
    let (home, provider) = (Home::of_user(NOBODY).init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let token = home.get("acme");
    for arguments in [&["get", "acme"][..], &["init", "--no-passphrase"], &["list"]] {
        let sudo = home.with_environment_of_another(Run::new(&home.programs().tokctl));
        let output = sudo.args(arguments).run().fails(8, &["sudo"]);
        assert!(!output.stdout.contains(&token), "{output:?}");
    }
    // Nor when there is no agent to refuse it.
    home.stop_agent();
    let sudo = home.with_environment_of_another(Run::new(&home.programs().tokctl));
    sudo.args(["get", "acme"]).run().fails(8, &["sudo"]);
    assert_eq!(home.get("acme"), token);
}

#[test]
fn another_users_connection_is_refused_and_the_agent_goes_on() {
    if !is_root("act as two users") {
        return;
    }
    let (home, provider) = (Home::of_user(NOBODY).init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let token = home.get("acme");
    // Root passes every file permission; the agent itself has to say no.
    let mut raw = Raw::connect(&home.socket());
    raw.line(r#"{"get":{"profile":"acme"}}"#);
    let said = String::from_utf8_lossy(&raw.rest()).into_owned();
    assert!(!said.contains(&token), "{said}");
    assert_eq!(home.get("acme"), token);
}

#[test]
fn the_socket_and_its_directory_are_for_their_owner_alone() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.socket()), 0o600);
    assert_eq!(mode(home.socket().parent().unwrap()), 0o700);
    assert_eq!(mode(&home.vault()), 0o700);
    assert_eq!(mode(&home.config()), 0o600);
}

#[test]
fn a_listener_of_another_user_hears_nothing() {
    if !is_root("act as two users") {
        return;
    }
    let home = Home::of_user(NOBODY).init_bare();
    home.stop_agent();
    // Root's listener in the place of nobody's agent.
    drop(std::fs::remove_file(home.socket()));
    let listener = UnixListener::bind(home.socket()).unwrap();
    chown(home.socket(), Some(NOBODY), Some(NOBODY)).unwrap();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        // A reset after nothing was sent is as good as a close.
        drop(stream.read_to_end(&mut bytes));
        bytes
    });
    home.tokctl(["get", "acme"]).run().fails(8, &["agent.sock"]);
    assert_eq!(heard.join().unwrap(), b"");
}

#[test]
fn an_agent_of_another_uid_that_hangs_up_is_said_to_serve_its_own() {
    if !is_root("ask an ordinary user's agent") {
        return;
    }
    let (home, provider) = (Home::of_user(NOBODY).init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let run = Run::new(&home.programs().tokctl).args(["get", "acme"]);
    run.env("HOME", home.root())
        .env("TOKCTL_SOCK", home.socket())
        .env("TOKCTL_SOCK_UID", NOBODY.to_string())
        .run()
        .fails(8, &["does not serve uid 0"]);
}
