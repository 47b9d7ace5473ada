//! When a provider is asked, and for what.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::setting::is_login;
use tokctl_proto::{BootMs, Failure, Kind, ProfileName, TokenKey, WallMs};

use crate::book::Book;
use crate::core::{Core, Rebuild, Saved};
use crate::effect::{Effect, Kept};
use crate::entry::{Entry, Facts};
use crate::event::{AttemptId, Contents};
use crate::key::{Key, Saving};
use crate::lane::{Lane, LaneId, Turn, is_plain};
use crate::outcome::{Class, Trouble};
use crate::policy;
use crate::profile::{Keep, Lanes, Policy, Rotation, Source};
use crate::refresh_token::RefreshToken;
use crate::token::Token;
use crate::verdict::News;

/// How far ahead of the wall clock a token in the vault may have been issued: clocks are corrected a little
/// all the time.
const CLOCK_ERROR_MAX: Duration = Duration::from_secs(30);

impl Core {
    /// Asks the provider if something in the lane needs it and nothing speaks against it.
    pub(crate) fn pump(&mut self, id: &LaneId) {
        self.touch(id);
        self.retry_saves(id);
        let Some(profile) = self.profiles.get(id.profile()) else { return };
        let Source::Provider(lanes) = profile.source else { return };
        let origin = Arc::clone(&profile.origin);
        let is_held = self.is_stopping || self.holds.holds(id.profile());
        if !self.lock.is_open() || is_held || self.keys_in(id).next().is_none() {
            return;
        }
        self.leave_queue(id);
        let lane = self.lanes.entry(id.clone()).or_default();
        if lane.in_flight.is_some() || lane.unsaved.is_some() {
            return;
        }
        let Some((key, turn)) = self.next_in(id) else { return };
        if !self.is_loaded(&key.profile) {
            self.load(&key.profile);
            return;
        }
        if lanes == Lanes::Shared && self.refuse_to_present(id, false).is_some() {
            return;
        }
        // What it was brought for goes first, and nobody is asked for it while the provider is not.
        let key = self.subjects.key_of(id).cloned().unwrap_or(key);
        if self.traffic.has_room(self.now.boot, &origin) && !self.has_subject(id, &key) {
            return;
        }
        match self.traffic.let_pass(self.now.boot, &origin, turn, id) {
            true => self.begin(id, &key, lanes, origin),
            false => {
                if let Some(lane) = self.lanes.get_mut(id) {
                    lane.queued = Some((turn, origin));
                }
            }
        }
    }

    /// The key in this lane that needs the provider most: the one somebody has waited for longest, else
    /// the one that is due for renewal, else the one that keeps the refresh token alive.
    fn next_in(&self, id: &LaneId) -> Option<(Arc<TokenKey>, Turn)> {
        let lane = self.lanes.get(id)?;
        let now = self.now.boot;
        let awaited = self.keys_in(id).filter_map(|key| {
            let turn = self.turn_of(key)?;
            (self.asking_due(id, key, lane)? <= now).then_some((turn, key))
        });
        if let Some((turn, key)) = awaited.min_by_key(|(turn, _)| *turn) {
            return Some((Arc::clone(key), turn));
        }
        let due = self
            .keys_in(id)
            .filter_map(|key| Some((self.renewal_due(id, key, lane)?, key)))
            .filter(|(due, _)| *due <= now)
            .min();
        if let Some((due, key)) = due {
            return Some((Arc::clone(key), Turn::Renewal(due)));
        }
        let due = self.keep_alive_due(id, lane).filter(|due| *due <= now)?;
        Some((Arc::clone(self.last_used_in(id)?), Turn::Renewal(due)))
    }

    /// The key of a lane that somebody used last, of those that the provider gives.
    fn last_used_in<'a>(&'a self, id: &'a LaneId) -> Option<&'a Arc<TokenKey>> {
        let states = self.keys_in(id).filter_map(|key| Some((self.keys.get(key)?, key)));
        let given = states.filter(|(state, _)| state.refused.is_none());
        given.max_by_key(|(state, _)| state.last_used).map(|(_, key)| key)
    }

