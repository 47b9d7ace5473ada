//! `tokctl set-secret`: stores a secret of a profile.

use tokctl_client::proto::request::{SetSecret, SetSecret2};
use tokctl_client::proto::secret::SecretStr;
use tokctl_client::{ProfileName, Request, Secret};

use crate::exit::Stop;
use crate::expires::Expires;
use crate::secret_input::{ClientSecret, Key, RefreshToken, SecretInput};
use crate::session::Session;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
A client secret that is about to end is replaced without a gap: store its successor with --next. It is tried \
when the provider refuses the present one, and takes its place when it works.

Examples:
  tokctl set-secret acme --secret-file secret
  tokctl set-secret acme --next --secret-file new --expires 2027-01-31
  tokctl set-secret acme --refresh-token-stdin --expires 90d
  tokctl set-secret acme --name password --secret-stdin")]
pub(crate) struct SetSecretArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// Which of the profile's secrets [default: what its grant needs: `client_secret`, `refresh_token` or `key`]
    #[arg(long)]
    name: Option<String>,
    /// Store it beside the present client secret, for when that is refused
    #[arg(long, conflicts_with_all = ["key", "refresh-token"])]
    next: bool,
    /// When it ends: a date (its beginning in UTC), a time, or a duration from now
    #[arg(long, value_name = "WHEN", value_parser = Expires::parse)]
    expires: Option<Expires>,
    #[command(flatten)]
    secret: SecretInput<ClientSecret>,
    #[command(flatten)]
    refresh_token: SecretInput<RefreshToken>,
    #[command(flatten)]
    key: SecretInput<Key>,
}

pub(crate) fn run(args: &SetSecretArgs, session: &Session) -> Result<(), Stop> {
    let given = [args.secret.is_given(), args.refresh_token.is_given(), args.key.is_given()];
    if given.iter().filter(|&&is_given| is_given).count() > 1 {
        return Err(Stop::usage("give one of the secret, the refresh token and the key"));
    }
    let own = match given {
        [_, true, _] => Some("refresh_token"),
        [_, _, true] => Some("key"),
        // Only client secrets overlap, whatever else the grant needs.
        _ if args.next => Some("client_secret"),
        _ => None,
    };
    let name = args.name.as_deref().or(own);
    let expires_at = args.expires.map(Expires::unix_s).transpose()?;
    let value = value(args, name, session)?;
    let profile = args.profile.as_str().into();
    let (name, value) = (name.map(Into::into), SecretStr::from(&value));
    let interactive = session.can_ask();
    let request = match args.next || expires_at.is_some() {
        true => Request::SetSecret2(SetSecret2 {
            profile,
            name,
            value,
            next: args.next,
            expires_at,
            interactive,
        }),
        false => Request::SetSecret(SetSecret { profile, name, value, interactive }),
    };
    session.tell(&mut session.client()?, &request)
}

fn value(args: &SetSecretArgs, name: Option<&str>, session: &Session) -> Result<Secret, Stop> {
    let inputs =
        [args.secret.read(session)?, args.refresh_token.read(session)?, args.key.read(session)?];
    let value = match inputs.into_iter().flatten().next() {
        Some(value) => value,
        None if session.can_ask() => {
            let next = if args.next { "next " } else { "" };
            let what = name.unwrap_or("secret").replace('_', " ");
            session.ask(&format!("{next}{what} of {}", args.profile), true)?
        }
        None => {
            return Err(session.nobody_to_ask(
                "no secret was given, and there is no terminal to ask on",
                "use `--secret-file FILE`, `--secret-stdin`, `--secret-fd N` or `--secret-env NAME`",
            ));
        }
    };
    match value.is_empty() {
        true => Err(Stop::usage("the secret is empty")),
        false => Ok(value),
    }
}
