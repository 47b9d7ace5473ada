//! `tokctl import`: profiles from the files of other programs.
//!
//! The file is read here, and its text goes to the agent, which takes it apart: nothing in this program opens an
//! encrypted file or knows a format.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokctl_client::proto::request::Import;
use tokctl_client::proto::response::{Imported, Item};
use tokctl_client::proto::secret::SecretStr;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{Client, ProfileName, Request, Secret};
use zeroize::Zeroizing;

use crate::cmd::dry_run;
use crate::exit::Stop;
use crate::output::safe;
use crate::secret_input::{Passphrase, SecretInput};
use crate::session::Session;

mod places;

/// As large as a frame takes it, with its path and the rest beside it.
const FILE_BYTES_MAX: usize = 48 * 1024;
/// How often a mistyped passphrase is asked for again.
const TRIES_MAX: u32 = 3;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum ImportCommand {
    /// An account of oidc-agent, with its refresh token
    OidcAgent(OidcAgentArgs),
    /// The accounts of pizauth.conf, to log in with
    Pizauth(PizauthArgs),
    /// A JSON file of Google Cloud: a service account, a login of gcloud, a client, an external account
    Google(GoogleArgs),
    /// The token that GitHub's command line keeps in hosts.yml
    Gh(GhArgs),
    /// Profiles of ~/.aws/config that assume a role with a web identity
    Aws(AwsArgs),
    /// API keys of a .env file
    Dotenv(DotenvArgs),
}

