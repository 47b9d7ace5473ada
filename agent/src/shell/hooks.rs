//! Programs that are told what happens: the hooks of `[agent.hooks]`, and the one that shows a notice.
//!
//! Nobody waits for one, and what becomes of it is a line in the log and nothing else. One of a kind runs at a time;
//! those that come meanwhile wait their turn, as many as there is a use for.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use tokctl_proto::escape::shown;
use tokctl_proto::time::Spoken;
use tokio::time::timeout;
use tracing::{info, warn};

use super::program::{self, Running, Surroundings};

/// As long as a mail or a request of a script may take. Then it is killed, with its children.
const TIME_MAX: Duration = Duration::from_secs(60);
/// Of one kind that wait for one under way. Whoever is that far behind has missed more already.
const WAITING_MAX: usize = 64;
/// Of what one prints, and of its errors, this goes to the log,
const OUTPUT_BYTES_MAX: u64 = 4 * 1024;
/// in as many lines.
const LINES_MAX: usize = 20;

/// One program to be run once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Errand {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// What it is told, as variables. No secret is among them.
    pub(super) facts: Vec<(&'static str, String)>,
}

/// Those under way and those that wait, by kind.
#[derive(Debug, Default)]
pub(super) struct Hooks(BTreeMap<&'static str, VecDeque<Errand>>);

impl Hooks {
    /// Gives the errand back if it is to be run now: its end is told by [`Self::ended`].
    pub(super) fn take(&mut self, kind: &'static str, errand: Errand) -> Option<Errand> {
        let Some(waiting) = self.0.get_mut(kind) else {
            self.0.insert(kind, VecDeque::new());
            return Some(errand);
        };
        match waiting.len() < WAITING_MAX {
            true => waiting.push_back(errand),
            false => warn!(hook = kind, "left out: {WAITING_MAX} wait for the one under way"),
        }
        None
    }

    /// The one under way has ended: the next of its kind, if there is one.
    pub(super) fn ended(&mut self, kind: &'static str) -> Option<Errand> {
        let next = self.0.get_mut(kind)?.pop_front();
        if next.is_none() {
            self.0.remove(kind);
        }
        next
    }
}

/// Whether a desktop can be told something: a bus is named, or is where systemd puts that of a user.
pub(super) fn has_session_bus() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("DBUS_SESSION_BUS_ADDRESS").is_some()
        || set("XDG_RUNTIME_DIR").is_some_and(|run| Path::new(&run).join("bus").exists())
}

/// Runs one to its end.
pub(super) async fn run(kind: &'static str, errand: Errand) {
    run_within(TIME_MAX, kind, errand).await;
}

async fn run_within(time_max: Duration, kind: &'static str, errand: Errand) {
    let Some((first, arguments)) = errand.command.split_first() else { return };
    let name = shown(first);
    let Some(path) = program::find(first) else {
        return warn!(hook = kind, "there is no program `{name}`");
    };
    let running = match Running::start(&path, arguments, Surroundings::Session, errand.facts) {
        Ok(running) => running,
        Err(error) => return warn!(hook = kind, "cannot run `{name}`: {error}"),
    };
    match timeout(time_max, running.finish(OUTPUT_BYTES_MAX, OUTPUT_BYTES_MAX)).await {
        Ok(Ok(printed)) => {
            for line in lines(&printed.output).chain(lines(&printed.errors)) {
                info!(hook = kind, "{line}");
            }
            if !printed.status.success() {
                warn!(hook = kind, "`{name}` failed ({})", printed.status);
            }
        }
        Ok(Err(error)) => warn!(hook = kind, "cannot read what `{name}` prints: {error}"),
        Err(_) => warn!(hook = kind, "`{name}` was killed after {}", Spoken(time_max)),
    }
}

/// What is worth a line in the log, safe to show.
fn lines(printed: &[u8]) -> impl Iterator<Item = String> {
    let text = String::from_utf8_lossy(printed).into_owned();
    let lines: Vec<String> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .take(LINES_MAX)
        .map(|line| shown(line).to_string())
        .collect();
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand(script: &str) -> Errand {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        Errand { command, facts: vec![("TOKCTL_EVENT", "renewed".to_owned())] }
    }

    #[test]
    fn one_of_a_kind_is_under_way_and_the_others_follow_in_order() {
        let mut hooks = Hooks::default();
        assert_eq!(hooks.take("renewed", errand("1")), Some(errand("1")));
        assert_eq!(hooks.take("failed", errand("a")), Some(errand("a")));
        for script in ["2", "3"] {
            assert_eq!(hooks.take("renewed", errand(script)), None);
        }
        assert_eq!(hooks.ended("renewed"), Some(errand("2")));
        assert_eq!(hooks.ended("renewed"), Some(errand("3")));
        assert_eq!(hooks.ended("renewed"), None);
        assert_eq!(hooks.take("renewed", errand("4")), Some(errand("4")));
        assert_eq!(hooks.ended("failed"), None);
    }

    #[test]
    fn those_who_cannot_keep_up_are_left_out() {
        let mut hooks = Hooks::default();
        for number in 0..2 * WAITING_MAX {
            hooks.take("renewed", errand(&number.to_string()));
        }
        let mut rest = 0;
        while hooks.ended("renewed").is_some() {
            rest += 1;
        }
        assert_eq!(rest, WAITING_MAX);
    }

    #[tokio::test]
    async fn a_hook_is_told_and_ends_by_itself_or_is_ended() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("told");
        let script = format!("echo $TOKCTL_EVENT > '{}'; exit 3", file.display());
        run("renewed", errand(&script)).await;
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "renewed\n");
        run_within(Duration::from_millis(1), "renewed", errand("sleep 1000")).await;
        let nobody = Errand { command: vec!["/no-such-program".to_owned()], ..errand("") };
        run("renewed", nobody).await;
        assert!(!Path::new("/no-such-program").exists());
    }

    #[test]
    fn what_one_prints_is_bounded_and_escaped() {
        let long = format!("\x1b[2Ja\n\n{}\n", "x\n".repeat(100));
        let told: Vec<String> = lines(long.as_bytes()).collect();
        assert_eq!(told.len(), LINES_MAX);
        assert_eq!(told[0], "\\u{1b}[2Ja");
    }
}
