//! Random clients, people and mishaps.
//!
//! `TOKCTL_SIM_SEEDS=5000` runs more histories than usual, `TOKCTL_SIM_SEED=7` one of them.

use std::collections::BTreeSet;
use std::env;
use std::panic;
use std::time::Duration;

use tokctl_core::{Changed, Event, Get, Lanes, RequestId, Source, Vault, policy};
use tokctl_proto::{ProfileName, Secret, TokenKey};

use super::dice::Dice;
use super::provider::{Provider, TEMPERS, Temper};
use super::vault::PASSPHRASE;
use super::world::World;

/// Enough to meet every rare turn in a few seconds.
const SEEDS_DEFAULT: u64 = 200;
const ACTS: u64 = 150;

const SOURCES: [Source; 3] =
    [Source::Provider(Lanes::PerKey), Source::Provider(Lanes::Shared), Source::Stored];

/// What this history's clients are like.
struct Habits {
    /// Between two acts, at most.
    gap_ms: u64,
    /// How many scopes clients know.
    scopes: u64,
    /// Whether the wall clock is set while the agent runs.
    clock_is_set: bool,
}

fn seeds() -> Vec<u64> {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("TOKCTL_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("TOKCTL_SIM_SEEDS").unwrap_or(SEEDS_DEFAULT)).collect(),
    }
}

#[test]
fn whatever_happens_the_promises_hold() {
    let (mut sends, mut tokens) = (0, 0);
    for seed in seeds() {
        let Ok(world) = panic::catch_unwind(|| history(seed, false)) else {
            history(seed, true);
            panic!("seed {seed} fails in silence alone");
        };
        sends += world.sends;
        tokens += world.token_replies;
    }
    // A history in which nothing happens keeps every promise.
    let alone = seeds().len() == 1;
    assert!(alone || sends > 0 && tokens > 0, "{sends} requests, {tokens} tokens");
}

#[test]
fn a_seed_is_a_history() {
    for seed in seeds().into_iter().take(20) {
        let digests = [(); 2].map(|()| history(seed, true).digest());
        assert_eq!(digests[0], digests[1], "seed {seed}");
    }
}

/// The main promise: whoever asks for a token that is in use has it at once.
#[test]
fn a_key_in_use_makes_nobody_wait_but_its_first_caller() {
    for seed in seeds().into_iter().take(5) {
        for source in [Source::Provider(Lanes::PerKey), Source::Provider(Lanes::Shared)] {
            for life_s in [20, 60, 300, 3600, 86_400] {
                use_regularly(seed, source, Duration::from_secs(life_s));
            }
        }
    }
}

fn use_regularly(seed: u64, source: Source, life: Duration) {
    let mut world = World::new(seed, true);
    world.naps = false;
    world.vault.kind = Vault::Bare;
    world.add_profile("acme", source);
    let name = ProfileName::parse("acme").unwrap();
    let provider = Provider { temper: Temper::Sound, lifetime: Some(Some(life)) };
    world.providers.insert(name.clone(), provider);
    world.start();
    let first = plain_get(&mut world, &name);
    world.run_for(Duration::from_secs(30));
    assert!(!world.checker.is_waiting(first));
    let start = world.now.boot;
    for _ in 0..20 {
        // Less than an hour, for which a key without a refresh token is kept at least.
        let gap = world.dice.ms(1, 3_500_000);
        world.run_for(gap);
        let request = plain_get(&mut world, &name);
        assert!(!world.checker.is_waiting(request), "a token of {life:?} was not there in time");
    }
    // And nobody pays for more requests than it takes: one a lifetime, each up to a lead and a tenth early.
    let kept = life - policy::lead(life).mul_f64(1.1);
    let needed = world.now.boot.since(start).as_secs_f64() / kept.as_secs_f64();
    assert!(world.sends as f64 <= needed + 2.0, "{} requests, {needed} needed", world.sends);
}

fn plain_get(world: &mut World, name: &ProfileName) -> RequestId {
    let request = new_request(world);
    world.step(Event::Get(Get {
        request,
        key: TokenKey::plain(name.clone()),
        min_valid: None,
        best_effort: false,
        refresh: false,
        timeout: Duration::from_secs(30),
        interactive: false,
    }));
    request
}

fn history(seed: u64, written: bool) -> World {
    let mut world = World::new(seed, written);
    let habits = Habits {
        gap_ms: *world.dice.pick(&[20, 2_000, 30_000, 600_000]),
        scopes: *world.dice.pick(&[1, 3, 40]),
        clock_is_set: world.dice.chance(40),
    };
    world.naps = habits.clock_is_set || world.dice.chance(50);
    world.vault.kind = *world.dice.pick(&[Vault::Passphrase, Vault::Bare, Vault::Absent]);
    for at in 0..1 + world.dice.below(4) {
        let source = *world.dice.pick(&SOURCES);
        world.add_profile(["acme", "beta", "gamma", "delta"][usize::try_from(at).unwrap()], source);
    }
    world.start();
    for _ in 0..ACTS {
        act(&mut world, &habits);
        let gap = world.dice.ms(0, habits.gap_ms);
        world.run_for(gap);
    }
    come_to_rest(&mut world);
    world
}