/// What every source takes.
#[derive(clap::Args, Debug)]
struct Common {
    /// Name of the profile [default: what it is called there]
    #[arg(long, value_name = "PROFILE", value_parser = ProfileName::parse)]
    name: Option<ProfileName>,
    /// Take the place of profiles of these names
    #[arg(long)]
    replace: bool,
    /// Show what would be added, without secrets, and add nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct OidcAgentArgs {
    /// Name of the account, or its file, or `-` for what `oidc-gen --print` says
    #[arg(value_name = "ACCOUNT")]
    account: Option<PathBuf>,
    #[command(flatten)]
    passphrase: SecretInput<Passphrase>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct PizauthArgs {
    /// The file [default: ~/.config/pizauth.conf]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take this account alone; repeat it for several
    #[arg(long, value_name = "NAME")]
    account: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct GoogleArgs {
    /// The file, as ~/.config/gcloud/application_default_credentials.json
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct GhArgs {
    /// The file [default: ~/.config/gh/hosts.yml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take this host alone; repeat it for several
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct AwsArgs {
    /// The file [default: ~/.aws/config]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take this profile alone; repeat it for several
    #[arg(long, value_name = "NAME")]
    aws_profile: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct DotenvArgs {
    /// The file [default: .env]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take this variable; repeat it for several. On a terminal each is asked about
    #[arg(long, value_name = "NAME")]
    var: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(command: &ImportCommand, session: &Session) -> Result<(), Stop> {
    let (source, file, select, common) = match command {
        ImportCommand::OidcAgent(args) => return oidc_agent(args, session),
        ImportCommand::Dotenv(args) => return dotenv(args, session),
        ImportCommand::Pizauth(args) => {
            ("pizauth", args.file.clone().or_else(places::pizauth), &args.account[..], &args.common)
        }
        ImportCommand::Google(args) => ("google", Some(args.file.clone()), &[][..], &args.common),
        ImportCommand::Gh(args) => {
            ("gh", args.file.clone().or_else(places::gh), &args.host[..], &args.common)
        }
        ImportCommand::Aws(args) => {
            ("aws", args.file.clone().or_else(places::aws), &args.aws_profile[..], &args.common)
        }
    };
    let path = file.ok_or_else(|| Stop::usage("there is no home directory to look in"))?;
    let taken = Taken::read(source, &path, session)?;
    taken.take_over(&mut session.client()?, select, None, common, session)
}

fn oidc_agent(args: &OidcAgentArgs, session: &Session) -> Result<(), Stop> {
    let path = places::account(args.account.as_deref())?;
    let taken = Taken::read("oidc-agent", &path, session)?;
    let given = args.passphrase.read(session)?;
    let mut client = session.client()?;
    // What `oidc-gen --print` says is not encrypted, and of what GnuPG has encrypted no passphrase is known.
    let text = taken.text.expose().trim_start();
    let is_open = text.starts_with('{') || text.starts_with("-----");
    if given.is_some() || is_open || !session.can_ask() {
        return taken.take_over(&mut client, &[], given.as_ref(), &args.common, session);
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let typed = session.ask(&format!("passphrase of {}", taken.path), true)?;
        match taken.take_over(&mut client, &[], Some(&typed), &args.common, session) {
            Err(stop) if stop.is(Kind::WrongPassphrase) && tries < TRIES_MAX => {
                session.output.warn("that passphrase does not open the file");
            }
            ended => return ended,
        }
    }
}

/// Which variables are keys is for a person to say.
fn dotenv(args: &DotenvArgs, session: &Session) -> Result<(), Stop> {
    let path = args.file.clone().unwrap_or_else(|| PathBuf::from(".env"));
    let taken = Taken::read("dotenv", &path, session)?;
    let mut client = session.client()?;
    if !args.var.is_empty() {
        return taken.take_over(&mut client, &args.var, None, &args.common, session);
    }
    let found = places::variables(taken.text.expose());
    if !session.can_ask() {
        let hint = match found.is_empty() {
            true => "use `--var NAME`, once for each".to_owned(),
            false => format!("use `--var NAME`, once for each: there is {}", found.join(", ")),
        };
        return Err(Failure::new(Kind::Usage, "it is not said which variables are API keys")
            .hint(hint)
            .into());
    }
    let mut chosen = Vec::new();
    for name in found {
        if session.confirm(&format!("is {} an API key to take over?", safe(&name)), false)? {
            chosen.push(name);
        }
    }
    match chosen.is_empty() {
        true => {
            session.output.talk("nothing was taken over");
            Ok(())
        }
        false => taken.take_over(&mut client, &chosen, None, &args.common, session),
    }
}

/// A file that was read.
struct Taken {
    source: &'static str,
    text: Secret,
    /// For messages; empty for stdin.
    path: String,
}

impl Taken {
    fn read(source: &'static str, path: &Path, session: &Session) -> Result<Self, Stop> {
        let is_stdin = path == Path::new("-");
        let shown = places::shown(path);
        let cannot = |error: &io::Error| Stop::usage(format!("cannot read {shown}: {error}"));
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX + 1));
        let limit = FILE_BYTES_MAX as u64 + 1;
        let read = if is_stdin {
            if session.stdin_is_taken.replace(true) {
                return Err(Stop::usage("the file and the passphrase cannot both come from stdin"));
            }
            io::stdin().lock().take(limit).read_to_end(&mut bytes)
        } else {
            File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
        };
        read.map_err(|error| cannot(&error))?;
        if bytes.len() > FILE_BYTES_MAX {
            let limit = FILE_BYTES_MAX / 1024;
            return Err(Stop::usage(format!("{shown} is larger than {limit} KiB")));
        }
        let text = Secret::from_utf8(std::mem::take(&mut *bytes));
        let text = text.ok_or_else(|| Stop::usage(format!("{shown} is not text")))?;
        Ok(Self { source, text, path: if is_stdin { String::new() } else { shown } })
    }

    fn take_over(
        &self,
        client: &mut Client,
        select: &[String],
        passphrase: Option<&Secret>,
        common: &Common,
        session: &Session,
    ) -> Result<(), Stop> {
        let request = Request::Import(Import {
            source: self.source.into(),
            text: SecretStr::from(&self.text),
            path: self.path.as_str().into(),
            passphrase: passphrase.map(SecretStr::from),
            select: select.iter().map(|name| name.as_str().into()).collect(),
            name: common.name.as_ref().map(|name| name.as_str().into()),
            replace: common.replace,
            dry_run: common.dry_run,
            interactive: session.can_ask(),
        });
        let (mut rows, mut shown) = (Vec::new(), Ok(()));
        let ended = session.collect(client, &request, &mut |item| {
            let Item::Imported(imported) = item else { return };
            let row = Row::of(imported);
            match (session.output.json, &shown) {
                (true, _) => rows.push(row),
                (false, Ok(())) => shown = row.show(common.dry_run, session),
                (false, Err(_)) => {}
            }
        });
        if !rows.is_empty() {
            shown = session.output.json(&rows);
        }
        ended.and(shown)
    }
}

#[derive(Serialize)]
struct Row {
    profile: String,
    toml: String,
    secrets: Vec<String>,
    notes: Vec<String>,
    error: Option<String>,
}

impl Row {
    fn of(imported: &Imported<'_>) -> Self {
        Self {
            profile: imported.profile.to_string(),
            toml: imported.toml.to_string(),
            secrets: imported.secrets.clone(),
            notes: imported.notes.clone(),
            error: imported.error.as_deref().map(str::to_owned),
        }
    }

    /// What would be added is data; what was added is talk.
    fn show(&self, dry_run: bool, session: &Session) -> Result<(), Stop> {
        let Self { profile, toml, secrets, notes, error } = self;
        if dry_run && error.is_none() {
            session.output.data(dry_run::section(profile, toml, secrets).as_bytes())?;
        }
        match error {
            Some(error) => session.output.warn(&format!("{profile}: not added: {error}")),
            None if !dry_run => session.output.talk(&format!("added {profile}")),
            None => {}
        }
        for note in notes {
            session.output.talk(&format!("{profile}: {note}"));
        }
        Ok(())
    }
}
