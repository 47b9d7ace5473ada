//! The one or two requests of a login that is not OAuth.

use tokctl_core::Trouble;
use url::Url;

use super::{Answer, Asking};
use crate::config::Steps;
use crate::oauth::grant::refused;
use crate::oauth::grant::steps::{self, Filling};
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
        if let Some((_, reply)) = &last {
            first = Some(steps::first_reply(profile, reply)?);
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
