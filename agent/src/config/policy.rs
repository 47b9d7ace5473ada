//! The keys that decide when a token is renewed.
//!
//! That two of them contradict each other is no error: of `refresh_ahead` and `refresh_ahead_max` the
//! later time holds, and `keep_idle` waits for `keep = "used"`.

use tokctl_core::{Ahead, Keep, Policy, Rotation};
use tokctl_proto::time::parse_duration;

use super::error::{Broken, ConfigError};
use super::section::Section;

/// A token that is renewed with nine tenths of its life ahead is renewed all the time.
const PERCENT_MAX: u8 = 90;

pub(super) fn policy(section: &Section<'_>) -> Result<Policy, ConfigError> {
    let word = |name: &str| section.text(name).map(|spot| spot.text);
    Ok(Policy {
        refresh_ahead: section.checked("refresh_ahead", ahead)?,
        refresh_ahead_max: section.duration("refresh_ahead_max"),
        keep: match word("keep") {
            Some("always") => Keep::Always,
            Some("on_demand") => Keep::OnDemand,
            _ => Keep::Used,
        },
        keep_idle: section.duration("keep_idle"),
        refresh_token_idle: section.duration("refresh_token_idle"),
        rotation: match word("rotation") {
            Some("grace") => Rotation::Grace,
            Some("none") => Rotation::None,
            _ => Rotation::Strict,
        },
    })
}

/// `20%` or `5m`.
fn ahead(text: &str) -> Result<Ahead, Broken> {
    let broken = || {
        Broken::new(format!("must be a share from 1% to {PERCENT_MAX}%, or a duration"))
            .hint("as in `20%` or `5m`")
    };
    match text.strip_suffix('%') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let percent = digits.parse().ok().filter(|percent| (1..=PERCENT_MAX).contains(percent));
            percent.map(Ahead::Percent).ok_or_else(broken)
        }
        Some(_) => Err(broken()),
        None => match parse_duration(text) {
            Ok(duration) if !duration.is_zero() => Ok(Ahead::Time(duration)),
            _ => Err(broken()),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ahead_is_a_share_or_a_time() {
        let time = |seconds| Some(Ahead::Time(Duration::from_secs(seconds)));
        for (text, read) in [
            ("1%", Some(Ahead::Percent(1))),
            ("20%", Some(Ahead::Percent(20))),
            ("90%", Some(Ahead::Percent(90))),
            ("0%", None),
            ("91%", None),
            ("256%", None),
            ("%", None),
            ("+1%", None),
            ("-1%", None),
            ("1.5%", None),
            ("20 %", None),
            ("5m", time(300)),
            ("90", time(90)),
            ("1s", time(1)),
            ("0", None),
            ("0m", None),
            ("-1m", None),
            ("soon", None),
            ("3651d", None),
        ] {
            assert_eq!(ahead(text).ok(), read, "{text}");
        }
    }
}
