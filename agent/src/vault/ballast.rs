//! Room that is taken before it is needed.
//!
//! A refresh token that the provider has issued is never lost, not by a full disk either: the old
//! one is burned by then, and nobody issues the new one twice. Whether a disk takes a write can
//! only be known by writing, so the room is taken before the request is sent. What then finds the
//! disk full gives the ballast back and has its place.
//!
//! It does not help against a disk that fails, nor one that is filled up in the instant between.

use std::sync::atomic::Ordering;

use super::dir::VaultDir;
use super::error::VaultError;
use super::file;

const BALLAST: &str = "ballast";
/// Takes a small entry with a raw answer in it, and leaves half of a disk of 64 KiB.
const BALLAST_BYTES_MIN: usize = 32 * 1024;
/// How much an entry may grow by an answer: an access token, an id token and a refresh token of
/// many scopes, in base64.
const ANSWER_BYTES: usize = 24 * 1024;

impl VaultDir {
    /// Makes the ballast where it is missing or short. When this returns, a whole entry of the size
    /// of the largest one written in this run finds room through [`VaultDir::write_for_good`]: the
    /// file it replaces goes only after it. When it fails, nothing must be sent that cannot be sent
    /// twice.
    pub fn ensure_ballast(&self) -> Result<(), VaultError> {
        let path = self.path().join(BALLAST);
        let wanted = BALLAST_BYTES_MIN.max(self.largest.load(Ordering::Relaxed) + ANSWER_BYTES);
        let is_there = path
            .symlink_metadata()
            .is_ok_and(|found| found.is_file() && found.len() >= wanted as u64);
        if is_there { Ok(()) } else { file::replace(&path, &incompressible(wanted)) }
    }

    /// Does what writes; where it fails for want of room, gives the ballast back and does it once
    /// more.
    pub(super) fn with_ballast_to_spare<T>(
        &self,
        mut write: impl FnMut() -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        match write() {
            Err(error) if error.is_for_want_of_room() => {
                // Removing syncs the directory: a file system may keep the room until then.
                match file::remove(&self.path().join(BALLAST)) {
                    Ok(true) => write(),
                    Ok(false) | Err(_) => Err(error),
                }
            }
            done => done,
        }
    }
}

/// Bytes that take as much room as they are many: a file system that compresses would keep zeros in
/// none. (Marsaglia's xorshift; nothing here is secret.)
fn incompressible(length: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}
