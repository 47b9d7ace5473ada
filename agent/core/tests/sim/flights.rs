//! One request in flight per lane, four per origin; no hot loop, and no silence while somebody needs a token.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokctl_core::{
    AttemptId, Cause, Class, Credential, Keep, Profile, Reached, RequestId, Rotation, Subject,
    Trouble, policy,
};
use tokctl_proto::token::KEYS_PER_PROFILE_MAX;
use tokctl_proto::{BootMs, Now, ProfileName, TokenKey, WallMs};

use super::provider::presents;

/// A provider that is needed is not left alone for longer: as long as a delay may be,
/// with the delay of an origin that is down, the spreading after a suspend and the queue before a slow provider.
const SILENCE_MAX: Duration = Duration::from_secs(2 * 300 + 60 + 120);
/// Requests to one origin at a time.
const ORIGIN_MAX: usize = 4;

/// The key of a lane, plain where all keys of a profile share one.
pub(super) type LaneKey = TokenKey;

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) key: TokenKey,
    pub(super) lane: LaneKey,
    pub(super) revision: u64,
    pub(super) begun: Now,
    pub(super) sent: Option<Now>,
    credential: Credential,
    origin: Arc<str>,
    /// The entry was written since: a failure says nothing about it.
    outdated: bool,
    /// Whoever it was for has logged out since.
    pub(super) is_forgotten: bool,
    /// An answer was lost before: whatever comes of this try, the doubt may stay.
    in_doubt: bool,
}

#[derive(Debug, Default)]
struct Lane {
    in_flight: Option<AttemptId>,
    not_before: BootMs,
    /// The last answer was a failure that goes away by itself: when it was to be tried again at the latest.
    silent_until: Option<BootMs>,
}

#[derive(Debug, Default)]
struct Use {
    last_used: Option<WallMs>,
    issued_at: Option<WallMs>,
    expires_at: Option<WallMs>,
    /// The provider gave a token and is not asked for this key again before.
    spaced_until: BootMs,
    /// Except that somebody has insisted since.
    is_insisted: bool,
    /// The provider does not give it, so nobody but a caller has it asked for.
    is_refused: bool,
    /// Somebody has used it again and again since.
    used_since: BootMs,
}

#[derive(Debug, Default)]
pub(super) struct Flights {
    by_attempt: BTreeMap<AttemptId, Flight>,
    lanes: BTreeMap<LaneKey, Lane>,
    on_the_road: BTreeMap<Arc<str>, BTreeSet<AttemptId>>,
    /// The longest rest that any provider of an origin asked for.
    asked_of: BTreeMap<Arc<str>, BootMs>,
    silences: BTreeSet<(BootMs, LaneKey)>,
    keys: BTreeMap<TokenKey, Use>,
    /// Those who insist on a new token and have not been answered, and the profiles that it may be of.
    insisting: BTreeMap<RequestId, BTreeSet<ProfileName>>,
    pub(super) in_flight_max: usize,
}

fn is_callers(profile: &Profile) -> bool {
    profile.subject.as_deref() == Some(&Subject::Caller)
}

fn lane_of(profile: &Profile, key: &TokenKey) -> LaneKey {
    match presents(&profile.source) {
        true => TokenKey::plain(key.profile.clone()),
        false => key.clone(),
    }
}

impl Flights {
    pub(super) fn used(&mut self, now: Now, key: &TokenKey) {
        let state = self.keys.entry(key.clone()).or_default();
        // Nobody was to be asked for what nobody had used for so long.
        if state.last_used.is_none_or(|at| at.plus(Duration::from_secs(3600)) <= now.wall) {
            state.used_since = now.boot;
        }
        state.last_used = Some(now.wall);
    }

    /// It is not renewed any more until somebody asks.
    pub(super) fn unused(&mut self, name: &ProfileName) {
        let keys = self.keys.range_mut(TokenKey::plain(name.clone())..);
        for (_, key) in keys.take_while(|(key, _)| key.profile == *name) {
            key.last_used = None;
        }
    }

