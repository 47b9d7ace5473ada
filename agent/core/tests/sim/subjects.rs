//! Who is asked for what is exchanged, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use tokctl_core::{Cause, Credential, Event, Outcome, Profile, RequestId, Subject};
use tokctl_proto::{BootMs, ProfileName, TokenKey};

use super::callers::{Callers, Waiting};
use super::provider::{FRESH, STALE};
use super::uses::pool_of;

type Profiles = BTreeMap<ProfileName, Profile>;

/// More than there are profiles: whoever stands behind itself is met again.
const CHAIN_MAX: usize = 10;

#[derive(Debug, Default)]
pub(super) struct Subjects {
    /// Asked and not answered.
    asked: BTreeSet<RequestId>,
    /// Brought by clients, and how often it was presented.
    brought: BTreeMap<String, u32>,
    /// A client's secret was refused in this step: the next one is tried for whoever it was.
    is_second_try: bool,
}

impl Subjects {
    pub(super) fn event(&mut self, event: &Event) {
        self.is_second_try = false;
        match event {
            Event::Subject { request, subject } => {
                self.asked.remove(request);
                if let Ok(subject) = subject {
                    self.brought.insert(subject.expose().to_owned(), 0);
                }
            }
            Event::Gone { request } | Event::Cancel { request } => {
                self.asked.remove(request);
            }
            // Whatever was asked for before may be asked for in another way.
            Event::Changed(_) | Event::Lock { .. } => self.asked.clear(),
            Event::Classified { outcome: Outcome::Failed(trouble), .. }
            | Event::Answered { result: Err(trouble), .. } => {
                self.is_second_try = trouble.cause == Cause::InvalidClient;
            }
            _ => {}
        }
    }

    pub(super) fn asked(
        &mut self,
        profiles: &Profiles,
        edited_at: BootMs,
        (request, waits): (RequestId, &Waiting),
        profile: &ProfileName,
    ) {
        assert!(is_callers(profiles, profile), "{profile} wants nothing of its callers");
        let key = waits.key.as_ref().expect("a request for a token");
        // Who has been given a member to wait for keeps it when the pool is edited.
        let is_promised = waits.asked_at <= edited_at;
        assert!(
            stands_on(profiles, &key.profile, profile) || is_promised,
            "{key} has nothing to do with {profile}"
        );
        // Whoever waits for one member of a pool after the other owes the answers in that order.
        let is_of_pool = profiles.get(&key.profile).and_then(pool_of).is_some();
        assert!(self.asked.insert(request) || is_of_pool, "{request:?} is asked twice");
    }

    /// A request presents what a client has brought.
    pub(super) fn presented(&mut self, of: &ProfileName, credential: Credential, text: &str) {
        let name = text.strip_prefix(FRESH).or(text.strip_prefix(STALE)).expect("one of ours");
        assert_eq!(name.split('|').next(), Some(of.as_str()), "what was brought for another");
        let times = self.brought.get_mut(text).expect("nobody has brought it");
        *times += 1;
        let most = if credential == Credential::Next { 2 } else { 1 };
        assert!(*times <= most, "{text} is presented {times} times");
    }

    /// Whether somebody waits who can bring what this takes, if it takes something.
    pub(super) fn may_begin(&self, profiles: &Profiles, callers: &Callers, key: &TokenKey) -> bool {
        let needs_caller = chain(profiles, &key.profile).any(|name| is_callers(profiles, name));
        let mut keys = callers.keys();
        !needs_caller
            || self.is_second_try
            || keys.any(|waits| stands_on(profiles, &waits.profile, &key.profile))
    }
}

fn is_callers(profiles: &Profiles, name: &ProfileName) -> bool {
    let subject = profiles.get(name).and_then(|profile| profile.subject.as_deref());
    subject == Some(&Subject::Caller)
}

/// A profile and those whose tokens stand behind its own.
fn chain<'a>(
    profiles: &'a Profiles,
    name: &'a ProfileName,
) -> impl Iterator<Item = &'a ProfileName> {
    let next = |name: &&'a ProfileName| match profiles.get(*name)?.subject.as_deref() {
        Some(Subject::Profile(behind)) => Some(behind),
        Some(Subject::Caller) | None => None,
    };
    std::iter::successors(Some(name), next).take(CHAIN_MAX)
}

/// Whether a token of one profile, or of one of its members, takes a token of the other.
fn stands_on(profiles: &Profiles, name: &ProfileName, other: &ProfileName) -> bool {
    let members = profiles.get(name).and_then(pool_of).map(|pool| pool.members.as_slice());
    let mut names = [name].into_iter().chain(members.into_iter().flatten());
    names.any(|name| chain(profiles, name).any(|behind| behind == other))
}
