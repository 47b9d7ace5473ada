//! What is known of one key: its token, how it was used, whether it is saved.

use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{BootMs, Now, WallMs};

use crate::event::SaveId;
use crate::policy;
use crate::profile::Lanes;
use crate::token::Token;

/// A key's state. Everything but the token outlives a seal.
#[derive(Debug, Default)]
pub(crate) struct Key {
    pub(crate) token: Option<Arc<Token>>,
    /// The times of the newest token, kept when the token itself is wiped.
    pub(crate) times: Option<Times>,
    /// Tokens obtained from the provider in this run.
    pub(crate) obtained: u64,
    /// Until then its token is new enough to answer a demand for a new one.
    pub(crate) young_until: BootMs,
    pub(crate) last_used: Option<WallMs>,
    pub(crate) saving: Saving,
}

/// When a token was issued and ends, and how far ahead of that it is renewed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) issued_at: WallMs,
    pub(crate) expires_at: Option<WallMs>,
    /// When the life is over on the boot clock, as reckoned when the token came: a wall clock that is
    /// set back does not lengthen it.
    pub(crate) ends_at: BootMs,
    /// How far ahead of its end it is renewed, jittered once. `None`: it had ended when it came, and the
    /// next one would too, so it is asked for and not renewed.
    pub(crate) lead: Option<Duration>,
}

/// Whether the vault has the newest token.
#[derive(Debug, Default)]
pub(crate) enum Saving {
    #[default]
    Saved,
    UnderWay {
        save: SaveId,
        failures: u32,
    },
    Failed {
        failures: u32,
        retry_at: BootMs,
    },
}

impl Times {
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        self.expires_at.map(|end| end.since(self.issued_at))
    }

    /// The times of a token that comes now and is at least of this age. The wall clock may be behind the
    /// time of issue: no token lives longer than its lifetime.
    pub(crate) fn of(
        now: Now,
        issued_at: WallMs,
        expires_at: Option<WallMs>,
        age: Duration,
        lead: Duration,
    ) -> Self {
        let left =
            expires_at.map(|end| end.since(now.wall).min(end.since(issued_at).saturating_sub(age)));
        let ends_at = now.boot.plus(left.unwrap_or_default());
        Self { issued_at, expires_at, ends_at, lead: Some(lead) }
    }

    /// The time to the end, by the clock that is nearer to it.
    pub(crate) fn left(&self, now: Now) -> Option<Duration> {
        Some(self.expires_at?.since(now.wall).min(self.ends_at.since(now.boot)))
    }

    /// How long the token may still be handed out; `None` when it has no known end.
    pub(crate) fn remaining(&self, now: Now) -> Option<Duration> {
        Some(self.left(now)?.saturating_sub(policy::skew(self.lifetime()?)))
    }

    /// The validity that a token of this kind has at best; `None` without an end.
    pub(crate) fn usable(&self) -> Option<Duration> {
        self.lifetime().map(|lifetime| lifetime - policy::skew(lifetime))
    }
}

impl Key {
    /// The token and the time it may still be handed out (`None`: no end), unless that time is up.
    pub(crate) fn live(&self, now: Now) -> Option<(&Arc<Token>, Option<Duration>)> {
        let remaining = self.times?.remaining(now);
        match remaining {
            Some(Duration::ZERO) => None,
            _ => self.token.as_ref().map(|token| (token, remaining)),
        }
    }

    /// When the token should be renewed ahead of need: `None` when it has no end or nobody has used it
    /// for so long that nobody will miss it.
    pub(crate) fn renew_at(&self, now: Now, lanes: Lanes) -> Option<BootMs> {
        let times = self.times?;
        let keep_until = self.last_used?.plus(policy::keep_idle(times.lifetime()?, lanes));
        let wait = times.left(now)?.saturating_sub(times.lead?);
        (now.wall.plus(wait) <= keep_until).then_some(now.boot.plus(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wall clock at `wall_ms` since the boot clock was 0.
    fn at(wall_ms: i64) -> Now {
        Now { wall: WallMs(wall_ms), boot: BootMs(u64::try_from(wall_ms - 1_000_000).unwrap()) }
    }

    /// An hour from 1000.
    fn times() -> Times {
        let ends = Some(WallMs::from_unix_s(4600));
        let lead = Duration::from_secs(600);
        Times::of(at(1_000_000), WallMs::from_unix_s(1000), ends, Duration::ZERO, lead)
    }

    #[test]
    fn a_token_is_handed_out_until_its_skew_and_no_longer() {
        // The skew is 30 s.
        for (now_ms, left_ms) in
            [(1_000_000, 3_570_000), (4_569_999, 1), (4_570_000, 0), (4_570_001, 0), (9_999_999, 0)]
        {
            let left = times().remaining(at(now_ms));
            assert_eq!(left, Some(Duration::from_millis(left_ms)), "{now_ms}");
        }
    }

    #[test]
    fn the_clock_that_is_nearer_to_the_end_decides() {
        for (wall_s, boot_s, left_s) in [(2000, 1000, 2570), (0, 1000, 2570), (3000, 1000, 1570)] {
            let now = Now { wall: WallMs::from_unix_s(wall_s), boot: BootMs(boot_s * 1000) };
            assert_eq!(times().remaining(now), Some(Duration::from_secs(left_s)), "{wall_s}");
        }
    }

    #[test]
    fn an_unused_token_is_not_renewed() {
        // Kept for three lifetimes after its last use: until 1000 + 10 800.
        for (now_s, kept) in [(11_799, true), (11_800, true), (11_801, false)] {
            let key = Key {
                times: Some(times()),
                last_used: Some(WallMs::from_unix_s(1000)),
                ..Key::default()
            };
            let due = key.renew_at(at(now_s * 1000), Lanes::PerKey);
            assert_eq!(due.is_some(), kept, "{now_s}");
        }
        let never_used = Key { times: Some(times()), ..Key::default() };
        assert_eq!(never_used.renew_at(at(1_000_000), Lanes::PerKey), None);
    }
}
