//! `tokctl export --ci`: tokens handed to the runner of a CI job, so that the steps after this one have them.
//!
//! A vendor is a file: how it is recognised, whether it can be told to mask a value while the job runs, and what its runner
//! has to be given, as a function from values to [`Step`]s. Masks come before values, and a value is printed only where the
//! runner takes the line out of the log. Where nothing can be masked nothing is handed over unless that is asked for.

mod azure;
mod bitbucket;
mod buildkite;
mod circleci;
mod drone;
mod forgejo;
mod github;
mod gitlab;
mod jenkins;
pub(crate) mod mask;
mod names;
mod sourced;
mod step;
mod teamcity;
#[cfg(test)]
mod tests;
mod travis;
mod woodpecker;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use tokctl_client::Secret;
use tokctl_client::proto::{Failure, Kind};

use step::Step;

use super::{ExportArgs, obtain};
use crate::exit::Stop;
use crate::session::Session;
use crate::variable::{Assignment, Variable};

/// An environment: what is in a variable that has a value.
type Lookup<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// A CI system.
struct Vendor {
    /// What `--ci-vendor` calls it.
    name: &'static str,
    /// What people call it.
    title: &'static str,
    /// Whether an environment is that of one of its jobs.
    is_here: fn(&Lookup<'_>) -> bool,
    /// Why a value cannot be masked; none where it can.
    unmasked: Option<&'static str>,
    /// Who has the variables, and from when on.
    since: &'static str,
    /// The same for outputs of a step; none where there is no such thing.
    since_output: Option<&'static str>,
    /// What its runner has to be given.
    steps: fn(&[Pair], &Setting) -> Result<Vec<Step>, Refusal>,
}

/// All of them. One that runs in the manner of another, and says that it is the other, comes before it.
const VENDORS: &[Vendor] = &[
    forgejo::VENDOR,
    github::VENDOR,
    azure::VENDOR,
    buildkite::VENDOR,
    gitlab::VENDOR,
    circleci::VENDOR,
    teamcity::VENDOR,
    jenkins::VENDOR,
    bitbucket::VENDOR,
    woodpecker::VENDOR,
    drone::VENDOR,
    travis::VENDOR,
];

/// The name of a vendor that there is.
#[derive(Clone, Copy)]
pub(super) struct VendorName(&'static Vendor);

impl std::fmt::Debug for VendorName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

impl clap::ValueEnum for VendorName {
    fn value_variants<'a>() -> &'a [Self] {
        const NAMES: [VendorName; VENDORS.len()] = {
            let mut names = [VendorName(&VENDORS[0]); VENDORS.len()];
            let mut at = 0;
            while at < names.len() {
                names[at] = VendorName(&VENDORS[at]);
                at += 1;
            }
            names
        };
        &NAMES
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name))
    }
}

/// A variable, and what is to be in it.
struct Pair {
    name: String,
    value: Secret,
}

/// What a vendor's function needs to know besides the values.
#[derive(Default)]
struct Setting {
    /// An output of the step is meant, not a variable.
    step_output: bool,
    file: Option<PathBuf>,
    /// Text that nobody can foresee.
    random: String,
    /// Azure's agent takes `%AZP25` for `%`.
    decodes_percents: bool,
}

/// Why a value is not handed over.
#[derive(Debug)]
struct Refusal {
    message: String,
    hint: Option<String>,
}

