//! A vault on a disk. Its work is done in order, by one thread, as the real one's is.
//!
//! What was acknowledged is durable. The one write that is under way when the agent dies is whole or not at
//! all, by the dice; those behind it never happen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokctl_core::{
    AnswerId, AttemptId, Changed, Contents, Credential, Event, Kept, Outcome, Profile, RequestId,
    SaveId, Source, Token, Unread, Vault,
};
use tokctl_proto::{BootMs, Failure, Kind, ProfileName, Secret, TokenKey, WallMs};

use super::dice::Dice;
use super::entry::{Entry, RawAnswer};
use super::provider;

pub(super) const PASSPHRASE: &str = "correct horse";

/// One job for the vault's thread.
#[derive(Debug)]
pub(super) enum Work {
    Unlock(Option<Secret>),
    Seal,
    Load(ProfileName),
    Intend {
        save: SaveId,
        attempt: AttemptId,
        name: ProfileName,
        tries: u32,
    },
    /// What a request needs of the entry.
    Fetch {
        attempt: AttemptId,
        key: TokenKey,
        credential: Credential,
        subject: Option<Secret>,
    },
    Answer {
        save: SaveId,
        attempt: AttemptId,
        raw: Box<RawAnswer>,
    },
    Withdraw {
        name: ProfileName,
        tries: u32,
    },
    Keep {
        save: SaveId,
        attempt: AttemptId,
        key: TokenKey,
        kept: Kept,
    },
    Drop {
        key: TokenKey,
        token: Arc<Token>,
    },
    Bury {
        attempt: AttemptId,
        name: ProfileName,
    },
    /// A request that was admitted; its change is worked out when its turn comes.
    Admin(RequestId),
}

/// What the disk does with writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DiskState {
    #[default]
    Good,
    /// Half of them fail.
    Bad,
    /// All of them fail.
    Broken,
    /// There is room for what the ballast makes room for.
    Full,
}

pub(super) struct FakeVault {
    pub(super) kind: Vault,
    pub(super) open: bool,
    pub(super) entries: BTreeMap<ProfileName, Entry>,
    pub(super) disk: DiskState,
    has_ballast: bool,
    /// Which refresh token each attempt presents.
    pub(super) presented: BTreeMap<AttemptId, String>,
    /// Jobs that are not done yet.
    pub(super) jobs: usize,
    /// When the thread has done what it was given.
    free_at: BootMs,
}

impl FakeVault {
    pub(super) fn new(kind: Vault) -> Self {
        Self {
            kind,
            open: false,
            entries: BTreeMap::new(),
            disk: DiskState::Good,
            has_ballast: false,
            presented: BTreeMap::new(),
            jobs: 0,
            free_at: BootMs(0),
        }
    }

    /// When a job that is given now will be done.
    pub(super) fn queue(&mut self, now: BootMs, dice: &mut Dice, work: &Work) -> BootMs {
        let takes = match work {
            Work::Unlock(_) => dice.ms(200, 2_000),
            Work::Seal => Duration::ZERO,
            _ => dice.ms(0, 30),
        };
        self.free_at = self.free_at.max(now).plus(takes);
        self.jobs += 1;
        self.free_at
    }

    /// The thread died with the agent.
    pub(super) fn restart(&mut self) {
        self.open = false;
        self.jobs = 0;
        self.presented.clear();
        self.free_at = BootMs(0);
    }

    pub(super) fn unlock(&mut self, passphrase: Option<Secret>) -> Event {
        let right = match (self.kind, &passphrase) {
            (Vault::Bare, None) => true,
            (Vault::Passphrase, Some(typed)) => typed.expose() == PASSPHRASE,
            _ => false,
        };
        self.open |= right;
        Event::Unlocked(match right {
            true => Ok(()),
            false => Err(Failure::new(Kind::WrongPassphrase, "it does not open this vault")),
        })
    }

    /// Reads an entry. The answer that nobody has read is registered under `answer`.
    pub(super) fn load(
        &mut self,
        dice: &mut Dice,
        wall: WallMs,
        profile: Option<&Profile>,
        name: &ProfileName,
        answer: AnswerId,
    ) -> (Result<Contents, Failure>, Option<Outcome>) {
        if let Err(failure) = self.is_open() {
            return (Err(failure), None);
        }
        if self.disk == DiskState::Bad && dice.chance(30) {
            return (Err(Failure::new(Kind::EntryDamaged, "the entry does not open")), None);
        }
        let Some(entry) = self.entries.get_mut(name) else {
            return (Ok(Contents::default()), None);
        };
        if let Some(refresh) = &mut entry.refresh {
            refresh.is_unsure = false;
        }
        let mut tokens: Vec<_> = entry.tokens.clone().into_iter().collect();
        if let Some(Profile { source: Source::Stored, revision, .. }) = profile {
            // A key that somebody wrote an end to: it cannot be renewed all the same.
            let life = (revision % 2 == 1).then_some(Duration::from_secs(600));
            let key = TokenKey::plain(name.clone());
            let token = provider::token(wall, &key, *revision, 0, life);
            tokens = entry.has_key.then_some((key, token)).into_iter().collect();
        }
        let raw = entry.refresh.as_ref().and_then(|refresh| refresh.answer.clone());
        let unread =
            raw.as_ref().map(|raw| Unread { answer, key: raw.key.clone(), revision: raw.revision });
        let contents = Contents {
            tokens,
            refresh: entry.facts(),
            unread,
            has_next: entry.next.is_some(),
            expiring: Vec::new(),
        };
        (Ok(contents), raw.map(|raw| raw.outcome))
    }

