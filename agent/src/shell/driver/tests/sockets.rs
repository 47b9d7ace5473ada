//! Further sockets over the life of agents. Nobody accepts for them here: what the listener is told is looked at.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use tokctl_proto::response::Response;

use super::*;

impl Running {
    /// A directory that is fit for a socket.
    fn place(&self) -> PathBuf {
        let place = self.home.path().join("box");
        if std::fs::create_dir(&place).is_ok() {
            std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        place.join("acme.sock")
    }

    fn create(&mut self, more: &Value) -> Waiting {
        let mut create = json!({ "path": self.place(), "only": ["acme"] });
        for (key, value) in more.as_object().unwrap() {
            create[key] = value.clone();
        }
        self.line(&json!({ "socket_create": create }).to_string())
    }

    fn remove(&mut self, path: &Path) -> Waiting {
        self.line(&json!({ "socket_remove": { "path": path } }).to_string())
    }

    async fn sockets(&mut self) -> Vec<Value> {
        let mut waiting = self.line(r#"{"socket_list":{}}"#);
        let mut rows = Vec::new();
        loop {
            let mut row = waiting.row().await;
            match row.pointer_mut("/item/socket") {
                Some(socket) => rows.push(socket.take()),
                None => return rows,
            }
        }
    }

    /// What the listener was told since it was last looked at.
    fn orders(&mut self) -> String {
        let orders = std::iter::from_fn(|| self.ordered.try_recv().ok());
        let words = orders.map(|order| match order {
            Order::Open { .. } => "open",
            Order::Close(_) => "close",
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

impl Waiting {
    /// The end of a request that failed.
    async fn failure(mut self) -> (String, String) {
        loop {
            let outgoing = tokio::time::timeout(PATIENCE, self.0.recv()).await.unwrap().unwrap();
            match codec::decode_line(&outgoing.bytes).unwrap() {
                Response::Error(error) => {
                    return (error.kind.to_string(), error.hint.unwrap_or_default().into_owned());
                }
                Response::Done(done) => panic!("{done:?}"),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_socket_with_a_path_is_there_until_it_is_removed_also_after_a_restart() {
    let mut running = running().with_key().await;
    let path = running.place();
    let said = running.create(&json!({ "scope": ["read"], "allow_uid": 7 })).end().await;
    assert_eq!(said, format!("said:{} hands out tokens of acme", path.display()));
    assert_eq!(running.orders(), "open");
    let row = running.sockets().await.remove(0);
    assert_eq!(
        row,
        json!({ "path": path, "only": ["acme"], "scope": ["read"], "allow_uid": 7, "expires_at": null, "connections": 0 })
    );
    let mut running = running.restart().await;
    assert_eq!(running.sockets().await, [row]);
    assert!(path.exists() && running.orders() == "open");
    assert!(running.remove(&path).end().await.starts_with("said:removed"));
    assert!(!path.exists() && running.orders() == "close");
    let mut running = running.restart().await;
    assert_eq!(running.sockets().await, Vec::<Value>::new());
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stopped_agent_leaves_no_socket_that_is_deaf() {
    let mut running = running().with_key().await;
    let path = running.place();
    running.create(&json!({})).end().await;
    assert!(running.line(r#"{"agent_stop":{}}"#).end().await.starts_with("said:"));
    running.driving.await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_private_socket_ends_with_the_request_that_made_it() {
    let mut running = running().with_key().await;
    for end in ["cancel", "gone", "remove"] {
        let id = RequestId(running.next_id);
        let mut made = running.line(r#"{"socket_create":{"only":["acme"],"expires_s":3600}}"#);
        let mut row = made.row().await;
        let row = row.pointer_mut("/item/socket").unwrap().take();
        let path = PathBuf::from(row["path"].as_str().unwrap());
        assert!(path.starts_with(running.home.path().join("run")) && path.exists());
        assert_eq!(running.sockets().await, [row]);
        match end {
            "cancel" => running.inbox.send(Input::Event(Event::Cancel { request: id })).unwrap(),
            "gone" => running.inbox.send(Input::Gone(id)).unwrap(),
            _ => assert!(running.remove(&path).end().await.starts_with("said:removed")),
        }
        assert_eq!(made.end().await, "cancelled");
        assert_eq!(running.sockets().await, Vec::<Value>::new());
        assert!(!path.exists());
        assert_eq!(running.orders(), "open close");
    }
}

#[tokio::test]
async fn who_holds_a_private_socket_is_told_of_a_stop_and_the_next_agent_knows_nothing_of_it() {
    let mut running = running().with_key().await;
    let mut made = running.line(r#"{"socket_create":{"only":["acme"]}}"#);
    made.row().await;
    let mut running = running.restart().await;
    assert_eq!(made.end().await, "no_agent");
    assert_eq!(running.sockets().await, Vec::<Value>::new());
    assert_eq!(std::fs::read_dir(running.home.path().join("run")).unwrap().count(), 0);
}

#[tokio::test]
async fn private_sockets_that_a_killed_agent_left_are_swept_away_and_nothing_else_is() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    std::fs::create_dir(&run).unwrap();
    let [stale, live, other] =
        ["only-7-1.sock", "only-8-1.sock", "agent.sock"].map(|name| run.join(name));
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    drop(std::os::unix::net::UnixListener::bind(&other).unwrap());
    let _listening = std::os::unix::net::UnixListener::bind(&live).unwrap();
    let mut running = over(home);
    running.settle().await;
    assert!(!stale.exists() && live.exists() && other.exists());
}

#[tokio::test]
async fn a_socket_ends_at_its_end_and_one_that_ended_while_no_agent_ran_does_not_come_back() {
    let mut running = running().with_key().await;
    let path = running.place();
    running.create(&json!({ "expires_s": 1 })).end().await;
    let ended = async {
        while path.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("it has not ended");
    assert_eq!(running.sockets().await, Vec::<Value>::new());
    assert_eq!(running.orders(), "open close");
    // As another agent would find it in the file.
    running.create(&json!({ "expires_s": 3600 })).end().await;
    let file = running.home.path().join("sockets.json");
    let mut lines: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(lines["sockets"].as_array().unwrap().len(), 1);
    lines["sockets"][0]["expires_at_ms"] = json!(clock::now().wall.0 - 1);
    std::fs::write(&file, lines.to_string()).unwrap();
    let mut running = running.restart().await;
    assert_eq!(running.sockets().await, Vec::<Value>::new());
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_whose_directory_was_taken_away_is_made_again_when_it_is_back() {
    let mut running = running().with_key().await;
    let path = running.place();
    running.create(&json!({})).end().await;
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    let mut running = running.restart().await;
    assert_eq!(running.sockets().await.len(), 1, "it is forgotten");
    assert_eq!(running.orders(), "");
    running.place();
    running.inbox.send(Input::Reload).unwrap();
    running.settle().await;
    assert!(path.exists() && running.orders() == "open");
    // In place already: nothing is made anew under those who wait.
    running.inbox.send(Input::Reload).unwrap();
    running.settle().await;
    assert_eq!(running.orders(), "");
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_made() {
    let mut running = running().with_key().await;
    std::fs::create_dir(running.home.path().join("sockets.json")).unwrap();
    assert_eq!(running.create(&json!({})).end().await, "machine");
    running.settle().await;
    assert!(!running.place().exists());
    assert_eq!(running.orders(), "open close");
}

#[tokio::test]
async fn a_socket_that_makes_no_sense_is_refused_with_a_hint() {
    let mut running = running().with_key().await;
    running.create(&json!({})).end().await;
    let beside = running.place().with_file_name("b.sock");
    for (more, kind, hint) in [
        (json!({}), "usage", "socket remove"),
        (json!({ "path": beside, "only": ["acmo"] }), "no_such_profile", "`acme`"),
        (json!({ "path": beside, "only": ["acme", "gone"] }), "no_such_profile", "tokctl list"),
        (json!({ "path": "/nowhere/at/all" }), "machine", "mkdir"),
    ] {
        let (found, said) = running.create(&more).failure().await;
        assert_eq!(found, kind, "{more}");
        assert!(said.contains(hint), "{more}: {said}");
    }
    let (found, said) = running.remove(&beside).failure().await;
    assert_eq!(found, "usage");
    assert!(said.contains("socket list"));
    for number in 1..3 {
        let path = beside.with_file_name(number.to_string());
        assert!(running.create(&json!({ "path": path })).end().await.starts_with("said:"));
    }
    assert_eq!(running.create(&json!({ "path": beside })).failure().await.0, "machine");
}

#[test]
fn a_request_for_a_socket_is_checked_before_it_is_looked_into() {
    for more in [
        json!({ "only": [] }),
        json!({ "only": ["Not A Name"] }),
        json!({ "only": (0..65).map(|number| format!("p{number}")).collect::<Vec<_>>() }),
        json!({ "path": "relative" }),
        json!({ "path": null, "allow_uid": 7 }),
        json!({ "scope": ["\"quoted\""] }),
        json!({ "expires_s": 0 }),
        json!({ "expires_s": u64::MAX }),
    ] {
        let mut create = json!({ "path": "/a/s", "only": ["acme"] });
        for (key, value) in more.as_object().unwrap() {
            create[key] = value.clone();
        }
        let line = json!({ "socket_create": create }).to_string();
        let request = codec::decode_line(line.as_bytes()).unwrap();
        let failure = Command::parse(RequestId(1), request).unwrap_err();
        assert_eq!(failure.kind, tokctl_proto::Kind::Usage, "{more}");
    }
}
