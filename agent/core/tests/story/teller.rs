//! Tells a story to a core, event by event, and writes down what it wants done, a line each.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokctl_core::{
    AnswerId, AttemptId, Burial, Changed, Contents, Core, Credential, Effect, Event, Get, Kept,
    Outcome, Policy, Profile, Refresh, RefreshToken, Reply, Report, RequestId, SaveId, Schedule,
    Served, Source, Start, Token, Trouble, Unread, Vault, VaultChange,
};
use tokctl_proto::{BootMs, Failure, Kind, Now, ProfileName, Secret, WallMs};

pub(super) use super::cast::*;

/// The wall when every story begins.
pub(super) const WALL_S: i64 = 1_800_000_000;

pub(super) struct Teller {
    pub(super) core: Core,
    pub(super) now: Now,
    /// The last schedule that was written.
    pub(super) schedule: Option<Schedule>,
    /// What happened by the word of the core, which is not told among the rest.
    pub(super) told: Vec<String>,
    profiles: BTreeMap<ProfileName, Profile>,
    sent: Vec<AttemptId>,
    /// Writes of tokens, in the order in which they were asked for.
    saves: Vec<SaveId>,
    /// Whether the vault takes intents, answers and rotations at once and without a word.
    pub(super) quiet: bool,
    /// The last write of an intent or a raw answer, and the last attempt.
    step: Option<SaveId>,
    attempt: Option<AttemptId>,
    revisions: BTreeMap<AttemptId, u64>,
}

impl Teller {
    /// An agent that has not been told anything.
    pub(super) fn new(profiles: &[(&str, Source)]) -> Self {
        let profiles = profiles
            .iter()
            .map(|(text, source)| (name(text), profile(source.clone(), 1)))
            .collect();
        Self {
            core: Core::new(1),
            now: Now { wall: WallMs::from_unix_s(WALL_S), boot: BootMs(0) },
            schedule: None,
            told: Vec::new(),
            profiles,
            sent: Vec::new(),
            saves: Vec::new(),
            quiet: true,
            step: None,
            attempt: None,
            revisions: BTreeMap::new(),
        }
    }

    /// An agent with an open vault whose entries are known to be empty.
    pub(super) fn open(profiles: &[(&str, Source)]) -> Self {
        let mut story = Self::new(profiles);
        story.starts(Vault::Bare, Some(Schedule::default()));
        assert_eq!(story.tell(Event::Unlocked(Ok(()))), none());
        for (name, profile) in story.profiles.clone() {
            if matches!(profile.source, Source::Pool(_)) {
                continue;
            }
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
        let mut lines = Vec::new();
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.core.handle(self.now, event) {
                match self.is_taken(&effect) {
                    Some(save) => {
                        if let Effect::SaveTokens { .. } = effect {
                            lines.extend(self.line(effect));
                        }
                        events.push_back(Event::Saved { save, result: Ok(()) });
                    }
                    None => lines.extend(self.line(effect)),
                }
            }
        }
        lines
    }

    /// Which write this is, if the vault takes it without a word.
    fn is_taken(&self, effect: &Effect) -> Option<SaveId> {
        match effect {
            Effect::SaveIntent { save, .. } | Effect::SaveAnswer { save, .. } => Some(*save),
            Effect::SaveTokens { save, obtained, .. } if obtained.refresh.is_some() => Some(*save),
            _ => None,
        }
        .filter(|_| self.quiet)
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
        self.answers_token(number, token)
    }

    /// What is read in an answer that has arrived.
    pub(super) fn reads(&mut self, outcome: Outcome) -> Vec<String> {
        let attempt = self.attempt.expect("an attempt");
        self.tell(Event::Classified { attempt, outcome })
    }

    /// The last write of an intent or of a raw answer is done, or failed.
    pub(super) fn writes(&mut self, well: bool) -> Vec<String> {
        let save = self.step.take().expect("a write");
        self.tell(Event::Saved { save, result: written(well) })
    }

    /// What the vault finds when it wants to bury the refresh token.
    pub(super) fn buried(&mut self, found: Burial) -> Vec<String> {
        let attempt = self.attempt.expect("an attempt");
        self.tell(Event::Buried { attempt, result: Ok(found) })
    }

    /// How many requests have been sent.
    pub(super) fn sent(&self) -> usize {
        self.sent.len()
    }

    pub(super) fn refresh(&mut self, refresh: Refresh) -> Vec<String> {
        self.tell(Event::Refresh(refresh))
    }

    pub(super) fn report(&mut self, report: Report) -> Vec<String> {
        self.tell(Event::Report(report))
    }

    pub(super) fn policy(&mut self, of: &str, policy: Policy) -> Vec<String> {
        self.profiles.get_mut(of).unwrap().policy = policy;
        let profiles = Some(self.profiles.clone());
        self.tell(Event::Changed(Changed { profiles, ..Changed::default() }))
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
        let is_shared = self.profiles.get(of).is_some_and(|profile| profile.source == SHARED);
        let refresh = is_shared.then(|| standing(self.now));
        self.contains(of, Contents { tokens, refresh, ..Contents::default() })
    }

