//! Each effect against a real vault and a provider that answers as it is told. The test is in the
//! place of driver and core: what an effect comes to is looked at, and so is the entry.

use std::thread::JoinHandle as Thread;

use tempfile::TempDir;
use tokctl_core::{Burial, Cause, Contents, Kept, Obtained, Refreshed, SaveId, Token};
use tokctl_proto::endpoint::Holder;
use tokctl_proto::{Kind, WallMs};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::*;
use crate::clock;
use crate::config::ConfigFile;
use crate::shell::http::scripted::{Answer as Script, Scripted};
use crate::shell::http::{Http, MetadataCache};
use crate::shell::worker::{Jobs, Worker};
use crate::vault::{Entry, Presence, VaultDir};

mod rotation;
mod subject;
mod tokens;

/// Waiting for the vault thread or the provider goes on for so long before it is a failure.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
const ATTEMPT: AttemptId = AttemptId(7);
const SAVE: SaveId = SaveId(9);

struct Bench {
    home: TempDir,
    live: Live,
    performer: Performer,
    inbox: UnboundedReceiver<Input>,
    thread: Thread<()>,
}

/// An agent with an open vault over this home.
fn start(home: TempDir) -> Bench {
    let holder = Holder { pid: 1, socket: "/s".into() };
    let vault = VaultDir::acquire(&home.path().join("vault"), &holder).unwrap();
    let config = ConfigFile::new(home.path().join("config.toml"));
    let mut worker = Worker::new(vault, config, home.path().to_owned());
    let keys = match worker.vault.presence().unwrap() {
        Presence::Absent => worker.vault.init(clock::now().wall, None).unwrap(),
        _ => worker.vault.unlock(None).unwrap(),
    };
    worker.keys = Some(keys);
    let live = worker.read_config().unwrap();
    let (jobs, thread) = Jobs::start(worker).unwrap();
    let means = Means {
        http: Arc::new(Http::default()),
        metadata: Arc::new(MetadataCache::default()),
        jobs,
    };
    let (sender, inbox) = mpsc::unbounded_channel();
    let performer = Performer::new(means, sender, String::new());
    Bench { home, live, performer, inbox, thread }
}

/// An agent whose profile `acme` has this grant and a provider that gives these answers.
fn with_provider(grant: &str, client: &str, answers: Vec<Script>) -> (Bench, Scripted) {
    let provider = Scripted::start(answers);
    let home = tempfile::tempdir().unwrap();
    let port = provider.port;
    let text = format!(
        "[profiles.acme]\ngrant = \"{grant}\"\ntoken_endpoint = \"http://127.0.0.1:{port}/token\"\n\
         client_id = \"cc\"\nallow_http_loopback = true\n{client}\n"
    );
    std::fs::write(home.path().join("config.toml"), text).unwrap();
    (start(home), provider)
}

fn name() -> ProfileName {
    ProfileName::parse("acme").unwrap()
}

fn key() -> TokenKey {
    TokenKey::plain(name())
}

impl Bench {
    /// Kills the agent and starts another.
    fn restart(self) -> Self {
        let Self { home, performer, thread, .. } = self;
        drop(performer);
        thread.join().unwrap();
        start(home)
    }

    /// Performs an effect and waits for what follows it, as the driver would hand it to the core.
    async fn event(&mut self, effect: Effect) -> Event {
        if let Some(event) = self.performer.perform(effect, &self.live) {
            return event;
        }
        let input = tokio::time::timeout(PATIENCE, self.inbox.recv());
        match input.await.expect("nothing followed").unwrap() {
            Input::Event(event) => event,
            Input::Answered { attempt, result } => self.performer.answered(attempt, result),
            Input::Loaded { profile, result } => self.performer.loaded(profile, result),
            other => panic!("{other:?}"),
        }
    }

    /// Performs an effect that nothing follows, and waits until it is done.
    async fn quietly(&mut self, effect: Effect) {
        assert!(self.performer.perform(effect, &self.live).is_none());
        self.entry().await;
        assert!(self.inbox.try_recv().is_err());
    }

