//! What a profile's plain token is doing, for `status`.

use std::time::Duration;

use tokctl_proto::time::Spoken;
use tokctl_proto::{Failure, Kind, Now, ProfileName, TokenKey, WallMs};

use crate::core::Core;
use crate::flight::NEXT_CLIENT_SECRET;
use crate::history::Attempted;
use crate::key::{Key, Saving};
use crate::lane::{Lane, LaneId};
use crate::outcome::Class;
use crate::pool::Standing;
use crate::profile::{Keep, Pool, Profile, Source};

const CLIENT_SECRET: &str = "client_secret";
const REFRESH_TOKEN: &str = "refresh_token";
/// Secrets are warned about so long before they end: a person may be on holiday.
const ENDING_WITHIN: Duration = Duration::from_secs(14 * 86_400);
/// Clocks that differ by more break assertions and JWTs.
const CLOCK_APART_S_MAX: u64 = 60;

#[derive(Clone, Debug)]
pub struct ProfileStatus {
    pub profile: ProfileName,
    pub state: TokenState,
    pub issued_at: Option<WallMs>,
    pub expires_at: Option<WallMs>,
    /// When it is renewed or tried again.
    pub next_at: Option<WallMs>,
    pub last_used: Option<WallMs>,
    pub error: Option<Failure>,
    /// What `tokctl get` would exit with, as far as is known without asking anybody.
    pub exit: u8,
    /// The newest token is in memory alone, since the vault could not be written.
    pub unsaved: bool,
    /// What a person should see to before it becomes an error.
    pub warnings: Vec<String>,
    /// Of a pool.
    pub members: Vec<MemberStatus>,
}

/// How a member of a pool stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    pub profile: ProfileName,
    /// It is handed out in its turn.
    pub free: bool,
    /// When it is free again, where that is known.
    pub free_at: Option<WallMs>,
    /// `None` without a limit.
    pub uses_left: Option<u32>,
}

/// What `why` tells of a profile.
#[derive(Clone, Debug)]
pub struct Why {
    pub status: ProfileStatus,
    /// Oldest first.
    pub history: Vec<Attempted>,
    /// What happens next and when, or who has to do what.
    pub next: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// The entry holds a key; there is nothing to renew.
    Stored,
    Valid,
    Renewing,
    /// The last attempt failed; there may still be a valid token.
    Failing,
    /// Nothing helps but a person.
    Login,
    /// The API said to slow down.
    Cooling,
    /// Its members have tokens, it has none of its own.
    Pool,
    Expired,
    /// The vault is not open: whatever is known of a token, nobody gets it.
    Sealed,
    None,
}

impl TokenState {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Valid => "valid",
            Self::Renewing => "renewing",
            Self::Failing => "failing",
            Self::Login => "login",
            Self::Cooling => "cooling",
            Self::Pool => "pool",
            Self::Expired => "expired",
            Self::Sealed => "sealed",
            Self::None => "none",
        }
    }
}

impl Core {
    /// The state of every profile, in order of their names. It changes nothing and needs no open vault.
    pub fn statuses(&self, now: Now) -> Vec<ProfileStatus> {
        self.profiles.iter().map(|(name, profile)| self.status(now, name, profile)).collect()
    }

    /// What is known of a profile's doings; `None` without such a profile.
    pub fn why(&self, now: Now, name: &ProfileName) -> Option<Why> {
        let profile = self.profiles.get(name)?;
        let status = self.status(now, name, profile);
        let history = self.books.get(name).map(|book| book.history.iter().cloned().collect());
        let next = self.what_next(now, name, profile, &status);
        Some(Why { history: history.unwrap_or_default(), next, status })
    }

