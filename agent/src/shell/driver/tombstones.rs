//! Which revocations wait for their providers, and when each is tried again.
//!
//! One is tried at a time, so a provider that hangs holds up nobody but others of its kind. How often is forgotten
//! with the process: a new one tries each at once, when the vault is opened.

use std::collections::BTreeMap;
use std::time::Duration;

use tokctl_proto::{BootMs, ProfileName};

use crate::shell::change::Laid;
use crate::shell::revoke::words::counted;
use crate::shell::revoke::work_off::{Tried, Waiting};
use crate::vault::EntryId;

/// A blip is over in a minute.
const AGAIN_MIN: Duration = Duration::from_secs(60);
/// A machine that is carried about is online within the hour, and a provider is not asked more often than that.
const AGAIN_MAX: Duration = Duration::from_secs(3600);
/// So many times a provider is believed that it can be asked again sooner than that.
const SOONER_MAX: u32 = 4;
/// And even then not at once.
const SOONER_MIN: Duration = Duration::from_secs(1);

/// Every tombstone that is known of.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    waiting: BTreeMap<EntryId, Wait>,
    /// The one that is being tried.
    tried: Option<EntryId>,
}

#[derive(Debug)]
struct Wait {
    what: Waiting,
    due: BootMs,
    failures: u32,
    /// Why the last try failed.
    why: Option<String>,
}

impl Tombstones {
    /// Takes over what was found when the vault was opened: each is tried at once.
    pub(super) fn found(&mut self, now: BootMs, found: BTreeMap<EntryId, Waiting>) {
        let wait = |what| Wait { what, due: now, failures: 0, why: None };
        self.waiting = found.into_iter().map(|(id, what)| (id, wait(what))).collect();
    }

    /// A command could not reach its provider.
    pub(super) fn laid(&mut self, now: BootMs, laid: Laid) {
        let Laid { id, waiting, why, retry_after } = laid;
        let due = now.plus(again_after(1, retry_after));
        let wait = Wait { what: waiting, due, failures: 1, why: Some(why) };
        self.waiting.insert(id, wait);
    }

    /// When one is to be tried; none while one is.
    pub(super) fn due(&self) -> Option<BootMs> {
        match self.tried {
            Some(_) => None,
            None => self.waiting.values().map(|wait| wait.due).min(),
        }
    }

    /// The one that is to be tried now.
    pub(super) fn next(&mut self, now: BootMs) -> Option<EntryId> {
        let due = self.waiting.iter().filter(|(_, wait)| wait.due <= now);
        let next = due.min_by_key(|(_, wait)| wait.due).map(|(id, _)| *id);
        self.tried = self.tried.or(next);
        next
    }

    /// One was tried.
    pub(super) fn tried(&mut self, now: BootMs, id: EntryId, tried: Tried) {
        self.tried = None;
        let Some(wait) = self.waiting.get_mut(&id) else { return };
        match tried {
            Tried::Over => drop(self.waiting.remove(&id)),
            Tried::Again { waiting, retry_after, why } => {
                wait.failures += 1;
                wait.due = now.plus(again_after(wait.failures, retry_after));
                wait.why = Some(why);
                if let Some(what) = waiting {
                    wait.what = what;
                }
            }
        }
    }

    /// What a person is told of a profile's, if it has any.
    pub(super) fn warning(&self, profile: &ProfileName) -> Option<String> {
        let of_profile = || self.waiting.values().filter(|wait| wait.what.profile == *profile);
        let tokens: usize = of_profile().map(|wait| wait.what.tokens).sum();
        let is = if tokens == 1 { "is" } else { "are" };
        let why = of_profile().find_map(|wait| wait.why.as_deref());
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        (tokens > 0).then(|| format!("{} {is} still to be revoked{why}", counted(tokens)))
    }

    /// The same of each profile that is meant, with its name.
    pub(super) fn warnings(&self, is_meant: impl Fn(&ProfileName) -> bool) -> Vec<String> {
        let mut names: Vec<&ProfileName> =
            self.waiting.values().map(|wait| &wait.what.profile).collect();
        names.sort();
        names.dedup();
        let meant = names.into_iter().filter(|name| is_meant(name));
        meant.filter_map(|name| Some(format!("{name}: {}", self.warning(name)?))).collect()
    }
}

