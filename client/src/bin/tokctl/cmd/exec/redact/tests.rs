use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

const TOKEN: &str = r#"ab/c+"\ %d?e~f"#;

fn masked(secrets: &[&str], pieces: &[&[u8]]) -> String {
    let known = Secrets::new();
    known.add(secrets.iter().map(|text| Secret::new((*text).to_owned())));
    let mut masker = Masker::new(&known);
    let mut out = Vec::new();
    pieces.iter().for_each(|piece| masker.push(piece, &mut out));
    masker.finish(&mut out);
    String::from_utf8(out).unwrap()
}

/// Every byte percent-encoded for which `keeps` says no.
fn percent_encoded(text: &str, upper: bool, keeps: fn(u8) -> bool) -> String {
    let encode = |byte: u8| match (keeps(byte), upper) {
        (true, _) => char::from(byte).to_string(),
        (false, true) => format!("%{byte:02X}"),
        (false, false) => format!("%{byte:02x}"),
    };
    text.bytes().map(encode).collect()
}

/// As programs write a token, by other code than the masker's.
fn forms(token: &str) -> Vec<String> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let component = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    let whole = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'();/?:@&=+$,#".contains(&byte);
    let json = serde_json::to_string(token).unwrap();
    let json = json[1..json.len() - 1].to_owned();
    let mut forms = vec![
        token.to_owned(),
        percent_encoded(token, true, unreserved),
        percent_encoded(token, false, unreserved),
        percent_encoded(token, true, component),
        percent_encoded(token, true, whole),
        percent_encoded(token, true, unreserved).replace("%20", "+"),
        json.replace('/', "\\/"),
        json.replace('+', "\\u002B").replace('&', "\\u0026").replace('<', "\\u003c"),
        token.bytes().map(|byte| format!("\\u{byte:04x}")).collect(),
        json,
    ];
    for before in ["", "x", "xy"] {
        forms.push(STANDARD.encode(format!("{before}{token}")));
        forms.push(URL_SAFE.encode(format!("{before}{token}z")));
    }
    forms
}

/// Whether any form of the token is in a text; of base64 the part that the token alone decides.
fn is_in(token: &str, text: &str) -> bool {
    let pieces = (0..3).flat_map(|before| {
        let padded = [&b"xy"[..before], token.as_bytes()].concat();
        let (first, end) = ([0, 2, 3][before], padded.len() * 8 / 6);
        [STANDARD.encode(&padded), URL_SAFE.encode(&padded)].map(|all| all[first..end].to_owned())
    });
    forms(token).into_iter().chain(pieces).any(|form| text.contains(&form))
}

#[test]
fn every_form_is_masked_and_nothing_beside_it() {
    for form in forms(TOKEN).iter().take(10) {
        let shown = masked(&[TOKEN], &[format!("key={form}\n").as_bytes()]);
        assert_eq!(shown, "key=***\n", "{form}");
    }
    for form in forms(TOKEN).iter().skip(10) {
        let shown = masked(&[TOKEN], &[format!("key={form}\n").as_bytes()]);
        assert!(shown.starts_with("key=") && shown.contains("***"), "{shown}");
        // What is left of a character is in part that of the neighbour.
        assert!(shown.len() <= "key=\n".len() + 3 + 7, "{shown}");
    }
}

#[test]
fn a_beginning_is_held_back_and_given_out_when_it_is_none() {
    let known = Secrets::new();
    known.add([Secret::new("secret".to_owned())]);
    let mut masker = Masker::new(&known);
    let mut out = Vec::new();
    for (piece, shown) in
        [("a sec", "a "), ("ond sec", "a second "), ("ret", "a second ***"), ("!", "a second ***!")]
    {
        masker.push(piece.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), shown);
    }
    masker.push(b"secre", &mut out);
    masker.finish(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), "a second ***!secre");
}

#[test]
fn of_secrets_that_begin_alike_or_overlap_nothing_is_left() {
    for (secrets, text, shown) in [
        (&["abcd", "abcdefgh"][..], "<abcdefgh>", "<***>"),
        (&["abcd", "abcdefgh"], "<abcdefg>", "<***efg>"),
        (&["abcd", "cdef"], "<abcdef>", "<***>"),
        (&["abcd"], "abcdabcd", "******"),
        (&["aab"], "aaab", "a***"),
        (&[""], "text", "text"),
    ] {
        assert_eq!(masked(secrets, &[text.as_bytes()]), shown);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(masked(secrets, &bytes), shown, "byte by byte");
    }
}

#[test]
fn a_token_that_is_renewed_is_masked_from_then_on_beside_the_one_before() {
    let known = Secrets::new();
    known.add([Secret::new("first-token".to_owned())]);
    let mut masker = Masker::new(&known);
    let mut out = Vec::new();
    masker.push(b"first-tok", &mut out);
    known.add([Secret::new("second-token".to_owned())]);
    masker.push(b"en second-token", &mut out);
    masker.finish(&mut out);
    assert_eq!(out, b"*** ***");
}

#[test]
fn the_oldest_of_many_tokens_is_given_up() {
    let known = Secrets::new();
    let token = |number: usize| Secret::new(format!("token-{number:04}"));
    (0..=SECRETS_MAX).for_each(|number| known.add([token(number)]));
    let mut out = Vec::new();
    let mut masker = Masker::new(&known);
    masker.push(b"token-0000 token-0001 token-0064\n", &mut out);
    assert_eq!(String::from_utf8_lossy(&out), "token-0000 *** ***\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn wherever_a_stream_is_cut_the_same_is_shown_and_no_form_of_a_token(
        token in "[ -)+-~]{5,24}",
        parts in prop::collection::vec((0_usize..16, "[a-zA-Z0-9%+/\\\\\"u ]{0,6}"), 1..6),
        cuts in prop::collection::vec(1_usize..9, 0..64),
    ) {
        let forms = forms(&token);
        let text: String = parts
            .iter()
            .map(|(form, between)| format!("{between}{}", forms[form % forms.len()]))
            .collect();
        let whole = masked(&[&token], &[text.as_bytes()]);
        let (mut rest, mut pieces) = (text.as_bytes(), Vec::new());
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(&masked(&[&token], &pieces), &whole);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        prop_assert_eq!(&masked(&[&token], &bytes), &whole);
        prop_assert!(!is_in(&token, &whole), "{} in {}", token, whole);
    }

    #[test]
    fn what_has_no_secret_in_it_passes_as_it_is(
        text in prop::collection::vec(any::<u8>(), 0..400),
        cut in 0_usize..400,
    ) {
        let known = Secrets::new();
        known.add([Secret::new("a-token-that-is-in-no-such-text".to_owned())]);
        let mut masker = Masker::new(&known);
        let (one, other) = text.split_at(cut.min(text.len()));
        let mut out = Vec::new();
        masker.push(one, &mut out);
        masker.push(other, &mut out);
        masker.finish(&mut out);
        prop_assert_eq!(out, text);
    }
}
