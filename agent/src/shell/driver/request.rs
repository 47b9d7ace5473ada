//! A client's request on its way: to the core, to the vault thread, or answered at once.

use std::collections::{BTreeSet, VecDeque};

use tokctl_core::{Event, RequestId, no_such_profile};
use tokctl_proto::{Kind, Now, ProfileName};

use super::{Ask, Driver, Pending, Purging, Task, Then, TokenForm};
use crate::config;
use crate::shell::command::Command;
use crate::shell::query::{self, Rows};
use crate::shell::reply::ReplyTo;

impl Driver {
    pub(super) fn request(&mut self, now: Now, id: RequestId, command: Command, reply: ReplyTo) {
        let (command, form) = match command {
            Command::Get2(get) => (Command::Get(get), TokenForm::Token2),
            Command::Get3(get, proof) => (Command::Get(get), TokenForm::Token3(proof)),
            Command::Probe(get, endpoint) => {
                // Before a provider is asked for a token that may not be used there.
                let (profile, url) = (Some(&get.key.profile), Some(endpoint.url.as_str()));
                if let Err(failure) = config::usage(&self.live.config, profile, url, None)
                    && failure.kind != Kind::NoSuchProfile
                {
                    return reply.failed(&failure);
                }
                (Command::Get(get), TokenForm::Probe(endpoint))
            }
            command => (command, TokenForm::Token),
        };
        let pending = Pending { reply, task: None, form, subjects: VecDeque::new() };
        match command {
            Command::Get(get) => {
                let profile = get.key.profile.clone();
                self.about(now, id, pending, profile, Ask::Core(Event::Get(get)));
            }
            Command::Refresh(refresh) => {
                let profile = refresh.key.profile.clone();
                self.about(now, id, pending, profile, Ask::Core(Event::Refresh(refresh)));
            }
            Command::Report(report) => {
                let profile = report.profile.clone();
                self.about(now, id, pending, profile, Ask::Core(Event::Report(report)));
            }
            Command::Login(wish) => {
                let profile = wish.profile.clone();
                self.about(now, id, pending, profile, Ask::Login(Box::new(wish)));
            }
            Command::Watch(profiles) => {
                // One that nobody knows is looked for, and all of them are when the file has been read.
                let first = profiles.iter().find(|name| !self.has(name)).or(profiles.first());
                match first.cloned() {
                    Some(profile) => self.about(now, id, pending, profile, Ask::Watch(profiles)),
                    None => self.watchers.begin(id, profiles, pending.reply),
                }
            }
            Command::Why(profile) => self.about(now, id, pending, profile, Ask::Why),
            Command::Usage { profile: Some(profile), url, .. } => {
                self.about(now, id, pending, profile, Ask::Usage(url));
            }
            Command::Usage { profile: None, url, among } => {
                let (url, among) = (url.as_deref(), among.as_ref());
                query::usage(&self.live, None, url, among, pending.reply);
            }
            Command::Unlock { passphrase, interactive } => {
                self.performer.requests.insert(id, pending);
                self.handle(now, Event::Unlock { request: id, passphrase, interactive });
            }
            Command::Lock => {
                self.performer.requests.insert(id, pending);
                self.handle(now, Event::Lock { request: id });
            }
            Command::Admitted { change, interactive } => {
                let alone = change.alone();
                let pending = Pending { task: Some(Task::Change(change)), ..pending };
                self.performer.requests.insert(id, pending);
                self.handle(now, Event::Admit { request: id, interactive, alone });
            }
            Command::Inspect { key, interactive } => {
                let pending = Pending { task: Some(Task::Inspect(key)), ..pending };
                self.performer.requests.insert(id, pending);
                self.handle(now, Event::Admit { request: id, interactive, alone: None });
            }
            Command::Import { wanted, interactive } => {
                let dry_run = wanted.dry_run;
                let pending = Pending { task: Some(Task::Import(wanted)), ..pending };
                self.performer.requests.insert(id, pending);
                match dry_run {
                    true => self.performer.admitted(id),
                    false => {
                        self.handle(now, Event::Admit { request: id, interactive, alone: None });
                    }
                }
            }
            Command::Purge { local, interactive } => {
                let pending = Pending { task: Some(Task::Purge(Purging { local })), ..pending };
                self.performer.requests.insert(id, pending);
                match local || self.core.lock_state() == "none" {
                    // Whoever has forgotten the passphrase can still have everything taken away.
                    true => self.performer.admitted(id),
                    false => {
                        self.handle(now, Event::Admit { request: id, interactive, alone: None });
                    }
                }
            }
            Command::Direct(change) => {
                self.performer.requests.insert(id, pending);
                self.performer.carry_out(id, change);
            }
            Command::SocketCreate(new) => {
                // One of them that is not known, if there is one.
                let profile = new.only.iter().find(|name| !self.has(name)).or(new.only.first());
                let Some(profile) = profile.cloned() else { return };
                self.about(now, id, pending, profile, Ask::Socket(new));
            }
            other => self.answer(now, other, pending.reply),
        }
    }

