//! Bytes that no proper client sends, and clients that send none.

use tokctl_proto::frame::{FRAME_BYTES_MAX, Preamble};
use tokctl_proto::request::{Get, Request};
use tokctl_proto::version;
use tokctl_tests::wire::{Raw, framed, preamble, raw_frame};
use tokctl_tests::{Home, Provider};

fn get() -> Request<'static> {
    Request::Get(Get { profile: "acme".into(), ..Get::default() })
}

/// A home whose profile `acme` has a token in memory.
fn serving(provider: &Provider) -> (Home, String) {
    let home = Home::new().init_bare();
    home.add_at("acme", provider);
    let token = home.get("acme");
    (home, token)
}

#[test]
fn hostile_bytes_get_no_token_and_leave_the_agent_serving() {
    let provider = Provider::start();
    let (home, token) = serving(&provider);
    let hello = preamble(&Preamble::new(Some(home.path())));
    let whole = framed(&get());
    let body = &whole[5..];
    let length = |length: usize| u32::try_from(length).unwrap();
    let trailing = raw_frame(length(body.len() + 2), 1, &[body, &[0]].concat());
    let after_hello = |bytes: &[u8]| [&hello, bytes].concat();
    for (what, bytes) in [
        ("another protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("no preamble", whole.clone()),
        ("a home without end", [b"TKC\x01\x01\xff\xff".as_slice(), &[b'/'; 70_000]].concat()),
        ("an empty frame", after_hello(&raw_frame(0, 1, body))),
        ("an oversized frame", after_hello(&raw_frame(length(FRAME_BYTES_MAX + 1), 1, body))),
        ("an absurd frame", after_hello(&raw_frame(u32::MAX, 1, body))),
        ("a truncated frame", after_hello(&whole[..whole.len() - 1])),
        (
            "a truncated message",
            after_hello(&raw_frame(length(body.len()), 1, &body[..body.len() - 1])),
        ),
        ("trailing bytes", after_hello(&trailing)),
        ("an unknown tag", after_hello(&raw_frame(2, 1, &[200]))),
        (
            "a string without end",
            after_hello(&raw_frame(11, 1, &[0, 253, 0, 0, 0, 0, 0, 0, 0, 0x40])),
        ),
        ("a line without end", [b"{\"get\":\"".as_slice(), &[b'a'; 200_000]].concat()),
        ("a line that is no JSON", b"{get}\n".to_vec()),
        ("an unknown request", b"{\"frobnicate\":{}}\n".to_vec()),
    ] {
        let mut raw = Raw::connect(&home.socket());
        raw.send(&bytes).half_close();
        let said = raw.rest();
        let found = said.windows(token.len()).any(|window| window == token.as_bytes());
        assert!(!found, "{what} got the token");
        assert_eq!(home.get("acme"), token, "after {what}");
    }
}

#[test]
fn a_version_that_nobody_speaks_is_answered_and_not_carried_out() {
    let provider = Provider::start();
    let (home, _) = serving(&provider);
    let mut raw = Raw::connect(&home.socket());
    let hello = Preamble { lowest: 77, highest: 78, home: Some(home.path()) };
    let mut request = framed(&get());
    request[4] = 77;
    raw.send(&preamble(&hello)).send(&request);
    let supported = serde_json::json!({ "unsupported": [version::LOWEST, version::HIGHEST] });
    assert_eq!(raw.answer(), Some(supported));
    // The connection is still good for a version that both speak.
    let answer = raw.request(&get()).answer().unwrap();
    assert!(answer["done"]["token"].is_object(), "{answer}");
}

#[test]
fn a_preamble_of_another_home_is_refused_before_anything_is_done() {
    let provider = Provider::start();
    let (home, token) = serving(&provider);
    let mut raw = Raw::connect(&home.socket());
    raw.preamble("/somewhere/else".as_ref()).request(&get());
    let answer = raw.answer().unwrap();
    assert_eq!(answer["error"]["kind"], "other_home", "{answer}");
    assert!(!answer.to_string().contains(&token));
}

#[test]
fn a_request_byte_by_byte_is_a_request() {
    let provider = Provider::start();
    let (home, token) = serving(&provider);
    let mut raw = Raw::connect(&home.socket());
    let bytes = [preamble(&Preamble::new(Some(home.path()))), framed(&get())].concat();
    for byte in bytes {
        raw.send(&[byte]);
    }
    let answer = raw.answer().unwrap();
    assert_eq!(answer["done"]["token"]["access_token"], token.as_str());
}

#[test]
fn clients_that_stall_delay_nobody_and_are_shown_out() {
    let provider = Provider::start();
    let (home, token) = serving(&provider);
    let mut stalled: Vec<Raw> = (0..50).map(|_| Raw::connect(&home.socket())).collect();
    for raw in &mut stalled {
        raw.send(b"TKC");
    }
    assert_eq!(home.get("acme"), token);
    // Served before any of them was shown out.
    assert!(stalled.iter_mut().all(Raw::is_pending));
    for mut raw in stalled {
        assert_eq!(raw.rest(), b"");
    }
}

#[test]
fn a_client_that_reads_nothing_delays_nobody() {
    let provider = Provider::start();
    let (home, token) = serving(&provider);
    let mut deaf = Raw::connect(&home.socket());
    deaf.preamble(&home.path());
    let requests = framed(&get()).repeat(2_000);
    // More answers than a socket's buffer holds; the agent stops taking requests, and so this write ends.
    std::thread::scope(|scope| {
        scope.spawn(|| deaf.send_some(&requests));
        assert_eq!(home.get("acme"), token);
    });
}
