//! What an API said to a token: 401 drops exactly that token, 429 lets it cool down, 403 is explained.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokctl_proto::time::Spoken;
use tokctl_proto::{BootMs, Failure, Kind, ProfileName, TokenKey};

use crate::core::Core;
use crate::effect::Effect;
use crate::event::{Report, RequestId};
use crate::granted;
use crate::key::Key;
use crate::lane::LaneId;
use crate::profile::{Pool, Source};
use crate::token::Token;

/// The cool-down after a 429 without Retry-After (RFC 6585 section 4 leaves it open).
const COOL_DOWN_DEFAULT: Duration = Duration::from_secs(60);
/// Quotas of a day are common, longer ones are not.
const COOL_DOWN_MAX: Duration = Duration::from_secs(86_400);

impl Core {
    pub(crate) fn report(&mut self, report: Report) {
        if !self.lock.is_open() {
            self.report_locked(report.request);
            return;
        }
        let members = match self.profiles.get(&report.profile) {
            None => {
                let failure = self.no_such_profile(&report.profile);
                self.fail(report.request, failure);
                return;
            }
            Some(profile) => match &profile.source {
                Source::Pool(pool) => match members(pool, &report) {
                    Ok(members) => members,
                    Err(failure) => {
                        self.fail(report.request, failure);
                        return;
                    }
                },
                Source::Stored | Source::Provider(_) => match report.member {
                    None => vec![report.profile.clone()],
                    Some(_) => {
                        let failure = no_pool(&report.profile);
                        self.fail(report.request, failure);
                        return;
                    }
                },
            },
        };
        let unread: Vec<ProfileName> =
            members.iter().filter(|name| !self.is_loaded(name)).cloned().collect();
        if unread.is_empty() {
            self.hear(report, &members);
            return;
        }
        for name in unread {
            self.load(&name);
        }
        self.reports.push(report);
    }

    /// An entry has been read that reports may have waited for, or what was asked for is not awaited any more.
    pub(crate) fn hear_reports(&mut self) {
        for report in std::mem::take(&mut self.reports) {
            self.report(report);
        }
    }

    /// An entry cannot be read.
    pub(crate) fn refuse_reports(&mut self, name: &ProfileName, failure: &Failure) {
        for report in std::mem::take(&mut self.reports) {
            let is_about = report.profile == *name || report.member.as_ref() == Some(name);
            match is_about || self.is_member(&report.profile, name) {
                true => self.fail(report.request, failure.clone()),
                false => self.reports.push(report),
            }
        }
    }

    fn hear(&mut self, report: Report, members: &[ProfileName]) {
        let found = report.digest.and_then(|digest| self.token_of(members, &digest));
        let name = match (&found, members) {
            (Some((key, _)), _) => key.profile.clone(),
            (None, [one]) => one.clone(),
            (None, _) => {
                let said = "no member of the pool has that token: it was replaced, or is another's";
                self.say(report.request, said);
                return;
            }
        };
        match report.status {
            401 => self.unauthorized(report.request, &name, found),
            403 => self.forbidden(report.request, &name, found),
            429 => self.too_many(report.request, &name, report.retry_after),
            status => {
                let message = format!("a report is about 401, 403 or 429, not about {status}");
                self.fail(report.request, Failure::new(Kind::Usage, message).of(&name));
            }
        }
        self.write_schedule_soon();
    }

    /// The key whose token has this digest.
    fn token_of(
        &self,
        members: &[ProfileName],
        digest: &[u8; 32],
    ) -> Option<(Arc<TokenKey>, Arc<Token>)> {
        members.iter().flat_map(|name| self.held(name)).find_map(|(key, state)| {
            let token = state.token.as_ref()?;
            let is_it = Sha256::digest(token.access_token.expose()).as_slice() == digest;
            is_it.then(|| (Arc::clone(key), Arc::clone(token)))
        })
    }

    /// That token, and no newer one, is good for nothing: another is obtained.
    fn unauthorized(
        &mut self,
        request: RequestId,
        name: &ProfileName,
        found: Option<(Arc<TokenKey>, Arc<Token>)>,
    ) {
        let Some((key, token)) = found else {
            self.note_report(name, 401, "not the token in use; nothing is dropped".to_owned());
            let said = format!(
                "{name}: that is not the token in use now, so nothing is dropped; `tokctl get {name}` gives the one that is"
            );
            self.say(request, said);
            return;
        };
        let source = self.profiles.get(name).map(|profile| profile.source.clone());
        if source == Some(Source::Stored) {
            let now = self.now.wall;
            self.book(name).refused_at = Some(now);
            self.note_report(name, 401, "the API refused the stored key".to_owned());
            self.alarm(name, "an API refused the stored key");
            self.say(
                request,
                format!("{name}: the API refused the stored key; `tokctl set-secret {name}` stores another"),
            );
            return;
        }
        let now = self.now.boot;
        if let Some(state) = self.keys.get_mut(&key) {
            state.hurry(now);
            state.token = None;
            state.times = None;
            state.is_wanted = true;
        }
        self.note_report(name, 401, "the API refused the token; it is dropped".to_owned());
        self.effects.push(Effect::DropToken { key: key.as_ref().clone(), token });
        let lane = source.map(|source| LaneId::of(&source, &key));
        let wait =
            self.until(lane.as_ref().map_or(self.now.boot, |lane| self.free_at(name, &key, lane)));
        let another = match wait {
            _ if self.needs_caller(name) => "another is obtained for the next who asks".to_owned(),
            Duration::ZERO => "another is obtained".to_owned(),
            wait => format!(
                "another is obtained in {}, since the provider was asked a moment ago",
                Spoken(wait.max(Duration::from_secs(1)))
            ),
        };
        self.say(request, format!("{name}: the token is dropped, and {another}"));
        if let Some(lane) = lane {
            self.pump(&lane);
        }
    }

