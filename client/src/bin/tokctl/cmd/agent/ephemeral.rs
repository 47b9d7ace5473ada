//! `--ephemeral` and `--max-life`: an agent that belongs to a job.

use std::time::Duration;

use tokctl_client::proto::time::parse_duration;
use tokctl_client::{Connect, MAX_LIFE};

use crate::exit::Stop;
use crate::session::Session;
use crate::workspace;

#[derive(clap::Args, Debug)]
pub(crate) struct EphemeralArgs {
    /// Have the agent belong to this job: it takes no grants that hold a refresh token, and ends after
    /// 6 h at the latest; so does TOKCTL_EPHEMERAL=1
    #[arg(long)]
    ephemeral: bool,
    /// How long such an agent runs at the longest
    #[arg(long, value_name = "DURATION", value_parser = max_life)]
    max_life: Option<Duration>,
}

fn max_life(typed: &str) -> Result<Duration, String> {
    match parse_duration(typed) {
        Ok(Duration::ZERO) => Err("an agent of no life is of no use".to_owned()),
        Ok(longest) => Ok(longest),
        Err(error) => Err(error.to_string()),
    }
}

impl EphemeralArgs {
    /// How the agent is found, and how it is started where there is none. Says what is worth knowing of
    /// either.
    pub(crate) fn connect(&self, session: &Session) -> Result<Connect, Stop> {
        let connect = session.connect()?;
        if let Some(warning) = workspace::warning(connect.places().home.as_deref()) {
            session.output.warn(&warning);
        }
        let longest = self.max_life.or(self.ephemeral.then_some(MAX_LIFE));
        let Some(longest) = longest else { return Ok(connect) };
        if connect.clone().never_start().open().is_ok() {
            session.output.warn(
                "an agent runs already and stays what it is; `tokctl agent stop` makes room for an \
                 ephemeral one",
            );
        }
        Ok(connect.ephemeral(longest))
    }
}
