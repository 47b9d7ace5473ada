//! A subject that comes from the environment, as a job of CI has it.
//!
//! It is read anew for each token and never stored. It is looked for when a profile is added all the same, so that
//! a job that may not have one says so in its first step and not in its last.

use tokctl_client::subject::{from_environment, is_of_environment};

use super::draft::Draft;
use crate::session::Session;

/// Whether a token can be had here, as far as its subject goes. Says what is missing and fails nothing: the profile
/// may be meant for another place.
pub(super) fn is_here(draft: &Draft<'_>, session: &Session) -> bool {
    let Some(source) = draft.settings.value("subject").filter(|it| is_of_environment(it)) else {
        return true;
    };
    let Err(error) = from_environment(source) else { return true };
    let failure = error.failure();
    session.output.warn(&format!("{}: {}", draft.profile, failure.message));
    if let Some(hint) = &failure.hint {
        session.output.hint(hint);
    }
    false
}
