//! `tokctl passwd`: puts the vault under another passphrase, or under none.

use tokctl_client::Request;
use tokctl_client::proto::request::Passwd;
use tokctl_client::proto::secret::SecretStr;

use crate::cmd::init::new_passphrase;
use crate::cmd::unlock::key_of;
use crate::exit::Stop;
use crate::secret_input::{Identity, NewPassphrase, Passphrase, SecretInput};
use crate::session::Session;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
On a terminal both passphrases are asked for. In a script:

  tokctl passwd --passphrase-file old --new-passphrase-file new")]
pub(crate) struct PasswdArgs {
    #[command(flatten)]
    passphrase: SecretInput<Passphrase>,
    #[command(flatten)]
    identity: SecretInput<Identity>,
    #[command(flatten)]
    new_passphrase: SecretInput<NewPassphrase>,
    /// Store the vault's key unencrypted from now on
    #[arg(long, conflicts_with = "new-passphrase")]
    no_passphrase: bool,
}

pub(crate) fn run(args: &PasswdArgs, session: &Session) -> Result<(), Stop> {
    let present = key_of(&args.passphrase, &args.identity, session)?;
    let new = args.new_passphrase.read(session)?;
    let connect = session.connect()?;
    let present = present.or_else(|| connect.identity().cloned());
    let mut client = connect.open()?;
    // A bare identity has no passphrase to ask for.
    let is_bare = client.places().vault.join("identity.txt").exists();
    let present = match present {
        None if !is_bare && session.can_ask() => Some(session.ask("present passphrase", true)?),
        None if client.places().vault.join("identity.age").exists() => {
            return Err(session.nobody_to_ask(
                "the present passphrase was not given, and there is no terminal to ask on",
                "use `--passphrase-file FILE` or `--passphrase-stdin`",
            ));
        }
        present => present,
    };
    let new = match new {
        None if !args.no_passphrase && session.can_ask() => {
            Some(new_passphrase(session, "new passphrase")?)
        }
        None if !args.no_passphrase => {
            return Err(session.nobody_to_ask(
                "no new passphrase was given, and there is no terminal to ask on",
                "use `--new-passphrase-file FILE`, `--new-passphrase-stdin`, or `--no-passphrase`",
            ));
        }
        new => new,
    };
    if new.is_none() {
        session.output.warn(
            "without a passphrase the vault's key lies unencrypted beside it: \
             whoever can read the files has your secrets",
        );
    }
    let request = Request::Passwd(Passwd {
        passphrase: present.as_ref().map(SecretStr::from),
        new_passphrase: new.as_ref().map(SecretStr::from),
    });
    session.tell(&mut client, &request)
}
