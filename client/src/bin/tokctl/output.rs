//! The only printer: data on stdout, talk on stderr.
//!
//! Text that came from elsewhere is escaped before it is shown, so that it can neither move the cursor nor
//! turn what is read around. Colour repeats what the words say.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;
use tokctl_client::Secret;
use tokctl_client::proto::error::WireFailure;
use tokctl_client::proto::escape::{SHOWN_CHARS_MAX, shown};
use zeroize::Zeroizing;

use crate::args::Color;
use crate::exit::Stop;
use crate::json;
use crate::prose::{columns, wrapped};

/// Where and how this command talks.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) color: Color,
}

impl Output {
    /// Data, in one write where the system takes it so.
    pub(crate) fn data(&self, bytes: &[u8]) -> Result<(), Stop> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Stop::BrokenPipe),
            Err(error) => Err(Stop::machine(format!("cannot write to stdout: {error}"))),
        }
    }

    /// One line of data.
    pub(crate) fn line(&self, text: &str) -> Result<(), Stop> {
        self.data(format!("{text}\n").as_bytes())
    }

    /// A secret and a line feed, without a copy that stays behind.
    pub(crate) fn secret(&self, secret: &Secret) -> Result<(), Stop> {
        let mut line = Zeroizing::new(Vec::with_capacity(secret.expose().len() + 1));
        line.extend_from_slice(secret.expose().as_bytes());
        line.push(b'\n');
        self.data(&line)
    }

    /// One line of JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Stop> {
        let mut line = Zeroizing::new(Vec::with_capacity(JSON_BYTES));
        json::write(&mut *line, value)
            .map_err(|error| Stop::machine(format!("cannot write JSON: {error}")))?;
        line.push(b'\n');
        self.data(&line)
    }

    /// Lines of talk; silent with `-q`.
    pub(crate) fn talk(&self, text: &str) {
        if !self.quiet {
            for line in text.lines() {
                self.stderr(&safe(line));
            }
        }
    }

    /// Something that must be known before a question is answered; said even with `-q`.
    pub(crate) fn notice(&self, line: &str) {
        self.stderr(&safe(line));
    }

    /// As [`Self::notice`], in lines that fit the screen.
    pub(crate) fn prose(&self, text: &str) {
        wrapped(&safe(text), columns()).iter().for_each(|line| self.stderr(line));
    }

    /// A picture that was made here; shown even with `-q`.
    pub(crate) fn picture(&self, lines: &[String]) {
        lines.iter().for_each(|line| self.stderr(line));
    }

    /// Something to act on; said even with `-q`.
    pub(crate) fn warn(&self, text: &str) {
        for line in text.lines() {
            self.stderr(&format!("tokctl: {} {}", self.paint("33", "warning:"), safe(line)));
        }
    }

    /// Help that nobody asked for, in place of an error.
    pub(crate) fn help(&self, text: &str) {
        self.stderr(text.trim_end());
    }

    /// Two lines, or one JSON object.
    pub(crate) fn failure(&self, failure: &WireFailure<'_>) {
        if self.json {
            #[derive(Serialize)]
            struct Wrapped<'a> {
                error: &'a WireFailure<'a>,
            }
            let mut line = Vec::new();
            if json::write(&mut line, &Wrapped { error: failure }).is_ok() {
                self.stderr(&String::from_utf8_lossy(&line));
            }
            return;
        }
        self.error(failure);
        if let Some(hint) = &failure.hint {
            self.hint(hint);
        }
    }

    /// What happened, on one line.
    pub(crate) fn error(&self, failure: &WireFailure<'_>) {
        self.stderr(&format!("tokctl: {} {}", self.paint("1;31", "error:"), told(failure)));
    }

    /// What to type next.
    pub(crate) fn hint(&self, text: &str) {
        self.stderr(&format!("tokctl: {} {}", self.paint("36", "hint:"), safe(text)));
    }

    /// Whether stderr takes colour.
    pub(crate) fn is_coloured(&self) -> bool {
        self.color.is_wanted(|| io::stderr().is_terminal())
    }

    fn paint<'a>(&self, colour: &str, word: &'a str) -> Cow<'a, str> {
        match self.is_coloured() {
            true => format!("\x1b[{colour}m{word}\x1b[0m").into(),
            false => word.into(),
        }
    }

    /// A stderr that is gone is no reason to fail.
    fn stderr(&self, line: &str) {
        let _gone = io::stderr().write_all(format!("{line}\n").as_bytes());
    }
}

/// Room for one token with its fields; a longer line grows.
const JSON_BYTES: usize = 64 * 1024;

/// A failure in words, and whose it is.
pub(crate) fn told(failure: &WireFailure<'_>) -> String {
    let message = safe(&failure.message);
    match &failure.profile {
        Some(profile) => format!("{}: {message}", safe(profile)),
        None => message.into_owned(),
    }
}

/// Escapes what moves the cursor or hides; of any length, unlike what providers say.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return text.into();
    }
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(SHOWN_CHARS_MAX).map(|piece| shown(&String::from_iter(piece))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_escaped_and_not_cut() {
        let text = format!("{}\x1b[2Jä\u{202e}", "x".repeat(1000));
        assert_eq!(safe(&text), format!("{}\\u{{1b}}[2Jä\\u{{202e}}", "x".repeat(1000)));
    }
}
