//! A profile as the core sees it: how its tokens come about, not what is sent for them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::ProfileName;

/// A profile's share in the decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub source: Source,
    /// Names the settings that a token depends on. A token of another revision is not this profile's.
    pub revision: u64,
    pub policy: Policy,
    /// The name of its grant, for `why`.
    pub grant: &'static str,
    /// Scheme, host and port of the provider, empty where there is none: its profiles share a limit and a
    /// breaker.
    pub origin: Arc<str>,
    /// What is asked for unless a caller asks for something else.
    pub scope: Arc<BTreeSet<String>>,
    /// Whose token is presented for its own.
    pub subject: Option<Box<Subject>>,
}

/// A token that the core must come by so that a request can be made. What lies in a file is the shell's own matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Only a client has it, in its environment. Without one nobody is asked for a token.
    Caller,
    /// The plain token of another profile, which is no pool.
    Profile(ProfileName),
}

/// Where a profile's tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The entry holds it; there is nothing to ask for and nothing to renew.
    Stored,
    /// A provider issues it.
    Provider(Lanes),
    /// Other profiles, in turn.
    Pool(Arc<Pool>),
}

impl Source {
    /// Whether a refresh token is at stake.
    pub(crate) fn is_shared(&self) -> bool {
        *self == Self::Provider(Lanes::Shared)
    }
}

/// Which requests of a profile follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// Each key for itself: the grant spends nothing that keys share.
    PerKey,
    /// All keys after one another: they share a refresh token, and each use may replace it.
    Shared,
}

/// Profiles whose tokens are handed out in turn. None of them is a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Not empty, each one once.
    pub members: Vec<ProfileName>,
    /// What each member stands.
    pub rate: Option<Rate>,
}

/// So many uses in any period of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub uses: u32,
    pub period: Duration,
}

/// When a profile's tokens are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub refresh_ahead: Option<Ahead>,
    /// Some providers refuse to renew a token that has long to live.
    pub refresh_ahead_max: Option<Duration>,
    pub keep: Keep,
    pub keep_idle: Option<Duration>,
    /// A refresh token that is not used for so long dies.
    pub refresh_token_idle: Option<Duration>,
    pub rotation: Rotation,
}

impl Policy {
    /// What holds where a profile says nothing.
    pub const DEFAULT: Self = Self {
        refresh_ahead: None,
        refresh_ahead_max: None,
        keep: Keep::Used,
        keep_idle: None,
        refresh_token_idle: None,
        rotation: Rotation::Strict,
    };
}

/// How early a token is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// In hundredths of its lifetime, 1 to 90.
    Percent(u8),
    Time(Duration),
}

/// Which tokens are renewed ahead of need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    Always,
    #[default]
    Used,
    OnDemand,
}

/// What a provider makes of a refresh token that is presented twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// The second time revokes the family (RFC 9700 section 4.14.2).
    #[default]
    Strict,
    /// It takes the previous one again for a while.
    Grace,
    /// It never replaces one.
    None,
}
