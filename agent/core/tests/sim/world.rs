//! A world around one core: clocks that can part, providers, a vault, people at prompts. It jumps from one
//! deadline to the next and performs every effect.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokctl_core::{
    AnswerId, Changed, Core, Effect, Event, Lanes, Outcome, Profile, RequestId, Schedule, Source,
    Start, Vault, VaultChange,
};
use tokctl_proto::{BootMs, Now, ProfileName, Secret, WallMs};

use super::checker::Checker;
use super::dice::Dice;
use super::provider::{Fate, Provider};
use super::vault::{FakeVault, PASSPHRASE, Work};

/// The driver naps no longer than this.
const NAP_MAX: Duration = Duration::from_secs(30);
/// Steps without time passing, after which nothing but a hot loop is left as an explanation.
const STEPS_AT_ONCE_MAX: u32 = 2_000;
const HISTORY_MAX: usize = 40;

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) dice: Dice,
    pub(super) core: Core,
    pub(super) now: Now,
    pub(super) profiles: BTreeMap<ProfileName, Profile>,
    pub(super) providers: BTreeMap<ProfileName, Provider>,
    pub(super) vault: FakeVault,
    pub(super) checker: Checker,
    /// Whether the driver wakes up every half minute, so that it notices what the clocks do.
    pub(super) naps: bool,
    /// Whether people answer prompts at all.
    pub(super) people: bool,
    /// Whether the history is written down, which takes most of the time.
    written: bool,
    pub(super) sends: u64,
    pub(super) token_replies: u64,
    schedule: Option<Schedule>,
    pending: BTreeMap<(BootMs, u64), Coming>,
    answers: BTreeMap<AnswerId, Outcome>,
    last_id: u64,
    last_step: BootMs,
    steps_at_once: u32,
    history: VecDeque<String>,
    digest: u64,
}

