//! What is remembered between runs without any secret: hints, never truths.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::btree_map::Iter;
use std::collections::{BTreeMap, VecDeque};
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{Failure, Kind, ProfileName, TokenKey, WallMs};

use crate::book::Book;
use crate::core::Core;
use crate::entry::Entry;
use crate::history::{ATTEMPTS_KEPT, Attempted};
use crate::key::{Key, Refused, Times};
use crate::lane::{Lane, LaneId, is_plain};
use crate::outcome::{Class, Trouble};
use crate::profile::{Profile, Source};
use crate::renew::keep_alive_of;

/// What the last run knew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    pub keys: Vec<ScheduledKey>,
    pub profiles: Vec<ScheduledProfile>,
    pub origins: Vec<ScheduledOrigin>,
}

/// What is known of a key without opening its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledKey {
    pub key: TokenKey,
    pub issued_at: Option<WallMs>,
    pub expires_at: Option<WallMs>,
    pub last_used: Option<WallMs>,
    /// No request before this, because of a failure or of a provider's Retry-After.
    pub cool_down: Option<WallMs>,
    /// In a row.
    pub failures: u32,
    /// The last one, if it has not been got over.
    pub trouble: Option<(Class, Failure)>,
    /// What the provider said to what this key alone asks for. The cool-down is then its own.
    pub refused: Option<Failure>,
}

/// What is known of a profile as a whole. There is a line only where there is something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledProfile {
    pub profile: ProfileName,
    /// Oldest first.
    pub history: Arc<VecDeque<Attempted>>,
    /// An API said to slow down until then.
    pub cooling_until: Option<WallMs>,
    /// An API refused a stored key: nobody but a person can help.
    pub refused_at: Option<WallMs>,
    /// When its refresh token must have been used so that it lives on.
    pub keep_alive_at: Option<WallMs>,
    /// Uses of a pool's members: whose, until when they count, how many.
    pub uses: Vec<(ProfileName, WallMs, u32)>,
}

/// A provider that is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledOrigin {
    pub origin: String,
    pub not_before: WallMs,
    /// In a row.
    pub failures: u32,
}

/// A clock that was wrong when a schedule was written must not silence anything for longer.
const REST_MAX: Duration = Duration::from_secs(3600);
/// What an API may have asked for: as in report.rs.
const COOLING_MAX: Duration = Duration::from_secs(86_400);

impl Core {
    /// Takes over what the last run knew.
    pub(crate) fn restore(&mut self, schedule: Schedule) {
        for origin in schedule.origins {
            let wait = origin.not_before.since(self.now.wall).min(REST_MAX);
            let failure = Failure::new(
                Kind::ProviderUnreachable,
                "the provider was down before the agent restarted",
            );
            let until = self.now.boot.plus(wait);
            self.traffic.restore(&origin.origin, origin.failures, until, failure);
        }
        for profile in schedule.profiles {
            self.restore_profile(profile);
        }
        for key in schedule.keys {
            self.restore_key(key);
        }
    }

    fn restore_profile(&mut self, known: ScheduledProfile) {
        let Some(profile) = self.profiles.get(&known.profile) else { return };
        let source = profile.source.clone();
        let cooling = known.cooling_until.map(|at| at.since(self.now.wall).min(COOLING_MAX));
        let mut history = known.history;
        if history.len() > ATTEMPTS_KEPT {
            let surplus = history.len() - ATTEMPTS_KEPT;
            Arc::make_mut(&mut history).drain(..surplus);
        }
        let book = Book {
            history,
            cooling_until: self.now.boot.plus(cooling.unwrap_or_default()),
            refused_at: known.refused_at,
            clock_ahead_s: None,
            keep_alive_at: known.keep_alive_at,
        };
        self.restore_uses(&known.profile, known.uses);
        if book.keep_alive_at.is_some() && source.is_shared() {
            let key = self.shared(TokenKey::plain(known.profile.clone()));
            self.lanes.entry(LaneId::of(&source, &key)).or_default();
            self.keys.entry(key).or_default();
        }
        self.books.insert(known.profile, book);
    }

    fn restore_key(&mut self, scheduled: ScheduledKey) {
        let name = scheduled.key.profile.clone();
        let Some(profile) = self.profiles.get(&name) else { return };
        let source = profile.source.clone();
        self.make_room(&name);
        let key = self.shared(scheduled.key);
        let rest = scheduled.cool_down.map(|at| at.since(self.now.wall).min(REST_MAX));
        let until = self.now.boot.plus(rest.unwrap_or_default());
        let refused = scheduled.refused.map(|failure| Box::new(Refused { failure, until }));
        if matches!(source, Source::Provider(_)) {
            let lane = self.lanes.entry(LaneId::of(&source, &key)).or_default();
            if rest.is_some() && refused.is_none() {
                lane.not_before = lane.not_before.max(until);
            }
            if let Some((class, failure)) = scheduled.trouble {
                lane.trouble = Some(Box::new(Trouble::new(class, failure)));
            }
            lane.failures = lane.failures.max(scheduled.failures);
        }
        let times = scheduled.issued_at.map(|issued_at| {
            let lifetime = scheduled.expires_at.map(|end| end.since(issued_at));
            let lead = self.jittered_lead(&name, lifetime);
            Times::of(self.now, issued_at, scheduled.expires_at, Duration::ZERO, lead)
        });
        self.touch_key(&key);
        let last_used = scheduled.last_used;
        self.keys.insert(key, Key { times, last_used, refused, ..Key::default() });
    }

