//! `tokctl helper`: tokens for programs that ask a helper of their own, each in its protocol.
//!
//! One file is one protocol: what it asks and what it is answered are functions without an agent. These programs start a
//! helper for each request, some of them hundreds at once, so their calls are parsed by hand, as `get` is. A name of its
//! own says what it is called for: `git-credential-tokctl get` is `tokctl helper git get`.

mod ask;
mod aws;
mod bazel;
mod cargo;
mod docker;
mod field;
mod git;
mod install;
mod kubectl;

use std::ffi::OsString;
use std::path::Path;

use tokctl_client::ProfileName;

use crate::exit::Stop;
use crate::session::Session;

/// Programs are looked for by these names, since their callers can say no more than a name.
const NAMES: [(&str, &str); 4] = [
    ("git-credential-tokctl", "git"),
    ("docker-credential-tokctl", "docker"),
    ("cargo-credential-tokctl", "cargo"),
    ("bazel-credential-tokctl", "bazel"),
];

#[derive(clap::Subcommand, Debug, PartialEq, Eq)]
pub(crate) enum HelperCommand {
    /// Answer git (gitcredentials(7))
    #[command(allow_missing_positional = true, after_help = GIT_HELP)]
    Git(Call),
    /// Answer docker (docker-credential-helpers)
    #[command(allow_missing_positional = true, after_help = DOCKER_HELP)]
    Docker(Call),
    /// Answer cargo (its credential provider protocol)
    #[command(after_help = CARGO_HELP)]
    Cargo(CargoCall),
    /// Answer kubectl and others of Kubernetes (ExecCredential)
    #[command(after_help = KUBECTL_HELP)]
    Kubectl(KubectlCall),
    /// Answer what reads AWS's configuration (credential_process)
    #[command(after_help = AWS_HELP)]
    Aws(AwsCall),
    /// Answer bazel (its credential helper specification)
    #[command(allow_missing_positional = true, after_help = BAZEL_HELP)]
    Bazel(Call),
    /// Have a program ask tokctl: show the change of its configuration, and make it
    Install(install::InstallArgs),
    /// Take that back
    Uninstall(install::UninstallArgs),
    /// List what asks tokctl
    List,
}

const GIT_HELP: &str = "\
The profile is the one whose `api_urls` hold the URL that git asks for; one that is named here answers for its own \
`api_urls` alone. `erase`, which git says after a 401, has that token replaced. `store` does nothing.

Examples:
  git config --global credential.https://git.acme.example.helper tokctl
  git config --global credential.https://git.acme.example.helper '!tokctl helper git --username bot acme'
  printf 'protocol=https\\nhost=git.acme.example\\n' | tokctl helper git get";

const DOCKER_HELP: &str = "\
Docker runs `docker-credential-tokctl`, a link to tokctl, for the registries under `credHelpers` in \
~/.docker/config.json. The profile is the one whose `api_urls` hold https://REGISTRY/. `erase`, which is `docker logout`, \
has the token replaced; `store` does nothing; `list` lists nothing, since docker would ask for all of it and hand it on.

Examples:
  { \"credHelpers\": { \"registry.acme.example\": \"tokctl\" } }
  echo registry.acme.example | tokctl helper docker get";

const CARGO_HELP: &str = "\
Cargo runs `cargo-credential-tokctl`, a link to tokctl. The profile is the one whose `api_urls` hold the URL of the \
registry's index; what cargo sends is what the profile's `header` says behind `Authorization:`.

Examples:
  [registries.acme]
  index = \"sparse+https://crates.acme.example/index/\"
  credential-provider = [\"cargo-credential-tokctl\"]          # or [\"cargo-credential-tokctl\", \"PROFILE\"]";

const KUBECTL_HELP: &str = "\
Without a name the profile is the one whose `api_urls` hold the cluster's address, which kubectl tells where \
`provideClusterInfo` is set.

Examples:
  kubectl config set-credentials acme --exec-api-version=client.authentication.k8s.io/v1 \\
    --exec-interactive-mode=Never --exec-command=tokctl --exec-arg=helper --exec-arg=kubectl --exec-arg=acme";

const AWS_HELP: &str = "\
The profile is one whose tokens are credentials of AWS: `aws_web_identity`, or a `command` that prints such.

Examples:
  # ~/.aws/config
  [profile ci]
  credential_process = tokctl helper aws ci";

const BAZEL_HELP: &str = "\
Bazel runs `bazel-credential-tokctl`, a link to tokctl. The profile is the one whose `api_urls` hold the URL that bazel \
asks for (grpcs is looked for as https).

Examples:
  # .bazelrc
  common --credential_helper=build.acme.example=bazel-credential-tokctl
  echo '{\"uri\":\"https://build.acme.example/\"}' | tokctl helper bazel get";

/// What a program that has verbs calls its helper with.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    /// Name of the profile [default: the one whose `api_urls` hold the URL]
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: Option<ProfileName>,
    /// What the program wants
    #[arg(value_name = "VERB")]
    verb: String,
    /// The name that goes with the token where there has to be one
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
}

#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CargoCall {
    /// Name of the profile [default: the one whose `api_urls` hold the registry's index]
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: Option<ProfileName>,
    /// What cargo says to every provider
    #[arg(long)]
    cargo_plugin: bool,
}

#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KubectlCall {
    /// Name of the profile [default: the one whose `api_urls` hold the cluster's address]
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: Option<ProfileName>,
}

#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsCall {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
}

