//! A buffer for secrets that grows without leaving copies behind.
//!
//! A `Vec` that outgrows its allocation frees the old one as it is. This one wipes it first, so
//! what is written into it is in one place until it is handed on or dropped. It does not lock its
//! pages.

use std::io;
use std::mem;

use tokctl_proto::Secret;
use zeroize::Zeroizing;

/// Enough for most request bodies and replies, so that they never grow.
const FIRST_BYTES: usize = 4 * 1024;

#[derive(Default)]
pub struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    pub fn push(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let roomier = needed.max(self.0.capacity() * 2).max(FIRST_BYTES);
            let mut grown = Zeroizing::new(Vec::with_capacity(roomier));
            grown.extend_from_slice(&self.0);
            // Dropping the old one wipes it.
            self.0 = grown;
        }
        self.0.extend_from_slice(bytes);
    }

    pub fn push_str(&mut self, text: &str) {
        self.push(text.as_bytes());
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    /// The text that was written; `None`, and wiped, when it is not UTF-8.
    pub fn into_secret(mut self) -> Option<Secret> {
        Secret::from_utf8(mem::take(&mut *self.0))
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} bytes)", self.0.len())
    }
}

/// For encoders that write in pieces.
impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_keeps_what_was_written() {
        for length in [0, 1, FIRST_BYTES - 1, FIRST_BYTES, FIRST_BYTES + 1, 10 * FIRST_BYTES] {
            let mut buffer = Buffer::default();
            for _ in 0..length {
                buffer.push_str("x");
            }
            assert_eq!(buffer.into_secret().unwrap().expose(), "x".repeat(length), "{length}");
        }
    }

    #[test]
    fn a_buffer_never_prints() {
        let mut buffer = Buffer::default();
        buffer.push_str("hunter2");
        assert_eq!(format!("{buffer:?}"), "Buffer(7 bytes)");
    }
}
