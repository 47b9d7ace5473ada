//! A vault that answers at once and providers that answer after a while, none of which takes real time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokctl_core::{
    AnswerId, AttemptId, Contents, Core, Effect, Event, Get, Keep, Lanes, Obtained, Outcome,
    Policy, Profile, RequestId, Schedule, ScheduledKey, Source, Start, Token, Vault,
};
use tokctl_proto::{BootMs, Now, ProfileName, Secret, TokenKey, WallMs};

use crate::Result;

/// A day, so that renewals of even the largest core do not come on top of one another.
const LIFETIME: Duration = Duration::from_secs(86_400);
/// No token is renewed before this has passed: more than the lead of any.
const QUIET: Duration = Duration::from_secs(1200);
const BEGIN: Now = Now { wall: WallMs(1_800_000_000_000), boot: BootMs(1_000_000) };
/// An agent does nothing for longer than this only when nothing will ever be due.
const TICKS_MAX: usize = 1_000_000;
/// A provider far away.
const ANSWERS_IN: Duration = Duration::from_millis(200);

pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) now: Now,
    /// Renewals that are over.
    pub(crate) refreshed: usize,
    /// Spent inside the core, but for schedules.
    pub(crate) busy: Duration,
    /// What it took to make each schedule.
    pub(crate) schedules: Vec<Duration>,
    /// The most requests at a time to one origin.
    pub(crate) in_flight_max: usize,
    names: Vec<ProfileName>,
    /// Requests at a time to each origin.
    in_flight: Vec<usize>,
    attempts: BTreeMap<AttemptId, TokenKey>,
    /// When each token is issued that the vault holds, in order of the names.
    issued: fn(usize, usize) -> WallMs,
    todo: VecDeque<Event>,
    /// Answers of providers, in the order in which they come.
    answers: VecDeque<(BootMs, AttemptId)>,
    random: u64,
    last_request: u64,
}

impl World {
    /// So many profiles with so many providers, as an agent knows them that has just been started: when the
    /// token of each ends, spread over a day, and no token.
    pub(crate) fn scheduled(profiles: usize, origins: usize) -> Self {
        Self::new(profiles, origins, |at, of| {
            let share = (LIFETIME - QUIET).as_secs_f64() * at as f64 / of as f64;
            BEGIN.wall.minus(Duration::from_secs_f64(share))
        })
    }

    /// The same with the tokens.
    pub(crate) fn with_tokens(profiles: usize, origins: usize) -> Self {
        let mut world = Self::scheduled(profiles, origins);
        world.load_all();
        world
    }

    /// With tokens that all end together.
    pub(crate) fn all_due_together(profiles: usize, origins: usize) -> Self {
        let mut world = Self::new(profiles, origins, |_, _| BEGIN.wall);
        world.load_all();
        world
    }

    /// Has the entry of every profile read, in no order, since callers have none.
    pub(crate) fn load_all(&mut self) {
        let mut places: Vec<usize> = (0..self.names.len()).collect();
        for last in (1..places.len()).rev() {
            let other = self.below(last + 1);
            places.swap(last, other);
        }
        for at in places {
            let get = self.get(at);
            self.run(get);
        }
    }

    fn new(profiles: usize, origins: usize, issued: fn(usize, usize) -> WallMs) -> Self {
        let shared: Vec<Arc<str>> =
            (0..origins).map(|at| format!("https://id{at}.example").into()).collect();
        let scope = Arc::new(BTreeSet::new());
        let settings = |at: usize| Profile {
            source: Source::Provider(Lanes::PerKey),
            revision: 1,
            policy: Policy { keep: Keep::Always, ..Policy::DEFAULT },
            grant: "client_credentials",
            origin: Arc::clone(&shared[at % origins]),
            scope: Arc::clone(&scope),
            subject: None,
        };
        let names: Vec<ProfileName> = (0..profiles)
            .map(|at| ProfileName::parse(&format!("p{at:06}")).expect("it is a name"))
            .collect();
        let all: BTreeMap<_, _> =
            names.iter().enumerate().map(|(at, name)| (name.clone(), settings(at))).collect();
        let mut world = Self {
            core: Core::new(1),
            now: BEGIN,
            refreshed: 0,
            busy: Duration::ZERO,
            schedules: Vec::new(),
            in_flight_max: 0,
            names,
            in_flight: vec![0; origins],
            attempts: BTreeMap::new(),
            issued,
            todo: VecDeque::new(),
            answers: VecDeque::new(),
            random: 0x9e37_79b9_7f4a_7c15,
            last_request: 0,
        };
        let keys = world.names.iter().enumerate().map(|(at, name)| {
            let issued_at = issued(at, profiles);
            ScheduledKey {
                key: TokenKey::plain(name.clone()),
                issued_at: Some(issued_at),
                expires_at: Some(issued_at.plus(LIFETIME)),
                last_used: Some(issued_at),
                cool_down: None,
                failures: 0,
                trouble: None,
                refused: None,
            }
        });
        let schedule = Some(Schedule { keys: keys.collect(), ..Schedule::default() });
        world.run(Event::Start(Start { vault: Vault::Bare, profiles: all, schedule }));
        world.run(Event::Unlocked(Ok(())));
        world
    }

