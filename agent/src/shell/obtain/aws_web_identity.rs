//! Asking AWS's STS for a role's credentials.

use std::collections::BTreeMap;

use tokctl_core::Trouble;

use super::{Answer, Asking, subject, unique};
use crate::clock;
use crate::config::AwsRole;
use crate::oauth::grant::{Held, aws_web_identity, refused};

pub(super) async fn ask(mut asking: Asking, role: &AwsRole) -> Result<Answer, Trouble> {
    let subject = subject::take(&mut asking).await?;
    let secrets = BTreeMap::new();
    let now = clock::now().wall;
    let held = Held { secrets: &secrets, subject: subject.as_ref(), now, unique: unique()? };
    let request = aws_web_identity::request(role, &asking.key, held).map_err(refused)?;
    let reply = asking.send(request).await?;
    Ok(asking.answered(role.endpoint.clone(), reply, subject.into_iter().collect()))
}
