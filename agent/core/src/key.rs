//! What is known of one key: its token, how it was used, whether it is saved.

use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{BootMs, Failure, Now, WallMs};

use crate::event::SaveId;
use crate::policy;
use crate::profile::{Keep, Lanes, Policy};
use crate::token::Token;

/// A key's state. Everything but the token outlives a seal.
#[derive(Debug, Default)]
pub(crate) struct Key {
    pub(crate) token: Option<Arc<Token>>,
    /// The times of the newest token, kept when the token itself is wiped.
    pub(crate) times: Option<Times>,
    /// Tokens obtained from the provider in this run.
    pub(crate) obtained: u64,
    /// The provider gave a token a moment ago and is not asked again before this; until then it is new enough
    /// to answer a demand for a new one.
    pub(crate) spaced_until: BootMs,
    /// Until then not even a person who insists gets another: two who insist at a time mean the same.
    pub(crate) insisted_until: BootMs,
    /// The spacing was cut short once, for a token that an API refused while it was new.
    pub(crate) is_hurried: bool,
    /// The token here is the one that came then, and not a forerunner that the vault has kept.
    pub(crate) is_newest: bool,
    pub(crate) last_used: Option<WallMs>,
    pub(crate) saving: Saving,
    /// A new one is wanted without a caller that waits for it: an API refused the last one.
    pub(crate) is_wanted: bool,
    /// The provider granted less than the profile asks for, and nobody who got the token was told.
    pub(crate) is_short: bool,
    /// Renewals that were slept through are not all made up for at once: this one not before this.
    pub(crate) spread_until: BootMs,
    /// What the provider said to what this key asks for, until it gives a token or something changes.
    pub(crate) refused: Option<Box<Refused>>,
}

/// The provider does not give what a key asks for. Nobody but a caller has it asked again.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) failure: Failure,
    /// And no caller before this.
    pub(crate) until: BootMs,
}

/// When a token was issued and ends, and how far ahead of that it is renewed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) issued_at: WallMs,
    pub(crate) expires_at: Option<WallMs>,
    /// When the life is over on the boot clock, as reckoned when the token came: a wall clock that is
    /// set back does not lengthen it.
    pub(crate) ends_at: BootMs,
    /// How far ahead of its end it is renewed, jittered once. `None`: it had ended when it came or lives
    /// for a moment, and so would the next one, so it is asked for and not renewed.
    pub(crate) lead: Option<Duration>,
}

