//! The command line as clap knows it. What a command does is in the file of its name under `cmd/`.

use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use tokctl_client::ProfileName;
use tokctl_client::proto::time::parse_duration;

use crate::cmd::add::AddArgs;
use crate::cmd::agent::AgentCommand;
use crate::cmd::curl::CurlArgs;
use crate::cmd::exec::{ExecArgs, StepAsideArgs};
use crate::cmd::export::ExportArgs;
use crate::cmd::helper::HelperCommand;
use crate::cmd::import::ImportCommand;
use crate::cmd::init::InitArgs;
use crate::cmd::inspect::InspectArgs;
use crate::cmd::login::LoginArgs;
use crate::cmd::logout::LogoutArgs;
use crate::cmd::passwd::PasswdArgs;
use crate::cmd::probe::ProbeArgs;
use crate::cmd::purge::PurgeArgs;
use crate::cmd::refresh::RefreshArgs;
use crate::cmd::remove::RemoveArgs;
use crate::cmd::report::ReportArgs;
use crate::cmd::revoke::RevokeArgs;
use crate::cmd::set_secret::SetSecretArgs;
use crate::cmd::show::ShowArgs;
use crate::cmd::socket::SocketCommand;
use crate::cmd::status::StatusArgs;
use crate::cmd::unlock::UnlockArgs;
use crate::cmd::watch::WatchArgs;

/// Hands out access tokens that are good, and keeps what they are made of encrypted.
#[derive(Debug, Parser)]
#[command(
    name = "tokctl",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Begin with `tokctl init`, `tokctl add NAME`, `tokctl get NAME`.\n\
                  `tokctl help environment`, `exit-codes`, `presets` and `secrets` explain what all commands share."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Global {
    /// Say only what must be acted on
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub(crate) verbose: bool,
    /// Print data and errors as JSON
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    /// Ask nothing; fail where an answer would be needed
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) no_prompt: bool,
    /// Agree to what would be asked
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) yes: bool,
    /// When to use colour
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub(crate) color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Whether to use colour, by the convention of no-color.org where nothing was said.
    pub(crate) fn is_wanted(self, is_terminal: impl FnOnce() -> bool) -> bool {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                set("NO_COLOR").is_none()
                    && set("TERM").is_some_and(|terminal| terminal != "dumb")
                    && is_terminal()
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the vault, and leave an agent running that has it open
    Init(InitArgs),
    /// Add a profile: who hands out its tokens, and what for
    Add(Box<AddArgs>),
    /// Take profiles over from another program
    #[command(subcommand, arg_required_else_help = true)]
    Import(ImportCommand),
    /// Change settings of a profile
    #[command(after_help = "KEY= removes a setting; a key that is given twice is a list.\n\n\
        Examples:\n  tokctl set acme scope='read write'\n  tokctl set acme audience=\n  \
        tokctl set acme api_urls=https://a.example/ api_urls=https://b.example/")]
    Set(SetArgs),
    /// Store a secret of a profile, for the places that its configuration names now
    SetSecret(SetSecretArgs),
    /// Print an access token that is good now
    #[command(after_help = GET_EXAMPLES)]
    Get(GetArgs),
    /// Renew a token now, whatever its age
    Refresh(RefreshArgs),
    /// Tell what an API said to a token: 401, 403 or 429
    Report(ReportArgs),
    /// Revoke an access token at its provider
    Revoke(RevokeArgs),
    /// Give tokens to git, docker, cargo, kubectl, AWS and bazel
    #[command(subcommand, arg_required_else_help = true)]
    Helper(HelperCommand),
    /// Log in at a provider, with a browser or on another device
    Login(LoginArgs),
    /// Revoke and forget all tokens of a profile; its client secret stays
    Logout(LogoutArgs),
    /// Run curl with a profile's token, and with another one when it is refused
    Curl(CurlArgs),
    /// List the profiles
    List,
    /// Show the settings of a profile, and which secrets it has
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Edit config.toml in an editor; what does not hold is not taken over
    Edit,
    /// Give a profile another name
    Rename(RenameArgs),
    /// Log out of a profile and remove it with its secrets
    Remove(RemoveArgs),
    /// Log out of everything and remove it all: configuration, vault and state
    Purge(PurgeArgs),
    /// Run a program with tokens in its environment or in files
    Exec(ExecArgs),
    /// Become the program, as the child of `tokctl exec`
    #[command(hide = true)]
    StepAside(StepAsideArgs),
    /// Make, list and remove further sockets, each for some profiles alone
    #[command(subcommand, arg_required_else_help = true)]
    Socket(SocketCommand),
    /// Write tokens as variables, for a shell, a file or the runner of a CI job
    Export(ExportArgs),
    /// Print what happens to tokens as it happens: renewals, failures, logins needed
    Watch(WatchArgs),
    /// Show what the token of every profile is doing
    Status(StatusArgs),
    /// Tell what a profile's last attempts were, and what happens next
    #[command(after_help = WHY_EXAMPLES)]
    Why(ProfileArgs),
    /// Show what a token says of itself, and what its provider says of it
    Inspect(InspectArgs),
    /// Call an API with a token and without, and tell what its answers mean
    Probe(ProbeArgs),
    /// Seal the vault: keys and tokens leave the agent's memory
    Lock,
    /// Open the vault
    Unlock(UnlockArgs),
    /// Change the passphrase of the vault
    Passwd(PasswdArgs),
    /// Start, stop and look at the agent
    #[command(subcommand, arg_required_else_help = true)]
    Agent(AgentCommand),
    /// Explain a command or a topic: environment, exit-codes, presets, secrets
    Help(HelpArgs),
}

