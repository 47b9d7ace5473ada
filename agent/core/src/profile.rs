//! A profile as the core sees it: how its tokens come about, not what is sent for them.

/// A profile's share in the decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub source: Source,
    /// Names the settings that a token depends on. A token of another revision is not this profile's.
    pub revision: u64,
}

/// Where a profile's tokens come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The entry holds it; there is nothing to ask for and nothing to renew.
    Stored,
    /// A provider issues it.
    Provider(Lanes),
}

/// Which requests of a profile follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// Each key for itself: the grant spends nothing that keys share.
    PerKey,
    /// All keys after one another: they share a refresh token, and each use may replace it.
    Shared,
}