    /// What the next run may know. All maps are walked side by side: a search for each of ten thousand profiles
    /// would hold callers up.
    pub(crate) fn schedule(&self) -> Schedule {
        let (mut profiles, mut lanes) = (Along::new(&self.profiles), Along::new(&self.lanes));
        let keys = self.keys.iter().filter_map(|(key, state)| {
            let profile = profiles.at(&key.profile)?;
            let lane = match profile.source.is_shared() && !is_plain(key) {
                true => lanes.at(&TokenKey::plain(key.profile.clone())),
                false => lanes.at(key.as_ref()),
            };
            self.schedule_key(key, state, lane)
        });
        let (mut entries, mut books) = (Along::new(&self.entries), Along::new(&self.books));
        let profiles = self.profiles.iter().filter_map(|(name, profile)| {
            self.schedule_profile(name, profile, entries.once(name), books.once(name))
        });
        Schedule {
            keys: keys.collect(),
            profiles: profiles.collect(),
            origins: self
                .traffic
                .origins()
                .filter(|(_, origin)| origin.not_before > self.now.boot)
                .map(|(name, origin)| ScheduledOrigin {
                    origin: name.to_string(),
                    not_before: self.now.wall.plus(self.until(origin.not_before)),
                    failures: origin.failures,
                })
                .collect(),
        }
    }

    fn schedule_key(
        &self,
        key: &Arc<TokenKey>,
        state: &Key,
        lane: Option<&Lane>,
    ) -> Option<ScheduledKey> {
        let refused = state.refused.as_deref();
        // Its own profile knows better.
        let lane = lane.filter(|lane| !lane.is_for_subject());
        let until = match refused {
            Some(refused) => Some(refused.until),
            None => lane.map(|lane| lane.not_before),
        };
        let rest = until.map(|until| self.until(until)).filter(|rest| !rest.is_zero());
        let trouble = lane.and_then(|lane| lane.trouble.as_ref());
        let is_known = state.times.is_some() || state.last_used.is_some() || trouble.is_some();
        is_known.then(|| ScheduledKey {
            key: key.as_ref().clone(),
            issued_at: state.times.map(|times| times.issued_at),
            expires_at: state.times.and_then(|times| times.expires_at),
            last_used: state.last_used,
            cool_down: rest.map(|rest| self.now.wall.plus(rest)),
            failures: lane.map_or(0, |lane| lane.failures),
            trouble: trouble.map(|trouble| (trouble.class, trouble.failure.clone())),
            refused: refused.map(|refused| refused.failure.clone()),
        })
    }

    fn schedule_profile(
        &self,
        name: &ProfileName,
        profile: &Profile,
        entry: Option<&Entry>,
        book: Option<&Book>,
    ) -> Option<ScheduledProfile> {
        let uses = match &profile.source {
            Source::Pool(pool) => self.uses_to_keep(name, pool),
            Source::Stored | Source::Provider(_) => Vec::new(),
        };
        let keep_alive_at = keep_alive_of(&profile.policy, entry, book);
        let cooling = book.map(|book| self.until(book.cooling_until));
        let cooling = cooling.filter(|rest| !rest.is_zero()).map(|rest| self.now.wall.plus(rest));
        let is_empty = book.is_none_or(|book| book.history.is_empty() && book.refused_at.is_none());
        if is_empty && uses.is_empty() && keep_alive_at.is_none() && cooling.is_none() {
            return None;
        }
        Some(ScheduledProfile {
            profile: name.clone(),
            history: book.map(|book| Arc::clone(&book.history)).unwrap_or_default(),
            cooling_until: cooling,
            refused_at: book.and_then(|book| book.refused_at),
            keep_alive_at,
            uses,
        })
    }
}

/// A walk along a map for those who ask for one key after the other, in order.
struct Along<'a, K, V> {
    rest: Peekable<Iter<'a, K, V>>,
}

impl<'a, K, V> Along<'a, K, V> {
    fn new(map: &'a BTreeMap<K, V>) -> Self {
        Self { rest: map.iter().peekable() }
    }

    /// The same for those who ask for no key twice.
    fn once<Q: Ord>(&mut self, key: &Q) -> Option<&'a V>
    where
        K: Borrow<Q>,
    {
        let value = self.at(key);
        if value.is_some() {
            self.rest.next();
        }
        value
    }

    /// The value of this key, which is not before the last that was asked for.
    fn at<Q: Ord>(&mut self, key: &Q) -> Option<&'a V>
    where
        K: Borrow<Q>,
    {
        loop {
            let (next, value) = self.rest.peek()?;
            match Borrow::<Q>::borrow(*next).cmp(key) {
                Ordering::Less => {
                    self.rest.next();
                }
                Ordering::Equal => return Some(value),
                Ordering::Greater => return None,
            }
        }
    }
}
