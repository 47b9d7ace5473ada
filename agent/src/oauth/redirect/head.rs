//! The head of an HTTP request to the loopback listener (RFC 8252 section 7.3): whether a browser
//! sends it that was sent here, and the query that it carries.
//!
//! Other pages can make a browser send requests here too, by its name for this machine or by one of
//! theirs that resolves to it. So the Host is compared, and what is no navigation of a whole page is
//! not looked at. None of this is proof; that is what the state is for.

use url::Url;

/// Longest head: an address with a code in it, and the cookies that a browser has for 127.0.0.1, which
/// are those of every port and may be many where somebody builds web pages.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// More headers than a browser sends, several times over.
const HEADERS_MAX: usize = 64;

/// Where the browser is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `127.0.0.1:8400`, as the browser writes it.
    host: String,
    path: String,
}

/// What came of the bytes so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Head<'a> {
    Incomplete,
    /// No request that is answered here.
    Stray,
    /// What stands behind the question mark.
    Query(&'a str),
}

impl Place {
    /// Where a redirect URI with its port leads.
    pub fn of(redirect_uri: &Url) -> Self {
        let host = &redirect_uri[url::Position::BeforeHost..url::Position::AfterPort];
        Self { host: host.to_owned(), path: redirect_uri.path().to_owned() }
    }

    /// Reads what has arrived.
    pub fn read<'a>(&self, bytes: &'a [u8]) -> Head<'a> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => {
                return Head::Incomplete;
            }
            Ok(httparse::Status::Partial) | Err(_) => return Head::Stray,
        }
        let (path, query) = match request.path {
            Some(target) => target.split_once('?').unwrap_or((target, "")),
            None => return Head::Stray,
        };
        let is_ours = request.method == Some("GET")
            && path == self.path
            && self.is_host(request.headers)
            && is_navigation(request.headers);
        match is_ours {
            true => Head::Query(query),
            false => Head::Stray,
        }
    }

    fn is_host(&self, headers: &[httparse::Header<'_>]) -> bool {
        let mut hosts = values(headers, "host");
        // RFC 9110 section 7.2: exactly one.
        hosts.next().is_some_and(|host| host.eq_ignore_ascii_case(self.host.as_bytes()))
            && hosts.next().is_none()
    }
}

/// Whether the browser shows what it gets as a page of its own (W3C Fetch Metadata). A browser that
/// sends none of these is not told from another program.
fn is_navigation(headers: &[httparse::Header<'_>]) -> bool {
    let all_are = |name: &'static str, wanted: &[&str]| {
        values(headers, name).all(|value| wanted.iter().any(|wanted| value == wanted.as_bytes()))
    };
    // A navigation by GET has no origin; a form or a script that posts has one.
    all_are("sec-fetch-mode", &["navigate"])
        && all_are("sec-fetch-dest", &["document"])
        && all_are("origin", &["null"])
}