    fn status(&self, now: Now, name: &ProfileName, profile: &Profile) -> ProfileStatus {
        let key = self.shared(TokenKey::plain(name.clone()));
        let known = self.keys.get(&key);
        let lane_id = LaneId::of(&profile.source, &key);
        let lane = self.lanes.get(&lane_id);
        let times = known.and_then(|key| key.times);
        let members = match &profile.source {
            Source::Pool(pool) => self.members(now, name, pool),
            Source::Stored | Source::Provider(_) => Vec::new(),
        };
        let refused = self
            .is_loaded(name)
            .then(|| self.refuse_to_present(&lane_id, false).filter(|_| profile.source.is_shared()))
            .flatten();
        let trouble = lane.and_then(|lane| lane.trouble.as_deref());
        let error = trouble
            .map(|trouble| trouble.failure.clone())
            .or_else(|| Some(self.origin_rest(&profile.origin)?.1.failure.clone()))
            .or_else(|| refused.clone());
        let state = self.state(now, name, profile, known, lane, refused.is_some());
        let due = lane.and_then(|lane| self.lane_due(&lane_id, lane));
        let is_live = times.is_some_and(|times| times.remaining(now) != Some(Duration::ZERO));
        let exit = match state {
            TokenState::Sealed => Kind::VaultSealed.exit(),
            TokenState::Cooling => Kind::RateLimited.exit(),
            TokenState::Pool if members.iter().any(|member| member.free) => 0,
            TokenState::Pool => Kind::RateLimited.exit(),
            _ if is_live => 0,
            _ => error.as_ref().map_or(0, |error| error.kind.exit()),
        };
        ProfileStatus {
            profile: name.clone(),
            state,
            issued_at: times.map(|times| times.issued_at),
            expires_at: times.and_then(|times| times.expires_at),
            next_at: due.map(|due| now.wall.plus(due.since(now.boot))),
            last_used: known.and_then(|key| key.last_used),
            error,
            exit,
            unsaved: lane.is_some_and(|lane| lane.unsaved.is_some())
                || self.held(name).any(|(_, state)| matches!(state.saving, Saving::Failed { .. })),
            warnings: self.warnings(now, name, &lane_id),
            members,
        }
    }

    fn state(
        &self,
        now: Now,
        name: &ProfileName,
        profile: &Profile,
        known: Option<&Key>,
        lane: Option<&Lane>,
        is_refused: bool,
    ) -> TokenState {
        let trouble = lane.and_then(|lane| lane.trouble.as_deref());
        let needs_login = trouble.is_some_and(|trouble| trouble.class == Class::LoginRequired);
        match known.and_then(|key| key.times) {
            _ if self.lock.is_absent() => TokenState::None,
            _ if !self.lock.is_open() => TokenState::Sealed,
            _ if self.cooling_until(name).is_some() => TokenState::Cooling,
            _ if matches!(profile.source, Source::Pool(_)) => TokenState::Pool,
            _ if profile.source == Source::Stored => TokenState::Stored,
            _ if lane.is_some_and(|lane| lane.in_flight.is_some()) => TokenState::Renewing,
            _ if needs_login || is_refused => TokenState::Login,
            _ if trouble.is_some() || self.origin_rest(&profile.origin).is_some() => {
                TokenState::Failing
            }
            None => TokenState::None,
            Some(times) if times.remaining(now) == Some(Duration::ZERO) => TokenState::Expired,
            Some(_) => TokenState::Valid,
        }
    }

    fn members(&self, now: Now, name: &ProfileName, pool: &Pool) -> Vec<MemberStatus> {
        let member = |(at, member): (usize, &ProfileName)| {
            let standing = self.standing(name, pool, at, 1);
            let until = match &standing {
                Standing::Spent(until) => Some(*until),
                Standing::Free | Standing::Renewing | Standing::Failing(_) => None,
            };
            MemberStatus {
                profile: member.clone(),
                free: matches!(standing, Standing::Free),
                free_at: until.map(|until| now.wall.plus(until.since(now.boot))),
                uses_left: self.uses_left(name, pool, member),
            }
        };
        pool.members.iter().enumerate().map(member).collect()
    }

    /// What puts an end to a secret's end.
    fn remedy(&self, name: &ProfileName, secret: &str, has_next: bool) -> String {
        match secret {
            CLIENT_SECRET if has_next => "its successor is stored".to_owned(),
            CLIENT_SECRET | NEXT_CLIENT_SECRET => format!("run `tokctl set-secret {name} --next`"),
            REFRESH_TOKEN if self.is_login(name) => format!("run `tokctl login {name}`"),
            _ => format!("run `tokctl set-secret {name} --name {secret}`"),
        }
    }

