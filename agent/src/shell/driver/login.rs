//! Logins at the driver: who is told what, who has left, and the turn at the entry.

use std::sync::Arc;

use tokctl_core::{Effect, Event, LoginState, Reply, RequestId, no_such_profile};
use tokctl_proto::{Failure, Kind, Now, ProfileName, Secret};
use tokio::sync::mpsc;
use tracing::info;

use super::{Driver, Task};
use crate::config::{Grant, Profile};
use crate::shell::change::Change;
use crate::shell::life;
use crate::shell::live::revision;
use crate::shell::login::{self, Begin, LoginId, News, Stage, Teller, Watcher, Wish};
use crate::shell::serve::stopping;

/// What a person is asked for at the end of a login by `paste`.
const PASTE_PROMPT: &str = "the address at which the browser ended";

impl Driver {
    /// Lets a login begin when the vault is open, if there is anything to log in to.
    pub(super) fn admit_login(
        &mut self,
        now: Now,
        request: RequestId,
        profile: &ProfileName,
        wish: Wish,
    ) {
        let is_ephemeral = self.facts.life.is_some();
        let Some(pending) = self.performer.requests.get_mut(&request) else { return };
        let refusal = match self.live.config.profiles.get(profile) {
            Some(profile) => nothing_to_log_in_to(profile)
                .or_else(|| life::check(profile).err().filter(|_| is_ephemeral)),
            None => {
                let known = self.live.config.profiles.keys().map(ProfileName::as_str);
                Some(no_such_profile(profile, known))
            }
        };
        let interactive = wish.interactive;
        match refusal {
            Some(failure) => self.fail_request(request, &failure),
            None => {
                pending.task = Some(Task::Login(Box::new(wish)));
                self.handle(now, Event::Admit { request, interactive, alone: None });
            }
        }
    }

