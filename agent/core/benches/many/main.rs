//! What the core costs with very many profiles: a line `NAME VALUE` for each number, read by `cargo xtask bench`.
//!
//! Two cores, one with few profiles and one with many, have their turns in the same rounds: what is printed
//! is the median of what each round says by itself. Only the time inside the core counts. The schedule is
//! written once a minute at most, and is a number of its own.

mod storm;
mod world;

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use tokctl_core::Event;
use tokctl_proto::ProfileName;

use world::World;

const FEW: usize = 100;
const MANY: usize = 100_000;
/// Operations in a row before the other core has its turn.
const BATCH: usize = 50;
const ROUNDS: usize = 101;
/// A page of /proc/self/statm.
const PAGE_BYTES: f64 = 4096.0;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // `TOKCTL_BENCH_PROFILES` is for work on this program itself.
    let chosen = std::env::var("TOKCTL_BENCH_PROFILES").ok();
    let many = chosen.map_or(Ok(MANY), |text| text.parse())?;
    // The names are the core's; that there is a list of them is not.
    let own = size_of::<ProfileName>() as f64;
    let before = resident()?;
    let each = |now: f64| (now - before) / many as f64 - own;
    let mut large = World::scheduled(many, many.div_ceil(FEW));
    tell("profiles", many as f64)?;
    tell("bytes_per_profile", each(resident()?))?;
    large.load_all();
    tell("bytes_with_token", each(resident()?))?;
    let mut small = World::with_tokens(FEW, 1);

    let measures: [(&str, Measure); 4] = [
        ("get", served_gets),
        ("tick", idle_ticks),
        ("deadline", deadlines),
        ("refresh", refreshes),
    ];
    for (name, measure) in measures {
        let (mut few, mut lot, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let (ours, theirs) = match round % 2 {
                0 => (measure(&mut large)?, measure(&mut small)?),
                _ => {
                    let theirs = measure(&mut small)?;
                    (measure(&mut large)?, theirs)
                }
            };
            few.push(theirs);
            lot.push(ours);
            ratios.push(ours / theirs);
        }
        tell(&format!("{name}_ns_few"), median(few))?;
        tell(&format!("{name}_ns_many"), median(lot))?;
        tell(&format!("{name}_ratio"), median(ratios))?;
    }
    tell("schedule_ms_many", median(large.schedules.iter().map(millis).collect()))?;
    tell("clock_step_ms_many", median((0..9).map(|_| large.clock_step()).collect()))?;
    drop((large, small));
    storm::measure(many.min(storm::PROFILES))
}

/// Nanoseconds of one operation.
type Measure = fn(&mut World) -> Result<f64>;

/// Of profiles drawn at random, as callers come.
fn served_gets(world: &mut World) -> Result<f64> {
    let gets: Vec<Event> = (0..BATCH).map(|_| world.any_get()).collect();
    let (mut served, begun) = (0, Instant::now());
    for get in gets {
        served += world.core.handle(world.now, get).len();
    }
    let took = begun.elapsed();
    match served {
        BATCH => Ok(nanos(took, BATCH)),
        _ => Err(format!("{served} effects of {BATCH} gets").into()),
    }
}

fn idle_ticks(world: &mut World) -> Result<f64> {
    let (mut effects, begun) = (0, Instant::now());
    for _ in 0..BATCH {
        effects += world.core.handle(world.now, Event::Tick).len();
    }
    let took = begun.elapsed();
    match effects {
        0 => Ok(nanos(took, BATCH)),
        _ => Err("something was due".into()),
    }
}

fn deadlines(world: &mut World) -> Result<f64> {
    let begun = Instant::now();
    for _ in 0..BATCH {
        std::hint::black_box(std::hint::black_box(&world.core).poll_timeout());
    }
    Ok(nanos(begun.elapsed(), BATCH))
}

/// Whole renewals as they come due, one after the other.
fn refreshes(world: &mut World) -> Result<f64> {
    let (refreshed, busy) = (world.refreshed, world.busy);
    while world.refreshed < refreshed + BATCH {
        world.advance_to_next()?;
    }
    let took = world.busy.saturating_sub(busy);
    Ok(nanos(took, world.refreshed - refreshed))
}

fn nanos(took: Duration, operations: usize) -> f64 {
    took.as_secs_f64() * 1e9 / operations as f64
}

fn millis(took: &Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// What this process has in memory, in bytes.
fn resident() -> Result<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = statm.split(' ').nth(1).ok_or("no resident size")?.parse()?;
    Ok(pages * PAGE_BYTES)
}

/// The value in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn tell(name: &str, value: f64) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{name} {value}")?)
}
