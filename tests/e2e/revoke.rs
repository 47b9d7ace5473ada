//! Tokens that are revoked at the certified provider, and everything taken away.

use std::fs;

use serde_json::Value;
use tokctl_tests::gate::{Gate, Pass};
use tokctl_tests::idp::{Idp, Minted};
use tokctl_tests::rotation::add_at;
use tokctl_tests::{Home, Provider, Run, eventually};

/// A profile with a refresh token, at a provider behind a gate: revocations alone go through that.
struct Scene {
    home: Home,
    idp: Idp,
    gate: Gate,
    minted: Minted,
}

impl Scene {
    fn new() -> Self {
        let (home, idp) = (Home::new().init_bare(), Idp::start());
        let gate = Gate::before(idp.issuer());
        let minted = idp.mint("rt");
        add_at(&home, "acme", &idp, "rt", &minted.refresh_token)
            .args(["--revocation-endpoint", &gate.url("/token/revocation")])
            .run()
            .ok();
        Self { home, idp, gate, minted }
    }

    /// `tokctl` with what it asks agreed to.
    fn agreed(&self, arguments: &[&str]) -> Run {
        self.home.tokctl(arguments).arg("--yes")
    }

    fn is_alive(&self) -> bool {
        !self.idp.family(&self.minted.family).revoked
    }

    fn tombstones(&self) -> Vec<std::path::PathBuf> {
        match fs::read_dir(self.home.vault().join("tombstones")) {
            Ok(found) => found.map(|found| found.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        }
    }

    #[track_caller]
    fn assert_needs_a_secret(&self) {
        self.home.tokctl(["get", "acme"]).run().fails(5, &["acme", "tokctl "]);
        assert_eq!(self.home.status("acme")["state"], "login");
    }

    /// Until the tombstone is worked off.
    #[track_caller]
    fn wait_until_revoked(&self) {
        eventually("what was put off is done", || self.tombstones().is_empty().then_some(()));
        assert!(!self.is_alive());
    }

    /// The agent's warnings about revocations.
    fn warnings(&self) -> Vec<String> {
        let status = self.home.agent_status();
        let warnings = status["warnings"].as_array().cloned().unwrap_or_default().into_iter();
        let warnings = warnings.filter_map(|it| it.as_str().map(str::to_owned));
        warnings.filter(|it| it.contains("still to be revoked")).collect()
    }
}

#[test]
fn a_revoked_token_is_refused_by_the_api_and_the_next_is_not() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let client = idp.client("basic");
    home.add("acme", &client.id, &client.secret).args(["--issuer", idp.issuer()]).run().ok();
    let narrow = ["get", "acme", "--scope", "read:data"];
    let (token, other) = (home.get("acme"), home.tokctl(narrow).run().ok());
    assert_eq!(idp.call_api(&token).0, 200);
    home.tokctl(["revoke", "acme", "--yes"]).run().ok();
    assert_eq!(idp.call_api(&token).0, 401);
    // Exactly that one, here and there.
    assert_eq!(idp.call_api(&other).0, 200);
    assert_eq!(home.tokctl(narrow).run().ok(), other);
    let next = home.get("acme");
    assert_ne!(next, token);
    assert_eq!(idp.call_api(&next).0, 200);
    let out = home.tokctl(["revoke", "acme", "--scope", "write:data", "--yes"]).run().exits(0);
    assert!(out.stderr.contains("nothing was revoked"), "{out:?}");
}

#[test]
fn a_provider_that_ends_the_refresh_token_too_is_understood() {
    let scene = Scene::new();
    let token = scene.home.get("acme");
    scene.agreed(&["revoke", "acme"]).run().ok();
    assert_eq!(scene.idp.call_api(&token).0, 401);
    assert!(scene.gate.bodies()[0].ends_with("token_type_hint=access_token"));
    // This one does, as RFC 7009 section 2.1 lets it.
    assert!(!scene.is_alive());
    scene.assert_needs_a_secret();
}

#[test]
fn a_logout_ends_the_family_and_keeps_the_client_secret() {
    let scene = Scene::new();
    let token = scene.home.get("acme");
    scene.agreed(&["logout", "acme"]).run().ok();
    assert_eq!(scene.idp.call_api(&token).0, 401);
    assert!(!scene.is_alive());
    let bodies = scene.gate.bodies();
    // The refresh token, the one that was burnt for it, the access token.
    let hints: Vec<_> = bodies.iter().filter_map(|body| body.rsplit('=').next()).collect();
    assert_eq!(hints, ["refresh_token", "refresh_token", "access_token"]);
    scene.assert_needs_a_secret();
    scene.home.stop_agent();
    scene.assert_needs_a_secret();
    let show = scene.home.tokctl(["show", "acme", "--json"]).run().json();
    assert_eq!(show["secrets"], Value::from(vec!["client_secret"]));

    // Another refresh token, and it goes on.
    let minted = scene.idp.mint("rt");
    let file = scene.home.secret_file("again", &minted.refresh_token);
    scene.home.tokctl(["set-secret", "acme", "--refresh-token-file"]).arg(file).run().ok();
    assert_eq!(scene.idp.call_api(&scene.home.get("acme")).0, 200);
}

