//! The time rules, as pure functions of a lifetime. All of them are published in the manual.

use std::time::Duration;

use crate::profile::Lanes;

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
/// half the lifetime.
pub fn lead(lifetime: Duration) -> Duration {
    (lifetime / 5).max(seconds(60)).min(seconds(600)).min(lifetime / 2)
}

/// The least time between two requests in a lane: 30 s, or half the lifetime where that is less.
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
            assert_eq!(lead(seconds(lifetime)).as_secs(), expected, "{lifetime}");
        }
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
            let latest = lead(lifetime).mul_f64(0.9);
            let needed = skew(lifetime) + min_valid_default(Some(lifetime));
            assert!(latest >= needed, "{lifetime:?}: {latest:?} < {needed:?}");
        }
    }
}