impl Refusal {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl From<Refusal> for Failure {
    fn from(Refusal { message, hint }: Refusal) -> Self {
        Self { hint, ..Self::new(Kind::Usage, message) }
    }
}

/// Shorter values are masked by no runner, or spoil the log wherever their few characters stand.
const MASKED_CHARS_MIN: usize = 6;

pub(super) fn run(args: &ExportArgs, session: &Session) -> Result<(), Stop> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let vendor = match args.ci_vendor {
        Some(VendorName(vendor)) => vendor,
        None => detect(&variable).ok_or_else(|| nowhere(&args.tokens))?,
    };
    let setting = Setting {
        step_output: args.step_output,
        file: args.file.clone(),
        random: random()?,
        decodes_percents: azure::decodes_percents(&variable),
    };
    // Everything that can be refused is refused before a token is asked for.
    let since = since(vendor, &setting)?;
    if let Some(why) = vendor.unmasked.filter(|_| !args.allow_unmasked) {
        return Err(unmaskable(vendor, why, &args.tokens).into());
    }
    for assignment in &args.tokens {
        names::check(vendor, &assignment.name()).map_err(Failure::from)?;
    }
    step::check_places(&(vendor.steps)(&[], &setting).map_err(Failure::from)?, &variable)?;
    let pairs = pairs(obtain(args, session)?, |name| variable(name).is_some());
    if vendor.unmasked.is_none() && !args.allow_unmasked {
        check_lengths(&pairs)?;
    }
    let steps = (vendor.steps)(&pairs, &setting).map_err(Failure::from)?;
    for step in steps {
        step.take(&variable, &session.output)?;
    }
    let names: Vec<&str> = pairs.iter().map(|pair| &*pair.name).collect();
    let masked = if vendor.unmasked.is_none() { "masked, and " } else { "" };
    session.output.talk(&format!("{}: {masked}there for {since}", names.join(", ")));
    Ok(())
}

fn detect(variable: &Lookup<'_>) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| (vendor.is_here)(variable))
}

/// From when on it is there, where there is such a thing.
fn since(vendor: &Vendor, setting: &Setting) -> Result<&'static str, Failure> {
    match (setting.step_output, vendor.since_output) {
        (false, _) => Ok(vendor.since),
        (true, Some(since)) => Ok(since),
        (true, None) => {
            let message = format!("a step of {} has no outputs that are masked", vendor.title);
            Err(Failure::new(Kind::Usage, message).hint("leave out `--step-output`"))
        }
    }
}

/// What must not be set is set to nothing, since no runner takes variables away; where it is not there it stays so.
fn pairs(variables: Vec<Variable>, is_set: impl Fn(&str) -> bool) -> Vec<Pair> {
    let pair = |Variable { name, value }: Variable| match value {
        Some(value) => Some(Pair { name, value }),
        None => is_set(&name).then(|| Pair { name, value: Secret::default() }),
    };
    variables.into_iter().filter_map(pair).collect()
}

fn check_lengths(pairs: &[Pair]) -> Result<(), Failure> {
    let is_short = |pair: &&Pair| (1..MASKED_CHARS_MIN).contains(&pair.value.expose().len());
    match pairs.iter().find(is_short) {
        None => Ok(()),
        Some(Pair { name, .. }) => {
            let message = format!(
                "the value of {name} is shorter than {MASKED_CHARS_MIN} characters, which is too short to be masked"
            );
            let hint = "`--allow-unmasked` hands it over all the same";
            Err(Failure::new(Kind::Denied, message).hint(hint))
        }
    }
}

fn nowhere(tokens: &[Assignment]) -> Failure {
    let message = "no variable here says whose CI job this is";
    Failure::new(Kind::Usage, message)
        .hint(format!("name it with `--ci-vendor NAME`, or run `{}`", instead(tokens)))
}

fn unmaskable(vendor: &Vendor, why: &str, tokens: &[Assignment]) -> Failure {
    let message = format!("{} cannot mask it: {why}", vendor.title);
    Failure::new(Kind::Denied, message).hint(format!(
        "`--allow-unmasked` hands it over all the same; better is `{}`",
        instead(tokens)
    ))
}

/// What hands the tokens to one program and to nobody else.
fn instead(tokens: &[Assignment]) -> String {
    let words: Vec<String> =
        tokens.iter().map(|token| format!("{}={}", token.name(), token.profile)).collect();
    format!("tokctl exec {} -- COMMAND", words.join(" "))
}

/// Hexadecimal digits that nobody can foresee.
fn random() -> Result<String, Stop> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Stop::machine(format!("cannot read /dev/urandom: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether a variable has a value.
fn is_set(variable: &Lookup<'_>, name: &str) -> bool {
    variable(name).is_some()
}

/// Whether a variable is `true`, in capitals or not.
fn is_true(variable: &Lookup<'_>, name: &str) -> bool {
    variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Refuses a value that goes on over several lines, or that no environment can hold.
fn one_line(pair: &Pair) -> Result<&str, Refusal> {
    let value = pair.value.expose();
    match value.contains(|character: char| character.is_control()) {
        false => Ok(value),
        true => Err(Refusal::new(format!("the value of {} is no line of text", pair.name))),
    }
}
