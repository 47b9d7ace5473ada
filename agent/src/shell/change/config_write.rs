//! What `edit` ends with: the whole text of config.toml, if nobody else changed it meanwhile.

use tokctl_proto::Failure;

use super::Changed;
use crate::config::{self, Fingerprint};
use crate::shell::worker::{Refused, Worker};

pub(super) fn config_write(
    worker: &mut Worker,
    text: &str,
    fingerprint: &str,
) -> Result<Changed, Refused> {
    config::parse(text).map_err(Failure::from)?;
    let expected = Fingerprint::claimed(fingerprint);
    worker.config.replace(&expected, text).map_err(Failure::from)?;
    let live = worker.read_config()?;
    Ok(Changed { live: Some(live), ..Changed::said("the configuration is in use") })
}
