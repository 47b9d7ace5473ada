//! Signing a token here: nobody is asked.

use tokctl_core::Trouble;

use super::{Answer, Asking, unique};
use crate::clock;
use crate::config::Jwt;
use crate::oauth::grant::{Held, refused, self_signed_jwt};

pub(super) async fn sign(asking: Asking, settings: &Jwt) -> Result<Answer, Trouble> {
    let secrets = asking.entry().await?.map(|entry| entry.secrets).unwrap_or_default();
    let now = clock::now().wall;
    let held = Held { secrets: &secrets, subject: None, now, unique: unique()? };
    let reply = self_signed_jwt::reply(settings, &asking.key, held).map_err(refused)?;
    Ok(asking.answered_here(&reply, Vec::new()))
}
