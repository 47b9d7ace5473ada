//! git's credential helper protocol (git-credential(1), gitcredentials(7)): lines of `key=value`.
//!
//! `get` is answered with a name and the token as its password, or, where git and the server take it, with the header
//! itself. Whether the server does is told by its WWW-Authenticate: servers of git that take tokens as passwords alone
//! are common. A refresh token is never told: whatever else helps git would store it.

use tokctl_client::{Report, Secret};
use zeroize::Zeroizing;

use super::ask::{self, Shown};
use super::{Call, field};
use crate::exit::Stop;
use crate::session::Session;
use crate::terminal;

/// What git knows of the credential it wants, has used or wants erased.
#[derive(Debug, Default)]
struct Asked {
    protocol: String,
    host: String,
    path: Option<String>,
    username: Option<String>,
    password: Option<Secret>,
    credential: Option<Secret>,
    /// git understands `authtype` and `credential`.
    takes_authtype: bool,
    /// What the server's WWW-Authenticate said, where git tells.
    challenges: Vec<String>,
}

pub(super) fn run(call: &Call, session: &Session) -> Result<(), Stop> {
    match call.verb.as_str() {
        "get" => get(call, session),
        "erase" => erase(call, session),
        "capability" => session.output.data(b"version 0\ncapability authtype\n"),
        // `store`, and whatever is yet to come: gitcredentials(7) has them ignored in silence.
        _ => field::stdin().map(drop),
    }
}

fn get(call: &Call, session: &Session) -> Result<(), Stop> {
    let asked = asked(&field::stdin()?)?;
    let Some(url) = url(&asked) else { return Ok(()) };
    let mut client = session.client()?;
    let Some(usage) = ask::find(&mut client, call.profile.as_ref(), &url)? else { return Ok(()) };
    let mut given = || {
        let token = ask::token(&mut client, &usage.profile, session)?;
        let shown = Shown::of(&token, "git")?;
        answer(&asked, call.username.as_deref(), &shown, token.expires_at)
    };
    match given() {
        Ok(text) => session.output.data(&text),
        Err(stop) => {
            // The host is ours: neither another helper's password will do nor one that somebody types.
            session.output.data(b"quit=1\n")?;
            Err(stop)
        }
    }
}

/// Tells that the server refused what it was shown. Other helpers' passwords come here as well; the agent knows that
/// they are no tokens of the profile.
fn erase(call: &Call, session: &Session) -> Result<(), Stop> {
    terminal::hide_from_others();
    let asked = asked(&field::stdin()?)?;
    let Some(url) = url(&asked) else { return Ok(()) };
    let mut client = session.client()?;
    let Some(usage) = ask::find(&mut client, call.profile.as_ref(), &url)? else { return Ok(()) };
    let Some(refused) = refused(&asked, usage.header.contains("{basic}")) else { return Ok(()) };
    let said = client.report(&usage.profile, &Report::new(401).token(refused))?;
    if session.output.verbose {
        session.output.talk(&said);
    }
    Ok(())
}

/// Reads what git says. Unknown keys are left alone, and so is all behind the first empty line.
fn asked(input: &[u8]) -> Result<Asked, Stop> {
    let mut asked = Asked::default();
    for line in field::text(input)?.split('\n').take_while(|line| !line.is_empty()) {
        let Some((key, value)) = line.split_once('=') else {
            return Err(field::refused("what git asks has a line without `=`"));
        };
        field::checked(key, line)?;
        let text = || value.to_owned();
        let secret = || Some(Secret::new(value.to_owned()));
        match key {
            "protocol" => asked.protocol = text(),
            "host" => asked.host = text(),
            "path" => asked.path = Some(text()),
            "username" => asked.username = Some(text()),
            "password" => asked.password = secret(),
            "credential" => asked.credential = secret(),
            "capability[]" if value == "authtype" => asked.takes_authtype = true,
            // An empty one takes back those before it.
            "wwwauth[]" if value.is_empty() => asked.challenges.clear(),
            "wwwauth[]" => asked.challenges.push(text()),
            _ => {}
        }
    }
    Ok(asked)
}

