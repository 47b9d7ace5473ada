//! What lies at the socket's path, other than a socket with an agent behind it.

use std::os::unix::net::UnixListener;

use tokctl_tests::{Home, Provider};

#[test]
fn a_stale_socket_is_replaced() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.get("acme");
    home.kill_agent();
    assert!(home.socket().exists(), "a killed agent leaves its socket");
    home.get("acme");
    assert!(home.agent_pid().is_some());
}

#[test]
fn a_socket_that_nobody_listens_on_any_more_is_replaced() {
    let home = Home::new().init_bare();
    home.stop_agent();
    drop(std::fs::remove_file(home.socket()));
    drop(UnixListener::bind(home.socket()).unwrap());
    assert_eq!(home.profiles(), Vec::<String>::new());
}

#[test]
fn a_file_of_the_users_own_is_not_deleted() {
    let home = Home::new().init_bare();
    home.stop_agent();
    drop(std::fs::remove_file(home.socket()));
    std::fs::write(home.socket(), "notes").unwrap();
    let output = home.tokctl(["list"]).run();
    assert_ne!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains("agent.sock"), "{output:?}");
    assert_eq!(std::fs::read(home.socket()).unwrap(), b"notes");
}

#[test]
fn a_socket_that_is_removed_under_the_agent_leads_to_the_same_agent() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let before = home.agent_status()["pid"].clone();
    std::fs::remove_file(home.socket()).unwrap();
    let output = home.tokctl(["get", "acme"]).run();
    // Either it is found again or the user is told; a second agent on the vault there is not.
    match output.code {
        0 => assert!(provider.is_live(output.stdout.trim_end())),
        code => assert_eq!(code, 9, "{output:?}"),
    }
    let pid = before.as_i64().unwrap();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(!home.lock_is_free());
}
