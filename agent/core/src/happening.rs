//! What happens to tokens, for whoever watches. Nobody has to: the core does not know who does, and nothing here waits
//! for an answer. There is no token and no secret in it.

use std::sync::Arc;

use tokctl_proto::{Failure, ProfileName, TokenKey, WallMs};

use crate::core::Core;
use crate::effect::Effect;

/// Something that happened, in the order in which it did.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A new token came, by a renewal or by a login.
    Renewed { key: Arc<TokenKey>, expires_at: Option<WallMs> },
    /// An attempt to obtain one has failed. The next may succeed.
    Failed { key: Arc<TokenKey>, failure: Failure },
    /// Nothing helps but a person. It is told once, until a token comes or another way of failing.
    LoginNeeded { profile: ProfileName, failure: Failure },
    /// The vault is sealed.
    Locked,
    /// It is open.
    Unlocked,
}

impl Happening {
    /// Its name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Renewed { .. } => "renewed",
            Self::Failed { .. } => "failed",
            Self::LoginNeeded { .. } => "login_needed",
            Self::Locked => "locked",
            Self::Unlocked => "unlocked",
        }
    }

    /// Whose it is; `None`: the vault's.
    pub fn profile(&self) -> Option<&ProfileName> {
        match self {
            Self::Renewed { key, .. } | Self::Failed { key, .. } => Some(&key.profile),
            Self::LoginNeeded { profile, .. } => Some(profile),
            Self::Locked | Self::Unlocked => None,
        }
    }

    /// Why, where something went wrong.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } | Self::LoginNeeded { failure, .. } => Some(failure),
            Self::Renewed { .. } | Self::Locked | Self::Unlocked => None,
        }
    }
}

impl Core {
    pub(crate) fn happened(&mut self, happening: Happening) {
        self.effects.push(Effect::Tell(happening));
    }
}
