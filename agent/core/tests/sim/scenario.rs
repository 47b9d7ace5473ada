//! Random clients, people and mishaps.
//!
//! `TOKCTL_SIM_SEEDS=5000` runs more histories than usual, `TOKCTL_SIM_FROM=5000` as many from there on,
//! `TOKCTL_SIM_SEED=7` one of them.

use std::collections::BTreeSet;
use std::env;
use std::panic;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokctl_core::{
    Changed, Event, Get, Lanes, Policy, Refresh, Report, RequestId, Rotation, Source, Subject,
    Vault, policy,
};
use tokctl_proto::{ProfileName, Secret, TokenKey};

use super::dice::Dice;
use super::persons::{ORIGINS, any_policy};
use super::provider::{SCOPE, TEMPERS, Temper};
use super::vault::{DiskState, PASSPHRASE};
use super::world::World;

/// Enough to meet every rare turn in a few seconds.
const SEEDS_DEFAULT: u64 = 200;
const ACTS: u64 = 150;

/// What this history's clients are like.
struct Habits {
    /// Between two acts, at most.
    gap_ms: u64,
    /// How many scopes clients know.
    scopes: u64,
    /// Whether the wall clock is set while the agent runs.
    clock_is_set: bool,
    /// How often in a hundred acts the agent is killed soon after.
    crashes: u64,
}

pub(super) fn seeds() -> Vec<u64> {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("TOKCTL_SIM_SEED") {
        Some(seed) => vec![seed],
        None => {
            let from = number("TOKCTL_SIM_FROM").unwrap_or(0);
            (from..from + number("TOKCTL_SIM_SEEDS").unwrap_or(SEEDS_DEFAULT)).collect()
        }
    }
}

#[test]
fn whatever_happens_the_promises_hold() {
    let (mut sends, mut tokens, mut crashes) = (0, 0, 0);
    for seed in seeds() {
        let Ok(world) = panic::catch_unwind(|| history(seed, false)) else {
            history(seed, true);
            panic!("seed {seed} fails in silence alone");
        };
        sends += world.sends;
        tokens += world.token_replies;
        crashes += world.crashes;
    }
    // A history in which nothing happens keeps every promise.
    let alone = seeds().len() == 1;
    let much = sends > 0 && tokens > 0 && crashes > 0;
    assert!(alone || much, "{sends} requests, {tokens} tokens, {crashes} crashes");
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
                use_regularly(seed, source.clone(), Duration::from_secs(life_s));
            }
        }
    }
}

fn use_regularly(seed: u64, source: Source, life: Duration) {
    let mut world = World::new(seed, true);
    world.naps = false;
    world.vault.kind = Vault::Bare;
    world.add_profile("acme", source, "https://one.example", Policy::DEFAULT);
    let name = ProfileName::parse("acme").unwrap();
    let provider = world.providers.get_mut(&name).unwrap();
    provider.temper = Temper::Sound;
    provider.lifetime = Some(Some(life));
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
    let kept = life - policy::lead(life, &Policy::DEFAULT).mul_f64(1.1);
    let needed = world.now.boot.since(start).as_secs_f64() / kept.as_secs_f64();
    assert!(world.sends as f64 <= needed + 2.0, "{} requests, {needed} needed", world.sends);
}

pub(super) fn plain(request: RequestId, name: &ProfileName) -> Get {
    Get {
        request,
        key: TokenKey::plain(name.clone()),
        min_valid: None,
        best_effort: false,
        refresh: false,
        timeout: Duration::from_secs(30),
        interactive: false,
        uses: 1,
        wait: Duration::ZERO,
    }
}

pub(super) fn plain_get(world: &mut World, name: &ProfileName) -> RequestId {
    let request = world.new_request();
    world.step(Event::Get(plain(request, name)));
    request
}

pub(super) fn history(seed: u64, written: bool) -> World {
    let mut world = World::new(seed, written);
    let habits = Habits {
        gap_ms: *world.dice.pick(&[20, 2_000, 30_000, 600_000]),
        scopes: *world.dice.pick(&[1, 3, 40]),
        clock_is_set: world.dice.chance(40),
        crashes: *world.dice.pick(&[0, 0, 3, 20]),
    };
    world.naps = habits.clock_is_set || world.dice.chance(50);
    world.drift_ppm = *world.dice.pick(&[0, 0, 50, -50]);
    world.vault.kind = *world.dice.pick(&[Vault::Passphrase, Vault::Bare, Vault::Absent]);
    world.checker.tokens.clock_was_set = world.drift_ppm != 0;
    people(&mut world);
    world.start();
    for _ in 0..ACTS {
        act(&mut world, &habits);
        let gap = world.dice.ms(0, habits.gap_ms);
        world.run_for(gap);
    }
    come_to_rest(&mut world);
    world
}

