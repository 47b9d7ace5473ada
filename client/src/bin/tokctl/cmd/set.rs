//! `tokctl set`: changes settings of a profile.

use tokctl_client::Request;
use tokctl_client::proto::request::Set;

use crate::args::SetArgs;
use crate::exit::Stop;
use crate::session::Session;
use crate::settings::Assignments;

pub(crate) fn run(args: SetArgs, session: &Session) -> Result<(), Stop> {
    let mut assignments = Assignments::default();
    for (key, value) in &args.pairs {
        assignments.put(key, value);
    }
    let request = Request::Set(Set {
        profile: args.profile.as_str().into(),
        assignments: assignments.into_inner(),
    });
    session.tell(&mut session.client()?, &request)
}
