//! `tokctl init`: makes the vault.
//!
//! The network settings of this shell are taken over into the configuration, because an agent that is
//! started at login or by cron would not see them.

use std::borrow::Cow;

use tokctl_client::proto::request::{AgentStatus, Assignment, Init};
use tokctl_client::proto::response::Done;
use tokctl_client::proto::secret::SecretStr;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{Client, Request, Secret};

use crate::cmd::agent::EphemeralArgs;
use crate::cmd::unlock::key_of;
use crate::exit::Stop;
use crate::secret_input::{Identity, Passphrase, SecretInput};
use crate::session::Session;
use crate::settings::absolute;

/// How often a passphrase that was typed differently the second time is asked for again.
const TRIES: usize = 3;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
On a terminal the passphrase is asked for, twice. In a script give it, or do without:

  tokctl init --passphrase-file pass
  printf %s \"$PASSPHRASE\" | tokctl init --passphrase-stdin
  tokctl init --no-passphrase

A CI job brings the vault's key along, an age identity, and it lies nowhere then:

  TOKCTL_IDENTITY=AGE-SECRET-KEY-1... tokctl init --ephemeral
  tokctl init --ephemeral --identity-file key.txt")]
pub(crate) struct InitArgs {
    #[command(flatten)]
    passphrase: SecretInput<Passphrase>,
    #[command(flatten)]
    identity: SecretInput<Identity>,
    /// Store the vault's key unencrypted: the files' mode is all that protects it
    #[arg(long, conflicts_with_all = ["passphrase", "identity"])]
    no_passphrase: bool,
    /// Move an existing vault aside and make a new one
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    ephemeral: EphemeralArgs,
}

pub(crate) fn run(args: &InitArgs, session: &Session) -> Result<(), Stop> {
    let given = key_of(&args.passphrase, &args.identity, session)?;
    let connect = args.ephemeral.connect(session)?;
    let given = given.or_else(|| connect.identity().filter(|_| !args.no_passphrase).cloned());
    let must_ask = given.is_none() && !args.no_passphrase;
    if must_ask && !session.can_ask() {
        return Err(session.nobody_to_ask(
            "no passphrase was given, and there is no terminal to ask on",
            "use `--passphrase-file FILE`, `--passphrase-stdin`, or `--no-passphrase`; in a CI job set TOKCTL_IDENTITY",
        ));
    }
    let mut client = connect.open()?;
    let passphrase = match must_ask {
        true if !args.replace && !is_missing(&mut client)? => {
            return Err(Failure::new(Kind::VaultExists, "there is a vault already")
                .hint("`tokctl init --replace` moves it aside; `tokctl add NAME` adds to it")
                .into());
        }
        true => Some(new_passphrase(session, "passphrase for the new vault")?),
        false => given,
    };
    make(&mut client, passphrase.as_ref(), args.replace, session)
}

/// Whether there is no vault yet.
pub(crate) fn is_missing(client: &mut Client) -> Result<bool, Stop> {
    match client.request(&Request::AgentStatus(AgentStatus {}), &mut ())? {
        Done::Agent(agent) => Ok(agent.state == "none"),
        _ => Err(tokctl_client::Error::Unexpected.into()),
    }
}

/// Asks for a passphrase until it is typed twice alike.
pub(crate) fn new_passphrase(session: &Session, prompt: &str) -> Result<Secret, Stop> {
    for _ in 0..TRIES {
        let first = session.ask(prompt, true)?;
        if first.is_empty() {
            session.output.warn("an empty passphrase protects nothing; type one");
            continue;
        }
        let second = session.ask("once more", true)?;
        if first.expose() == second.expose() {
            return Ok(first);
        }
        session.output.warn("the two differ");
    }
    Err(Stop::usage(format!("no passphrase after {TRIES} attempts")))
}

/// Makes the vault and says what was taken over from this shell.
pub(crate) fn make(
    client: &mut Client,
    passphrase: Option<&Secret>,
    replace: bool,
    session: &Session,
) -> Result<(), Stop> {
    if passphrase.is_none() {
        session.output.warn(
            "without a passphrase the vault's key lies unencrypted beside it: \
             whoever can read the files has your secrets",
        );
    }
    let taken = network(&|name| std::env::var(name).ok());
    for variable in &taken.left_out {
        session.output.warn(&format!(
            "{variable} holds a password and is not taken over: the configuration keeps no secrets"
        ));
    }
    let passphrase = passphrase.map(SecretStr::from);
    session.tell(client, &Request::Init(Init { passphrase, replace, network: taken.settings }))?;
    for variable in &taken.variables {
        session.output.talk(&format!("{variable} is in the configuration now"));
    }
    Ok(())
}

/// What the environment says about the network.
#[derive(Debug, Default)]
struct Network {
    settings: Vec<Assignment<'static>>,
    /// Where they come from.
    variables: Vec<&'static str>,
    /// What has a password in it.
    left_out: Vec<&'static str>,
}

fn network(variable: &dyn Fn(&str) -> Option<String>) -> Network {
    let mut taken = Network::default();
    for (key, names) in [
        ("proxy", &["HTTPS_PROXY", "https_proxy"][..]),
        ("no_proxy", &["NO_PROXY", "no_proxy"]),
        ("ca_file", &["SSL_CERT_FILE"]),
    ] {
        let found = names.iter().find_map(|&name| {
            let value = variable(name).filter(|value| !value.trim().is_empty())?;
            Some((name, value))
        });
        let Some((name, value)) = found else { continue };
        if key == "proxy" && value.contains('@') {
            taken.left_out.push(name);
            continue;
        }
        taken.variables.push(name);
        let values = match key {
            "no_proxy" => value.split(',').map(str::trim).filter(|host| !host.is_empty()).collect(),
            _ => vec![value.trim()],
        };
        let values = values.into_iter().map(|value| match key {
            "ca_file" => Cow::Owned(absolute(value)),
            _ => Cow::Owned(value.to_owned()),
        });
        taken.settings.push(Assignment { key: key.into(), values: values.collect() });
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_of_this_shell_is_taken_over_without_passwords() {
        let taken = network(&|name| {
            let value = match name {
                "https_proxy" => "http://proxy.example:3128",
                "HTTPS_PROXY" => "",
                "NO_PROXY" => "localhost, .example,",
                "SSL_CERT_FILE" => "/etc/ca.pem",
                _ => return None,
            };
            Some(value.to_owned())
        });
        let settings: Vec<_> = taken
            .settings
            .iter()
            .map(|setting| format!("{}={}", setting.key, setting.values.join("|")))
            .collect();
        assert_eq!(
            settings,
            [
                "proxy=http://proxy.example:3128",
                "no_proxy=localhost|.example",
                "ca_file=/etc/ca.pem"
            ]
        );

        let with_password = network(&|name| {
            (name == "HTTPS_PROXY").then(|| "http://ada:hunter2@proxy.example:3128".to_owned())
        });
        assert!(with_password.settings.is_empty());
        assert_eq!(with_password.left_out, ["HTTPS_PROXY"]);
    }
}
