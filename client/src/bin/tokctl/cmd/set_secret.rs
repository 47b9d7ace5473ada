//! `tokctl set-secret`: stores a secret of a profile.

use tokctl_client::proto::request::SetSecret;
use tokctl_client::proto::secret::SecretStr;
use tokctl_client::{ProfileName, Request};

use crate::exit::Stop;
use crate::secret_input::{ClientSecret, Key, SecretInput};
use crate::session::Session;

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  tokctl set-secret acme --secret-file secret\n  \
    tokctl set-secret acme --name password --secret-stdin")]
pub(crate) struct SetSecretArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// Which of the profile's secrets, for one that config.toml names [default: the client secret or the key]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    secret: SecretInput<ClientSecret>,
    #[command(flatten)]
    key: SecretInput<Key>,
}

pub(crate) fn run(args: &SetSecretArgs, session: &Session) -> Result<(), Stop> {
    if args.secret.is_given() && args.key.is_given() {
        return Err(Stop::usage("give the secret or the key, not both"));
    }
    let name = match args.key.is_given() {
        true => args.name.as_deref().or(Some("key")),
        false => args.name.as_deref(),
    };
    let value = match (args.secret.read(session)?, args.key.read(session)?) {
        (Some(value), _) | (None, Some(value)) => value,
        (None, None) if session.can_ask() => {
            let what = args.name.as_deref().unwrap_or("secret");
            session.ask(&format!("{what} of {}", args.profile), true)?
        }
        (None, None) => {
            return Err(session.nobody_to_ask(
                "no secret was given, and there is no terminal to ask on",
                "use `--secret-file FILE`, `--secret-stdin`, `--secret-fd N` or `--secret-env NAME`",
            ));
        }
    };
    if value.is_empty() {
        return Err(Stop::usage("the secret is empty"));
    }
    let request = Request::SetSecret(SetSecret {
        profile: args.profile.as_str().into(),
        name: name.map(Into::into),
        value: SecretStr::from(&value),
        interactive: session.can_ask(),
    });
    session.tell(&mut session.client()?, &request)
}
