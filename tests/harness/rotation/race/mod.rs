//! Many processes ask for a token at the moment it has expired, again and again: with tokctl, with a script in
//! which each process refreshes for itself, and with oidc-agent.

mod herd;
mod naive;
mod oidc_agent;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

pub use naive::naive;
pub use oidc_agent::oidc_agent;

use super::{CLIENT, PROFILE, add_at};
use crate::home::Home;
use crate::idp::{Idp, Minted, Settings};
use herd::Herd;

/// How large a race is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub processes: usize,
    pub rotations: usize,
    /// How long a token lives. The whole herd has to come through in that time, or the next refresh is due.
    pub token_ttl: Duration,
}

/// A provider far away, not on loopback.
const TOKEN_DELAY: Duration = Duration::from_millis(300);

/// What came of one race.
#[derive(Clone, Debug, Default)]
pub struct Race {
    pub who: String,
    pub processes: usize,
    pub rounds: Vec<Round>,
    /// The provider saw a burnt refresh token again and ended the login.
    pub revoked: bool,
}

/// What came of one expiry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Processes that came to a token which the provider takes.
    pub ok: usize,
    pub failed: usize,
    /// Different tokens among them.
    pub tokens: usize,
    /// Token requests that reached the provider.
    pub requests: usize,
    pub took: Duration,
}

impl Race {
    /// Every process got the one token of one refresh, each time.
    pub fn is_clean(&self) -> bool {
        !self.revoked
            && self.rounds.iter().all(|round| {
                (round.ok, round.failed, round.tokens, round.requests) == (self.processes, 0, 1, 1)
            })
    }
}

/// Tokens that a herd came to, and how many processes each.
type Tokens = BTreeMap<String, usize>;

/// What a race is run against.
struct Course {
    idp: Idp,
    minted: Minted,
}

impl Course {
    #[track_caller]
    fn new(client: &str, size: Size) -> Self {
        let idp = Idp::start_with(&Settings {
            token_ttl_s: Some(u32::try_from(size.token_ttl.as_secs()).expect("a short life")),
            token_delay: Some(TOKEN_DELAY),
            ..Settings::default()
        });
        let minted = idp.mint(client);
        Self { idp, minted }
    }

    /// Runs one round after the other, each when the provider no longer takes the token of the last.
    fn run(&self, who: &str, size: Size, first: &str, mut herd: impl FnMut() -> Tokens) -> Race {
        let mut race = Race { who: who.to_owned(), processes: size.processes, ..Race::default() };
        let mut token = first.to_owned();
        for _ in 0..size.rotations {
            crate::eventually("the token expires", || {
                (self.idp.call_api(&token).0 == 401).then_some(())
            });
            let before = self.idp.token_requests().len();
            let begun = Instant::now();
            let mut tokens = herd();
            let took = begun.elapsed();
            let requests = self.idp.token_requests().len() - before;
            tokens.retain(|token, _| self.idp.call_api(token).0 == 200);
            let ok = tokens.values().sum();
            let failed = size.processes - ok;
            race.rounds.push(Round { ok, failed, tokens: tokens.len(), requests, took });
            // Where nobody got one, the old one stays expired.
            token = tokens.pop_last().map_or(token, |(token, _)| token);
        }
        race.revoked = self.idp.family(&self.minted.family).revoked;
        race
    }
}

/// `tokctl get`, so many at once.
#[track_caller]
pub fn tokctl(size: Size) -> Race {
    let course = Course::new(CLIENT, size);
    let home = Home::new().init_bare();
    add_at(&home, PROFILE, &course.idp, CLIENT, &course.minted.refresh_token)
        // Nobody renews ahead: the herd is to meet an expired token.
        .args(["--keep", "on_demand"])
        .run()
        .ok();
    let first = home.get(PROFILE);
    let herd = Herd::new();
    course.run("tokctl", size, &first, || {
        herd.run(size.processes, || home.tokctl(["get", PROFILE]).into_command())
    })
}

impl fmt::Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&Round) -> usize| self.rounds.iter().map(of).sum::<usize>();
        let slowest = self.rounds.iter().map(|round| round.took).max().unwrap_or_default();
        let (who, processes, rounds) = (&self.who, self.processes, self.rounds.len());
        let (ok, requests) = (sum(|round| round.ok), sum(|round| round.requests));
        let login = if self.revoked { "lost" } else { "kept" };
        write!(
            f,
            "| {who} | {processes} x {rounds} | {ok} | {} | {requests} | {login} | {:.1} s |",
            sum(|round| round.failed),
            slowest.as_secs_f64()
        )
    }
}

/// The head of the table whose rows are races.
pub const TABLE_HEAD: &str = "\
| | processes x expiries | got a token | failed | token requests | login | slowest expiry |
|---|---|---|---|---|---|---|";