    /// When the provider can be asked for a token of this key.
    fn free_at(&self, name: &ProfileName, key: &Arc<TokenKey>, lane: &LaneId) -> BootMs {
        let spaced = self.keys.get(key).map(Key::free_at);
        let rests = self.rest(name, lane).map(|(until, _)| until);
        spaced.into_iter().chain(rests).fold(self.now.boot, BootMs::max)
    }

    /// The token is good, and not for this.
    fn forbidden(
        &mut self,
        request: RequestId,
        name: &ProfileName,
        found: Option<(Arc<TokenKey>, Arc<Token>)>,
    ) {
        let plain = self.shared(TokenKey::plain(name.clone()));
        let held = self.keys.get(&plain).and_then(|state| state.token.clone());
        let (key, token) = match found {
            Some((key, token)) => (key, Some(token)),
            None => (plain, held),
        };
        let asked = match key.scope.is_empty() {
            true => self.profiles.get(name).map(|profile| profile.scope.as_ref().clone()),
            false => Some(key.scope.clone()),
        };
        let text = compare(
            &asked.unwrap_or_default(),
            token.as_deref().and_then(|token| token.scope.as_deref()),
        );
        self.note_report(name, 403, format!("the API forbids it; {text}"));
        self.say(
            request,
            format!("{name}: a new token would not help: the API forbids it; {text}"),
        );
    }

    fn too_many(&mut self, request: RequestId, name: &ProfileName, retry_after: Option<Duration>) {
        let wait = retry_after.unwrap_or(COOL_DOWN_DEFAULT).min(COOL_DOWN_MAX);
        let until = self.now.boot.plus(wait);
        let book = self.book(name);
        let until = book.cooling_until.max(until);
        book.cooling_until = until;
        self.note_report(name, 429, format!("the API said to slow down for {}", Spoken(wait)));
        // An earlier report may have asked for more.
        let rest = Spoken(self.until(until));
        self.say(request, format!("{name}: left alone for {rest}"));
    }

    fn is_member(&self, pool: &ProfileName, name: &ProfileName) -> bool {
        match self.profiles.get(pool).map(|profile| &profile.source) {
            Some(Source::Pool(pool)) => pool.members.contains(name),
            _ => false,
        }
    }
}

fn no_pool(name: &ProfileName) -> Failure {
    Failure::new(Kind::Usage, "this profile is no pool, so it has no members")
        .of(name)
        .hint("leave `--member` out, or name the pool")
}

/// Whom a report to a pool may be about.
fn members(pool: &Pool, report: &Report) -> Result<Vec<ProfileName>, Failure> {
    match &report.member {
        Some(member) if pool.members.contains(member) => Ok(vec![member.clone()]),
        Some(member) => {
            let known: Vec<&str> = pool.members.iter().map(ProfileName::as_str).collect();
            let message = format!("`{member}` is no member of this pool");
            Err(Failure::new(Kind::Usage, message)
                .of(&report.profile)
                .hint(format!("its members are {}", known.join(", "))))
        }
        None if report.digest.is_some() => Ok(pool.members.clone()),
        None => Err(Failure::new(Kind::Usage, "which member of the pool it is about was not said")
            .of(&report.profile)
            .hint("name it with `--member`, or pass the token")),
    }
}

/// Granted against asked.
fn compare(asked: &BTreeSet<String>, granted: Option<&str>) -> String {
    let words = |set: &BTreeSet<&str>| match set.is_empty() {
        true => "nothing".to_owned(),
        false => set.iter().copied().collect::<Vec<_>>().join(" "),
    };
    let missing: BTreeSet<&str> = granted::missing_scopes(asked, granted).into_iter().collect();
    let asked: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
    let Some(granted) = granted else {
        return format!(
            "scope asked for: {}; the provider did not say what it granted",
            words(&asked)
        );
    };
    let granted: BTreeSet<&str> = granted.split(' ').filter(|scope| !scope.is_empty()).collect();
    let mut text = format!("scope asked for: {}; granted: {}", words(&asked), words(&granted));
    if !missing.is_empty() {
        text.push_str(&format!("; not granted: {}", words(&missing)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_granted_is_held_against_what_was_asked() {
        for (asked, granted, text) in [
            (&[][..], None, "scope asked for: nothing; the provider did not say what it granted"),
            (&["a"], Some("a"), "scope asked for: a; granted: a"),
            (&["a", "b"], Some("b"), "scope asked for: a b; granted: b; not granted: a"),
            (&["a"], Some(""), "scope asked for: a; granted: nothing; not granted: a"),
            (&[], Some("x"), "scope asked for: nothing; granted: x"),
        ] {
            let asked = asked.iter().map(|&scope| scope.to_owned()).collect();
            assert_eq!(compare(&asked, granted), text);
        }
    }
}
