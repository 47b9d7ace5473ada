//! The promises of the HTTP client, against a server that breaks every rule.

use std::collections::BTreeSet;
use std::time::Duration;

use super::scripted::{Answer, Scripted, loopback};
use super::*;

const SENT_AT: WallMs = WallMs(1_000_000_000);

fn post(url: &str) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        url: Url::parse(url).unwrap(),
        headers: vec![("Accept".into(), Secret::new("application/json".into()))],
        body: Secret::new("grant_type=x".into()),
    }
}

fn impatient() -> Http {
    Http::new(Limits { total: Duration::from_millis(300), ..Limits::default() })
}

fn impatient_to_connect() -> Http {
    Http::new(Limits { connect: Duration::from_millis(300), ..Limits::default() })
}

async fn sent(http: &Http, server: &Scripted) -> Result<HttpReply, HttpError> {
    http.send(&loopback(), post(&format!("http://127.0.0.1:{}/t", server.port)), SENT_AT).await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_made_and_the_reply_comes_back_whole() {
    let server = Scripted::start(vec![Answer::Bytes(
        b"HTTP/1.1 401 Unauthorized\r\nContent-Type: Application/JSON; charset=utf-8\r\nRetry-After: 7\r\n\
          Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n"
            .to_vec(),
    )]);
    let url = format!("http://localhost:{}/token?tenant=1", server.port);
    let reply = Http::default().send(&loopback(), post(&url), SENT_AT).await.unwrap();
    assert_eq!((reply.status, reply.sent_at), (401, SENT_AT));
    assert_eq!(reply.content_type.as_deref(), Some("application/json"));
    assert_eq!(reply.retry_after.as_deref(), Some("7"));
    assert_eq!(reply.date.as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert!(reply.received_at > SENT_AT);
    assert_eq!(reply.body.as_slice(), br#"{"a":1}"#);

    let request = server.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some("POST /token?tenant=1 HTTP/1.1"));
    let names: BTreeSet<_> = lines.map(|line| line.to_ascii_lowercase()).collect();
    let host = format!("host: localhost:{}", server.port);
    let agent = format!("user-agent: tokctl/{}", env!("CARGO_PKG_VERSION"));
    // No accept-encoding among them: nothing is ever inflated.
    let expected = ["accept: application/json", "content-length: 12", &host, &agent];
    assert_eq!(names, expected.into_iter().map(str::to_owned).collect());
    assert_eq!(body, "grant_type=x");
}

#[test]
fn an_exchange_can_be_spawned() {
    fn assert_send(_: &impl Send) {}
    let (http, network) = (Http::default(), loopback());
    assert_send(&http.send(&network, post("https://acme.example/"), SENT_AT));
}

#[tokio::test]
async fn a_redirect_is_a_reply_like_any_other() {
    for status in [301, 302, 303, 307, 308] {
        let server = Scripted::start(vec![Answer::status(status), Answer::status(200)]);
        assert_eq!(sent(&Http::default(), &server).await.unwrap().status, status);
        server.request();
        server.assert_idle();
    }
}

#[tokio::test]
async fn a_request_is_sent_exactly_once() {
    for answer in [Answer::status(503), Answer::Bytes(Vec::new()), Answer::Reset(Vec::new())] {
        let server = Scripted::start(vec![answer, Answer::status(200)]);
        let outcome = sent(&Http::default(), &server).await;
        assert!(outcome.is_err() || outcome.is_ok_and(|reply| reply.status == 503));
        server.request();
        server.assert_idle();
    }
}

#[tokio::test]
async fn a_slow_reply_ends_at_the_limit() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx".to_vec();
    for answer in
        [Answer::Hold(Vec::new()), Answer::Hold(b"HTTP/1.1 200".to_vec()), Answer::Hold(head)]
    {
        let server = Scripted::start(vec![answer]);
        let error = sent(&impatient(), &server).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Timeout(_)), "{error:?}");
        assert_eq!(error.reached, Reached::Perhaps);
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read() {
    let announced = b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n".to_vec();
    let endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000)).into_bytes();
    for answer in [
        Answer::Hold(announced),
        Answer::Flood(endless, vec![b'x'; 4096]),
        Answer::Flood(chunked, chunk),
    ] {
        let server = Scripted::start(vec![answer]);
        let error = sent(&Http::default(), &server).await.unwrap_err();
        assert!(matches!(error.fault, Fault::TooLarge(BODY_BYTES_MAX)), "{error:?}");
        assert_eq!(error.reached, Reached::Perhaps);
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_read() {
    let http = Http::new(Limits { body_bytes: 10, ..Limits::default() });
    for (length, fits) in [(9, true), (10, true), (11, false)] {
        let body = "x".repeat(length);
        let unannounced = format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes();
        for answer in [Answer::json(&body), Answer::Bytes(unannounced)] {
            let server = Scripted::start(vec![answer]);
            let outcome = sent(&http, &server).await;
            assert_eq!(outcome.is_ok(), fits, "{length}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_broken_connection() {
    let flood = b"HTTP/1.1 200 OK\r\n".to_vec();
    for answer in [
        Answer::Flood(flood.clone(), b"X-More: and more\r\n".to_vec()),
        Answer::Flood([flood, b"X-Endless: ".to_vec()].concat(), vec![b'x'; 4096]),
        Answer::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx".to_vec()),
        Answer::Bytes(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx".to_vec(),
        ),
        Answer::Reset(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx".to_vec()),
        Answer::Reset(b"HTTP/1.1 200 OK\r\n".to_vec()),
    ] {
        let server = Scripted::start(vec![answer]);
        let error = sent(&Http::default(), &server).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Broken), "{error:?}");
        assert_eq!(error.reached, Reached::Perhaps);
    }
}

#[tokio::test]
async fn a_connection_that_was_made_may_have_taken_the_request() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx".to_vec();
    for answer in [
        Answer::HangUp,
        Answer::Bytes(Vec::new()),
        Answer::Reset(Vec::new()),
        Answer::Bytes(b"HTTP/1.1 2".to_vec()),
        Answer::Bytes(half.clone()),
        Answer::Reset(half),
    ] {
        let server = Scripted::start(vec![answer, Answer::status(200)]);
        let error = sent(&Http::default(), &server).await.unwrap_err();
        assert_eq!(error.reached, Reached::Perhaps, "{error:?}");
        let profile = tokctl_proto::ProfileName::parse("acme").unwrap();
        assert_eq!(error.trouble(&profile).reached, Reached::Perhaps);
        server.request();
        server.assert_idle();
    }
}

#[tokio::test]
async fn a_tunnel_that_breaks_off_has_carried_no_request() {
    for answer in [
        Answer::HangUp,
        Answer::Bytes(Vec::new()),
        Answer::Bytes(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        Answer::Hold(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        Answer::Hold(b"HTTP/1.1 200 OK\r\n\r\nno TLS".to_vec()),
    ] {
        let server = Scripted::start(vec![answer]);
        let proxy = format!("http://127.0.0.1:{}", server.port);
        let network = Network { proxy: Some(proxy), ..Network::default() };
        let request = post("https://acme.example/token");
        let error = impatient_to_connect().send(&network, request, SENT_AT).await.unwrap_err();
        assert_eq!(error.reached, Reached::Nobody, "{error:?}");
        assert!(!server.request().contains("grant_type"));
    }
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_has_carried_no_request() {
    let server = Scripted::start(vec![Answer::Unasked(Vec::new())]);
    let http = impatient_to_connect();
    let request = post(&format!("https://127.0.0.1:{}/", server.port));
    let error = http.send(&loopback(), request, SENT_AT).await.unwrap_err();
    assert!(matches!(error.fault, Fault::ConnectTimeout(_)), "{error:?}");
    assert_eq!(error.reached, Reached::Nobody);
}

#[tokio::test]
async fn every_request_has_a_connection_of_its_own() {
    let kept_open = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx".to_vec();
    let server = Scripted::start(vec![Answer::Hold(kept_open.clone()), Answer::Hold(kept_open)]);
    let http = Http::default();
    for _ in 0..2 {
        assert_eq!(sent(&http, &server).await.unwrap().status, 200);
        server.request();
    }
}

#[tokio::test]
async fn nobody_listening_is_a_refused_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for scheme in ["http", "https"] {
        let request = post(&format!("{scheme}://127.0.0.1:{port}/"));
        let error = Http::default().send(&loopback(), request, SENT_AT).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Refused), "{error:?}");
        assert_eq!(error.reached, Reached::Nobody);
        assert_eq!(
            error.to_string(),
            format!("cannot reach {scheme}://127.0.0.1:{port}: connection refused")
        );
    }
}

#[tokio::test]
async fn plain_http_is_not_sent_without_the_flag() {
    let server = Scripted::start(vec![Answer::status(200)]);
    let request = post(&format!("http://127.0.0.1:{}/", server.port));
    let error = Http::default().send(&Network::default(), request, SENT_AT).await.unwrap_err();
    assert!(matches!(error.fault, Fault::PlainHttp { is_loopback: true }), "{error:?}");
    assert_eq!(error.reached, Reached::Nobody);
    server.assert_idle();
}

#[tokio::test]
async fn a_server_without_tls_fails_the_handshake() {
    let server = Scripted::start(vec![Answer::Unasked(b"HTTP/1.1 400 X\r\n\r\n".to_vec())]);
    let request = post(&format!("https://127.0.0.1:{}/", server.port));
    let error = Http::default().send(&loopback(), request, SENT_AT).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Tls(TlsFault::Other(_))), "{error:?}");
    assert_eq!(error.reached, Reached::Nobody);
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_and_named_when_it_gives_none() {
    let server = Scripted::start(vec![Answer::status(502)]);
    let proxy = format!("http://user:pw@127.0.0.1:{}", server.port);
    let network = Network { proxy: Some(proxy), ..Network::default() };
    let request = post("https://acme.example/token");
    let error = Http::default().send(&network, request, SENT_AT).await.unwrap_err();
    let named = format!("http://127.0.0.1:{}", server.port);
    assert!(matches!(&error.fault, Fault::Proxy(proxy) if *proxy == named), "{error:?}");
    assert_eq!(error.reached, Reached::Nobody);
    let asked = server.request();
    assert!(asked.starts_with("CONNECT acme.example:443 HTTP/1.1\r\n"), "{asked}");
    assert!(!asked.contains("grant_type"), "{asked}");
}

#[tokio::test]
async fn an_error_never_shows_the_query() {
    let server = Scripted::start(vec![Answer::Bytes(Vec::new())]);
    let request = post(&format!("http://127.0.0.1:{}/t?code=hunter2", server.port));
    let error = Http::default().send(&loopback(), request, SENT_AT).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_header_that_would_break_out_is_not_sent() {
    let server = Scripted::start(vec![Answer::status(200)]);
    let mut request = post(&format!("http://127.0.0.1:{}/", server.port));
    request.headers.push(("Authorization".into(), Secret::new("a\r\nX: y".into())));
    let error = Http::default().send(&loopback(), request, SENT_AT).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Header(ref name) if name == "Authorization"), "{error:?}");
    assert_eq!(error.reached, Reached::Nobody);
    server.assert_idle();
}