    /// Takes what the core wants done for a login; anything else is given back.
    pub(super) fn unless_effect_of_login(&mut self, now: Now, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Admitted { request } => {
                if let Some(pending) = self.performer.requests.get_mut(&request)
                    && let Some(Task::Login(wish)) =
                        pending.task.take_if(|task| matches!(task, Task::Login(_)))
                {
                    self.begin_or_join(now, request, *wish);
                    return None;
                }
                let Some(profile) = self.logins.storing(request).cloned() else {
                    return Some(effect);
                };
                self.store_login(request, &profile);
                None
            }
            Effect::Reply { request, ref reply } => {
                let Some(profile) = self.logins.storing(request).cloned() else {
                    return Some(effect);
                };
                let result = match reply {
                    Reply::Said(said) => Ok(said.clone()),
                    Reply::Failed(failure) => Err(failure.clone()),
                    Reply::Token(_) => Err(crate::shell::worker::bug()),
                };
                self.end_login(now, &profile, &result);
                None
            }
            Effect::Seal => {
                let sealed = Failure::new(Kind::VaultSealed, "the vault was sealed meanwhile");
                self.end_waiting_logins(
                    now,
                    &sealed.hint("run `tokctl unlock`, then log in again"),
                );
                Some(effect)
            }
            other => Some(other),
        }
    }

    /// Takes what a client says that belongs to its login.
    pub(super) fn unless_of_login(&mut self, now: Now, event: Event) -> Option<Event> {
        match event {
            Event::Passphrase { request, passphrase } => self
                .paste(request, passphrase)
                .map(|passphrase| Event::Passphrase { request, passphrase }),
            Event::Cancel { request } if self.logins.watched_by(request).is_some() => {
                self.fail_request(request, &Failure::new(Kind::Cancelled, "cancelled"));
                self.leave_login(now, request);
                None
            }
            other => Some(other),
        }
    }

    /// Gives the text back where no login wants it.
    fn paste(&mut self, request: RequestId, text: Secret) -> Option<Secret> {
        let Some(profile) = self.logins.watched_by(request).cloned() else { return Some(text) };
        if let Some(pending) = self.logins.pending.get_mut(&profile).filter(|it| it.asks) {
            pending.asks = false;
            // The task is gone only when its end is on the way.
            let _ended = pending.pasted.send(text);
        }
        None
    }

    fn begin_or_join(&mut self, now: Now, request: RequestId, wish: Wish) {
        let name = wish.profile.clone();
        let Some(profile) = self.live.config.profiles.get(&name) else {
            let known = self.live.config.profiles.keys().map(ProfileName::as_str);
            let failure = no_such_profile(&name, known);
            return self.fail_request(request, &failure);
        };
        let watcher = Watcher { has_browser: wish.has_browser, opens: false };
        if let Some(pending) = self.logins.pending.get_mut(&name) {
            pending.watchers.insert(request, watcher);
            let Some(to) = self.performer.requests.get(&request) else { return };
            to.reply.progress(&format!("{name}: joins a login that is pending"), false);
            let opens = pending.appoint(request);
            if let Some(step) = &pending.step {
                to.reply.item(step.item(opens));
            }
            if pending.asks {
                to.reply.ask_openly(PASTE_PROMPT);
            }
            return;
        }
        let id = self.logins.next_id();
        let (profile, revision) = (Arc::new(profile.clone()), revision(profile));
        let (sender, pasted) = mpsc::unbounded_channel();
        let means = self.performer.means.clone();
        let begin = Begin { means, profile: Arc::clone(&profile), revision, wish, pasted };
        let teller = Teller::new(self.performer.inbox.clone(), name.clone(), id);
        let task = self.performer.login(begin, teller);
        let pending = login::Pending {
            id,
            profile,
            watchers: [(request, watcher)].into(),
            step: None,
            asks: false,
            stage: Stage::Waiting,
            expires_at: None,
            task,
            pasted: sender,
        };
        self.logins.pending.insert(name.clone(), pending);
        self.handle(now, Event::Login { profile: name, state: LoginState::Began });
    }

    /// Passes on what a login says.
    pub(super) fn login_news(&mut self, now: Now, name: &ProfileName, id: LoginId, news: News) {
        let Some(pending) = self.logins.get(name, id) else { return };
        match news {
            News::Step(step) => {
                let watchers: Vec<RequestId> = pending.watchers.keys().copied().collect();
                for request in watchers {
                    let opens = pending.appoint(request);
                    if let Some(to) = self.performer.requests.get(&request) {
                        to.reply.item(step.item(opens));
                    }
                }
                pending.step = Some(step);
            }
            News::Talk { text, is_warning } => {
                for request in pending.watchers.keys() {
                    if let Some(to) = self.performer.requests.get(request) {
                        to.reply.progress(&text, is_warning);
                    }
                }
            }
            News::Ask => {
                pending.asks = true;
                for request in pending.watchers.keys() {
                    if let Some(to) = self.performer.requests.get(request) {
                        to.reply.ask_openly(PASTE_PROMPT);
                    }
                }
            }
            News::Committed => pending.stage = Stage::Committed,
            News::Ended(Err(failure)) => self.end_login(now, name, &Err(failure)),
            News::Ended(Ok(finished)) => {
                pending.expires_at = finished.login.token.expires_at;
                pending.stage = Stage::Storing(Some(finished));
                let (request, alone) = (pending.inside(), Some(name.clone()));
                self.handle(now, Event::Admit { request, interactive: false, alone });
            }
        }
    }

    /// It is its turn: no renewal of the profile is under way.
    fn store_login(&mut self, request: RequestId, name: &ProfileName) {
        let Some(pending) = self.logins.pending.get_mut(name) else { return };
        if let Stage::Storing(finished) = &mut pending.stage
            && let Some(finished) = finished.take()
        {
            self.performer.carry_out(request, Change::Login(finished));
        }
    }

    /// Tells everybody who waits how it ended.
    pub(super) fn end_login(
        &mut self,
        now: Now,
        name: &ProfileName,
        result: &Result<String, Failure>,
    ) {
        let Some(pending) = self.logins.pending.remove(name) else { return };
        pending.task.abort();
        if let Err(failure) = result {
            info!(profile = %name, problem = %failure.message, "a login came to nothing");
            let name = name.clone();
            let done = move |worker: &mut crate::shell::worker::Worker| {
                worker.logins.remove(&name);
                Ok(())
            };
            self.performer.means.jobs.run(done, drop);
        }
        for request in pending.watchers.keys() {
            let Some(to) = self.performer.requests.remove(request) else { continue };
            match result {
                Ok(said) => to.reply.said(said),
                Err(failure) => to.reply.failed(failure),
            }
        }
        let state = LoginState::Ended(result.clone().map(|_| pending.expires_at));
        self.handle(now, Event::Login { profile: name.clone(), state });
    }

    /// Ends the logins that lose nothing by it.
    pub(super) fn end_waiting_logins(&mut self, now: Now, failure: &Failure) {
        let waiting = self.logins.pending.iter();
        let waiting = waiting.filter(|(_, pending)| matches!(pending.stage, Stage::Waiting));
        let waiting: Vec<ProfileName> = waiting.map(|(name, _)| name.clone()).collect();
        for name in waiting {
            self.end_login(now, &name, &Err(failure.clone().of(&name)));
        }
    }

    /// Ends the logins of profiles that are no longer what they were when these began. One whose code
    /// is spent finds that out itself.
    pub(super) fn end_outdated_logins(&mut self, now: Now) {
        let profiles = Arc::clone(&self.live.config);
        let is_same = |profile: &Profile| {
            profiles.profiles.get(&profile.name).is_some_and(|it| it.grant == profile.grant)
        };
        let outdated = self.logins.pending.iter().filter(|(_, pending)| {
            matches!(pending.stage, Stage::Waiting) && !is_same(&pending.profile)
        });
        let outdated: Vec<ProfileName> = outdated.map(|(name, _)| name.clone()).collect();
        for name in outdated {
            let message = "the settings of the profile were changed meanwhile";
            let failure = Failure::new(Kind::ConfigInvalid, message).of(&name);
            let failure = failure.hint(format!("run `tokctl login {name}` again"));
            self.end_login(now, &name, &Err(failure));
        }
    }

    /// A client waits no longer. With the last one the login ends, unless its code is spent.
    pub(super) fn leave_login(&mut self, now: Now, request: RequestId) {
        let Some(name) = self.logins.watched_by(request).cloned() else { return };
        let Some(pending) = self.logins.pending.get_mut(&name) else { return };
        pending.watchers.remove(&request);
        if pending.watchers.is_empty() && matches!(pending.stage, Stage::Waiting) {
            let failure = Failure::new(Kind::Cancelled, "nobody waits for the login any more");
            self.end_login(now, &name, &Err(failure.of(&name)));
        }
    }

    /// Warnings for everybody who waits for a login.
    pub(super) fn tell_watchers(&self, name: &ProfileName, warnings: &[String]) {
        let Some(pending) = self.logins.pending.get(name) else { return };
        for request in pending.watchers.keys() {
            if let Some(to) = self.performer.requests.get(request) {
                warnings.iter().for_each(|warning| to.reply.progress(warning, true));
            }
        }
    }

    fn fail_request(&mut self, request: RequestId, failure: &Failure) {
        if let Some(pending) = self.performer.requests.remove(&request) {
            pending.reply.failed(failure);
        }
    }

    /// The agent goes down: nobody is waited for any more but providers that hold a code.
    pub(super) fn stop_logins(&mut self, now: Now) {
        self.end_waiting_logins(now, &stopping());
    }
}

/// Why a profile needs no person, if it does not.
fn nothing_to_log_in_to(profile: &Profile) -> Option<Failure> {
    let name = &profile.name;
    let hint = match &profile.grant {
        grant if grant.is_login() => return None,
        Grant::Pool(pool) => {
            let members: Vec<&str> = pool.members.iter().map(ProfileName::as_str).collect();
            format!("log in to its members: {}", members.join(", "))
        }
        Grant::ApiKey | Grant::RefreshToken(_) => {
            format!("run `tokctl set-secret {name}` to store what it hands out or renews")
        }
        Grant::Command(_) => format!("run `tokctl get {name}`: its program obtains the token"),
        _ => format!(
            "run `tokctl get {name}`; what it proves itself by is stored with \
             `tokctl set-secret {name}`"
        ),
    };
    let message = match &profile.grant {
        Grant::Pool(_) => "nothing to log in to: a pool hands out the tokens of others".to_owned(),
        grant => format!("nothing to log in to: `grant = \"{}\"` needs no person", grant.name()),
    };
    Some(Failure::new(Kind::Usage, message).of(name).hint(hint))
}
