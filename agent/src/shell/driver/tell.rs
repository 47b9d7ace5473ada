//! What happens goes to those who watch, to the programs of `[agent.hooks]`, and to the person at this desktop.

use std::collections::BTreeSet;

use tokctl_core::Happening;
use tokctl_proto::{Kind, Now, ProfileName, WallMs};

use super::Driver;
use crate::shell::hooks::Errand;
use crate::shell::program;

/// Shows a notice (freedesktop.org's Desktop Notifications, by libnotify's program).
const NOTIFIER: &str = "notify-send";
const NOTICE: &str = "notice";

/// Profiles whose person was told that a login is needed, until there is a token again.
pub(super) type Noticed = BTreeSet<ProfileName>;

impl Driver {
    pub(super) fn tell(&mut self, now: Now, happening: &Happening) {
        self.watchers.tell(now.wall, happening, &self.live);
        // What is begun while the agent goes down would be killed with it.
        if self.leave_by.is_some() {
            return;
        }
        if let Some(command) = self.live.config.notify.hooks.get(happening.name()) {
            let errand = Errand { command: command.clone(), facts: facts(now.wall, happening) };
            self.run_hook(happening.name(), errand);
        }
        self.notice(happening);
    }

    /// Shows once what only a person can mend.
    fn notice(&mut self, happening: &Happening) {
        let (profile, failure) = match happening {
            Happening::LoginNeeded { profile, failure } => (profile, failure),
            Happening::Renewed { key, .. } => {
                self.noticed.remove(&key.profile);
                return;
            }
            Happening::Failed { .. } | Happening::Locked | Happening::Unlocked => return,
        };
        let is_wanted = self.facts.has_session_bus && !self.live.config.notify.is_silent;
        if !is_wanted || program::find(NOTIFIER).is_none() || !self.noticed.insert(profile.clone())
        {
            return;
        }
        let what = match failure.kind {
            Kind::SecretRequired => "a secret",
            Kind::SubjectRequired => "a subject token",
            _ => "a login",
        };
        let lines = std::iter::once(&failure.message).chain(&failure.hint);
        let body: Vec<String> = lines.map(|line| without_markup(line)).collect();
        let command = [
            NOTIFIER.to_owned(),
            "--app-name=tokctl".to_owned(),
            "--icon=dialog-password".to_owned(),
            // What follows is no option, whatever a provider said.
            "--".to_owned(),
            format!("{profile} needs {what}"),
            body.join("\n"),
        ];
        self.run_hook(NOTICE, Errand { command: command.to_vec(), facts: Vec::new() });
    }

    fn run_hook(&mut self, kind: &'static str, errand: Errand) {
        if let Some(errand) = self.hooks.take(kind, errand) {
            self.performer.run_hook(kind, errand);
        }
    }

    pub(super) fn hook_ended(&mut self, kind: &'static str) {
        if let Some(errand) = self.hooks.ended(kind) {
            self.performer.run_hook(kind, errand);
        }
    }
}

/// What a hook is told.
fn facts(now: WallMs, happening: &Happening) -> Vec<(&'static str, String)> {
    let key = match happening {
        Happening::Renewed { key, .. } | Happening::Failed { key, .. } => Some(key),
        Happening::LoginNeeded { .. } | Happening::Locked | Happening::Unlocked => None,
    };
    let expires_at = match happening {
        Happening::Renewed { expires_at, .. } => expires_at.map(|end| end.unix_s().to_string()),
        _ => None,
    };
    let scope = key.filter(|key| !key.scope.is_empty());
    let scope = scope.map(|key| key.scope.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
    let failure = happening.failure();
    [
        ("TOKCTL_EVENT", Some(happening.name().to_owned())),
        ("TOKCTL_AT", Some(now.unix_s().to_string())),
        ("TOKCTL_PROFILE", happening.profile().map(ToString::to_string)),
        ("TOKCTL_SCOPE", scope),
        ("TOKCTL_EXPIRES_AT", expires_at),
        ("TOKCTL_KIND", failure.map(|failure| failure.kind.name().to_owned())),
        ("TOKCTL_MESSAGE", failure.map(|failure| failure.message.clone())),
        ("TOKCTL_HINT", failure.and_then(|failure| failure.hint.clone())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// The body of a notice may hold markup, and what a provider says shall hold none.
fn without_markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokctl_proto::{Failure, TokenKey};

    use super::*;

    #[test]
    fn a_hook_is_told_what_a_watcher_is_and_nothing_that_is_not_there() {
        let mut key = TokenKey::plain(ProfileName::parse("acme").unwrap());
        key.scope = ["read".to_owned(), "write".to_owned()].into();
        let key = Arc::new(key);
        let expires_at = Some(WallMs::from_unix_s(1_800_003_600));
        let now = WallMs::from_unix_s(1_800_000_000);
        let told = |happening| -> Vec<String> {
            let facts = facts(now, &happening);
            facts.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        assert_eq!(
            told(Happening::Renewed { key: Arc::clone(&key), expires_at }),
            [
                "TOKCTL_EVENT=renewed",
                "TOKCTL_AT=1800000000",
                "TOKCTL_PROFILE=acme",
                "TOKCTL_SCOPE=read write",
                "TOKCTL_EXPIRES_AT=1800003600"
            ]
        );
        let failure = Failure::new(Kind::LoginRequired, "revoked").hint("run `tokctl login acme`");
        assert_eq!(
            told(Happening::LoginNeeded { profile: key.profile.clone(), failure }),
            [
                "TOKCTL_EVENT=login_needed",
                "TOKCTL_AT=1800000000",
                "TOKCTL_PROFILE=acme",
                "TOKCTL_KIND=login_required",
                "TOKCTL_MESSAGE=revoked",
                "TOKCTL_HINT=run `tokctl login acme`"
            ]
        );
        assert_eq!(told(Happening::Locked), ["TOKCTL_EVENT=locked", "TOKCTL_AT=1800000000"]);
    }

    #[test]
    fn a_notice_holds_no_markup() {
        assert_eq!(without_markup("<b>&amp;</b>"), "&lt;b&gt;&amp;amp;&lt;/b&gt;");
    }
}
