//! How a caller gets it: a token at once, a place in the queue, or a reason. `verdict.rs` says which.

use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::escape::shown;
use tokctl_proto::nearest::nearest;
use tokctl_proto::time::Spoken;
use tokctl_proto::{BootMs, Failure, Kind, ProfileName, TokenKey};

use crate::core::Core;
use crate::effect::{Effect, Reply, Served};
use crate::event::{Get, Refresh, RequestId};
use crate::lane::LaneId;
use crate::profile::Source;
use crate::verdict::{News, Verdict, is_enough, refuse_for_stored, too_late};
use crate::waiters::{Need, Waiter, Wants};

impl Core {
    /// Answers or parks a caller.
    pub(crate) fn get(&mut self, get: Get) {
        if !self.lock.is_open() {
            self.get_locked(get);
            return;
        }
        let Some(profile) = self.profiles.get(&get.key.profile) else {
            let failure = self.no_such_profile(&get.key.profile);
            self.fail(get.request, failure);
            return;
        };
        match &profile.source {
            Source::Pool(pool) => {
                let pool = Arc::clone(pool);
                self.get_from_pool(get, &pool);
            }
            Source::Stored | Source::Provider(_) => self.get_own(get),
        }
    }

    /// A token of the profile itself.
    fn get_own(&mut self, get: Get) {
        if let Some(until) = self.cooling_until(&get.key.profile).filter(|_| !get.best_effort) {
            self.get_cooling(get, until);
            return;
        }
        let need =
            Need { min_valid: get.min_valid, best_effort: get.best_effort, newer_than: None };
        if !get.refresh && self.serve_at_once(&get, &need) {
            return;
        }
        let deadline = self.now.boot.plus(get.timeout);
        self.join(get.request, get.key, need, get.refresh, deadline, Wants::Token);
    }

    /// The way of nearly every request, and the same as `join` would come to: the token is good enough, and its
    /// renewal is in the agenda already.
    fn serve_at_once(&mut self, get: &Get, need: &Need) -> bool {
        let now = self.now;
        let is_settled = self.lanes.get(&get.key).is_some_and(|lane| {
            lane.unsaved.is_none()
                && lane.trouble.is_none()
                && lane.due.is_some_and(|due| due > now.boot)
        });
        let Some(state) = self.keys.get_mut(&get.key).filter(|_| is_settled) else { return false };
        if state.refused.is_some() || state.is_short || !is_enough(need, state, now) {
            return false;
        }
        let (Some(token), Some(times)) = (state.token.clone(), state.times) else { return false };
        state.last_used = Some(now.wall);
        let left = times.left(now);
        let served = Served {
            profile: get.key.profile.clone(),
            member: None,
            asked: get.key.scope.clone(),
            expires_in_s: left.map(|left| i64::try_from(left.as_secs()).unwrap_or(i64::MAX)),
            token,
            min_valid_met: true,
            warning: None,
        };
        self.effects.push(Effect::Reply { request: get.request, reply: Reply::Token(served) });
        self.touch_schedule();
        self.rebuild_once();
        true
    }

    /// The API said to slow down: whoever can wait does, the others are told until when.
    fn get_cooling(&mut self, get: Get, until: BootMs) {
        let name = get.key.profile.clone();
        let wait = self.until(until);
        if wait > get.wait {
            let message = format!("the API said to slow down for {}", Spoken(wait));
            let failure = Failure::new(Kind::RateLimited, message)
                .of(&name)
                .hint("wait for it with `--wait`, or take the token all the same with `--best-effort`")
                .retry_at(self.now.wall.plus(wait));
            self.fail(get.request, failure);
            return;
        }
        let text = format!("{name}: the API said to slow down; waiting for {}", Spoken(wait));
        self.effects.push(Effect::Progress { request: get.request, text });
        self.parked.insert(self.now.boot, until, get);
    }

    /// Somebody wants a new token, and not to have it.
    pub(crate) fn refresh(&mut self, refresh: Refresh) {
        let Refresh { request, key, timeout, interactive } = refresh;
        if !self.lock.is_open() {
            self.refresh_locked(Refresh { request, key, timeout, interactive });
            return;
        }
        let failure = match self.profiles.get(&key.profile).map(|profile| &profile.source) {
            None => Some(self.no_such_profile(&key.profile)),
            Some(Source::Pool(_)) => Some(
                Failure::new(Kind::Usage, "a pool has no token of its own")
                    .of(&key.profile)
                    .hint("renew its members by their names"),
            ),
            Some(_) => None,
        };
        if let Some(failure) = failure {
            self.fail(request, failure);
            return;
        }
        let deadline = self.now.boot.plus(timeout);
        let need = Need { min_valid: None, best_effort: true, newer_than: None };
        if let Some(state) = self.keys.get_mut(&key) {
            state.insist();
        }
        // What was held back for a person's word is done now.
        self.pardon(&key);
        self.join(request, key, need, true, deadline, Wants::Renewal);
    }