    /// What a person should see to before it becomes an error.
    fn warnings(&self, now: Now, name: &ProfileName, lane: &LaneId) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(unsaved) = self.lanes.get(lane).and_then(|lane| lane.unsaved.as_ref()) {
            warnings.push(format!("the renewed refresh token is in memory alone: {}", unsaved.why));
        }
        if let Some(facts) = self.facts(name) {
            let refresh = facts.refresh.as_ref().filter(|token| !token.is_dead);
            let ends =
                refresh.and_then(|token| token.expires_at).map(|at| (REFRESH_TOKEN.to_owned(), at));
            for (secret, at) in facts.expiring.iter().cloned().chain(ends) {
                let remedy = self.remedy(name, &secret, facts.has_next);
                warnings.extend(ending(now, &secret, at, &remedy));
            }
            let is_asking = self.lanes.get(lane).is_some_and(|lane| lane.in_flight.is_some());
            if refresh.is_some() && !is_asking && self.is_in_doubt(lane) {
                warnings.push("the answer to the last renewal was lost".to_owned());
            }
        }
        warnings.extend(self.scope_warnings(name));
        let book = self.books.get(name);
        if book.is_some_and(|book| book.refused_at.is_some()) {
            warnings.push("an API refused the stored key".to_owned());
        }
        if let Some(ahead_s) = book.and_then(|book| book.clock_ahead_s)
            && ahead_s.unsigned_abs() > CLOCK_APART_S_MAX
        {
            let side = if ahead_s > 0 { "ahead of" } else { "behind" };
            let apart = Spoken(Duration::from_secs(ahead_s.unsigned_abs()));
            warnings.push(format!("the provider's clock is {apart} {side} this machine's"));
        }
        warnings
    }

    /// What happens next and when, or who has to do what.
    fn what_next(
        &self,
        now: Now,
        name: &ProfileName,
        profile: &Profile,
        status: &ProfileStatus,
    ) -> String {
        let until = |at: WallMs| Spoken(at.since(now.wall));
        let at = status.next_at;
        let hint = status.error.as_ref().and_then(|error| error.hint.clone());
        let key = self.shared(TokenKey::plain(name.clone()));
        if let Some(what) = self.waits_for(&LaneId::of(&profile.source, &key)) {
            return what;
        }
        if self.logins.contains_key(name) && status.state == TokenState::Login {
            return "a login is under way; whoever asks for a token waits for it".to_owned();
        }
        match status.state {
            TokenState::Sealed => "nothing until the vault is open: run `tokctl unlock`".to_owned(),
            TokenState::Stored => "nothing: a stored key is handed out as it is".to_owned(),
            TokenState::Renewing => "the provider is being asked".to_owned(),
            TokenState::Login => match hint {
                Some(hint) => format!("nothing by itself: {hint}"),
                None => "nothing by itself: a person is needed".to_owned(),
            },
            TokenState::Cooling => {
                let wait = self.cooling_until(name).map(|until| Spoken(until.since(now.boot)));
                match wait {
                    Some(wait) => format!("it is handed out again in {wait}"),
                    None => "it is handed out again".to_owned(),
                }
            }
            TokenState::Pool => pool_next(now, &status.members),
            TokenState::Failing => match at {
                Some(at) => format!("the provider is asked again in {}", until(at)),
                None => {
                    let rest = self.rest(name, &LaneId::of(&profile.source, &key));
                    let rest = rest.map(|(until, _)| Spoken(until.since(now.boot)));
                    match (hint, rest) {
                        (Some(hint), None) => format!("nothing until somebody asks: {hint}"),
                        (Some(hint), Some(rest)) => {
                            format!("nothing until somebody asks, and nothing for {rest}: {hint}")
                        }
                        (None, None) => "nothing until somebody asks for a token".to_owned(),
                        (None, Some(rest)) => format!(
                            "nothing until somebody asks for a token; the provider is left alone for {rest}"
                        ),
                    }
                }
            },
            TokenState::Valid | TokenState::Expired | TokenState::None => match at {
                Some(at) => format!("it is renewed in {}", until(at)),
                None if self.needs_caller(name) => {
                    "it is renewed when somebody asks for it who brings what it presents".to_owned()
                }
                None if profile.policy.keep == Keep::OnDemand => {
                    "it is renewed when somebody asks for it (keep = \"on_demand\")".to_owned()
                }
                None => "nothing until somebody asks for a token".to_owned(),
            },
        }
    }
}

fn pool_next(now: Now, members: &[MemberStatus]) -> String {
    let free = members.iter().filter(|member| member.free).count();
    let soonest = members.iter().filter_map(|member| member.free_at).min();
    match (free, soonest) {
        (0, Some(at)) => format!("a member is free again in {}", Spoken(at.since(now.wall))),
        (0, None) => "nothing until a member has a token again".to_owned(),
        (free, _) => format!("{free} of {} members are free", members.len()),
    }
}

/// A secret that has ended or will soon, and what to do about it.
fn ending(now: Now, secret: &str, at: WallMs, remedy: &str) -> Option<String> {
    match at.since(now.wall) {
        Duration::ZERO => Some(format!("the {secret} has ended: {remedy}")),
        left if left <= ENDING_WITHIN => {
            Some(format!("the {secret} ends in {}: {remedy}", Spoken(left)))
        }
        _ => None,
    }
}
