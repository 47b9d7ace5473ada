//! The bytes of every message, fixed. Other languages test themselves against the same files.
//!
//! `tests/golden/NAME.bin` is the frame, `NAME.txt` the same message as a line of JSON. PROTOCOL.md shows
//! both. A file that exists is never written again: bytes that change need a new message.
//! `cargo xtask golden` writes the files of new messages and the appendix of PROTOCOL.md.

#![expect(clippy::unwrap_used, reason = "a test file: its helpers may fail the test too")]

mod first;
mod grants;
mod hand_over;
mod lifecycle;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use tokctl_proto::codec;
use tokctl_proto::frame::{self, Frame, Preamble};
use tokctl_proto::request::Request;
use tokctl_proto::response::{Done, Response, Said};
use zeroize::Zeroizing;

const VERSION: u8 = 1;

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
    let requests = first::requests()
        .into_iter()
        .chain(lifecycle::requests())
        .chain(grants::requests())
        .chain(hand_over::requests());
    let responses = first::responses()
        .into_iter()
        .chain(lifecycle::responses())
        .chain(grants::responses())
        .chain(hand_over::responses());
    let requests = requests.map(|(name, message)| golden(name, &message));
    requests.chain(responses.map(|(name, message)| golden(name, &message))).collect()
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
    for tag in [27, 28, 100, 250] {
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