    /// A person says to try again: what the last failure blocked is open, its delay stands.
    fn pardon(&mut self, key: &TokenKey) {
        let Some(profile) = self.profiles.get(&key.profile) else { return };
        if let Some(state) = self.keys.get_mut(key) {
            state.refused = None;
        }
        let facts = self.facts(&key.profile).and_then(|facts| facts.refresh.as_ref());
        if facts.is_some_and(|token| token.is_dead) {
            return;
        }
        let lane = LaneId::of(&profile.source, &self.shared(key.clone()));
        if let Some(lane) = self.lanes.get_mut(&lane)
            && lane.is_blocked()
        {
            lane.forgive();
        }
    }

    /// Serves a caller of a key at once or makes it wait.
    pub(crate) fn join(
        &mut self,
        request: RequestId,
        key: TokenKey,
        mut need: Need,
        is_demanded: bool,
        deadline: BootMs,
        wants: Wants,
    ) {
        let Some(profile) = self.profiles.get(&key.profile) else {
            let failure = self.no_such_profile(&key.profile);
            self.fail(request, failure);
            return;
        };
        let source = profile.source.clone();
        if source == Source::Stored
            && let Some(failure) = refuse_for_stored(&key, is_demanded)
        {
            self.fail(request, failure);
            return;
        }
        if !self.keys.contains_key(&key) {
            self.make_room(&key.profile);
        }
        let key = self.shared(key);
        let wall = self.now.wall;
        let state = self.keys.entry(Arc::clone(&key)).or_default();
        if wants != Wants::Renewal {
            state.last_used = Some(wall);
        }
        need.newer_than = is_demanded.then_some(state.obtained);
        let lane = LaneId::of(&source, &key);
        if source != Source::Stored {
            self.lanes.entry(lane.clone()).or_default();
        }
        let waiter = Waiter { key: Arc::clone(&key), wants, need, deadline, attempts: 0 };
        self.touch_schedule();
        self.touch(&lane);
        if !self.is_known(&key) {
            self.waiters.insert(request, waiter);
            self.load(&key.profile);
            return;
        }
        match self.verdict(&waiter, News::None) {
            Verdict::Serve { met, warning } => {
                self.serve(request, &waiter, met, warning);
                self.pump(&lane);
            }
            Verdict::Fail(failure) => self.turn_down(request, waiter, failure),
            Verdict::Wait => {
                self.waiters.insert(request, waiter);
                self.pump(&lane);
            }
            Verdict::AwaitLogin => {
                self.waiters.insert(request, waiter);
                self.hear_of_login(request, &key.profile);
            }
        }
    }

    /// Whether the key's entry has been read, or the token is here already.
    pub(crate) fn is_known(&self, key: &TokenKey) -> bool {
        self.is_loaded(&key.profile)
            || self.keys.get(key).is_some_and(|state| state.live(self.now).is_some())
    }

    /// Judges every waiter of a key anew.
    pub(crate) fn settle(&mut self, key: &Arc<TokenKey>, news: News) {
        for request in self.waiters.of(key) {
            let Some(waiter) = self.waiters.get(request) else { continue };
            match self.verdict(waiter, news) {
                Verdict::Wait => {}
                Verdict::AwaitLogin => self.hear_of_login(request, &key.profile),
                Verdict::Serve { met, warning } => {
                    if let Some(waiter) = self.take_waiter(request) {
                        self.serve(request, &waiter, met, warning);
                    }
                }
                Verdict::Fail(failure) => {
                    if let Some(waiter) = self.take_waiter(request) {
                        self.turn_down(request, waiter, failure);
                    }
                }
            }
        }
        self.touch_key(key);
        self.settle_exchanges(key, news);
    }

    /// The deadline of a waiter has come.
    pub(crate) fn time_out(&mut self, request: RequestId) {
        let Some(waiter) = self.take_waiter(request) else { return };
        self.touch_key(&waiter.key);
        let state = self.keys.get(&waiter.key);
        let live = state.and_then(|state| state.live(self.now)).is_some();
        if live && waiter.need.is_content() && waiter.need.newer_than.is_none() {
            let warning = "the provider has not answered in time".to_owned();
            self.serve(request, &waiter, false, Some(warning));
            return;
        }
        let failure = match self.trouble_of(&waiter.key) {
            Some(failure) => failure,
            None => self.too_late_for(&waiter.key),
        };
        self.fail(request, failure);
    }

    /// The time is up, and what was waited for is not there.
    fn too_late_for(&self, key: &Arc<TokenKey>) -> Failure {
        let failure = too_late(&key.profile);
        let profile = self.profiles.get(&key.profile);
        let lane = profile.map(|profile| LaneId::of(&profile.source, key));
        match lane.and_then(|lane| self.waits_for(&lane)) {
            Some(what) => Failure { message: format!("{}: {what}", failure.message), ..failure },
            None => failure,
        }
    }

