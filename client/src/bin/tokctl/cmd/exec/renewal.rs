//! Finds out that a token was renewed.
//!
//! The agent says so over a connection that is kept for it. Besides, a token that is about to end is asked for once more:
//! some are renewed for nobody who does not ask, and what is said while an agent is being restarted nobody hears. No agent
//! is started here; whoever has stopped it did not want it, and it is looked for until it is back.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tokctl_client::proto::Kind;
use tokctl_client::proto::request::Watch;
use tokctl_client::proto::response::{Item, Progress};
use tokctl_client::{Connect, Error, GetOptions, Handler, ProfileName, Request, Secret, Token};

use super::news::{News, Teller};

/// Between two attempts to reach an agent that is gone: soon at first, as it may just be restarting.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What a token is renewed ahead of its end by when nothing is asked for: the least validity that a `get` grants.
const LEAD_MAX: Duration = Duration::from_secs(60);

/// Says when a profile should be asked about; all of them without a name.
type Poke = Option<ProfileName>;

/// Tells about tokens that differ from these from now on.
pub(super) fn watch<'a>(
    connect: &Connect,
    min_valid: Option<Duration>,
    tokens: impl IntoIterator<Item = (&'a ProfileName, &'a Token)>,
    teller: &Teller,
) {
    let now = Instant::now();
    let options = GetOptions { min_valid, ..GetOptions::default() };
    let held: Vec<Held> = tokens
        .into_iter()
        .map(|(profile, token)| Held {
            profile: profile.clone(),
            source: source(profile, token),
            text: token.access_token.clone(),
            due: due(now, token, &options),
            has_failed: false,
        })
        .collect();
    let connect = connect.clone().never_start();
    let (poke, pokes) = channel();
    let watcher = Watcher {
        connect: connect.clone(),
        profiles: held.iter().map(|one| one.source.clone()).collect(),
        poke,
        teller: teller.clone(),
    };
    std::thread::spawn(move || watcher.run());
    let fetcher = Fetcher { connect, options, held, teller: teller.clone() };
    std::thread::spawn(move || fetcher.run(&pokes));
}

/// Whose token it is: of a pool the member's, since the next `get` of the pool gives another one's.
fn source(profile: &ProfileName, token: &Token) -> ProfileName {
    let member = token.member.as_deref().and_then(|member| ProfileName::parse(member).ok());
    member.unwrap_or_else(|| profile.clone())
}

/// When a token is asked for although nobody said anything.
fn due(now: Instant, token: &Token, options: &GetOptions) -> Option<Instant> {
    let left = Duration::from_secs(u64::try_from(token.expires_in?).unwrap_or_default());
    let lead = options.min_valid.unwrap_or(LEAD_MAX.min(left / 10));
    // One that cannot be had for longer is not asked for again at once.
    Some(now + left.saturating_sub(lead).max(RETRY_MIN))
}

/// Listens to the agent.
struct Watcher {
    connect: Connect,
    profiles: Vec<ProfileName>,
    poke: Sender<Poke>,
    teller: Teller,
}

impl Watcher {
    fn run(self) {
        let mut wait = RETRY_MIN;
        let mut was_told = false;
        loop {
            let began = Instant::now();
            let Err(error) = self.listen() else { return };
            let is_refusal =
                matches!(&error, Error::Agent(said) if said.kind == Kind::Usage.name());
            if is_refusal || !was_told {
                let failure = error.failure();
                let why = match is_refusal {
                    true => "tokens are asked for only when they are about to end",
                    false => "a renewal is noticed again when the agent is back",
                };
                let said = format!("{}: {why}", failure.message);
                was_told = self.teller.tell(News::Warning(said));
            }
            if is_refusal {
                return;
            }
            if began.elapsed() > RETRY_MAX {
                (wait, was_told) = (RETRY_MIN, false);
            }
            std::thread::sleep(wait);
            wait = RETRY_MAX.min(wait * 2);
        }
    }

    fn listen(&self) -> Result<(), Error> {
        let mut client = self.connect.clone().open()?;
        let profiles = self.profiles.iter().map(|profile| profile.as_str().into()).collect();
        let request = Request::Watch(Watch { profiles });
        let mut ear = Ear { watcher: self };
        // A watch has no end of its own.
        client.request(&request, &mut ear).map(drop).and(Err(Error::Closed))
    }
}

struct Ear<'a> {
    watcher: &'a Watcher,
}

