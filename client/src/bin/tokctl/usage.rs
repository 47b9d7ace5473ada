//! Answers for the command line itself: help on stdout, and mistakes in the form of every other error.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use tokctl_client::proto::{Failure, Kind};

use crate::args::{Cli, Color, Global};
use crate::exit::{self, Stop};
use crate::secret_input::KINDS;
use crate::session::Session;

/// Says what clap has to say.
pub(crate) fn answer(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let output = Session::new(globals(arguments)).output;
    let text = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let coloured =
                output.color.is_wanted(|| std::io::IsTerminal::is_terminal(&std::io::stdout()));
            let text = if coloured { text.ansi().to_string() } else { text.to_string() };
            match output.data(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(stop) => exit::end(stop, &output),
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !output.json => {
            output.help(&text.to_string());
            ExitCode::from(Kind::Usage.exit())
        }
        _ => exit::end(Stop::from(failure(error, arguments)), &output),
    }
}

fn failure(error: &clap::Error, arguments: &[OsString]) -> Failure {
    if let Some(failure) = secret_as_argument(error, arguments) {
        return failure;
    }
    let failure = Failure::new(Kind::Usage, message(error));
    match suggestion(error) {
        Some(suggestion) => failure.hint(suggestion),
        None => failure.hint(format!("run `{}`", help_of(arguments))),
    }
}

/// The first paragraph of clap's text, on one line.
fn message(error: &clap::Error) -> String {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    ) {
        return "a command is missing".to_owned();
    }
    let text = error.render().to_string();
    let paragraph: Vec<&str> =
        text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let line = paragraph.join(" ");
    line.strip_prefix("error: ").map_or(line.clone(), str::to_owned)
}

/// Somebody who types a secret where none is taken: the secret is not repeated, nor is an option of almost
/// that name proposed, as `--no-passphrase` is for `--passphrase`.
fn secret_as_argument(error: &clap::Error, arguments: &[OsString]) -> Option<Failure> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return None };
    let command = command_of(arguments);
    let takes = |kind: &str| {
        let option = format!("{kind}-file");
        command.get_arguments().any(|argument| argument.get_long() == Some(&option))
    };
    let (kind, message) = match typed.strip_prefix("--") {
        Some(name) => (
            KINDS.iter().find(|&&kind| kind == name)?,
            "a secret is never an argument, since everybody can read those",
        ),
        None if typed.starts_with('-') => return None,
        None => (
            KINDS.iter().find(|kind| takes(kind))?,
            "there is an argument too many, not shown since it may be a secret",
        ),
    };
    let failure = Failure::new(Kind::Usage, message);
    Some(match takes(kind) {
        true => failure.hint(format!("use `--{kind}-file FILE` or `--{kind}-stdin`")),
        false => failure.hint("run `tokctl help secrets`"),
    })
}

/// What was probably meant.
fn suggestion(error: &clap::Error) -> Option<String> {
    let kinds =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    kinds.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(near) => Some(format!("did you mean `{near}`?")),
        ContextValue::Strings(near) => near.last().map(|near| format!("did you mean `{near}`?")),
        _ => None,
    })
}

/// The command whose help explains the mistake.
fn help_of(arguments: &[OsString]) -> String {
    let command = command_of(arguments);
    format!("{} --help", command.get_bin_name().unwrap_or("tokctl"))
}

/// The command that was typed, as far as there is one of the name.
fn command_of(arguments: &[OsString]) -> clap::Command {
    let mut at = Cli::command();
    at.build();
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()) {
        if word.starts_with('-') {
            continue;
        }
        let Some(command) = at.find_subcommand(word) else { break };
        at = command.clone();
    }
    at
}

/// What matters for the answer, read without a parser, as there is nothing that parses.
fn globals(arguments: &[OsString]) -> Global {
    let options = || arguments.iter().skip(1).take_while(|argument| *argument != "--");
    let words = || options().filter_map(|option| option.to_str());
    let behind = words().skip_while(|word| *word != "--color").nth(1);
    let color = match words().find_map(|word| word.strip_prefix("--color=")).or(behind) {
        Some("always") => Color::Always,
        Some("never") => Color::Never,
        _ => Color::Auto,
    };
    Global { json: options().any(|option| option == "--json"), color, ..Global::default() }
}
