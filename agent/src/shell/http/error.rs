//! Why a request got no reply, and what each reason means for the person who waits.
//!
//! The reason is found by the types in reqwest's chain of errors, not by its texts, and no URL is
//! in it: a query may hold a secret. Beside the reason stands whether a byte of the request may have
//! left: a request that spends something must not be repeated then, so in doubt it may.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokctl_core::{Cause, Class, Reached, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::time::Spoken;
use tokctl_proto::{Failure, Kind, ProfileName};

/// A request that got no reply.
#[derive(Debug, Error)]
#[error("{}", fault.message(at))]
pub struct HttpError {
    /// The origin that was asked: scheme, host and port.
    pub at: String,
    pub fault: Fault,
    pub reached: Reached,
}

/// Why there is no reply.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The name has no address.
    Resolve,
    Refused,
    /// No route, no network.
    Connect(io::ErrorKind),
    Tls(TlsFault),
    /// No connection in time.
    ConnectTimeout(Duration),
    /// No whole reply in time.
    Timeout(Duration),
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// The connection ended before the reply did, or what came was not HTTP.
    Broken,
    /// The file of the profile's own authorities cannot be used.
    CaFile {
        path: PathBuf,
        reason: String,
    },
    /// The profile's own certificate cannot be shown.
    ClientCertificate(String),
    /// It was to be shown where nobody looks.
    CertificateInTheClear,
    /// The proxy, by its origin, gave no connection.
    Proxy(String),
    /// The setting is no URL of a proxy.
    ProxySetting,
    /// Another user listens on the port of this machine.
    LoopbackOwner {
        uid: u32,
    },
    /// The kernel does not show who listens.
    LoopbackTable(io::Error),
    /// Plain http where it is not allowed.
    PlainHttp {
        is_loopback: bool,
    },
    /// A header of the request holds a character that no header may hold.
    Header(String),
}

/// Why the TLS handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFault {
    UnknownIssuer,
    OtherName,
    Expired,
    NotYetValid,
    /// The server does not take the certificate that was shown, or wants one and was shown none: its
    /// alert (RFC 8446 section 6.2).
    ClientRefused(String),
    /// In rustls's words, safe to show.
    Other(String),
}

impl Fault {
    /// Finds the reason in an error of reqwest's.
    pub(super) fn of(
        error: &reqwest::Error,
        limits: &super::Limits,
        proxy: Option<String>,
        shows_certificate: bool,
    ) -> Self {
        if let Some(tls) = find::<rustls::Error>(error) {
            return Self::Tls(TlsFault::of(tls, shows_certificate));
        }
        if error.is_timeout() && error.is_connect() {
            return Self::ConnectTimeout(limits.connect);
        }
        if error.is_timeout() {
            return Self::Timeout(limits.total);
        }
        if !error.is_connect() {
            return Self::Broken;
        }
        match (proxy, find::<io::Error>(error).map(io::Error::kind)) {
            (Some(proxy), _) => Self::Proxy(proxy),
            (None, _) if error.is_dns() => Self::Resolve,
            (None, Some(io::ErrorKind::ConnectionRefused)) => Self::Refused,
            (None, Some(kind)) => Self::Connect(kind),
            (None, None) => Self::Broken,
        }
    }

    fn message(&self, at: &str) -> String {
        let reason = match self {
            Self::Resolve => "its name does not resolve (DNS)".to_owned(),
            Self::Refused => "connection refused".to_owned(),
            Self::Connect(kind) => kind.to_string(),
            Self::Tls(fault) => fault.reason(),
            Self::ConnectTimeout(limit) => format!("no connection within {}", Spoken(*limit)),
            Self::Timeout(limit) => format!("no answer within {}", Spoken(*limit)),
            Self::Broken => {
                "the connection broke before the answer was whole, or the answer was not HTTP"
                    .to_owned()
            }
            Self::Proxy(proxy) => format!("the proxy {} gave no connection to it", shown(proxy)),
            Self::LoopbackOwner { uid } => {
                format!("user {uid}, who is neither you nor root, listens there")
            }
            Self::LoopbackTable(error) => {
                format!("the kernel does not show who listens there ({error})")
            }
            Self::TooLarge(limit) => {
                return format!("the answer of {at} is larger than {} KiB", limit / 1024);
            }
            Self::CaFile { path, reason } => {
                return format!("cannot use ca_file {}: {}", path.display(), shown(reason));
            }
            Self::ClientCertificate(reason) => {
                return format!("cannot use the stored certificate and its key: {}", shown(reason));
            }
            Self::CertificateInTheClear => {
                return format!("{at} is not https, and a certificate is shown over TLS alone");
            }
            Self::ProxySetting => {
                return "`proxy` is no URL such as http://proxy.example:3128".to_owned();
            }
            Self::PlainHttp { .. } => {
                return format!("{at} is not https, and plain http is for this machine alone");
            }
            Self::Header(name) => {
                return format!(
                    "the value of the header {name} holds a character no header may hold"
                );
            }
        };
        format!("cannot reach {at}: {reason}")
    }