    /// The keys that a provider is asked for in this lane: none in a lane that an edit of the settings
    /// left behind.
    pub(crate) fn keys_in<'a>(&'a self, id: &'a LaneId) -> impl Iterator<Item = &'a Arc<TokenKey>> {
        let lanes = match self.profiles.get(id.profile()).map(|profile| &profile.source) {
            Some(Source::Provider(lanes)) => Some(*lanes),
            _ => None,
        };
        let alone =
            (lanes == Some(Lanes::PerKey)).then(|| self.keys.get_key_value(id.key())).flatten();
        // The lanes of a profile that had one for each key before it had a refresh token have none of them.
        let shared = (lanes == Some(Lanes::Shared) && is_plain(id.key()))
            .then(|| self.held(id.profile()).map(|(key, _)| key))
            .into_iter()
            .flatten();
        alone.map(|(key, _)| key).into_iter().chain(shared)
    }

    /// When the provider is asked for a key that somebody waits for.
    pub(crate) fn asking_due(&self, id: &LaneId, key: &TokenKey, lane: &Lane) -> Option<BootMs> {
        if self.is_loaded(id.profile())
            && self.is_shared(id)
            && self.refuse_to_present(id, false).is_some()
        {
            return None;
        }
        let free_at = self.keys.get(key)?.free_at();
        Some(lane.not_before.max(free_at).max(self.now.boot))
    }

    /// When a key is to be renewed ahead of need, if it is.
    pub(crate) fn renewal_due(&self, id: &LaneId, key: &TokenKey, lane: &Lane) -> Option<BootMs> {
        if lane.is_blocked() || !self.may_renew_unasked(id) {
            return None;
        }
        let profile = self.profiles.get(id.profile())?;
        let Source::Provider(lanes) = profile.source else { return None };
        if profile.subject.is_some() && self.needs_caller(id.profile()) {
            return None;
        }
        let state = self.keys.get(key).filter(|state| state.refused.is_none())?;
        let at = state.renew_at(self.now, &profile.policy, lanes)?;
        Some(at.max(lane.not_before))
    }

    /// When the refresh token of a lane must be used so that it does not die of disuse or age.
    pub(crate) fn keep_alive_due(&self, id: &LaneId, lane: &Lane) -> Option<BootMs> {
        if lane.is_blocked() || !self.is_shared(id) || !self.may_renew_unasked(id) {
            return None;
        }
        let at = self.keep_alive_at(id.profile())?;
        if self.needs_caller(id.profile()) {
            return None;
        }
        let spaced_until = self.keys.get(self.last_used_in(id)?)?.spaced_until;
        Some(self.now.boot.plus(at.since(self.now.wall)).max(lane.not_before).max(spaced_until))
    }

    /// The same by the wall.
    pub(crate) fn keep_alive_at(&self, name: &ProfileName) -> Option<WallMs> {
        keep_alive_of(&self.policy_of(name), self.entries.get(name), self.books.get(name))
    }

    fn is_shared(&self, id: &LaneId) -> bool {
        let profile = self.profiles.get(id.profile());
        profile.is_some_and(|profile| profile.source == Source::Provider(Lanes::Shared))
    }

    /// Whether the refresh token may be presented without anybody who needs it now: not while it is unclear
    /// whether it was spent.
    fn may_renew_unasked(&self, id: &LaneId) -> bool {
        let Some(facts) = self.facts(id.profile()).filter(|_| self.is_shared(id)) else {
            return true;
        };
        facts.refresh.as_ref().is_some_and(|token| !token.is_dead) && !self.is_in_doubt(id)
    }

    /// Whether it is unclear if the refresh token of a lane was spent: an answer was lost, by a crash or on the
    /// way, and the provider would take a second presentation for a theft.
    pub(crate) fn is_in_doubt(&self, id: &LaneId) -> bool {
        let is_strict = self.policy_of(id.profile()).rotation == Rotation::Strict;
        let token = self.facts(id.profile()).and_then(|facts| facts.refresh.as_ref());
        is_strict && self.is_shared(id) && token.is_some_and(|token| token.tries > 0)
    }

