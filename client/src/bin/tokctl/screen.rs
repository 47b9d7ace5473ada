//! A screen of our own on the terminal, for what is drawn again and again.
//!
//! The terminal's other screen is used, so what was there before is there again afterwards.

use std::io::{self, IsTerminal};

use crate::exit::Stop;
use crate::output::Output;
use crate::table::Page;

/// How large a terminal is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// The size of the terminal at stdout; that of old, where it does not say.
pub(crate) fn size() -> Size {
    match terminal_size::terminal_size_of(io::stdout()) {
        Some((columns, rows)) => Size { columns: columns.0.into(), rows: rows.0.into() },
        None => Size { columns: 80, rows: 24 },
    }
}

/// What a listing on stdout has to fit.
pub(crate) fn page(output: &Output) -> Page {
    let is_terminal = io::stdout().is_terminal();
    Page {
        width: is_terminal.then(|| size().columns),
        is_coloured: output.color.is_wanted(|| is_terminal),
    }
}

/// The other screen, without a cursor and without wrapped lines, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Screen<'a> {
    output: &'a Output,
}

const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

impl<'a> Screen<'a> {
    pub(crate) fn enter(output: &'a Output) -> Result<Self, Stop> {
        let screen = Self { output };
        output.data(ENTER.as_bytes())?;
        Ok(screen)
    }

    /// Draws over what was there, in one write, so that nothing flickers.
    pub(crate) fn draw(&self, lines: &[String]) -> Result<(), Stop> {
        let rows = size().rows.max(2);
        let mut text = String::from("\x1b[H");
        // The last row stays free: a line feed on it would scroll.
        let (shown, hidden) = match lines.len() < rows {
            true => (lines, 0),
            false => (&lines[..rows - 2], lines.len() - (rows - 2)),
        };
        for line in shown {
            text.push_str(&format!("{line}\x1b[K\r\n"));
        }
        if hidden > 0 {
            text.push_str(&format!("… and {hidden} more lines\x1b[K\r\n"));
        }
        text.push_str("\x1b[J");
        self.output.data(text.as_bytes())
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let _gone = self.output.data(LEAVE.as_bytes());
    }
}