/// The profiles of this history.
fn people(world: &mut World) {
    let names = ["acme", "beta", "delta", "gamma", "omega", "sigma"];
    let count = 1 + world.dice.below(6);
    for (name, origin) in names.iter().zip(ORIGINS.iter().cycle()).take(count.try_into().unwrap()) {
        let parsed = ProfileName::parse(name).unwrap();
        let source = world.any_source(&parsed);
        let rotation = *world.dice.pick(&[
            Rotation::Strict,
            Rotation::Strict,
            Rotation::Grace,
            Rotation::None,
        ]);
        let policy = any_policy(&mut world.dice, rotation);
        let subject = world.any_subject(&source);
        world.add_profile(name, source, origin, policy);
        world.profiles.get_mut(&parsed).unwrap().subject = subject;
    }
}

/// Everybody gets an answer once nothing more goes wrong, and every login that works is in use.
fn come_to_rest(world: &mut World) {
    world.people = false;
    world.fuse = None;
    world.vault.disk = DiskState::Good;
    for provider in world.providers.values_mut() {
        provider.temper = Temper::Healthy;
    }
    world.run_for(Duration::from_secs(1800));
    if world.core.lock_state() == "sealed" {
        let request = world.new_request();
        let passphrase = match world.vault.kind {
            Vault::Bare => None,
            Vault::Passphrase | Vault::Given | Vault::Absent => {
                Some(Secret::new(PASSPHRASE.to_owned()))
            }
        };
        world.step(Event::Unlock { request, passphrase, interactive: false });
    }
    world.run_for(Duration::from_secs(1800));
    let waiting = world.checker.callers.waiting();
    assert_eq!(waiting, [], "somebody never got an answer");
    world.pauses();
    world.nothing_is_lost();
    logins_work(world);
}

/// What the provider would take, the agent presents.
fn logins_work(world: &mut World) {
    if world.core.lock_state() != "unlocked" {
        return;
    }
    let names: Vec<ProfileName> = world.profiles.keys().cloned().collect();
    for name in names {
        let subject = world.profiles.get(&name).and_then(|it| it.subject.as_deref());
        // Whether that can be had is another question.
        if !world.presents(&name) || matches!(subject, Some(Subject::Profile(_))) {
            continue;
        }
        let entry = &world.vault.entries[&name];
        let provider = world.providers.get_mut(&name).unwrap();
        provider.temper = Temper::Sound;
        provider.lifetime = Some(Some(Duration::from_secs(3600)));
        let Some(refresh) = entry.refresh.as_ref().filter(|_| entry.secret == provider.secret)
        else {
            continue;
        };
        let family = provider.family(&refresh.token);
        let (is_revoked, is_unsure) = (family.is_revoked, refresh.is_unsure);
        if is_unsure || family.is_broken && !is_revoked {
            continue;
        }
        // Long enough for whatever rest somebody once asked for.
        world.run_for(Duration::from_secs(3700));
        let request = world.new_request();
        let refresh = Refresh {
            request,
            key: TokenKey::plain(name.clone()),
            timeout: Duration::from_secs(120),
            interactive: false,
        };
        world.step(Event::Refresh(refresh));
        world.run_for(Duration::from_secs(130));
        let refresh = world.vault.entries[&name].refresh.as_ref().unwrap();
        if is_revoked {
            assert!(refresh.is_dead, "{name} is refused, and the disk does not know: {refresh:?}");
            continue;
        }
        let used = refresh.used_at.map(|at| world.now.wall.since(at));
        let is_new = used.is_some_and(|used| used < Duration::from_secs(200));
        assert!(is_new, "{name} is not renewed although somebody insists: {used:?}");
        assert!(refresh.intent.is_none() && !refresh.is_dead, "{name}: {refresh:?}");
    }
    world.pauses();
    world.nothing_is_lost();
}