#[test]
fn a_removed_profile_leaves_nothing_alive() {
    let scene = Scene::new();
    let token = scene.home.get("acme");
    scene.agreed(&["remove", "acme"]).run().ok();
    assert_eq!(scene.idp.call_api(&token).0, 401);
    assert!(!scene.is_alive());
    assert!(scene.home.profiles().is_empty());
    assert!(!scene.home.entry("acme").exists() && scene.tombstones().is_empty());
}

#[test]
fn a_purge_leaves_nothing_behind() {
    let scene = Scene::new();
    let token = scene.home.get("acme");
    scene.home.tokctl(["purge"]).run().fails(2, &["--yes"]);
    assert!(scene.home.config().exists());
    scene.agreed(&["purge"]).run().ok();
    assert_eq!(scene.idp.call_api(&token).0, 401);
    assert!(!scene.is_alive());
    assert!(scene.home.agent_pid().is_none());
    assert!(!scene.home.path().exists(), "{:?}", fs::read_dir(scene.home.path()).unwrap());

    // And it can all begin anew.
    let Scene { home, .. } = scene;
    home.init_bare();
}

#[test]
fn a_purge_tells_what_it_could_not_revoke() {
    let scene = Scene::new();
    scene.home.get("acme");
    scene.gate.set(Pass::Nowhere);
    let purged = scene.agreed(&["purge"]).run().exits(0);
    assert!(
        purged.stderr.contains("warning: acme: cannot reach")
            && purged.stderr.contains("the refresh token and the access token live"),
        "{purged:?}"
    );
    assert!(scene.is_alive() && !scene.home.path().exists());
}

#[test]
fn a_provider_that_is_busy_is_asked_again_when_it_said_so() {
    let scene = Scene::new();
    scene.home.get("acme");
    for _ in 0..2 {
        scene.gate.set_next(Pass::Busy(1));
    }
    let out = scene.agreed(&["logout", "acme"]).run().exits(0);
    assert!(out.stderr.contains("revoked as soon as they can be"), "{out:?}");
    scene.assert_needs_a_secret();
    scene.wait_until_revoked();
    // Each failure was about the refresh token, which comes first.
    let bodies = scene.gate.bodies();
    assert_eq!(bodies.len(), 5, "{bodies:?}");
    assert!(bodies[..3].iter().all(|body| body == &bodies[0]), "{bodies:?}");
    eventually("nothing is to be told any more", || scene.warnings().is_empty().then_some(()));
}

#[test]
fn what_could_not_be_revoked_offline_is_revoked_after_a_restart() {
    let scene = Scene::new();
    let token = scene.home.get("acme");
    scene.gate.set(Pass::Nowhere);
    let out = scene.agreed(&["remove", "acme"]).run().exits(0);
    assert!(out.stderr.contains("cannot reach"), "{out:?}");
    assert_eq!(scene.tombstones().len(), 1);
    let warnings = scene.warnings();
    assert!(warnings[0].starts_with("acme: 2 tokens are still to be revoked"), "{warnings:?}");
    let status = scene.home.tokctl(["status"]).run().exits(0);
    assert!(status.stderr.contains("acme: 2 tokens are still to be revoked"), "{status:?}");

    // Still offline: tried when the vault is opened, and kept.
    for end in [Home::stop_agent, Home::kill_agent] {
        end(&scene.home);
        let before = scene.gate.bodies().len();
        scene.home.profiles();
        scene.gate.wait_for_requests(before + 1);
        eventually("it is told why", || {
            scene.warnings().first()?.contains("cannot reach").then_some(())
        });
        assert_eq!(scene.tombstones().len(), 1);
    }
    assert!(scene.is_alive());

    scene.gate.set(Pass::Through);
    scene.home.stop_agent();
    scene.home.profiles();
    scene.wait_until_revoked();
    assert_eq!(scene.idp.call_api(&token).0, 401);
}

