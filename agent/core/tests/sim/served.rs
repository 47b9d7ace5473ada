//! Every token that is handed out is the right one, alive, and in the vault if it has to be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokctl_core::{Get, Profile, Served, Token, policy};
use tokctl_proto::{BootMs, Now, ProfileName};

/// A token that a provider issued in this run.
#[derive(Debug)]
struct Issued {
    arrived_at: BootMs,
    sent_at: BootMs,
    lifetime: Option<Duration>,
    /// It came back from the vault, so the wall clock alone tells its age.
    reread: bool,
    /// It came with a refresh token, and the vault does not have it yet.
    unsaved: bool,
}

#[derive(Debug, Default)]
pub(super) struct Tokens {
    issued: BTreeMap<String, Issued>,
    /// An API said 401 to it.
    refused: BTreeSet<String>,
    /// Whoever they were for has logged out.
    forgotten: BTreeSet<String>,
    /// Every token that was seen leaving the core.
    seen: Vec<Weak<Token>>,
    /// How many of them were there still when that was last looked at.
    alive: usize,
    pub(super) clock_was_set: bool,
    /// Long runs forget what is long dead.
    pub(super) forgetful: bool,
}

/// One hand-out, as far as others know of it.
pub(super) struct HandOut<'a> {
    pub(super) get: &'a Get,
    pub(super) asked_at: BootMs,
    pub(super) served: &'a Served,
    /// Of the profile whose token it is.
    pub(super) profile: &'a Profile,
    /// A write of it has failed, and the alarm is up.
    pub(super) is_alarmed: bool,
}

impl Tokens {
    pub(super) fn see(&mut self, token: &Arc<Token>) {
        self.seen.push(Arc::downgrade(token));
        if self.seen.len() > 2 * self.alive + 1000 {
            self.seen.retain(|token| token.strong_count() > 0);
            self.alive = self.seen.len();
        }
    }

    pub(super) fn issued(&mut self, now: Now, sent: Now, token: &Token, unsaved: bool) {
        let lifetime = token.lifetime();
        let (arrived_at, sent_at) = (now.boot, sent.boot);
        let issued = Issued { arrived_at, sent_at, lifetime, reread: false, unsaved };
        self.issued.insert(token.access_token.expose().to_owned(), issued);
        if self.forgetful && self.issued.len() > 100_000 {
            self.issued
                .retain(|_, it| it.lifetime.is_none_or(|life| it.sent_at.plus(life) > now.boot));
        }
    }

    /// The vault still has it: what an API said to it was forgotten with a crash or for want of room.
    pub(super) fn reread(&mut self, token: &Token) {
        self.refused.remove(token.access_token.expose());
        if let Some(issued) = self.issued.get_mut(token.access_token.expose()) {
            issued.reread = true;
            issued.unsaved = false;
        }
    }

    /// It was read from an answer of an earlier run.
    pub(super) fn reread_of(&mut self, token: &Token, unsaved: bool) {
        self.reread(token);
        if let Some(issued) = self.issued.get_mut(token.access_token.expose()) {
            issued.unsaved = unsaved;
        }
    }

    /// The vault has it, or will not have it: from now on it may be handed out.
    pub(super) fn written(&mut self, now: Now, text: &str, well: bool) {
        if let Some(issued) = self.issued.get_mut(text).filter(|issued| issued.unsaved) {
            issued.unsaved = !well;
            issued.arrived_at = now.boot;
        }
    }

    /// Nobody may have a token of this profile any more that was issued by now.
    pub(super) fn forget(&mut self, name: &ProfileName) {
        let texts = self.issued.keys();
        let its = texts.filter(|text| text.split(['|', ' ']).next() == Some(name.as_str()));
        let its: Vec<String> = its.cloned().collect();
        self.forgotten.extend(its);
    }

    /// It was asked for before whoever it was for has logged out.
    pub(super) fn forgotten(&mut self, text: &str) {
        self.forgotten.insert(text.to_owned());
    }

    /// The disk did not let go of it.
    pub(super) fn outlived(&mut self, text: &str) {
        self.forgotten.remove(text);
    }

    pub(super) fn refused(&mut self, text: &str) {
        self.refused.insert(text.to_owned());
    }

    pub(super) fn handed_out(&mut self, now: Now, out: &HandOut<'_>) {
        let HandOut { get, asked_at, served, profile, is_alarmed } = *out;
        self.see(&served.token);
        let text = served.token.access_token.expose();
        let (key, rest) = text.split_once('|').expect("a token of ours");
        let mut expected = get.key.clone();
        expected.profile = served.member.clone().unwrap_or(expected.profile);
        assert_eq!(key, expected.to_string(), "another key's token");
        assert_eq!(served.profile, get.key.profile);
        assert!(rest.starts_with(&format!("{}|", profile.revision)), "a token of other settings");
        assert!(!self.refused.contains(text), "a token is served that an API refused");
        assert!(!self.forgotten.contains(text), "a token is served that was to be forgotten");

        let left = served.token.expires_at.map(|end| end.since(now.wall));
        assert_ne!(left, Some(Duration::ZERO), "an expired token is served");
        // The wall clock may say more than is left, if it was set back.
        let said = served.expires_in_s.map(|said| Duration::from_secs(said.try_into().unwrap()));
        assert!(said <= left && said.is_some() == left.is_some(), "{said:?} is not {left:?}");
        let lifetime = served.token.lifetime();
        let least = get.min_valid.unwrap_or(policy::min_valid_default(lifetime));
        match served.min_valid_met {
            true => assert!(left.is_none_or(|left| left >= least), "{left:?} is not {least:?}"),
            false => {
                assert!(get.min_valid.is_none() || get.best_effort, "an unmet validity is served");
                assert!(served.warning.is_some(), "an unmet validity goes without a warning");
            }
        }
        let Some(issued) = self.issued.get(text) else {
            assert!(
                !get.refresh || served.warning.is_some(),
                "a token of another run answers --refresh"
            );
            return;
        };
        assert!(!issued.unsaved || is_alarmed, "a token is served before the vault has it");
        assert!(
            !get.refresh || issued.arrived_at >= asked_at || served.warning.is_some(),
            "an old token answers --refresh without a word"
        );
        // Whatever was done to the wall clock meanwhile.
        let age = now.boot.since(issued.sent_at);
        let is_known = !issued.reread || !self.clock_was_set;
        assert!(
            !is_known || issued.lifetime.is_none_or(|life| age < life),
            "{age:?} old, of {:?}",
            issued.lifetime
        );
    }

    /// A token is exchanged for another by an attempt that began then.
    pub(super) fn presented(&self, begun: Now, text: &str) {
        assert!(!self.refused.contains(text), "a token is exchanged that an API refused");
        assert!(!self.forgotten.contains(text), "a token is exchanged that was to be forgotten");
        let Some(issued) = self.issued.get(text) else { return };
        let age = begun.boot.since(issued.sent_at);
        let is_known = !issued.reread || !self.clock_was_set;
        let is_live = issued.lifetime.is_none_or(|life| age < life);
        assert!(!is_known || is_live, "{age:?} old, of {:?}", issued.lifetime);
    }

    /// Nobody but the core may hold what it handed out, and a sealed core holds nothing.
    pub(super) fn are_wiped(&mut self) {
        let alive = self.seen.drain(..).filter_map(|token| token.upgrade()).count();
        assert_eq!(alive, 0, "tokens outlive the seal");
    }
}
