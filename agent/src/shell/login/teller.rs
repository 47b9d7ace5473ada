//! What a login says while it goes on: to the driver, for all who wait for it.

use tokctl_proto::{Failure, ProfileName};
use tokio::sync::mpsc::UnboundedSender;

use super::{Finished, LoginId, Step};
use crate::shell::driver::Input;

/// What a login has to say.
#[derive(Debug)]
pub enum News {
    /// What the person is to do now.
    Step(Step),
    Talk {
        text: String,
        is_warning: bool,
    },
    /// The address at which the browser ended is wanted.
    Ask,
    /// The code is about to be spent.
    Committed,
    Ended(Result<Box<Finished>, Failure>),
}

/// Speaks for one login.
#[derive(Clone, Debug)]
pub(in crate::shell) struct Teller {
    inbox: UnboundedSender<Input>,
    profile: ProfileName,
    id: LoginId,
}

impl Teller {
    pub(in crate::shell) fn new(
        inbox: UnboundedSender<Input>,
        profile: ProfileName,
        id: LoginId,
    ) -> Self {
        Self { inbox, profile, id }
    }

    pub(super) fn tell(&self, news: News) {
        // The driver is gone only when the agent stops.
        let _stopped = self.inbox.send(self.input(news));
    }

    pub(super) fn warn(&self, text: impl Into<String>) {
        self.tell(News::Talk { text: text.into(), is_warning: true });
    }

    pub(in crate::shell) fn input(&self, news: News) -> Input {
        Input::Login { profile: self.profile.clone(), id: self.id, news }
    }
}
