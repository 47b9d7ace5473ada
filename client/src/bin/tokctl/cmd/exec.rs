//! `tokctl exec`: runs a program that has tokens in its environment, or in files.
//!
//! Where nothing is left to do once it runs, tokctl becomes the program: process, terminal, signals and exit status are
//! then the system's matter. It stays as its parent only to mask what is printed, to keep files, or to restart it. A
//! token is never an argument.

mod child;
mod copy;
mod news;
mod parent;
mod place;
pub(crate) mod redact;
mod renewal;
mod signals;
mod template;
mod tokens;

use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use tokctl_client::proto::error::WireFailure;
use tokctl_client::proto::time::parse_duration;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{PrivateSocket, ProfileName, Secret};

use crate::cmd::export::mask;
use crate::exit::Stop;
use crate::identity;
use crate::session::Session;
use crate::variable::{Assignment, Variable, check_names};
use place::{FileOption, Place, TemplateOption};
use tokens::Tokens;

/// What `env`, `timeout` and `nohup` exit with when the failure is their own.
const OURS: u8 = 125;
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// The command of [`StepAsideArgs`], which is for tokctl itself.
const STEP_ASIDE: &str = "step-aside";

#[derive(clap::Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct ExecArgs {
    /// Profiles, each with the variable that its token goes to, as in `GH=github` [default: GITHUB_TOKEN for github]
    #[arg(
        value_name = "[VAR=]PROFILE",
        value_parser = Assignment::parse,
        required_unless_present_any = ["env", "file", "template", "only"]
    )]
    profiles: Vec<Assignment>,
    /// The same, as other programs spell it
    #[arg(short, long, value_name = "[VAR=]PROFILE", value_parser = Assignment::parse)]
    env: Vec<Assignment>,
    /// Take tokens that are good for at least this long, else fail [default: 60s or a tenth of the lifetime]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    min_valid: Option<Duration>,
    /// Mask the tokens in what the program prints, unless it prints on a terminal
    #[arg(long)]
    redact: bool,
    /// Start the program anew, with the new token, whenever a token is renewed
    #[arg(long)]
    restart: bool,
    /// How long the program may take to end after SIGTERM, before SIGKILL [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    grace: Option<Duration>,
    /// Keep the token of a profile in this file while the program runs
    #[arg(long, value_name = "PATH=PROFILE", value_parser = FileOption::parse)]
    file: Vec<FileOption>,
    /// Keep a copy of IN at OUT while the program runs, with tokens in place of `{{ profile }}`
    #[arg(long, value_name = "IN:OUT", value_parser = TemplateOption::parse)]
    template: Vec<TemplateOption>,
    /// Give the program a socket of its own that knows these profiles alone, in TOKCTL_SOCK
    #[arg(long, value_name = "PROFILE", value_delimiter = ',', value_parser = ProfileName::parse)]
    only: Vec<ProfileName>,
    /// Ask for these scopes at most by that socket, and where nothing else is asked for
    #[arg(long, value_name = "SCOPE", requires = "only")]
    only_scope: Vec<String>,
    /// Leave out the mask that is sent on stderr where GITHUB_ACTIONS=true
    #[arg(long)]
    no_mask: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

const HELP: &str = "\
A profile of AWS credentials sets AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Variables \
that decide what is run, loaded or trusted (PATH, LD_*, NODE_OPTIONS, BASH_ENV, ...) are refused.

The exit status is the program's, 128 and the signal's number where a signal ended it; 127 where it is not \
found, 126 where it cannot be run, 125 where tokctl failed, such as for want of a token.

Files of --file and --template are readable for you alone, replaced whole when a token is renewed, and removed \
at the end; what is at their place already is only replaced if it is a file of yours that nobody else can \
read. In a template `{{ acme }}` is the token of acme, `{{ acme:header }}` the header line that carries it, \
`{{ acme:NAME }}` another field that `tokctl get acme --json` prints, and `{{{{` stands for `{{`.

--redact masks a token as it stands, in base64, percent-encoded and in JSON. It guards logs, not against a \
program that means to print it.

--only is for a program that calls tokctl itself, or speaks to the agent: other profiles do not exist for it, nothing \
but get, report, status and why is done there, and the socket is gone when the program has ended. It guards \
against mistakes: a program of yours can look for the agent's own socket.

--restart sends SIGTERM to the program, and to what it started in turn where there is no terminal.

Examples:
  tokctl exec github -- gh repo list
  tokctl exec ACME_TOKEN=acme GH=github --redact -- ./deploy
  tokctl exec acme --restart --grace 30s -- ./server
  tokctl exec --file token=acme -- ./worker --token-file token
  tokctl exec --template app.toml.in:app.toml -- ./app --config app.toml
  tokctl exec --only acme,hub -- ./script-that-calls-tokctl-get";

/// What to do, as far as the command line and the templates tell.
struct Plan {
    assignments: Vec<Assignment>,
    places: Vec<Place>,
    min_valid: Option<Duration>,
    program: Vec<OsString>,
    /// stdout and stderr are masked.
    masked: [bool; 2],
    restart: bool,
    grace: Duration,
    only: Vec<ProfileName>,
    only_scope: Vec<String>,
    no_mask: bool,
}