    /// A number below `end`, of a generator that is the same each time.
    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % end as u64).expect("it is less than a usize")
    }

    pub(crate) fn any_get(&mut self) -> Event {
        let at = self.below(self.names.len());
        self.get(at)
    }

    fn get(&mut self, at: usize) -> Event {
        self.last_request += 1;
        Event::Get(Get {
            request: RequestId(self.last_request),
            key: TokenKey::plain(self.names[at].clone()),
            min_valid: None,
            best_effort: false,
            refresh: false,
            timeout: Duration::from_secs(30),
            interactive: false,
            uses: 1,
            wait: Duration::ZERO,
        })
    }

    /// Goes on to the next answer or deadline, and sees to what is due then.
    pub(crate) fn advance_to_next(&mut self) -> Result<()> {
        let answer = self.answers.front().map(|&(at, _)| at);
        let tick = self.core.poll_timeout();
        let next = answer.into_iter().chain(tick).min().ok_or("nothing will ever be due")?;
        self.pass(next.since(self.now.boot));
        let event = match self.answers.front() {
            Some(&(at, attempt)) if at <= next => {
                self.answers.pop_front();
                self.answer(attempt)
            }
            _ => Event::Tick,
        };
        self.run(event);
        Ok(())
    }

    /// Goes on until so many renewals are over.
    pub(crate) fn advance_until(&mut self, refreshed: usize) -> Result<()> {
        for _ in 0..TICKS_MAX {
            if self.refreshed >= refreshed {
                return Ok(());
            }
            self.advance_to_next()?;
        }
        Err(format!("{} of {refreshed} renewals, and no end", self.refreshed).into())
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = Now { wall: self.now.wall.plus(time), boot: self.now.boot.plus(time) };
    }

    /// Milliseconds of a look at the clock after somebody set it: everything is reckoned anew.
    pub(crate) fn clock_step(&mut self) -> f64 {
        self.now.wall = self.now.wall.plus(Duration::from_millis(200));
        let begun = Instant::now();
        let effects = self.core.handle(self.now, Event::Tick);
        let took = begun.elapsed();
        self.perform(effects);
        self.settle();
        crate::millis(&took)
    }

    fn run(&mut self, event: Event) {
        self.todo.push_back(event);
        self.settle();
    }

    /// Until the vault has nothing more to do.
    fn settle(&mut self) {
        while let Some(event) = self.todo.pop_front() {
            let begun = Instant::now();
            let effects = self.core.handle(self.now, event);
            let took = begun.elapsed();
            match effects.iter().any(|effect| matches!(effect, Effect::SaveSchedule(_))) {
                true => self.schedules.push(took),
                false => self.busy += took,
            }
            self.perform(effects);
        }
    }

    fn answer(&mut self, attempt: AttemptId) -> Event {
        let origin = self.origin_of(&self.attempts[&attempt].profile);
        self.in_flight[origin] -= 1;
        Event::Answered { attempt, result: Ok(AnswerId(attempt.0)) }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let event = match effect {
                Effect::Load { profile } => self.load(profile),
                Effect::SaveIntent { save, .. }
                | Effect::SaveAnswer { save, .. }
                | Effect::SaveTokens { save, .. } => Event::Saved { save, result: Ok(()) },
                Effect::Send { attempt, key, .. } => {
                    let origin = self.origin_of(&key.profile);
                    self.in_flight[origin] += 1;
                    self.in_flight_max = self.in_flight_max.max(self.in_flight[origin]);
                    self.attempts.insert(attempt, key);
                    self.answers.push_back((self.now.boot.plus(ANSWERS_IN), attempt));
                    continue;
                }
                Effect::Classify { attempt, .. } => {
                    self.attempts.remove(&attempt);
                    self.refreshed += 1;
                    let token = token(self.now.wall);
                    let (successor, clock_ahead_s, status) = (None, None, 200);
                    let obtained = Obtained { token, successor, clock_ahead_s, status };
                    Event::Classified { attempt, outcome: Outcome::Tokens(obtained) }
                }
                _ => continue,
            };
            self.todo.push_back(event);
        }
    }

    fn place_of(&self, profile: &ProfileName) -> usize {
        self.names.binary_search(profile).expect("it is one of them")
    }

    fn origin_of(&self, profile: &ProfileName) -> usize {
        self.place_of(profile) % self.in_flight.len()
    }

    fn load(&self, profile: ProfileName) -> Event {
        let at = self.place_of(&profile);
        let token = token((self.issued)(at, self.names.len()));
        let tokens = vec![(TokenKey::plain(profile.clone()), token)];
        Event::Loaded { profile, result: Ok(Contents { tokens, ..Contents::default() }) }
    }
}

/// Its text is short: that of a real one is as long as the provider likes.
fn token(issued_at: WallMs) -> Token {
    Token {
        access_token: Secret::new("t".to_owned()),
        token_type: "Bearer".to_owned(),
        issued_at,
        expires_at: Some(issued_at.plus(LIFETIME)),
        scope: None,
        extra: Secret::default(),
        revision: 1,
    }
}
