//! The bytes of every message, fixed. Other languages test themselves against the same files.
//!
//! `tests/golden/NAME.bin` is the frame, `NAME.txt` the same message as a line of JSON. PROTOCOL.md shows
//! both. A file that exists is never written again: bytes that change need a new message.
//! `cargo xtask golden` writes the files of new messages and the appendix of PROTOCOL.md.

#![expect(clippy::unwrap_used, reason = "a test file: its helpers may fail the test too")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use tokctl_proto::codec;
use tokctl_proto::error::WireFailure;
use tokctl_proto::frame::{self, Frame, Preamble};
use tokctl_proto::request::{self, Assignment, NamedSecret, Request};
use tokctl_proto::response::{
    Agent, Ask, Config, Done, Item, Paste, Profile, ProfileRow, Progress, Response, Said,
    StatusRow, Token,
};
use zeroize::Zeroizing;

const VERSION: u8 = 1;

fn requests() -> Vec<(&'static str, Request<'static>)> {
    let get = || request::Get { profile: "acme".into(), ..request::Get::default() };
    vec![
        ("request-get", Request::Get(get())),
        (
            "request-get-full",
            Request::Get(request::Get {
                scope: vec!["read:data".into(), "write:data".into()],
                audience: vec!["https://api.acme.example/".into()],
                resource: vec!["https://api.acme.example/v1".into()],
                min_valid_s: Some(300),
                best_effort: true,
                refresh: true,
                timeout_ms: Some(30_000),
                interactive: true,
                ..get()
            }),
        ),
        ("request-init-bare", Request::Init(request::Init::default())),
        (
            "request-init",
            Request::Init(request::Init {
                passphrase: Some("correct horse".into()),
                replace: true,
                network: vec![Assignment {
                    key: "proxy".into(),
                    values: vec!["http://proxy.example:3128".into()],
                }],
            }),
        ),
        (
            "request-add",
            Request::Add(request::Add {
                profile: "acme".into(),
                settings: vec![
                    Assignment { key: "grant".into(), values: vec!["client_credentials".into()] },
                    Assignment { key: "scope".into(), values: vec!["a".into(), "b".into()] },
                ],
                secrets: vec![NamedSecret { name: "client_secret".into(), value: "s3cret".into() }],
                replace: false,
                interactive: true,
            }),
        ),
        (
            "request-set",
            Request::Set(request::Set {
                profile: "acme".into(),
                assignments: vec![Assignment { key: "audience".into(), values: vec![] }],
            }),
        ),
        (
            "request-set-secret",
            Request::SetSecret(request::SetSecret {
                profile: "acme".into(),
                name: Some("password".into()),
                value: "s3cret".into(),
                interactive: false,
            }),
        ),
        ("request-list", Request::List(request::List {})),
        ("request-show", Request::Show(request::Show { profile: "acme".into() })),
        (
            "request-rename",
            Request::Rename(request::Rename {
                from: "acme".into(),
                to: "acme-eu".into(),
                interactive: false,
            }),
        ),
        (
            "request-remove",
            Request::Remove(request::Remove { profile: "acme".into(), interactive: false }),
        ),
        ("request-status", Request::Status(request::Status {})),
        ("request-lock", Request::Lock(request::Lock {})),
        (
            "request-unlock",
            Request::Unlock(request::Unlock {
                passphrase: Some("correct horse".into()),
                interactive: false,
            }),
        ),
        (
            "request-passwd",
            Request::Passwd(request::Passwd {
                passphrase: Some("correct horse".into()),
                new_passphrase: Some("battery staple".into()),
            }),
        ),
        ("request-config-read", Request::ConfigRead(request::ConfigRead {})),
        (
            "request-config-write",
            Request::ConfigWrite(request::ConfigWrite {
                text: "[profiles.acme]\n".into(),
                fingerprint: "00ff".into(),
            }),
        ),
        ("request-agent-status", Request::AgentStatus(request::AgentStatus {})),
        ("request-agent-stop", Request::AgentStop(request::AgentStop {})),
        ("request-agent-reload", Request::AgentReload(request::AgentReload {})),
        ("request-answer", Request::Answer(request::Answer { text: "correct horse".into() })),
        ("request-cancel", Request::Cancel(request::Cancel {})),
    ]
}

