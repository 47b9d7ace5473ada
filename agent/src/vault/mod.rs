//! Secrets at rest: age files, one an entry, in a directory that one agent holds.
//!
//! It promises that nothing is half written, that nothing is trusted which this vault's identity
//! did not write, and that the stock `age` program opens every file: `age -d -i identity.age
//! entries/acme.age`. Nothing that does not open is ever deleted or written over.
//!
//! What it does not do: it cannot tell an older copy of the whole directory from the present one
//! (no file can), it reads no clock, draws no randomness but age's own, and knows no profile but by
//! its name. Everything is synchronous; a passphrase costs a second of CPU and 256 MiB.

mod ballast;
mod dir;
mod entries;
mod entry;
mod error;
mod file;
mod identity;
mod json;
mod json_login;
mod json_refresh;
mod keys;
mod login;
mod remove_all;
mod rename;
mod rotation;
mod seal;
mod set_aside;
#[cfg(test)]
mod tests;
mod tombstone;
mod tombstones;
mod unlock;

pub use dir::{AcquireError, VaultDir};
pub use entries::{Quarantined, Removed};
pub use entry::{Entry, EntryId, Intent, RawAnswer, Refresh, Subject, Via};
pub use error::VaultError;
pub use identity::{Presence, RecipientFile};
pub use keys::Keys;
pub use login::{LoggedIn, Login};
pub use rotation::NoRefreshToken;
pub use set_aside::SetAside;
pub use tombstone::{Buried, GIVEN_UP_AFTER, Tombstone};
pub use tombstones::TOMBSTONES_MAX;
pub use unlock::given::is_identity;