/// Where git wants to use it; `None` for what is no URL of HTTP.
fn url(asked: &Asked) -> Option<String> {
    let is_http = matches!(asked.protocol.as_str(), "https" | "http");
    let path = field::escaped(asked.path.as_deref().unwrap_or_default());
    (is_http && field::is_host(&asked.host))
        .then(|| format!("{}://{}/{path}", asked.protocol, asked.host))
}

/// What git is answered.
fn answer(
    asked: &Asked,
    username: Option<&str>,
    shown: &Shown,
    expires_at: Option<i64>,
) -> Result<Zeroizing<Vec<u8>>, Stop> {
    let mut lines = Lines::new();
    match shown {
        Shown::Other { scheme, credential } if as_header(asked, scheme) => {
            lines.add("capability[]", "authtype")?;
            lines.add("authtype", scheme)?;
            lines.add("credential", credential.expose())?;
            // Not to be stored: it is here when it is needed.
            lines.add("ephemeral", "1")?;
        }
        Shown::Other { credential, .. } => {
            let name = username.or(asked.username.as_deref());
            lines.add("username", name.unwrap_or_else(|| usual_name(&asked.host)))?;
            lines.add("password", credential.expose())?;
        }
        Shown::Basic { username, password } => {
            lines.add("username", username.expose())?;
            lines.add("password", password.expose())?;
        }
    }
    if let Some(at) = expires_at {
        lines.add("password_expiry_utc", &at.to_string())?;
    }
    Ok(lines.0)
}

/// Whether git is given the header itself: it takes one, and the server, as far as it says, takes its scheme.
fn as_header(asked: &Asked, scheme: &str) -> bool {
    let offers = |challenge: &String| {
        let offered = challenge.split([' ', ',']).next().unwrap_or_default();
        offered.eq_ignore_ascii_case(scheme)
    };
    let challenges = &asked.challenges;
    let is_taken = challenges.is_empty() || challenges.iter().any(offers);
    asked.takes_authtype && !scheme.is_empty() && is_taken
}

/// The name that goes with a token as a password, where the host cares.
fn usual_name(host: &str) -> &'static str {
    match host.split(':').next() {
        Some("github.com") => "x-access-token",
        Some("bitbucket.org") => "x-token-auth",
        _ => "oauth2",
    }
}

/// The token that was refused, as the profile has it: `name:password` where it is shown as Basic.
fn refused(asked: &Asked, is_basic: bool) -> Option<Secret> {
    if let Some(credential) = &asked.credential {
        return Some(credential.clone());
    }
    let password = asked.password.as_ref()?;
    if !is_basic {
        return Some(password.clone());
    }
    let username = asked.username.as_deref()?;
    // Room for everything at once: a string that grows leaves copies behind.
    let mut token = String::with_capacity(username.len() + 1 + password.expose().len());
    token.push_str(username);
    token.push(':');
    token.push_str(password.expose());
    Some(Secret::new(token))
}

/// An answer in the making, with room for a token at once.
struct Lines(Zeroizing<Vec<u8>>);

