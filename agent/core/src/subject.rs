//! Tokens of somebody else that a profile presents: the plain token of another profile, or one that only a client
//! has, in the environment of its job.
//!
//! A subject is there before the request takes a place on the road: a client that does not answer, or a provider of
//! the subject that is slow, holds up nobody else. It is used for one exchange and never kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{BootMs, Failure, Kind, ProfileName, Secret, TokenKey};

use crate::core::Core;
use crate::effect::Effect;
use crate::event::RequestId;
use crate::lane::{LaneId, Turn};
use crate::outcome::{Cause, Class, Trouble};
use crate::profile::{Source, Subject};
use crate::verdict::{News, Verdict};
use crate::waiters::{Need, Waiter, Wants};

/// A client that is asked looks into its environment and answers. One that has not by then may be stopped, and the
/// next is asked beside it.
const NEXT_ASKED_AFTER: Duration = Duration::from_secs(5);
/// More profiles behind one another than anybody configures.
const CHAIN_MAX: usize = 16;

/// The lanes whose next request waits for its subject, or has it and waits for its place on the road.
#[derive(Debug, Default)]
pub(crate) struct Subjects {
    wanted: BTreeMap<LaneId, Wanted>,
    /// Whose subject is the token of this key. None of them waits for itself: that is seen to before.
    of: BTreeMap<Arc<TokenKey>, BTreeSet<LaneId>>,
    /// What clients were asked and have not answered, in that order: they answer one question after the other.
    /// `None`: the answer is of no use any more.
    asked: BTreeMap<RequestId, VecDeque<Option<LaneId>>>,
    /// Who has stopped to wait in this step, and for what.
    left: Vec<(RequestId, Arc<TokenKey>)>,
}

#[derive(Debug)]
struct Wanted {
    /// What it is exchanged for.
    key: Arc<TokenKey>,
    from: From,
}

#[derive(Debug)]
enum From {
    Profile {
        key: Arc<TokenKey>,
        /// It has come, be it for a short time only.
        is_there: bool,
    },
    Clients {
        asked: BTreeSet<RequestId>,
        next_at: BootMs,
    },
    Brought(Secret),
}

impl Subjects {
    /// The key that a lane has its subject for.
    pub(crate) fn key_of(&self, id: &LaneId) -> Option<&Arc<TokenKey>> {
        self.wanted.get(id).map(|wanted| &wanted.key)
    }

    /// Whether the lane waits for its subject, and until when at the longest before it does something about it.
    pub(crate) fn pending(&self, id: &LaneId) -> Option<Option<BootMs>> {
        match &self.wanted.get(id)?.from {
            From::Profile { is_there: false, .. } => Some(None),
            From::Clients { next_at, .. } => Some(Some(*next_at)),
            From::Profile { is_there: true, .. } | From::Brought(_) => None,
        }
    }

    fn insert(&mut self, id: &LaneId, key: &Arc<TokenKey>, from: From) {
        self.remove(id);
        if let From::Profile { key: of, .. } = &from {
            self.of.entry(Arc::clone(of)).or_default().insert(id.clone());
        }
        self.wanted.insert(id.clone(), Wanted { key: Arc::clone(key), from });
    }

    /// A client that was asked does not wait for that any more.
    fn forget(&mut self, request: RequestId) {
        for question in self.asked.get_mut(&request).into_iter().flatten() {
            if let Some(id) = question.take()
                && let Some(Wanted { from: From::Clients { asked, .. }, .. }) =
                    self.wanted.get_mut(&id)
            {
                asked.remove(&request);
            }
        }
    }

    /// What is asked for a lane is not what it wants any more.
    fn forget_questions(&mut self, id: &LaneId) {
        for question in self.asked.values_mut().flatten() {
            if question.as_ref() == Some(id) {
                *question = None;
            }
        }
    }

    fn is_asked(&self, request: RequestId, id: &LaneId) -> bool {
        let questions = self.asked.get(&request);
        questions.is_some_and(|all| all.iter().any(|question| question.as_ref() == Some(id)))
    }

    /// The lane that a client's answer is for.
    fn answered(&mut self, request: RequestId) -> Option<LaneId> {
        let questions = self.asked.get_mut(&request)?;
        let id = questions.pop_front().flatten();
        if questions.is_empty() {
            self.asked.remove(&request);
        }
        let wanted = self.wanted.get(id.as_ref()?)?;
        match &wanted.from {
            From::Clients { asked, .. } if asked.contains(&request) => id,
            _ => None,
        }
    }

