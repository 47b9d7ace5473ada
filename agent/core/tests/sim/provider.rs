//! Providers of every temper. A token's text says whose it is, so a mix-up shows.

use std::time::Duration;

use tokctl_core::{Class, Outcome, Token, Trouble};
use tokctl_proto::{Failure, Kind, Secret, TokenKey, WallMs};

use super::dice::Dice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temper {
    /// Never fails, and answers within two seconds.
    Sound,
    /// Hardly ever fails.
    Healthy,
    /// Every third attempt fails, and answers dawdle.
    Flaky,
    Down,
    /// Answers 429 with Retry-After.
    Busy,
    /// Refuses the client until a secret is set.
    Refusing,
    /// Wants a person to log in until a secret is set.
    LoggedOut,
}

pub(super) const TEMPERS: &[Temper] = &[
    Temper::Healthy,
    Temper::Healthy,
    Temper::Healthy,
    Temper::Flaky,
    Temper::Down,
    Temper::Busy,
    Temper::Refusing,
    Temper::LoggedOut,
];

const LIFETIMES_S: &[Option<u64>] =
    &[None, Some(0), Some(1), Some(20), Some(300), Some(3600), Some(10 * 365 * 24 * 3600)];

/// One provider behind one profile.
pub(super) struct Provider {
    pub(super) temper: Temper,
    /// `None`: any of the known ones, anew for each token.
    pub(super) lifetime: Option<Option<Duration>>,
}

/// What becomes of a request, and after how long.
pub(super) struct Fate {
    pub(super) latency: Duration,
    pub(super) outcome: Outcome,
}

impl Provider {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let lifetime = dice.chance(70).then(|| any_lifetime(dice));
        Self { temper: Temper::Healthy, lifetime }
    }

    pub(super) fn asked(
        &self,
        dice: &mut Dice,
        wall: WallMs,
        key: &TokenKey,
        revision: u64,
        serial: u64,
    ) -> Fate {
        let latency = match self.temper {
            Temper::Sound => dice.ms(20, 2_000),
            Temper::Flaky => dice.ms(100, 30_000),
            _ if dice.chance(3) => dice.ms(100, 30_000),
            _ => dice.ms(20, 400),
        };
        let fails = match self.temper {
            Temper::Sound => false,
            Temper::Healthy => dice.chance(2),
            Temper::Flaky => dice.chance(33),
            Temper::Down | Temper::Busy | Temper::Refusing | Temper::LoggedOut => true,
        };
        let outcome = match fails {
            true => Outcome::Failed(self.trouble(dice)),
            false => {
                let lifetime = self.lifetime.unwrap_or_else(|| any_lifetime(dice));
                Outcome::Tokens(token(wall, key, revision, serial, lifetime))
            }
        };
        Fate { latency, outcome }
    }

    fn trouble(&self, dice: &mut Dice) -> Trouble {
        let (class, kind) = match self.temper {
            Temper::Sound | Temper::Healthy | Temper::Flaky => (Class::Retry, Kind::ProviderFailed),
            Temper::Down => (Class::Retry, Kind::ProviderUnreachable),
            Temper::Busy => (Class::Retry, Kind::RateLimited),
            Temper::Refusing => (Class::Permanent, Kind::ProviderRefused),
            Temper::LoggedOut => (Class::LoginRequired, Kind::LoginRequired),
        };
        let mut trouble = Trouble::new(class, Failure::new(kind, "the provider said no"));
        if self.temper == Temper::Busy || dice.chance(10) {
            trouble.retry_after = Some(Duration::from_secs(*dice.pick(&[0, 1, 10, 120, 3600])));
        }
        trouble
    }
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
