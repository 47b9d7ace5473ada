//! Logins: a person proves at the provider who they are, and a refresh token comes of it.
//!
//! A login is a person's act. It begins when one asks for it, one at a time for a profile, and ends
//! with tokens, with a refusal, when its time is over, or when nobody waits for it any more. Whoever
//! asks while one is pending joins it. A code that was sent is seen through to the end, whoever is
//! still there, since it is spent.
//!
//! Here is who waits for what; `flow` is the way from the first request to the tokens, with `browser`,
//! `paste` and `device` for the part that a person has in it, `redirect` for the port that a browser
//! comes back to, and `finish` for what is made of the answer. What the core is told, and how the
//! tokens get into the entry, is in `driver/login.rs` and `change/login.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokctl_core::RequestId;
use tokctl_proto::response::{Item, LoginStep};
use tokctl_proto::{ProfileName, Secret, WallMs};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use crate::config::Profile;

mod authorize;
mod browser;
mod deadline;
mod device;
pub(super) mod finish;
mod flow;
mod known;
mod page;
mod paste;
mod redirect;
mod teller;

pub(super) use finish::Finished;
pub(super) use flow::{Begin, run};
pub(super) use teller::{News, Teller};

/// Requests of the registry's own. Those of clients count from 1 and never come so far.
const INSIDE: u64 = 1 << 63;

/// What a client wants of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub profile: ProfileName,
    /// Scopes beyond the profile's.
    pub scope: std::collections::BTreeSet<String>,
    /// `None`: whichever fits.
    pub method: Option<Method>,
    pub has_browser: bool,
    pub interactive: bool,
}

/// How a person gets to the provider, and the answer back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Browser,
    Device,
    Paste,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Device => "device",
            Self::Paste => "paste",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Browser, Self::Device, Self::Paste].into_iter().find(|method| method.name() == name)
    }
}

/// What the person is to do.
#[derive(Clone, Debug)]
pub struct Step {
    pub method: Method,
    /// Holds the state of the login.
    pub url: Secret,
    pub code: Option<String>,
    pub url_complete: Option<String>,
    pub expires_at: WallMs,
}

impl Step {
    pub(super) fn item(&self, opens: bool) -> Item<'_> {
        Item::Login(LoginStep {
            method: self.method.name().into(),
            url: self.url.expose().into(),
            code: self.code.as_deref().map(Into::into),
            url_complete: self.url_complete.as_deref().map(Into::into),
            expires_at: self.expires_at.unix_s(),
            opens,
        })
    }
}

/// One login, so that what an earlier one of its profile still says is not taken for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginId(u64);

/// How far a login has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing is lost if it ends here.
    Waiting,
    /// The code is spent; what comes back is being saved and read.
    Committed,
    /// What it brought waits for its turn at the entry, or is being written.
    Storing(Option<Box<Finished>>),
}

/// A login under way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: LoginId,
    /// As it was when the login began.
    pub(super) profile: Arc<Profile>,
    pub(super) watchers: BTreeMap<RequestId, Watcher>,
    pub(super) step: Option<Step>,
    /// The address at the end is to be pasted.
    pub(super) asks: bool,
    pub(super) stage: Stage,
    /// Of the token that it brought, where it has an end.
    pub(super) expires_at: Option<WallMs>,
    pub(super) task: AbortHandle,
    pub(super) pasted: UnboundedSender<Secret>,
}

/// A client that waits for a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watcher {
    pub(super) has_browser: bool,
    /// It was told to open the browser.
    pub(super) opens: bool,
}

impl Pending {
    /// Whether this client is now told to open the browser: of those that can, one is.
    pub(super) fn appoint(&mut self, request: RequestId) -> bool {
        let opened = self.watchers.values().any(|watcher| watcher.opens);
        let Some(watcher) = self.watchers.get_mut(&request) else { return false };
        watcher.opens |= watcher.has_browser && !opened;
        watcher.opens
    }

    /// The request of our own under which this login takes its turn at the entry.
    pub(super) fn inside(&self) -> RequestId {
        RequestId(INSIDE | self.id.0)
    }
}

/// The logins under way.
#[derive(Debug, Default)]
pub(super) struct Logins {
    pub(super) pending: BTreeMap<ProfileName, Pending>,
    last: u64,
}

impl Logins {
    pub(super) fn next_id(&mut self) -> LoginId {
        self.last += 1;
        LoginId(self.last)
    }

    /// The login that is known by this, if it is still under way.
    pub(super) fn get(&mut self, profile: &ProfileName, id: LoginId) -> Option<&mut Pending> {
        self.pending.get_mut(profile).filter(|pending| pending.id == id)
    }

    /// Whose login takes its turn at the entry under this request.
    pub(super) fn storing(&self, request: RequestId) -> Option<&ProfileName> {
        let mut all = self.pending.iter().filter(|_| request.0 & INSIDE != 0);
        all.find(|(_, pending)| pending.inside() == request).map(|(name, _)| name)
    }

    /// Which login a client waits for.
    pub(super) fn watched_by(&self, request: RequestId) -> Option<&ProfileName> {
        let mut all = self.pending.iter();
        all.find(|(_, pending)| pending.watchers.contains_key(&request)).map(|(name, _)| name)
    }

    /// Whether a code is spent whose tokens are not in their entry.
    pub(super) fn is_committed(&self) -> bool {
        self.pending.values().any(|pending| !matches!(pending.stage, Stage::Waiting))
    }
}