    fn is_open(&self) -> Result<(), Failure> {
        match self.open {
            true => Ok(()),
            false => Err(Failure::new(Kind::VaultSealed, "the vault is sealed")),
        }
    }

    /// Whether the disk takes this write.
    fn takes(&mut self, dice: &mut Dice, work: &Work) -> Result<(), Failure> {
        self.is_open()?;
        let fails = match (self.disk, work) {
            (DiskState::Good, _) => false,
            (DiskState::Bad, _) => dice.chance(50),
            (DiskState::Broken, _) => true,
            (DiskState::Full, Work::Answer { .. } | Work::Keep { .. }) => {
                let room = std::mem::take(&mut self.has_ballast);
                // A little is left of what the ballast took.
                !room && dice.chance(50)
            }
            (DiskState::Full, _) => true,
        };
        if !fails && matches!(work, Work::Intend { .. }) {
            self.has_ballast = true;
        }
        match fails {
            true => Err(Failure::new(Kind::Machine, "no space left on device")),
            false => Ok(()),
        }
    }

    /// Writes, or does not. `None` where nobody hears of it.
    pub(super) fn write(&mut self, dice: &mut Dice, wall: WallMs, work: Work) -> Option<Event> {
        let taken = self.takes(dice, &work);
        match work {
            Work::Intend { save, attempt, name, tries } => {
                let result = taken.and_then(|()| self.intend(attempt, name, tries));
                Some(Event::Saved { save, result })
            }
            Work::Answer { save, attempt, raw } => {
                if taken.is_ok() {
                    self.keep_answer(attempt, *raw);
                }
                Some(Event::Saved { save, result: taken })
            }
            Work::Withdraw { name, tries } => {
                let entry = self.entries.entry(name).or_default();
                match (&taken, &mut entry.refresh) {
                    (Ok(()), _) => entry.withdraw(tries),
                    (Err(_), Some(refresh)) => refresh.is_unsure = true,
                    (Err(_), None) => {}
                }
                None
            }
            Work::Keep { save, attempt, key, kept } => {
                if taken.is_ok() {
                    let presented = self.presented(attempt, &key.profile);
                    let entry = self.entries.entry(key.profile.clone()).or_default();
                    entry.keep(&key, &kept, presented.as_deref(), wall);
                }
                Some(Event::Saved { save, result: taken })
            }
            Work::Drop { key, token } => {
                let entry = self.entries.entry(key.profile.clone()).or_default();
                let is_it = entry
                    .tokens
                    .get(&key)
                    .is_some_and(|held| held.access_token.expose() == token.access_token.expose());
                if taken.is_ok() && is_it {
                    entry.tokens.remove(&key);
                }
                None
            }
            Work::Bury { attempt, name } => {
                if let (Err(_), Some(entry)) = (&taken, self.entries.get_mut(&name))
                    && let Some(refresh) = &mut entry.refresh
                {
                    refresh.is_unsure = true;
                }
                let result = taken.map(|()| {
                    let presented = self.presented(attempt, &name);
                    self.entries.entry(name).or_default().bury(presented.as_deref())
                });
                Some(Event::Buried { attempt, result })
            }
            Work::Unlock(_) | Work::Seal | Work::Load(_) | Work::Fetch { .. } | Work::Admin(_) => {
                panic!("this is no write")
            }
        }
    }

    /// Whether this refresh token of a profile outlasts a crash.
    pub(super) fn has_safe(&self, name: &ProfileName, token: &str) -> bool {
        let refresh = self.entries.get(name).and_then(|entry| entry.refresh.as_ref());
        refresh.is_some_and(|refresh| {
            refresh.holds(token) || refresh.previous.as_deref() == Some(token)
        })
    }

    pub(super) fn has_token(&self, key: &TokenKey, text: &str) -> bool {
        let held = self.entries.get(&key.profile).and_then(|entry| entry.tokens.get(key));
        held.is_some_and(|held| held.access_token.expose() == text)
    }

    /// A request that came too late: the vault was sealed before its turn.
    pub(super) fn refuse(request: RequestId) -> Event {
        let failure = Failure::new(Kind::VaultSealed, "the vault is sealed");
        let reply = Some((request, Err(failure)));
        Event::Changed(Changed { reply, ..Changed::default() })
    }

    fn intend(&mut self, attempt: AttemptId, name: ProfileName, tries: u32) -> Result<(), Failure> {
        match self.entries.entry(name).or_default().intend(tries) {
            Some(of) => {
                self.presented.insert(attempt, of);
                Ok(())
            }
            None => Err(Failure::new(Kind::LoginRequired, "there is no refresh token")),
        }
    }

    fn keep_answer(&mut self, attempt: AttemptId, raw: RawAnswer) {
        let presented = self.presented(attempt, &raw.key.profile);
        let entry = self.entries.entry(raw.key.profile.clone()).or_default();
        // Where a person stored another token meanwhile, the answer is not its answer.
        if let Some(refresh) = &mut entry.refresh
            && presented.as_ref() == Some(&refresh.token)
        {
            refresh.answer = Some(raw);
        }
    }

    /// What an attempt presented: an earlier run's left an intent.
    fn presented(&self, attempt: AttemptId, name: &ProfileName) -> Option<String> {
        let of_intent = || {
            let intent = self.entries.get(name)?.refresh.as_ref()?.intent.as_ref()?;
            Some(intent.of.clone())
        };
        self.presented.get(&attempt).cloned().or_else(of_intent)
    }
}
