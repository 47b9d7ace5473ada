//! What a vault's file holds for one profile, and how each step of a rotation changes it.

use std::collections::BTreeMap;

use tokctl_core::{Burial, Kept, Outcome, RefreshToken, Token};
use tokctl_proto::{TokenKey, WallMs};

#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// The stored key of a profile that has nothing to ask for.
    pub(super) has_key: bool,
    pub(super) tokens: BTreeMap<TokenKey, Token>,
    pub(super) refresh: Option<Refresh>,
    /// The client secret, and the one that waits beside it.
    pub(super) secret: u64,
    pub(super) next: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) token: String,
    pub(super) previous: Option<String>,
    pub(super) obtained_at: WallMs,
    pub(super) used_at: Option<WallMs>,
    pub(super) is_dead: bool,
    pub(super) intent: Option<Intent>,
    pub(super) answer: Option<RawAnswer>,
    /// The core may know something else: it has not heard of a write, or counts on one that failed.
    pub(super) is_unsure: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Intent {
    pub(super) of: String,
    pub(super) tries: u32,
}

#[derive(Clone, Debug)]
pub(super) struct RawAnswer {
    pub(super) key: TokenKey,
    pub(super) revision: u64,
    pub(super) outcome: Outcome,
}

impl Refresh {
    pub(super) fn new(token: String, obtained_at: WallMs) -> Self {
        Self {
            token,
            previous: None,
            obtained_at,
            used_at: None,
            is_dead: false,
            intent: None,
            answer: None,
            is_unsure: false,
        }
    }

    fn facts(&self) -> RefreshToken {
        RefreshToken {
            obtained_at: self.obtained_at,
            used_at: self.used_at,
            expires_at: None,
            tries: self.intent.as_ref().map_or(0, |intent| intent.tries),
            is_dead: self.is_dead,
        }
    }

    /// Whether the token is here in any form from which the agent can go on.
    pub(super) fn holds(&self, token: &str) -> bool {
        let answered = self.answer.as_ref().and_then(RawAnswer::successor);
        self.token == token || answered.as_deref() == Some(token)
    }
}

impl RawAnswer {
    pub(super) fn successor(&self) -> Option<String> {
        successor(&self.outcome)
    }
}

/// The refresh token that an answer holds, whatever else may be wrong with it.
pub(super) fn successor(outcome: &Outcome) -> Option<String> {
    let successor = match outcome {
        Outcome::Tokens(obtained) => obtained.successor.as_ref(),
        Outcome::Failed(trouble) => trouble.successor.as_deref(),
    };
    Some(successor?.secret.expose().to_owned())
}

impl Entry {
    pub(super) fn facts(&self) -> Option<RefreshToken> {
        self.refresh.as_ref().map(Refresh::facts)
    }

    /// A person stores another refresh token.
    pub(super) fn set_refresh(&mut self, token: String, now: WallMs) {
        let previous = self.refresh.take().map(|old| old.token);
        self.refresh = Some(Refresh { previous, is_unsure: true, ..Refresh::new(token, now) });
    }

    /// Which token this intends to present; `None` without one that lives.
    pub(super) fn intend(&mut self, tries: u32) -> Option<String> {
        let refresh = self.refresh.as_mut().filter(|refresh| !refresh.is_dead)?;
        let of = refresh.token.clone();
        let known = refresh.intent.as_ref().map_or(0, |intent| intent.tries);
        let is_unsure = std::mem::take(&mut refresh.is_unsure);
        assert!(is_unsure || tries == known + 1, "the try after {known} is counted as {tries}");
        refresh.intent = Some(Intent { of: of.clone(), tries });
        refresh.answer = None;
        Some(of)
    }

    pub(super) fn withdraw(&mut self, tries: u32) {
        let Some(refresh) = &mut self.refresh else { return };
        refresh.answer = None;
        match (&mut refresh.intent, tries) {
            (intent, 0) => *intent = None,
            (Some(intent), tries) => intent.tries = tries,
            (None, _) => {}
        }
    }

    /// `presented`: the refresh token that the attempt spent.
    pub(super) fn keep(
        &mut self,
        key: &TokenKey,
        kept: &Kept,
        presented: Option<&str>,
        now: WallMs,
    ) {
        if let Some(token) = &kept.token {
            self.tokens.insert(key.clone(), token.as_ref().clone());
        }
        if kept.promote
            && let Some(next) = self.next.take()
        {
            self.secret = next;
        }
        let Some((refreshed, refresh)) = kept.refresh.as_ref().zip(self.refresh.as_mut()) else {
            return;
        };
        let successor = refreshed.successor.as_ref().map(|it| it.secret.expose().to_owned());
        if presented != Some(refresh.token.as_str()) {
            // A person stored another one meanwhile.
            refresh.previous = successor.or(refresh.previous.take());
            return;
        }
        refresh.intent = None;
        refresh.answer = None;
        refresh.is_dead = false;
        refresh.used_at = Some(now);
        refresh.previous = successor.is_some().then(|| refresh.token.clone());
        if let Some(successor) = successor {
            refresh.token = successor;
            refresh.obtained_at = now;
        }
    }

    pub(super) fn bury(&mut self, presented: Option<&str>) -> Burial {
        match &mut self.refresh {
            Some(refresh) if presented == Some(refresh.token.as_str()) => {
                refresh.is_dead = true;
                refresh.intent = None;
                refresh.answer = None;
                Burial::Dead
            }
            _ => Burial::Superseded,
        }
    }
}
