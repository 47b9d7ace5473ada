//! System calls on files below one directory, and how one is made to fail. Reads registers, so it is written for
//! one architecture; elsewhere there are no such calls.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::Pid;

/// A call on a file, before it runs.
#[derive(Debug)]
pub(super) struct Call {
    name: &'static str,
    kind: Kind,
    what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Open,
    Path,
    Write,
    Descriptor,
}

/// The descriptors of files below a directory that were opened while they were watched.
#[derive(Debug)]
pub(super) struct Files {
    below: PathBuf,
    open: BTreeSet<u64>,
}

impl Files {
    pub(super) fn below(directory: &Path) -> Self {
        Self { below: directory.to_owned(), open: BTreeSet::new() }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.what)
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod registers {
    use nix::libc::*;
    use nix::sys::ptrace;

    use super::*;

    /// Which calls count, their kind, and the register that names the file.
    const CALLS: [(c_long, &str, Kind, usize); 22] = [
        (SYS_open, "open", Kind::Open, 0),
        (SYS_openat, "openat", Kind::Open, 1),
        (SYS_rename, "rename", Kind::Path, 1),
        (SYS_renameat, "renameat", Kind::Path, 3),
        (SYS_renameat2, "renameat2", Kind::Path, 3),
        (SYS_unlink, "unlink", Kind::Path, 0),
        (SYS_unlinkat, "unlinkat", Kind::Path, 1),
        (SYS_link, "link", Kind::Path, 1),
        (SYS_linkat, "linkat", Kind::Path, 3),
        (SYS_mkdir, "mkdir", Kind::Path, 0),
        (SYS_stat, "stat", Kind::Path, 0),
        (SYS_newfstatat, "newfstatat", Kind::Path, 1),
        (SYS_statx, "statx", Kind::Path, 1),
        (SYS_read, "read", Kind::Descriptor, 0),
        (SYS_pread64, "pread64", Kind::Descriptor, 0),
        (SYS_write, "write", Kind::Write, 0),
        (SYS_pwrite64, "pwrite64", Kind::Write, 0),
        (SYS_fsync, "fsync", Kind::Descriptor, 0),
        (SYS_fdatasync, "fdatasync", Kind::Descriptor, 0),
        (SYS_ftruncate, "ftruncate", Kind::Descriptor, 0),
        (SYS_fallocate, "fallocate", Kind::Descriptor, 0),
        (SYS_getdents64, "getdents64", Kind::Descriptor, 0),
    ];
    /// A path of the kernel's is no longer.
    const PATH_BYTES_MAX: usize = 4096;

    impl Files {
        /// The call that a thread is about to make, if it is on one of our files.
        pub(crate) fn entered(&mut self, thread: Pid) -> Option<Call> {
            let registers = ptrace::getregs(thread).ok()?;
            let number = i64::try_from(registers.orig_rax).ok()?;
            let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10];
            if number == SYS_close {
                self.open.remove(&arguments[0]);
                return None;
            }
            let &(_, name, kind, which) = CALLS.iter().find(|(known, ..)| *known == number)?;
            let what = match kind {
                Kind::Open | Kind::Path => {
                    let path = path_at(thread, arguments[which])?;
                    path.strip_prefix(&self.below).ok()?.display().to_string()
                }
                Kind::Write | Kind::Descriptor => {
                    let descriptor = arguments[which];
                    self.open.contains(&descriptor).then(|| descriptor.to_string())?
                }
            };
            Some(Call { name, kind, what })
        }

        /// After the call: a descriptor that it opened is one of ours from now on.
        pub(crate) fn left(&mut self, thread: Pid, call: &Call) {
            if call.kind != Kind::Open {
                return;
            }
            if let Ok(registers) = ptrace::getregs(thread) {
                // A failure is a small negative number.
                if i64::try_from(registers.rax).is_ok() {
                    self.open.insert(registers.rax);
                }
            }
        }
    }

    impl Call {
        /// Makes the call do nothing.
        pub(crate) fn skip(&self, thread: Pid) -> nix::Result<()> {
            let mut registers = ptrace::getregs(thread)?;
            registers.orig_rax = u64::MAX;
            ptrace::setregs(thread, registers)
        }

        /// Lets a write write half; other calls have nothing to halve.
        pub(crate) fn halve(&self, thread: Pid) -> nix::Result<()> {
            if self.kind != Kind::Write {
                return Ok(());
            }
            let mut registers = ptrace::getregs(thread)?;
            registers.rdx = registers.rdx.div_ceil(2);
            ptrace::setregs(thread, registers)
        }

        /// What the call that did nothing returns.
        pub(crate) fn fail(&self, thread: Pid, errno: Errno) -> nix::Result<()> {
            let mut registers = ptrace::getregs(thread)?;
            registers.rax = (-i64::from(errno as i32)).cast_unsigned();
            ptrace::setregs(thread, registers)
        }
    }

    fn path_at(thread: Pid, address: u64) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStringExt;
        let mut bytes = Vec::new();
        while bytes.len() < PATH_BYTES_MAX {
            let at = usize::try_from(address).ok()?.checked_add(bytes.len())?;
            let word = ptrace::read(thread, at as ptrace::AddressType).ok()?.to_ne_bytes();
            match word.iter().position(|&byte| byte == 0) {
                Some(end) => {
                    bytes.extend_from_slice(&word[..end]);
                    return Some(std::ffi::OsString::from_vec(bytes).into());
                }
                None => bytes.extend_from_slice(&word),
            }
        }
        None
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod registers {
    use super::*;

    impl Files {
        pub(crate) fn entered(&mut self, _thread: Pid) -> Option<Call> {
            None
        }

        pub(crate) fn left(&mut self, _thread: Pid, _call: &Call) {}
    }

    impl Call {
        pub(crate) fn skip(&self, _thread: Pid) -> nix::Result<()> {
            Err(Errno::ENOTSUP)
        }

        pub(crate) fn halve(&self, _thread: Pid) -> nix::Result<()> {
            Err(Errno::ENOTSUP)
        }

        pub(crate) fn fail(&self, _thread: Pid, _errno: Errno) -> nix::Result<()> {
            Err(Errno::ENOTSUP)
        }
    }
}
