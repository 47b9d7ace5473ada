//! What the world does about each effect: the vault's thread, the lines to the providers, people at prompts.

use std::sync::Arc;
use std::time::Duration;

use tokctl_core::{
    AnswerId, AttemptId, Credential, Effect, Event, Kept, Outcome, Reached, Reply, RequestId,
};
use tokctl_proto::{Failure, Kind, ProfileName, Secret, TokenKey};

use super::entry::{RawAnswer, successor};
use super::provider::{FRESH, Line, Request, STALE, presents, unreached};
use super::vault::{FakeVault, PASSPHRASE, Work};
use super::world::{Coming, World};

impl World {
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Reply { reply, .. } => {
                self.token_replies += u64::from(matches!(reply, Reply::Token(_)));
            }
            Effect::Progress { .. } | Effect::Alarm { .. } | Effect::Tell(_) => {}
            Effect::AskPassphrase { request, .. } => self.prompt(request),
            Effect::Admitted { request } => self.give(Work::Admin(request)),
            Effect::Unlock { passphrase } => self.give(Work::Unlock(passphrase)),
            Effect::Seal => self.give(Work::Seal),
            Effect::Load { profile } => self.give(Work::Load(profile)),
            Effect::SaveIntent { save, attempt, key, tries } => {
                self.give(Work::Intend { save, attempt, name: key.profile, tries });
            }
            Effect::AskSubject { request, profile } => self.environment(request, &profile),
            Effect::Send { attempt, key, credential, subject } => {
                self.sends += 1;
                self.give(Work::Fetch { attempt, key, credential, subject });
            }
            Effect::SaveAnswer { save, attempt, answer } => {
                let outcome = self.answers.get(&answer).expect("an answer that came").clone();
                let key = self.key_of(attempt);
                let revision = self.checker.flights.get(attempt).map_or(1, |it| it.revision);
                let raw = Box::new(RawAnswer { key, revision, outcome });
                self.give(Work::Answer { save, attempt, raw });
            }
            Effect::Classify { attempt, answer } => {
                let outcome = self.answers.remove(&answer).expect("an answer that came");
                let takes = self.dice.ms(0, 5);
                self.tell_in(takes, Event::Classified { attempt, outcome });
            }
            Effect::Discard { answer } => {
                self.answers.remove(&answer).expect("an answer that came");
            }
            Effect::Withdraw { profile, tries, .. } => {
                self.give(Work::Withdraw { name: profile, tries });
            }
            Effect::SaveTokens { save, attempt, key, obtained } => {
                // A copy of its own: the thread forgets it when it has written it.
                let token = obtained.token.as_deref().cloned().map(Arc::new);
                self.give(Work::Keep { save, attempt, key, kept: Kept { token, ..obtained } });
            }
            Effect::DropToken { key, token } => {
                let token = Arc::new(token.as_ref().clone());
                self.give(Work::Drop { key, token });
            }
            Effect::Bury { attempt, profile } => {
                self.give(Work::Bury { attempt, name: profile });
            }
            Effect::SaveSchedule(schedule) => self.schedule = Some(schedule),
        }
    }

    fn key_of(&self, attempt: AttemptId) -> TokenKey {
        let flight = self.checker.flights.get(attempt).expect("an attempt that is under way");
        flight.key.clone()
    }

    fn give(&mut self, work: Work) {
        let at = self.vault.queue(self.now.boot, &mut self.dice, &work);
        self.comes_at(at, Coming::Worked(work));
    }

    pub(super) fn come(&mut self, coming: Coming) {
        match coming {
            Coming::Told(event) => self.step(event),
            Coming::Worked(work) => {
                self.vault.jobs -= 1;
                if let Some(event) = self.work(work) {
                    self.step(event);
                }
            }
            Coming::Arrives(attempt, request, line) => self.arrives(attempt, &request, line),
            Coming::Answer(attempt, outcome) => {
                if let Some(successor) = successor(&outcome) {
                    self.ledger.arrives(&successor);
                }
                let answer = AnswerId(self.next_id());
                self.answers.insert(answer, *outcome);
                self.step(Event::Answered { attempt, result: Ok(answer) });
            }
        }
    }

    /// What the vault's thread does, and what it says to that.
    pub(super) fn work(&mut self, work: Work) -> Option<Event> {
        match work {
            Work::Unlock(passphrase) => Some(self.vault.unlock(passphrase)),
            Work::Seal => {
                self.vault.open = false;
                None
            }
            Work::Load(name) => Some(self.load(name)),
            Work::Fetch { attempt, key, credential, subject } => {
                self.fetch(attempt, key, credential, subject)
            }
            Work::Admin(request) => match self.vault.open {
                true => Some(self.administer(request)),
                false => Some(FakeVault::refuse(request)),
            },
            work => {
                let dropped = match &work {
                    Work::Drop { key, token } => Some((key.clone(), token.access_token.clone())),
                    _ => None,
                };
                let kept = kept_successor(&work);
                let name = kept.as_ref().map(|(name, _)| name.clone());
                let event = self.vault.write(&mut self.dice, self.now.wall, work);
                if let (Some((_, successor)), Some(name)) = (kept, name)
                    && self.vault.has_safe(&name, &successor)
                {
                    self.ledger.is_on_disk(&successor);
                }
                if let Some((key, text)) = dropped
                    && self.vault.has_token(&key, text.expose())
                {
                    self.checker.tokens.outlived(text.expose());
                }
                event
            }
        }
    }

    fn load(&mut self, name: ProfileName) -> Event {
        let answer = AnswerId(self.next_id());
        let (wall, profile) = (self.now.wall, self.profiles.get(&name));
        let (result, raw) = self.vault.load(&mut self.dice, wall, profile, &name, answer);
        self.answers.extend(raw.map(|raw| (answer, raw)));
        Event::Loaded { profile: name, result }
    }

    /// The request gets from the entry what it needs, and goes out.
    fn fetch(
        &mut self,
        attempt: AttemptId,
        key: TokenKey,
        credential: Credential,
        subject: Option<Secret>,
    ) -> Option<Event> {
        let refused = |failure: Failure, class| {
            let trouble = tokctl_core::Trouble::new(class, failure);
            Some(Event::Answered { attempt, result: Err(trouble) })
        };
        if !self.vault.open {
            let failure = Failure::new(Kind::VaultSealed, "the vault is sealed");
            return refused(failure, tokctl_core::Class::Retry);
        }
        let entry = self.vault.entries.entry(key.profile.clone()).or_default();
        let secret = match credential {
            Credential::Present => Some(entry.secret),
            Credential::Next => entry.next,
        };
        let Some(secret) = secret else {
            let failure = Failure::new(Kind::ProviderRefused, "there is no other secret");
            let trouble = tokctl_core::Trouble::new(tokctl_core::Class::Permanent, failure);
            let trouble = trouble.because(tokctl_core::Cause::InvalidClient);
            return Some(Event::Answered { attempt, result: Err(trouble) });
        };
        let presented = self.vault.presented.get(&attempt).cloned();
        let is_there = entry.refresh.as_ref().map(|refresh| &refresh.token) == presented.as_ref();
        if presented.is_some() && !is_there {
            let failure = Failure::new(Kind::ProviderFailed, "another refresh token was stored");
            return refused(failure, tokctl_core::Class::Retry);
        }
        let revision = self.checker.flights.get(attempt).map_or(0, |flight| flight.revision);
        let request = Request { key, revision, presented, secret, subject, sent: self.now };
        self.depart(attempt, request);
        None
    }

    fn depart(&mut self, attempt: AttemptId, request: Request) {
        let Some(provider) = self.providers.get(&request.key.profile) else { return };
        match provider.line(&mut self.dice) {
            Line::Refused(after) => {
                let result = Err(unreached(Reached::Nobody));
                self.tell_in(after, Event::Answered { attempt, result });
            }
            Line::Good(way) => {
                self.comes_in(way, Coming::Arrives(attempt, Box::new(request), Ok(way)));
            }
            Line::LostThere(after) => {
                let result = Err(unreached(Reached::Perhaps));
                self.tell_in(after, Event::Answered { attempt, result });
            }
            Line::LostBack(after) => {
                let way = after / 2;
                self.comes_in(way, Coming::Arrives(attempt, Box::new(request), Err(way)));
            }
        }
    }

    fn arrives(&mut self, attempt: AttemptId, request: &Request, line: Result<Duration, Duration>) {
        let outcome = self.commit(request);
        match line {
            Ok(way) => self.comes_in(way, Coming::Answer(attempt, Box::new(outcome))),
            Err(after) => {
                self.lose(&request.key.profile, &outcome);
                let result = Err(unreached(Reached::Perhaps));
                self.tell_in(after, Event::Answered { attempt, result });
            }
        }
    }

    /// The provider does what it is asked for, whoever hears of it.
    pub(super) fn commit(&mut self, request: &Request) -> Outcome {
        let name = &request.key.profile;
        let rotation = self.profiles.get(name).map(|profile| profile.policy.rotation);
        let provider = self.providers.get_mut(name).expect("a provider that was asked");
        let answer = provider.answer(&mut self.dice, self.now.wall, request);
        if let (Some(spent), Some(presented)) = (answer.spent, &request.presented) {
            if spent.again {
                self.ledger.presented_again(presented, rotation.unwrap_or_default());
            }
            if spent.is_new {
                let next = provider.family(presented).current();
                self.ledger.spends(name, presented, &next);
                if successor(&answer.outcome).is_none() {
                    self.lose_token(name, &next);
                }
            }
        }
        answer.outcome
    }

    /// An answer that nobody will ever hear.
    pub(super) fn lose(&mut self, name: &ProfileName, outcome: &Outcome) {
        if let Some(successor) = successor(outcome) {
            self.lose_token(name, &successor);
        }
    }

    fn lose_token(&mut self, name: &ProfileName, successor: &str) {
        self.ledger.is_lost(successor);
        if let Some(provider) = self.providers.get_mut(name) {
            provider.family(successor).is_broken = true;
        }
    }

    /// A person sees a prompt and types, mistypes, waits or leaves.
    fn prompt(&mut self, request: RequestId) {
        if !self.people {
            return;
        }
        let delay = self.dice.ms(500, 60_000);
        let event = match self.dice.below(10) {
            0 => Event::Gone { request },
            1 => return,
            2..=4 => Event::Passphrase { request, passphrase: Secret::new("wrong".to_owned()) },
            _ => Event::Passphrase { request, passphrase: Secret::new(PASSPHRASE.to_owned()) },
        };
        self.tell_in(delay, event);
    }

    /// What a client finds in its environment, if it looks.
    fn environment(&mut self, request: RequestId, profile: &ProfileName) {
        let takes = self.dice.ms(0, 3_000);
        // One question is answered after the other.
        let Some(last) = self.answering.get(&request).copied().unwrap_or(Some(self.now.boot))
        else {
            return;
        };
        let at = last.max(self.now.boot).plus(takes);
        let is_stopped = self.people && self.dice.chance(10);
        self.answering.insert(request, (!is_stopped).then_some(at));
        if is_stopped {
            return;
        }
        let subject = match self.dice.below(10) {
            1 if self.people => return self.comes_at(at, Coming::Told(Event::Gone { request })),
            2 if self.people => Err(Failure::new(Kind::SubjectRequired, "no such variable")),
            3 if self.people => Ok(format!("{STALE}{profile}|{}", self.next_id())),
            _ => Ok(format!("{FRESH}{profile}|{}", self.next_id())),
        };
        let event = Event::Subject { request, subject: subject.map(Secret::new) };
        self.comes_at(at, Coming::Told(event));
    }

    /// Whether requests of this profile present a refresh token now.
    pub(super) fn presents(&self, name: &ProfileName) -> bool {
        self.profiles.get(name).is_some_and(|profile| presents(&profile.source))
    }
}

/// The refresh token that a write puts onto the disk, if it goes well.
fn kept_successor(work: &Work) -> Option<(ProfileName, String)> {
    match work {
        Work::Answer { raw, .. } => Some((raw.key.profile.clone(), successor(&raw.outcome)?)),
        Work::Keep { key, kept, .. } => {
            let successor = kept.refresh.as_ref()?.successor.as_ref()?;
            Some((key.profile.clone(), successor.secret.expose().to_owned()))
        }
        _ => None,
    }
}