    /// Why the refresh token of a lane is not presented at all.
    ///
    /// `is_forced`: a person insists, whatever may come of it.
    pub(crate) fn refuse_to_present(&self, id: &LaneId, is_forced: bool) -> Option<Failure> {
        let name = id.profile();
        let is_login = self.is_login(name);
        let remedy = || match is_login {
            true => format!("run `tokctl login {name}`"),
            false => format!("run `tokctl set-secret {name} --name refresh_token`"),
        };
        let Some(token) = self.facts(name).and_then(|facts| facts.refresh.as_ref()) else {
            let (kind, message) = match is_login {
                true => (Kind::LoginRequired, "nobody is logged in"),
                false => (Kind::SecretRequired, "no refresh token is stored"),
            };
            return Some(Failure::new(kind, message).of(name).hint(remedy()));
        };
        let is_forced = is_forced || self.keys_in(id).any(|key| self.waiters.is_forced(key));
        if token.is_dead {
            let trouble = self.lanes.get(id).and_then(|lane| lane.trouble.as_ref());
            let failure = match trouble {
                Some(trouble) => trouble.failure.clone(),
                None => Failure::new(Kind::LoginRequired, "the provider refused the refresh token")
                    .hint(remedy()),
            };
            return Some(failure.of(name));
        }
        let is_lost = token.tries > 1 && self.policy_of(name).rotation == Rotation::Strict;
        (is_lost && !is_forced).then(|| {
            let message = "the provider's answers to the last two renewals were lost: \
                           the refresh token may have been spent";
            let anew = if is_login { format!("`tokctl login {name}` gets another; ") } else { String::new() };
            Failure::new(Kind::LoginRequired, message).of(name).hint(format!(
                "{anew}`tokctl refresh {name}` presents it once more; `tokctl set {name} rotation=none` \
                 says that this provider never replaces it"
            ))
        })
    }

    /// Whether a person can log in to it, rather than store a secret.
    pub(crate) fn is_login(&self, name: &ProfileName) -> bool {
        self.profiles.get(name).is_some_and(|profile| is_login(profile.grant))
    }

    pub(crate) fn facts_mut(&mut self, name: &ProfileName) -> Option<&mut Facts> {
        self.entries.get_mut(name)?.facts_mut()
    }

    pub(crate) fn refresh_mut(&mut self, name: &ProfileName) -> Option<&mut RefreshToken> {
        self.facts_mut(name)?.refresh.as_mut()
    }

    pub(crate) fn facts(&self, name: &ProfileName) -> Option<&Facts> {
        self.entries.get(name)?.facts()
    }

    pub(crate) fn is_loaded(&self, name: &ProfileName) -> bool {
        matches!(self.entries.get(name), Some(Entry::Loaded(_)))
    }

    pub(crate) fn is_loading(&self, name: &ProfileName) -> bool {
        matches!(self.entries.get(name), Some(Entry::Loading | Entry::Outdated))
    }

    pub(crate) fn load(&mut self, name: &ProfileName) {
        if !self.entries.contains_key(name) {
            self.entries.insert(name.clone(), Entry::Loading);
            self.effects.push(Effect::Load { profile: name.clone() });
        }
    }

    /// What is known of an entry, or is being read of it, is not what the next job of the vault will find.
    pub(crate) fn outdate(&mut self, name: &ProfileName) {
        match self.entries.get_mut(name) {
            Some(entry @ (Entry::Loading | Entry::Outdated)) => *entry = Entry::Outdated,
            Some(Entry::Loaded(_)) | None => {
                self.entries.remove(name);
            }
        }
    }

    /// After the first answer, entries nobody has asked for are read, so that `status` and renewals know of them:
    /// one after the other, since a caller waits behind all that were asked for before it.
    pub(crate) fn rebuild_once(&mut self) {
        if self.rebuild == Rebuild::Wanted {
            self.rebuild_next(None);
        }
    }