const SHOW_EXAMPLES: &str = "\
Examples:
  tokctl show acme
  tokctl show acme --resolved    # with what comes from its preset, from [agent], or from nobody";

const GET_EXAMPLES: &str = "\
The token and a line feed go to stdout, everything else to stderr. Durations are 90, 90s, 5m, 8h, 7d.

Examples:
  tokctl get acme
  read -r token expires <<< \"$(tokctl get acme --format '{access_token} {expires_at}')\"
  curl -H \"Authorization: Bearer $(tokctl get acme)\" https://api.acme.example/
  curl -H \"$(tokctl get acme --header)\" https://api.acme.example/
  tokctl get acme --min-valid 10m --json
  tokctl get search --uses 5 --wait 2m --json      # from a pool; \"member\" says whose it is";

const WHY_EXAMPLES: &str = "\
Each attempt is told with its time, what was sent to which origin (no secrets), the HTTP status, how long it \
took and what came of it.";

/// The hand-written parser makes the same of the forms it knows.
#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(crate) struct GetArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    pub(crate) profile: ProfileName,
    /// Take a token that is good for at least this long, else fail [default: 60s or a tenth of its lifetime]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) min_valid: Option<Duration>,
    /// Take what there is rather than fail, below --min-valid or while the API said to slow down
    #[arg(long)]
    pub(crate) best_effort: bool,
    /// Ask the provider for a new token
    #[arg(long)]
    pub(crate) refresh: bool,
    /// Ask for these scopes in place of the profile's; repeat it or separate them by spaces
    #[arg(long)]
    pub(crate) scope: Vec<String>,
    /// Ask for this audience in place of the profile's
    #[arg(long)]
    pub(crate) audience: Vec<String>,
    /// Ask for this resource in place of the profile's (RFC 8707)
    #[arg(long)]
    pub(crate) resource: Vec<String>,
    /// Wait no longer than this for everything together [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Book this many uses against the rate limit of a pool [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) uses: Option<u32>,
    /// Wait this long for a free member of a pool, or for the end of a cool-down [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) wait: Option<Duration>,
    /// Print the whole header line that carries the token
    #[arg(long, conflicts_with = "json")]
    pub(crate) header: bool,
    /// Print fields of --json in this form, as in '{access_token} {expires_at}'; {{ stands for a brace
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["json", "header", "dpop"])]
    pub(crate) format: Option<String>,
    /// Print the header lines of one request with a token that is bound to a key (RFC 9449)
    #[arg(long, requires_all = ["method", "url"])]
    pub(crate) dpop: bool,
    /// The method of that request
    #[arg(long, value_name = "METHOD", requires = "dpop")]
    pub(crate) method: Option<String>,
    /// The URL of that request
    #[arg(long, value_name = "URL", requires = "dpop")]
    pub(crate) url: Option<String>,
    /// The DPoP-Nonce that its server sent last
    // Base64url text, which may begin with a hyphen.
    #[arg(long, value_name = "NONCE", requires = "dpop", allow_hyphen_values = true)]
    pub(crate) nonce: Option<String>,
    /// Leave out the mask that is sent on stderr where GITHUB_ACTIONS=true
    #[arg(long)]
    pub(crate) no_mask: bool,
    /// Print the requests that would be sent for a new token, without secrets, and send none
    #[arg(long, conflicts_with_all = ["header", "format", "refresh", "min_valid", "uses", "wait"])]
    pub(crate) dry_run: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct ProfileArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    pub(crate) profile: ProfileName,
}

#[derive(clap::Args, Debug)]
pub(crate) struct SetArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    pub(crate) profile: ProfileName,
    /// Keys and their values
    #[arg(value_name = "KEY=VALUE", required = true, value_parser = crate::settings::pair)]
    pub(crate) pairs: Vec<(String, String)>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct RenameArgs {
    /// Name of the profile now
    #[arg(value_name = "FROM", value_parser = ProfileName::parse)]
    pub(crate) from: ProfileName,
    /// Name that it gets
    #[arg(value_name = "TO", value_parser = ProfileName::parse)]
    pub(crate) to: ProfileName,
}

#[derive(clap::Args, Debug)]
pub(crate) struct HelpArgs {
    /// Command or topic
    #[arg(value_name = "SUBJECT")]
    pub(crate) subject: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_of_a_profile_is_an_option_of_add() {
        let command = Cli::command();
        let add = command.find_subcommand("add").unwrap();
        for setting in tokctl_client::proto::setting::PROFILE {
            let option = setting.name.replace('_', "-");
            assert!(add.get_arguments().any(|arg| arg.get_long() == Some(&option)), "{option}");
        }
    }

    #[test]
    fn no_option_takes_a_secret_as_its_value() {
        fn walk(command: &clap::Command) {
            for arg in command.get_arguments() {
                let name = arg.get_id().as_str();
                for secret in ["secret", "passphrase", "key", "token"] {
                    let bare = name == secret || name.ends_with(&format!("-{secret}"));
                    assert!(!bare || !arg.get_action().takes_values(), "{name}");
                }
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }
}
