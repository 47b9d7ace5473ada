//! What the end of a login changes in an entry.
//!
//! As in a rotation, what came back is on the disk before anybody reads it: the code that it was given
//! for is spent. Then everything that was obtained takes its place in one write. Nothing here decides
//! whether an answer is to be believed.

use tokctl_core::Token;
use tokctl_proto::{Secret, TokenKey, WallMs};

use super::entry::{Entry, RawAnswer, Subject};

/// What a login brought.
#[derive(Clone, Debug)]
pub struct Login {
    pub key: TokenKey,
    pub token: Token,
    /// With its end, where the provider named one.
    pub refresh_token: Option<(Secret, Option<WallMs>)>,
    pub subject: Option<Subject>,
}

/// What a login left of what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// Somebody else than before.
    pub is_another: bool,
    /// Its tokens can be renewed.
    pub is_renewable: bool,
}

impl Entry {
    /// Keeps what the provider answered before anybody has read it.
    pub fn receive_login(&mut self, answer: RawAnswer) {
        self.login = Some(answer);
    }

    /// The answer to a login that nobody has read.
    pub fn unread_login(&self) -> Option<&RawAnswer> {
        self.login.as_ref()
    }

    /// Drops it.
    pub fn forget_login(&mut self) {
        self.login = None;
    }

    /// Puts what a login brought in the place of what was there. The refresh token of before is kept
    /// behind the new one, unless it is somebody else's. Where none was brought it goes: whoever
    /// logged in again knew why. It stays if it is the same person's and alive, since some providers
    /// give one at the first login alone.
    pub fn log_in(&mut self, now: WallMs, login: Login) -> LoggedIn {
        self.login = None;
        let before = std::mem::replace(&mut self.subject, login.subject);
        let same = before.as_ref().zip(self.subject.as_ref()).map(|(before, now)| before == now);
        match login.refresh_token {
            Some((token, expires_at)) => self.set_refresh_token(now, token, expires_at),
            None if same == Some(true) => {
                self.refresh = self.refresh.take().filter(|refresh| !refresh.is_dead);
            }
            None => self.refresh = None,
        }
        if let Some(refresh) = self.refresh.as_mut().filter(|_| same == Some(false)) {
            refresh.previous = None;
        }
        self.tokens.clear();
        self.tokens.insert(login.key, login.token);
        LoggedIn { is_another: same == Some(false), is_renewable: self.refresh.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use tokctl_proto::ProfileName;

    use super::super::entry::EntryId;
    use super::*;

    fn key() -> TokenKey {
        TokenKey::plain(ProfileName::parse("acme").unwrap())
    }

    fn token(text: &str) -> Token {
        Token {
            access_token: Secret::new(text.to_owned()),
            token_type: "Bearer".to_owned(),
            issued_at: WallMs(1000),
            expires_at: None,
            scope: None,
            extra: Secret::default(),
            revision: 1,
        }
    }

    fn subject(sub: &str) -> Subject {
        Subject { iss: "https://a.example".to_owned(), sub: sub.to_owned() }
    }

    fn answer() -> RawAnswer {
        RawAnswer {
            key: key(),
            revision: 1,
            endpoint: "https://a.example/token".to_owned(),
            sent_at: WallMs(1000),
            received_at: WallMs(1000),
            status: 200,
            content_type: None,
            retry_after: None,
            date: None,
            body: Secret::default(),
        }
    }

    fn login(refresh_token: Option<&str>, sub: Option<&str>) -> Login {
        Login {
            key: key(),
            token: token("new"),
            refresh_token: refresh_token.map(|text| (Secret::new(text.to_owned()), None)),
            subject: sub.map(subject),
        }
    }

    /// Of Ada, with the refresh token `r1`, an old token and an answer that was not read.
    fn entry() -> Entry {
        let mut entry = Entry::new(EntryId::draw(&mut |bytes| bytes.fill(1)));
        entry.set_refresh_token(WallMs(1), Secret::new("r1".to_owned()), None);
        entry.subject = Some(subject("ada"));
        let scoped = TokenKey { scope: ["a".to_owned()].into(), ..key() };
        entry.tokens = [(key(), token("old")), (scoped, token("old too"))].into();
        entry.receive_login(answer());
        entry
    }

    #[test]
    fn what_was_brought_takes_the_place_of_everything() {
        let (ada, bea) = (Some("ada"), Some("bea"));
        for (brought, sub, refresh, previous, is_another) in [
            (Some("r2"), ada, Some("r2"), Some("r1"), false),
            (Some("r1"), ada, Some("r1"), None, false),
            (Some("r2"), None, Some("r2"), Some("r1"), false),
            (Some("r2"), bea, Some("r2"), None, true),
            (None, ada, Some("r1"), None, false),
            (None, None, None, None, false),
            (None, bea, None, None, true),
        ] {
            let mut entry = entry();
            let left = entry.log_in(WallMs(2), login(brought, sub));
            let case = format!("{brought:?} {sub:?}");
            let held = entry.refresh.as_ref();
            assert_eq!(held.map(|held| held.token.expose()), refresh, "{case}");
            let before = held.and_then(|held| held.previous.as_ref());
            assert_eq!(before.map(Secret::expose), previous, "{case}");
            let is_renewable = refresh.is_some();
            assert_eq!(left, LoggedIn { is_another, is_renewable }, "{case}");
            let tokens: Vec<_> = entry.tokens.values().map(|it| it.access_token.expose()).collect();
            assert_eq!(tokens, ["new"], "{case}");
            assert!(entry.unread_login().is_none(), "{case}");
            assert_eq!(entry.subject, sub.map(subject), "{case}");
        }
    }

    #[test]
    fn a_dead_refresh_token_is_not_kept_for_its_owner() {
        let mut entry = entry();
        entry.refresh.as_mut().unwrap().is_dead = true;
        let left = entry.log_in(WallMs(2), login(None, Some("ada")));
        assert!(!left.is_renewable && entry.refresh.is_none());
    }

    #[test]
    fn a_first_login_is_nobody_elses() {
        let mut entry = Entry::new(EntryId::draw(&mut |bytes| bytes.fill(1)));
        let left = entry.log_in(WallMs(2), login(Some("r1"), Some("ada")));
        assert_eq!(left, LoggedIn { is_another: false, is_renewable: true });
    }
}