    fn remove(&mut self, id: &LaneId) -> Option<Wanted> {
        let wanted = self.wanted.remove(id)?;
        if let From::Profile { key, .. } = &wanted.from
            && let Some(lanes) = self.of.get_mut(key)
        {
            lanes.remove(id);
            if lanes.is_empty() {
                self.of.remove(key);
            }
        }
        Some(wanted)
    }
}

impl Core {
    /// Whether the subject of a lane's next request is at hand. If it is not, it is asked for, and the lane is pumped
    /// when it comes.
    pub(crate) fn has_subject(&mut self, id: &LaneId, key: &Arc<TokenKey>) -> bool {
        let profile = self.profiles.get(id.profile());
        match profile.and_then(|profile| profile.subject.as_deref()).cloned() {
            None => true,
            Some(Subject::Profile(name)) => self.has_token_of(id, key, &name),
            Some(Subject::Caller) => match self.subjects.wanted.get(id).map(|it| &it.from) {
                Some(From::Brought(_)) => true,
                Some(From::Clients { next_at, .. }) if *next_at > self.now.boot => false,
                _ => {
                    self.ask_next(id, key);
                    false
                }
            },
        }
    }

    /// Takes the subject that is at hand.
    pub(crate) fn take_subject(&mut self, id: &LaneId) -> Option<Secret> {
        match self.subjects.remove(id)?.from {
            From::Brought(secret) => Some(secret),
            From::Profile { key, .. } => {
                let (token, _) = self.keys.get(&key)?.live(self.now)?;
                Some(token.access_token.clone())
            }
            From::Clients { .. } => None,
        }
    }

    /// What an attempt presents that had its subject a moment ago; `None` when that is gone by now.
    pub(crate) fn subject_again(
        &self,
        name: &ProfileName,
        sent: Option<Secret>,
    ) -> Option<Option<Secret>> {
        match self.profiles.get(name)?.subject.as_deref() {
            None => Some(None),
            Some(Subject::Caller) => Some(Some(sent?)),
            Some(Subject::Profile(name)) => {
                let state = self.keys.get(&TokenKey::plain(name.clone()))?;
                let (token, _) = state.live(self.now)?;
                Some(Some(token.access_token.clone()))
            }
        }
    }

    fn has_token_of(&mut self, id: &LaneId, key: &Arc<TokenKey>, name: &ProfileName) -> bool {
        if let Some(failure) = self.refuse_subject(id.profile(), name) {
            let trouble = Trouble::new(Class::Permanent, failure);
            self.subject_failed(id, trouble);
            return false;
        }
        let of = self.use_as_subject(name);
        let is_there = match self.subjects.wanted.get(id).map(|wanted| &wanted.from) {
            Some(From::Profile { is_there, .. }) => *is_there,
            _ => false,
        };
        let is_live = self.keys.get(&of).is_some_and(|state| state.live(self.now).is_some());
        if is_there && is_live {
            return true;
        }
        self.subjects.insert(id, key, From::Profile { key: Arc::clone(&of), is_there: false });
        if !self.is_known(&of) {
            self.load(name);
            return false;
        }
        if self.judge_subject(id, &of, News::None) {
            return true;
        }
        let source = self.profiles.get(name).map(|profile| profile.source.clone());
        if let Some(source) = source.filter(|source| matches!(source, Source::Provider(_))) {
            self.pump(&LaneId::of(&source, &of));
        }
        false
    }

    /// The key of a subject, which is used by that.
    fn use_as_subject(&mut self, name: &ProfileName) -> Arc<TokenKey> {
        let key = self.shared(TokenKey::plain(name.clone()));
        if !self.keys.contains_key(&key) {
            self.make_room(name);
        }
        self.keys.entry(Arc::clone(&key)).or_default().last_used = Some(self.now.wall);
        match self.profiles.get(name).map(|profile| &profile.source) {
            Some(source @ Source::Provider(_)) => {
                let lane = LaneId::of(source, &key);
                self.lanes.entry(lane.clone()).or_default();
                self.touch(&lane);
            }
            Some(Source::Stored | Source::Pool(_)) | None => {}
        }
        self.touch_schedule();
        key
    }