impl Handler for Ear<'_> {
    /// Nothing is missed from now on. What happened before was not heard.
    fn progress(&mut self, _progress: &Progress<'_>) {
        let _over = self.watcher.poke.send(None);
    }

    fn item(&mut self, item: &Item<'_>) {
        let Item::Event(event) = item else { return };
        let Some(profile) = event.profile.as_deref().and_then(|name| ProfileName::parse(name).ok())
        else {
            return;
        };
        match &*event.what {
            // Of other tokens of the profile there is none here.
            "renewed" if event.scope.is_empty() => {
                let _over = self.watcher.poke.send(Some(profile));
            }
            "login_needed" => {
                let message = event.message.as_deref().unwrap_or("a login is needed");
                let hint =
                    event.hint.as_deref().map(|hint| format!(": {hint}")).unwrap_or_default();
                self.watcher.teller.tell(News::Warning(format!("{profile}: {message}{hint}")));
            }
            _ => {}
        }
    }
}

/// A token as the program has it.
struct Held {
    profile: ProfileName,
    source: ProfileName,
    text: Secret,
    due: Option<Instant>,
    has_failed: bool,
}

/// Asks for tokens, when it is told to or when they are about to end.
struct Fetcher {
    connect: Connect,
    options: GetOptions,
    held: Vec<Held>,
    teller: Teller,
}

impl Fetcher {
    fn run(mut self, pokes: &Receiver<Poke>) {
        let mut is_listened_to = true;
        loop {
            let next = self.held.iter().filter_map(|held| held.due).min();
            let poke = match (next, is_listened_to) {
                (Some(next), true) => {
                    pokes.recv_timeout(next.saturating_duration_since(Instant::now()))
                }
                (None, true) => pokes.recv().map_err(|_| RecvTimeoutError::Disconnected),
                (Some(next), false) => {
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                    Err(RecvTimeoutError::Timeout)
                }
                (None, false) => return,
            };
            let now = Instant::now();
            let is_meant = |held: &Held| match &poke {
                Ok(poked) => poked.as_ref().is_none_or(|source| *source == held.source),
                Err(_) => held.due.is_some_and(|due| due <= now),
            };
            is_listened_to &= poke != Err(RecvTimeoutError::Disconnected);
            let Self { connect, options, held, teller } = &mut self;
            for held in held.iter_mut().filter(|held| is_meant(held)) {
                held.ask(connect, options, teller);
            }
        }
    }
}

impl Held {
    fn ask(&mut self, connect: &Connect, options: &GetOptions, teller: &Teller) {
        let asked = connect.clone().open().and_then(|mut client| client.get(&self.source, options));
        match asked {
            Ok(token) => {
                self.has_failed = false;
                self.due = due(Instant::now(), &token, options);
                if token.access_token.expose() != self.text.expose() {
                    self.text = token.access_token.clone();
                    teller.tell(News::Renewed(self.profile.clone(), Box::new(token)));
                }
            }
            Err(error) => {
                self.due = Some(Instant::now() + RETRY_MAX);
                if !std::mem::replace(&mut self.has_failed, true) {
                    let failure = error.failure();
                    let hint = failure.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                    let said = format!("{}: {}{hint}", self.profile, failure.message);
                    teller.tell(News::Warning(said));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokctl_client::proto::response;

    #[test]
    fn a_token_is_asked_for_before_it_falls_short() {
        let now = Instant::now();
        let seconds = Duration::from_secs;
        for (left, min_valid, expected) in [
            (None, None, None),
            (Some(3600), None, Some(3540)),
            (Some(20), None, Some(18)),
            (Some(3600), Some(600), Some(3000)),
            (Some(60), Some(600), Some(1)),
            (Some(0), None, Some(1)),
            (Some(-5), None, Some(1)),
        ] {
            let token = Token::from(response::Token {
                access_token: "eyJ0".into(),
                token_type: "Bearer".into(),
                expires_at: None,
                expires_in: left,
                scope: "".into(),
                profile: "acme".into(),
                header: "".into(),
                min_valid_met: true,
                warning: None,
                extra: "".into(),
            });
            let options = GetOptions { min_valid: min_valid.map(seconds), ..GetOptions::default() };
            let found = due(now, &token, &options);
            assert_eq!(found, expected.map(|after| now + seconds(after)), "{left:?} {min_valid:?}");
        }
    }
}
