//! The answer to an authorization request (RFC 6749 section 4.1.2), as the browser brings it or a
//! person pastes it: whether it belongs to this login, and what it says.
//!
//! Anybody on this machine can send one, and any page can make a browser send one. What does not
//! hold the state of this login is a stray, whatever else it holds, and changes nothing. The first
//! that holds it is the answer: it comes from where the browser was sent, so it ends the login even
//! if it is malformed. Nothing of an answer is shown to the browser.

use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind, ProfileName, Secret};

use crate::oauth::state::Unguessable;

pub mod head;

/// What tells an answer to this login from every other.
#[derive(Clone, Debug)]
pub struct Expected {
    pub state: Unguessable,
    /// The issuer that the browser was sent to; `None` where the profile names none.
    pub issuer: Option<String>,
    /// Its metadata say that it names itself in every answer (RFC 9207 section 3).
    pub names_itself: bool,
}

/// What came of a query.
#[derive(Debug)]
pub enum Judged {
    /// It belongs to no login, or to another.
    Stray,
    Answer(Result<Secret, Refusal>),
}

/// Why an answer of this login brings no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As the provider wrote it (RFC 6749 section 4.1.2.1).
    Error {
        code: String,
        description: Option<String>,
    },
    /// Somebody else answered (RFC 9207 section 2.4).
    OtherIssuer(String),
    /// Nobody said who answered, and the provider always does.
    NoIssuer,
    NoCode,
    /// A parameter is there more than once (RFC 6749 section 3.1).
    Twice(&'static str),
}

/// The parameters of an answer that mean something here.
#[derive(Default)]
struct Parameters {
    code: Vec<Secret>,
    state: Vec<Secret>,
    iss: Vec<String>,
    error: Vec<String>,
    error_description: Vec<String>,
}

impl Parameters {
    fn read(query: &str) -> Self {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "code" => read.code.push(Secret::new(value.into_owned())),
                "state" => read.state.push(Secret::new(value.into_owned())),
                "iss" => read.iss.push(value.into_owned()),
                "error" => read.error.push(value.into_owned()),
                "error_description" => read.error_description.push(value.into_owned()),
                _ => {}
            }
        }
        read
    }

    fn repeated(&self) -> Option<&'static str> {
        let counts = [
            ("code", self.code.len()),
            ("iss", self.iss.len()),
            ("error", self.error.len()),
            ("error_description", self.error_description.len()),
        ];
        counts.into_iter().find(|(_, count)| *count > 1).map(|(name, _)| name)
    }
}

/// Judges the query of an answer.
pub fn judge(query: &str, expected: &Expected) -> Judged {
    let parameters = Parameters::read(query);
    match parameters.state.as_slice() {
        [state] if expected.state.is(state.expose()) => {}
        _ => return Judged::Stray,
    }
    Judged::Answer(read(parameters, expected))
}

/// Reads an answer that holds the state of this login.
fn read(mut parameters: Parameters, expected: &Expected) -> Result<Secret, Refusal> {
    if let Some(name) = parameters.repeated() {
        return Err(Refusal::Twice(name));
    }
    // Before anything else is believed: an error of another's is not this provider's either.
    match (parameters.iss.pop(), &expected.issuer) {
        (Some(iss), Some(issuer)) if iss != *issuer => return Err(Refusal::OtherIssuer(iss)),
        (None, Some(_)) if expected.names_itself => return Err(Refusal::NoIssuer),
        _ => {}
    }
    if let Some(code) = parameters.error.pop() {
        let description = parameters.error_description.pop();
        return Err(Refusal::Error { code, description });
    }
    parameters.code.pop().filter(|code| !code.is_empty()).ok_or(Refusal::NoCode)
}

/// The query in what a person pasted: a whole address, a query with or without its question mark.
pub fn pasted_query(pasted: &str) -> &str {
    let pasted = pasted.trim().trim_matches(['"', '\'', '<', '>']);
    let query = match (pasted.split_once('?'), pasted.contains("://")) {
        (Some((_, query)), _) => query,
        (None, false) => pasted,
        (None, true) => "",
    };
    query.split_once('#').map_or(query, |(query, _)| query)
}

impl Refusal {
    /// What whoever waits for the login is told.
    pub fn failure(&self, profile: &ProfileName) -> Failure {
        match self {
            Self::Error { code, description } => refused(profile, code, description.as_deref()),
            Self::OtherIssuer(iss) => {
                let message = format!(
                    "the answer to the login is of another issuer, `{}` (RFC 9207 section 2.4)",
                    shown(iss)
                );
                failed(message, profile)
            }
            Self::NoIssuer => failed(
                "the answer to the login does not say whose it is, and the provider always does \
                 (RFC 9207 section 2.4)",
                profile,
            ),
            Self::NoCode => failed("the answer to the login holds no code", profile),
            Self::Twice(name) => failed(
                format!(
                    "the answer to the login holds `{name}` more than once (RFC 6749 section 3.1)"
                ),
                profile,
            ),
        }
    }
}

/// Whatever came, it was not this login's own code, so another login begins anew.
fn failed(message: impl Into<String>, profile: &ProfileName) -> Failure {
    let hint = format!("run `tokctl login {profile}` again");
    Failure::new(Kind::ProviderFailed, message).of(profile).hint(hint)
}

/// What an error means that the provider sent the browser back with.
fn refused(profile: &ProfileName, code: &str, description: Option<&str>) -> Failure {
    let reason = match description.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => format!("{}: \"{}\"", shown(code), shown(text)),
        None => shown(code),
    };
    let refused = |what: &str| {
        let message = format!("the provider refused {what} ({reason})");
        Failure::new(Kind::ProviderRefused, message).of(profile)
    };
    match code {
        // The other three are OpenID Connect Core's, section 3.1.2.6.
        "access_denied" | "login_required" | "consent_required" | "interaction_required" => {
            Failure::new(Kind::LoginDenied, format!("the login was denied ({reason})")).of(profile)
        }
        "server_error" | "temporarily_unavailable" => {
            failed(format!("the provider has a failure of its own ({reason})"), profile)
        }
        "unauthorized_client" | "unsupported_response_type" => refused("logins to the client")
            .hint(format!(
                "allow the authorization code grant for the client at the provider; \
                 `tokctl show {profile}` names it"
            )),
        "invalid_scope" => {
            refused("the scope").hint(format!("run `tokctl set {profile} scope=\u{2026}`"))
        }
        "invalid_target" => refused("the audience or resource")
            .hint(format!("run `tokctl set {profile} audience=\u{2026}` or `resource=\u{2026}`")),
        _ => refused("the login")
            .hint(format!("compare `tokctl show {profile}` with what the provider documents")),
    }
}

#[cfg(test)]
mod tests;
