//! What a client is asked for of its environment: the agent's own is not the job's.

use tokctl_core::{Event, RequestId};
use tokctl_proto::{Failure, ProfileName, Secret};

use super::Performer;
use crate::config::{Profile, Subject};
use crate::oauth::subject;
use crate::shell::live::Live;

impl Performer {
    /// Puts the question. What is known at once is returned as an event.
    pub(super) fn ask_subject(
        &mut self,
        request: RequestId,
        profile: ProfileName,
        live: &Live,
    ) -> Option<Event> {
        let pending = self.requests.get_mut(&request)?;
        let settings = live.config.profiles.get(&profile);
        let whose = settings.and_then(|profile| profile.grant.subject());
        let source = match whose {
            Some(Subject::Env(name)) => format!("env:{name}"),
            Some(Subject::Gitlab) => "gitlab".to_owned(),
            Some(Subject::GithubActions) => "github-actions".to_owned(),
            Some(Subject::File(_) | Subject::Profile(_)) | None => {
                let subject = Err(subject::required(&profile, whose));
                return Some(Event::Subject { request, subject });
            }
        };
        pending.reply.ask_subject(profile.as_str(), &source);
        pending.subjects.extend(settings.cloned());
        None
    }

    /// What a client answers belongs to the question that it was asked first.
    pub(in crate::shell) fn heard(&mut self, event: Event) -> Event {
        let Event::Passphrase { request, passphrase: text } = event else { return event };
        let pending = self.requests.get_mut(&request);
        match pending.and_then(|pending| pending.subjects.pop_front()) {
            Some(profile) => Event::Subject { request, subject: brought(&profile, text) },
            None => Event::Passphrase { request, passphrase: text },
        }
    }
}

/// What the client has brought, if it can be that. If it cannot, nobody else is to wait for what comes of it.
fn brought(profile: &Profile, text: Secret) -> Result<Secret, Failure> {
    let (name, grant) = (&profile.name, &profile.grant);
    match grant.subject() {
        Some(Subject::GithubActions) => {
            let allowed = grant.network().is_some_and(|it| it.allow_http_loopback);
            subject::github_actions(name, &text, grant.subject_audience(), allowed).map(|_| text)
        }
        whose => subject::read(text.expose()).ok_or_else(|| subject::required(name, whose)),
    }
}
