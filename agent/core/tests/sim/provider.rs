//! Providers of every temper. A token's text says whose it is, so a mix-up shows.

use std::collections::BTreeMap;
use std::time::Duration;

use tokctl_core::{
    Cause, Class, Lanes, Obtained, Outcome, Reached, Rotation, Source, Successor, Token, Trouble,
};
use tokctl_proto::{Failure, Kind, Now, Secret, TokenKey, WallMs};

use super::dice::Dice;
use super::family::{Family, Taken};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temper {
    /// Never fails, and answers within two seconds.
    Sound,
    /// Hardly ever fails.
    Healthy,
    /// Every third attempt fails in one way or another, and answers dawdle.
    Flaky,
    /// Refuses connections.
    Down,
    /// Answers 5xx.
    Failing,
    /// Takes long, and then the line is dead: nobody knows whether the request arrived.
    Stalling,
    /// Answers 429 with Retry-After.
    Busy,
}

pub(super) const TEMPERS: &[Temper] = &[
    Temper::Healthy,
    Temper::Healthy,
    Temper::Healthy,
    Temper::Flaky,
    Temper::Down,
    Temper::Failing,
    Temper::Stalling,
    Temper::Busy,
];

const LIFETIMES_S: &[Option<u64>] =
    &[None, Some(0), Some(1), Some(20), Some(300), Some(3600), Some(10 * 365 * 24 * 3600)];

/// One provider behind one profile.
pub(super) struct Provider {
    pub(super) temper: Temper,
    /// `None`: any of the known ones, anew for each token.
    pub(super) lifetime: Option<Option<Duration>>,
    /// The client secret that it takes.
    pub(super) secret: u64,
    /// A scope that it does not know, and one that it does not grant.
    pub(super) unknown: Option<String>,
    pub(super) withheld: Option<String>,
    families: BTreeMap<u64, Family>,
    /// How far its clock is off.
    clock_ahead_s: Option<i64>,
}

/// A request on its way.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) key: TokenKey,
    pub(super) revision: u64,
    pub(super) presented: Option<String>,
    pub(super) secret: u64,
    pub(super) subject: Option<Secret>,
    pub(super) sent: Now,
}

/// What becomes of a request on the lines.
pub(super) enum Line {
    /// Nobody is there.
    Refused(Duration),
    /// It arrives after this time, and its answer takes as long again.
    Good(Duration),
    /// It is lost on its way there, and that shows after this time.
    LostThere(Duration),
    /// Its answer is lost.
    LostBack(Duration),
}

