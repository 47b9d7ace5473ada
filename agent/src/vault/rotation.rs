//! What the steps of a rotation change in an entry.
//!
//! A provider that rotates burns the old refresh token at the moment it issues the next, so an
//! entry must be able to say at any time which token was sent and what is known of the outcome.
//! Each function here is one step, as pure data: the caller reads the entry, changes it, and writes
//! it before the next step begins. A write that failed may have taken place all the same, so every
//! step may be done twice.
//!
//! Nothing here decides whether a token may be sent, and no step deletes a token that could still
//! be alive: the one that loses its place goes to `previous`.

use sha2::{Digest, Sha256};
use thiserror::Error;
use tokctl_proto::{Secret, WallMs};

use super::entry::{Entry, Intent, RawAnswer, Refresh};

/// Behind the name of a secret that is to take the place of the one of that name.
const NEXT_SUFFIX: &str = ".next";

/// There is no refresh token that could be presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoRefreshToken {
    #[error("no refresh token is stored")]
    Absent,
    #[error("the provider has refused the refresh token")]
    Dead,
}

impl Entry {
    /// Notes that the present refresh token is about to be sent, for the `tries`th time without an
    /// answer on the disk. An answer to an earlier sending goes, since whoever sends again has read
    /// it; but a success that was read in vain is kept, for it may hold the only successor.
    pub fn intend(&mut self, now: WallMs, tries: u32) -> Result<(), NoRefreshToken> {
        let refresh = self.refresh.as_mut().ok_or(NoRefreshToken::Absent)?;
        if refresh.is_dead {
            return Err(NoRefreshToken::Dead);
        }
        refresh.intent = Some(Intent { of: fingerprint(&refresh.token), tries, at: now });
        if let Some(answer) = refresh.answer.take().filter(|answer| is_success(answer.status)) {
            self.undeciphered = Some(answer);
        }
        self.overtaken = None;
        Ok(())
    }

    /// The refresh token that the intent speaks of. `None` when another one has been stored since:
    /// to send that one would be a sending that nothing on the disk tells of.
    pub fn presented(&self) -> Option<&Secret> {
        let refresh = self.refresh.as_ref()?;
        let intent = refresh.intent.as_ref()?;
        (intent.of == fingerprint(&refresh.token)).then_some(&refresh.token)
    }

    /// Keeps what the provider answered before anybody has read it: it may hold a refresh token
    /// that exists nowhere else, and the code that reads it may have a bug. False when the entry
    /// has no refresh token any more, beside which it could be kept.
    pub fn receive(&mut self, answer: RawAnswer) -> bool {
        match &mut self.refresh {
            Some(refresh) => {
                refresh.answer = Some(answer);
                true
            }
            None => false,
        }
    }

    /// Ends a sending that worked. The successor takes the place of the token that was presented,
    /// which is kept until the successor has worked itself; without a successor the presented token
    /// has just worked, and the one before it goes.
    ///
    /// When another token was stored while the request was under way, a person wanted that one: it
    /// stays, and the successor is kept behind it.
    pub fn rotate(&mut self, now: WallMs, successor: Option<(Secret, Option<WallMs>)>) {
        let overtaken = self.overtaken.take();
        self.undeciphered = None;
        let Some(refresh) = &mut self.refresh else {
            // Nobody is left whose place it could take, but it is alive and exists nowhere else.
            if let Some((token, expires_at)) = successor {
                self.set_refresh_token(now, token, expires_at);
            }
            return;
        };
        refresh.answer = None;
        let presented = refresh.intent.take().map(|intent| intent.of).or(overtaken);
        // Where nothing says which token was presented, it was the present one: a successor in
        // second place behind a burned token would be as good as lost.
        let is_present = presented.is_none_or(|of| of == fingerprint(&refresh.token));
        match successor {
            Some((token, _)) if !is_present => refresh.keep_behind(token),
            Some((token, expires_at)) => {
                refresh.succeed(now, token, expires_at, presented.is_some());
            }
            None if is_present => {
                refresh.used_at = Some(now);
                refresh.is_dead = false;
                refresh.previous = None;
            }
            None => {}
        }
    }

