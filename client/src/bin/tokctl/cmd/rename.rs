//! `tokctl rename`: gives a profile another name; its secrets and tokens come along.

use tokctl_client::Request;
use tokctl_client::proto::request::Rename;

use crate::args::RenameArgs;
use crate::exit::Stop;
use crate::session::Session;

pub(crate) fn run(args: &RenameArgs, session: &Session) -> Result<(), Stop> {
    if args.from == args.to {
        return Err(Stop::usage(format!("{} has that name already", args.from)));
    }
    let request = Request::Rename(Rename {
        from: args.from.as_str().into(),
        to: args.to.as_str().into(),
        interactive: session.can_ask(),
    });
    session.tell(&mut session.client()?, &request)
}