impl Lines {
    fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(64 * 1024)))
    }

    fn add(&mut self, key: &str, value: &str) -> Result<(), Stop> {
        let value = field::checked(key, value)?;
        for part in [key, "=", value, "\n"] {
            self.0.extend_from_slice(part.as_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer() -> Shown {
        let credential = Secret::new("eyJ0".to_owned());
        Shown::Other { scheme: "Bearer".to_owned(), credential }
    }

    fn answered(
        input: &str,
        username: Option<&str>,
        shown: &Shown,
        expires: Option<i64>,
    ) -> String {
        let asked = asked(input.as_bytes()).unwrap();
        let text = answer(&asked, username, shown, expires).unwrap();
        String::from_utf8(text.to_vec()).unwrap()
    }

    #[test]
    fn git_is_asked_for_the_url_that_it_asks_for() {
        for (input, expected) in [
            ("protocol=https\nhost=git.acme.example\n\n", Some("https://git.acme.example/")),
            (
                "protocol=https\nhost=a.example:8443\npath=t/r.git\n",
                Some("https://a.example:8443/t/r.git"),
            ),
            ("protocol=http\nhost=127.0.0.1:80\nnew=thing\n", Some("http://127.0.0.1:80/")),
            ("protocol=https\nhost=a.example\n\nhost=b.example\n", Some("https://a.example/")),
            ("protocol=https\nhost=a.example\npath=a b?c\n", Some("https://a.example/a%20b%3Fc")),
            ("protocol=smtp\nhost=a.example\n", None),
            ("protocol=https\nhost=\n", None),
            ("protocol=https\nhost=good.example\\@evil.example\n", None),
            ("protocol=https\nhost=ada@a.example\n", None),
            ("", None),
        ] {
            assert_eq!(url(&asked(input.as_bytes()).unwrap()).as_deref(), expected, "{input:?}");
        }
    }

    #[test]
    fn a_line_cannot_smuggle_another() {
        for input in [
            "protocol=https\nhost=a.example\r\n",
            "host=a\0b\n",
            "host\n",
            "protocol=https\rhost=b\n",
        ] {
            assert!(asked(input.as_bytes()).is_err(), "{input:?}");
        }
        assert!(asked(b"host=\xff\n").is_err());
        for bad in ["a\nb", "a\rb", "a\0b"] {
            let shown =
                Shown::Other { scheme: "Bearer".into(), credential: Secret::new(bad.to_owned()) };
            assert!(answer(&Asked::default(), None, &shown, None).is_err(), "{bad:?}");
            assert!(answer(&Asked::default(), Some(bad), &bearer(), None).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_is_a_password_with_its_end() {
        let host = "protocol=https\nhost=git.acme.example\n";
        for (input, username, expires, expected) in [
            (host.to_owned(), None, None, "username=oauth2\npassword=eyJ0\n"),
            (
                host.to_owned(),
                None,
                Some(1_800_000_000),
                "username=oauth2\npassword=eyJ0\npassword_expiry_utc=1800000000\n",
            ),
            (format!("{host}username=ada\n"), None, None, "username=ada\npassword=eyJ0\n"),
            (format!("{host}username=ada\n"), Some("bot"), None, "username=bot\npassword=eyJ0\n"),
            (
                "protocol=https\nhost=github.com\n".to_owned(),
                None,
                None,
                "username=x-access-token\npassword=eyJ0\n",
            ),
        ] {
            assert_eq!(answered(&input, username, &bearer(), expires), expected, "{input:?}");
        }
        let basic = Shown::Basic {
            username: Secret::new("key".to_owned()),
            password: Secret::new("pass".to_owned()),
        };
        let input = "protocol=https\nhost=a.example\ncapability[]=authtype\n";
        assert_eq!(answered(input, None, &basic, None), "username=key\npassword=pass\n");
    }

    #[test]
    fn a_header_is_given_to_a_git_and_a_server_that_take_it() {
        let header = "capability[]=authtype\nauthtype=Bearer\ncredential=eyJ0\nephemeral=1\n\
                      password_expiry_utc=9\n";
        let password = "username=oauth2\npassword=eyJ0\npassword_expiry_utc=9\n";
        for (more, expected) in [
            ("capability[]=authtype\n", header),
            ("capability[]=authtype\ncapability[]=state\n", header),
            ("capability[]=authtype\nwwwauth[]=Bearer realm=\"git\"\n", header),
            ("capability[]=authtype\nwwwauth[]=Basic realm=x\nwwwauth[]=bearer\n", header),
            ("capability[]=authtype\nwwwauth[]=Basic realm=x\nwwwauth[]=\n", header),
            ("capability[]=authtype\nwwwauth[]=Basic realm=\"Bearer\"\n", password),
            ("capability[]=state\n", password),
            ("wwwauth[]=Bearer\n", password),
        ] {
            let input = format!("protocol=https\nhost=a.example\n{more}");
            assert_eq!(answered(&input, None, &bearer(), Some(9)), expected, "{more:?}");
        }
    }

    #[test]
    fn what_was_refused_is_the_token_as_the_profile_has_it() {
        for (input, is_basic, token) in [
            ("username=oauth2\npassword=eyJ0\n", false, Some("eyJ0")),
            ("username=key\npassword=pass\n", true, Some("key:pass")),
            ("authtype=Bearer\ncredential=eyJ0\n", false, Some("eyJ0")),
            ("username=oauth2\n", false, None),
            ("password=x\n", true, None),
        ] {
            let found = refused(&asked(input.as_bytes()).unwrap(), is_basic);
            assert_eq!(found.as_ref().map(Secret::expose), token, "{input:?}");
        }
    }
}
