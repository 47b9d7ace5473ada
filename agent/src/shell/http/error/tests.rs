//! What each fault says, and whose it is.

use super::*;

const SET_CERTIFICATE: &str = "run `tokctl set-secret acme --name tls_certificate` and \
    `tokctl set-secret acme --name tls_key`";

#[test]
fn an_alert_about_a_certificate_is_the_clients_where_it_showed_one() {
    use rustls::AlertDescription as Alert;
    for (alert, with_one, without) in [
        (Alert::CertificateRequired, true, true),
        (Alert::UnknownCA, true, false),
        (Alert::CertificateExpired, true, false),
        (Alert::HandshakeFailure, false, false),
        (Alert::InternalError, false, false),
    ] {
        for (shows_certificate, about_it) in [(true, with_one), (false, without)] {
            let fault = TlsFault::of(&rustls::Error::AlertReceived(alert), shows_certificate);
            let is_refused = matches!(fault, TlsFault::ClientRefused(_));
            assert_eq!(is_refused, about_it, "{alert:?} {shows_certificate}");
        }
    }
}

#[test]
fn every_fault_says_what_happened_and_what_to_type() {
    let second = Duration::from_secs(1);
    let reach = "cannot reach https://acme.example:443: ";
    for (fault, class, kind, message, hint) in [
        (
            Fault::Resolve,
            Class::Retry,
            Kind::ProviderUnreachable,
            format!("{reach}its name does not resolve (DNS)"),
            None,
        ),
        (
            Fault::Refused,
            Class::Retry,
            Kind::ProviderUnreachable,
            format!("{reach}connection refused"),
            None,
        ),
        (
            Fault::Connect(io::ErrorKind::NetworkUnreachable),
            Class::Retry,
            Kind::ProviderUnreachable,
            format!("{reach}network unreachable"),
            None,
        ),
        (
            Fault::ConnectTimeout(second),
            Class::Retry,
            Kind::ProviderUnreachable,
            format!("{reach}no connection within 1s"),
            None,
        ),
        (
            Fault::Timeout(second),
            Class::Retry,
            Kind::ProviderUnreachable,
            format!("{reach}no answer within 1s"),
            None,
        ),
        (
            Fault::Tls(TlsFault::UnknownIssuer),
            Class::Retry,
            Kind::ProviderUnreachable,
            format!("{reach}its certificate is signed by nobody this machine trusts (unknown CA)"),
            Some(
                "if the provider has a certificate authority of its own, run `tokctl set acme ca_file=\u{2026}`",
            ),
        ),
        (
            Fault::Tls(TlsFault::OtherName),
            Class::Retry,
            Kind::ProviderUnreachable,
            format!("{reach}its certificate is for another host name"),
            None,
        ),
        (
            Fault::Tls(TlsFault::ClientRefused("UnknownCA".into())),
            Class::Permanent,
            Kind::ProviderRefused,
            format!(
                "{reach}it does not take the certificate that it was shown, or none (UnknownCA)"
            ),
            Some(SET_CERTIFICATE),
        ),
        (
            Fault::ClientCertificate("keys may not be consistent".into()),
            Class::LoginRequired,
            Kind::SecretRequired,
            "cannot use the stored certificate and its key: keys may not be consistent".to_owned(),
            Some(SET_CERTIFICATE),
        ),
        (
            Fault::CertificateInTheClear,
            Class::Permanent,
            Kind::ConfigInvalid,
            "https://acme.example:443 is not https, and a certificate is shown over TLS alone"
                .to_owned(),
            None,
        ),
        (
            Fault::TooLarge(1024 * 1024),
            Class::Retry,
            Kind::ProviderFailed,
            "the answer of https://acme.example:443 is larger than 1024 KiB".to_owned(),
            None,
        ),
        (
            Fault::CaFile { path: "/ca.pem".into(), reason: "no such file".into() },
            Class::Permanent,
            Kind::ConfigInvalid,
            "cannot use ca_file /ca.pem: no such file".to_owned(),
            Some("run `tokctl set acme ca_file=\u{2026}`"),
        ),
        (
            Fault::LoopbackOwner { uid: 1001 },
            Class::Retry,
            Kind::WrongUser,
            format!("{reach}user 1001, who is neither you nor root, listens there"),
            None,
        ),
        (
            Fault::PlainHttp { is_loopback: true },
            Class::Permanent,
            Kind::ConfigInvalid,
            "https://acme.example:443 is not https, and plain http is for this machine alone"
                .to_owned(),
            Some("run `tokctl set acme allow_http_loopback=true`"),
        ),
    ] {
        let at = "https://acme.example:443".into();
        let error = HttpError { at, fault, reached: Reached::Perhaps };
        let trouble = error.trouble(&ProfileName::parse("acme").unwrap());
        assert_eq!((trouble.class, trouble.failure.kind), (class, kind), "{error}");
        assert_eq!(trouble.failure.message, message);
        assert_eq!(trouble.failure.hint.as_deref(), hint);
        assert_eq!(trouble.reached, Reached::Perhaps);
    }
}

#[test]
fn what_one_profile_trusts_is_not_the_provider_being_down() {
    let second = Duration::from_secs(1);
    for (fault, is_down) in [
        (Fault::Resolve, true),
        (Fault::Refused, true),
        (Fault::Connect(io::ErrorKind::NetworkUnreachable), true),
        (Fault::ConnectTimeout(second), true),
        (Fault::Timeout(second), true),
        (Fault::Broken, true),
        (Fault::Tls(TlsFault::Expired), true),
        (Fault::LoopbackOwner { uid: 1 }, true),
        (Fault::Tls(TlsFault::UnknownIssuer), false),
        (Fault::Tls(TlsFault::ClientRefused("UnknownCA".into())), false),
        (Fault::ClientCertificate("no".into()), false),
        (Fault::CertificateInTheClear, false),
        (Fault::Proxy("http://p.example:80".into()), false),
        (Fault::ProxySetting, false),
        (Fault::CaFile { path: "/ca.pem".into(), reason: "no".into() }, false),
        (Fault::TooLarge(1), false),
        (Fault::PlainHttp { is_loopback: false }, false),
        (Fault::Header("Authorization".into()), false),
    ] {
        assert_eq!(fault.cause() == Cause::Provider, is_down, "{fault:?}");
    }
}

#[test]
fn the_reason_is_found_below_an_io_error() {
    use rustls::CertificateError as Certificate;
    for (certificate, fault) in [
        (Certificate::UnknownIssuer, TlsFault::UnknownIssuer),
        (Certificate::NotValidForName, TlsFault::OtherName),
        (Certificate::Expired, TlsFault::Expired),
        (Certificate::NotValidYet, TlsFault::NotYetValid),
    ] {
        let inner = io::Error::other(rustls::Error::InvalidCertificate(certificate));
        let outer = io::Error::other(inner);
        assert_eq!(find::<rustls::Error>(&outer).map(|it| TlsFault::of(it, true)), Some(fault));
    }
    assert!(find::<rustls::Error>(&io::Error::other("no")).is_none());
}
