//! `tokctl helper install`, `uninstall` and `list`: what makes other programs ask us, in their own configuration.
//!
//! What is going to be changed is shown first, and done when somebody agrees. A program that edits its configuration
//! itself is had to; other files are edited as text, so that all that is not ours stays as it was.

mod aws;
mod bazel;
mod cargo;
mod change;
mod docker;
mod git;
mod json_text;
mod kubectl;
mod sections;

use std::env;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{ProfileName, Usage};

use crate::exit::Stop;
use crate::output::safe;
use crate::session::Session;
use crate::table;
use change::Change;

/// Whose configuration it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tool {
    Git,
    Docker,
    Cargo,
    Kubectl,
    Aws,
    Bazel,
}

#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
git, docker and bazel ask for the hosts in the profile's `api_urls`, cargo for a registry, kubectl for a user, AWS for a \
profile of its own. What is changed (~/.gitconfig, ~/.docker/config.json, ~/.cargo/config.toml, kubectl's configuration, \
~/.aws/config, ~/.bazelrc) is shown first.

Examples:
  tokctl set acme api_urls=https://git.acme.example/
  tokctl helper install git acme
  tokctl helper install cargo acme --name acme-crates
  tokctl helper install aws ci --yes")]
pub(crate) struct InstallArgs {
    /// The program that is to ask tokctl
    #[arg(value_name = "PROGRAM")]
    tool: Tool,
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// What it is called there: cargo's registry, kubectl's user, AWS's profile [default: the name of the profile]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Examples:
  tokctl helper uninstall git acme
  tokctl helper uninstall docker      # for all registries")]
pub(crate) struct UninstallArgs {
    /// The program that is to ask tokctl no more
    #[arg(value_name = "PROGRAM")]
    tool: Tool,
    /// Name of the profile [default: all of them]
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: Option<ProfileName>,
}

/// A place in a program's configuration where it asks us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Entry {
    program: Tool,
    /// A URL, a host, or what the program calls it.
    at: String,
    /// Null where it is found by the URL.
    profile: Option<String>,
}

/// What is to be installed.
#[derive(Debug)]
struct Wanted<'a> {
    profile: &'a ProfileName,
    name: &'a str,
    api_urls: &'a [String],
}

pub(super) fn install(args: &InstallArgs, session: &Session) -> Result<(), Stop> {
    let name = args.name.as_deref().unwrap_or(args.profile.as_str());
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(Stop::usage("a name is made of letters, digits, `-`, `_` and `.`"));
    }
    let usage = session.client()?.usage(Some(&args.profile), None)?;
    let needs_places = matches!(args.tool, Tool::Git | Tool::Docker | Tool::Bazel | Tool::Cargo);
    if needs_places && usage.api_urls.is_empty() {
        return Err(no_places(&usage));
    }
    let wanted = Wanted { profile: &args.profile, name, api_urls: &usage.api_urls };
    let change = match args.tool {
        Tool::Git => git::install(&wanted),
        Tool::Docker => docker::install(&wanted),
        Tool::Cargo => cargo::install(&wanted),
        Tool::Kubectl => kubectl::install(&wanted),
        Tool::Aws => aws::install(&wanted),
        Tool::Bazel => bazel::install(&wanted),
    }?;
    let command = format!("tokctl helper install {} {}", args.tool.name(), args.profile);
    let command = match &args.name {
        Some(name) => format!("{command} --name {name}"),
        None => command,
    };
    change.make(&command, session)?;
    match (args.tool.link(), change) {
        (Some(link), Change::Edit { .. } | Change::Nothing) if on_path(link).is_none() => {
            let here = on_path("tokctl").unwrap_or_else(|| "tokctl".into());
            session.output.warn(&format!(
                "there is no `{link}` on PATH, by which {} asks: run `ln -s tokctl {}`",
                args.tool.name(),
                here.with_file_name(link).display()
            ));
        }
        _ => {}
    }
    Ok(())
}