/// Everybody gets an answer once nothing more goes wrong.
fn come_to_rest(world: &mut World) {
    world.people = false;
    for provider in world.providers.values_mut() {
        provider.temper = Temper::Healthy;
    }
    world.run_for(Duration::from_secs(1800));
    if world.core.lock_state() == "sealed" {
        let request = new_request(world);
        let passphrase = match world.vault.kind {
            Vault::Bare => None,
            Vault::Passphrase | Vault::Absent => Some(Secret::new(PASSPHRASE.to_owned())),
        };
        world.step(Event::Unlock { request, passphrase, interactive: false });
    }
    world.run_for(Duration::from_secs(1800));
    assert_eq!(world.checker.waiting(), [], "somebody never got an answer");
    assert!(world.vault_is_idle(), "something is always written");
}

fn new_request(world: &mut World) -> RequestId {
    RequestId(world.next_id())
}

fn act(world: &mut World, habits: &Habits) {
    match world.dice.below(100) {
        0..=54 => get(world, habits),
        55..=59 => {
            for _ in 0..world.dice.below(20) {
                get(world, habits);
            }
        }
        60..=62 => {
            let request = new_request(world);
            world.step(Event::Lock { request });
        }
        63..=68 => unlock(world),
        69..=74 => {
            let request = new_request(world);
            let interactive = world.dice.chance(50);
            world.step(Event::Admit { request, interactive });
        }
        75..=76 => {
            let profiles = Some(world.edited_profiles());
            world.step(Event::Changed(Changed { profiles, ..Changed::default() }));
        }
        77..=82 => leave(world),
        83..=88 => {
            let temper = *world.dice.pick(TEMPERS);
            let names: Vec<ProfileName> = world.providers.keys().cloned().collect();
            let name = world.dice.pick(&names).clone();
            world.providers.get_mut(&name).unwrap().temper = temper;
        }
        89 => world.vault.bad_disk = world.dice.chance(50),
        90..=91 => {
            let (crash, keep) = (world.dice.chance(50), world.dice.chance(70));
            world.restart(crash, keep);
        }
        92..=93 => {
            let asleep = world.dice.ms(1_000, 40_000_000);
            world.suspend(asleep);
        }
        94..=96 if habits.clock_is_set => set_clock(world),
        97 if world.vault_is_idle() => world.init(),
        _ => {
            let names: BTreeSet<_> =
                world.core.statuses(world.now).into_iter().map(|status| status.profile).collect();
            assert!(world.profiles.keys().eq(&names));
        }
    }
}

fn get(world: &mut World, habits: &Habits) {
    let request = new_request(world);
    let names: Vec<ProfileName> = world.providers.keys().cloned().collect();
    let dice = &mut world.dice;
    let name = match dice.chance(2) {
        true => ProfileName::parse("nobody").unwrap(),
        false => dice.pick(&names).clone(),
    };
    let get = Get {
        request,
        key: key(dice, habits, name),
        min_valid: min_valid(dice),
        best_effort: dice.chance(30),
        refresh: dice.chance(10),
        timeout: Duration::from_millis(*dice.pick(&[0, 100, 5_000, 30_000, 30_000, 1_200_000])),
        interactive: dice.chance(50),
    };
    let sealed_for_good =
        world.core.lock_state() == "sealed" && world.vault_is_idle() && !get.interactive;
    world.step(Event::Get(get));
    assert!(!sealed_for_good || !world.checker.is_waiting(request), "it waits for nobody");
}

fn key(dice: &mut Dice, habits: &Habits, name: ProfileName) -> TokenKey {
    let mut key = TokenKey::plain(name);
    if habits.scopes > 1 && dice.chance(60) {
        key.scope.insert(format!("scope{}", dice.below(habits.scopes)));
    }
    if dice.chance(5) {
        key.audience.insert("https://api.example".to_owned());
    }
    key
}

fn min_valid(dice: &mut Dice) -> Option<Duration> {
    let asked = *dice.pick(&[0, 1, 30, 300, 3600, 86_400]);
    dice.chance(30).then(|| Duration::from_secs(asked))
}

fn unlock(world: &mut World) {
    let request = new_request(world);
    let passphrase = match world.dice.below(4) {
        0 => None,
        1 => Some("wrong"),
        _ => Some(PASSPHRASE),
    };
    let passphrase = passphrase.map(|text| Secret::new(text.to_owned()));
    let interactive = world.dice.chance(50);
    world.step(Event::Unlock { request, passphrase, interactive });
}

/// A client that waits gives up.
fn leave(world: &mut World) {
    let waiting = world.checker.waiting();
    if waiting.is_empty() {
        return;
    }
    let request = *world.dice.pick(&waiting);
    match world.dice.chance(50) {
        true => world.step(Event::Cancel { request }),
        false => world.step(Event::Gone { request }),
    }
}

fn set_clock(world: &mut World) {
    let by = world.dice.ms(1, 100_000_000);
    world.checker.clock_was_set = true;
    let wall = &mut world.now.wall;
    *wall = match world.dice.chance(50) {
        true => wall.plus(by),
        false => wall.minus(by),
    };
}
