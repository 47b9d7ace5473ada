//! What went wrong, in words a person and a program can use.
//!
//! A [`Kind`] decides the exit status; the message says what happened and whose fault it is; the hint says
//! what to type next. On the wire the kind is text, so a kind that an older client has never heard of still
//! reads: the exit status travels beside it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::profile::ProfileName;
use crate::time::WallMs;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal exits $exit:literal,)*) => {
        /// Every reason for which a request can fail. PROTOCOL.md lists them; they only grow in number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name on the wire and in `--json`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The exit status of `tokctl`.
            pub fn exit(self) -> u8 {
                match self { $(Self::$variant => $exit,)* }
            }
        }
    };
}

kinds! {
    /// A bug in tokctl.
    Internal = "internal" exits 1,
    /// The command or the request makes no sense as it stands.
    Usage = "usage" exits 2,
    /// `add` or `rename` names a profile that is there already.
    ProfileExists = "profile_exists" exits 2,
    /// `init` where there is a vault.
    VaultExists = "vault_exists" exits 2,
    /// The agent at this socket belongs to another TOKCTL_HOME.
    OtherHome = "other_home" exits 2,
    NoSuchProfile = "no_such_profile" exits 3,
    VaultSealed = "vault_sealed" exits 4,
    /// There is no vault yet.
    NoVault = "no_vault" exits 4,
    WrongPassphrase = "wrong_passphrase" exits 4,
    /// A person has to log in.
    LoginRequired = "login_required" exits 5,
    /// The profile has no secret, or none that fits.
    SecretRequired = "secret_required" exits 5,
    /// The exchange needs a subject token, and nobody has brought one.
    SubjectRequired = "subject_required" exits 5,
    /// A login was begun, and nobody finished it in time.
    LoginExpired = "login_expired" exits 5,
    /// The person, or the provider in their place, said no to a login.
    LoginDenied = "login_denied" exits 6,
    /// The provider granted less scope than was asked for.
    ScopeMissing = "scope_missing" exits 6,
    /// The token is bound to a key, so it is of no use without a proof.
    SenderConstrained = "sender_constrained" exits 2,
    /// The provider refused the client, the scope or the grant.
    ProviderRefused = "provider_refused" exits 6,
    /// No connection: name, route, TLS, time-out.
    ProviderUnreachable = "provider_unreachable" exits 7,
    /// The provider answered with a failure of its own, or with something that is no token reply.
    ProviderFailed = "provider_failed" exits 7,
    /// The provider said to slow down.
    RateLimited = "rate_limited" exits 7,
    /// No token lives as long as was asked for.
    MinValid = "min_valid" exits 7,
    /// The caller's `--timeout` ran out first.
    Timeout = "timeout" exits 7,
    /// A rule on this machine says no.
    Denied = "denied" exits 8,
    /// The profile's `api_urls` do not name the place its token was wanted for.
    UrlRefused = "url_refused" exits 8,
    /// A further socket was asked for what it does not give.
    SocketScoped = "socket_scoped" exits 8,
    /// The other side of the socket, or the owner of the vault, is another user.
    WrongUser = "wrong_user" exits 8,
    NoAgent = "no_agent" exits 9,
    /// Client and agent share no version of the wire.
    Version = "version" exits 9,
    ConfigInvalid = "config_invalid" exits 10,
    /// config.toml sends a stored secret to an origin it was not stored for.
    OriginChanged = "origin_changed" exits 10,
    /// This machine: disk, permission, limits.
    Machine = "machine" exits 11,
    /// An entry of the vault does not open, or was not written by this vault.
    EntryDamaged = "entry_damaged" exits 11,
    Cancelled = "cancelled" exits 130,
}

/// A failure on its way to a person: what happened, and what to do about it when we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: Kind,
    pub profile: Option<ProfileName>,
    /// Lower case, no full stop; text from elsewhere in it went through [`crate::escape::shown`].
    pub message: String,
    /// What to do next, as in: run `tokctl login acme`
    pub hint: Option<String>,
    /// When the next attempt can succeed, where that is known.
    pub retry_at: Option<WallMs>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, profile: None, message: message.into(), hint: None, retry_at: None }
    }

    pub fn of(mut self, profile: &ProfileName) -> Self {
        self.profile = Some(profile.clone());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn retry_at(mut self, at: WallMs) -> Self {
        self.retry_at = Some(at);
        self
    }
}

/// A failure as it travels. Frozen.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct WireFailure<'a> {
    pub exit: u8,
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub profile: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub message: Cow<'a, str>,
    #[serde(borrow)]
    pub hint: Option<Cow<'a, str>>,
    /// Unix seconds.
    pub retry_at: Option<i64>,
}

impl<'a> From<&'a Failure> for WireFailure<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            exit: failure.kind.exit(),
            kind: Cow::Borrowed(failure.kind.name()),
            profile: failure.profile.as_ref().map(|name| Cow::Borrowed(name.as_str())),
            message: Cow::Borrowed(&failure.message),
            hint: failure.hint.as_deref().map(Cow::Borrowed),
            retry_at: failure.retry_at.map(WallMs::unix_s),
        }
    }
}

impl WireFailure<'_> {
    /// Detaches the failure from the frame it was read from.
    pub fn into_owned(self) -> WireFailure<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        WireFailure {
            exit: self.exit,
            kind: own(self.kind),
            profile: self.profile.map(own),
            message: own(self.message),
            hint: self.hint.map(own),
            retry_at: self.retry_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn kinds_have_names_of_their_own() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn every_exit_status_is_one_of_the_documented() {
        for kind in Kind::ALL {
            assert!(matches!(kind.exit(), 1..=11 | 130), "{kind:?}");
        }
    }
}
