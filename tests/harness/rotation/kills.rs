//! The agent is killed in the middle of refreshes, at system calls spread over all that one takes, and what is
//! left is looked at each time.

use std::fmt;
use std::time::{Duration, Instant};

use super::{PROFILE, Rotating};
use crate::trace::{Order, Traced};

/// Tokens that outlive the run: only a forced refresh asks the provider.
const TOKEN_TTL: Duration = Duration::from_secs(6 * 3600);

/// Kills beyond those that were asked for, where none of them has met the end of a refresh.
const MORE_KILLS_MAX: u64 = 100;
/// Stops between two of them before the provider has done its part.
const STRIDE: u64 = 16;

/// What came of them.
#[derive(Clone, Debug, Default)]
pub struct Kills {
    pub kills: u64,
    /// Stops of one undisturbed refresh, two for each system call.
    pub stops: u64,
    /// Kills that came after the reply was out.
    pub after_reply: u64,
    /// Kills after which the provider had burnt the token that was presented.
    pub committed: u64,
    /// Of those, the ones whose answer was on the disk or whose successor was.
    pub recovered: u64,
    /// Entries that the vault had to set aside.
    pub corrupt: u64,
    /// Refresh tokens lost between the provider's commit and our write of its answer: nobody can help.
    pub lost_in_window: u64,
    /// Any other loss: a fault of ours.
    pub lost: Vec<String>,
    /// Gets that were not answered by a new agent, while a token was there.
    pub unanswered: Vec<String>,
    pub took: Duration,
}

impl Kills {
    /// Kills so often, and tells each hundredth through `progress`.
    #[track_caller]
    pub fn run(count: u64, mut progress: impl FnMut(u64)) -> Self {
        let begun = Instant::now();
        let mut rotating = Rotating::start(TOKEN_TTL);
        rotating.home.get(PROFILE);
        rotating.home.stop_agent();
        let mut kills = Self { stops: undisturbed(&rotating), ..Self::default() };
        // Four of five evenly over all stops, the others over the last quarter: there the provider has done its
        // part and we have not.
        let late = count / 5;
        let (early, tail) = (count - late, kills.stops / 4);
        for kill in 0..count {
            let at = match kill.checked_sub(early) {
                None => 1 + kill * kills.stops / early,
                Some(kill) => kills.stops - tail + kill * tail / late,
            };
            kills.one(&mut rotating, at);
            if (kill + 1) % 100 == 0 {
                progress(kill + 1);
            }
        }
        kills.until_both_ways_were_seen(&mut rotating);
        kills.took = begun.elapsed();
        kills
    }

    /// Goes on until a burnt token was recovered: on a busy machine a refresh takes fewer or more stops than those
    /// that were counted, and few kills may all come too early. Later ones meet the end, wherever it is now.
    #[track_caller]
    fn until_both_ways_were_seen(&mut self, rotating: &mut Rotating) {
        let mut at = self.stops - self.stops / 8;
        for _ in 0..MORE_KILLS_MAX {
            if self.recovered > 0 {
                return;
            }
            let committed = self.committed;
            self.one(rotating, at);
            // Past the provider's commit the way is short.
            at += if self.committed > committed { 1 } else { STRIDE };
        }
    }

    /// What ought not to have happened, in words.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        let corrupt = (self.corrupt > 0).then_some("an entry is corrupt");
        self.lost.iter().chain(&self.unanswered).map(String::as_str).chain(corrupt)
    }

    fn one(&mut self, rotating: &mut Rotating, at: u64) {
        let agent = Traced::start(&rotating.home, Order::Count);
        let before = rotating.family();
        agent.order(Order::Kill { at });
        let reply = rotating.refresh();
        let was_answered = reply.as_ref().is_some_and(|reply| reply.token().is_some());
        let seen = agent.end();
        self.kills += 1;
        self.after_reply += u64::from(was_answered);
        let place = seen.hit.unwrap_or_else(|| "after the last stop".to_owned());

        // One that does not start ends the run, with its log.
        let agent = Traced::start(&rotating.home, Order::Count);
        match rotating.ask() {
            Some(reply) if reply.token().is_some() => {}
            reply => self.unanswered.push(format!("{place}: {reply:?}")),
        }
        let refreshed = rotating.refresh();
        let after = rotating.family();
        let survived = refreshed.as_ref().is_some_and(|reply| reply.token().is_some());
        // The refresh above rotated too, if it worked.
        let committed = after.rotations - before.rotations - u64::from(survived) > 0;
        self.committed += u64::from(committed);
        self.corrupt += u64::from(is_corrupt(rotating));
        match (survived, committed, was_answered) {
            (true, true, _) => self.recovered += 1,
            (true, false, _) => {}
            // The commit is known to nobody here, since no answer had been written.
            (false, true, false) => self.lost_in_window += 1,
            (false, ..) => self.lost.push(format!("{place}: {before:?} {after:?} {refreshed:?}")),
        }
        agent.end();
        if !survived {
            rotating.begin_anew();
            rotating.home.get(PROFILE);
            rotating.home.stop_agent();
        }
    }
}

/// How many stops the first refresh of an agent takes that nobody disturbs; the most of five.
fn undisturbed(rotating: &Rotating) -> u64 {
    let stops = (0..5).map(|_| {
        let agent = Traced::start(&rotating.home, Order::Count);
        agent.order(Order::Count);
        let reply = rotating.refresh();
        assert!(reply.as_ref().is_some_and(|reply| reply.token().is_some()), "{reply:?}");
        agent.end().stops
    });
    stops.max().unwrap_or_default()
}

/// Whether the vault has set an entry aside.
fn is_corrupt(rotating: &Rotating) -> bool {
    let names = std::fs::read_dir(rotating.home.vault().join("entries"))
        .into_iter()
        .flatten()
        .filter_map(|found| found.ok()?.file_name().into_string().ok());
    let whole = format!("{PROFILE}.age");
    // A file half written by the killed agent is swept at the next start.
    names.into_iter().any(|name| name != whole && !name.starts_with('.'))
}

impl fmt::Display for Kills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kills, stops, after_reply, committed, recovered, corrupt, lost_in_window, ..
        } = self;
        writeln!(f, "{kills} kills, spread over the {stops} stops of a refresh")?;
        writeln!(f, "  after the reply was out                        {after_reply}")?;
        writeln!(f, "  after the provider had burnt the refresh token {committed}")?;
        writeln!(f, "    of those recovered                           {recovered}")?;
        writeln!(f, "    lost, no answer had reached the disk         {lost_in_window}")?;
        writeln!(f, "  lost otherwise                                 {}", self.lost.len())?;
        writeln!(f, "  corrupt entries                                {corrupt}")?;
        write!(f, "  unanswered gets                                {}", self.unanswered.len())
    }
}
