//! `tokctl agent log`: the end of the agent's log, read from the file, since the agent may be the one that
//! is not there.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::exit::Stop;
use crate::output::safe;
use crate::session::Session;

/// As much of the file's end as is looked at.
const TAIL_BYTES_MAX: u64 = 1024 * 1024;

#[derive(clap::Args, Debug)]
pub(crate) struct LogArgs {
    /// How many lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    lines: usize,
}

pub(super) fn run(args: &LogArgs, session: &Session) -> Result<(), Stop> {
    let path = session.connect()?.places().state.join("agent.log");
    let text = match tail(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            session.output.talk(&format!("there is no log yet at {}", path.display()));
            return Ok(());
        }
        Err(error) => {
            return Err(Stop::machine(format!("cannot read {}: {error}", path.display())));
        }
    };
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(args.lines);
    let shown: String = lines[first..].iter().map(|line| format!("{}\n", safe(line))).collect();
    session.output.data(shown.as_bytes())
}

/// The last whole lines of the file.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match (start, text.split_once('\n')) {
        (1.., Some((_cut, rest))) => rest.to_owned(),
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_begins_with_a_whole_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.log");
        let line = format!("{}\n", "x".repeat(99));
        std::fs::write(&path, line.repeat(20_000)).unwrap();
        let text = tail(&path).unwrap();
        assert!(text.len() as u64 <= TAIL_BYTES_MAX);
        assert!(text.lines().all(|line| line.len() == 99));
    }
}
