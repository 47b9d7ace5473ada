//! `tokctl edit`: config.toml in an editor.
//!
//! The agent alone writes the file, and only text that holds, so a slip of the pen stops nothing. The copy
//! that is edited lies where nobody else can read; it is kept, and named, when it could not be taken over.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokctl_client::proto::request::{ConfigRead, ConfigWrite};
use tokctl_client::proto::response::Done;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{Client, Error, Request};

use crate::exit::Stop;
use crate::identity;
use crate::session::Session;
use crate::terminal::Signals;

pub(crate) fn run(session: &Session) -> Result<(), Stop> {
    let editor = match chosen_editor() {
        Some(editor) => editor,
        None if session.can_ask() => "vi".into(),
        // It would wait for somebody who is not there.
        None => {
            return Err(session.nobody_to_ask(
                "no editor is set, and there is no terminal to edit on",
                "set EDITOR, or change the file and run `tokctl agent reload`",
            ));
        }
    };
    let mut client = session.client()?;
    let Done::Config(config) =
        client.request(&Request::ConfigRead(ConfigRead {}), &mut session.conversation())?
    else {
        return Err(Error::Unexpected.into());
    };
    let (before, fingerprint) = (config.text.into_owned(), config.fingerprint.into_owned());
    let copy = write_copy(&client.places().state, &before)
        .map_err(|error| Stop::machine(format!("cannot make a file to edit: {error}")))?;
    match edit_until_it_holds(&mut client, &editor, &copy, (&before, &fingerprint), session) {
        Ok(()) => {
            let _gone = fs::remove_file(&copy);
            Ok(())
        }
        Err(stop) => {
            match fs::read_to_string(&copy) {
                Ok(text) if text == before => {
                    let _gone = fs::remove_file(&copy);
                }
                _ => {
                    session.output.warn(&format!("what you wrote is kept in {}", copy.display()));
                }
            }
            Err(stop)
        }
    }
}

fn edit_until_it_holds(
    client: &mut Client,
    editor: &OsStr,
    copy: &Path,
    (before, fingerprint): (&str, &str),
    session: &Session,
) -> Result<(), Stop> {
    loop {
        edit(editor, copy)?;
        let after = read_copy(copy)?;
        if after == before {
            session.output.talk("nothing was changed");
            return Ok(());
        }
        match write(client, &after, fingerprint, session) {
            Err(Stop::Failed(failure)) if session.can_ask() => {
                session.output.failure(&failure);
                if !session.confirm("edit it again?", true)? {
                    return Err(Error::Cancelled.into());
                }
            }
            outcome => return outcome,
        }
    }
}

fn write(
    client: &mut Client,
    text: &str,
    fingerprint: &str,
    session: &Session,
) -> Result<(), Stop> {
    let request =
        Request::ConfigWrite(ConfigWrite { text: text.into(), fingerprint: fingerprint.into() });
    session.tell(client, &request)
}

/// A file for nobody but us, named so that editors know what it is.
fn write_copy(directory: &Path, text: &str) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let copy = directory.join(format!("config.{}.toml", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy)?;
    file.write_all(text.as_bytes())?;
    Ok(copy)
}

fn read_copy(copy: &Path) -> Result<String, Stop> {
    fs::read_to_string(copy).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => {
            Failure::new(Kind::ConfigInvalid, "config.toml must be UTF-8 text").into()
        }
        _ => Stop::machine(format!("cannot read {}: {error}", copy.display())),
    })
}

fn chosen_editor() -> Option<OsString> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("VISUAL").or_else(|| set("EDITOR"))
}

/// Runs the editor as git does: through the shell, so that it may have options.
fn edit(editor: &OsStr, copy: &Path) -> Result<(), Stop> {
    let mut script = editor.to_owned();
    script.push(" \"$@\"");
    // Ctrl-C belongs to the editor while it runs.
    let signals = Signals::hold()?;
    let mut command = identity::program("sh");
    let status = command.arg("-c").arg(script).arg(editor).arg(copy).status();
    while signals.next()?.is_some() {}
    drop(signals);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            Err(Stop::usage(format!("the editor `{}` failed: {status}", editor.display())))
        }
        Err(error) => Err(Stop::machine(format!("cannot run `{}`: {error}", editor.display()))),
    }
}