/// How long to leave a provider alone that has failed so often in a row.
fn again_after(failures: u32, retry_after: Option<Duration>) -> Duration {
    let doubled = AGAIN_MIN.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
    let wait = doubled.min(AGAIN_MAX);
    match retry_after {
        Some(asked) if failures <= SOONER_MAX => asked.max(SOONER_MIN),
        Some(asked) => asked.max(wait),
        None => wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: BootMs = BootMs(1_000_000);

    fn name(text: &str) -> ProfileName {
        ProfileName::parse(text).unwrap()
    }

    fn id(n: u8) -> EntryId {
        EntryId::draw(&mut |bytes| bytes.fill(n))
    }

    fn waiting(profile: &str, tokens: usize) -> Waiting {
        Waiting { profile: name(profile), tokens }
    }

    fn again(waiting: Option<Waiting>, retry_after: Option<Duration>) -> Tried {
        Tried::Again { waiting, retry_after, why: "it is down".to_owned() }
    }

    fn found(of: &[(u8, &str, usize)]) -> Tombstones {
        let mut tombstones = Tombstones::default();
        let each = of.iter().map(|&(n, profile, tokens)| (id(n), waiting(profile, tokens)));
        tombstones.found(NOW, each.collect());
        tombstones
    }

    #[test]
    fn a_provider_is_left_alone_from_a_minute_to_an_hour() {
        let s = Duration::from_secs;
        for (failures, retry_after, wait) in [
            (1, None, s(60)),
            (2, None, s(120)),
            (6, None, s(1920)),
            (7, None, s(3600)),
            (100, None, s(3600)),
            (1, Some(s(5)), s(5)),
            (1, Some(s(0)), s(1)),
            (1, Some(s(600)), s(600)),
            (SOONER_MAX, Some(s(5)), s(5)),
            (SOONER_MAX + 1, Some(s(5)), s(960)),
            (SOONER_MAX + 1, Some(s(3000)), s(3000)),
        ] {
            assert_eq!(again_after(failures, retry_after), wait, "{failures} {retry_after:?}");
        }
    }

    #[test]
    fn what_was_found_is_tried_at_once_and_one_at_a_time() {
        let mut tombstones = found(&[(1, "acme", 1), (2, "beta", 1)]);
        assert_eq!(tombstones.due(), Some(NOW));
        let first = tombstones.next(NOW).unwrap();
        assert_eq!(tombstones.due(), None);
        tombstones.tried(NOW, first, again(None, None));
        let second = tombstones.next(NOW).unwrap();
        assert_ne!(first, second);
        tombstones.tried(NOW, second, Tried::Over);
        // The first is left alone, and then it is its turn again.
        let due = tombstones.due().unwrap();
        assert_eq!(due, NOW.plus(AGAIN_MIN));
        assert_eq!(tombstones.next(NOW), None);
        assert_eq!(tombstones.next(due), Some(first));
    }

    #[test]
    fn what_was_laid_is_not_tried_at_once() {
        for (retry_after, wait) in
            [(None, AGAIN_MIN), (Some(Duration::from_secs(7)), Duration::from_secs(7))]
        {
            let mut tombstones = Tombstones::default();
            let why = "it is down".to_owned();
            tombstones.laid(NOW, Laid { id: id(1), waiting: waiting("acme", 2), why, retry_after });
            assert_eq!(tombstones.due(), Some(NOW.plus(wait)));
        }
    }

    #[test]
    fn one_that_went_while_it_was_tried_does_not_come_back() {
        let mut tombstones = found(&[(1, "acme", 1)]);
        let tried = tombstones.next(NOW).unwrap();
        // Another vault was opened meanwhile.
        tombstones.found(NOW, BTreeMap::new());
        tombstones.tried(NOW, tried, again(None, None));
        assert_eq!(tombstones.due(), None);
        assert!(tombstones.warnings(|_| true).is_empty());
    }

    #[test]
    fn a_person_is_told_how_many_wait_and_why() {
        let mut tombstones = found(&[(1, "acme", 1), (2, "beta", 2), (3, "acme", 2)]);
        assert_eq!(tombstones.warning(&name("other")), None);
        assert_eq!(
            tombstones.warning(&name("acme")).as_deref(),
            Some("3 tokens are still to be revoked")
        );
        let first = tombstones.next(NOW).unwrap();
        tombstones.tried(NOW, first, again(Some(waiting("acme", 1)), None));
        assert_eq!(
            tombstones.warnings(|name| name.as_str() != "other"),
            [
                "acme: 3 tokens are still to be revoked (it is down)",
                "beta: 2 tokens are still to be revoked"
            ]
        );
        assert_eq!(tombstones.warnings(|name| name.as_str() == "beta").len(), 1);
        let one = found(&[(1, "acme", 1)]);
        assert_eq!(one.warning(&name("acme")).as_deref(), Some("1 token is still to be revoked"));
    }
}