/// Whether the vault has the newest token. A rotation that the vault has not is in its lane.
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
    /// What the provider said, while it is not asked again for this key.
    pub(crate) fn refusal(&self, now: BootMs) -> Option<&Refused> {
        self.refused.as_deref().filter(|refused| refused.until > now)
    }

    /// When the provider may be asked for this key, as far as that is up to the key.
    pub(crate) fn free_at(&self) -> BootMs {
        let refused = self.refused.as_ref().map_or(BootMs::default(), |refused| refused.until);
        self.spaced_until.max(refused)
    }

    /// A person asks for a new token, whatever there is.
    pub(crate) fn insist(&mut self) {
        self.spaced_until = self.spaced_until.min(self.insisted_until);
    }

    /// An API refused the token. A new one may be had at once, but if that is refused while it is new, nothing
    /// speaks for a third.
    pub(crate) fn hurry(&mut self, now: BootMs) {
        let is_new = self.spaced_until > now;
        if is_new && !self.is_hurried {
            self.spaced_until = now;
        }
        self.is_hurried = is_new;
    }

    /// The token and the time it may still be handed out (`None`: no end), unless that time is up.
    pub(crate) fn live(&self, now: Now) -> Option<(&Arc<Token>, Option<Duration>)> {
        let remaining = self.times?.remaining(now);
        match remaining {
            Some(Duration::ZERO) => None,
            _ => self.token.as_ref().map(|token| (token, remaining)),
        }
    }

    /// When the token should be renewed ahead of need: `None` when it has no end, or when nobody will miss it.
    pub(crate) fn renew_at(&self, now: Now, policy: &Policy, lanes: Lanes) -> Option<BootMs> {
        if self.is_wanted {
            return Some(now.boot.max(self.spaced_until));
        }
        let Some(times) = self.times else {
            // Nothing is known of it, or it was dropped.
            return (policy.keep == Keep::Always).then_some(now.boot.max(self.spaced_until));
        };
        let wait = times.left(now)?.saturating_sub(times.lead?);
        let is_kept = match policy.keep {
            Keep::Always => true,
            Keep::OnDemand => false,
            Keep::Used => {
                let idle = policy.keep_idle.unwrap_or_else(|| {
                    policy::keep_idle(times.lifetime().unwrap_or_default(), lanes)
                });
                now.wall.plus(wait) <= self.last_used?.plus(idle)
            }
        };
        let at = now.boot.plus(wait).max(self.spread_until).max(self.spaced_until);
        is_kept.then_some(at)
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
            let due = key.renew_at(at(now_s * 1000), &Policy::DEFAULT, Lanes::PerKey);
            assert_eq!(due.is_some(), kept, "{now_s}");
        }
        let never_used = Key { times: Some(times()), ..Key::default() };
        assert_eq!(never_used.renew_at(at(1_000_000), &Policy::DEFAULT, Lanes::PerKey), None);
    }

    #[test]
    fn a_policy_says_which_tokens_are_renewed() {
        let hour = Duration::from_secs(3600);
        // (keep, keep_idle, last use, whether it is renewed 4000 s after the use)
        for (keep, keep_idle, last_used, kept) in [
            (Keep::Always, None, None, true),
            (Keep::Always, Some(Duration::ZERO), Some(1000), true),
            (Keep::OnDemand, None, Some(5000), false),
            (Keep::Used, None, None, false),
            (Keep::Used, None, Some(1000), true),
            (Keep::Used, Some(hour), Some(1000), false),
            (Keep::Used, Some(hour), Some(1400), true),
        ] {
            let last_used = last_used.map(WallMs::from_unix_s);
            let key = Key { times: Some(times()), last_used, ..Key::default() };
            let policy = Policy { keep, keep_idle, ..Policy::DEFAULT };
            let due = key.renew_at(at(5_000_000), &policy, Lanes::PerKey);
            assert_eq!(due.is_some(), kept, "{keep:?} {keep_idle:?} {last_used:?}");
        }
    }

    #[test]
    fn a_token_that_was_refused_is_wanted_at_once_but_not_in_a_hot_loop() {
        let spaced_until = at(1_030_000).boot;
        let key = Key { is_wanted: true, spaced_until, ..Key::default() };
        for (now_ms, due_ms) in
            [(1_000_000, 1_030_000), (1_030_000, 1_030_000), (1_040_000, 1_040_000)]
        {
            let due = key.renew_at(at(now_ms), &Policy::DEFAULT, Lanes::PerKey);
            assert_eq!(due, Some(at(due_ms).boot), "{now_ms}");
        }
    }

    #[test]
    fn a_new_token_that_is_refused_is_replaced_once_at_once_and_then_spaced() {
        let mut key = Key { spaced_until: BootMs(30_000), ..Key::default() };
        key.hurry(BootMs(1_000));
        assert_eq!(key.spaced_until, BootMs(1_000));
        // The next one came, and is refused as well.
        key.spaced_until = BootMs(32_000);
        for now in [2_000, 3_000] {
            key.hurry(BootMs(now));
            assert_eq!(key.spaced_until, BootMs(32_000));
        }
        // One that had been good for a while starts afresh.
        key.hurry(BootMs(32_000));
        key.spaced_until = BootMs(63_000);
        key.hurry(BootMs(34_000));
        assert_eq!(key.spaced_until, BootMs(34_000));
    }
}