    pub(super) fn is_flying(&self, name: &ProfileName) -> bool {
        self.by_attempt.values().any(|flight| flight.key.profile == *name)
    }

    /// An attempt begins: with an intent where a refresh token is at stake, else with the request.
    pub(super) fn begins(
        &mut self,
        now: Now,
        attempt: AttemptId,
        key: &TokenKey,
        profile: &Profile,
    ) {
        let lane_key = lane_of(profile, key);
        let lane = self.lanes.entry(lane_key.clone()).or_default();
        assert_eq!(lane.in_flight, None, "two requests at a time in {lane_key}");
        let early = lane.not_before.since(now.boot);
        assert!(early.is_zero(), "{lane_key} is asked {early:?} too early");
        if let Some(state) = self.keys.get(key) {
            let early = state.spaced_until.since(now.boot);
            let is_insisted = state.is_insisted
                || self.insisting.values().any(|profiles| profiles.contains(&key.profile));
            // There is room for so many; the rest is forgotten.
            let new = self.keys.iter().filter(|(other, state)| {
                other.profile == key.profile && state.spaced_until > now.boot
            });
            let is_forgotten = new.count() >= KEYS_PER_PROFILE_MAX;
            let may = early.is_zero() || is_insisted || is_forgotten;
            assert!(may, "{key} is asked for {early:?} too early");
        }
        lane.in_flight = Some(attempt);
        if let Some(at) = lane.silent_until.take() {
            self.silences.remove(&(at, lane_key.clone()));
        }
        let flight = Flight {
            key: key.clone(),
            lane: lane_key,
            revision: profile.revision,
            begun: now,
            sent: None,
            credential: Credential::Present,
            origin: Arc::clone(&profile.origin),
            outdated: false,
            is_forgotten: false,
            in_doubt: false,
        };
        self.by_attempt.insert(attempt, flight);
    }

    /// A person, or an API that refused a token, asks for another sooner than is usual.
    pub(super) fn insists(&mut self, request: RequestId, profiles: BTreeSet<ProfileName>) {
        self.insisting.insert(request, profiles);
    }

    /// Whoever insisted has an answer. What it was about may follow in the same step.
    pub(super) fn told(&mut self, request: RequestId) {
        let profiles = self.insisting.remove(&request).unwrap_or_default();
        for (key, state) in &mut self.keys {
            state.is_insisted |= profiles.contains(&key.profile);
        }
    }

    pub(super) fn is_try(&mut self, attempt: AttemptId, tries: u32) {
        if let Some(flight) = self.by_attempt.get_mut(&attempt) {
            flight.in_doubt = tries > 1;
        }
    }

    pub(super) fn is_begun(&self, attempt: AttemptId) -> bool {
        self.by_attempt.contains_key(&attempt)
    }

    pub(super) fn get(&self, attempt: AttemptId) -> Option<&Flight> {
        self.by_attempt.get(&attempt)
    }

    /// The request goes out.
    pub(super) fn sent(&mut self, now: Now, attempt: AttemptId, credential: Credential) {
        let flight = self.by_attempt.get_mut(&attempt).expect("an attempt that was begun");
        assert!(flight.sent.is_none(), "one attempt is sent twice");
        flight.sent = Some(now);
        flight.credential = credential;
        let road = self.on_the_road.entry(Arc::clone(&flight.origin)).or_default();
        road.insert(attempt);
        self.in_flight_max = self.in_flight_max.max(road.len());
        let is_known = !flight.origin.is_empty();
        assert!(
            !is_known || road.len() <= ORIGIN_MAX,
            "{} requests at a time to {}",
            road.len(),
            flight.origin
        );
    }

    /// An answer has come, or will not come any more.
    pub(super) fn off_the_road(&mut self, attempt: AttemptId) {
        if let Some(flight) = self.by_attempt.get(&attempt)
            && let Some(road) = self.on_the_road.get_mut(&flight.origin)
        {
            road.remove(&attempt);
        }
    }

    pub(super) fn land(&mut self, attempt: AttemptId) -> Option<Flight> {
        self.off_the_road(attempt);
        let flight = self.by_attempt.remove(&attempt)?;
        if let Some(lane) = self.lanes.get_mut(&flight.lane) {
            lane.in_flight = None;
        }
        Some(flight)
    }