/// What is going to happen.
enum Coming {
    Told(Event),
    Worked(Work),
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
            naps: true,
            people: true,
            written,
            sends: 0,
            token_replies: 0,
            schedule: None,
            pending: BTreeMap::new(),
            answers: BTreeMap::new(),
            last_id: 0,
            last_step: now.boot,
            steps_at_once: 0,
            history: VecDeque::new(),
            digest: 0xcbf2_9ce4_8422_2325,
        }
    }

    pub(super) fn add_profile(&mut self, name: &str, source: Source) {
        let name = ProfileName::parse(name).unwrap();
        let provider = Provider::new(&mut self.dice);
        self.profiles.insert(name.clone(), Profile { source, revision: 1 });
        self.providers.insert(name.clone(), provider);
        self.vault.stored.insert(name);
    }

    /// A number that names everything told so far.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn start(&mut self) {
        self.checker.started(self.profiles.clone());
        let start = Start {
            vault: self.vault.kind,
            profiles: self.profiles.clone(),
            schedule: self.schedule.clone(),
        };
        self.step(Event::Start(start));
    }

    /// The agent ends, well or badly, and another takes its place.
    pub(super) fn restart(&mut self, crash: bool, keep_schedule: bool) {
        if !crash {
            self.step(Event::Stop);
            assert_eq!(self.checker.waiting(), self.admitted(), "a stop leaves somebody waiting");
        }
        let pending = std::mem::take(&mut self.pending);
        for coming in pending.into_values() {
            // The vault's thread ends with its queue when the agent is stopped.
            if let (false, Coming::Worked(Work::Save(save, held))) = (crash, coming) {
                self.vault.save(&mut self.dice, save, *held);
            }
        }
        if !keep_schedule {
            self.schedule = None;
        }
        self.answers.clear();
        self.vault.restart();
        self.core = Core::new(self.seed);
        self.start();
    }

    /// Requests that the core has passed on.
    fn admitted(&self) -> Vec<RequestId> {
        let requests = self.pending.values().filter_map(|coming| match coming {
            Coming::Worked(Work::Admin(request)) => Some(*request),
            _ => None,
        });
        let mut requests: Vec<_> =
            requests.filter(|request| self.checker.is_waiting(*request)).collect();
        requests.sort();
        requests
    }

    pub(super) fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now.boot.plus(duration));
    }

    pub(super) fn run_until(&mut self, end: BootMs) {
        loop {
            let event_at = self.pending.keys().next().map(|&(when, _)| when.max(self.now.boot));
            let due_at = self.core.poll_timeout().map(|due| due.max(self.now.boot));
            let nap_at = self.naps.then(|| self.last_step.plus(NAP_MAX).max(self.now.boot));
            let tick_at = due_at.into_iter().chain(nap_at).min();
            let Some(when) = event_at.into_iter().chain(tick_at).min() else { break };
            if when > end {
                break;
            }
            self.advance_to(when);
            match event_at {
                Some(at) if at == when => {
                    let (_, coming) = self.pending.pop_first().expect("just peeked");
                    self.come(coming);
                }
                _ => self.step(Event::Tick),
            }
        }
        self.advance_to(end);
    }

    fn advance_to(&mut self, when: BootMs) {
        let passed = when.since(self.now.boot);
        if !passed.is_zero() {
            self.steps_at_once = 0;
        }
        self.now = Now { wall: self.now.wall.plus(passed), boot: when.max(self.now.boot) };
    }

    /// Both clocks run on and nobody looks at them.
    pub(super) fn suspend(&mut self, duration: Duration) {
        let until = self.now.boot.plus(duration);
        self.advance_to(until);
    }

    fn come(&mut self, coming: Coming) {
        match coming {
            Coming::Told(event) => self.step(event),
            Coming::Worked(work) => {
                self.vault.jobs -= 1;
                if let Some(event) = self.work(work) {
                    self.step(event);
                }
            }
        }
    }

    fn work(&mut self, work: Work) -> Option<Event> {
        match work {
            Work::Unlock(passphrase) => Some(self.vault.unlock(passphrase)),
            Work::Seal => {
                self.vault.open = false;
                None
            }
            Work::Load(name) => {
                Some(self.vault.load(&mut self.dice, self.now.wall, &self.profiles, name))
            }
            Work::Save(save, held) => Some(self.vault.save(&mut self.dice, save, *held)),
            Work::Admin(request) => {
                let heard = self.checker.is_waiting(request).then_some(request);
                match self.vault.open {
                    true => Some(self.administer(heard)),
                    false => Some(FakeVault::refuse(heard)),
                }
            }
        }
    }

    /// Somebody changes something through the agent.
    fn administer(&mut self, request: Option<RequestId>) -> Event {
        let reply = request.map(|request| (request, Ok("done".to_owned())));
        let mut changed = Changed { reply, ..Changed::default() };
        match self.dice.below(4) {
            0 => changed.profiles = Some(self.edited_profiles()),
            1 => {
                let kind = *self.dice.pick(&[Vault::Passphrase, Vault::Bare]);
                // Sealed again by the time this is told, if that is next in the queue.
                let sealing = self
                    .pending
                    .values()
                    .any(|coming| matches!(coming, Coming::Worked(Work::Seal)));
                if !sealing {
                    self.vault.kind = kind;
                    changed.vault = Some(VaultChange::Rewrapped(kind));
                }
            }
            _ => changed.entries = self.new_secret(),
        }
        Event::Changed(changed)
    }

    fn new_secret(&mut self) -> Vec<ProfileName> {
        let names: Vec<ProfileName> = self.profiles.keys().cloned().collect();
        if names.is_empty() {
            return names;
        }
        let name = self.dice.pick(&names).clone();
        self.vault.stored.insert(name.clone());
        if let Some(provider) = self.providers.get_mut(&name) {
            provider.temper = super::provider::Temper::Healthy;
        }
        vec![name]
    }

    /// config.toml after an edit: a profile more, less or other.
    pub(super) fn edited_profiles(&mut self) -> BTreeMap<ProfileName, Profile> {
        let names: Vec<ProfileName> = self.providers.keys().cloned().collect();
        let name = self.dice.pick(&names).clone();
        let source = *self.dice.pick(&[
            Source::Stored,
            Source::Provider(Lanes::PerKey),
            Source::Provider(Lanes::Shared),
        ]);
        match self.profiles.get_mut(&name) {
            None => {
                let revision = 1 + self.dice.below(3);
                self.profiles.insert(name, Profile { source, revision });
            }
            Some(profile) => match self.dice.below(4) {
                0 => {
                    self.profiles.remove(&name);
                }
                1 => {
                    let revision = 1 + self.dice.below(3);
                    *profile = Profile { source, revision };
                }
                2 => profile.revision = 1 + self.dice.below(3),
                _ => {}
            },
        }
        self.profiles.clone()
    }

    /// A new vault in the place of what was there, as `init` makes it.
    pub(super) fn init(&mut self) {
        let kind = *self.dice.pick(&[Vault::Passphrase, Vault::Bare]);
        self.vault.kind = kind;
        self.vault.open = true;
        self.vault.tokens.clear();
        self.vault.stored.clear();
        let changed = Changed { vault: Some(VaultChange::Made(kind)), ..Changed::default() };
        self.step(Event::Changed(changed));
    }

    /// Whether the vault's thread has nothing to do.
    pub(super) fn vault_is_idle(&self) -> bool {
        self.vault.jobs == 0
    }

    pub(super) fn step(&mut self, event: Event) {
        self.steps_at_once += 1;
        assert!(self.steps_at_once < STEPS_AT_ONCE_MAX, "time stands still");
        self.last_step = self.now.boot;
        let told = self.written.then(|| format!("{:>12} {event:?}", self.now.boot.0));
        self.checker.event(self.now, &event);
        let effects = self.core.handle(self.now, event);
        if let Some(told) = told {
            self.note(&format!("{told}\n             -> {effects:?}"));
        }
        self.checker.effects(&self.core, &effects);
        for effect in effects {
            self.perform(effect);
        }
        self.checker.settled(&self.core);
        if self.vault.jobs == 0 {
            let open = self.core.lock_state() == "unlocked";
            assert_eq!(open, self.vault.open, "the core is wrong about the vault");
        }
    }

    fn note(&mut self, line: &str) {
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

    fn comes_at(&mut self, at: BootMs, coming: Coming) {
        let sequence = self.next_id();
        self.pending.insert((at, sequence), coming);
    }

    fn give(&mut self, work: Work) {
        let at = self.vault.queue(self.now.boot, &mut self.dice, &work);
        self.comes_at(at, Coming::Worked(work));
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Reply { reply, .. } => {
                self.token_replies += u64::from(matches!(reply, tokctl_core::Reply::Token(_)));
            }
            Effect::Progress { .. } => {}
            Effect::AskPassphrase { request, .. } => self.prompt(request),
            Effect::Admitted { request } => self.give(Work::Admin(request)),
            Effect::Unlock { passphrase } => self.give(Work::Unlock(passphrase)),
            Effect::Seal => self.give(Work::Seal),
            Effect::Load { profile } => self.give(Work::Load(profile)),
            Effect::SaveToken { save, key, token } => {
                self.give(Work::Save(save, Box::new((key, token.as_ref().clone()))));
            }
            Effect::Send { attempt, key } => {
                self.sends += 1;
                let revision = self.profiles[&key.profile].revision;
                let serial = self.next_id();
                let provider = &self.providers[&key.profile];
                let Fate { latency, outcome } =
                    provider.asked(&mut self.dice, self.now.wall, &key, revision, serial);
                let unanswered = self.dice.chance(50);
                let result = match outcome {
                    Outcome::Failed(trouble) if unanswered => Err(trouble),
                    outcome => {
                        let answer = AnswerId(self.next_id());
                        self.answers.insert(answer, outcome);
                        Ok(answer)
                    }
                };
                self.tell_in(latency, Event::Answered { attempt, result });
            }
            Effect::Classify { attempt, answer } => {
                let outcome = self.answers.remove(&answer).expect("an answer that came");
                let takes = self.dice.ms(0, 5);
                self.tell_in(takes, Event::Classified { attempt, outcome });
            }
            Effect::Discard { answer } => {
                self.answers.remove(&answer).expect("an answer that came");
            }
            Effect::SaveSchedule(schedule) => self.schedule = Some(schedule),
        }
    }

    /// A person sees a prompt and types, mistypes, waits or leaves.
    fn prompt(&mut self, request: RequestId) {
        if !self.people {
            return;
        }
        let delay = self.dice.ms(500, 60_000);
        let event = match self.dice.below(10) {
            0 => Event::Gone { request },
            1 => return,
            2..=4 => Event::Passphrase { request, passphrase: Secret::new("wrong".to_owned()) },
            _ => Event::Passphrase { request, passphrase: Secret::new(PASSPHRASE.to_owned()) },
        };
        self.tell_in(delay, event);
    }
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
