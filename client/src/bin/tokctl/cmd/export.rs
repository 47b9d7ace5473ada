//! `tokctl export`: tokens as variables of an environment, written for whoever reads them: a shell, a `.env`, a program that
//! reads JSON, or the runner of a CI job.
//!
//! What is printed for a shell is one statement a variable, each with its end, so that `eval` takes it with and without
//! quotes around it. For CI nothing but what the runner takes out of the log is printed, masks before values.

mod ci;
mod dotenv;
#[cfg(test)]
mod generate;
mod quote;
mod shell;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use serde::ser::{SerializeMap, Serializer};
use tokctl_client::proto::time::parse_duration;
use tokctl_client::proto::token::is_vschar;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{GetOptions, Secret};
use zeroize::Zeroizing;

use ci::VendorName;
pub(crate) use ci::mask;
use shell::Shell;

use crate::exit::Stop;
use crate::session::Session;
use crate::variable::{Assignment, Variable, check_names, check_variables, secret_parts};

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// Profiles, each with the variable that its token goes to [default: ACME_TOKEN for acme]
    #[arg(value_name = "[VAR=]PROFILE", required = true, value_parser = Assignment::parse)]
    tokens: Vec<Assignment>,
    /// Write it for this shell [default: the one that runs tokctl, else $SHELL, else sh]
    #[arg(long, value_name = "SHELL", conflicts_with = "json")]
    shell: Option<Shell>,
    /// Write lines for a file of variables, as `.env` is
    #[arg(long, conflicts_with_all = ["shell", "json"])]
    dotenv: bool,
    /// Hand it to the runner of this CI job, for the steps after this one
    #[arg(long, conflicts_with_all = ["shell", "dotenv", "json"])]
    ci: bool,
    /// Whose runner that is, where its variables do not say so
    #[arg(long, value_name = "NAME", requires = "ci")]
    ci_vendor: Option<VendorName>,
    /// Make it an output of this step in place of a variable
    #[arg(long, requires = "ci")]
    step_output: bool,
    /// Hand it over even if it can then be read in logs or artifacts
    #[arg(long, requires = "ci")]
    allow_unmasked: bool,
    /// The file to add it to, where the runner has none of its own
    #[arg(long, value_name = "FILE", requires = "ci")]
    file: Option<PathBuf>,
    /// Leave out the mask that is sent where GITHUB_ACTIONS=true
    #[arg(long, conflicts_with = "ci")]
    no_mask: bool,
    /// Take tokens that are good for at least this long [default: 60s or a tenth of their lifetime]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    min_valid: Option<Duration>,
    /// Ask for these scopes in place of the profile's; repeat it or separate them by spaces
    #[arg(long)]
    scope: Vec<String>,
    /// Ask for this audience in place of the profile's
    #[arg(long)]
    audience: Vec<String>,
    /// Wait no longer than this for each [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

const EXAMPLES: &str = "\
The token of acme goes to ACME_TOKEN, that of github to GITHUB_TOKEN, AWS credentials to their three variables. A name that \
decides what is run, such as PATH, is refused.

--ci knows github, forgejo, azure and buildkite by their variables, masks the value and hands it over. At gitlab, circleci, \
teamcity, jenkins, bitbucket, woodpecker, drone and travis nothing can be masked while a job runs: there it needs \
--allow-unmasked, and `tokctl exec` is better.

Examples:
  eval \"$(tokctl export acme)\"
  tokctl export acme | source                       # fish
  tokctl export acme --json | from json | load-env  # nu
  tokctl export acme --shell powershell | Out-String | Invoke-Expression
  tokctl export KEY=acme github --dotenv > .env
  tokctl export --ci acme github";

pub(crate) fn run(args: &ExportArgs, session: &Session) -> Result<(), Stop> {
    check_names(&args.tokens)?;
    if args.ci {
        return ci::run(args, session);
    }
    let variables = obtain(args, session)?;
    if session.output.json {
        return session.output.json(&Json(&variables));
    }
    let text = match args.dotenv {
        true => dotenv::lines(&variables)?,
        false => statements(args.shell.unwrap_or_else(Shell::of_caller), &variables),
    };
    session.output.data(text.as_bytes())
}

/// The variables that were asked for, in that order.
fn obtain(args: &ExportArgs, session: &Session) -> Result<Vec<Variable>, Stop> {
    let scope = args.scope.iter().flat_map(|typed| typed.split_whitespace());
    let options = GetOptions {
        scope: scope.map(str::to_owned).collect(),
        audience: args.audience.clone(),
        min_valid: args.min_valid,
        timeout: args.timeout,
        ..GetOptions::default()
    };
    let mut client = session.client()?;
    let mut found = Vec::with_capacity(args.tokens.len());
    for assignment in &args.tokens {
        let profile = &assignment.profile;
        let token = client.get_with(profile, &options, &mut session.conversation())?;
        if let Some(warning) = &token.warning {
            session.output.warn(&format!("{profile}: {warning}"));
        }
        if !args.no_mask && !args.ci {
            mask::send(|| secret_parts(&token));
        }
        for variable in assignment.variables(&token)? {
            check_value(assignment, &variable)?;
            found.push((profile, variable));
        }
    }
    check_variables(found.iter().map(|(profile, variable)| (*profile, variable)))?;
    Ok(found.into_iter().map(|(_, variable)| variable).collect())
}

/// The agent has looked at it. An agent that somebody else runs may not have.
fn check_value(assignment: &Assignment, variable: &Variable) -> Result<(), Failure> {
    match &variable.value {
        Some(value) if !is_vschar(value.expose()) => {
            let message = "the token has characters that no token may have (RFC 6749 appendix A)";
            Err(Failure::new(Kind::ProviderFailed, message).of(&assignment.profile))
        }
        _ => Ok(()),
    }
}

/// One statement a line.
fn statements(shell: Shell, variables: &[Variable]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(room(variables)));
    for Variable { name, value } in variables {
        match value {
            Some(value) => shell.set(name, value.expose(), &mut text),
            None => shell.unset(name, &mut text),
        }
    }
    text
}

/// Room for everything at once: a string that grows leaves copies behind. No character takes more than four in any of
/// the forms.
fn room(variables: &[Variable]) -> usize {
    let value = |value: &Secret| value.expose().len();
    let one = |one: &Variable| 64 + one.name.len() + 4 * one.value.as_ref().map_or(0, value);
    variables.iter().map(one).sum()
}

/// One object; what must not be set is null.
struct Json<'a>(&'a [Variable]);

impl serde::Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        for Variable { name, value } in self.0 {
            object.serialize_entry(name, &value.as_ref().map(Secret::expose))?;
        }
        object.end()
    }
}
