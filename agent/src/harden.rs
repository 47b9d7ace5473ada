//! What the process gives up before it has anything to hide.
//!
//! First thing in `main`, before an argument or a file is read. What is not here yet is said in
//! ARCHITECTURE.md.

use std::fs;
use std::os::fd::RawFd;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};

/// Makes the process undumpable and untraceable, forbids core files, and keeps everything it
/// creates to its user. Another process of the same user can then not read its memory through
/// ptrace or `/proc`.
pub fn process() -> nix::Result<()> {
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_no_new_privs()?;
    umask(Mode::from_bits_truncate(0o077));
    Ok(())
}

/// Raises the number of open files to what the system allows and returns it.
pub fn raise_open_files() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 256 };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Closes every descriptor above stderr that the starting process left open: an agent that lives on
/// must not hold on to a script's lock or pipe.
pub fn close_inherited() {
    let Ok(listing) = fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<RawFd> = listing
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&fd| fd > 2)
        .collect();
    for fd in open {
        // The listing's own descriptor is among them and closed already; nothing is to be done
        // about others.
        let _already_closed = nix::unistd::close(fd);
    }
}
