//! The rules for values that are not URLs. Each takes text and gives the checked value, or says
//! what it breaks.

use std::path::{Path, PathBuf};

use tokctl_proto::escape::shown;
use tokctl_proto::token::{is_scope, is_token};

use super::error::Broken;
use super::template;

/// Parameters that tokctl sets itself, each with what to do instead.
const RESERVED: &[(&str, &str)] = &[
    ("grant_type", "the key `grant` decides it, and `grant_type` what it is called"),
    ("client_id", "set the key `client_id`"),
    ("client_secret", "store it with `tokctl set-secret`"),
    ("refresh_token", "store it with `tokctl set-secret`"),
    ("client_assertion", "the key `client_auth` decides it"),
    ("client_assertion_type", "the key `client_auth` decides it"),
    ("scope", "set the key `scope`"),
    ("audience", "set the key `audience`"),
    ("resource", "set the key `resource`"),
];

/// Parameters of an authorization request that tokctl sets itself, or that would have it answered in a
/// way that is not understood.
const RESERVED_IN_LOGIN: &[&str] = &[
    "response_type",
    "response_mode",
    "redirect_uri",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
    "dpop_jkt",
];

/// RFC 6749 section 3.3.
pub(super) fn scope(text: &str) -> Result<String, Broken> {
    if is_scope(text) {
        return Ok(text.to_owned());
    }
    Err(Broken::new("holds a scope with a character that no scope can have (RFC 6749 section 3.3)"))
}

pub(super) fn audience(text: &str) -> Result<String, Broken> {
    if text.chars().any(char::is_control) {
        return Err(Broken::new("must not hold control characters"));
    }
    Ok(text.to_owned())
}

/// RFC 6749 appendix A.1.
pub(super) fn client_id(text: &str) -> Result<String, Broken> {
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Ok(text.to_owned());
    }
    Err(Broken::new("must be ASCII without control characters (RFC 6749 appendix A.1)"))
}

/// A client id that is sent in Basic as it is (RFC 7617 section 2).
pub(super) fn client_id_of_raw_basic(text: &str) -> Result<(), Broken> {
    if text.contains(':') {
        return Err(Broken::new(
            "must not hold a colon with `client_auth = \"basic_raw\"` (RFC 7617 section 2)",
        )
        .hint("use `basic` or `post`"));
    }
    Ok(())
}

/// The name of a further parameter.
pub(super) fn parameter_name(name: &str) -> Result<String, Broken> {
    if !is_token(name) {
        return Err(Broken::new("has a name that is not visible ASCII"));
    }
    match RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        Some((_, instead)) => {
            Err(Broken::new(format!("must not set `{name}`: tokctl does")).hint(*instead))
        }
        None => Ok(name.to_owned()),
    }
}

/// The name of a further parameter of an authorization request.
pub(super) fn authorization_parameter_name(name: &str) -> Result<String, Broken> {
    match RESERVED_IN_LOGIN.contains(&name) {
        true => Err(Broken::new(format!("must not set `{name}`: tokctl does"))),
        false => parameter_name(name),
    }
}

/// What an error can mean: the codes of RFC 6749 section 5.2, RFC 8707, and of those that say "later".
const ERROR_CODES: &[&str] = &[
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
];

pub(super) fn error_code(text: &str) -> Result<String, Broken> {
    match ERROR_CODES.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(Broken::new(format!("cannot mean `{}`", shown(text)))
            .hint(format!("use one of {}", ERROR_CODES.join(", ")))),
    }
}

/// A file that the agent opens. It is absolute, since the agent's directory is nobody's business.
pub(super) fn ca_file(text: &str) -> Result<PathBuf, Broken> {
    if text.contains('\0') {
        return Err(Broken::new("must not hold a NUL"));
    }
    if Path::new(text).is_absolute() {
        return Ok(PathBuf::from(text));
    }
    let broken = Broken::new("must be an absolute path");
    Err(if text.starts_with('~') { broken.hint("`~` is not expanded here") } else { broken })
}

/// Text that goes into a request or a JWT as it is.
pub(super) fn plain_text(text: &str) -> Result<String, Broken> {
    if text.chars().any(char::is_control) {
        return Err(Broken::new("must not hold control characters"));
    }
    Ok(text.to_owned())
}

