//! Very many profiles due at the same moment, as after a night's sleep.

use std::time::Duration;

use crate::world::World;
use crate::{Result, median, nanos, tell};

pub(crate) const PROFILES: usize = 10_000;
/// After it every token has ended.
const SLEEP: Duration = Duration::from_secs(200_000);
const STORMS: usize = 5;
/// Renewals that nothing else is due beside, for comparison.
const SINGLES: usize = 1000;

pub(crate) fn measure(profiles: usize) -> Result<()> {
    tell("storm_profiles", profiles as f64)?;
    for origins in [100, 1] {
        let (mut each, mut ratios, mut in_flight) = (Vec::new(), Vec::new(), 0);
        for _ in 0..STORMS {
            let single = single(profiles, origins)?;
            let mut world = World::all_due_together(profiles, origins);
            let busy = world.busy;
            world.pass(SLEEP);
            world.advance_until(profiles)?;
            let storm = nanos(world.busy - busy, profiles);
            each.push(storm);
            ratios.push(storm / single);
            in_flight = in_flight.max(world.in_flight_max);
        }
        tell(&format!("storm_ns_over_{origins}"), median(each))?;
        tell(&format!("storm_ratio_over_{origins}"), median(ratios))?;
        tell(&format!("storm_in_flight_over_{origins}"), in_flight as f64)?;
    }
    Ok(())
}

/// What a renewal costs by itself with as many profiles.
fn single(profiles: usize, origins: usize) -> Result<f64> {
    let mut world = World::with_tokens(profiles, origins);
    let (refreshed, busy) = (world.refreshed, world.busy);
    world.advance_until(refreshed + SINGLES.min(profiles / 2))?;
    Ok(nanos(world.busy - busy, world.refreshed - refreshed))
}
