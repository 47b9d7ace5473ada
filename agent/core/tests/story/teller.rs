//! Tells a story to a core, event by event, and writes down what it wants done, a line each.

use std::collections::BTreeMap;
use std::time::Duration;

use tokctl_core::{
    AnswerId, AttemptId, Changed, Class, Core, Effect, Event, Get, Lanes, Outcome, Profile, Reply,
    RequestId, SaveId, Schedule, Served, Source, Start, Token, Trouble, Vault, VaultChange,
};
use tokctl_proto::{BootMs, Failure, Kind, Now, ProfileName, Secret, TokenKey, WallMs};

pub(super) const PER_KEY: Source = Source::Provider(Lanes::PerKey);
pub(super) const SHARED: Source = Source::Provider(Lanes::Shared);

/// The wall when every story begins.
pub(super) const WALL_S: i64 = 1_800_000_000;

pub(super) struct Teller {
    pub(super) core: Core,
    pub(super) now: Now,
    /// The last schedule that was written.
    pub(super) schedule: Option<Schedule>,
    profiles: BTreeMap<ProfileName, Profile>,
    sent: Vec<AttemptId>,
    saves: Vec<SaveId>,
    revisions: BTreeMap<AttemptId, u64>,
}

pub(super) fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

/// `acme`, or `acme:read` with a scope.
pub(super) fn key(text: &str) -> TokenKey {
    let (profile, scope) = text.split_once(':').unwrap_or((text, ""));
    let mut key = TokenKey::plain(name(profile));
    key.scope = scope.split_whitespace().map(str::to_owned).collect();
    key
}

pub(super) fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A plain `get` from a script.
pub(super) fn get(request: u64, of: &str) -> Get {
    Get {
        request: RequestId(request),
        key: key(of),
        min_valid: None,
        best_effort: false,
        refresh: false,
        timeout: seconds(30),
        interactive: false,
    }
}

pub(super) fn retry(kind: Kind) -> Trouble {
    Trouble::new(Class::Retry, Failure::new(kind, "the provider is down"))
}

pub(super) fn refused() -> Trouble {
    let failure = Failure::new(Kind::ProviderRefused, "the provider refused the client");
    Trouble::new(Class::Permanent, failure)
}

/// A token of `life_s` seconds, issued `age_s` seconds before `now`.
pub(super) fn token(now: Now, text: &str, life_s: Option<u64>, age_s: u64) -> Token {
    let issued_at = now.wall.minus(seconds(age_s));
    Token {
        access_token: Secret::new(text.to_owned()),
        token_type: "Bearer".to_owned(),
        issued_at,
        expires_at: life_s.map(|life| issued_at.plus(seconds(life))),
        scope: None,
        extra: Secret::default(),
        revision: 1,
    }
}

impl Teller {
    /// An agent that has not been told anything.
    pub(super) fn new(profiles: &[(&str, Source)]) -> Self {
        let profiles = profiles
            .iter()
            .map(|&(text, source)| (name(text), Profile { source, revision: 1 }))
            .collect();
        Self {
            core: Core::new(1),
            now: Now { wall: WallMs::from_unix_s(WALL_S), boot: BootMs(0) },
            schedule: None,
            profiles,
            sent: Vec::new(),
            saves: Vec::new(),
            revisions: BTreeMap::new(),
        }
    }

    /// An agent with an open vault whose entries are known to be empty.
    pub(super) fn open(profiles: &[(&str, Source)]) -> Self {
        let mut story = Self::new(profiles);
        story.starts(Vault::Bare, Some(Schedule::default()));
        assert_eq!(story.tell(Event::Unlocked(Ok(()))), none());
        for name in story.profiles.clone().into_keys() {
            // Cancelled at once: it leaves nothing but an entry that has been read.
            story.tell(Event::Get(get(999, name.as_str())));
            story.tell(Event::Gone { request: RequestId(999) });
            story.loaded(name.as_str(), &[]);
        }
        story
    }

    pub(super) fn starts(&mut self, vault: Vault, schedule: Option<Schedule>) -> Vec<String> {
        self.tell(Event::Start(Start { vault, profiles: self.profiles.clone(), schedule }))
    }

