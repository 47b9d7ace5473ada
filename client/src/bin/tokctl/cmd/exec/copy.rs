//! Copies what a program prints to where we print, with its secrets masked.
//!
//! Each stream has a thread: a reader that takes its time holds up the program, as without us, and nothing else.

use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::fstat;
use zeroize::Zeroizing;

use super::news::{News, Teller};
use super::redact::{Masker, Secrets};
use crate::exit::Stop;

/// As much as a pipe holds.
const PIECE_BYTES: usize = 64 * 1024;

/// What a program that ended may have left in its pipes is read up to here, in case somebody goes on writing.
const REST_BYTES_MAX: usize = 1024 * 1024;

/// Streams of ours, beside where they come from.
pub(super) struct Streams {
    copies: Vec<(PipeReader, File)>,
}

impl Streams {
    /// Makes pipes of those outputs of a program that are masked. stdout and stderr that go to the same place share
    /// one, so that they keep their order.
    pub(super) fn connect(command: &mut Command, masked: [bool; 2]) -> io::Result<Self> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let own = |descriptor: BorrowedFd<'_>| descriptor.try_clone_to_owned().map(File::from);
        let mut copies = Vec::new();
        let mut first: Option<PipeWriter> = None;
        if masked[0] {
            let (from, to) = io::pipe()?;
            first = Some(to.try_clone()?);
            command.stdout(Stdio::from(to));
            copies.push((from, own(stdout.as_fd())?));
        }
        if masked[1] {
            let to = match first.filter(|_| is_same(stdout.as_fd(), stderr.as_fd())) {
                Some(shared) => shared,
                None => {
                    let (from, to) = io::pipe()?;
                    copies.push((from, own(stderr.as_fd())?));
                    to
                }
            };
            command.stderr(Stdio::from(to));
        }
        Ok(Self { copies })
    }

    /// Starts the threads; each tells when it is done. Once `enough` is closed they end with what has arrived.
    pub(super) fn start(
        self,
        secrets: &Secrets,
        teller: &Teller,
        enough: &PipeReader,
    ) -> Result<usize, Stop> {
        let count = self.copies.len();
        for (from, to) in self.copies {
            let (masker, teller) = (Masker::new(secrets), teller.clone());
            let enough = enough
                .try_clone()
                .map_err(|error| Stop::machine(format!("cannot copy a pipe: {error}")))?;
            std::thread::spawn(move || {
                let outcome = copy(from, &to, masker, &enough);
                let why = outcome.err().filter(|error| error.kind() != ErrorKind::BrokenPipe);
                let why = why.map(|error| format!("cannot pass on what it prints: {error}"));
                teller.tell(News::Copied(why))
            });
        }
        Ok(count)
    }
}

/// Whether both are one file, pipe or socket.
fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

/// `from` is closed at the end, so that a program whose output nobody takes learns it from SIGPIPE.
fn copy(
    mut from: PipeReader,
    to: &File,
    mut masker: Masker,
    enough: &PipeReader,
) -> io::Result<()> {
    let mut piece = Zeroizing::new(vec![0; PIECE_BYTES]);
    let mut shown = Vec::new();
    let mut rest = REST_BYTES_MAX;
    while let Some(ready) = wait(&from, enough)? {
        let length = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        masker.push(&piece[..length], &mut shown);
        write(to, &shown)?;
        shown.clear();
        if ready == Ready::AtTheEnd {
            rest = rest.saturating_sub(length);
            if rest == 0 {
                break;
            }
        }
    }
    masker.finish(&mut shown);
    write(to, &shown)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    GoesOn,
    AtTheEnd,
}

/// Waits for something to read; `None` when there is nothing and enough was read.
fn wait(from: &PipeReader, enough: &PipeReader) -> io::Result<Option<Ready>> {
    loop {
        let mut watched = [
            PollFd::new(from.as_fd(), PollFlags::POLLIN),
            PollFd::new(enough.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        let [has_more, is_enough] = watched.map(|one| one.any().unwrap_or(false));
        return Ok(match (has_more, is_enough) {
            (true, false) => Some(Ready::GoesOn),
            (true, true) => Some(Ready::AtTheEnd),
            (false, _) => None,
        });
    }
}

/// Writes all of it, also where somebody has made our output one that does not wait.
fn write(mut to: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock => {
                    let mut watched = [PollFd::new(to.as_fd(), PollFlags::POLLOUT)];
                    match poll(&mut watched, PollTimeout::NONE) {
                        Ok(_) | Err(Errno::EINTR) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                }
                _ => return Err(error),
            },
        }
    }
    Ok(())
}