/// A program, or an argument of it.
pub(super) fn argument(text: &str) -> Result<String, Broken> {
    match text.contains('\0') {
        true => Err(Broken::new("must not hold a NUL")),
        false => Ok(text.to_owned()),
    }
}

/// A dotted path into a JSON reply, as in `data.token` or `items.0.token`.
pub(super) fn path(text: &str) -> Result<String, Broken> {
    let fits = |name: &str| !name.is_empty() && !name.chars().any(char::is_control);
    match text.split('.').all(fits) {
        true => Ok(text.to_owned()),
        false => Err(Broken::new("must be names with dots between them, as in `data.token`")),
    }
}

/// RFC 9110 section 5.1.
pub(super) fn header_name(name: &str) -> Result<String, Broken> {
    match !name.is_empty() && name.bytes().all(template::is_header_name_byte) {
        true => Ok(name.to_owned()),
        false => Err(Broken::new("has a name that no header can have (RFC 9110 section 5.1)")),
    }
}

/// Hosts reached without the proxy; one text may name several with commas, as NO_PROXY does.
pub(super) fn no_proxy(text: &str) -> Result<Vec<String>, Broken> {
    let hosts: Vec<_> = text.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
    if hosts.iter().all(|host| is_token(host)) {
        return Ok(hosts.into_iter().map(str::to_owned).collect());
    }
    Err(Broken::new("must be hosts of visible ASCII, with commas between them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_what_the_standard_takes() {
        for (text, fits) in [
            (" ", true),
            ("~", true),
            ("kX3:a b", true),
            ("\u{1f}", false),
            ("\u{7f}", false),
            ("ä", false),
            ("a\nb", false),
        ] {
            assert_eq!(client_id(text).is_ok(), fits, "{text:?}");
        }
    }

    #[test]
    fn raw_basic_has_no_colon_in_the_id() {
        for (text, fits) in [("a", true), ("a:b", false)] {
            assert_eq!(client_id_of_raw_basic(text).is_ok(), fits);
        }
    }

    #[test]
    fn parameters_leave_ours_alone() {
        for (name, fits) in [
            ("organization", true),
            ("grant", true),
            ("tenant[id]", true),
            ("client_id", false),
            ("grant_type", false),
            ("client_secret", false),
            ("refresh_token", false),
            ("scope", false),
            ("audience", false),
            ("resource", false),
            ("", false),
            ("a b", false),
            ("ä", false),
        ] {
            assert_eq!(parameter_name(name).is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn what_makes_a_login_safe_is_not_set_by_hand() {
        for (name, fits) in [
            ("prompt", true),
            ("access_type", true),
            ("login_hint", true),
            ("state", false),
            ("nonce", false),
            ("redirect_uri", false),
            ("response_mode", false),
            ("code_challenge_method", false),
            ("scope", false),
        ] {
            assert_eq!(authorization_parameter_name(name).is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn files_are_absolute() {
        for (text, fits) in [
            ("/etc/ca.pem", true),
            ("ca.pem", false),
            ("./ca.pem", false),
            ("~/ca.pem", false),
            ("/a\0b", false),
        ] {
            assert_eq!(ca_file(text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn no_proxy_reads_what_the_variable_holds() {
        for (text, hosts) in [
            ("a.example", Some(vec!["a.example"])),
            (
                "a.example, .b.example,10.0.0.0/8,",
                Some(vec!["a.example", ".b.example", "10.0.0.0/8"]),
            ),
            ("a b", None),
        ] {
            let hosts = hosts.map(|all| all.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(no_proxy(text).ok(), hosts, "{text}");
        }
    }

    #[test]
    fn audiences_and_scopes_hold_nothing_hidden() {
        for (text, fits) in [("https://api.example/", true), ("my api", true), ("a\u{1}", false)] {
            assert_eq!(audience(text).is_ok(), fits, "{text:?}");
        }
        for (text, fits) in [("read:data", true), ("a\"", false), ("a\\", false)] {
            assert_eq!(scope(text).is_ok(), fits, "{text:?}");
        }
    }
}
