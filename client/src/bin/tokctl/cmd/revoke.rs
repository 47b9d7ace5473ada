//! `tokctl revoke`: revokes one access token at its provider and forgets it, after asking.

use tokctl_client::proto::request::Revoke;
use tokctl_client::{ProfileName, Request};

use crate::cmd::consent::{self, Deed};
use crate::exit::Stop;
use crate::session::Session;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Whoever uses the token is refused from then on. The refresh token stays where there is one, and the next `get` has \
another access token, unless the provider ends both together (RFC 7009 lets it): then a login is needed. \
`tokctl logout` ends all. A provider that cannot be reached is told later.

Examples:
  tokctl revoke acme
  tokctl revoke acme --scope read --yes")]
pub(crate) struct RevokeArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// The token for these scopes; repeat it or separate them by spaces
    #[arg(long)]
    scope: Vec<String>,
    /// The token for this audience
    #[arg(long)]
    audience: Vec<String>,
    /// The token for this resource
    #[arg(long)]
    resource: Vec<String>,
}

pub(crate) fn run(args: &RevokeArgs, session: &Session) -> Result<(), Stop> {
    let RevokeArgs { profile, scope, audience, resource } = args;
    let deed = Deed {
        does: format!("revoking the token of {profile} ends it for everybody who uses it"),
        command: format!("tokctl revoke {profile}"),
        question: format!(
            "revoke the access token of {profile} at its provider? Whoever uses it is refused"
        ),
    };
    let mut client = consent::to(session, profile, &deed)?;
    let list = |values: &'_ [String]| values.iter().map(|value| value.clone().into()).collect();
    let request = Request::Revoke(Revoke {
        profile: profile.as_str().into(),
        scope: list(scope),
        audience: list(audience),
        resource: list(resource),
        interactive: session.can_ask(),
    });
    session.tell(&mut client, &request)
}
