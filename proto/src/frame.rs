//! What goes around a message: the preamble of a connection and the frame of a message.
//!
//! Both are read from whatever has arrived so far and say how much of it they used; nothing is allocated
//! from a length that was not checked.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::codec::{self, CodecError};
use crate::version;

/// First bytes of a binary connection. A connection that starts with `{` speaks JSON lines instead.
pub const MAGIC: &[u8; 3] = b"TKC";
/// Bytes of the length before a frame.
pub const LENGTH_BYTES: usize = 4;
/// Larger than any token we have met (16 KiB) and small enough to allocate without asking. Its first byte
/// on the wire is 0, so no frame begins like a line of JSON.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// A frame without its version byte.
pub const BODY_BYTES_MAX: usize = FRAME_BYTES_MAX - 1;
/// PATH_MAX of Linux.
pub const HOME_BYTES_MAX: usize = 4096;

/// The bytes cannot be what they should be; the connection is closed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    #[error("the connection does not begin with a preamble")]
    Magic,
    #[error("the home is longer than {HOME_BYTES_MAX} bytes")]
    HomeTooLong,
    #[error("a frame of {0} bytes is outside 1 to {FRAME_BYTES_MAX}")]
    Length(u32),
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What a client says first: the versions it speaks and whose agent it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preamble {
    pub lowest: u8,
    pub highest: u8,
    /// The client's TOKCTL_HOME, absolute; none when it has none.
    pub home: Option<PathBuf>,
}

impl Preamble {
    /// The preamble of this build.
    pub fn new(home: Option<PathBuf>) -> Self {
        Self { lowest: version::LOWEST, highest: version::HIGHEST, home }
    }

    pub fn encode(&self, out: &mut Zeroizing<Vec<u8>>) -> Result<(), FrameError> {
        let home = self.home.as_deref().map_or(&[][..], |home| home.as_os_str().as_bytes());
        let length = u16::try_from(home.len())
            .ok()
            .filter(|&length| usize::from(length) <= HOME_BYTES_MAX)
            .ok_or(FrameError::HomeTooLong)?;
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[self.lowest, self.highest]);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(home);
        Ok(())
    }

    /// Reads a preamble from the front of `bytes`; `None` until all of it is there.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let begun = bytes.len().min(MAGIC.len());
        if bytes[..begun] != MAGIC[..begun] {
            return Err(FrameError::Magic);
        }
        let [_, _, _, lowest, highest, high, low, rest @ ..] = bytes else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length > HOME_BYTES_MAX {
            return Err(FrameError::HomeTooLong);
        }
        let Some(home) = rest.get(..length) else { return Ok(None) };
        let home = (!home.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(home)));
        let used = bytes.len() - rest.len() + length;
        Ok(Some((Self { lowest: *lowest, highest: *highest, home }, used)))
    }
}

/// A frame inside a buffer: its version byte and its body, undecoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    pub version: u8,
    pub body: &'a [u8],
}

impl std::fmt::Debug for Frame<'_> {
    /// The body may hold a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame(version {}, {} bytes)", self.version, self.body.len())
    }
}

impl<'a> Frame<'a> {
    /// Finds a frame at the front of `bytes`; `None` until all of it is there.
    pub fn split(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let stated = u32::from_be_bytes(*length);
        let Ok(length @ 1..=FRAME_BYTES_MAX) = usize::try_from(stated) else {
            return Err(FrameError::Length(stated));
        };
        let Some([version, body @ ..]) = rest.get(..length) else { return Ok(None) };
        Ok(Some((Self { version: *version, body }, LENGTH_BYTES + length)))
    }
}

/// Appends `message` as one frame.
pub fn append<T: Serialize>(
    version: u8,
    message: &T,
    out: &mut Zeroizing<Vec<u8>>,
) -> Result<(), CodecError> {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, version]);
    if let Err(error) = codec::encode(message, out) {
        out.truncate(start);
        return Err(error);
    }
    let length =
        u32::try_from(out.len() - start - LENGTH_BYTES).map_err(|_| CodecError::TooLarge)?;
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Appends the frozen frame that tells a client which versions this agent speaks.
pub fn append_unsupported(out: &mut Zeroizing<Vec<u8>>) {
    out.extend_from_slice(&[0, 0, 0, 3, version::UNSUPPORTED, version::LOWEST, version::HIGHEST]);
}

/// Reads the body of that frame: lowest and highest version of the agent. Later bytes are ignored.
pub fn read_unsupported(frame: Frame<'_>) -> Option<(u8, u8)> {
    match frame.body {
        [lowest, highest, ..] if frame.version == version::UNSUPPORTED => Some((*lowest, *highest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preamble_is_read_however_it_is_cut() {
        let mut bytes = Zeroizing::new(Vec::new());
        let preamble = Preamble::new(Some("/home/ada/ci".into()));
        preamble.encode(&mut bytes).unwrap();
        let whole = bytes.len();
        bytes.extend_from_slice(b"rest");
        for cut in 0..whole {
            assert_eq!(Preamble::decode(&bytes[..cut]).unwrap(), None, "{cut}");
        }
        assert_eq!(Preamble::decode(&bytes).unwrap(), Some((preamble, whole)));
    }

    #[test]
    fn a_stranger_is_refused_at_its_first_byte() {
        for bytes in [&b"G"[..], b"TX", b"TKX", b"{"] {
            assert!(matches!(Preamble::decode(bytes), Err(FrameError::Magic)), "{bytes:?}");
        }
    }

    #[test]
    fn lengths_are_checked_before_anything_is_read() {
        for (length, ok) in
            [(0, false), (1, true), (65_536, true), (65_537, false), (u32::MAX, false)]
        {
            let bytes = length.to_be_bytes();
            assert_eq!(Frame::split(&bytes).is_ok(), ok, "{length}");
        }
    }

    #[test]
    fn a_frame_is_read_however_it_is_cut() {
        let mut bytes = Zeroizing::new(Vec::new());
        append(1, &"hello", &mut bytes).unwrap();
        let whole = bytes.len();
        bytes.push(9);
        for cut in 0..whole {
            assert_eq!(Frame::split(&bytes[..cut]).unwrap(), None, "{cut}");
        }
        let (frame, used) = Frame::split(&bytes).unwrap().unwrap();
        assert_eq!((frame.version, used), (1, whole));
        assert_eq!(codec::decode::<&str>(frame.body).unwrap(), "hello");
    }

    #[test]
    fn the_largest_message_still_fits_a_frame() {
        let mut bytes = Zeroizing::new(Vec::new());
        append(1, &"x".repeat(BODY_BYTES_MAX - 3), &mut bytes).unwrap();
        assert_eq!(bytes.len(), LENGTH_BYTES + FRAME_BYTES_MAX);
        assert!(Frame::split(&bytes).unwrap().is_some());
    }

    #[test]
    fn unsupported_is_read_back() {
        let mut bytes = Zeroizing::new(Vec::new());
        append_unsupported(&mut bytes);
        let (frame, _) = Frame::split(&bytes).unwrap().unwrap();
        assert_eq!(read_unsupported(frame), Some((version::LOWEST, version::HIGHEST)));
    }
}
