//! Asking GitHub for an installation's token.

use tokctl_core::Trouble;

use super::{Answer, Asking, unique};
use crate::clock;
use crate::config::GithubApp;
use crate::oauth::grant::{Held, github_app, refused};
use crate::vault::Entry;

pub(super) async fn ask(asking: Asking, app: &GithubApp) -> Result<Answer, Trouble> {
    let endpoint = github_app::endpoint(app);
    let entry = asking.entry_for(std::slice::from_ref(&endpoint)).await?;
    let sent = entry.as_ref().map(Entry::secrets_to_send).unwrap_or_default();
    let secrets = entry.map(|entry| entry.secrets).unwrap_or_default();
    let now = clock::now().wall;
    let held = Held { secrets: &secrets, subject: None, now, unique: unique()? };
    let request = github_app::request(app, &asking.key, held).map_err(refused)?;
    drop(secrets);
    let reply = asking.send(request).await?;
    Ok(asking.answered(endpoint, reply, sent))
}