    fn rebuild_next(&mut self, after: Option<&ProfileName>) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.profiles.range::<ProfileName, _>((from, Bound::Unbounded));
        let next =
            rest.find(|(name, _)| !self.entries.contains_key(*name)).map(|(name, _)| name.clone());
        self.rebuild = match next {
            Some(name) => {
                self.load(&name);
                Rebuild::UnderWay(name)
            }
            None => Rebuild::None,
        };
    }

    pub(crate) fn loaded(&mut self, name: ProfileName, result: Result<Contents, Failure>) {
        let is_next = self.rebuild == Rebuild::UnderWay(name.clone());
        self.take_in(&name, result);
        if is_next && self.lock.is_open() {
            self.rebuild_next(Some(&name));
        }
    }

    fn take_in(&mut self, name: &ProfileName, result: Result<Contents, Failure>) {
        let is_there = self.profiles.contains_key(name);
        let is_current = matches!(self.entries.get(name), Some(Entry::Loading));
        // Sealed or changed in the meantime: what was read is not what is there now.
        if !is_there || !is_current || !self.lock.is_open() {
            if let Ok(Contents { unread: Some(unread), .. }) = result {
                self.effects.push(Effect::Discard { answer: unread.answer });
            }
            if self.is_loading(name) {
                self.entries.remove(name);
                self.load_if_needed(name);
            }
            return;
        }
        let Some(profile) = self.profiles.get(name) else { return };
        let (source, revision) = (profile.source.clone(), profile.revision);
        match result {
            Ok(contents) => {
                let Contents { tokens, refresh, unread, has_next, expiring } = contents;
                let facts = Facts { refresh, has_next, expiring };
                self.entries.insert(name.clone(), Entry::loaded(facts));
                for (key, token) in tokens {
                    if key.profile == *name && token.revision == revision {
                        self.found(&source, key, token);
                    }
                }
                if let Some(unread) = unread {
                    self.read_on(&source, unread);
                }
                self.resume(name);
                self.hear_reports();
            }
            Err(failure) => self.not_loaded(name, &source, failure),
        }
    }

    fn not_loaded(&mut self, name: &ProfileName, source: &Source, failure: Failure) {
        self.entries.remove(name);
        let failure = failure.of(name);
        let class = match failure.kind {
            Kind::Machine | Kind::Internal => Class::Retry,
            _ => Class::Permanent,
        };
        for key in self.keys_of(name) {
            for request in self.waiters.of(&key) {
                self.take_waiter(request);
                self.fail(request, failure.clone());
            }
            if matches!(source, Source::Provider(_)) {
                let lane = LaneId::of(source, &key);
                self.lanes.entry(lane.clone()).or_default();
                self.lane_failed(&lane, Trouble::new(class, failure.clone()));
            }
        }
        self.subject_unread(name, class, &failure);
        self.refuse_reports(name, &failure);
    }

    /// Takes a token that the vault holds, unless a newer one is here.
    fn found(&mut self, source: &Source, key: TokenKey, token: Token) {
        // The clock was ahead when it was issued or is behind now: nobody can tell how old it is.
        if token.issued_at > self.now.wall.plus(CLOCK_ERROR_MAX) {
            return;
        }
        let newest = self.keys.get(&key).and_then(|state| state.token.as_ref());
        if newest.is_some_and(|newest| newest.issued_at >= token.issued_at) {
            return;
        }
        if !self.keys.contains_key(&key) {
            self.make_room(&key.profile);
        }
        let key = self.shared(key);
        if *source != Source::Stored {
            self.lanes.entry(LaneId::of(source, &key)).or_default();
        }
        let used = token.issued_at;
        self.adopt(&key, Arc::new(token), Duration::ZERO);
        if let Some(state) = self.keys.get_mut(&key) {
            state.last_used.get_or_insert(used);
        }
    }

    pub(crate) fn keys_of(&self, name: &ProfileName) -> Vec<Arc<TokenKey>> {
        self.held(name).map(|(key, _)| Arc::clone(key)).collect()
    }

    /// The keys of a profile and what is known of them.
    pub(crate) fn held(&self, name: &ProfileName) -> impl Iterator<Item = (&Arc<TokenKey>, &Key)> {
        self.keys
            .range::<TokenKey, _>(TokenKey::plain(name.clone())..)
            .take_while(move |(key, _)| key.profile == *name)
    }

    /// Goes on with a profile after its entry, its settings or its secret changed.
    pub(crate) fn resume(&mut self, name: &ProfileName) {
        let Some(profile) = self.profiles.get(name) else { return };
        let source = profile.source.clone();
        let is_provider = matches!(source, Source::Provider(_));
        if is_provider
            && (profile.policy.keep == Keep::Always || self.keep_alive_at(name).is_some())
        {
            let key = self.shared(TokenKey::plain(name.clone()));
            self.lanes.entry(LaneId::of(&source, &key)).or_default();
            self.keys.entry(key).or_default();
        }
        for key in self.keys_of(name) {
            if self.is_loaded(name) {
                self.settle(&key, News::None);
            } else if self.turn_of(&key).is_some() {
                self.load(name);
            }
            if is_provider {
                self.pump(&LaneId::of(&source, &key));
            }
        }
    }

    /// The vault was opened: nobody waits for anything yet, and what is due shows in the agenda.
    pub(crate) fn wake_all(&mut self) {
        let names: Vec<ProfileName> = self
            .profiles
            .iter()
            .filter(|(_, profile)| matches!(profile.source, Source::Provider(_)))
            .filter(|(name, profile)| {
                profile.policy.keep == Keep::Always || self.keep_alive_at(name).is_some()
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            self.resume(&name);
        }
        self.touch_all();
    }

    pub(crate) fn resume_all(&mut self) {
        let names: Vec<ProfileName> = self.profiles.keys().cloned().collect();
        for name in names {
            self.resume(&name);
        }
    }

    /// Tries again to write what the vault would not take.
    fn retry_saves(&mut self, id: &LaneId) {
        if !self.lock.is_writable() {
            return;
        }
        let now = self.now.boot;
        self.retry_rotation(id);
        let due: Vec<(Arc<TokenKey>, u32)> = self
            .keys_in(id)
            .filter_map(|key| match self.keys.get(key)?.saving {
                Saving::Failed { retry_at, failures } if retry_at <= now => {
                    Some((Arc::clone(key), failures))
                }
                _ => None,
            })
            .collect();
        for (key, failures) in due {
            let token = self.keys.get(&key).and_then(|state| state.token.clone());
            let saving = match token {
                Some(token) => {
                    let save = self.save_token(&key, token, false);
                    Saving::UnderWay { save, failures }
                }
                None => Saving::Saved,
            };
            if let Some(state) = self.keys.get_mut(&key) {
                state.saving = saving;
            }
        }
    }

    /// Has a token written that came without a refresh token.
    pub(crate) fn save_token(
        &mut self,
        key: &Arc<TokenKey>,
        token: Arc<Token>,
        promote: bool,
    ) -> crate::SaveId {
        let save = self.next_save(Saved::Token { key: Arc::clone(key), promote });
        let obtained = Kept { token: Some(token), refresh: None, promote };
        let attempt = AttemptId(save.0);
        self.effects.push(Effect::SaveTokens {
            save,
            attempt,
            key: key.as_ref().clone(),
            obtained,
        });
        save
    }
}

/// When a refresh token is to be used for its own sake. Of an entry that was not read in this run the last run
/// knew it.
pub(crate) fn keep_alive_of(
    policy: &Policy,
    entry: Option<&Entry>,
    book: Option<&Book>,
) -> Option<WallMs> {
    match entry.and_then(Entry::facts) {
        Some(facts) => policy::keep_alive_at(facts.refresh.as_ref()?, policy.refresh_token_idle),
        None => book?.keep_alive_at,
    }
}