impl Provider {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let lifetime = dice.chance(70).then(|| any_lifetime(dice));
        let clock_ahead_s = *dice.pick(&[None, Some(0), Some(0), Some(-7200), Some(86_400)]);
        let families = BTreeMap::new();
        Self {
            temper: Temper::Healthy,
            lifetime,
            secret: 0,
            unknown: None,
            withheld: None,
            families,
            clock_ahead_s,
        }
    }

    /// A person logs in: another family.
    pub(super) fn log_in(&mut self, dice: &mut Dice, policy: Rotation, id: u64) -> String {
        self.adopt(Family::any(id, dice, policy), id)
    }

    pub(super) fn adopt(&mut self, family: Family, id: u64) -> String {
        let token = family.current();
        self.families.insert(id, family);
        token
    }

    pub(super) fn family(&mut self, token: &str) -> &mut Family {
        self.families.get_mut(&Family::of(token)).expect("a family that this provider founded")
    }

    pub(super) fn line(&self, dice: &mut Dice) -> Line {
        let quick = match self.temper {
            Temper::Sound => dice.ms(10, 1_000),
            Temper::Flaky => dice.ms(50, 15_000),
            _ if dice.chance(3) => dice.ms(50, 15_000),
            _ => dice.ms(10, 200),
        };
        let slow = dice.ms(10_000, 35_000);
        match self.temper {
            Temper::Down => Line::Refused(quick),
            Temper::Stalling if dice.chance(50) => Line::LostThere(slow),
            Temper::Stalling => Line::LostBack(slow),
            Temper::Flaky if dice.chance(5) => Line::Refused(quick),
            Temper::Flaky if dice.chance(5) => Line::LostThere(slow),
            Temper::Flaky if dice.chance(5) => Line::LostBack(slow),
            _ => Line::Good(quick),
        }
    }

    /// A request has arrived: it is answered, and what it changes is changed, whoever hears of it.
    pub(super) fn answer(&mut self, dice: &mut Dice, wall: WallMs, request: &Request) -> Answer {
        let (fails, kind, status) = match self.temper {
            Temper::Busy => (true, Kind::RateLimited, 429),
            Temper::Failing => (true, Kind::ProviderFailed, 503),
            Temper::Flaky => (dice.chance(25), Kind::ProviderFailed, 500),
            Temper::Healthy => (dice.chance(2), Kind::ProviderFailed, 500),
            Temper::Sound | Temper::Down | Temper::Stalling => (false, Kind::ProviderFailed, 500),
        };
        if fails {
            return Answer::of(self.busy(dice, kind, status));
        }
        if request.secret != self.secret {
            let failure = Failure::new(Kind::ProviderRefused, "invalid_client");
            let trouble = Trouble::new(Class::Permanent, failure).because(Cause::InvalidClient);
            return Answer::of(trouble.reached(Reached::Answered(401)));
        }
        if request.subject.as_ref().is_some_and(|subject| subject.expose().starts_with(STALE)) {
            let failure = Failure::new(Kind::ProviderRefused, "the subject is refused");
            let trouble = Trouble::new(Class::Permanent, failure);
            return Answer::of(trouble.reached(Reached::Answered(400)));
        }
        if self.unknown.as_ref().is_some_and(|scope| request.key.scope.contains(scope)) {
            return Answer::of(invalid_scope(&request.key));
        }
        let Some(presented) = &request.presented else {
            let outcome = self.tokens(dice, wall, request, None);
            return Answer { outcome: self.garbled(dice, outcome), spent: None };
        };
        let again = self.family(presented).has_spent(presented);
        match self.family(presented).present(presented) {
            Taken::Refused => {
                let failure = Failure::new(Kind::LoginRequired, "invalid_grant");
                let trouble =
                    Trouble::new(Class::LoginRequired, failure).because(Cause::InvalidGrant);
                Answer {
                    outcome: Outcome::Failed(trouble.reached(Reached::Answered(400))),
                    spent: Some(Spent { is_new: false, again }),
                }
            }
            Taken::Granted { successor, spent } => {
                let spent = Spent { is_new: spent, again };
                let outcome = self.tokens(dice, wall, request, successor);
                Answer { outcome: self.garbled(dice, outcome), spent: Some(spent) }
            }
        }
    }

    fn busy(&self, dice: &mut Dice, kind: Kind, status: u16) -> Trouble {
        let cause = if status >= 500 { Cause::Provider } else { Cause::Other };
        let failure = Failure::new(kind, "the provider said no");
        let mut trouble =
            Trouble::new(Class::Retry, failure).because(cause).reached(Reached::Answered(status));
        if status == 429 || dice.chance(10) {
            trouble.retry_after = Some(Duration::from_secs(*dice.pick(&[0, 1, 10, 120, 3600])));
        }
        trouble
    }

    /// What becomes of an answer on the way through proxies, gateways and portals: the provider has done what it
    /// was asked for.
    fn garbled(&self, dice: &mut Dice, outcome: Outcome) -> Outcome {
        let is_garbled = match self.temper {
            Temper::Flaky | Temper::Stalling => dice.chance(15),
            Temper::Healthy => dice.chance(1),
            Temper::Sound | Temper::Down | Temper::Failing | Temper::Busy => false,
        };
        let Outcome::Tokens(obtained) = outcome else { return outcome };
        if !is_garbled {
            return Outcome::Tokens(obtained);
        }
        let status = *dice.pick(&[200, 200, 200, 502, 504]);
        let cause = if status == 200 { Cause::Unreadable } else { Cause::Provider };
        let failure = Failure::new(Kind::ProviderFailed, "this is no token reply");
        let mut trouble =
            Trouble::new(Class::Retry, failure).because(cause).reached(Reached::Answered(status));
        // The access token is useless, and the refresh token is not.
        let is_half = status == 200 && dice.chance(60);
        trouble.successor = obtained.successor.filter(|_| is_half).map(Box::new);
        Outcome::Failed(trouble)
    }

    /// Some name it always, others only where it is not what was asked for.
    fn granted(&self, dice: &mut Dice, key: &TokenKey) -> Option<String> {
        let asked: Vec<&str> = match key.scope.is_empty() {
            true => vec![SCOPE],
            false => key.scope.iter().map(String::as_str).collect(),
        };
        let withheld = self.withheld.as_deref();
        let is_less = asked.iter().any(|scope| Some(*scope) == withheld);
        let granted = asked.into_iter().filter(|scope| Some(*scope) != withheld);
        let granted = granted.chain(is_less.then_some("another")).collect::<Vec<_>>().join(" ");
        (is_less || dice.chance(50)).then_some(granted)
    }

    fn tokens(
        &self,
        dice: &mut Dice,
        wall: WallMs,
        request: &Request,
        successor: Option<String>,
    ) -> Outcome {
        let lifetime = self.lifetime.unwrap_or_else(|| any_lifetime(dice));
        let serial = dice.below(u64::MAX);
        let mut token = token(request.sent.wall, &request.key, request.revision, serial, lifetime);
        token.scope = self.granted(dice, &request.key);
        // Sometimes what it gives has been dead for a while.
        if self.temper == Temper::Flaky && dice.chance(5) {
            token.expires_at = Some(wall.minus(Duration::from_secs(60)));
        }
        Outcome::Tokens(Obtained {
            token,
            successor: successor
                .map(|text| Successor { secret: Secret::new(text), expires_at: None }),
            clock_ahead_s: self.clock_ahead_s,
            status: 200,
        })
    }
}

