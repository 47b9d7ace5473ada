//! A refresh token that each use burns, at the certified provider: it is stored, exchanged, and never used twice.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokctl_tests::idp::Idp;
use tokctl_tests::rotation::{PROFILE, Rotating, add_at, refresh};
use tokctl_tests::{Home, eventually};

const LONG: Duration = Duration::from_secs(600);

fn refreshed(home: &Home) -> String {
    refresh(home, PROFILE).run().ok()
}

#[test]
fn a_refresh_token_is_exchanged_again_and_again() {
    let rotating = Rotating::start(LONG);
    let mut tokens = BTreeSet::from([rotating.home.get(PROFILE)]);
    for _ in 0..3 {
        let token = refreshed(&rotating.home);
        assert_eq!(rotating.idp.call_api(&token).0, 200);
        tokens.insert(token);
    }
    let family = rotating.family();
    assert_eq!((tokens.len(), family.rotations, family.revoked), (4, 4, false));
}

#[test]
fn a_token_is_renewed_ahead_by_its_refresh_token() {
    let rotating = Rotating::start(Duration::from_secs(6));
    let first = rotating.home.get(PROFILE);
    eventually("the agent renews by itself", || (rotating.family().rotations >= 2).then_some(()));
    let second = eventually("the new token is served", || {
        Some(rotating.home.get(PROFILE)).filter(|token| *token != first)
    });
    assert_eq!(rotating.idp.call_api(&second).0, 200);
    assert!(!rotating.family().revoked);
}

#[test]
fn a_restart_asks_nobody_and_goes_on_with_the_successor() {
    let rotating = Rotating::start(LONG);
    let home = &rotating.home;
    let token = home.get(PROFILE);
    refreshed(home);
    for end in [Home::stop_agent, Home::kill_agent] {
        end(home);
        let before = rotating.family().refreshes;
        assert_eq!(home.get(PROFILE), token);
        assert_eq!(rotating.family().refreshes, before, "a restart asked the provider");
    }
    refreshed(home);
    assert!(!rotating.family().revoked);
}

#[test]
fn providers_that_rotate_seldom_or_never_are_served_too() {
    for client in ["rt-none", "rt-third"] {
        let rotating = Rotating::within(Home::new().init_bare(), client, LONG);
        rotating.home.get(PROFILE);
        for _ in 0..6 {
            refreshed(&rotating.home);
        }
        let family = rotating.family();
        assert_eq!((family.refreshes, family.revoked), (7, false), "{client}");
    }
}

#[test]
fn the_next_client_secret_takes_over_when_the_present_one_is_refused() {
    let rotating = Rotating::start(LONG);
    let home = &rotating.home;
    home.get(PROFILE);
    let next = home.secret_file("next", "rt-secret-of-tomorrow");
    home.tokctl(["set-secret", PROFILE, "--next", "--secret-file"]).arg(next).run().ok();
    refreshed(home);

    rotating.idp.change_secret("rt", "rt-secret-of-tomorrow");
    refreshed(home);
    // Promoted: the old one is not tried again, after a restart neither.
    refreshed(home);
    home.stop_agent();
    refreshed(home);
    let refused = rotating.idp.token_requests().iter().filter(|seen| seen["status"] == 401).count();
    assert_eq!((refused, rotating.family().revoked), (1, false));
}

#[test]
fn a_report_of_401_drops_that_token_and_no_newer_one() {
    // The agent leaves a provider alone for half of it.
    let rotating = Rotating::start(Duration::from_secs(10));
    let home = &rotating.home;
    let first = home.get(PROFILE);
    let report = |token: &str| {
        home.tokctl(["report", PROFILE, "--status", "401"]).stdin(token).run().ok();
    };
    report(&first);
    let second = home.get(PROFILE);
    assert_ne!(first, second);
    assert_eq!(rotating.idp.call_api(&second).0, 200);
    report(&first);
    assert_eq!(home.get(PROFILE), second);
    assert!(!rotating.family().revoked);
}

#[test]
fn what_was_done_is_told_without_a_secret() {
    let rotating = Rotating::start(LONG);
    let home = &rotating.home;
    let token = home.get(PROFILE);
    // A token that came a moment ago is new enough, unless another agent got it.
    for command in [["refresh", PROFILE], ["refresh", "--all"]] {
        home.stop_agent();
        home.tokctl(command).run().ok();
    }
    assert_eq!(rotating.family().rotations, 3);

    let why = home.tokctl(["why", PROFILE]).run().ok();
    for word in ["refresh_token", "127.0.0.1", "200", "tokctl probe"] {
        assert!(why.contains(word), "why does not say {word:?}: {why}");
    }
    let status = home.tokctl(["status", "--check"]).run().ok();
    let json = home.tokctl(["why", PROFILE, "--json"]).run().ok();
    for secret in [&token, &rotating.minted.refresh_token, "rt-secret"] {
        for text in [&why, &status, &json] {
            assert!(!text.contains(secret), "a secret is told: {text}");
        }
    }
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["attempts"].as_array().map(Vec::len), Some(3), "{json}");
}

#[test]
fn a_revoked_login_says_what_to_type_and_is_mended_by_another_refresh_token() {
    let mut rotating = Rotating::start(LONG);
    let token = rotating.home.get(PROFILE);
    // Somebody else uses the burnt token, and the provider ends the family.
    let thief = Home::new().init_bare();
    let stolen = rotating.minted.refresh_token.clone();
    add_at(&thief, PROFILE, &rotating.idp, "rt", &stolen).run().ok();
    thief.tokctl(["get", PROFILE]).run().fails(5, &[PROFILE]);
    assert!(rotating.family().revoked);

    let home = &rotating.home;
    refresh(home, PROFILE).run().fails(5, &["invalid_grant", "tokctl "]);
    // It is not asked again and again.
    let asked = rotating.idp.token_requests().len();
    for _ in 0..3 {
        refresh(home, PROFILE).run().exits(5);
    }
    assert_eq!(rotating.idp.token_requests().len(), asked);
    rotating.log_in_again();
    assert_ne!(refreshed(&rotating.home), token);
    assert!(!rotating.family().revoked);
}

#[test]
fn a_pool_hands_its_members_out_in_turn() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    for member in ["one", "two", "three"] {
        let minted = idp.mint("rt");
        add_at(&home, member, &idp, "rt", &minted.refresh_token).run().ok();
    }
    let pool = ["add", "all", "--pool", "one", "--pool", "two", "--pool", "three"];
    home.tokctl(pool).run().ok();
    let get = || {
        let json = home.tokctl(["get", "all", "--json"]).run().json();
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        (text("member"), text("access_token"))
    };
    let three: Vec<_> = (0..3).map(|_| get()).collect();
    let members: BTreeSet<_> = three.iter().map(|(member, _)| member.as_str()).collect();
    assert_eq!(members, BTreeSet::from(["one", "two", "three"]));

    // One that the API refuses is left out until it has recovered.
    let report = ["report", "all", "--member", "two", "--status", "429", "--retry-after", "10m"];
    home.tokctl(report).run().ok();
    for _ in 0..4 {
        assert_ne!(get().0, "two");
    }
    assert!(idp.families("rt").iter().all(|family| !family.revoked));
}