fn no_places(usage: &Usage) -> Stop {
    let failure = Failure::new(Kind::Usage, "it does not say where its token may be used");
    let profile = &usage.profile;
    failure.of(profile).hint(format!("run `tokctl set {profile} api_urls=https://HOST/`")).into()
}

pub(super) fn uninstall(args: &UninstallArgs, session: &Session) -> Result<(), Stop> {
    let mut entries = args.tool.entries()?;
    let mut command = format!("tokctl helper uninstall {}", args.tool.name());
    if let Some(profile) = &args.profile {
        command = format!("{command} {profile}");
        // Entries that name no profile are this one's where its `api_urls` are; it may be gone by now.
        let needs_places = entries.iter().any(|entry| entry.profile.is_none());
        let api_urls = match needs_places {
            true => session.client()?.usage(Some(profile), None)?.api_urls,
            false => Vec::new(),
        };
        entries.retain(|entry| match &entry.profile {
            Some(name) => name == profile.as_str(),
            None => api_urls.iter().any(|url| url == &entry.at || host(url) == entry.at),
        });
    }
    let change = match (args.tool, entries.is_empty()) {
        (_, true) => Change::Nothing,
        (Tool::Git, _) => git::uninstall(&entries),
        (Tool::Docker, _) => docker::uninstall(&entries)?,
        (Tool::Cargo, _) => cargo::uninstall(&entries)?,
        (Tool::Kubectl, _) => kubectl::uninstall(&entries),
        (Tool::Aws, _) => aws::uninstall(&entries)?,
        (Tool::Bazel, _) => bazel::uninstall(&entries)?,
    };
    change.make(&command, session)
}

pub(super) fn list(session: &Session) -> Result<(), Stop> {
    let mut entries = Vec::new();
    for tool in Tool::value_variants() {
        entries.extend(tool.entries()?);
    }
    if session.output.json {
        return session.output.json(&entries);
    }
    if entries.is_empty() {
        session.output.talk(
            "no program asks tokctl yet; `tokctl helper install PROGRAM PROFILE` has one ask",
        );
        return Ok(());
    }
    let row = |entry: &Entry| {
        let profile = entry.profile.as_deref().unwrap_or("by its api_urls");
        [entry.program.name(), &*entry.at, profile].map(|cell| safe(cell).into_owned()).to_vec()
    };
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    session.output.data(table::render(&["PROGRAM", "AT", "PROFILE"], &rows).as_bytes())
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Docker => "docker",
            Self::Cargo => "cargo",
            Self::Kubectl => "kubectl",
            Self::Aws => "aws",
            Self::Bazel => "bazel",
        }
    }

    /// The name by which it calls us, where it takes nothing but a name.
    fn link(self) -> Option<&'static str> {
        match self {
            Self::Docker => Some(docker::LINK),
            Self::Cargo => Some(cargo::LINK),
            Self::Bazel => Some(bazel::LINK),
            Self::Git | Self::Kubectl | Self::Aws => None,
        }
    }

    fn entries(self) -> Result<Vec<Entry>, Stop> {
        match self {
            Self::Git => git::entries(),
            Self::Docker => docker::entries(),
            Self::Cargo => cargo::entries(),
            Self::Kubectl => kubectl::entries(),
            Self::Aws => aws::entries(),
            Self::Bazel => bazel::entries(),
        }
    }
}

/// The host of a URL, with its port where it has one.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// A variable that says where a file is, or a place below the home directory.
fn file(variable: Option<&str>, below_home: &str) -> Result<PathBuf, Stop> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = variable.and_then(set);
    let found = named.or_else(|| Some(set("HOME")?.join(below_home)));
    found.ok_or_else(|| Stop::usage("HOME is not set"))
}

/// Where a program of that name is.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// What others call to have us: our name where PATH leads to us, else where we are.
fn ourselves() -> Result<String, Stop> {
    if on_path("tokctl").is_some() {
        return Ok("tokctl".to_owned());
    }
    let place = env::current_exe()
        .map_err(|error| Stop::machine(format!("cannot tell where tokctl is: {error}")))?;
    place.into_os_string().into_string().map_err(|_| Stop::usage("tokctl is at no path of text"))
}
