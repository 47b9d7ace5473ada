//! The behaviours that the OpenID Foundation certifies clients on: each of the client test modules of its conformance
//! suite is played by a scripted provider, with the real programs, or has a reason why it is not. This is no
//! certification: the suite itself was not here.
//!
//! `modules.txt` names them all, and a module that nobody plays and nobody explains fails the test. What came of each
//! is printed, with `cargo test -p tokctl-tests oidf -- --nocapture` and without.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokctl_tests::Home;

use super::scene::Place;
use super::{absent, fapi, id_token, keys, login, refresh};

const NAMES: &str = include_str!("modules.txt");
/// Each with an agent of its own, so that a few providers' answers are waited for at a time.
const WORKERS: usize = 4;

/// A module of the suite.
pub(crate) struct Module {
    name: &'static str,
    part: Part,
}

enum Part {
    /// Says what tokctl did, and panics where that was wrong.
    Played(Box<dyn Fn(&Place<'_>) -> String + Send + Sync>),
    NotApplicable(&'static str),
}

pub(crate) fn played(
    name: &'static str,
    play: impl Fn(&Place<'_>) -> String + Send + Sync + 'static,
) -> Module {
    Module { name, part: Part::Played(Box::new(play)) }
}

pub(crate) fn absent(name: &'static str, why: &'static str) -> Module {
    Module { name, part: Part::NotApplicable(why) }
}

/// What came of a module.
enum Outcome {
    Passed(String),
    Failed(String),
    NotApplicable(&'static str),
}

#[test]
fn every_client_module_of_the_conformance_suite_is_played_or_explained() {
    let modules = [
        login::modules(),
        id_token::modules(),
        keys::modules(),
        refresh::modules(),
        fapi::modules(),
        absent::modules(),
    ];
    let modules: Vec<Module> = modules.into_iter().flatten().collect();
    let outcomes = outcomes(&modules);
    let names: Vec<&str> = NAMES.lines().filter(|line| !line.starts_with('#')).collect();
    let unknown: Vec<&&str> = outcomes.keys().filter(|name| !names.contains(*name)).collect();
    assert_eq!(unknown, Vec::<&&str>::new(), "no modules of the suite's");
    assert_eq!(modules.len(), outcomes.len(), "a module is there twice");

    let (mut table, mut counts) = (String::from("\n"), [0; 3]);
    for name in &names {
        let (word, says, count) = match outcomes.get(name) {
            Some(Outcome::Passed(says)) => ("passed", says.as_str(), 0),
            Some(Outcome::NotApplicable(why)) => ("not applicable", *why, 1),
            Some(Outcome::Failed(why)) => ("FAILED", why.as_str(), 2),
            None => ("FAILED", "neither played nor explained", 2),
        };
        counts[count] += 1;
        writeln!(table, "{word:14} {name}: {says}").unwrap();
    }
    let [passed, not_applicable, failed] = counts;
    if failed > 0 {
        write!(table, "{failed} failed, ").unwrap();
    }
    writeln!(table, "{passed} passed, {not_applicable} not applicable").unwrap();
    // Past the capture of `cargo test`, which shows only what fails.
    std::io::stdout().write_all(table.as_bytes()).unwrap();
    assert_eq!(failed, 0, "the table says which");
}

fn outcomes(modules: &[Module]) -> BTreeMap<&'static str, Outcome> {
    let next = AtomicUsize::new(0);
    let work = || {
        let home = Home::new().init_bare();
        let mut outcomes = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(module) = modules.get(index) else { return outcomes };
            let place = Place { home: &home, profile: format!("m{index}") };
            outcomes.push((module.name, module.outcome(&place)));
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

impl Module {
    fn outcome(&self, place: &Place<'_>) -> Outcome {
        match &self.part {
            Part::NotApplicable(why) => Outcome::NotApplicable(why),
            // One that fails does not keep the others from being played.
            Part::Played(play) => match catch_unwind(AssertUnwindSafe(|| play(place))) {
                Ok(says) => Outcome::Passed(says),
                Err(panic) => Outcome::Failed(message(&*panic)),
            },
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}