    pub(super) fn failed(
        &mut self,
        now: Now,
        attempt: AttemptId,
        profiles: &BTreeMap<ProfileName, Profile>,
        trouble: &Trouble,
    ) {
        let Some(flight) = self.land(attempt) else { return };
        let profile = profiles.get(&flight.key.profile);
        let Some(profile) = profile.filter(|profile| profile.revision == flight.revision) else {
            return;
        };
        let asked = trouble.retry_after.unwrap_or_default();
        let rest = self.asked_of.entry(Arc::clone(&flight.origin)).or_default();
        *rest = (*rest).max(now.boot.plus(asked));
        if flight.outdated {
            return;
        }
        if trouble.cause == Cause::Key {
            self.refused(now, &flight.key, asked);
            return;
        }
        let lane = self.lanes.entry(flight.lane.clone()).or_default();
        let is_present =
            trouble.cause == Cause::InvalidClient && flight.credential == Credential::Present;
        let floor = match trouble.class {
            Class::Retry => Duration::from_secs(1),
            // The other secret may be tried at once, and so may the refresh token that has taken the
            // place of the one that was refused.
            _ if is_present => Duration::ZERO,
            _ if trouble.cause == Cause::InvalidGrant => Duration::ZERO,
            // What the next caller brings may be good.
            _ if trouble.cause == Cause::Other && is_callers(profile) => Duration::from_secs(1),
            Class::Permanent | Class::LoginRequired => policy::spacing(None),
        };
        lane.not_before = now.boot.plus(floor.max(asked));
        let is_ambiguous = (flight.in_doubt || may_have_spent(trouble))
            && presents(&profile.source)
            && profile.policy.rotation == Rotation::Strict;
        if trouble.class == Class::Retry && !is_ambiguous {
            let until = rest.plus(Duration::ZERO).max(now.boot).plus(SILENCE_MAX);
            lane.silent_until = Some(until);
            self.silences.insert((until, flight.lane));
        }
    }

    /// The provider does not give what this key asks for: that is no reason not to ask it for others.
    fn refused(&mut self, now: Now, key: &TokenKey, asked: Duration) {
        let state = self.keys.entry(key.clone()).or_default();
        let until = now.boot.plus(policy::spacing(None).max(asked));
        state.spaced_until = state.spaced_until.max(until);
        (state.is_refused, state.is_insisted) = (true, false);
    }

    /// The provider gave a token that lacks what its key names.
    pub(super) fn fell_short(
        &mut self,
        now: Now,
        attempt: AttemptId,
        profiles: &BTreeMap<ProfileName, Profile>,
    ) {
        let Some(flight) = self.land(attempt) else { return };
        let profile = profiles.get(&flight.key.profile);
        let is_current = profile.is_some_and(|profile| profile.revision == flight.revision);
        if is_current && !flight.outdated {
            self.refused(now, &flight.key, Duration::ZERO);
        }
    }

    pub(super) fn succeeded(
        &mut self,
        now: Now,
        attempt: AttemptId,
        profiles: &BTreeMap<ProfileName, Profile>,
        times: (WallMs, Option<WallMs>),
    ) -> Option<Flight> {
        let flight = self.land(attempt)?;
        let current = profiles.get(&flight.key.profile)?;
        // Nobody has its token, so the next is asked for at once.
        if current.revision != flight.revision || flight.is_forgotten {
            return None;
        }
        let (issued_at, expires_at) = times;
        let lifetime = expires_at.map(|end| end.since(issued_at));
        let key = self.keys.entry(flight.key.clone()).or_default();
        key.spaced_until = now.boot.plus(policy::spacing(lifetime));
        (key.is_insisted, key.is_refused) = (false, false);
        key.issued_at = Some(issued_at);
        key.expires_at = expires_at;
        Some(flight)
    }

