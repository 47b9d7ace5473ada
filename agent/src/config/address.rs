//! The rules for URLs: https, or http to this machine where the profile allows it; nothing in them
//! that another program would read differently than we do.
//!
//! The `url` crate follows the WHATWG rules, which mend what is malformed: they drop tabs, turn `\`
//! into `/` and take `https:host`. A secret goes where the mended text points, so mending is
//! refused here.

use tokctl_proto::token::is_token;
use url::{Host, Url};

use super::error::Broken;
use super::profile::RedirectUri;

/// A URL that requests are sent to: no fragment (RFC 6749 section 3.2); a query is kept.
pub(super) fn endpoint(text: &str, http_loopback: bool) -> Result<Url, Broken> {
    let url = web(text)?;
    sent_safely(&url, http_loopback)?;
    Ok(url)
}

/// A redirect URI as it was registered: http to this machine (RFC 8252 section 7.3), or https, where the person
/// pastes the address that the browser ended at.
pub(super) fn redirect_uri(text: &str) -> Result<RedirectUri, Broken> {
    let url = web(text)?;
    match url.scheme() == "https" || is_loopback(&url) {
        true => {
            RedirectUri::read(text).map_err(|error| Broken::new(format!("is not a URL: {error}")))
        }
        false => Err(Broken::new("is plain http to another machine")
            .hint("use `http://127.0.0.1/`, with the port that was registered if there is one")),
    }
}

/// A Google service account: its e-mail address, or the URL where its tokens are made.
pub(super) fn account(text: &str, http_loopback: bool) -> Result<String, Broken> {
    if text.contains("://") {
        endpoint(text, http_loopback)?;
        return Ok(text.to_owned());
    }
    match is_token(text)
        && text.split_once('@').is_some_and(|(name, at)| !name.is_empty() && at.contains('.'))
    {
        true => Ok(text.to_owned()),
        false => Err(Broken::new("must be the e-mail address of a service account")),
    }
}

/// An issuer: neither query nor fragment (RFC 8414 section 2).
pub(super) fn issuer(text: &str, http_loopback: bool) -> Result<Url, Broken> {
    let url = endpoint(text, http_loopback)?;
    match url.query() {
        Some(_) => Err(Broken::new("must not have a query (RFC 8414 section 2)")),
        None => Ok(url),
    }
}

/// A place where a token may be used.
pub(super) fn api_url(text: &str, http_loopback: bool) -> Result<Url, Broken> {
    let url = endpoint(text, http_loopback)?;
    match url.query() {
        Some(_) => Err(Broken::new("must not have a query: it names a place, not a request")),
        None => Ok(url),
    }
}

/// A URL that a token is to be used at: https or http, which whoever asks decides about.
pub(super) fn called(text: &str) -> Result<Url, Broken> {
    web(text)
}

/// A proxy: an origin. Plain http is right here, since what goes through it is TLS.
pub(super) fn proxy(text: &str) -> Result<String, Broken> {
    if !text.split_once("://").is_some_and(|(scheme, _)| is_web(scheme)) {
        return Err(Broken::new("must be a URL that starts with http:// or https://"));
    }
    let url = web(text)?;
    if url.query().is_some() || url.path() != "/" {
        return Err(Broken::new("must be a scheme, a host and a port alone"));
    }
    Ok(text.to_owned())
}

/// A resource: an absolute URI without fragment (RFC 8707 section 2), of any scheme.
pub(super) fn resource(text: &str) -> Result<String, Broken> {
    plain(text)?;
    if text.contains('#') {
        return Err(Broken::new("must not have a fragment (RFC 8707 section 2)"));
    }
    match Url::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Broken::new("must be an absolute URI (RFC 8707 section 2)")),
    }
}

/// Whether the text is a plain http URL of this machine, for which `add` sets
/// `allow_http_loopback`.
pub fn is_http_loopback(text: &str) -> bool {
    web(text).is_ok_and(|url| url.scheme() == "http" && is_loopback(&url))
}

