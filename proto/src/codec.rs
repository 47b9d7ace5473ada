//! The one file that names the encoder of binary frames: bincode 2, serde mode, standard configuration.
//!
//! The golden files fix its bytes, so another encoder can take its place. bincode's limit guards decoding
//! alone and it ignores what follows a value; both are made good here.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::frame::BODY_BYTES_MAX;

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<{ BODY_BYTES_MAX }>,
> = bincode::config::standard().with_limit::<{ BODY_BYTES_MAX }>();

/// A message and its bytes do not go together.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    #[error("the message is larger than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the bytes are no message of this version")]
    Malformed,
    #[error("{0} bytes follow the message")]
    Trailing(usize),
}

/// Appends the binary form of `message`. The buffer is wiped wherever it had to move, since messages carry
/// secrets.
pub fn encode<T: Serialize>(message: &T, out: &mut Zeroizing<Vec<u8>>) -> Result<(), CodecError> {
    let start = out.len();
    let mut room = 1024;
    loop {
        grow(out, start + room);
        match bincode::serde::encode_into_slice(message, &mut out[start..], CONFIG) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(_) if room < BODY_BYTES_MAX => room = (room * 8).min(BODY_BYTES_MAX),
            Err(_) => {
                out.truncate(start);
                return Err(CodecError::TooLarge);
            }
        }
    }
}

/// Makes the buffer `length` bytes long; a buffer too small is replaced and the old one wiped.
fn grow(out: &mut Zeroizing<Vec<u8>>, length: usize) {
    if out.capacity() < length {
        let mut larger = Zeroizing::new(Vec::with_capacity(length));
        larger.extend_from_slice(out);
        *out = larger;
    }
    out.resize(length, 0);
}

/// Reads one message that fills `bytes` exactly. Text is borrowed from `bytes`.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    let (message, used) = bincode::serde::borrow_decode_from_slice(bytes, CONFIG)
        .map_err(|_| CodecError::Malformed)?;
    match bytes.len() - used {
        0 => Ok(message),
        trailing => Err(CodecError::Trailing(trailing)),
    }
}

/// Appends the JSON form of `message` and a line feed.
pub fn encode_line<T: Serialize>(
    message: &T,
    out: &mut Zeroizing<Vec<u8>>,
) -> Result<(), CodecError> {
    let mut line = Line(out);
    serde_json::to_writer(&mut line, message).map_err(|_| CodecError::TooLarge)?;
    line.0.push(b'\n');
    Ok(())
}

/// Reads one message from a line of JSON.
pub fn decode_line<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(line)
}

/// Collects a line, at most a frame's worth of it, without leaving copies where it grew.
struct Line<'a>(&'a mut Zeroizing<Vec<u8>>);

impl std::io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.0.len() + bytes.len();
        if length >= BODY_BYTES_MAX {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        if self.0.capacity() <= length {
            let mut larger = Zeroizing::new(Vec::with_capacity((length * 2).max(1024)));
            larger.extend_from_slice(self.0);
            *self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_length_is_an_error() {
        for bytes in [
            &[253, 0, 0, 0, 0, 0, 0, 0, 0x40][..], // a string of 2^62 bytes
            &[252, 0xff, 0xff, 0xff, 0xff],
            &[5, b'a'],
            &[],
        ] {
            assert!(decode::<&str>(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn what_follows_a_message_is_refused() {
        assert!(matches!(decode::<u8>(&[1, 2]), Err(CodecError::Trailing(1))));
    }

    #[test]
    fn the_limit_holds_when_encoding_too() {
        // Three bytes of length go before the text.
        for (length, fits) in [(BODY_BYTES_MAX - 3, true), (BODY_BYTES_MAX - 2, false)] {
            let mut out = Zeroizing::new(Vec::new());
            assert_eq!(encode(&"x".repeat(length), &mut out).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn a_line_of_json_has_a_limit_too() {
        for (length, fits) in [(BODY_BYTES_MAX - 3, true), (BODY_BYTES_MAX, false)] {
            let mut out = Zeroizing::new(Vec::new());
            assert_eq!(encode_line(&"x".repeat(length), &mut out).is_ok(), fits, "{length}");
        }
    }
}
