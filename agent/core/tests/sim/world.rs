//! A world around one core: clocks that can part, providers, a vault, people at prompts. It jumps from one
//! deadline to the next and performs every effect.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokctl_core::{
    AnswerId, AttemptId, Core, Event, Lanes, Outcome, Policy, Profile, RequestId, Schedule, Source,
    Start, Vault,
};
use tokctl_proto::{BootMs, Now, ProfileName, WallMs};

use super::checker::Checker;
use super::dice::Dice;
use super::entry::{Entry, Refresh};
use super::ledger::Ledger;
use super::provider::{Provider, Request, SCOPE};
use super::vault::{FakeVault, Work};

/// The driver naps no longer than this.
const NAP_MAX: Duration = Duration::from_secs(30);
/// Steps without time passing, after which nothing but a hot loop is left as an explanation.
const STEPS_AT_ONCE_MAX: usize = 2_000;
const HISTORY_MAX: usize = 400;
/// A stop does not wait for longer.
const STOP_MAX: Duration = Duration::from_secs(35);

/// Between two renewals of whatever is renewed all the time.
const PAUSE_MAX: Duration = Duration::from_secs(180);

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) dice: Dice,
    pub(super) core: Core,
    pub(super) now: Now,
    pub(super) profiles: BTreeMap<ProfileName, Profile>,
    pub(super) providers: BTreeMap<ProfileName, Provider>,
    pub(super) vault: FakeVault,
    pub(super) checker: Checker,
    pub(super) ledger: Ledger,
    /// Whether the driver wakes up every half minute, so that it notices what the clocks do.
    pub(super) naps: bool,
    /// How fast the wall clock runs ahead of the boot clock, in millionths.
    pub(super) drift_ppm: i64,
    drift_left: i64,
    /// When each client has answered what it was asked for; `None` for one that is stopped.
    pub(super) answering: BTreeMap<RequestId, Option<BootMs>>,
    /// Whether people answer prompts at all.
    pub(super) people: bool,
    /// After so many events and effects the agent is killed.
    pub(super) fuse: Option<u64>,
    pub(super) crashes: u64,
    /// Whether the history is written down, which takes most of the time.
    written: bool,
    pub(super) events: u64,
    pub(super) sends: u64,
    pub(super) token_replies: u64,
    pub(super) schedule: Option<Schedule>,
    /// It is what the last agent wrote when it stopped.
    pub(super) schedule_is_last: bool,
    pub(super) pending: BTreeMap<(BootMs, u64), Coming>,
    pub(super) answers: BTreeMap<AnswerId, Outcome>,
    last_id: u64,
    last_step: BootMs,
    steps_at_once: usize,
    history: VecDeque<String>,
    digest: u64,
}

/// What is going to happen.
pub(super) enum Coming {
    Told(Event),
    Worked(Work),
    /// A request arrives at its provider; how long the answer takes, or when its loss will show.
    Arrives(AttemptId, Box<Request>, Result<Duration, Duration>),
    /// An answer arrives at the agent.
    Answer(AttemptId, Box<Outcome>),
}

