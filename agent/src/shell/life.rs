//! The life of an agent that belongs to a job: how long it is, and what it will not keep.
//!
//! Such an agent ends with its job, and what is in its memory and not on a disk that outlives the job
//! ends with it. So it takes no grant whose refresh token is replaced at each use: the successor would
//! be lost, and the next job would present a spent one, which its provider takes for theft.

use std::time::Duration;

use tokctl_core::Rotation;
use tokctl_proto::{BootMs, Failure, Kind, Now, WallMs};

use crate::config::Profile;

/// When it ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// By the clock that runs on through a suspend.
    pub ends_at: BootMs,
    /// For people.
    ends_at_wall: WallMs,
}

impl Life {
    /// Begins now.
    pub fn new(now: Now, longest: Duration) -> Self {
        Self { ends_at: now.boot.plus(longest), ends_at_wall: now.wall.plus(longest) }
    }

    /// What `agent status` says of it.
    pub fn told(&self, now: Now) -> String {
        let left = self.ends_at.since(now.boot);
        format!(
            "this agent is ephemeral: it ends in {} (Unix time {}) or with `tokctl agent stop`, and \
             takes no grants that hold a refresh token",
            tokctl_proto::time::Spoken(left),
            self.ends_at_wall.unix_s()
        )
    }
}

/// Refuses a profile that an ephemeral agent cannot keep.
pub(super) fn check(profile: &Profile) -> Result<(), Failure> {
    let is_rotated = profile.policy.rotation != Rotation::None;
    if !(profile.grant.has_refresh_token() && is_rotated) {
        return Ok(());
    }
    let message = format!(
        "an ephemeral agent takes no `grant = \"{}\"`: the refresh token that replaces the stored one would be \
         lost with this job, and the next job would present a spent one",
        profile.grant.name()
    );
    let hint = "use `grant = \"token_exchange\"`, which stores no secret; `rotation = \"none\"` is for a provider that \
                never replaces a refresh token";
    Err(Failure::new(Kind::ConfigInvalid, message).of(&profile.name).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn refused(settings: &str) -> bool {
        let text = format!("[profiles.acme]\n{settings}\n");
        let config = config::parse(&text).unwrap();
        check(config.profiles.values().next().unwrap()).is_err()
    }

    #[test]
    fn a_refresh_token_that_may_be_replaced_is_refused() {
        const AT: &str = "token_endpoint = \"https://as.example/t\"\nclient_id = \"cc\"\n";
        const LOGIN: &str = "authorization_endpoint = \"https://as.example/a\"\n";
        const DEVICE: &str = "device_authorization_endpoint = \"https://as.example/d\"\n";
        for (settings, expected) in [
            (format!("grant = \"refresh_token\"\n{AT}"), true),
            (format!("grant = \"refresh_token\"\n{AT}rotation = \"strict\""), true),
            (format!("grant = \"refresh_token\"\n{AT}rotation = \"grace\""), true),
            (format!("grant = \"refresh_token\"\n{AT}rotation = \"none\""), false),
            (format!("grant = \"authorization_code\"\n{AT}{LOGIN}"), true),
            (format!("grant = \"device_code\"\n{AT}{DEVICE}"), true),
            (format!("grant = \"client_credentials\"\n{AT}"), false),
            (format!("grant = \"token_exchange\"\n{AT}subject = \"env:T\""), false),
            ("grant = \"api_key\"".to_owned(), false),
        ] {
            assert_eq!(refused(&settings), expected, "{settings}");
        }
    }

    #[test]
    fn its_end_is_told() {
        let now = Now { wall: WallMs::from_unix_s(1000), boot: BootMs(5) };
        let life = Life::new(now, Duration::from_secs(3600));
        assert_eq!(life.ends_at, BootMs(3_600_005));
        let told = life.told(now);
        assert!(told.contains("ephemeral") && told.contains("Unix time 4600"), "{told}");
    }
}
