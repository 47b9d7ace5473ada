//! A crash after every event and every effect of one rotation, and between the two halves of its write.

use std::time::Duration;

use tokctl_core::{Event, Lanes, Rotation, Source, Vault};
use tokctl_proto::ProfileName;

use super::family::{Family, Rotates};
use super::persons::ORIGINS;
use super::provider::Temper;
use super::scenario::{plain_get, seeds};
use super::vault::PASSPHRASE;
use super::world::World;

/// More than one rotation has events and effects.
const INSTANTS: u64 = 40;

/// What a provider does with refresh tokens, and what it makes of a second use.
const FAMILIES: [(Rotates, bool, Rotation); 5] = [
    (Rotates::Always, true, Rotation::Strict),
    (Rotates::Always, false, Rotation::Strict),
    (Rotates::Grace, true, Rotation::Grace),
    (Rotates::Never, true, Rotation::None),
    (Rotates::EveryThird, true, Rotation::Strict),
];

#[test]
fn a_crash_at_any_instant_of_a_rotation_loses_nothing_that_had_arrived() {
    let mut lost = 0;
    let mut crashes = 0;
    for seed in seeds().into_iter().take(10) {
        for (rotates, strict, rotation) in FAMILIES {
            for instant in 0..INSTANTS {
                let world = rotate_and_die(seed, (rotates, strict, rotation), instant);
                crashes += world.crashes;
                lost += world.ledger.lost;
            }
        }
    }
    assert!(crashes > 0, "nothing was killed");
    assert!(lost > 0, "no crash fell between the provider and the disk: the sweep is too coarse");
}

fn rotate_and_die(seed: u64, family: (Rotates, bool, Rotation), instant: u64) -> World {
    let (rotates, strict, rotation) = family;
    let mut world = World::new(seed, true);
    world.vault.kind = Vault::Bare;
    let policy = tokctl_core::Policy { rotation, ..tokctl_core::Policy::DEFAULT };
    world.add_profile("acme", Source::Provider(Lanes::Shared), ORIGINS[0], policy);
    let name = ProfileName::parse("acme").unwrap();
    let id = world.next_id();
    let provider = world.providers.get_mut(&name).unwrap();
    provider.temper = Temper::Sound;
    provider.lifetime = Some(Some(Duration::from_secs(3600)));
    let token = provider.adopt(Family::new(id, rotates, strict), id);
    world.vault.entries.get_mut(&name).unwrap().set_refresh(token, world.now.wall);
    world.start();
    plain_get(&mut world, &name);
    world.run_for(Duration::from_secs(60));
    // The next one is killed, and the one after that is whole again.
    world.suspend(Duration::from_secs(7200));
    world.fuse = Some(instant);
    plain_get(&mut world, &name);
    world.run_for(Duration::from_secs(60));
    world.fuse = None;
    let request = plain_get(&mut world, &name);
    world.run_for(Duration::from_secs(60));
    assert!(!world.checker.is_waiting(request), "nobody answers after a crash at {instant}");
    world.nothing_is_lost();
    let entry = &world.vault.entries[&name];
    let refresh = entry.refresh.clone().unwrap();
    let provider = world.providers.get_mut(&name).unwrap();
    let family = provider.family(&refresh.token);
    // One exchange after the crash was enough, where it could be.
    assert!(
        family.is_broken || refresh.intent.is_none() && !refresh.is_dead,
        "after a crash at {instant}: {refresh:?}"
    );
    world
}

/// The same with a passphrase: nothing happens before somebody types it, and nothing is lost by that.
#[test]
fn an_answer_that_waits_for_the_passphrase_is_read_after_it() {
    for instant in 0..INSTANTS {
        let mut world = World::new(instant, true);
        let policy = tokctl_core::Policy::DEFAULT;
        world.add_profile("acme", Source::Provider(Lanes::Shared), ORIGINS[0], policy);
        let name = ProfileName::parse("acme").unwrap();
        world.providers.get_mut(&name).unwrap().temper = Temper::Sound;
        world.start();
        unlock(&mut world);
        world.fuse = Some(instant);
        plain_get(&mut world, &name);
        world.run_for(Duration::from_secs(60));
        world.fuse = None;
        unlock(&mut world);
        let request = plain_get(&mut world, &name);
        world.run_for(Duration::from_secs(60));
        assert!(!world.checker.is_waiting(request), "nobody answers after a crash at {instant}");
        world.nothing_is_lost();
    }
}

fn unlock(world: &mut World) {
    let request = world.new_request();
    let passphrase = Some(tokctl_proto::Secret::new(PASSPHRASE.to_owned()));
    world.step(Event::Unlock { request, passphrase, interactive: false });
    world.run_for(Duration::from_secs(5));
}