fn responses() -> Vec<(&'static str, Response<'static>)> {
    vec![
        (
            "response-progress",
            Response::Progress(Progress {
                text: "acme: trying again in 2s".into(),
                warning: false,
            }),
        ),
        (
            "response-item-profile",
            Response::Item(Item::Profile(ProfileRow {
                profile: "acme".into(),
                grant: "client_credentials".into(),
                provider: "https://id.acme.example/".into(),
                stored: true,
            })),
        ),
        (
            "response-item-status",
            Response::Item(Item::Status(StatusRow {
                profile: "acme".into(),
                state: "valid".into(),
                expires_at: Some(1_800_003_600),
                next_at: Some(1_800_003_000),
                error: None,
                unsaved: false,
            })),
        ),
        (
            "response-item-paste",
            Response::Item(Item::Paste(Paste { text: "[profiles.acme]\n".into() })),
        ),
        ("response-ask", Response::Ask(Ask { prompt: "Passphrase: ".into(), hidden: true })),
        (
            "response-done-token",
            Response::Done(Done::Token(Token {
                access_token: "eyJhbGciOiJub25lIn0".into(),
                token_type: "Bearer".into(),
                expires_at: Some(1_800_003_600),
                expires_in: Some(3600),
                scope: "read:data".into(),
                profile: "acme".into(),
                header: "Authorization: Bearer {token}".into(),
                min_valid_met: true,
                warning: None,
                extra: r#"{"instance_url":"https://eu.acme.example"}"#.into(),
            })),
        ),
        ("response-done-said", Response::Done(Done::Said(Said { text: "added acme".into() }))),
        (
            "response-done-profile",
            Response::Done(Done::Profile(Profile {
                profile: "acme".into(),
                toml: "grant = \"client_credentials\"\n".into(),
                secrets: Some(vec!["client_secret".to_owned()]),
                origins: Some(vec!["https://id.acme.example:443".to_owned()]),
            })),
        ),
        (
            "response-done-config",
            Response::Done(Done::Config(Config {
                text: "[profiles.acme]\n".into(),
                fingerprint: "00ff".into(),
                path: "/home/ada/.config/tokctl/config.toml".into(),
            })),
        ),
        (
            "response-done-agent",
            Response::Done(Done::Agent(Agent {
                pid: 4242,
                version: "0.1.0".into(),
                socket: "/run/user/1000/tokctl/agent.sock".into(),
                vault: "/home/ada/.local/share/tokctl/vault".into(),
                state: "unlocked".into(),
                started_at: 1_800_000_000,
                profiles: 1,
                connections: 2,
                config_problem: None,
                warnings: vec![],
            })),
        ),
        (
            "response-error",
            Response::Error(WireFailure {
                exit: 5,
                kind: "login_required".into(),
                profile: Some("acme".into()),
                message: "the provider refused the refresh token".into(),
                hint: Some("run `tokctl login acme`".into()),
                retry_at: None,
            }),
        ),
        (
            "response-error-later",
            Response::Error(WireFailure {
                exit: 7,
                kind: "rate_limited".into(),
                profile: Some("acme".into()),
                message: "the provider asked to slow down".into(),
                hint: None,
                retry_at: Some(1_800_000_060),
            }),
        ),
    ]
}

/// A message: its name, its frame, its line of JSON.
struct Golden {
    name: &'static str,
    frame: Vec<u8>,
    line: String,
}

fn golden<T: serde::Serialize>(name: &'static str, message: &T) -> Golden {
    let mut frame = Zeroizing::new(Vec::new());
    frame::append(VERSION, message, &mut frame).unwrap();
    let mut line = Zeroizing::new(Vec::new());
    codec::encode_line(message, &mut line).unwrap();
    Golden { name, frame: frame.to_vec(), line: String::from_utf8(line.to_vec()).unwrap() }
}

