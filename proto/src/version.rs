//! Versions of the wire. A version is a promise about bytes: its messages never change, they are only added to.

/// Lowest version that this build speaks.
pub const LOWEST: u8 = 1;
/// Highest version that this build speaks.
pub const HIGHEST: u8 = 1;
/// The version byte of the one frame that says "I do not speak that version". It is never negotiated.
pub const UNSUPPORTED: u8 = 0;