    pub(super) fn contains(&mut self, of: &str, contents: Contents) -> Vec<String> {
        self.tell(Event::Loaded { profile: name(of), result: Ok(contents) })
    }

    /// An entry with an answer that an earlier run saved and did not read.
    pub(super) fn contains_unread(&mut self, of: &str) -> Vec<String> {
        let unread = Some(Unread { answer: AnswerId(1000), key: key(of), revision: 1 });
        let refresh = Some(RefreshToken { tries: 1, ..standing(self.now) });
        self.contains(of, Contents { unread, refresh, ..Contents::default() })
    }

    pub(super) fn saved(&mut self, number: usize, well: bool) -> Vec<String> {
        let save = self.saves[number - 1];
        self.tell(Event::Saved { save, result: written(well) })
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
        self.answers_with(number, Outcome::Tokens(obtained(token, None)))
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

    /// The settings of one profile are edited.
    pub(super) fn edited(&mut self, of: &str, profile: Profile) -> Vec<String> {
        self.profiles.insert(name(of), profile);
        let profiles = Some(self.profiles.clone());
        self.tell(Event::Changed(Changed { profiles, ..Changed::default() }))
    }

    pub(super) fn secret_set(&mut self, of: &str) -> Vec<String> {
        self.tell(Event::Changed(Changed { entries: vec![name(of)], ..Changed::default() }))
    }

    /// config.toml is edited: these are the profiles now, with their revisions.
    pub(super) fn configured(&mut self, profiles: &[(&str, Source, u64)]) -> Vec<String> {
        self.profiles = profiles
            .iter()
            .map(|(text, source, revision)| (name(text), profile(source.clone(), *revision)))
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
            Effect::SaveIntent { save, attempt, key, tries } => {
                (self.step, self.attempt) = (Some(save), Some(attempt));
                format!("intend {key} {tries}")
            }
            Effect::AskSubject { request: RequestId(id), profile } => {
                format!("ask {id} for the subject of {profile}")
            }
            Effect::Send { attempt, key, credential, subject } => {
                self.sent.push(attempt);
                self.revisions.insert(attempt, self.profiles[&key.profile].revision);
                let next = match credential {
                    Credential::Present => "",
                    Credential::Next => " with the next secret",
                };
                let subject = subject.map(|it| format!(" for {}", it.expose())).unwrap_or_default();
                format!("send {} {key}{next}{subject}", self.sent.len())
            }
            Effect::SaveAnswer { save, .. } => {
                self.step = Some(save);
                "keep the answer".to_owned()
            }
            Effect::Classify { attempt, .. } => {
                self.attempt = Some(attempt);
                "classify".to_owned()
            }
            Effect::Discard { .. } => "discard".to_owned(),
            Effect::Withdraw { tries, .. } => format!("withdraw to {tries}"),
            Effect::SaveTokens { save, obtained, .. } => {
                self.saves.push(save);
                kept(&obtained)
            }
            Effect::DropToken { token, .. } => format!("drop {}", token.access_token.expose()),
            Effect::Bury { attempt, .. } => {
                self.attempt = Some(attempt);
                "bury".to_owned()
            }
            Effect::Alarm { profile, .. } => format!("alarm {profile}"),
            Effect::Tell(happening) => {
                self.told.push(heard(self.now, &happening));
                return None;
            }
            Effect::SaveSchedule(schedule) => {
                self.schedule = Some(schedule);
                return None;
            }
        })
    }
}

fn written(well: bool) -> Result<(), Failure> {
    match well {
        true => Ok(()),
        false => Err(Failure::new(Kind::Machine, "no space left on device")),
    }
}

fn kept(kept: &Kept) -> String {
    let token = kept.token.as_ref().map_or("nothing", |token| token.access_token.expose());
    let successor = kept.refresh.as_ref().and_then(|refresh| refresh.successor.as_ref());
    let successor = successor.map(|it| format!(" and {}", it.secret.expose()));
    let promote = if kept.promote { ", promoted" } else { "" };
    format!("save {token}{}{promote}", successor.unwrap_or_default())
}

fn said(reply: Reply) -> String {
    match reply {
        Reply::Said(_) => "said".to_owned(),
        Reply::Failed(failure) => format!("{} exit {}", failure.kind.name(), failure.kind.exit()),
        Reply::Token(Served { token, min_valid_met, warning, member, .. }) => {
            let of = member.map(|member| format!(" of {member}")).unwrap_or_default();
            let met = if min_valid_met { "" } else { " unmet" };
            let warned = if warning.is_some() { " warned" } else { "" };
            format!("{}{of}{met}{warned}", token.access_token.expose())
        }
    }
}

pub(super) fn none() -> Vec<String> {
    Vec::new()
}
