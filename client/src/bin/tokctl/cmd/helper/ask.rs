//! The agent's side of every helper: whose token a URL may have, the token, and how it is shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{Client, GetOptions, ProfileName, Secret, Token, Usage};
use tz::UtcDateTime;

use super::field;
use crate::exit::Stop;
use crate::session::Session;

/// The profile whose token may be used at the URL: the one that is named, or the one found by it. `None` where the URL
/// is somebody else's.
///
/// The caller's URL may be an attacker's (a submodule, a dependency), so a profile that does not say where its token may
/// be used answers nobody, also when it is named.
pub(super) fn find(
    client: &mut Client,
    named: Option<&ProfileName>,
    url: &str,
) -> Result<Option<Usage>, Stop> {
    match allowed(client, named, url)? {
        Some(usage) if usage.api_urls.is_empty() => Err(no_places(&usage.profile)),
        usage => Ok(usage),
    }
}

/// The same for a caller whose configuration names the profile and the places together.
pub(super) fn allowed(
    client: &mut Client,
    named: Option<&ProfileName>,
    url: &str,
) -> Result<Option<Usage>, Stop> {
    let foreign = match named {
        Some(_) => Kind::UrlRefused,
        None => Kind::NoSuchProfile,
    };
    match client.usage(named, Some(url)) {
        Ok(usage) => {
            shows_in_a_header(&usage)?;
            Ok(Some(usage))
        }
        Err(error) if error.failure().kind == foreign.name() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn no_places(profile: &ProfileName) -> Stop {
    let message = "it does not say where its token may be used, and a helper is asked for any host";
    let failure = Failure::new(Kind::UrlRefused, message).of(profile);
    failure.hint(format!("run `tokctl set {profile} api_urls=https://HOST/`")).into()
}

fn shows_in_a_header(usage: &Usage) -> Result<(), Stop> {
    match &usage.query {
        None => Ok(()),
        Some(name) => {
            let message = format!(
                "its token goes into the parameter `{name}` of a URL, which no helper can say"
            );
            Err(Failure::new(Kind::Usage, message).of(&usage.profile).into())
        }
    }
}

/// A token that is good now.
pub(super) fn token(
    client: &mut Client,
    profile: &ProfileName,
    session: &Session,
) -> Result<Token, Stop> {
    let token = client.get_with(profile, &GetOptions::default(), &mut session.conversation())?;
    if let Some(warning) = &token.warning {
        session.output.warn(&format!("{}: {warning}", token.profile));
    }
    field::checked("token", token.access_token.expose())?;
    Ok(token)
}

/// The header that carries a token.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: Secret,
}

impl Header {
    pub(super) fn of(token: &Token) -> Result<Self, Stop> {
        Self::read(&token.header(), &token.profile)
    }

    fn read(line: &Secret, profile: &str) -> Result<Self, Stop> {
        field::checked("header", line.expose())?;
        match line.expose().split_once(':') {
            Some((name, value)) => Ok(Self {
                name: name.trim().to_owned(),
                value: Secret::new(value.trim().to_owned()),
            }),
            None => Err(unfit(profile, "its `header` is none")),
        }
    }

    /// What stands behind `Authorization:`, for callers that send no other header.
    pub(super) fn authorization(self, profile: &str, caller: &str) -> Result<Secret, Stop> {
        match self.name.eq_ignore_ascii_case("authorization") {
            true => Ok(self.value),
            false => Err(unfit(
                profile,
                &format!(
                    "its token goes into the header {}, which {caller} does not send",
                    self.name
                ),
            )),
        }
    }
}

/// A token as `Authorization` shows it.
#[derive(Debug)]
pub(super) enum Shown {
    /// RFC 7617.
    Basic {
        username: Secret,
        password: Secret,
    },
    Other {
        scheme: String,
        credential: Secret,
    },
}

impl Shown {
    pub(super) fn of(token: &Token, caller: &str) -> Result<Self, Stop> {
        let value = Header::of(token)?.authorization(&token.profile, caller)?;
        Self::read(&value, &token.profile)
    }

    pub(super) fn read(value: &Secret, profile: &str) -> Result<Self, Stop> {
        let bare = |credential: &str| Self::Other {
            scheme: String::new(),
            credential: Secret::new(credential.to_owned()),
        };
        let Some((scheme, credential)) = value.expose().split_once(' ') else {
            return Ok(bare(value.expose()));
        };
        if !scheme.eq_ignore_ascii_case("basic") {
            let credential = Secret::new(credential.trim().to_owned());
            return Ok(Self::Other { scheme: scheme.to_owned(), credential });
        }
        let plain = STANDARD.decode(credential.trim()).ok().and_then(Secret::from_utf8);
        let parts = plain.as_ref().and_then(|plain| plain.expose().split_once(':'));
        match parts {
            Some((username, password)) => Ok(Self::Basic {
                username: Secret::new(field::checked("username", username)?.to_owned()),
                password: Secret::new(field::checked("password", password)?.to_owned()),
            }),
            None => {
                Err(unfit(profile, "its token is no name and password with a colon between them"))
            }
        }
    }
}

pub(super) fn unfit(profile: &str, message: &str) -> Stop {
    let failure = Failure::new(Kind::Usage, message);
    match ProfileName::parse(profile) {
        Ok(profile) => failure.of(&profile).into(),
        Err(_) => failure.into(),
    }
}

/// A time as RFC 3339 writes it.
pub(super) fn rfc3339(unix_s: i64) -> Option<String> {
    let at = UtcDateTime::from_timespec(unix_s, 0).ok()?;
    let (date, time) =
        ((at.year(), at.month(), at.month_day()), (at.hour(), at.minute(), at.second()));
    Some(format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.0, date.1, date.2, time.0, time.1, time.2
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_token_is_shown_as_its_header_says() {
        for (line, shown) in [
            ("Authorization: Bearer abc", Some("Bearer abc")),
            ("authorization: token abc", Some("token abc")),
            ("Authorization: abc", Some(" abc")),
            ("Authorization: Basic a2V5OnBhc3M6dw==", Some("key|pass:w")),
            ("Authorization: Basic a2V5", None),
            ("Authorization: Basic a2V5CjpwYXNz", None),
            ("Authorization: Basic %%", None),
            ("X-Api-Key: abc", None),
            ("none", None),
            ("Authorization: Bearer a\nb", None),
        ] {
            let value = Header::read(&secret(line), "acme")
                .and_then(|header| header.authorization("acme", "git"));
            let read =
                value.and_then(|value| Shown::read(&value, "acme")).map(|shown| match shown {
                    Shown::Basic { username, password } => {
                        format!("{}|{}", username.expose(), password.expose())
                    }
                    Shown::Other { scheme, credential } => {
                        format!("{scheme} {}", credential.expose())
                    }
                });
            assert_eq!(read.ok().as_deref(), shown, "{line:?}");
        }
    }

    #[test]
    fn a_time_is_written_in_utc() {
        for (unix_s, text) in [(0, "1970-01-01T00:00:00Z"), (1_800_000_000, "2027-01-15T08:00:00Z")]
        {
            assert_eq!(rfc3339(unix_s).as_deref(), Some(text));
        }
        assert_eq!(rfc3339(i64::MAX), None);
    }
}
