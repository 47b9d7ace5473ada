//! `set`: settings of a profile. The vault is not touched; a secret does not follow to another
//! origin.

use tokctl_proto::ProfileName;

use super::{Assignment, Changed};
use crate::config;
use crate::shell::worker::{Refused, Worker};

pub(super) fn set(
    worker: &mut Worker,
    name: &ProfileName,
    assignments: &[Assignment],
) -> Result<Changed, Refused> {
    let live = worker.edit_config(Some(name), |text| config::set(text, name, assignments))?;
    Ok(Changed { live: Some(live), ..Changed::said(format!("changed {name}")) })
}
