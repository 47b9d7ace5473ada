//! How long to leave a provider alone after a failure: full jitter between a floor and a doubling ceiling.

use std::time::Duration;

use crate::rng::Rng;

/// Never sooner: no hot loop, whatever the dice say.
pub(crate) const DELAY_MIN: Duration = Duration::from_secs(1);
/// Never later: no silence longer than this while somebody wants the token.
pub(crate) const DELAY_MAX: Duration = Duration::from_secs(300);

/// The delay after the `failures`-th failure in a row, from 1.
pub(crate) fn delay(failures: u32, rng: &mut Rng) -> Duration {
    let ceiling_s = 1_u64.checked_shl(failures).unwrap_or(u64::MAX).min(DELAY_MAX.as_secs());
    let floor_ms = DELAY_MIN.as_secs() * 1000;
    Duration::from_millis(rng.between(floor_ms, (ceiling_s * 1000).max(floor_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_and_stops() {
        for (failures, ceiling_s) in
            [(0, 1), (1, 2), (2, 4), (8, 256), (9, 300), (63, 300), (64, 300), (u32::MAX, 300)]
        {
            let mut rng = Rng::new(7);
            for _ in 0..100 {
                let drawn = delay(failures, &mut rng);
                assert!(drawn >= DELAY_MIN, "{failures}: {drawn:?}");
                assert!(drawn <= Duration::from_secs(ceiling_s), "{failures}: {drawn:?}");
            }
        }
    }
}