/// An http or https URL with a host, without user and fragment.
fn web(text: &str) -> Result<Url, Broken> {
    plain(text)?;
    let (_, rest) = text
        .split_once("://")
        .filter(|(scheme, _)| is_web(scheme))
        .ok_or_else(|| Broken::new("must be a URL that starts with https://"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // The text is not quoted: what stands there is a password.
    if authority.contains('@') {
        return Err(Broken::new("must not hold a user name or a password"));
    }
    if authority.is_empty() {
        return Err(Broken::new("has no host"));
    }
    if text.contains('#') {
        return Err(Broken::new("must not have a fragment (RFC 6749 section 3.2)"));
    }
    Url::parse(text).map_err(|error| Broken::new(format!("is not a URL: {error}")))
}

fn is_web(scheme: &str) -> bool {
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

fn plain(text: &str) -> Result<(), Broken> {
    if is_token(text) && !text.contains('\\') {
        return Ok(());
    }
    Err(Broken::new("must be visible ASCII without spaces or `\\`"))
}

fn sent_safely(url: &Url, http_loopback: bool) -> Result<(), Broken> {
    match (url.scheme(), is_loopback(url), http_loopback) {
        ("https", _, _) | (_, true, true) => Ok(()),
        (_, true, false) => Err(Broken::new(
            "is plain http, which is for this machine alone and needs `allow_http_loopback = true`",
        )
        .hint("use https, or set `allow_http_loopback = true` in the profile")),
        (_, false, _) => Err(Broken::new(
            "is plain http, which is for a loopback host alone (127.0.0.0/8, ::1, localhost), \
             with `allow_http_loopback = true`",
        )
        .hint("use https")),
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_is_kept_as_it_was_registered() {
        for (text, at_port) in [
            ("http://127.0.0.1", Some("http://127.0.0.1:7000")),
            ("http://127.0.0.1/", Some("http://127.0.0.1:7000/")),
            ("http://localhost/cb?x=1", Some("http://localhost:7000/cb?x=1")),
            ("http://localhost?x=1", Some("http://localhost:7000?x=1")),
            ("http://[::1]/cb", Some("http://[::1]:7000/cb")),
            ("http://127.0.0.1:80/cb", Some("http://127.0.0.1:7000/cb")),
            ("http://127.0.0.1:8400", Some("http://127.0.0.1:8400")),
            ("http://127.0.0.1:8400/cb", Some("http://127.0.0.1:8400/cb")),
            ("https://app.example/cb", Some("https://app.example:7000/cb")),
            ("http://app.example/cb", None),
            ("custom:/cb", None),
        ] {
            let read = redirect_uri(text);
            assert_eq!(read.as_ref().ok().map(RedirectUri::text), at_port.map(|_| text));
            let moved = read.ok().map(|read| read.at_port(7000));
            assert_eq!(moved.as_ref().map(RedirectUri::text), at_port, "{text}");
            if let Some(moved) = moved {
                assert_eq!(moved.url().as_str(), Url::parse(moved.text()).unwrap().as_str());
            }
        }
    }

    #[test]
    fn plain_http_is_for_an_allowed_loopback_alone() {
        for (text, refused, allowed) in [
            ("https://as.example/token", true, true),
            ("HTTPS://as.example/token", true, true),
            ("http://as.example/token", false, false),
            ("http://127.0.0.1:9400/token", false, true),
            ("http://127.255.255.254/", false, true),
            ("http://126.255.255.255/", false, false),
            ("http://128.0.0.1/", false, false),
            ("http://0.0.0.0/", false, false),
            ("http://[::1]:9400/", false, true),
            ("http://[::2]/", false, false),
            ("http://[::ffff:127.0.0.1]/", false, false),
            ("http://localhost/", false, true),
            ("http://LOCALHOST:1/", false, true),
            ("http://localhost./", false, false),
            ("http://localhost.example/", false, false),
            ("http://api.localhost/", false, false),
            ("http://192.168.0.1/", false, false),
        ] {
            assert_eq!(endpoint(text, false).is_ok(), refused, "{text} refused");
            assert_eq!(endpoint(text, true).is_ok(), allowed, "{text} allowed");
            assert_eq!(is_http_loopback(text), !refused && allowed, "{text}");
        }
    }

    #[test]
    fn an_endpoint_keeps_its_query_and_has_no_fragment() {
        for (text, fits) in [
            ("https://as.example/t?tenant=1", true),
            ("https://as.example/t?", true),
            ("https://as.example/t#x", false),
            ("https://as.example/t#", false),
        ] {
            let url = endpoint(text, false);
            assert_eq!(url.as_ref().ok().map(Url::as_str), fits.then_some(text), "{text}");
        }
    }

    #[test]
    fn a_service_account_is_an_address_or_a_url() {
        for (text, fits) in [
            ("ci@p.iam.gserviceaccount.com", true),
            ("https://iam.example/v1/x:generateAccessToken", true),
            ("http://iam.example/v1/x:generateAccessToken", false),
            ("ci", false),
            ("@p.example", false),
            ("ci@p", false),
            ("c i@p.example", false),
        ] {
            assert_eq!(account(text, false).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn nothing_is_mended() {
        for text in [
            "",
            "as.example",
            "//as.example",
            "https:as.example",
            "https:/as.example",
            "https:///as.example",
            "https://",
            "https://?x",
            "https://as.example:99999",
            "https://as example",
            " https://as.example",
            "https://as.example\n",
            "https://as.ex\tample",
            "https:\\\\as.example",
            "https://good.example\\@evil.example",
            "https://ex\u{e4}mple.example",
            "ftp://as.example",
            "file:///etc/passwd",
            "javascript://as.example",
        ] {
            assert!(endpoint(text, true).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_user_in_a_url_is_refused_and_not_repeated() {
        for text in
            ["https://u:hunter2@as.example", "https://hunter2@as.example", "https://@as.example"]
        {
            let broken = endpoint(text, false).unwrap_err();
            assert!(broken.message.contains("user name"), "{text}");
            assert!(!format!("{broken:?}").contains("hunter2"));
        }
        assert!(endpoint("https://as.example/@me?x=a@b", false).is_ok());
    }

    #[test]
    fn an_issuer_and_a_place_have_no_query() {
        for (text, fits) in [
            ("https://as.example", true),
            ("https://as.example/tenant/", true),
            ("https://as.example/?a", false),
            ("https://as.example/#a", false),
        ] {
            assert_eq!(issuer(text, false).is_ok(), fits, "{text}");
            assert_eq!(api_url(text, false).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn a_proxy_is_an_origin() {
        for (text, fits) in [
            ("http://proxy.example:3128", true),
            ("https://proxy.example/", true),
            ("http://10.0.0.1:8080", true),
            ("proxy.example:3128", false),
            ("socks5://proxy.example", false),
            ("http://u:p@proxy.example", false),
            ("http://proxy.example/path", false),
            ("http://proxy.example?x", false),
            ("http://", false),
        ] {
            assert_eq!(proxy(text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn a_resource_is_absolute_and_has_no_fragment() {
        for (text, fits) in [
            ("https://api.example/", true),
            ("http://api.example/", true),
            ("urn:example:api", true),
            ("api://0000-1111", true),
            ("api.example", false),
            ("/path", false),
            ("https://api.example/#", false),
            ("https://api.example/a b", false),
            ("", false),
        ] {
            assert_eq!(resource(text).is_ok(), fits, "{text}");
        }
    }
}