/// The provider does not know what this key asks for.
fn invalid_scope(key: &TokenKey) -> Trouble {
    let failure = Failure::new(Kind::ProviderRefused, format!("{REFUSED_FOR}{key}"));
    Trouble::new(Class::Permanent, failure).because(Cause::Key).reached(Reached::Answered(400))
}

/// Before the name of the key that a scope was refused to.
pub(super) const REFUSED_FOR: &str = "no such scope: ";
/// What clients bring: the name of the profile that wants it follows.
pub(super) const FRESH: &str = "fresh|";
/// And what nobody takes.
pub(super) const STALE: &str = "stale|";
/// What every profile asks for.
pub(super) const SCOPE: &str = "base";

/// What a provider says, and what saying it has changed.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// Where a refresh token was presented and looked at.
    pub(super) spent: Option<Spent>,
}

/// What a use has done to a refresh token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    /// It is spent by this use.
    pub(super) is_new: bool,
    /// It had been spent before.
    pub(super) again: bool,
}

impl Answer {
    fn of(trouble: Trouble) -> Self {
        Self { outcome: Outcome::Failed(trouble), spent: None }
    }
}

/// Nobody was reached, or nobody knows whether somebody was.
pub(super) fn unreached(reached: Reached) -> Trouble {
    let failure = Failure::new(Kind::ProviderUnreachable, "the provider cannot be reached");
    Trouble::new(Class::Retry, failure).because(Cause::Provider).reached(reached)
}

/// Whether requests of this source present a refresh token.
pub(super) fn presents(source: &Source) -> bool {
    *source == Source::Provider(Lanes::Shared)
}

fn any_lifetime(dice: &mut Dice) -> Option<Duration> {
    dice.pick(LIFETIMES_S).map(Duration::from_secs)
}

pub(super) fn token(
    wall: WallMs,
    key: &TokenKey,
    revision: u64,
    serial: u64,
    lifetime: Option<Duration>,
) -> Token {
    Token {
        access_token: Secret::new(format!("{key}|{revision}|{serial}")),
        token_type: "Bearer".to_owned(),
        issued_at: wall,
        expires_at: lifetime.map(|lifetime| wall.plus(lifetime)),
        scope: None,
        extra: Secret::default(),
        revision,
    }
}