    /// Looks at the token that a lane waits for, as a caller of it would: true when it will do.
    fn judge_subject(&mut self, id: &LaneId, of: &Arc<TokenKey>, news: News) -> bool {
        let need = Need { min_valid: None, best_effort: false, newer_than: None };
        let (wants, deadline) = (Wants::Token, BootMs(u64::MAX));
        // Whoever waits for the exchange is patient enough: the subject is asked for again with it.
        let waiter = Waiter { key: Arc::clone(of), wants, need, deadline, attempts: u32::MAX };
        match self.verdict(&waiter, news) {
            Verdict::Wait => false,
            Verdict::AwaitLogin => {
                let key = self.subjects.key_of(id).cloned();
                for request in key.map(|key| self.clients_of(&key)).unwrap_or_default() {
                    self.hear_of_login(request, &of.profile);
                }
                false
            }
            Verdict::Serve { .. } => {
                if let Some(Wanted { from: From::Profile { is_there, .. }, .. }) =
                    self.subjects.wanted.get_mut(id)
                {
                    *is_there = true;
                }
                true
            }
            Verdict::Fail(failure) => {
                let trouble = self.trouble_of_subject(of, failure);
                self.subject_failed(id, trouble);
                false
            }
        }
    }

    /// What there is to do about a subject that cannot be had is what there is to do about its own profile.
    fn trouble_of_subject(&self, of: &Arc<TokenKey>, failure: Failure) -> Trouble {
        let profile = self.profiles.get(&of.profile);
        let lane = profile.map(|profile| LaneId::of(&profile.source, of));
        let rest = lane.and_then(|lane| {
            let (until, trouble) = self.rest(&of.profile, &lane)?;
            Some((trouble.class, self.until(until)))
        });
        let (class, wait) = match (rest, failure.kind) {
            (Some((class, wait)), _) => (class, Some(wait)),
            (None, Kind::LoginRequired | Kind::SecretRequired) => (Class::LoginRequired, None),
            (None, Kind::Machine | Kind::Timeout) => (Class::Retry, None),
            (None, _) => (Class::Permanent, None),
        };
        let message = format!("the subject `{}`: {}", of.profile, failure.message);
        let failure = Failure { message, profile: None, ..failure };
        Trouble { retry_after: wait, ..Trouble::new(class, failure) }
    }

    /// There is no subject: those who wait are told as if the exchange had failed.
    fn subject_failed(&mut self, id: &LaneId, trouble: Trouble) {
        self.subjects.remove(id);
        let failure = trouble.failure.clone().of(id.profile());
        self.lane_failed(id, Trouble { failure, ..trouble }.because(Cause::Subject));
    }

    /// Why a profile cannot be another's subject, whatever becomes of its tokens.
    fn refuse_subject(&self, of: &ProfileName, name: &ProfileName) -> Option<Failure> {
        let refused = |why: &str| {
            let failure = Failure::new(Kind::ConfigInvalid, format!("the subject `{name}` {why}"));
            Some(failure.hint(format!("run `tokctl set {of} subject=profile:NAME`")))
        };
        let profile = self.profiles.get(name);
        match profile.map(|profile| &profile.source) {
            None => return refused("is no profile"),
            Some(Source::Pool(_)) => return refused("is a pool, which has no token of its own"),
            Some(Source::Stored | Source::Provider(_)) => {}
        }
        match self.behind(name).all(|behind| behind != of) && of != name {
            true => None,
            false => refused("waits for this profile"),
        }
    }

    /// The profiles whose tokens stand behind those of a profile, one after the other.
    fn behind<'a>(&'a self, name: &'a ProfileName) -> impl Iterator<Item = &'a ProfileName> {
        let next = |name: &&ProfileName| match self.profiles.get(*name)?.subject.as_deref() {
            Some(Subject::Profile(behind)) => Some(behind),
            Some(Subject::Caller) | None => None,
        };
        std::iter::successors(Some(name), next).skip(1).take(CHAIN_MAX)
    }

    /// Whether a client must bring what tokens of a profile are exchanged for: without one, nobody is asked.
    pub(crate) fn needs_caller(&self, name: &ProfileName) -> bool {
        let is_callers = |name: &ProfileName| {
            let profile = self.profiles.get(name);
            profile.is_some_and(|it| it.subject.as_deref() == Some(&Subject::Caller))
        };
        is_callers(name) || self.behind(name).any(is_callers)
    }

