//! A vault in memory. Its work is done in order, by one thread, as the real one's is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokctl_core::{Changed, Event, Profile, RequestId, SaveId, Source, Token, Vault};
use tokctl_proto::{BootMs, Failure, Kind, ProfileName, Secret, TokenKey, WallMs};

use super::dice::Dice;
use super::provider;

pub(super) const PASSPHRASE: &str = "correct horse";

/// One job for the vault's thread.
#[derive(Debug)]
pub(super) enum Work {
    Unlock(Option<Secret>),
    Seal,
    Load(ProfileName),
    Save(SaveId, Box<(TokenKey, Token)>),
    /// A request that was admitted; its change is worked out when its turn comes.
    Admin(RequestId),
}

pub(super) struct FakeVault {
    pub(super) kind: Vault,
    pub(super) open: bool,
    pub(super) tokens: BTreeMap<ProfileName, BTreeMap<TokenKey, Token>>,
    /// Profiles whose stored key is there.
    pub(super) stored: BTreeSet<ProfileName>,
    /// Whether reads and writes fail now and then.
    pub(super) bad_disk: bool,
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
            tokens: BTreeMap::new(),
            stored: BTreeSet::new(),
            bad_disk: false,
            jobs: 0,
            free_at: BootMs(0),
        }
    }

    /// When a job that is given now will be done.
    pub(super) fn queue(&mut self, now: BootMs, dice: &mut Dice, work: &Work) -> BootMs {
        let takes = match work {
            Work::Unlock(_) => dice.ms(200, 2_000),
            Work::Seal => Duration::ZERO,
            Work::Load(_) | Work::Save(..) | Work::Admin(_) => dice.ms(0, 30),
        };
        self.free_at = self.free_at.max(now).plus(takes);
        self.jobs += 1;
        self.free_at
    }

    /// The thread died with the agent.
    pub(super) fn restart(&mut self) {
        self.open = false;
        self.jobs = 0;
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

    pub(super) fn load(
        &mut self,
        dice: &mut Dice,
        wall: WallMs,
        profiles: &BTreeMap<ProfileName, Profile>,
        name: ProfileName,
    ) -> Event {
        let result = match () {
            () if !self.open => Err(Failure::new(Kind::VaultSealed, "the vault is sealed")),
            () if self.bad_disk && dice.chance(30) => {
                Err(Failure::new(Kind::EntryDamaged, "the entry does not open"))
            }
            () => Ok(self.entry(wall, profiles, &name)),
        };
        Event::Loaded { profile: name, result }
    }

    fn entry(
        &self,
        wall: WallMs,
        profiles: &BTreeMap<ProfileName, Profile>,
        name: &ProfileName,
    ) -> Vec<(TokenKey, Token)> {
        match profiles.get(name) {
            Some(Profile { source: Source::Stored, revision }) if self.stored.contains(name) => {
                let key = TokenKey::plain(name.clone());
                // A key that somebody wrote an end to: it cannot be renewed all the same.
                let life = (revision % 2 == 1).then_some(Duration::from_secs(600));
                let token = provider::token(wall, &key, *revision, 0, life);
                vec![(key, token)]
            }
            _ => self.tokens.get(name).cloned().unwrap_or_default().into_iter().collect(),
        }
    }

    pub(super) fn save(
        &mut self,
        dice: &mut Dice,
        save: SaveId,
        (key, token): (TokenKey, Token),
    ) -> Event {
        let result = match () {
            () if !self.open => Err(Failure::new(Kind::VaultSealed, "the vault is sealed")),
            () if self.bad_disk && dice.chance(50) => {
                Err(Failure::new(Kind::Machine, "no space left on device"))
            }
            () => {
                self.tokens.entry(key.profile.clone()).or_default().insert(key, token);
                Ok(())
            }
        };
        Event::Saved { save, result }
    }

    /// A request that came too late: the vault was sealed before its turn.
    pub(super) fn refuse(request: Option<RequestId>) -> Event {
        let failure = Failure::new(Kind::VaultSealed, "the vault is sealed");
        let reply = request.map(|request| (request, Err(failure)));
        Event::Changed(Changed { reply, ..Changed::default() })
    }
}