    async fn saved(&mut self, effect: Effect) -> Result<(), Failure> {
        match self.event(effect).await {
            Event::Saved { save: SAVE, result } => result,
            other => panic!("{other:?}"),
        }
    }

    async fn load(&mut self) -> Contents {
        match self.event(Effect::Load { profile: name() }).await {
            Event::Loaded { profile, result } if profile == name() => result.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn save_intent(&mut self, tries: u32) -> Result<(), Failure> {
        let (save, attempt) = (SAVE, ATTEMPT);
        self.saved(Effect::SaveIntent { save, attempt, key: key(), tries }).await
    }

    async fn send(&mut self, credential: Credential) -> Result<AnswerId, Trouble> {
        let send = Effect::Send { attempt: ATTEMPT, key: key(), credential, subject: None };
        match self.event(send).await {
            Event::Answered { attempt: ATTEMPT, result } => result,
            other => panic!("{other:?}"),
        }
    }

    async fn save_answer(&mut self, answer: AnswerId) -> Result<(), Failure> {
        self.saved(Effect::SaveAnswer { save: SAVE, attempt: ATTEMPT, answer }).await
    }

    async fn classify(&mut self, answer: AnswerId) -> Outcome {
        match self.event(Effect::Classify { attempt: ATTEMPT, answer }).await {
            Event::Classified { attempt: ATTEMPT, outcome } => outcome,
            other => panic!("{other:?}"),
        }
    }

    async fn save_tokens(&mut self, obtained: Kept) -> Result<(), Failure> {
        let (save, attempt) = (SAVE, ATTEMPT);
        self.saved(Effect::SaveTokens { save, attempt, key: key(), obtained }).await
    }

    async fn bury(&mut self) -> Burial {
        match self.event(Effect::Bury { attempt: ATTEMPT, profile: name() }).await {
            Event::Buried { attempt: ATTEMPT, result } => result.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn set_secret(&self, called: &str, next: bool, value: &str) {
        let change = Change::SetSecret {
            name: name(),
            secret_name: Some(called.to_owned()),
            value: Secret::new(value.to_owned()),
            next,
            expires_at: None,
        };
        change::carry_out(self.performer.means.clone(), change).await.result.unwrap();
    }

    async fn entry(&self) -> Option<Entry> {
        let read = self.performer.means.jobs.ask(|worker| {
            let (vault, keys) = worker.open()?;
            Ok(vault.read(keys, &name()).unwrap())
        });
        read.await.unwrap()
    }

    /// The refresh token of the entry, the one behind it, the tries of its intent, and whether an
    /// answer lies there.
    async fn refresh(&self) -> (String, Option<String>, u32, bool) {
        let refresh = self.entry().await.unwrap().refresh.unwrap();
        let text = |secret: &Secret| secret.expose().to_owned();
        (
            text(&refresh.token),
            refresh.previous.as_ref().map(text),
            refresh.intent.map_or(0, |intent| intent.tries),
            refresh.answer.is_some(),
        )
    }
}

fn tokens(outcome: Outcome) -> Obtained {
    match outcome {
        Outcome::Tokens(obtained) => obtained,
        Outcome::Failed(trouble) => panic!("{:?}", trouble.failure),
    }
}

/// What the core keeps of a success that a refresh token brought.
fn refreshed(obtained: Obtained) -> Kept {
    let successor = obtained.successor.map(Arc::new);
    let token = Some(Arc::new(obtained.token));
    Kept { token, refresh: Some(Refreshed { successor }), promote: false }
}

fn token(access_token: &str) -> Arc<Token> {
    Arc::new(Token {
        access_token: Secret::new(access_token.to_owned()),
        token_type: "Bearer".into(),
        issued_at: WallMs(1000),
        expires_at: None,
        scope: None,
        extra: Secret::default(),
        revision: 7,
    })
}