    /// Whether it is the provider's, and so that of all its profiles, rather than of the settings of
    /// one.
    fn cause(&self) -> Cause {
        match self {
            Self::Resolve
            | Self::Refused
            | Self::Connect(_)
            | Self::ConnectTimeout(_)
            | Self::Timeout(_)
            | Self::Broken
            | Self::LoopbackOwner { .. } => Cause::Provider,
            // Another profile may trust another authority.
            Self::Tls(TlsFault::UnknownIssuer | TlsFault::ClientRefused(_)) => Cause::Other,
            Self::Tls(_) => Cause::Provider,
            _ => Cause::Other,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::TooLarge(_) => Kind::ProviderFailed,
            Self::CaFile { .. }
            | Self::CertificateInTheClear
            | Self::ProxySetting
            | Self::PlainHttp { .. }
            | Self::Header(_) => Kind::ConfigInvalid,
            Self::ClientCertificate(_) => Kind::SecretRequired,
            Self::Tls(TlsFault::ClientRefused(_)) => Kind::ProviderRefused,
            Self::LoopbackOwner { .. } => Kind::WrongUser,
            Self::LoopbackTable(_) => Kind::Machine,
            _ => Kind::ProviderUnreachable,
        }
    }

    fn hint(&self, profile: &ProfileName) -> Option<String> {
        match self {
            Self::Tls(TlsFault::UnknownIssuer) => Some(format!(
                "if the provider has a certificate authority of its own, run `tokctl set {profile} ca_file=\u{2026}`"
            )),
            Self::Tls(TlsFault::NotYetValid) => Some("compare `date` with a clock".to_owned()),
            Self::ClientCertificate(_) | Self::Tls(TlsFault::ClientRefused(_)) => {
                Some(set_certificate(profile))
            }
            Self::CaFile { .. } => Some(format!("run `tokctl set {profile} ca_file=\u{2026}`")),
            Self::ProxySetting => Some(format!("run `tokctl set {profile} proxy=\u{2026}`")),
            Self::PlainHttp { is_loopback: true } => {
                Some(format!("run `tokctl set {profile} allow_http_loopback=true`"))
            }
            _ => None,
        }
    }
}

impl HttpError {
    /// What to tell the callers of a profile. All of it passes by itself except what config.toml
    /// says.
    pub fn trouble(&self, profile: &ProfileName) -> Trouble {
        let kind = self.fault.kind();
        let class = match kind {
            Kind::ConfigInvalid | Kind::ProviderRefused => Class::Permanent,
            Kind::SecretRequired => Class::LoginRequired,
            _ => Class::Retry,
        };
        let mut failure = Failure::new(kind, self.to_string()).of(profile);
        failure.hint = self.fault.hint(profile);
        Trouble::new(class, failure).because(self.fault.cause()).reached(self.reached)
    }
}

/// The certificate and its key belong together, so both are stored anew.
fn set_certificate(profile: &ProfileName) -> String {
    format!(
        "run `tokctl set-secret {profile} --name tls_certificate` and \
         `tokctl set-secret {profile} --name tls_key`"
    )
}

/// What a server says of the certificate that a client shows, or of the one it misses.
fn is_about_the_client(alert: rustls::AlertDescription, shows_certificate: bool) -> bool {
    use rustls::AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired => true,
        // Said to a client that shows none, these would be about something else.
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied => shows_certificate,
        _ => false,
    }
}

impl TlsFault {
    fn of(error: &rustls::Error, shows_certificate: bool) -> Self {
        use rustls::CertificateError as Certificate;
        match error {
            rustls::Error::InvalidCertificate(certificate) => match certificate {
                Certificate::UnknownIssuer => Self::UnknownIssuer,
                Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                    Self::OtherName
                }
                Certificate::Expired | Certificate::ExpiredContext { .. } => Self::Expired,
                Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                    Self::NotYetValid
                }
                other => Self::Other(shown(&other.to_string())),
            },
            rustls::Error::AlertReceived(alert)
                if is_about_the_client(*alert, shows_certificate) =>
            {
                Self::ClientRefused(format!("{alert:?}"))
            }
            other => Self::Other(shown(&other.to_string())),
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::UnknownIssuer => {
                "its certificate is signed by nobody this machine trusts (unknown CA)".to_owned()
            }
            Self::OtherName => "its certificate is for another host name".to_owned(),
            Self::Expired => "its certificate has expired".to_owned(),
            Self::NotYetValid => "its certificate is not valid yet".to_owned(),
            Self::ClientRefused(alert) => {
                format!("it does not take the certificate that it was shown, or none ({alert})")
            }
            Self::Other(text) => format!("TLS failed ({text})"),
        }
    }
}

/// Whether a byte of the request may have left when an exchange ended with this error. hyper writes a
/// request when the connection is made, TLS and the proxy's tunnel included, and no earlier; what it
/// says about a connection that was made says nothing about what was written into it.
pub(super) fn reached(error: &reqwest::Error) -> Reached {
    match error.is_connect() || error.is_builder() {
        true => Reached::Nobody,
        false => Reached::Perhaps,
    }
}

/// The first error of a type in the chain. `io::Error` hides the error it wraps from `source`, so
/// it is asked.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests;
