//! `tokctl show`: a profile's settings, and which secrets it has. No secret is shown.

use serde::Serialize;
use tokctl_client::proto::request::Show;
use tokctl_client::proto::response::Done;
use tokctl_client::{Error, Request};

use crate::args::ProfileArgs;
use crate::exit::Stop;
use crate::output::safe;
use crate::session::Session;

#[derive(Serialize)]
struct Shown<'a> {
    profile: &'a str,
    toml: &'a str,
    secrets: &'a Option<Vec<String>>,
    origins: &'a Option<Vec<String>>,
}

pub(crate) fn run(args: &ProfileArgs, session: &Session) -> Result<(), Stop> {
    let mut client = session.client()?;
    let request = Request::Show(Show { profile: args.profile.as_str().into() });
    let Done::Profile(profile) = client.request(&request, &mut session.conversation())? else {
        return Err(Error::Unexpected.into());
    };
    if session.output.json {
        return session.output.json(&Shown {
            profile: &profile.profile,
            toml: &profile.toml,
            secrets: &profile.secrets,
            origins: &profile.origins,
        });
    }
    let name = safe(&profile.profile);
    let mut text = match profile.toml.is_empty() {
        true => format!(
            "# {name} is not in config.toml; `tokctl remove {name}` removes what is kept of it\n"
        ),
        false => format!("[profiles.{name}]\n"),
    };
    for line in profile.toml.lines() {
        text.push_str(&format!("{}\n", safe(line)));
    }
    text.push_str(&format!("# secrets: {}\n", names(profile.secrets.as_deref())));
    text.push_str(&format!("# sent only to: {}\n", names(profile.origins.as_deref())));
    session.output.data(text.as_bytes())
}

fn names(of: Option<&[String]>) -> String {
    match of {
        None => "unknown while the vault is locked".to_owned(),
        Some([]) => "none".to_owned(),
        Some(names) => safe(&names.join(", ")).into_owned(),
    }
}