    /// The agent stops and another is started, with a vault under a passphrase.
    pub(super) fn restarts(&mut self) -> Vec<String> {
        self.tell(Event::Stop);
        self.core = Core::new(2);
        let schedule = self.schedule.take();
        self.starts(Vault::Passphrase, schedule)
    }

    /// Hands an event over. Schedules are kept, not told.
    pub(super) fn tell(&mut self, event: Event) -> Vec<String> {
        let effects = self.core.handle(self.now, event);
        effects.into_iter().filter_map(|effect| self.line(effect)).collect()
    }

    pub(super) fn get(&mut self, get: Get) -> Vec<String> {
        self.tell(Event::Get(get))
    }

    /// Time passes, with a tick whenever one is due.
    pub(super) fn pass(&mut self, duration: Duration) -> Vec<String> {
        let end = self.now.boot.plus(duration);
        let mut lines = Vec::new();
        while let Some(due) = self.core.poll_timeout().filter(|due| *due <= end) {
            self.jump(due.since(self.now.boot));
            lines.extend(self.tell(Event::Tick));
        }
        self.jump(end.since(self.now.boot));
        lines
    }

    /// Time passes and nobody ticks, as in suspend.
    pub(super) fn jump(&mut self, duration: Duration) {
        self.now.wall = self.now.wall.plus(duration);
        self.now.boot = self.now.boot.plus(duration);
    }

    /// Until something is sent, at most `within`: how long that took.
    pub(super) fn until_sent(&mut self, within: Duration) -> Option<Duration> {
        let start = self.now.boot;
        let sent = self.sent.len();
        while self.sent.len() == sent {
            let due = self.core.poll_timeout()?;
            if due.since(start) > within {
                return None;
            }
            self.jump(due.since(self.now.boot));
            self.tell(Event::Tick);
        }
        Some(self.now.boot.since(start))
    }

    /// The provider answers attempt `number` with a token that was asked for this moment.
    pub(super) fn answers(
        &mut self,
        number: usize,
        text: &str,
        life_s: Option<u64>,
    ) -> Vec<String> {
        let mut token = token(self.now, text, life_s, 0);
        token.revision = self.revisions[&self.sent[number - 1]];
        self.answers_with(number, Outcome::Tokens(token))
    }

    pub(super) fn fails(&mut self, number: usize, trouble: Trouble) -> Vec<String> {
        self.answers_with(number, Outcome::Failed(trouble))
    }

    fn answers_with(&mut self, number: usize, outcome: Outcome) -> Vec<String> {
        let mut lines = self.reaches(number);
        if lines.last().is_some_and(|line| line.starts_with("classify")) {
            lines.pop();
            let attempt = self.sent[number - 1];
            lines.extend(self.tell(Event::Classified { attempt, outcome }));
        }
        lines
    }

    /// An answer arrives and is not read yet.
    pub(super) fn reaches(&mut self, number: usize) -> Vec<String> {
        let attempt = self.sent[number - 1];
        self.tell(Event::Answered { attempt, result: Ok(AnswerId(number as u64)) })
    }

    pub(super) fn loaded(&mut self, of: &str, tokens: &[(&str, Token)]) -> Vec<String> {
        let tokens = tokens.iter().map(|(of, token)| (key(of), token.clone())).collect();
        self.tell(Event::Loaded { profile: name(of), result: Ok(tokens) })
    }

    pub(super) fn saved(&mut self, number: usize, well: bool) -> Vec<String> {
        let save = self.saves[number - 1];
        let full = Failure::new(Kind::Machine, "no space left on device");
        self.tell(Event::Saved { save, result: if well { Ok(()) } else { Err(full) } })
    }

    pub(super) fn passphrase(&mut self, request: u64, text: &str) -> Vec<String> {
        let passphrase = Secret::new(text.to_owned());
        self.tell(Event::Passphrase { request: RequestId(request), passphrase })
    }

    /// What the vault says to the last `unlock`.
    pub(super) fn unlocked(&mut self, well: bool) -> Vec<String> {
        let wrong = Failure::new(Kind::WrongPassphrase, "that is not it");
        self.tell(Event::Unlocked(if well { Ok(()) } else { Err(wrong) }))
    }

