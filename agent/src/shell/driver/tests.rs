//! The driver with a real vault thread, and the test in the place of its clients. No provider is
//! asked.

use std::sync::Arc;
use std::thread::JoinHandle as Thread;

use tempfile::TempDir;
use tokctl_core::Vault;
use tokctl_proto::endpoint::Holder;
use tokctl_proto::response::{Done, Response};
use tokctl_proto::{codec, request};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::config::ConfigFile;
use crate::shell::http::{Http, MetadataCache};
use crate::shell::listen::Order;
use crate::shell::reply::{Encoding, Outgoing};
use crate::shell::schedule_file;
use crate::shell::sockets_file;
use crate::shell::worker::{Jobs, Worker};
use crate::vault::VaultDir;

/// Waiting for the vault thread goes on for so long before it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);
const KEY_PROFILE: &str = "[profiles.acme]\ngrant = \"api_key\"\n";

struct Running {
    home: TempDir,
    inbox: UnboundedSender<Input>,
    jobs: Jobs,
    next_id: u64,
    /// Notified when the agent no longer waits for requests under way.
    desk: Arc<Desk>,
    /// What the listener would be told.
    ordered: UnboundedReceiver<Order>,
    driving: JoinHandle<()>,
    thread: Thread<()>,
}

/// A driver over an empty home.
fn running() -> Running {
    over(tempfile::tempdir().unwrap())
}

/// A driver that starts from what it finds in a home.
fn over(home: TempDir) -> Running {
    let holder = Holder { pid: 1, socket: "/s".into() };
    let vault = VaultDir::acquire(&home.path().join("vault"), &holder).unwrap();
    let config = ConfigFile::new(home.path().join("config.toml"));
    let found = Vault::from(vault.presence().unwrap());
    let mut worker = Worker::new(vault, config, home.path().to_owned());
    let live = worker.read_config().unwrap();
    let (jobs, thread) = Jobs::start(worker).unwrap();
    let means = Means {
        http: Arc::new(Http::default()),
        metadata: Arc::new(MetadataCache::default()),
        jobs: jobs.clone(),
    };
    let facts = Facts {
        started_at: WallMs(0),
        socket: "/s".into(),
        vault: "/v".into(),
        unwatched: None,
        has_session_bus: false,
        desk: Arc::default(),
        life: None,
    };
    let schedule = schedule_file::read(home.path());
    let start = Start { vault: found, profiles: live.profiles(), schedule };
    let (inbox, receiver) = mpsc::unbounded_channel();
    let desk = Arc::clone(&facts.desk);
    let stopped = Arc::clone(&desk);
    let (orders, ordered) = mpsc::unbounded_channel();
    let run = home.path().join("run");
    let left = sockets_file::read(home.path());
    let sockets = SocketsStart { orders, run, max: 3, left };
    let channel = (inbox.clone(), receiver);
    let mut driver = Driver::new(1, channel, means, facts, sockets, live, None);
    let driving = tokio::spawn(async move {
        driver.run(start).await.unwrap();
        stopped.stop.notify_one();
        driver.farewell(PATIENCE).await;
    });
    Running { home, inbox, jobs, next_id: 1, desk, ordered, driving, thread }
}

/// An answer on its way.
struct Waiting(UnboundedReceiver<Outgoing>);

impl Waiting {
    /// The next thing said that is not talk, as JSON.
    async fn row(&mut self) -> serde_json::Value {
        let next = tokio::time::timeout(PATIENCE, async {
            loop {
                let outgoing = self.0.recv().await.unwrap();
                let value: serde_json::Value = serde_json::from_slice(&outgoing.bytes).unwrap();
                if value.get("progress").is_none() {
                    return value;
                }
            }
        });
        next.await.expect("no answer")
    }

    /// What was said at the end, or the kind of the error.
    async fn end(mut self) -> String {
        let next = tokio::time::timeout(PATIENCE, async {
            loop {
                let outgoing = self.0.recv().await.unwrap();
                match codec::decode_line(&outgoing.bytes).unwrap() {
                    Response::Done(Done::Said(said)) => return format!("said:{}", said.text),
                    Response::Done(Done::Token(token)) => {
                        return format!("token:{}", token.access_token.expose());
                    }
                    Response::Done(Done::Token2(token)) => {
                        let member = token.member.as_deref().unwrap_or_default();
                        return format!("token2:{}:{member}", token.access_token.expose());
                    }
                    Response::Done(Done::Why(why)) => return format!("why:{}", why.status.state),
                    Response::Done(Done::Usage(usage)) => {
                        return format!("usage:{}", usage.profile);
                    }
                    Response::Done(Done::Agent(agent)) => return format!("state:{}", agent.state),
                    Response::Error(error) => return error.kind.to_string(),
                    Response::Done(other) => panic!("{other:?}"),
                    _ => {}
                }
            }
        });
        next.await.expect("no answer")
    }
}

impl Running {
    fn ask(&mut self, request: request::Request<'_>) -> Waiting {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        let (sender, receiver) = mpsc::unbounded_channel();
        let reply = ReplyTo::new(Encoding::Json, sender);
        let command = Command::parse(id, request).unwrap();
        if let Err(mpsc::error::SendError(input)) =
            self.inbox.send(Input::Request { id, command, reply })
        {
            input.turn_away();
        }
        Waiting(receiver)
    }

    fn line(&mut self, line: &str) -> Waiting {
        self.ask(codec::decode_line(line.as_bytes()).unwrap())
    }

    fn configure(&self, text: &str) {
        std::fs::write(self.home.path().join("config.toml"), text).unwrap();
    }

