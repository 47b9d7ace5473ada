//! How a caller gets it: a token at once, a place in the queue, or a reason. `verdict.rs` says which.

use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::escape::shown;
use tokctl_proto::nearest::nearest;
use tokctl_proto::time::Spoken;
use tokctl_proto::{Failure, Kind, ProfileName, TokenKey};

use crate::core::{Core, Entry};
use crate::effect::{Effect, Reply, Served};
use crate::event::{Get, RequestId};
use crate::lane::LaneId;
use crate::profile::Source;
use crate::token::Token;
use crate::verdict::{News, Verdict, refuse_for_stored, too_late};
use crate::waiters::{Need, Waiter};

impl Core {
    /// Answers or parks a caller. Returns the lane of a token that was served at once: nothing else has
    /// become due sooner by it.
    pub(crate) fn get(&mut self, get: Get) -> Option<LaneId> {
        if !self.lock.is_open() {
            self.get_locked(get);
            return None;
        }
        let Some(profile) = self.profiles.get(&get.key.profile) else {
            let failure = self.no_such_profile(&get.key.profile);
            self.fail(get.request, failure);
            return None;
        };
        let source = profile.source;
        if source == Source::Stored
            && let Some(failure) = refuse_for_stored(&get.key, get.refresh)
        {
            self.fail(get.request, failure);
            return None;
        }
        if !self.keys.contains_key(&get.key) {
            self.make_room(&get.key.profile);
        }
        let wall = self.now.wall;
        let key = self.keys.entry(get.key.clone()).or_default();
        key.last_used = Some(wall);
        let newer_than = get.refresh.then_some(key.obtained);
        let waiter = Waiter {
            need: Need { min_valid: get.min_valid, best_effort: get.best_effort, newer_than },
            deadline: self.now.boot.plus(get.timeout),
            attempts: 0,
            key: get.key,
        };
        self.touch_schedule();
        if !self.is_loaded(&waiter.key) {
            let name = waiter.key.profile.clone();
            self.waiters.insert(get.request, waiter);
            self.load(&name);
            return None;
        }
        let lane = LaneId::of(source, &waiter.key);
        match self.verdict(&waiter, News::None) {
            Verdict::Serve { met, warning } => {
                self.serve(get.request, &waiter.key, met, warning);
                self.pump(&lane);
                Some(lane)
            }
            Verdict::Fail(failure) => {
                self.fail(get.request, failure);
                None
            }
            Verdict::Wait => {
                self.waiters.insert(get.request, waiter);
                self.pump(&lane);
                None
            }
        }
    }

    /// Whether the key's entry has been read, or the token is here already.
    fn is_loaded(&self, key: &TokenKey) -> bool {
        self.entries.get(&key.profile) == Some(&Entry::Loaded)
            || self.keys.get(key).is_some_and(|state| state.live(self.now).is_some())
    }

    /// Judges every waiter of a key anew.
    pub(crate) fn settle(&mut self, key: &TokenKey, news: News) {
        for request in self.waiters.of(key) {
            let Some(waiter) = self.waiters.get(request) else { continue };
            match self.verdict(waiter, news) {
                Verdict::Wait => {}
                Verdict::Serve { met, warning } => {
                    self.waiters.remove(request);
                    self.serve(request, key, met, warning);
                }
                Verdict::Fail(failure) => {
                    self.waiters.remove(request);
                    self.fail(request, failure);
                }
            }
        }
    }

    /// The deadline of a waiter has come.
    pub(crate) fn time_out(&mut self, request: RequestId) {
        let Some(waiter) = self.waiters.remove(request) else { return };
        let state = self.keys.get(&waiter.key);
        let live = state.and_then(|state| state.live(self.now)).is_some();
        if live && waiter.need.is_content() && waiter.need.newer_than.is_none() {
            let warning = "the provider has not answered in time".to_owned();
            self.serve(request, &waiter.key, false, Some(warning));
            return;
        }
        let failure = match self.trouble_of(&waiter.key) {
            Some(failure) => failure,
            None => too_late(&waiter.key.profile),
        };
        self.fail(request, failure);
    }

    fn serve(&mut self, request: RequestId, key: &TokenKey, met: bool, warning: Option<String>) {
        let held = self.keys.get(key).and_then(|state| Some((state.token.clone()?, state.times?)));
        let Some((token, times)) = held else {
            let failure = Failure::new(Kind::Internal, "a token was promised that is not there");
            self.fail(request, failure.of(&key.profile));
            return;
        };
        let served = served(key, token, times.left(self.now), met, warning);
        self.effects.push(Effect::Reply { request, reply: Reply::Token(served) });
        self.rebuild_once();
    }

    /// The last failure of a key's lane, if it has not been got over.
    pub(crate) fn trouble_of(&self, key: &TokenKey) -> Option<Failure> {
        let profile = self.profiles.get(&key.profile)?;
        let lane = self.lanes.get(&LaneId::of(profile.source, key))?;
        lane.trouble.as_ref().map(|trouble| trouble.failure.clone().of(&key.profile))
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

fn served(
    key: &TokenKey,
    token: Arc<Token>,
    left: Option<Duration>,
    met: bool,
    warning: Option<String>,
) -> Served {
    let warning = match (&warning, met, left) {
        (None, false, Some(left)) => Some(format!("this token is valid for {} only", Spoken(left))),
        (Some(why), false, Some(left)) => {
            Some(format!("{why}; this token is valid for {} more", Spoken(left)))
        }
        _ => warning,
    };
    Served {
        profile: key.profile.clone(),
        expires_in_s: left.map(|left| i64::try_from(left.as_secs()).unwrap_or(i64::MAX)),
        token,
        min_valid_met: met,
        warning,
    }
}
