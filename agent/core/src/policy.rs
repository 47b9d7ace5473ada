//! The time rules, as pure functions of a lifetime. All of them are published in the manual.

use std::time::Duration;

use tokctl_proto::WallMs;

use crate::profile::{Ahead, Lanes, Policy};
use crate::refresh_token::RefreshToken;

/// Lifetime of a request's whole wait when the caller names none.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

const fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// What is taken off the end of a lifetime, for clocks that differ and for the way to the API: 5 %, at
/// most 30 s.
pub fn skew(lifetime: Duration) -> Duration {
    (lifetime / 20).min(seconds(30))
}

/// How long ahead of expiry a token is renewed: 20 %, at least 60 s, at most 10 min, and never more than
/// half the lifetime. A policy may say otherwise; nine tenths of the lifetime are the most, and what the
/// default validity and the skew need is the least.
pub fn lead(lifetime: Duration, policy: &Policy) -> Duration {
    let least = (skew(lifetime) + min_valid_default(Some(lifetime))).mul_f64(1.0 / (1.0 - JITTER));
    let lead = match policy.refresh_ahead {
        None => (lifetime / 5).max(seconds(60)).min(seconds(600)).min(lifetime / 2),
        Some(Ahead::Percent(percent)) => lifetime * u32::from(percent) / 100,
        Some(Ahead::Time(ahead)) => ahead,
    };
    let lead = lead.max(least).min(lifetime * 9 / 10);
    match policy.refresh_ahead_max {
        // With its jitter it must stay below: the provider refuses what comes earlier.
        Some(max) => lead.min(max.mul_f64(1.0 / (1.0 + JITTER))),
        None => lead,
    }
}

/// A token that lives for less is asked for and not renewed ahead of need: with half of that between two
/// requests this would be a hot loop.
pub const RENEWED_LIFETIME_MIN: Duration = Duration::from_secs(2);

/// The share by which a lead is spread, so that tokens issued together are not renewed together.
pub const JITTER: f64 = 0.1;

/// The least time between two requests for one key: 30 s, or half the lifetime where that is less.
pub fn spacing(lifetime: Option<Duration>) -> Duration {
    lifetime.map_or(seconds(30), |lifetime| (lifetime / 2).min(seconds(30)))
}

/// The validity a caller gets who asks for none: 60 s, or a tenth of the lifetime where that is less.
pub fn min_valid_default(lifetime: Option<Duration>) -> Duration {
    lifetime.map_or(Duration::ZERO, |lifetime| (lifetime / 10).min(seconds(60)))
}

/// How long after its last use a token is still renewed ahead of need: seven days with a refresh token,
/// which may die of disuse; without one three lifetimes and at least an hour, since each issue may be
/// billed.
pub fn keep_idle(lifetime: Duration, lanes: Lanes) -> Duration {
    match lanes {
        Lanes::Shared => seconds(7 * 86_400),
        Lanes::PerKey => lifetime.saturating_mul(3).max(seconds(3600)),
    }
}

