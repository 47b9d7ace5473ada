//! The only place that draws from the system's randomness. (age draws its own.)

use std::io;

/// Fills the buffer.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|_| io::Error::other("the system has no randomness"))
}

/// A seed for jitter.
pub fn seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// 128 random bits in hex: the identity of an entry.
pub fn id() -> io::Result<String> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