pub(crate) fn run(command: HelperCommand, session: &Session) -> Result<(), Stop> {
    match command {
        HelperCommand::Git(call) => git::run(&call, session),
        HelperCommand::Docker(call) => docker::run(&call, session),
        HelperCommand::Cargo(call) => cargo::run(&call, session),
        HelperCommand::Kubectl(call) => kubectl::run(&call, session),
        HelperCommand::Aws(call) => aws::run(&call, session),
        HelperCommand::Bazel(call) => bazel::run(&call, session),
        HelperCommand::Install(args) => install::install(&args, session),
        HelperCommand::Uninstall(args) => install::uninstall(&args, session),
        HelperCommand::List => install::list(session),
    }
}

/// A command line whose program was called by a helper's name, as `tokctl helper` would be called.
pub(crate) fn spelled_out(arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments.first().and_then(|name| Path::new(name).file_name());
    let called = NAMES.iter().find(|(known, _)| name.is_some_and(|name| name == *known));
    let Some((_, protocol)) = called else { return arguments };
    let words = ["tokctl", "helper", protocol].map(OsString::from);
    words.into_iter().chain(arguments.into_iter().skip(1)).collect()
}

/// The forms that programs call their helpers with; `None` where clap should read them.
pub(crate) fn quick(arguments: &[OsString]) -> Option<HelperCommand> {
    let [_, helper, rest @ ..] = arguments else { return None };
    if helper != "helper" {
        return None;
    }
    let mut rest = rest.iter().map(|word| word.to_str());
    let protocol = rest.next()??;
    let mut words: Vec<&str> = Vec::new();
    let (mut username, mut cargo_plugin) = (None, false);
    while let Some(word) = rest.next() {
        match word? {
            "--cargo-plugin" if protocol == "cargo" && !cargo_plugin => cargo_plugin = true,
            "--username"
                if username.is_none() && matches!(protocol, "git" | "docker" | "bazel") =>
            {
                username = Some(rest.next()??).filter(|name| !name.starts_with('-'));
                username?;
            }
            option if option.starts_with('-') => return None,
            word => words.push(word),
        }
    }
    let name = |word: &str| ProfileName::parse(word).ok();
    let call = |words: &[&str]| {
        let (profile, verb) = match words {
            [verb] => (None, verb),
            [profile, verb] => (Some(name(profile)?), verb),
            _ => return None,
        };
        Some(Call { profile, verb: (*verb).to_owned(), username: username.map(str::to_owned) })
    };
    let optional = |words: &[&str]| match words {
        [] => Some(None),
        [profile] => Some(Some(name(profile)?)),
        _ => None,
    };
    Some(match protocol {
        "git" => HelperCommand::Git(call(&words)?),
        "docker" => HelperCommand::Docker(call(&words)?),
        "bazel" => HelperCommand::Bazel(call(&words)?),
        "cargo" => HelperCommand::Cargo(CargoCall { profile: optional(&words)?, cargo_plugin }),
        "kubectl" => HelperCommand::Kubectl(KubectlCall { profile: optional(&words)? }),
        "aws" => HelperCommand::Aws(AwsCall { profile: optional(&words)?? }),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn split(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn what_is_taken_means_the_same_to_clap() {
        const WORDS: &[&str] = &[
            "git",
            "docker",
            "cargo",
            "kubectl",
            "aws",
            "bazel",
            "acme",
            "get",
            "erase",
            "--username",
            "bot",
            "--username=bot",
            "--cargo-plugin",
            "--json",
            "-q",
            "A",
            "",
            "--",
        ];
        let mut taken = 0;
        let mut compare = |words: &[&str]| {
            let arguments: Vec<OsString> =
                ["tokctl", "helper"].iter().chain(words).map(OsString::from).collect();
            let Some(command) = quick(&arguments) else { return };
            let cli = Cli::try_parse_from(&arguments).unwrap_or_else(|_| panic!("{words:?}"));
            let Command::Helper(by_clap) = cli.command else { panic!("{words:?} is no helper") };
            assert_eq!(command, by_clap, "{words:?}");
            taken += 1;
        };
        for first in WORDS {
            compare(&[first]);
            for second in WORDS {
                compare(&[first, second]);
                for third in WORDS {
                    compare(&[first, second, third]);
                    for fourth in WORDS {
                        compare(&[first, second, third, fourth]);
                    }
                }
            }
        }
        assert!(taken > 100, "{taken}");
    }

    #[test]
    fn what_programs_call_is_taken() {
        for line in [
            "tokctl helper git get",
            "tokctl helper git acme get",
            "tokctl helper git --username bot acme get",
            "tokctl helper docker get",
            "tokctl helper bazel get",
            "tokctl helper cargo --cargo-plugin",
            "tokctl helper kubectl",
            "tokctl helper kubectl acme",
            "tokctl helper aws acme",
        ] {
            assert!(quick(&split(line)).is_some(), "{line}");
        }
    }

    #[test]
    fn a_name_says_what_the_program_is_called_for() {
        for (line, same) in [
            ("git-credential-tokctl get", "tokctl helper git get"),
            ("/home/ada/bin/git-credential-tokctl acme erase", "tokctl helper git acme erase"),
            ("docker-credential-tokctl list", "tokctl helper docker list"),
            ("cargo-credential-tokctl --cargo-plugin", "tokctl helper cargo --cargo-plugin"),
            ("bazel-credential-tokctl get", "tokctl helper bazel get"),
            ("tokctl get acme", "tokctl get acme"),
            ("other git get", "other git get"),
            ("", ""),
        ] {
            assert_eq!(spelled_out(split(line)), split(same), "{line}");
        }
    }
}
