//! The one or two requests of a login that is not OAuth.

use tokctl_core::Trouble;
use tokctl_proto::Secret;
use url::Url;

use super::{Answer, Asking};
use crate::clock;
use crate::config::Steps;
use crate::oauth::HttpReply;
use crate::oauth::grant::refused;
use crate::oauth::grant::steps::{self, Filling};
use crate::oauth::reply::{self, Asked, Purpose};
use crate::vault::Entry;

pub(super) async fn ask(asking: Asking, login: &Steps) -> Result<Answer, Trouble> {
    let places: Vec<Url> = login.steps.iter().filter_map(steps::place).collect();
    let entry = asking.entry_for(&places).await?;
    let sent = entry.as_ref().map(Entry::secrets_to_send).unwrap_or_default();
    let secrets = entry.map(|entry| entry.secrets).unwrap_or_default();
    let profile = &asking.profile.name;
    let mut first = None;
    let mut last = None;
    for step in &login.steps {
        if let Some(reply) = &last {
            if let Some(trouble) = refusal(&asking, reply, &sent) {
                return Err(trouble);
            }
            first = Some(steps::first_reply(profile, &reply.1)?);
        }
        let filling = Filling { profile, secrets: &secrets, first: first.as_ref() };
        let request = steps::request(step, &filling).map_err(refused)?;
        let place = request.url.clone();
        last = Some((place, asking.send(request).await?));
    }
    drop(secrets);
    let (place, reply) = last.expect("a checked profile has a step");
    Ok(asking.answered(place, reply, sent))
}

/// Why a login goes no further, if its first request was refused.
fn refusal(asking: &Asking, (place, reply): &(Url, HttpReply), sent: &[Secret]) -> Option<Trouble> {
    let (key, grant) = (&asking.key, &asking.profile.grant);
    let purpose = Purpose::Other("first step");
    let asked = Asked { key, grant, endpoint: place, sent, purpose };
    reply::refused(clock::now().wall, &asked, reply)
}
