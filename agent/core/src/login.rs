//! Logins that are under way. The shell carries them out; whoever would be told to log in waits for one, as long as
//! its time allows.

use tokctl_proto::{Failure, Kind, ProfileName, TokenKey, WallMs};

use crate::core::Core;
use crate::effect::Effect;
use crate::event::{LoginState, RequestId};
use crate::happening::Happening;
use crate::verdict::{News, Verdict};

impl Core {
    pub(crate) fn login(&mut self, name: &ProfileName, state: LoginState) {
        match state {
            LoginState::Began => {
                self.logins.entry(name.clone()).or_default();
            }
            LoginState::Ended(result) => self.login_ended(name, result),
        }
    }

    fn login_ended(&mut self, name: &ProfileName, result: Result<Option<WallMs>, Failure>) {
        let Some(waited) = self.logins.remove(name) else { return };
        match result {
            // Its entry has changed and is being read. If that has not been told, it is read now.
            Ok(expires_at) => {
                let key = self.shared(TokenKey::plain(name.clone()));
                self.happened(Happening::Renewed { key, expires_at });
                let is_served = self.keys_of(name).iter().all(|key| self.turn_of(key).is_none());
                if self.is_loaded(name) && !is_served {
                    self.outdate(name);
                    self.load_if_needed(name);
                }
            }
            Err(why) => {
                for request in waited {
                    self.tell_of_login(request, &why);
                }
                for key in self.keys_of(name) {
                    self.settle(&key, News::None);
                }
            }
        }
    }

    /// The login that a caller waited for came to nothing.
    fn tell_of_login(&mut self, request: RequestId, why: &Failure) {
        let verdict = self.waiters.get(request).map(|waiter| self.verdict(waiter, News::None));
        if let Some(Verdict::Fail(failure)) = verdict
            && let Some(waiter) = self.take_waiter(request)
        {
            let message = format!("{}; {}", failure.message, why.message);
            self.turn_down(request, waiter, Failure { message, ..failure });
        }
    }

    /// Whether this failure may be over soon.
    pub(crate) fn awaits_login(&self, name: &ProfileName, failure: &Failure) -> bool {
        let is_for_person = matches!(failure.kind, Kind::LoginRequired | Kind::SecretRequired);
        is_for_person && self.logins.contains_key(name)
    }

    /// Tells a caller once what it waits for.
    pub(crate) fn hear_of_login(&mut self, request: RequestId, name: &ProfileName) {
        if self.logins.get_mut(name).is_some_and(|heard| heard.insert(request)) {
            let text = format!("{name}: waiting for the login that is under way");
            self.effects.push(Effect::Progress { request, text });
        }
    }
}
