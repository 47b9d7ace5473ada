//! A program that prints a token: `program.rs` runs it, and it is ended when its time is over. Its errors are shown,
//! since nobody else knows what it wanted; what it printed is not.

use tokctl_core::{Class, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::time::Spoken;
use tokctl_proto::{Failure, Kind};
use tokio::time::timeout;

use super::{Answer, Asking};
use crate::clock;
use crate::config::Program;
use crate::oauth::grant::command;
use crate::shell::program::{self, Running, Surroundings};

/// As large as any reply of a provider.
const OUTPUT_BYTES_MAX: u64 = 1024 * 1024;
/// Of its complaints no more than this is read: what is shown is shorter.
const ERROR_BYTES_MAX: u64 = 4 * 1024;

pub(super) async fn run(asking: Asking, settings: &Program) -> Result<Answer, Trouble> {
    let name = asking.profile.name.clone();
    let failed =
        |class, kind, message: String| Trouble::new(class, Failure::new(kind, message).of(&name));
    if !asking.key.scope.is_empty() || !asking.key.audience.is_empty() {
        let failure =
            Failure::new(Kind::Usage, "a program's token has no scope or audience to choose");
        return Err(Trouble::new(Class::Permanent, failure.of(&name)));
    }
    let (first, arguments) = settings.command.split_first().expect("a checked profile has one");
    let shown_name = shown(first);
    let path = program::find(first).ok_or_else(|| {
        let message = format!("there is no program `{shown_name}`");
        let failure = Failure::new(Kind::ConfigInvalid, message).of(&name);
        let hint = format!("run `tokctl set {name} command=/PATH/TO/IT`");
        Trouble::new(Class::Permanent, failure.hint(hint))
    })?;
    const NO_FACTS: [(&str, &str); 0] = [];
    let running = Running::start(&path, arguments, Surroundings::Plain, NO_FACTS);
    let running = running.map_err(|error| {
        failed(Class::Retry, Kind::Machine, format!("cannot run `{shown_name}`: {error}"))
    })?;
    // One more than is taken, so that too much is seen to be too much.
    let ended = running.finish(OUTPUT_BYTES_MAX + 1, ERROR_BYTES_MAX);
    let ended = timeout(settings.timeout, ended).await;
    let printed = match ended {
        Ok(Ok(printed)) => printed,
        Ok(Err(error)) => {
            let message = format!("cannot read what `{shown_name}` prints: {error}");
            return Err(failed(Class::Retry, Kind::Machine, message));
        }
        Err(_) => {
            let message =
                format!("`{shown_name}` printed no token within {}", Spoken(settings.timeout));
            return Err(failed(Class::Retry, Kind::ProviderFailed, message));
        }
    };
    let complaint = complaint(&printed.errors);
    if !printed.status.success() {
        let message = format!("`{shown_name}` failed ({}){complaint}", printed.status);
        return Err(failed(Class::Retry, Kind::ProviderFailed, message));
    }
    if printed.output.len() as u64 > OUTPUT_BYTES_MAX {
        let message = format!("`{shown_name}` printed more than {} KiB", OUTPUT_BYTES_MAX / 1024);
        return Err(failed(Class::Retry, Kind::ProviderFailed, message));
    }
    match command::reply(clock::now().wall, &printed.output) {
        Some(reply) => Ok(asking.answered_here(&reply, Vec::new())),
        None => {
            let message = format!("`{shown_name}` printed no token{complaint}");
            Err(failed(Class::Retry, Kind::ProviderFailed, message))
        }
    }
}

/// The first line of what it complained about.
fn complaint(errors: &[u8]) -> String {
    let text = String::from_utf8_lossy(errors);
    match text.lines().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) => format!(": {}", shown(line)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_complaint_is_shown() {
        for (errors, shown) in [("", ""), ("\n no \nmore", ": no"), ("\x1b", ": \\u{1b}")] {
            assert_eq!(complaint(errors.as_bytes()), shown);
        }
    }
}
