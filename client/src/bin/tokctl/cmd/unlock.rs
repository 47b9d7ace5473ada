//! `tokctl unlock`: opens the vault, by its passphrase or by its identity. On a terminal the agent asks, since it
//! knows what this vault needs.

use tokctl_client::proto::request::Unlock;
use tokctl_client::proto::secret::SecretStr;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{Request, Secret};

use crate::exit::Stop;
use crate::secret_input::{Identity, Passphrase, SecretInput};
use crate::session::Session;

#[derive(clap::Args, Debug)]
pub(crate) struct UnlockArgs {
    #[command(flatten)]
    passphrase: SecretInput<Passphrase>,
    #[command(flatten)]
    identity: SecretInput<Identity>,
}

pub(crate) fn run(args: &UnlockArgs, session: &Session) -> Result<(), Stop> {
    let given = key_of(&args.passphrase, &args.identity, session)?;
    let connect = session.connect()?;
    let passphrase = given.or_else(|| connect.identity().cloned());
    let request = Request::Unlock(Unlock {
        passphrase: passphrase.as_ref().map(SecretStr::from),
        interactive: passphrase.is_none() && session.can_ask(),
    });
    session.tell(&mut connect.open()?, &request)
}

/// What was given to open a vault with: a passphrase, or the identity itself.
pub(crate) fn key_of(
    passphrase: &SecretInput<Passphrase>,
    identity: &SecretInput<Identity>,
    session: &Session,
) -> Result<Option<Secret>, Stop> {
    if passphrase.is_given() && identity.is_given() {
        return Err(Stop::usage("give a passphrase or an identity, not both"));
    }
    match identity.read(session)? {
        Some(identity) if !looks_like_one(&identity) => Err(Failure::new(
            Kind::Usage,
            "what was given as the identity has no line that begins with AGE-SECRET-KEY-1",
        )
        .hint("`age-keygen` makes one")
        .into()),
        Some(identity) => Ok(Some(identity)),
        None => passphrase.read(session),
    }
}

/// The agent tells an identity from a passphrase by this.
fn looks_like_one(text: &Secret) -> bool {
    text.expose().lines().any(|line| line.trim_start().starts_with("AGE-SECRET-KEY-1"))
}
