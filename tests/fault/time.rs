//! Clocks that are stepped, and a boot clock that begins elsewhere. The machine's own clocks are never touched.

use std::time::Duration;

use tokctl_tests::process::Running;
use tokctl_tests::provider::Settings;
use tokctl_tests::{Home, Provider, Run, eventually, machine};

/// Long enough for a busy machine to see it, short enough to see it expire.
const SHORT: Duration = Duration::from_secs(6);
const DAY_S: i64 = 24 * 3600;
const MONTH_S: u64 = 30 * 24 * 3600;

fn lifetime(lifetime: Duration) -> Provider {
    Provider::start_with(Settings { lifetime, ..Settings::default() })
}

/// A home with a profile and no agent.
fn prepared(provider: &Provider) -> Home {
    let home = Home::new().init_bare();
    home.add_at("acme", provider);
    home.stop_agent();
    home
}

#[track_caller]
fn listening(home: &Home, run: Run) -> Running {
    let agent = run.start();
    eventually("the agent listens", || home.agent_pid());
    agent
}

/// This home's agent, with a boot clock that is so far ahead.
#[track_caller]
fn agent_ahead(home: &Home, words: &[String]) -> Running {
    let run = home.with_environment(Run::new(&words[0])).args(&words[1..]);
    listening(home, run.arg(&home.programs().agent))
}

#[test]
fn a_boot_clock_that_begins_anew_changes_nothing() {
    let Some(ahead) = machine::boot_clock_ahead(MONTH_S) else { return };
    let provider = lifetime(Duration::from_secs(600));
    let home = prepared(&provider);
    // A machine that has been up for a month is started anew, and one that was started anew is up for a month.
    let agent = agent_ahead(&home, &ahead);
    let token = home.get("acme");
    home.stop_agent();
    drop(agent);
    let agent = listening(&home, home.agent([""; 0]));
    assert_eq!(home.get("acme"), token);
    home.stop_agent();
    drop(agent);
    let _agent = agent_ahead(&home, &ahead);
    assert_eq!(home.get("acme"), token);
    assert_eq!(provider.token_requests().len(), 1, "a restart asked the provider");
}

#[test]
fn expiry_is_obeyed_whatever_the_boot_clock_says() {
    let Some(ahead) = machine::boot_clock_ahead(MONTH_S) else { return };
    let provider = lifetime(SHORT);
    let home = prepared(&provider);
    let agent = agent_ahead(&home, &ahead);
    let first = home.get("acme");
    provider.wait_for_requests(2);
    assert!(provider.is_live(&first), "it was renewed too late");
    home.stop_agent();
    drop(agent);
    provider.wait_for_expiry(&first);

    let _agent = listening(&home, home.agent([""; 0]));
    let token = home.get("acme");
    assert!(token != first && provider.is_live(&token));
}

/// An agent whose wall clock is what a file says. Its boot clock is the machine's.
struct Faked {
    home: Home,
    agent: Running,
}

impl Faked {
    #[track_caller]
    fn start(provider: &Provider) -> Option<Self> {
        let home = prepared(provider);
        let library = machine::wall_clock_library(home.root())?;
        step(&home, 0);
        let run = home
            .agent([""; 0])
            .env("LD_PRELOAD", library)
            .env("WALL_CLOCK_OFFSET_FILE", home.root().join("clock"));
        let agent = listening(&home, run);
        Some(Self { home, agent })
    }
}

#[track_caller]
fn step(home: &Home, offset_s: i64) {
    // Whole or not at all: the agent reads it at any moment.
    let new = home.root().join("clock.new");
    std::fs::write(&new, offset_s.to_string()).unwrap();
    std::fs::rename(new, home.root().join("clock")).unwrap();
}

#[test]
fn a_wall_clock_stepped_forward_past_expiry_brings_a_new_token() {
    // Half of it is how long the agent lets a provider alone between two requests.
    let provider = lifetime(SHORT);
    let Some(mut faked) = Faked::start(&provider) else { return };
    let first = faked.home.get("acme");
    step(&faked.home, 3600);
    let second = faked.home.get("acme");
    assert_ne!(first, second, "a token was served that has expired by the wall clock");
    assert!(provider.is_live(&second));
    assert!(!faked.agent.has_ended());
}

#[test]
fn a_wall_clock_stepped_back_lets_no_token_live_longer() {
    let provider = lifetime(SHORT);
    let Some(mut faked) = Faked::start(&provider) else { return };
    let first = faked.home.get("acme");
    step(&faked.home, -DAY_S);
    provider.wait_for_expiry(&first);
    let second = faked.home.get("acme");
    assert_ne!(first, second, "a token was served longer than it lives");
    assert!(provider.is_live(&second));
    // And it is renewed ahead, as ever.
    let before = provider.token_requests().len();
    provider.wait_for_requests(before + 1);
    assert!(!faked.agent.has_ended());
}

#[test]
fn a_wall_clock_stepped_back_makes_no_hot_loop() {
    let provider = lifetime(Duration::from_secs(600));
    let Some(faked) = Faked::start(&provider) else { return };
    let first = faked.home.get("acme");
    for offset in [-DAY_S, 0, -30 * DAY_S, 10] {
        step(&faked.home, offset);
        for _ in 0..5 {
            faked.home.get("acme");
        }
    }
    let requests = provider.token_requests().len();
    assert!(requests <= 5, "{requests} token requests for four steps");
    assert!(provider.is_live(&first));
}