    /// The vault thread does nothing until what is returned is dropped.
    fn hold_vault_thread(&self) -> std::sync::mpsc::Sender<()> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.jobs.run(
            move |_| {
                let _released = receiver.recv();
                Ok(())
            },
            drop,
        );
        sender
    }

    /// Stops the agent and starts another over what it leaves.
    async fn restart(mut self) -> Self {
        assert!(self.line(r#"{"agent_stop":{}}"#).end().await.starts_with("said:"));
        self.driving.await.unwrap();
        drop(self.jobs);
        self.thread.join().unwrap();
        over(self.home)
    }

    /// Until the driver has taken everything that was sent to it.
    async fn settle(&mut self) {
        self.line(r#"{"agent_status":{}}"#).end().await;
    }

    /// With a vault, open, and the profile `acme` with a stored key.
    async fn with_key(mut self) -> Self {
        let end = self.line(r#"{"init":{"passphrase":"pw","replace":false,"network":[]}}"#).end();
        assert!(end.await.starts_with("said:made"));
        self.configure(KEY_PROFILE);
        let set =
            r#"{"set_secret":{"profile":"acme","name":null,"value":"k3y","interactive":false}}"#;
        assert!(self.line(set).end().await.starts_with("said:"));
        self
    }
}

mod bound;
mod handed_out;
mod login;
mod logout;
mod requests;
mod sockets;
mod stop;
mod watch;

const GET: &str = r#"{"get":{"profile":"acme"}}"#;

#[tokio::test]
async fn a_profile_that_was_just_written_is_found_without_a_word_about_it() {
    let mut running = running().with_key().await;
    assert_eq!(running.line(GET).end().await, "token:k3y");
    running.configure("");
    assert!(running.line(r#"{"agent_reload":{}}"#).end().await.starts_with("said:"));
    assert_eq!(running.line(GET).end().await, "no_such_profile");
    // Not "no such profile" while nobody can say what is in the file.
    running.configure("[profiles.acme");
    assert_eq!(running.line(GET).end().await, "config_invalid");
}

#[tokio::test]
async fn a_lock_that_comes_while_the_vault_is_opened_has_the_last_word() {
    for opening in [
        r#"{"passwd":{"passphrase":"pw","new_passphrase":"other"}}"#,
        r#"{"init":{"passphrase":"other","replace":true,"network":[]}}"#,
    ] {
        let mut running = running().with_key().await;
        let held = running.hold_vault_thread();
        let opened = running.line(opening);
        // Its job is queued before that of the lock.
        running.settle().await;
        tokio::task::yield_now().await;
        let locked = running.line(r#"{"lock":{}}"#);
        running.settle().await;
        drop(held);
        assert!(locked.end().await.starts_with("said:sealed"));
        assert!(opened.end().await.starts_with("said:"));
        assert_eq!(running.line(r#"{"agent_status":{}}"#).end().await, "state:sealed");
        // The core and the vault thread are of one mind.
        assert_eq!(running.line(GET).end().await, "vault_sealed");
        let unlock = r#"{"unlock":{"passphrase":"other","interactive":false}}"#;
        assert_eq!(running.line(unlock).end().await, "said:the vault is open");
    }
}

#[tokio::test]
async fn of_two_readings_of_the_file_the_later_is_in_use_whichever_comes_first() {
    let mut running = running().with_key().await;
    let read = |worker: &mut Worker| worker.read_config();
    let early = running.jobs.ask(read).await.unwrap();
    running.configure("");
    let late = running.jobs.ask(read).await.unwrap();
    for live in [late, early] {
        let input = Input::Reread { result: Ok(Some(live)), then: Then::Nothing };
        running.inbox.send(input).unwrap();
    }
    assert_eq!(running.line(GET).end().await, "no_such_profile");
}

#[tokio::test]
async fn a_panic_on_the_vault_thread_is_told_and_the_next_request_is_served() {
    let mut running = running().with_key().await;
    let (sender, receiver) = mpsc::unbounded_channel();
    let reply = ReplyTo::new(Encoding::Json, sender);
    running.jobs.run(
        |_| -> Result<(), Failure> { panic!("a bug") },
        move |result| reply.failed(&result.unwrap_err()),
    );
    assert_eq!(Waiting(receiver).end().await, "internal");
    assert_eq!(running.line(GET).end().await, "token:k3y");
}

#[tokio::test]
async fn a_stop_lets_a_change_finish_and_turns_everybody_else_away() {
    let mut running = running().with_key().await;
    let held = running.hold_vault_thread();
    let changing = running.line(r#"{"set":{"profile":"acme","assignments":[]}}"#);
    running.settle().await;
    let unknown = running.line(r#"{"get":{"profile":"other"}}"#);
    let stopped = running.line(r#"{"agent_stop":{}}"#);
    let late = running.line(GET);
    assert_eq!(stopped.end().await, "said:the agent stops");
    assert_eq!(late.end().await, "no_agent");
    drop(held);
    assert_eq!(changing.end().await, "said:changed acme");
    assert_eq!(unknown.end().await, "no_agent");
    running.driving.await.unwrap();
    drop(running.jobs);
    running.thread.join().unwrap();
}

#[tokio::test]
async fn who_has_gone_while_the_file_is_read_is_not_waited_for() {
    let mut running = running().with_key().await;
    let held = running.hold_vault_thread();
    let id = RequestId(running.next_id);
    let mut gone = running.line(r#"{"get":{"profile":"other"}}"#);
    running.inbox.send(Input::Gone(id)).unwrap();
    running.settle().await;
    drop(held);
    running.line(r#"{"agent_reload":{}}"#).end().await;
    let text = gone.0.recv().await.map(|outgoing| outgoing.bytes.to_vec()).unwrap_or_default();
    assert!(!String::from_utf8(text).unwrap().contains("no_such_profile"));
}
