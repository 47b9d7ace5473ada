//! `refresh --all`: several at a time, and never too many.

use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use crate::script::{Connection, WAIT_MAX};

const PROFILES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Lets nobody pass before as many have come.
struct Gate {
    come: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self, enough: usize) {
        let mut come = self.come.lock().unwrap();
        *come += 1;
        self.changed.notify_all();
        while *come < enough {
            let (now, waited) = self.changed.wait_timeout(come, WAIT_MAX).unwrap();
            assert!(!waited.timed_out(), "only {now} at a time");
            come = now;
        }
    }
}

/// Answers one connection; each of the four that renew waits for the others with its first request.
fn serve(mut connection: Connection, gate: &Gate) {
    while let Some(request) = connection.next_frame() {
        if request.get("status2").is_some() {
            for profile in PROFILES {
                connection.say(&format!(
                    r#"{{"item":{{"status2":{{"profile":"{profile}","state":"valid","issued_at":null,"expires_at":null,"next_at":null,"last_used_at":null,"error":null,"exit":0,"unsaved":false,"warnings":[],"members":[]}}}}}}"#
                ));
            }
            connection.say(r#"{"done":{"said":{"text":""}}}"#);
            continue;
        }
        gate.pass(4);
        let profile = request["refresh"]["profile"].as_str().unwrap();
        connection.say(&match profile {
            "b" => r#"{"error":{"exit":7,"kind":"provider_failed","profile":"b","message":"no","hint":null,"retry_at":null}}"#.to_owned(),
            "e" => r#"{"error":{"exit":5,"kind":"login_required","profile":"e","message":"no","hint":null,"retry_at":null}}"#.to_owned(),
            _ => format!(r#"{{"done":{{"said":{{"text":"{profile}: renewed"}}}}}}"#),
        });
    }
}

#[test]
fn four_are_renewed_at_a_time_and_the_worst_is_the_status() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let connections = AtomicUsize::new(0);
    let gate = Gate { come: Mutex::new(0), changed: Condvar::new() };
    let output = std::thread::scope(|scope| {
        let agent = scope.spawn(|| {
            std::thread::scope(|scope| {
                while let Some(connection) = Connection::begin(listener.accept().unwrap().0) {
                    connections.fetch_add(1, Ordering::SeqCst);
                    scope.spawn(|| serve(connection, &gate));
                }
            });
        });
        let output = Command::new(env!("CARGO_BIN_EXE_tokctl"))
            .args(["refresh", "--all", "--json"])
            .env("TOKCTL_HOME", home.path())
            .env("TOKCTL_SOCK", &socket)
            .output()
            .unwrap();
        drop(std::os::unix::net::UnixStream::connect(&socket).unwrap());
        agent.join().unwrap();
        output
    });
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert_eq!(connections.into_inner(), 1 + 4);
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = rows.as_array().unwrap();
    let told: Vec<(&str, bool)> = rows
        .iter()
        .map(|row| (row["profile"].as_str().unwrap(), row["ok"].as_bool().unwrap()))
        .collect();
    assert_eq!(
        told,
        [("a", true), ("b", false), ("c", true), ("d", true), ("e", false), ("f", true)]
    );
    assert_eq!(rows[0]["message"], "a: renewed");
    assert_eq!(rows[4]["error"]["kind"], "login_required");
}
