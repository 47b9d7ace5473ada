//! Many profiles: a herd after a suspend, a pool under load, a simulated year.
//!
//! `TOKCTL_SIM_YEAR=1` runs the year; `TOKCTL_SIM_PROFILES` and `TOKCTL_SIM_DAYS` choose another size.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use tokctl_core::{Event, Keep, Lanes, Policy, Pool, Rate, Source, Vault};
use tokctl_proto::ProfileName;

use super::provider::Temper;
use super::scenario::{plain, plain_get};
use super::world::World;

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3600);

/// How a profile's tokens come about and for how long they live.
struct Kind {
    lanes: Lanes,
    keep: Keep,
    life: Duration,
}

/// One that is asked for every third day is kept for a week where it has a refresh token.
fn kept(number: u64, life: Duration) -> Kind {
    match number % 2 {
        0 => Kind { lanes: Lanes::Shared, keep: Keep::Used, life },
        _ => Kind { lanes: Lanes::PerKey, keep: Keep::Always, life },
    }
}

/// As in life: one in a hundred lives for 20 minutes and one in five for an hour, and these are let go soon after
/// each use; the rest lives from eight hours to thirty days and is there whenever it is asked for.
fn as_in_life(number: u64) -> Kind {
    let casual = |life| Kind { lanes: Lanes::PerKey, keep: Keep::Used, life };
    match number % 100 {
        0 => casual(HOUR / 3),
        1..=20 => casual(HOUR),
        other => {
            let thirds_of_a_day = [1, 2, 3, 9, 21, 42, 90];
            let at = usize::try_from(other).unwrap() % thirds_of_a_day.len();
            kept(number, DAY / 3 * thirds_of_a_day[at])
        }
    }
}

/// Profiles with sound providers at a few places, as `kind` says of each.
fn crowd(profiles: u64, origins: u64, kind: impl Fn(u64) -> Kind) -> (World, Vec<ProfileName>) {
    let mut world = World::new(profiles, false);
    world.vault.kind = Vault::Bare;
    world.checker.tokens.forgetful = true;
    let mut names = Vec::new();
    for number in 0..profiles {
        let text = format!("p{number:05}");
        let Kind { lanes, keep, life } = kind(number);
        let origin = format!("https://op{}.example", number % origins);
        let policy = Policy { keep, ..Policy::DEFAULT };
        world.add_profile(&text, Source::Provider(lanes), &origin, policy);
        let name = ProfileName::parse(&text).unwrap();
        let provider = world.providers.get_mut(&name).unwrap();
        provider.temper = Temper::Sound;
        provider.lifetime = Some(Some(life));
        names.push(name);
    }
    world.start();
    // What is always kept is asked for first, and the vault's thread is busy with it.
    world.run_for(Duration::from_millis(10_000 + 100 * profiles));
    for name in &names {
        plain_get(&mut world, name);
        world.run_for(Duration::from_millis(300));
    }
    world.run_for(Duration::from_secs(600));
    (world, names)
}

#[test]
fn a_herd_that_wakes_up_goes_four_at_a_time_with_callers_first() {
    let (mut world, names) = crowd(300, 2, |number| kept(number, HOUR));
    world.suspend(Duration::from_secs(2 * 3600));
    world.step(Event::Tick);
    // Those who wait are served before the others are renewed.
    let sends = world.sends;
    let waiting: Vec<_> =
        names.iter().step_by(30).map(|name| plain_get(&mut world, name)).collect();
    world.run_for(Duration::from_secs(8));
    for request in &waiting {
        assert!(!world.checker.is_waiting(*request), "{request:?} waits behind the herd");
    }
    assert!(world.sends < sends + 200, "the herd was not spread");
    world.run_for(Duration::from_secs(600));
    assert!(world.sends >= sends + 290, "only {} were renewed", world.sends - sends);
    assert_eq!(world.checker.flights.in_flight_max, 4);
}

#[test]
fn a_pool_s_members_take_turns_and_none_is_used_too_often() {
    let (mut world, names) = crowd(4, 2, |number| kept(number, HOUR));
    let members = names[1..].to_vec();
    let rate = Some(Rate { uses: 5, period: Duration::from_secs(60) });
    let pool = ProfileName::parse("search").unwrap();
    let source = Source::Pool(Arc::new(Pool { members, rate }));
    world
        .profiles
        .insert(pool.clone(), super::world::profile(source, 1, Policy::DEFAULT, "".into()));
    let profiles = Some(world.profiles.clone());
    world.step(Event::Changed(tokctl_core::Changed { profiles, ..Default::default() }));
    world.run_for(Duration::from_secs(60));
    world.checker.uses.strictly_in_turn = true;
    let (mut served, start) = (0, world.now.boot);
    for _ in 0..2_000 {
        let gap = world.dice.ms(1, 5_000);
        world.run_for(gap);
        let request = world.new_request();
        let mut get = plain(request, &pool);
        get.wait = Duration::from_secs(30);
        let before = world.token_replies;
        world.step(Event::Get(get));
        served += world.token_replies - before;
    }
    let minutes = world.now.boot.since(start).as_secs() / 60;
    // Fifteen a minute are allowed, and about 24 are asked for.
    assert!(served <= 15 * (minutes + 1), "{served} in {minutes} minutes");
    assert!(world.token_replies > 12 * minutes, "{} in {minutes}", world.token_replies);
}

#[expect(clippy::print_stderr, reason = "a long run says what it did where tests talk")]
fn told(world: &World, profiles: u64, days: u64) {
    let (requests, tokens) = (world.sends, world.token_replies);
    eprintln!("{profiles} profiles, {days} days, {requests} requests, {tokens} tokens served");
}

fn size(name: &str, usual: u64) -> u64 {
    env::var(name).ok().map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn ten_thousand_profiles_over_a_year() {
    let (profiles, days) = match env::var_os("TOKCTL_SIM_YEAR") {
        Some(_) => (size("TOKCTL_SIM_PROFILES", 10_000), size("TOKCTL_SIM_DAYS", 365)),
        None => (size("TOKCTL_SIM_PROFILES", 200), size("TOKCTL_SIM_DAYS", 3)),
    };
    let (mut world, names) = crowd(profiles, 1 + profiles / 50, as_in_life);
    // Half a minute's nap would be most of a year's events and find nothing new.
    world.naps = false;
    let mut asked = 0_u64;
    for day in 0..days {
        for number in (day % 3..profiles).step_by(3) {
            let name = &names[usize::try_from(number).unwrap()];
            let request = plain_get(&mut world, name);
            let is_casual = number % 100 <= 20;
            let is_served = is_casual || !world.checker.is_waiting(request);
            assert!(is_served, "{name} was not renewed on day {day}");
            asked += 1;
            world.run_for(DAY / u32::try_from(names.len() / 3 + 1).unwrap());
        }
        // The machine sleeps now and then, and is restarted now and then.
        if day % 30 == 7 {
            world.suspend(DAY / 4);
            world.run_for(Duration::from_secs(900));
        }
    }
    assert!(asked > 0 && world.sends > 0);
    assert_eq!(world.ledger.lost, 0, "a sound provider's refresh token was lost");
    told(&world, profiles, days);
}