/// When a refresh token is to be used for its own sake: at half the time after which it dies of disuse, and once
/// at four fifths of its life where its end is known, since the provider may then give one that lives longer. Not
/// sooner after its last use than two requests may follow one another: a provider that says that its tokens die in
/// a moment is not asked in a hot loop.
pub fn keep_alive_at(token: &RefreshToken, idle: Option<Duration>) -> Option<WallMs> {
    if token.is_dead {
        return None;
    }
    let used_at = token.used_at.unwrap_or(token.obtained_at).max(token.obtained_at);
    let by_disuse = idle.map(|idle| used_at.plus(idle / 2));
    let by_age =
        token.expires_at.map(|end| token.obtained_at.plus(end.since(token.obtained_at) * 4 / 5));
    let by_age = by_age.filter(|at| used_at < *at);
    let least = used_at.plus(spacing(None));
    by_disuse.into_iter().chain(by_age).min().map(|at| at.max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skew_is_a_twentieth_up_to_half_a_minute() {
        for (lifetime, expected_ms) in
            [(0, 0), (20, 1_000), (599, 29_950), (600, 30_000), (601, 30_000), (86_400, 30_000)]
        {
            assert_eq!(skew(seconds(lifetime)).as_millis(), expected_ms, "{lifetime}");
        }
    }

    #[test]
    fn lead_keeps_its_four_bounds() {
        for (lifetime, expected) in [
            (0, 0),
            (20, 10),    // half
            (119, 59),   // half, just below a minute (59.5)
            (120, 60),   // half and the floor
            (121, 60),   // the floor
            (300, 60),   // a fifth and the floor
            (305, 61),   // a fifth
            (3000, 600), // a fifth and the ceiling
            (3005, 600), // the ceiling
            (86_400, 600),
        ] {
            assert_eq!(lead(seconds(lifetime), &Policy::DEFAULT).as_secs(), expected, "{lifetime}");
        }
    }

    #[test]
    fn a_policy_names_its_lead_within_bounds() {
        let policy = |refresh_ahead, max_s: Option<u64>| Policy {
            refresh_ahead,
            refresh_ahead_max: max_s.map(seconds),
            ..Policy::DEFAULT
        };
        let time = |s| Some(Ahead::Time(seconds(s)));
        for (ahead, max_s, lifetime, expected) in [
            (Some(Ahead::Percent(20)), None, 36_000, 7_200),
            (Some(Ahead::Percent(50)), None, 3_600, 1_800),
            (Some(Ahead::Percent(90)), None, 3_600, 3_240),
            // Less than the default validity and the skew would leave callers with a token that is too short.
            (Some(Ahead::Percent(1)), None, 3_600, 100),
            (time(1), None, 3_600, 100),
            (time(300), None, 3_600, 300),
            (time(86_400), None, 3_600, 3_240),
            (None, Some(110), 3_600, 100),
            (time(300), Some(220), 3_600, 200),
            (time(300), Some(3_600), 3_600, 300),
        ] {
            let lead = lead(seconds(lifetime), &policy(ahead, max_s));
            assert_eq!(
                lead.as_secs_f64().round() as u64,
                expected,
                "{ahead:?} {max_s:?} {lifetime}"
            );
        }
    }

    #[test]
    fn a_refresh_token_is_used_before_it_dies() {
        let token = |used_s: Option<i64>, expires_s: Option<i64>| RefreshToken {
            obtained_at: WallMs::from_unix_s(1000),
            used_at: used_s.map(WallMs::from_unix_s),
            expires_at: expires_s.map(WallMs::from_unix_s),
            tries: 0,
            is_dead: false,
        };
        for (used_s, expires_s, idle_s, due_s) in [
            (None, None, None, None),
            (None, None, Some(100), Some(1050)),
            (Some(1020), None, Some(100), Some(1070)),
            (None, Some(2000), None, Some(1800)),
            (Some(1799), Some(2000), None, Some(1829)),
            // It was used since, and the provider gave no other: once more would not help.
            (Some(1800), Some(2000), None, None),
            (Some(1800), Some(2000), Some(100), Some(1850)),
            (None, Some(2000), Some(10_000), Some(1800)),
            // However short its life is said to be: whoever says so would be asked in a hot loop.
            (None, Some(1001), None, Some(1030)),
            (None, None, Some(0), Some(1030)),
            (Some(1020), None, Some(1), Some(1050)),
        ] {
            let due = keep_alive_at(&token(used_s, expires_s), idle_s.map(seconds));
            assert_eq!(due, due_s.map(WallMs::from_unix_s), "{used_s:?} {expires_s:?} {idle_s:?}");
        }
        let dead = RefreshToken { is_dead: true, ..token(None, Some(2000)) };
        assert_eq!(keep_alive_at(&dead, Some(seconds(100))), None);
    }

    #[test]
    fn spacing_is_half_a_short_life() {
        for (lifetime, expected_ms) in [
            (None, 30_000),
            (Some(0), 0),
            (Some(20), 10_000),
            (Some(59), 29_500),
            (Some(60), 30_000),
            (Some(61), 30_000),
        ] {
            assert_eq!(spacing(lifetime.map(seconds)).as_millis(), expected_ms, "{lifetime:?}");
        }
    }

    #[test]
    fn the_default_validity_is_a_tenth_of_a_short_life() {
        for (lifetime, expected_ms) in [
            (None, 0),
            (Some(20), 2_000),
            (Some(599), 59_900),
            (Some(600), 60_000),
            (Some(601), 60_000),
        ] {
            assert_eq!(min_valid_default(lifetime.map(seconds)).as_millis(), expected_ms);
        }
    }

    #[test]
    fn keeping_lasts_an_hour_or_three_lives_or_a_week_with_a_refresh_token() {
        for (lanes, lifetime, expected) in [
            (Lanes::PerKey, 20, 3600),
            (Lanes::PerKey, 1200, 3600),
            (Lanes::PerKey, 1201, 3603),
            (Lanes::Shared, 20, 604_800),
            (Lanes::Shared, 1201, 604_800),
        ] {
            assert_eq!(keep_idle(seconds(lifetime), lanes).as_secs(), expected);
        }
    }

    #[test]
    fn a_token_is_always_renewed_before_it_falls_below_the_default_validity() {
        for lifetime in 1..20_000 {
            let lifetime = seconds(lifetime);
            let latest = lead(lifetime, &Policy::DEFAULT).mul_f64(0.9);
            let needed = skew(lifetime) + min_valid_default(Some(lifetime));
            assert!(latest >= needed, "{lifetime:?}: {latest:?} < {needed:?}");
        }
    }
}