    /// Asks the client that has waited longest of those that were not asked.
    fn ask_next(&mut self, id: &LaneId, key: &Arc<TokenKey>) {
        let next_at = self.now.boot.plus(NEXT_ASKED_AFTER);
        let mut asked = match self.subjects.remove(id).map(|wanted| wanted.from) {
            Some(From::Clients { asked, .. }) => asked,
            _ => BTreeSet::new(),
        };
        let mut clients = self.clients_of(key);
        clients.retain(|request| !asked.contains(request));
        // Whoever owes an answer may still give it, and comes last.
        let owing = |request: &RequestId| self.subjects.is_asked(*request, id);
        let next = clients.iter().find(|request| !owing(request)).copied();
        asked.extend(clients.iter().copied().filter(owing));
        if let Some(request) = next {
            asked.insert(request);
            self.subjects.asked.entry(request).or_default().push_back(Some(id.clone()));
            self.effects.push(Effect::AskSubject { request, profile: id.profile().clone() });
        }
        // Else nobody can bring it: nobody waits, and nothing has failed.
        if !asked.is_empty() {
            self.subjects.insert(id, key, From::Clients { asked, next_at });
        }
        self.touch(id);
    }

    /// The clients that wait for a key, or for what it is the subject of, oldest first.
    fn clients_of(&self, key: &TokenKey) -> BTreeSet<RequestId> {
        let lanes = self.subjects.of.get(key).into_iter().flatten();
        let others = lanes.filter_map(|id| self.subjects.key_of(id));
        let others = others.flat_map(|key| self.clients_of(key));
        self.waiters.of(key).into_iter().chain(others).collect()
    }

    /// When the next client is asked, if there is one.
    pub(crate) fn next_asked_at(&self, id: &LaneId, next_at: BootMs) -> Option<BootMs> {
        let wanted = self.subjects.wanted.get(id)?;
        let From::Clients { asked, .. } = &wanted.from else { return None };
        self.clients_of(&wanted.key).iter().any(|it| !asked.contains(it)).then_some(next_at)
    }

    /// Who wants a key, be it for another, and since when.
    pub(crate) fn turn_of(&self, key: &TokenKey) -> Option<Turn> {
        let own = self.waiters.oldest_of(key).map(|request| Turn::Caller(request.0));
        let lanes = self.subjects.of.get(key).into_iter().flatten();
        let keys = lanes.filter_map(|id| self.subjects.key_of(id));
        let others = keys.map(|key| self.turn_of(key).unwrap_or(Turn::Renewal(self.now.boot)));
        own.into_iter().chain(others).min()
    }

    /// A client has answered, or says that it cannot.
    pub(crate) fn subject(&mut self, request: RequestId, subject: Result<Secret, Failure>) {
        let Some(id) = self.subjects.answered(request) else { return };
        match subject {
            Ok(secret) => {
                let Some(wanted) = self.subjects.remove(&id) else { return };
                self.subjects.insert(&id, &wanted.key, From::Brought(secret));
                self.pump(&id);
            }
            Err(failure) => {
                // It is told, and the next one is asked.
                if let Some(wanted) = self.subjects.wanted.get_mut(&id)
                    && let From::Clients { asked, .. } = &mut wanted.from
                {
                    asked.remove(&request);
                }
                let Some(waiter) = self.take_waiter(request) else { return };
                let failure = match waiter.key.profile == *id.profile() {
                    true => failure,
                    false => {
                        let message =
                            format!("the subject `{}`: {}", id.profile(), failure.message);
                        Failure { message, ..failure }
                    }
                };
                let failure = failure.of(&waiter.key.profile);
                self.turn_down(request, waiter, failure);
            }
        }
    }

    /// Takes a caller out of those who wait.
    pub(crate) fn take_waiter(&mut self, request: RequestId) -> Option<Waiter> {
        let waiter = self.waiters.remove(request)?;
        if !self.subjects.wanted.is_empty() || !self.subjects.asked.is_empty() {
            self.subjects.forget(request);
            self.subjects.left.push((request, Arc::clone(&waiter.key)));
        }
        Some(waiter)
    }