fn values<'a>(
    headers: &'a [httparse::Header<'a>],
    name: &'static str,
) -> impl Iterator<Item = &'a [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place() -> Place {
        Place::of(&Url::parse("http://127.0.0.1:8400/cb").unwrap())
    }

    #[test]
    fn a_browser_that_was_sent_here_is_heard() {
        for more in [
            "",
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
            "Origin: null\r\nCookie: a=b\r\n",
        ] {
            for version in ["1.1", "1.0"] {
                let head = format!(
                    "GET /cb?code=1&state=2 HTTP/{version}\r\nHost: 127.0.0.1:8400\r\n{more}\r\n"
                );
                let read = place().read(head.as_bytes());
                assert_eq!(read, Head::Query("code=1&state=2"), "{head}");
            }
        }
        assert_eq!(
            place().read(b"GET /cb HTTP/1.1\r\nHOST:127.0.0.1:8400\r\n\r\n"),
            Head::Query("")
        );
    }

    #[test]
    fn whoever_else_comes_is_a_stray() {
        let host = "Host: 127.0.0.1:8400\r\n";
        for (line, headers) in [
            ("POST /cb?code=1 HTTP/1.1", host),
            ("HEAD /cb?code=1 HTTP/1.1", host),
            ("get /cb?code=1 HTTP/1.1", host),
            ("GET /?code=1 HTTP/1.1", host),
            ("GET /cb/?code=1 HTTP/1.1", host),
            ("GET /cb%3Fcode=1 HTTP/1.1", host),
            ("GET http://127.0.0.1:8400/cb?code=1 HTTP/1.1", host),
            ("GET /cb?code=1 HTTP/2.0", host),
            ("GET /cb?code=1 HTTP/1.1", ""),
            ("GET /cb?code=1 HTTP/1.1", "Host: evil.example:8400\r\n"),
            ("GET /cb?code=1 HTTP/1.1", "Host: 127.0.0.1\r\n"),
            ("GET /cb?code=1 HTTP/1.1", "Host: 127.0.0.1:8401\r\n"),
            ("GET /cb?code=1 HTTP/1.1", "Host: localhost:8400\r\n"),
            ("GET /cb?code=1 HTTP/1.1", "Host: 127.0.0.1:8400\r\nHost: evil.example\r\n"),
            ("GET /cb?code=1 HTTP/1.1", "Host: 127.0.0.1:8400\r\nSec-Fetch-Mode: cors\r\n"),
            ("GET /cb?code=1 HTTP/1.1", "Host: 127.0.0.1:8400\r\nSec-Fetch-Dest: iframe\r\n"),
            ("GET /cb?code=1 HTTP/1.1", "Host: 127.0.0.1:8400\r\nSec-Fetch-Dest: image\r\n"),
            ("GET /cb?code=1 HTTP/1.1", "Host: 127.0.0.1:8400\r\nOrigin: https://evil.example\r\n"),
            ("GET /cb?code=1", ""),
            ("\u{16}\u{3}\u{1}", ""),
        ] {
            let head = format!("{line}\r\n{headers}\r\n");
            assert_eq!(place().read(head.as_bytes()), Head::Stray, "{head:?}");
        }
    }

    #[test]
    fn a_head_is_waited_for_up_to_its_limit() {
        let begin = b"GET /cb?code=1 HTTP/1.1\r\nHost: 127.0.0.1:8400\r\nX: ".to_vec();
        for (length, read) in [
            (begin.len(), Head::Incomplete),
            (HEAD_BYTES_MAX - 1, Head::Incomplete),
            (HEAD_BYTES_MAX, Head::Stray),
        ] {
            let mut bytes = begin.clone();
            bytes.resize(length, b'x');
            assert_eq!(place().read(&bytes), read, "{length}");
        }
        assert_eq!(place().read(b""), Head::Incomplete);
        let many = "a: b\r\n".repeat(HEADERS_MAX + 1);
        let head = format!("GET /cb HTTP/1.1\r\n{many}\r\n");
        assert_eq!(place().read(head.as_bytes()), Head::Stray);
    }

    #[test]
    fn a_place_is_what_the_browser_writes() {
        for (uri, host) in [
            ("http://127.0.0.1:8400/", "127.0.0.1:8400"),
            ("http://[::1]:8400/", "[::1]:8400"),
            ("http://localhost:8400/", "localhost:8400"),
            ("http://127.0.0.1:80/", "127.0.0.1"),
        ] {
            assert_eq!(Place::of(&Url::parse(uri).unwrap()).host, host);
        }
    }

    proptest! {
        #[test]
        fn no_head_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ignored = place().read(&bytes);
        }

        #[test]
        fn no_cut_of_a_head_reads_as_another(cut in 0_usize..63) {
            let head = b"GET /cb?code=1&state=2 HTTP/1.1\r\nHost: 127.0.0.1:8400\r\nX: y\r\n\r\n";
            prop_assert_eq!(place().read(&head[..cut]), Head::Incomplete);
        }
    }
}
