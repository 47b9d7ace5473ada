//! `tokctl unlock`: opens the vault. On a terminal the agent asks, since it knows what this vault needs.

use tokctl_client::Request;
use tokctl_client::proto::request::Unlock;
use tokctl_client::proto::secret::SecretStr;

use crate::exit::Stop;
use crate::secret_input::{Passphrase, SecretInput};
use crate::session::Session;

#[derive(clap::Args, Debug)]
pub(crate) struct UnlockArgs {
    #[command(flatten)]
    passphrase: SecretInput<Passphrase>,
}

pub(crate) fn run(args: &UnlockArgs, session: &Session) -> Result<(), Stop> {
    let passphrase = args.passphrase.read(session)?;
    let request = Request::Unlock(Unlock {
        passphrase: passphrase.as_ref().map(SecretStr::from),
        interactive: passphrase.is_none() && session.can_ask(),
    });
    session.tell(&mut session.client()?, &request)
}
