//! Every call that a refresh makes on a file of the home is made to fail, one after the other.

use std::fmt;
use std::time::Duration;

use nix::errno::Errno;

use super::{PROFILE, Rotating};
use crate::trace::{Fault, Order, Traced};

/// Tokens that outlive the run: only a forced refresh asks the provider.
const TOKEN_TTL: Duration = Duration::from_secs(6 * 3600);

/// The agent tries again while a caller waits; this is long enough for it to try.
const CALLER_WAITS: Duration = Duration::from_secs(2);

/// What a disk may say, and a write that writes half.
pub const FAULTS: [Fault; 4] = [
    Fault::Error(Errno::EIO),
    Fault::Error(Errno::ENOSPC),
    Fault::Error(Errno::EMFILE),
    Fault::Short,
];

/// What came of them.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    /// Calls on files in one undisturbed refresh.
    pub calls: u64,
    pub injected: u64,
    /// Refreshes that brought a token all the same.
    pub served: u64,
    /// Refreshes that ended in an error that names the disk.
    pub said: u64,
    /// What broke a promise, in words.
    pub broken: Vec<String>,
}

impl Errors {
    /// Fails each `every`-th call, once and for as long as the refresh lasts.
    #[track_caller]
    pub fn run(every: u64) -> Self {
        let mut rotating = Rotating::start(TOKEN_TTL);
        rotating.home.get(PROFILE);
        rotating.home.stop_agent();
        let agent = Traced::start(&rotating.home, Order::Count);
        let mut errors = Self::default();
        for _ in 0..3 {
            agent.order(Order::Count);
            let reply = rotating.refresh();
            assert!(reply.as_ref().is_some_and(|reply| reply.token().is_some()), "{reply:?}");
            errors.calls = errors.calls.max(agent.seen().file_calls);
        }
        let mut turn = 0;
        for how in FAULTS {
            for lasting in [false, true] {
                for at in 1..=errors.calls {
                    turn += 1;
                    if turn % every == 0 {
                        errors.one(&mut rotating, &agent, Order::Fail { at, how, lasting });
                    }
                }
            }
        }
        errors.until_the_disk_was_named(&mut rotating, &agent);
        agent.end();
        errors
    }

    /// Few failures may all meet calls that a refresh can do without, the more so as their number is not the same
    /// each time. A disk that fails for good meets one that it cannot.
    fn until_the_disk_was_named(&mut self, rotating: &mut Rotating, agent: &Traced) {
        for at in 1..=self.calls {
            if self.said > 0 {
                return;
            }
            self.one(rotating, agent, Order::Fail { at, how: FAULTS[0], lasting: true });
        }
    }

    fn one(&mut self, rotating: &mut Rotating, agent: &Traced, order: Order) {
        agent.order(order);
        let reply = rotating.refresh_within(CALLER_WAITS);
        let Some(hit) = agent.seen().hit else { return agent.order(Order::Count) };
        agent.order(Order::Count);
        self.injected += 1;
        let place = format!("{order:?} in {hit}");
        match &reply {
            None => self.broken.push(format!("{place}: the agent is gone")),
            Some(reply) if reply.token().is_some() => self.served += 1,
            Some(reply) => match reply.error() {
                // Exit 11 is this machine's fault, and says which file.
                Some((11, words)) if words.contains('/') => self.said += 1,
                error => self.broken.push(format!("{place}: {error:?}")),
            },
        }
        // The disk is well again: so is everything else, by itself.
        let mut last = None;
        let well = crate::wait::within(Duration::from_secs(20), || {
            last = rotating.refresh_within(CALLER_WAITS);
            last.as_ref().is_some_and(|reply| reply.token().is_some()).then_some(())
        });
        if well.is_none() {
            self.broken.push(format!("{place}: then never well again: {last:?}"));
        }
        if rotating.family().revoked {
            self.broken.push(format!("{place}: the family was revoked"));
            rotating.log_in_again();
        }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, injected, served, said, broken } = self;
        writeln!(f, "{injected} failures (EIO, ENOSPC, EMFILE, short writes; once and lasting)")?;
        writeln!(f, "  calls on files in a refresh                    {calls}")?;
        writeln!(f, "  a token was served all the same                {served}")?;
        writeln!(f, "  an error that names the disk                   {said}")?;
        write!(f, "  anything else, or a family revoked             {}", broken.len())
    }
}
