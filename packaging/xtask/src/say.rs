//! Where xtask's own words go: stdout, the only place that prints.

use std::io::Write;

/// Prints a line. A reader who has gone away is no reason to stop half-way through cleaning up.
macro_rules! say {
    ($($format:tt)*) => { $crate::say::line(&format!($($format)*)) };
}
pub(crate) use say;

pub(crate) fn line(text: &str) {
    let mut stdout = std::io::stdout().lock();
    drop(writeln!(stdout, "{text}").and_then(|()| stdout.flush()));
}
