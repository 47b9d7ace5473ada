//! What a watcher is told of the vault agrees with what the vault is.

use tokctl_core::{Core, Happening};

/// Somebody who watches from the start of the agent on.
#[derive(Default)]
pub(super) struct Watcher {
    open: bool,
}

impl Watcher {
    pub(super) fn hears(&mut self, happening: &Happening) {
        match happening {
            Happening::Locked => assert!(std::mem::take(&mut self.open), "locked twice"),
            Happening::Unlocked => {
                assert!(!std::mem::replace(&mut self.open, true), "unlocked twice");
            }
            Happening::Renewed { .. } => assert!(self.open, "a new token in a sealed vault"),
            Happening::Failed { .. } | Happening::LoginNeeded { .. } => {}
        }
    }

    /// When everything of a step was told.
    pub(super) fn agrees(&self, core: &Core) {
        let is_open = matches!(core.lock_state(), "unlocked" | "sealing");
        assert_eq!(self.open, is_open, "the watcher was not told of the vault");
    }
}
