//! A hundred processes ask at the moment of expiry.

use std::time::Duration;

use tokctl_tests::machine;
use tokctl_tests::rotation::race::{Size, naive, tokctl};

#[test]
fn a_hundred_processes_at_expiry_make_one_rotation_each_time() {
    let count = |name, usual| machine::number_from(name, usual) as usize;
    let size = Size {
        processes: count("TOKCTL_RACE", 100),
        rotations: count("TOKCTL_ROTATIONS", 3),
        token_ttl: Duration::from_secs(6),
    };
    let race = tokctl(size);
    assert!(race.is_clean(), "{race:?}");
}

/// What this is for: without it the test above could pass at a provider that forgives.
#[test]
fn without_tokctl_the_same_herd_loses_its_login() {
    let size = Size { processes: 20, rotations: 1, token_ttl: Duration::from_secs(6) };
    let Some(race) = naive(size) else {
        return machine::not_run("there is no python3 for the script");
    };
    assert!(race.revoked && race.rounds[0].failed > 0, "{race:?}");
}