    /// There is nothing for this caller, unless it asked a pool that has others.
    pub(crate) fn turn_down(&mut self, request: RequestId, waiter: Waiter, failure: Failure) {
        match waiter.wants {
            Wants::FromPool { ref pool, .. } if failure.kind != Kind::Usage => {
                let pool = pool.clone();
                self.try_another(request, waiter, &pool, failure);
            }
            _ => self.fail(request, failure),
        }
    }

    fn serve(&mut self, request: RequestId, waiter: &Waiter, met: bool, warning: Option<String>) {
        let key = &waiter.key;
        let held = self.keys.get(key).and_then(|state| Some((state.token.clone()?, state.times?)));
        let Some((token, times)) = held else {
            let failure = Failure::new(Kind::Internal, "a token was promised that is not there");
            self.fail(request, failure.of(&key.profile));
            return;
        };
        let left = times.left(self.now);
        let reply = match &waiter.wants {
            Wants::Renewal => Reply::Said(renewed(&key.profile, left, warning)),
            wants => {
                let warning =
                    self.warning_of(key, met, left, warning).or_else(|| self.tell_short(key));
                let (profile, member) = match wants {
                    Wants::FromPool { pool, uses, .. } => {
                        self.book_use(pool, &key.profile, *uses);
                        (pool.clone(), Some(key.profile.clone()))
                    }
                    Wants::Token | Wants::Renewal => (key.profile.clone(), None),
                };
                Reply::Token(Served {
                    profile,
                    member,
                    asked: key.scope.clone(),
                    expires_in_s: left
                        .map(|left| i64::try_from(left.as_secs()).unwrap_or(i64::MAX)),
                    token,
                    min_valid_met: met,
                    warning,
                })
            }
        };
        self.effects.push(Effect::Reply { request, reply });
        self.rebuild_once();
    }

    /// What a caller should know of a token besides the token.
    fn warning_of(
        &self,
        key: &Arc<TokenKey>,
        met: bool,
        left: Option<Duration>,
        warning: Option<String>,
    ) -> Option<String> {
        let warning = match (warning, met, left) {
            (None, false, Some(left)) => {
                Some(format!("this token is valid for {} only", Spoken(left)))
            }
            (Some(why), false, Some(left)) => {
                Some(format!("{why}; this token is valid for {} more", Spoken(left)))
            }
            (warning, ..) => warning,
        };
        let profile = self.profiles.get(&key.profile)?;
        let lane = self.lanes.get(&LaneId::of(&profile.source, key));
        let unsaved = lane.and_then(|lane| lane.unsaved.as_ref()).map(|unsaved| {
            format!("the renewed refresh token could not be saved: {}", unsaved.why)
        });
        let refused = self.books.get(&key.profile).and_then(|book| book.refused_at).map(|_| {
            format!("an API refused this key: `tokctl set-secret {}` stores another", key.profile)
        });
        warning.or(unsaved).or(refused)
    }

    /// The last failure of a key or of its lane, if it has not been got over.
    pub(crate) fn trouble_of(&self, key: &Arc<TokenKey>) -> Option<Failure> {
        let profile = self.profiles.get(&key.profile)?;
        if let Some(refused) = self.keys.get(key).and_then(|state| state.refused.as_ref()) {
            return Some(refused.failure.clone().of(&key.profile));
        }
        let lane = self.lanes.get(&LaneId::of(&profile.source, key));
        let own = lane.and_then(|lane| lane.trouble.as_deref());
        let trouble = own.or_else(|| Some(self.origin_rest(&profile.origin)?.1))?;
        Some(trouble.failure.clone().of(&key.profile))
    }

    pub(crate) fn no_such_profile(&self, name: &ProfileName) -> Failure {
        no_such_profile(name, self.profiles.keys().map(ProfileName::as_str))
    }
}

/// There is no profile `name`; of the `known` ones the nearest may be meant.
pub fn no_such_profile<'a>(
    name: &ProfileName,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Failure {
    let failure = Failure::new(Kind::NoSuchProfile, "there is no profile of this name").of(name);
    match nearest(name.as_str(), known.clone()) {
        Some(near) => failure.hint(format!("did you mean `{}`?", shown(near))),
        None if known.into_iter().next().is_none() => {
            failure.hint(format!("run `tokctl add {name}`"))
        }
        None => failure.hint("`tokctl list` shows what there is"),
    }
}

fn renewed(profile: &ProfileName, left: Option<Duration>, warning: Option<String>) -> String {
    let valid = left.map(|left| format!("valid for {}", Spoken(left)));
    match (warning, valid) {
        (Some(warning), _) => format!("{profile}: {warning}"),
        (None, Some(valid)) => format!("{profile}: renewed, {valid}"),
        (None, None) => format!("{profile}: renewed"),
    }
}

/// What a client is told whose request comes while the agent goes down.
pub fn stopping() -> Failure {
    Failure::new(Kind::NoAgent, "the agent is stopping, and finishes a renewal first")
        .hint("try again in a moment: the next command after it has ended starts another")
}
