//! What has been read of an entry.

use tokctl_proto::WallMs;

use crate::refresh_token::RefreshToken;

/// How far an entry has been read. An entry that is not in the map has not been.
#[derive(Debug)]
pub(crate) enum Entry {
    Loading,
    /// What is being read was written since: it is read once more.
    Outdated,
    /// `None`: it holds nothing but tokens.
    Loaded(Option<Box<Facts>>),
}

/// What an entry holds besides tokens.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) refresh: Option<RefreshToken>,
    pub(crate) has_next: bool,
    pub(crate) expiring: Vec<(String, WallMs)>,
}

static NOTHING: Facts = Facts { refresh: None, has_next: false, expiring: Vec::new() };

impl Entry {
    pub(crate) fn loaded(facts: Facts) -> Self {
        let is_nothing = facts.refresh.is_none() && !facts.has_next && facts.expiring.is_empty();
        Self::Loaded((!is_nothing).then(|| Box::new(facts)))
    }

    pub(crate) fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Loading | Self::Outdated => None,
            Self::Loaded(facts) => Some(facts.as_deref().unwrap_or(&NOTHING)),
        }
    }

    pub(crate) fn facts_mut(&mut self) -> Option<&mut Facts> {
        match self {
            Self::Loading | Self::Outdated => None,
            Self::Loaded(facts) => facts.as_deref_mut(),
        }
    }
}