    /// Takes back a sending that the provider is known not to have honoured: it was answered with
    /// an error, or never reached anybody. `tries` is how many earlier sendings are still
    /// unanswered.
    pub fn withdraw(&mut self, tries: u32) {
        self.overtaken = None;
        let Some(refresh) = &mut self.refresh else { return };
        refresh.answer = None;
        match &mut refresh.intent {
            Some(intent) if tries > 0 => intent.tries = tries,
            _ => refresh.intent = None,
        }
    }

    /// Ends a sending that the provider answered with `invalid_grant`; true when the refresh token
    /// is dead. It is not when the one that was refused is not the present one. A dead token stays
    /// in the file: what a provider says may be its mistake, and a person may know better.
    pub fn bury(&mut self) -> bool {
        let is_refused = self.presented().is_some();
        self.withdraw(0);
        let Some(refresh) = &mut self.refresh else { return false };
        refresh.is_dead |= is_refused;
        refresh.is_dead
    }

    /// Puts the secret that waits under `<name>.next` in the place of the one called `name`, with
    /// its expiry. Where none waits, nothing changes.
    pub fn promote(&mut self, name: &str) {
        let next = format!("{name}{NEXT_SUFFIX}");
        let Some(secret) = self.secrets.remove(&next) else { return };
        self.secrets.insert(name.to_owned(), secret);
        // An expiry that nobody knows is not that of the secret before.
        match self.secrets_expire.remove(&next) {
            Some(expires_at) => self.secrets_expire.insert(name.to_owned(), expires_at),
            None => self.secrets_expire.remove(name),
        };
    }

    /// Stores a refresh token that did not come from a rotation, in good standing. The present one
    /// is kept behind it. An unread answer goes, since it belongs to the other token; but which
    /// token is under way is remembered, so that [`Entry::rotate`] does not put its successor in
    /// the place of this one.
    pub fn set_refresh_token(&mut self, now: WallMs, token: Secret, expires_at: Option<WallMs>) {
        let before = self.refresh.take();
        let intent = before.as_ref().and_then(|before| before.intent);
        self.overtaken = intent.map(|intent| intent.of).or(self.overtaken);
        let previous = before.and_then(|before| match is_same(&before.token, &token) {
            true => before.previous,
            false => Some(before.token),
        });
        self.refresh = Some(Refresh {
            token,
            previous,
            obtained_at: now,
            used_at: None,
            expires_at,
            is_dead: false,
            intent: None,
            answer: None,
        });
    }
}

impl Refresh {
    /// The present token has worked and brought this one.
    fn succeed(
        &mut self,
        now: WallMs,
        token: Secret,
        expires_at: Option<WallMs>,
        is_intended: bool,
    ) {
        // Without an intent this may be the second time, after a write that was thought to have
        // failed: then the successor is where it belongs.
        let is_kept_behind = self.previous.as_ref().is_some_and(|held| is_same(held, &token));
        if !is_intended && is_kept_behind {
            return;
        }
        self.used_at = Some(now);
        self.is_dead = false;
        if !is_same(&self.token, &token) {
            self.previous = Some(std::mem::replace(&mut self.token, token));
            self.obtained_at = now;
            self.expires_at = expires_at;
            return;
        }
        // The provider does not rotate and repeats the token; not always with the date.
        self.expires_at = expires_at.or(self.expires_at);
        if is_intended {
            self.previous = None;
        }
    }

    /// Keeps a token that is alive but not wanted.
    fn keep_behind(&mut self, token: Secret) {
        if !is_same(&self.token, &token) {
            self.previous = Some(token);
        }
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Names a token without telling it: half of its SHA-256.
fn fingerprint(token: &Secret) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(token.expose()).into();
    let (half, _) = digest.split_first_chunk().expect("32 bytes begin with 16");
    *half
}

/// By their fingerprints, so that no comparison takes longer the more of a secret is right.
fn is_same(one: &Secret, other: &Secret) -> bool {
    fingerprint(one) == fingerprint(other)
}
