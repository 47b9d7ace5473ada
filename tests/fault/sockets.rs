//! Whoever misuses a further socket: another user, a crowd.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use tokctl_tests::machine::{NOBODY, is_root};
use tokctl_tests::wire::Raw;
use tokctl_tests::{Home, Provider, Run, eventually};

/// Who is let in, and who is not.
const FRIEND: u32 = 1000;
const STRANGER: u32 = 1001;

#[test]
fn another_user_is_let_in_where_it_was_said_and_nobody_besides() {
    if !is_root("act as several users") {
        return;
    }
    let (home, provider) = (Home::of_user(NOBODY).init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let token = home.get("acme");
    let socket = home.socket_for("acme", &["--allow-uid", &FRIEND.to_string()]);
    let of = |uid: u32| {
        let run = Run::new(&home.programs().tokctl).args(["get", "acme"]).user(uid);
        run.env("HOME", "/").env("TOKCTL_SOCK", &socket)
    };
    let accepting = |uid: u32| of(uid).env("TOKCTL_SOCK_UID", NOBODY.to_string()).run();
    of(FRIEND).run().fails(8, &["belongs to uid 65534", "TOKCTL_SOCK_UID=65534"]);
    assert_eq!(accepting(FRIEND).ok(), token);
    accepting(STRANGER).fails(8, &["does not serve uid 1001"]);
    // Root passes every file permission; the agent itself has to say no, before it has read anything.
    accepting(0).fails(8, &["does not serve uid 0"]);
    let mut raw = Raw::connect(&socket);
    assert_eq!(raw.line(r#"{"get":{"profile":"acme"}}"#).rest(), b"");
    assert_eq!(home.tokctl_at(&socket, &["get", "acme"]).run().ok(), token);
    // The friend has no other way in.
    let own = of(FRIEND).env("TOKCTL_SOCK", home.socket()).env("TOKCTL_SOCK_UID", "any").run();
    assert_eq!(own.code, 11, "{own:?}");
}

#[test]
fn the_file_is_as_closed_as_it_can_be() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let socket = home.socket_for("acme", &[]);
    assert_eq!(mode(&socket), 0o600);
    let shared = home.directory_for_socket("shared", 0o711).join("agent.sock");
    let create = home.tokctl(["socket", "create"]).arg(&shared);
    create.args(["--only", "acme", "--allow-uid", "4711"]).run().ok();
    assert_eq!(mode(&shared), 0o666);
    // Nothing secret is written down, and nobody else reads it.
    let list = home.path().join("state/sockets.json");
    assert_eq!(mode(&list), 0o600);
    assert!(!std::fs::read_to_string(&list).unwrap().contains(&home.get("acme")));
}

#[test]
fn a_crowd_at_a_further_socket_keeps_nobody_out() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let token = home.get("acme");
    let socket = home.socket_for("acme", &[]);
    home.stop_agent();
    // 64 files are room for 32 connections, and for two such sockets.
    let start = format!("ulimit -n 64 && exec {} agent start", home.programs().tokctl.display());
    home.with_environment(Run::new("sh")).args(["-c", &start]).run().ok();
    eventually("the socket is back", || UnixStream::connect(&socket).ok());
    let mut crowd = Vec::new();
    for number in 0..200 {
        // Half of them begin a request and never finish it.
        let mut raw = Raw::connect(&socket);
        if number % 2 == 0 {
            raw.send(b"{\"get\":");
        }
        crowd.push(raw);
        if number % 20 == 0 {
            assert_eq!(home.get("acme"), token);
        }
    }
    assert_eq!(home.tokctl_at(&socket, &["get", "acme"]).run().ok(), token);
    assert_eq!(home.get("acme"), token);
    drop(crowd);
    let more = |number: u32| {
        let path = home.directory_for_socket(&number.to_string(), 0o700).join("s");
        home.tokctl(["socket", "create"]).arg(path).args(["--only", "acme"]).run()
    };
    more(1).ok();
    more(2).fails(11, &["2 further sockets already", "open files"]);
}