    /// An attempt ends without an answer.
    pub(super) fn unreached(&mut self, number: usize, trouble: Trouble) -> Vec<String> {
        let attempt = self.sent[number - 1];
        self.tell(Event::Answered { attempt, result: Err(trouble) })
    }

    pub(super) fn answers_token(&mut self, number: usize, token: Token) -> Vec<String> {
        self.answers_with(number, Outcome::Tokens(token))
    }

    pub(super) fn cancels(&mut self, request: u64) -> Vec<String> {
        self.tell(Event::Cancel { request: RequestId(request) })
    }

    pub(super) fn leaves(&mut self, request: u64) -> Vec<String> {
        self.tell(Event::Gone { request: RequestId(request) })
    }

    pub(super) fn locks(&mut self, request: u64) -> Vec<String> {
        self.tell(Event::Lock { request: RequestId(request) })
    }

    /// `unlock` with a passphrase from a file.
    pub(super) fn unlocks(&mut self, request: u64) -> Vec<String> {
        let passphrase = Some(Secret::new("from a file".to_owned()));
        let request = RequestId(request);
        self.tell(Event::Unlock { request, passphrase, interactive: false })
    }

    /// `init` puts another vault in the place of this one.
    pub(super) fn replaces_vault(&mut self) -> Vec<String> {
        let vault = Some(VaultChange::Made(Vault::Passphrase));
        self.tell(Event::Changed(Changed { vault, ..Changed::default() }))
    }

    pub(super) fn profile(&self, of: &str) -> Profile {
        self.profiles[of].clone()
    }

    pub(super) fn secret_set(&mut self, of: &str) -> Vec<String> {
        self.tell(Event::Changed(Changed { entries: vec![name(of)], ..Changed::default() }))
    }

    /// config.toml is edited: these are the profiles now, with their revisions.
    pub(super) fn configured(&mut self, profiles: &[(&str, Source, u64)]) -> Vec<String> {
        self.profiles = profiles
            .iter()
            .map(|&(text, source, revision)| (name(text), Profile { source, revision }))
            .collect();
        let profiles = Some(self.profiles.clone());
        self.tell(Event::Changed(Changed { profiles, ..Changed::default() }))
    }

    fn line(&mut self, effect: Effect) -> Option<String> {
        Some(match effect {
            Effect::Reply { request: RequestId(id), reply } => format!("{id}: {}", said(reply)),
            Effect::Progress { request: RequestId(id), .. } => format!("{id} hears"),
            Effect::AskPassphrase { request: RequestId(id), again: false } => format!("ask {id}"),
            Effect::AskPassphrase { request: RequestId(id), again: true } => {
                format!("ask {id} again")
            }
            Effect::Admitted { request: RequestId(id) } => format!("admit {id}"),
            Effect::Unlock { passphrase: Some(_) } => "unlock".to_owned(),
            Effect::Unlock { passphrase: None } => "unlock by itself".to_owned(),
            Effect::Seal => "seal".to_owned(),
            Effect::Load { profile } => format!("load {profile}"),
            Effect::Send { attempt, key } => {
                self.sent.push(attempt);
                self.revisions.insert(attempt, self.profiles[&key.profile].revision);
                format!("send {} {key}", self.sent.len())
            }
            Effect::Classify { .. } => "classify".to_owned(),
            Effect::Discard { .. } => "discard".to_owned(),
            Effect::SaveToken { save, token, .. } => {
                self.saves.push(save);
                format!("save {}", token.access_token.expose())
            }
            Effect::SaveSchedule(schedule) => {
                self.schedule = Some(schedule);
                return None;
            }
        })
    }
}

fn said(reply: Reply) -> String {
    match reply {
        Reply::Said(_) => "said".to_owned(),
        Reply::Failed(failure) => format!("{} exit {}", failure.kind.name(), failure.kind.exit()),
        Reply::Token(Served { token, min_valid_met, warning, .. }) => {
            let met = if min_valid_met { "" } else { " unmet" };
            let warned = if warning.is_some() { " warned" } else { "" };
            format!("{}{met}{warned}", token.access_token.expose())
        }
    }
}

pub(super) fn none() -> Vec<String> {
    Vec::new()
}