pub(crate) fn run(args: ExecArgs, session: &Session) -> Result<(), Stop> {
    let plan = Plan::new(args)?;
    let tokens = Tokens::get(&plan, session).map_err(ours)?;
    plan.mask(|| tokens.secrets());
    // A mistake of the command line, though only the tokens show it.
    let mut variables = tokens.variables(&plan.assignments)?;
    // Held until the program has ended. The program itself cannot: what holds it can ask the agent for anything.
    let socket = plan.private_socket(session).map_err(ours)?;
    variables.extend(socket.iter().flat_map(naming));
    match socket.is_some() || plan.follows_renewals() || plan.masked != [false; 2] {
        true => parent::run(plan, tokens, variables, session),
        false => Err(become_program(&plan.program, &variables, session)),
    }
}

impl Plan {
    fn new(args: ExecArgs) -> Result<Self, Stop> {
        let assignments = [args.profiles, args.env].concat();
        check_names(&assignments)?;
        let files = args.file.into_iter().map(|file| Ok(Place::from(file)));
        let templates = args.template.iter().map(TemplateOption::read);
        let places: Vec<_> = files.chain(templates).collect::<Result<_, Stop>>()?;
        place::check_distinct(&places)?;
        let is_masked = |is_terminal: bool| args.redact && !is_terminal;
        Ok(Self {
            assignments,
            places,
            min_valid: args.min_valid,
            program: args.program,
            masked: [
                is_masked(std::io::stdout().is_terminal()),
                is_masked(std::io::stderr().is_terminal()),
            ],
            restart: args.restart,
            grace: args.grace.unwrap_or(parent::GRACE),
            only: args.only,
            only_scope: args.only_scope,
            no_mask: args.no_mask,
        })
    }

    /// Has the runner of a CI job mask what the program may print, before it has it.
    fn mask(&self, secrets: impl FnOnce() -> Vec<Secret>) {
        if !self.no_mask {
            mask::send(secrets);
        }
    }

    fn follows_renewals(&self) -> bool {
        self.restart || !self.places.is_empty()
    }

    fn private_socket(&self, session: &Session) -> Result<Option<PrivateSocket>, Stop> {
        if self.only.is_empty() {
            return Ok(None);
        }
        Ok(Some(session.client()?.private_socket(&self.only, &self.only_scope)?))
    }
}

/// The variables by which a program finds its socket.
fn naming(socket: &PrivateSocket) -> impl Iterator<Item = Variable> {
    let text = |value: OsString| Secret::new(value.to_string_lossy().into_owned());
    let variables = socket.variables().into_iter();
    variables.map(move |(name, value)| Variable { name: name.to_owned(), value: value.map(text) })
}

/// The program as a child or in our place; its tokens are in its environment alone.
fn command(program: &[OsString], variables: &[Variable], session: &Session) -> Command {
    let mut command = identity::program(&program[0]);
    command.args(&program[1..]);
    // It opens the vault, which the program gets a few tokens of; so does what a secret was read from.
    for name in session.withheld.borrow().iter() {
        command.env_remove(name);
    }
    for variable in variables {
        match &variable.value {
            Some(value) => command.env(&variable.name, value.expose()),
            None => command.env_remove(&variable.name),
        };
    }
    command
}

/// What a parent that stays starts: this program, which gives back the signals that its parent holds and becomes the
/// program. The standard library leaves them held, and between a fork and an exec only unsafe code can run.
#[derive(clap::Args, Debug)]
pub(crate) struct StepAsideArgs {
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

pub(crate) fn step_aside(args: &StepAsideArgs, session: &Session) -> Result<(), Stop> {
    signals::give_back().map_err(ours)?;
    Err(become_program(&args.program, &[], session))
}

/// The program as the child of a parent that stays.
fn child_command(program: &[OsString], variables: &[Variable], session: &Session) -> Command {
    let mut command = vec![OsString::from("/proc/self/exe"), STEP_ASIDE.into()];
    if session.output.json {
        command.push("--json".into());
    }
    command.push("--".into());
    command.extend_from_slice(program);
    self::command(&command, variables, session)
}

/// Comes back only with the reason why not.
fn become_program(program: &[OsString], variables: &[Variable], session: &Session) -> Stop {
    let refused = command(program, variables, session).exec();
    cannot_run(program, &refused)
}

/// 126 and 127 as a shell has them.
fn cannot_run(program: &[OsString], refused: &std::io::Error) -> Stop {
    let exit = match refused.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => NOT_FOUND,
        ErrorKind::InvalidInput => OURS,
        _ => match refused.raw_os_error().map(Errno::from_raw) {
            // Of the machine, not of the program.
            Some(Errno::ENOMEM | Errno::EAGAIN | Errno::EMFILE | Errno::ENFILE) => OURS,
            _ => CANNOT_RUN,
        },
    };
    let name = program[0].display();
    let failure = Failure::new(Kind::Machine, format!("cannot run `{name}`: {refused}"));
    Stop::Failed(Box::new(WireFailure { exit, ..WireFailure::from(&failure).into_owned() }))
}

/// A failure that is tokctl's own and not the program's; Ctrl-C at a question stays what it is.
fn ours(stop: Stop) -> Stop {
    match stop {
        Stop::Failed(mut failure) if failure.kind != Kind::Cancelled.name() => {
            failure.exit = OURS;
            Stop::Failed(failure)
        }
        other => other,
    }
}