impl World {
    pub(super) fn new(seed: u64, written: bool) -> Self {
        let now = Now { wall: WallMs::from_unix_s(1_800_000_000), boot: BootMs(5_000) };
        Self {
            seed,
            dice: Dice::new(seed),
            core: Core::new(seed),
            now,
            profiles: BTreeMap::new(),
            providers: BTreeMap::new(),
            vault: FakeVault::new(Vault::Passphrase),
            checker: Checker::default(),
            ledger: Ledger::default(),
            naps: true,
            drift_ppm: 0,
            drift_left: 0,
            answering: BTreeMap::new(),
            people: true,
            fuse: None,
            crashes: 0,
            written,
            events: 0,
            sends: 0,
            token_replies: 0,
            schedule: None,
            schedule_is_last: false,
            pending: BTreeMap::new(),
            answers: BTreeMap::new(),
            last_id: 0,
            last_step: now.boot,
            steps_at_once: 0,
            history: VecDeque::new(),
            digest: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// A profile that everybody knows everything of, with a provider behind it and a secret in the vault.
    pub(super) fn add_profile(&mut self, name: &str, source: Source, origin: &str, policy: Policy) {
        let name = ProfileName::parse(name).unwrap();
        let mut provider = Provider::new(&mut self.dice);
        let mut entry = Entry { has_key: true, ..Entry::default() };
        if source == Source::Provider(Lanes::Shared) {
            let id = self.next_id();
            let token = provider.log_in(&mut self.dice, policy.rotation, id);
            entry.refresh = Some(Refresh::new(token, self.now.wall));
        }
        self.profiles.insert(name.clone(), profile(source, 1, policy, origin.into()));
        self.providers.insert(name.clone(), provider);
        self.vault.entries.insert(name, entry);
    }

    /// A number that names everything told so far.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn new_request(&mut self) -> RequestId {
        RequestId(self.next_id())
    }

    pub(super) fn start(&mut self) {
        // A clock that was set makes nonsense of the times in the schedule.
        let knows_all = self.schedule_is_last && !self.checker.tokens.clock_was_set;
        self.checker.started(self.profiles.clone(), knows_all);
        let start = Start {
            vault: self.vault.kind,
            profiles: self.profiles.clone(),
            schedule: self.schedule.clone(),
        };
        self.step(Event::Start(start));
    }

    /// The agent ends as it should, and another takes its place.
    pub(super) fn restart(&mut self, keep_schedule: bool) {
        self.step(Event::Stop);
        let admitted = self.admitted();
        let waiting = self.checker.callers.waiting();
        let forgotten: Vec<_> = waiting.iter().filter(|it| !admitted.contains(it)).collect();
        assert!(forgotten.is_empty(), "a stop leaves {forgotten:?} waiting");
        let last = self.now.boot.plus(STOP_MAX);
        while !self.core.is_quiet() && self.now.boot < last && self.go_on(last) {}
        if self.core.is_quiet() {
            let rotations = &self.checker.rotations;
            assert!(!rotations.is_under_way(), "quiet with this on the road: {rotations:?}");
            // The vault's thread ends with its queue.
            self.finish_vault();
        }
        if !keep_schedule {
            self.schedule = None;
        }
        self.schedule_is_last = keep_schedule;
        self.die();
    }

    /// Requests that the core has passed on.
    fn admitted(&self) -> Vec<RequestId> {
        let requests = self.pending.values().filter_map(|coming| match coming {
            Coming::Worked(Work::Admin(request)) => Some(*request),
            _ => None,
        });
        requests.filter(|request| self.checker.is_waiting(*request)).collect()
    }

    pub(super) fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now.boot.plus(duration));
    }

    pub(super) fn run_until(&mut self, end: BootMs) {
        while self.go_on(end) {}
        self.advance_to(end);
    }

    /// Goes to the next thing that happens; false when nothing does before the end.
    pub(super) fn go_on(&mut self, end: BootMs) -> bool {
        let event_at = self.pending.keys().next().map(|&(when, _)| when.max(self.now.boot));
        let due_at = self.core.poll_timeout().map(|due| due.max(self.now.boot));
        let nap_at = self.naps.then(|| self.last_step.plus(NAP_MAX).max(self.now.boot));
        let tick_at = due_at.into_iter().chain(nap_at).min();
        let Some(when) = event_at.into_iter().chain(tick_at).min() else { return false };
        if when > end {
            return false;
        }
        self.advance_to(when);
        match event_at {
            Some(at) if at == when => {
                let (_, coming) = self.pending.pop_first().expect("just peeked");
                self.come(coming);
            }
            _ => self.step(Event::Tick),
        }
        true
    }

    /// Until nothing is on the road or being written: a token of a second that is always kept often is, but not
    /// always.
    pub(super) fn pauses(&mut self) {
        let end = self.now.boot.plus(PAUSE_MAX);
        while self.vault.jobs > 0 || self.checker.rotations.is_under_way() {
            assert!(self.go_on(end), "something is always under way");
        }
    }

    fn advance_to(&mut self, when: BootMs) {
        let passed = when.since(self.now.boot);
        if !passed.is_zero() {
            self.steps_at_once = 0;
        }
        self.now = Now { wall: self.now.wall.plus(passed), boot: when.max(self.now.boot) };
        self.drift_left += i64::try_from(passed.as_millis()).unwrap_or(0) * self.drift_ppm;
        let drifted = self.drift_left / 1_000_000;
        self.drift_left -= drifted * 1_000_000;
        self.now.wall = WallMs(self.now.wall.0 + drifted);
    }

    /// Both clocks run on and nobody looks at them.
    pub(super) fn suspend(&mut self, duration: Duration) {
        let until = self.now.boot.plus(duration);
        self.advance_to(until);
    }

    pub(super) fn step(&mut self, event: Event) {
        self.events += 1;
        self.steps_at_once += 1;
        let most = STEPS_AT_ONCE_MAX + 50 * self.profiles.len();
        assert!(self.steps_at_once < most, "time stands still");
        self.last_step = self.now.boot;
        let told = self.written.then(|| format!("{:>12} {event:?}", self.now.boot.0));
        if let Event::Refresh(refresh) = &event {
            self.insists(&refresh.key.profile.clone());
        }
        self.checker.event(self.now, &event);
        let effects = self.core.handle(self.now, event);
        if let Some(told) = told {
            self.note(&format!("{told}\n             -> {effects:?}"));
        }
        self.checker.effects(&self.core, &effects);
        if self.burns() {
            drop(effects);
            return self.crash();
        }
        for effect in effects {
            self.perform(effect);
            if self.burns() {
                return self.crash();
            }
        }
        self.checker.settled(&self.core);
        if self.vault.jobs == 0 {
            let open = self.core.lock_state() == "unlocked";
            assert!(!open || self.vault.open, "the core is wrong about the vault");
        }
    }

    /// A person wants a new token whatever may come of it; of a pool, of its members.
    fn insists(&mut self, name: &ProfileName) {
        let members = match self.profiles.get(name).map(|profile| &profile.source) {
            Some(Source::Pool(pool)) => pool.members.clone(),
            _ => vec![name.clone()],
        };
        for member in members {
            self.ledger.person_insists(&member);
            self.checker.forced(&member);
        }
    }

    /// Whether the fuse has burnt down.
    fn burns(&mut self) -> bool {
        match &mut self.fuse {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    pub(super) fn note(&mut self, line: &str) {
        for byte in line.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(line.to_owned());
    }

    pub(super) fn tell_in(&mut self, delay: Duration, event: Event) {
        self.comes_at(self.now.boot.plus(delay), Coming::Told(event));
    }

    pub(super) fn comes_in(&mut self, delay: Duration, coming: Coming) {
        self.comes_at(self.now.boot.plus(delay), coming);
    }

    pub(super) fn comes_at(&mut self, at: BootMs, coming: Coming) {
        let sequence = self.next_id();
        self.pending.insert((at, sequence), coming);
    }

    /// An agent that knows nothing takes the place of the one that ended.
    pub(super) fn reborn(&mut self) {
        self.pending.clear();
        self.answers.clear();
        self.vault.restart();
        self.fuse = None;
        self.core = Core::new(self.seed);
        self.start();
    }
}

pub(super) fn profile(source: Source, revision: u64, policy: Policy, origin: Arc<str>) -> Profile {
    let scope = Arc::new([SCOPE.to_owned()].into());
    let grant = "refresh_token";
    Profile { source, revision, policy, grant, origin, scope, subject: None }
}

impl Drop for World {
    #[expect(clippy::print_stderr, reason = "a failed history is told where tests talk")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in &self.history {
                eprintln!("{line}");
            }
            eprintln!("reproduce with TOKCTL_SIM_SEED={}", self.seed);
        }
    }
}