    /// A person changed something: past failures say nothing about it.
    pub(super) fn forgive(&mut self, name: &ProfileName) {
        for flight in self.by_attempt.values_mut().filter(|flight| flight.key.profile == *name) {
            flight.outdated = true;
        }
        let keys = self.keys.range_mut(TokenKey::plain(name.clone())..);
        let keys = keys.take_while(|(key, _)| key.profile == *name);
        for (_, key) in keys.filter(|(_, key)| key.is_refused) {
            (key.is_refused, key.spaced_until) = (false, BootMs::default());
        }
        let lanes = self.lanes.range_mut(TokenKey::plain(name.clone())..);
        for (id, lane) in lanes.take_while(|(id, _)| id.profile == *name) {
            lane.not_before = BootMs::default();
            if let Some(at) = lane.silent_until.take() {
                self.silences.remove(&(at, id.clone()));
            }
        }
    }

    pub(super) fn forget_keys(&mut self, name: &ProfileName) {
        self.keys.retain(|key, _| key.profile != *name);
    }

    /// What is in flight for a profile brings nobody a token any more.
    pub(super) fn forget_tokens(&mut self, name: &ProfileName) {
        for flight in self.by_attempt.values_mut().filter(|flight| flight.key.profile == *name) {
            flight.is_forgotten = true;
        }
    }

    /// Whatever is in flight was sent for another vault.
    pub(super) fn disown(&mut self) {
        for flight in self.by_attempt.values_mut() {
            flight.revision = u64::MAX;
        }
    }

    /// What a suspended machine did not do is no silence.
    pub(super) fn slept(&mut self, now: Now) {
        for (_, id) in std::mem::take(&mut self.silences) {
            let until = now.boot.plus(SILENCE_MAX);
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.silent_until = Some(until);
            }
            self.silences.insert((until, id));
        }
    }

    /// A sealed agent asks nobody.
    pub(super) fn excuse_silence(&mut self) {
        self.silences.clear();
        for lane in self.lanes.values_mut() {
            lane.silent_until = None;
        }
    }

    /// A provider that is down is asked again as long as somebody needs it.
    pub(super) fn are_not_silent(&self, now: Now, profiles: &BTreeMap<ProfileName, Profile>) {
        for (at, id) in &self.silences {
            if *at >= now.boot {
                return;
            }
            let Some(profile) = profiles.get(&id.profile) else { continue };
            // Somebody else may have nothing to present.
            if profile.subject.is_some() {
                continue;
            }
            let rest = self.asked_of.get(&profile.origin).copied().unwrap_or_default();
            if rest.plus(SILENCE_MAX) >= now.boot {
                continue;
            }
            let keys = self.keys.range(TokenKey::plain(id.profile.clone())..);
            for (key, record) in keys.take_while(|(key, _)| key.profile == id.profile) {
                let is_new = record.used_since.plus(SILENCE_MAX) >= now.boot;
                let is_its = lane_of(profile, key) == *id && !is_new;
                assert!(
                    !is_its || !is_missed(now, profile, record),
                    "{key} was to be renewed before {at:?}"
                );
            }
        }
    }
}

/// Whether the successor of the presented refresh token may be lost with this answer.
fn may_have_spent(trouble: &Trouble) -> bool {
    match trouble.reached {
        Reached::Nobody => false,
        Reached::Perhaps | Reached::Answered(502 | 504) => true,
        Reached::Answered(_) => trouble.cause == Cause::Unreadable && trouble.successor.is_none(),
    }
}

/// Whether a token has run out while it is in use.
fn is_missed(now: Now, profile: &Profile, key: &Use) -> bool {
    if key.is_refused {
        return false;
    }
    let (Some(used), Some(issued), Some(expires)) = (key.last_used, key.issued_at, key.expires_at)
    else {
        return false;
    };
    let keep = match profile.policy.keep {
        Keep::OnDemand => return false,
        Keep::Always | Keep::Used => Duration::from_secs(3600),
    };
    let keep = profile.policy.keep_idle.map_or(keep, |idle| idle.min(keep));
    let lifetime = expires.since(issued);
    let wall = now.wall;
    lifetime >= Duration::from_secs(60)
        && wall >= expires
        && wall < used.plus(keep)
        && expires < used.plus(keep)
}