#[tokio::test]
async fn clients_are_kept_for_an_hour_and_as_long_as_the_file_stays() {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    let http = Http::default();
    let network = Network { ca_file: Some(ca_file.clone()), ..Network::default() };
    let route = Route::Secure(network);
    let kept = |now: i64| http.kept(&route, stamp(&ca_file), WallMs(SENT_AT.0 + now)).is_some();
    let hour = 3_600_000;

    let client = client::plain(&Limits::default());
    fs::write(&ca_file, "one").unwrap();
    http.keep(route.clone(), Kept { client, made_at: SENT_AT, ca_file: stamp(&ca_file) });
    for (now, is_kept) in [(0, true), (hour - 1, true), (hour, false), (-1, false)] {
        assert_eq!(kept(now), is_kept, "{now}");
    }
    fs::write(&ca_file, "another").unwrap();
    assert!(!kept(0));
    http.forget_clients();
    assert!(http.clients.lock().unwrap().is_empty());
}

#[test]
fn only_so_many_clients_are_kept() {
    let http = Http::default();
    for at in 0..=CLIENTS_MAX {
        let route = Route::Secure(Network { proxy: Some(at.to_string()), ..Network::default() });
        let client = client::plain(&Limits::default());
        let made_at = WallMs(i64::try_from(at).unwrap());
        http.keep(route, Kept { client, made_at, ca_file: None });
    }
    let clients = http.clients.lock().unwrap();
    assert_eq!(clients.len(), CLIENTS_MAX);
    assert!(clients.values().all(|kept| kept.made_at > WallMs(0)));
}