fn all() -> Vec<Golden> {
    let requests = requests();
    let responses = responses();
    let requests = requests.iter().map(|(name, message)| golden(name, message));
    requests.chain(responses.iter().map(|(name, message)| golden(name, message))).collect()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The part of PROTOCOL.md that is made from the messages.
fn appendix() -> String {
    let mut text = String::from(
        "## Appendix: every message and its bytes\n\nFrames of version 1, length included, in hex; then \
         the same message as a line of JSON.\n",
    );
    for golden in all() {
        write!(text, "\n### {}\n\n```\n", golden.name).unwrap();
        let digits = hex(&golden.frame);
        for row in digits.as_bytes().chunks(80) {
            writeln!(text, "{}", std::str::from_utf8(row).unwrap()).unwrap();
        }
        write!(text, "```\n```json\n{}```\n", golden.line).unwrap();
    }
    text
}

fn protocol() -> (PathBuf, String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("PROTOCOL.md");
    let text = fs::read_to_string(&path).unwrap();
    let at = text.find("## Appendix: every message").expect("PROTOCOL.md has an appendix");
    (path, text[..at].to_owned(), text[at..].to_owned())
}

#[test]
fn every_message_has_its_golden_bytes() {
    let write = std::env::var_os("TOKCTL_GOLDEN").is_some_and(|value| value == "write");
    for golden in all() {
        let (bin, txt) = (
            directory().join(format!("{}.bin", golden.name)),
            directory().join(format!("{}.txt", golden.name)),
        );
        if write && !bin.exists() {
            fs::write(&bin, &golden.frame).unwrap();
            fs::write(&txt, &golden.line).unwrap();
        }
        let bytes =
            fs::read(&bin).unwrap_or_else(|_| panic!("{}: run `cargo xtask golden`", golden.name));
        assert_eq!(hex(&bytes), hex(&golden.frame), "{}: released bytes never change", golden.name);
        assert_eq!(fs::read_to_string(&txt).unwrap(), golden.line, "{}", golden.name);
    }
    if write {
        let (path, prose, _) = protocol();
        fs::write(path, prose + &appendix()).unwrap();
    }
    let files = fs::read_dir(directory()).unwrap().count();
    assert_eq!(files, all().len() * 2, "a golden file belongs to no message");
}

#[test]
fn the_protocol_shows_the_golden_bytes() {
    assert_eq!(protocol().2, appendix(), "run `cargo xtask golden`");
}

#[test]
fn golden_bytes_decode_to_what_encodes_to_them() {
    for golden in all() {
        let (frame, used) = Frame::split(&golden.frame).unwrap().unwrap();
        assert_eq!((frame.version, used), (VERSION, golden.frame.len()));
        let mut again = Zeroizing::new(Vec::new());
        if golden.name.starts_with("request") {
            let message: Request<'_> = codec::decode(frame.body).unwrap();
            frame::append(VERSION, &message, &mut again).unwrap();
        } else {
            let message: Response<'_> = codec::decode(frame.body).unwrap();
            frame::append(VERSION, &message, &mut again).unwrap();
        }
        assert_eq!(hex(&again), hex(&golden.frame), "{}", golden.name);
    }
}

#[test]
fn json_and_binary_say_the_same() {
    for golden in all() {
        let mut from_json = Zeroizing::new(Vec::new());
        if golden.name.starts_with("request") {
            let message: Request<'_> = codec::decode_line(golden.line.as_bytes()).unwrap();
            frame::append(VERSION, &message, &mut from_json).unwrap();
        } else {
            let message: Response<'_> = codec::decode_line(golden.line.as_bytes()).unwrap();
            frame::append(VERSION, &message, &mut from_json).unwrap();
        }
        assert_eq!(hex(&from_json), hex(&golden.frame), "{}", golden.name);
    }
}

#[test]
fn no_cut_or_lengthened_message_decodes() {
    for golden in all().iter().filter(|golden| golden.name.starts_with("request")) {
        let (frame, _) = Frame::split(&golden.frame).unwrap().unwrap();
        for cut in 0..frame.body.len() {
            assert!(
                codec::decode::<Request<'_>>(&frame.body[..cut]).is_err(),
                "{} cut at {cut}",
                golden.name
            );
        }
        let longer = [frame.body, &[0]].concat();
        assert!(codec::decode::<Request<'_>>(&longer).is_err(), "{} lengthened", golden.name);
    }
}

#[test]
fn an_unknown_message_is_an_error_and_not_another_message() {
    for tag in [20, 21, 100, 250] {
        assert!(codec::decode::<Request<'_>>(&[tag]).is_err(), "{tag}");
    }
}

#[test]
fn a_reply_with_a_key_from_the_future_still_reads() {
    let line = r#"{"done":{"said":{"text":"added acme","mood":"good"}}}"#;
    let response: Response<'_> = codec::decode_line(line.as_bytes()).unwrap();
    assert!(matches!(response, Response::Done(Done::Said(Said { text })) if text == "added acme"));
}

#[test]
fn the_preamble_is_the_documented_bytes() {
    for (home, digits) in [
        (None, "544b430101".to_owned() + "0000"),
        (Some("/ci"), "544b430101".to_owned() + "0003" + "2f6369"),
    ] {
        let mut bytes = Zeroizing::new(Vec::new());
        Preamble::new(home.map(PathBuf::from)).encode(&mut bytes).unwrap();
        assert_eq!(hex(&bytes), digits);
    }
    let mut unsupported = Zeroizing::new(Vec::new());
    frame::append_unsupported(&mut unsupported);
    assert_eq!(hex(&unsupported), "00000003000101");
}