fn act(world: &mut World, habits: &Habits) {
    if habits.crashes > 0 && world.dice.chance(habits.crashes) && world.fuse.is_none() {
        world.fuse = Some(world.dice.below(40));
    }
    match world.dice.below(124) {
        0..=54 => get(world, habits),
        55..=59 => {
            for _ in 0..world.dice.below(20) {
                get(world, habits);
            }
        }
        60..=62 => {
            let request = world.new_request();
            world.step(Event::Lock { request });
        }
        63..=68 => unlock(world),
        69..=74 => admit(world),
        75..=76 => {
            let profiles = Some(world.edited_profiles());
            world.step(Event::Changed(Changed { profiles, ..Changed::default() }));
        }
        77..=82 => leave(world),
        83..=86 => {
            let temper = *world.dice.pick(TEMPERS);
            let name = any_name(world);
            world.providers.get_mut(&name).unwrap().temper = temper;
        }
        87..=88 => {
            let name = any_name(world);
            let mut scope = || match world.dice.below(3) {
                0 => Some(format!("scope{}", world.dice.below(habits.scopes))),
                1 => Some(SCOPE.to_owned()),
                _ => None,
            };
            let (unknown, withheld) = (scope(), scope());
            let provider = world.providers.get_mut(&name).unwrap();
            (provider.unknown, provider.withheld) = (unknown, withheld);
        }
        89 => {
            world.vault.disk = *world.dice.pick(&[
                DiskState::Good,
                DiskState::Good,
                DiskState::Bad,
                DiskState::Broken,
                DiskState::Full,
            ]);
        }
        90 => {
            let keep = world.dice.chance(70);
            world.restart(keep);
        }
        91 => world.crash(),
        92..=93 => {
            let asleep = world.dice.ms(1_000, 40_000_000);
            world.suspend(asleep);
        }
        94..=96 if habits.clock_is_set => set_clock(world),
        97 if world.vault_is_idle() => world.init(),
        98..=102 => refresh(world, habits),
        103..=107 => report(world),
        108 => {
            let name = any_name(world);
            world.revoke(&name);
        }
        120..=121 => {
            let name = any_name(world);
            let takes = world.dice.ms(100, 120_000);
            world.login(&name, takes);
        }
        122..=123 => {
            let (name, stays) = (any_name(world), world.dice.chance(50));
            world.logout(&name, stays);
        }
        110..=111 => {
            let profile = any_name(world);
            world.step(Event::SubjectChanged { profile });
        }
        109 => {
            // The provider takes another secret from now on.
            let name = any_name(world);
            let secret = world.vault.entries[&name].next.unwrap_or(0);
            world.providers.get_mut(&name).unwrap().secret = secret;
        }
        _ => {
            let names: BTreeSet<_> =
                world.core.statuses(world.now).into_iter().map(|status| status.profile).collect();
            assert!(world.profiles.keys().eq(&names));
            for name in names {
                assert!(world.core.why(world.now, &name).is_some());
            }
        }
    }
}

fn any_name(world: &mut World) -> ProfileName {
    let names: Vec<ProfileName> = world.providers.keys().cloned().collect();
    world.dice.pick(&names).clone()
}

fn get(world: &mut World, habits: &Habits) {
    let request = world.new_request();
    let name = match world.dice.chance(2) {
        true => ProfileName::parse("nobody").unwrap(),
        false => any_name(world),
    };
    let dice = &mut world.dice;
    let get = Get {
        request,
        key: key(dice, habits, name),
        min_valid: min_valid(dice),
        best_effort: dice.chance(30),
        refresh: dice.chance(10),
        timeout: Duration::from_millis(*dice.pick(&[0, 100, 5_000, 30_000, 30_000, 1_200_000])),
        interactive: dice.chance(50),
        uses: *dice.pick(&[1, 1, 1, 2, 5]),
        wait: Duration::from_secs(*dice.pick(&[0, 0, 1, 120])),
    };
    let sealed_for_good =
        world.core.lock_state() == "sealed" && world.vault_is_idle() && !get.interactive;
    world.step(Event::Get(get));
    assert!(!sealed_for_good || !world.checker.is_waiting(request), "it waits for nobody");
}

fn refresh(world: &mut World, habits: &Habits) {
    let request = world.new_request();
    let name = any_name(world);
    let dice = &mut world.dice;
    let refresh = Refresh {
        request,
        key: key(dice, habits, name),
        timeout: Duration::from_millis(*dice.pick(&[100, 30_000, 120_000])),
        interactive: dice.chance(50),
    };
    world.step(Event::Refresh(refresh));
}

/// An API says something about a token, often about one that is in use.
fn report(world: &mut World) {
    let request = world.new_request();
    let profile = any_name(world);
    let pool = world.profiles.get(&profile).and_then(super::uses::pool_of);
    let members = pool.map(|pool| pool.members.clone()).unwrap_or_default();
    let member = match members.is_empty() || world.dice.chance(20) {
        true => None,
        false => Some(world.dice.pick(&members).clone()),
    };
    let whose = member.clone().unwrap_or(profile.clone());
    let held = world.vault.entries.get(&whose).and_then(|entry| {
        let token = entry.tokens.values().next()?;
        Some(token.access_token.expose().to_owned())
    });
    let status = *world.dice.pick(&[401, 401, 403, 429, 500]);
    let text = held.filter(|_| world.dice.chance(80));
    let asked = [None, Some(Duration::from_secs(1)), Some(Duration::from_secs(300))];
    let report = Report {
        request,
        profile,
        member,
        status,
        retry_after: *world.dice.pick(&asked),
        digest: text.as_ref().map(|text| Sha256::digest(text.as_bytes()).into()),
    };
    world.step(Event::Report(report));
}

/// Somebody asks for a change, with or without a wish to be alone with a profile.
fn admit(world: &mut World) {
    let request = world.new_request();
    let interactive = world.dice.chance(50);
    let alone = world.dice.chance(50).then(|| any_name(world));
    world.step(Event::Admit { request, interactive, alone });
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
    let request = world.new_request();
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
    let waiting = world.checker.callers.waiting();
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
    world.checker.tokens.clock_was_set = true;
    let wall = &mut world.now.wall;
    *wall = match world.dice.chance(50) {
        true => wall.plus(by),
        false => wall.minus(by),
    };
}