#[test]
fn a_kill_between_the_revocation_and_its_note_leaves_a_logout_that_can_be_repeated() {
    let scene = Scene::new();
    scene.home.get("acme");
    scene.gate.set_next(Pass::KeepAnswer);
    let logout = scene.agreed(&["logout", "acme"]).start();
    scene.gate.wait_for_kept();
    // The provider has done it, and nobody here knows.
    assert!(!scene.is_alive());
    scene.home.kill_agent();
    logout.finish().fails(9, &[]);
    scene.gate.release();

    let show = scene.home.tokctl(["show", "acme", "--json"]).run().json();
    assert_eq!(show["secrets"], Value::from(vec!["client_secret", "refresh_token"]));
    assert!(scene.tombstones().is_empty());
    let again = scene.agreed(&["logout", "acme"]).run().exits(0);
    assert!(again.stderr.contains("revoked the refresh token"), "{again:?}");
    scene.assert_needs_a_secret();
}

#[test]
fn local_makes_no_request() {
    for command in ["logout", "remove", "purge"] {
        let scene = Scene::new();
        let token = scene.home.get("acme");
        let asked = scene.idp.token_requests().len();
        let arguments = match command {
            "purge" => &["purge", "--local"][..],
            command => &[command, "acme", "--local"],
        };
        scene.agreed(arguments).run().ok();
        assert!(scene.is_alive());
        assert_eq!(scene.idp.call_api(&token).0, 200);
        assert_eq!((scene.gate.bodies().len(), scene.idp.token_requests().len()), (0, asked));
    }
}

#[test]
fn others_are_answered_while_a_revocation_hangs() {
    let scene = Scene::new();
    scene.home.get("acme");
    let minted = scene.idp.mint("rt");
    add_at(&scene.home, "beta", &scene.idp, "rt", &minted.refresh_token).run().ok();
    scene.gate.set(Pass::KeepAnswer);
    let mut logout = scene.agreed(&["logout", "acme"]).start();
    scene.gate.wait_for_kept();
    assert_eq!(scene.idp.call_api(&scene.home.get("beta")).0, 200);
    assert!(!logout.has_ended());
    scene.gate.release();
    logout.finish().ok();
}

#[test]
fn stock_age_opens_a_tombstone() {
    let scene = Scene::new();
    scene.gate.set(Pass::Nowhere);
    scene.agreed(&["logout", "acme"]).run().ok();
    let tombstone = scene.tombstones().remove(0);
    let age = scene.home.with_environment(Run::new("age")).arg("--decrypt").arg("--identity");
    let opened = age.arg(scene.home.vault().join("identity.txt")).arg(&tombstone).run().ok();
    assert!(opened.starts_with("tokctl-tombstone 1 "), "{opened}");
    assert!(opened.contains(&scene.minted.refresh_token), "{opened}");
    // Its file shows nothing of it.
    let bytes = fs::read(tombstone).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(&scene.minted.refresh_token));
}

#[test]
fn a_provider_without_an_endpoint_is_told_of_and_the_token_is_forgotten() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let token = home.get("acme");
    let out = home.tokctl(["logout", "acme", "--yes"]).run().exits(0);
    assert!(
        out.stderr.contains(
            "acme's provider has no revocation endpoint: the access token lives for another"
        ),
        "{out:?}"
    );
    assert!(provider.is_live(&token));
    assert_eq!(home.status("acme")["state"], "none");
    assert_ne!(home.get("acme"), token);
}

#[test]
fn a_token_is_looked_at_and_not_shown() {
    let scene = Scene::new();
    scene.home.tokctl(["inspect", "acme"]).run().fails(2, &["tokctl get acme"]);
    let token = scene.home.get("acme");
    let out = scene.home.tokctl(["inspect", "acme", "--json"]).run().exits(0);
    assert!(!out.stdout.contains(&token), "{out:?}");
    let seen = out.json();
    assert_eq!((&seen["active"], &seen["claims"]), (&Value::Bool(true), &Value::Null));
    assert_eq!(seen["introspection"]["client_id"], "rt");
    let text = scene.home.tokctl(["inspect", "acme"]).run().ok();
    assert!(text.contains("the provider says that the token is active"), "{text}");
    // Somebody else uses the burnt refresh token, and the provider ends what came of it.
    let thief = Home::new().init_bare();
    add_at(&thief, "acme", &scene.idp, "rt", &scene.minted.refresh_token).run().ok();
    thief.tokctl(["get", "acme"]).run().exits(5);
    let seen = scene.home.tokctl(["inspect", "acme", "--json"]).run().json();
    assert_eq!(seen["active"], false);
    let log = fs::read_to_string(scene.home.path().join("state/agent.log")).unwrap();
    assert!(!log.contains("client_id") && !log.contains(&token), "{log}");
}