    /// Callers have left: others are asked in their place, and what nobody waits for any more is not asked for. The
    /// last thing in each step but the agenda.
    pub(crate) fn settle_subjects(&mut self) {
        while let Some((request, key)) = self.subjects.left.pop() {
            // One that asked a pool may wait for another member by now, and still owe an answer.
            if self.waiters.get(request).is_none() {
                self.subjects.asked.remove(&request);
            }
            if let Some(profile) = self.profiles.get(&key.profile) {
                self.settle_subject(&LaneId::of(&profile.source, &key));
            }
        }
    }

    fn settle_subject(&mut self, id: &LaneId) {
        let Some(wanted) = self.subjects.wanted.get(id) else { return };
        let key = Arc::clone(&wanted.key);
        let behind = match &wanted.from {
            From::Profile { key, .. } => {
                let profile = self.profiles.get(&key.profile);
                profile.map(|profile| LaneId::of(&profile.source, key))
            }
            From::Clients { .. } | From::Brought(_) => None,
        };
        if self.turn_of(&key).is_none() {
            // Another key of the lane may be wanted, or this one be due for renewal.
            self.subjects.remove(id);
            self.pump(id);
        } else if matches!(&wanted.from, From::Clients { asked, .. } if asked.is_empty()) {
            self.ask_next(id, &key);
            // Nobody is left to be asked for this key, and somebody may be for another.
            if !self.subjects.wanted.contains_key(id) {
                self.pump(id);
            }
        }
        if let Some(behind) = behind {
            self.settle_subject(&behind);
        }
    }

    /// Something has become of a token that may be somebody's subject.
    pub(crate) fn settle_exchanges(&mut self, key: &Arc<TokenKey>, news: News) {
        let Some(lanes) = self.subjects.of.get(&**key).cloned() else { return };
        for id in lanes {
            if self.judge_subject(&id, key, news) {
                self.pump(&id);
            }
        }
    }

    /// An entry that holds a subject cannot be read.
    pub(crate) fn subject_unread(&mut self, name: &ProfileName, class: Class, failure: &Failure) {
        let key = TokenKey::plain(name.clone());
        for id in self.subjects.of.get(&key).cloned().into_iter().flatten() {
            let message = format!("the subject `{name}`: {}", failure.message);
            let failure = Failure { message, ..failure.clone() };
            self.subject_failed(&id, Trouble::new(class, failure));
        }
    }

    /// A profile is not what it was, or has got over its trouble: those that wait for its token are not held to
    /// what that was.
    pub(crate) fn subject_recovered(&mut self, name: &ProfileName) {
        for exchange in self.exchanges.get(name).cloned().into_iter().flatten() {
            for id in self.lanes_of(&exchange) {
                let lane = self.lanes.get_mut(&id);
                if let Some(lane) = lane.filter(|lane| lane.is_for_subject()) {
                    lane.forgive();
                    self.touch(&id);
                    self.subject_recovered(&exchange);
                }
            }
        }
    }

    /// What a lane waits for, if it is its subject.
    pub(crate) fn waits_for(&self, id: &LaneId) -> Option<String> {
        match &self.subjects.wanted.get(id)?.from {
            From::Profile { key, is_there: false } => {
                Some(format!("it waits for the token of `{}`, which it presents", key.profile))
            }
            From::Clients { .. } => Some("a client is asked for the token it presents".to_owned()),
            From::Profile { is_there: true, .. } | From::Brought(_) => None,
        }
    }

    /// Drops what was begun with other settings or another entry.
    pub(crate) fn drop_subjects(&mut self, name: &ProfileName) {
        if self.subjects.wanted.is_empty() && self.subjects.asked.is_empty() {
            return;
        }
        let own = self.lanes_of(name);
        let plain = TokenKey::plain(name.clone());
        let others = self.subjects.of.get(&plain).cloned().into_iter().flatten();
        for id in own.into_iter().chain(others) {
            self.subjects.remove(&id);
            self.subjects.forget_questions(&id);
            self.touch(&id);
        }
    }

    /// Which profiles present a token of which.
    pub(crate) fn list_exchanges(&mut self) {
        self.exchanges.clear();
        for (name, profile) in &self.profiles {
            if let Some(Subject::Profile(subject)) = profile.subject.as_deref() {
                self.exchanges.entry(subject.clone()).or_default().push(name.clone());
            }
        }
    }
}
