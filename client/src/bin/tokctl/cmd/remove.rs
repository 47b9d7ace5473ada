//! `tokctl remove`: removes a profile with its secrets and tokens, after asking.

use tokctl_client::proto::request::{Remove, Show};
use tokctl_client::{Error, Request};

use crate::args::ProfileArgs;
use crate::exit::Stop;
use crate::session::Session;

pub(crate) fn run(args: &ProfileArgs, session: &Session) -> Result<(), Stop> {
    let profile = &args.profile;
    if !session.yes && !session.can_ask() {
        return Err(session.nobody_to_ask(
            &format!("removing {profile} deletes its secrets, and there is no terminal to ask on"),
            &format!("run `tokctl remove {profile} --yes`"),
        ));
    }
    let mut client = session.client()?;
    if !session.yes {
        // There is nothing to agree to where there is nothing.
        let request = Request::Show(Show { profile: profile.as_str().into() });
        client.request(&request, &mut session.conversation())?;
    }
    if !session.confirm(&format!("remove {profile} with its secrets and tokens?"), false)? {
        return Err(Error::Cancelled.into());
    }
    let request = Request::Remove(Remove {
        profile: profile.as_str().into(),
        interactive: session.can_ask(),
    });
    session.tell(&mut client, &request)
}