    /// Requests that nothing of the core is needed for.
    fn answer(&mut self, now: Now, command: Command, reply: ReplyTo) {
        let jobs = &self.performer.means.jobs;
        match command {
            Command::List => {
                if let Some(warning) = self.config_warning() {
                    reply.progress(&warning, true);
                }
                query::list(jobs, &self.live, reply);
            }
            Command::Show(name) => query::show(jobs, name, self.config_warning(), reply),
            Command::DryAdd(new) => self.performer.dry_add(*new, reply),
            Command::DryRun(key) => self.performer.dry_run(key, reply),
            Command::Resolved(name) => query::resolved(jobs, name, self.config_warning(), reply),
            Command::Presets(name) => query::presets(name.as_deref(), reply),
            Command::ConfigRead => query::config_read(jobs, reply),
            Command::Status => self.status(now, Rows::Status, reply),
            Command::Status2 => self.status(now, Rows::Status2, reply),
            Command::AgentStatus => self.agent_status(now, reply),
            Command::AgentReload => {
                self.performer.reread(self.live.fingerprint.clone(), Then::Tell(reply));
            }
            Command::AgentStop => {
                reply.said("the agent stops");
                self.performer.stopping = true;
            }
            Command::SocketList => self.list_sockets(reply),
            Command::SocketRemove(path) => self.remove_socket(&path, reply),
            // Its client is told that this is a bug.
            _ => drop(reply),
        }
    }

    /// Asks about a profile. If it is not known, another look at the file comes first.
    fn about(
        &mut self,
        now: Now,
        request: RequestId,
        pending: Pending,
        profile: ProfileName,
        ask: Ask,
    ) {
        self.performer.requests.insert(request, pending);
        match self.has(&profile) {
            true => self.ask(now, request, &profile, ask),
            false => {
                let then = Then::Ask { request, profile, ask: Box::new(ask) };
                self.performer.reread(self.live.fingerprint.clone(), then);
            }
        }
    }

    fn watch(&mut self, request: RequestId, profiles: BTreeSet<ProfileName>, reply: ReplyTo) {
        let Some(unknown) = profiles.iter().find(|name| !self.has(name)) else {
            return self.watchers.begin(request, profiles, reply);
        };
        let known = self.live.config.profiles.keys().map(ProfileName::as_str);
        reply.failed(&no_such_profile(unknown, known));
    }

    pub(super) fn has(&self, profile: &ProfileName) -> bool {
        self.live.config.profiles.contains_key(profile)
    }

    /// Asks, unless the client has gone in the meantime.
    pub(super) fn ask(&mut self, now: Now, request: RequestId, profile: &ProfileName, ask: Ask) {
        match ask {
            Ask::Core(event) if self.performer.requests.contains_key(&request) => {
                self.handle(now, event);
            }
            Ask::Why => {
                if let Some(Pending { reply, .. }) = self.performer.requests.remove(&request) {
                    self.why(now, profile, reply);
                }
            }
            Ask::Usage(url) => {
                if let Some(Pending { reply, .. }) = self.performer.requests.remove(&request) {
                    query::usage(&self.live, Some(profile), url.as_deref(), None, reply);
                }
            }
            Ask::Watch(profiles) => {
                if let Some(Pending { reply, .. }) = self.performer.requests.remove(&request) {
                    self.watch(request, profiles, reply);
                }
            }
            Ask::Socket(new) => {
                if let Some(Pending { reply, .. }) = self.performer.requests.remove(&request) {
                    self.create_socket(now, request, *new, reply);
                }
            }
            Ask::Login(wish) => self.admit_login(now, request, profile, *wish),
            Ask::Core(_) => {}
        }
    }
}
