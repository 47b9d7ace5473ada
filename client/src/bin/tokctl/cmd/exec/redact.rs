//! Masks secrets in a stream of bytes, whatever the pieces it comes in.
//!
//! A secret is found as it stands, in base64 and base64url at each of the three places it can have in a group of three
//! bytes, percent-encoded, and as part of a JSON string, however many of its characters are escaped there. What may be
//! the beginning of one is held back until it is known, so memory is bounded by the longest form. A secret that is cut,
//! turned around or encrypted is not found: this guards against logs, not against whoever means to print it.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use tokctl_client::Secret;
use zeroize::Zeroizing;

/// What is shown in place of a secret.
pub(crate) const MASK: &[u8] = b"***";

/// Shortest piece of base64 that is masked: a shorter one is part of many other texts.
const BASE64_CHARS_MIN: usize = 6;

/// Secrets that are masked at a time; the oldest goes first. A program runs for weeks and gets a token an hour, but
/// hardly prints one that ended days ago.
const SECRETS_MAX: usize = 64;

/// A form of a secret, and how text is compared with it.
enum Form {
    /// As it stands here.
    Text(Zeroizing<Vec<u8>>),
    /// Any of its bytes as `%41`.
    Percent(Secret),
    /// Any of its characters as `\u0041`, or behind a backslash.
    Json(Secret),
}

/// What a place in the text has to do with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    No,
    /// All that is there fits, and the form goes on.
    Begun,
    /// The form takes that many bytes of the text.
    Whole(usize),
}

/// The forms of all secrets.
pub(crate) struct Forms {
    forms: Vec<Form>,
    /// Bytes that a form can begin with.
    begins: [bool; 256],
}

impl Forms {
    fn of(secrets: &[Secret]) -> Self {
        let mut forms = Vec::new();
        let mut begins = [false; 256];
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let text = secret.expose().as_bytes();
            begins[usize::from(text[0])] = true;
            forms.push(Form::Text(Zeroizing::new(text.to_vec())));
            forms.push(Form::Percent(secret.clone()));
            forms.push(Form::Json(secret.clone()));
            for encoded in base64(text) {
                begins[usize::from(encoded[0])] = true;
                forms.push(Form::Text(encoded));
            }
            for escape in [b'%', b'\\', b'+'] {
                begins[usize::from(escape)] = true;
            }
        }
        Self { forms, begins }
    }

    /// The longest form that is there whole, and whether another may follow once there is more.
    fn fit(&self, text: &[u8]) -> (usize, bool) {
        let (mut longest, mut has_begun) = (0, false);
        for form in &self.forms {
            match form.fit(text) {
                Fit::No => {}
                Fit::Begun => has_begun = true,
                Fit::Whole(length) => longest = longest.max(length),
            }
        }
        (longest, has_begun)
    }
}

impl Form {
    fn fit(&self, text: &[u8]) -> Fit {
        match self {
            Self::Text(form) => {
                let length = form.len().min(text.len());
                match (form[..length] == text[..length], length == form.len()) {
                    (false, _) => Fit::No,
                    (true, false) => Fit::Begun,
                    (true, true) => Fit::Whole(length),
                }
            }
            Self::Percent(secret) => escaped(secret, text, percent),
            Self::Json(secret) => escaped(secret, text, json),
        }
    }
}

/// Compares a text with a secret whose bytes may be escaped. `byte` tells how much of the text stands for the byte.
fn escaped(secret: &Secret, text: &[u8], byte: fn(u8, &[u8]) -> Fit) -> Fit {
    let mut at = 0;
    for &wanted in secret.expose().as_bytes() {
        if at == text.len() {
            return Fit::Begun;
        }
        match byte(wanted, &text[at..]) {
            Fit::Whole(length) => at += length,
            other => return other,
        }
    }
    Fit::Whole(at)
}

/// RFC 3986 section 2.1, and the space of forms (`application/x-www-form-urlencoded`).
fn percent(wanted: u8, text: &[u8]) -> Fit {
    match text[0] {
        b'%' => hex(wanted.into(), 2, &text[1..], 1),
        b'+' if wanted == b' ' => Fit::Whole(1),
        other => literal(other == wanted),
    }
}

/// RFC 8259 section 7.
fn json(wanted: u8, text: &[u8]) -> Fit {
    match (text[0], text.get(1)) {
        (b'\\', None) => Fit::Begun,
        (b'\\', Some(b'u')) => hex(wanted.into(), 4, &text[2..], 2),
        (b'\\', Some(&other)) if other == wanted => Fit::Whole(2),
        (b'\\', Some(_)) => Fit::No,
        (other, _) => literal(other == wanted),
    }
}

fn literal(fits: bool) -> Fit {
    if fits { Fit::Whole(1) } else { Fit::No }
}

/// A number of so many digits, in capitals or not, behind `before` bytes of an escape.
fn hex(wanted: u16, digits: usize, text: &[u8], before: usize) -> Fit {
    for (place, &typed) in text.iter().take(digits).enumerate() {
        let digit = (wanted >> (4 * (digits - 1 - place))) & 0xf;
        if char::from(typed).to_digit(16) != Some(digit.into()) {
            return Fit::No;
        }
    }
    if text.len() < digits { Fit::Begun } else { Fit::Whole(before + digits) }
}

/// The characters that the secret alone decides, wherever it stands in what is encoded.
fn base64(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    for before in 0..3 {
        let mut padded = Zeroizing::new(vec![0; before]);
        padded.extend_from_slice(secret);
        // A character is six bits: the first ones belong to what stands before in part, the last one to what follows.
        let first = (before * 8).div_ceil(6);
        let end = padded.len() * 8 / 6;
        if end < first + BASE64_CHARS_MIN {
            continue;
        }
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = Zeroizing::new(engine.encode(&*padded));
            let form = Zeroizing::new(encoded.as_bytes()[first..end].to_vec());
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

/// The secrets of a run, to which renewals add.
#[derive(Clone)]
pub(crate) struct Secrets(Arc<Mutex<(Vec<Secret>, Arc<Forms>)>>);

impl Secrets {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new((Vec::new(), Arc::new(Forms::of(&[]))))))
    }

    /// Has a secret masked from now on, before anybody gets it.
    pub(crate) fn add(&self, secrets: impl IntoIterator<Item = Secret>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets {
            all.0.retain(|known| known.expose() != secret.expose());
            all.0.push(secret);
        }
        let old = all.0.len().saturating_sub(SECRETS_MAX);
        all.0.drain(..old);
        all.1 = Arc::new(Forms::of(&all.0));
    }

    fn forms(&self) -> Arc<Forms> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner).1)
    }
}

/// One stream on its way.
pub(crate) struct Masker {
    secrets: Secrets,
    /// What may be the beginning of a secret.
    held: Zeroizing<Vec<u8>>,
    /// How much of that is part of a secret for which the mask was shown already.
    covered: usize,
}

impl Masker {
    pub(crate) fn new(secrets: &Secrets) -> Self {
        Self { secrets: secrets.clone(), held: Zeroizing::default(), covered: 0 }
    }

    /// Takes the next piece, and appends to `out` what is known to be none of a secret.
    pub(crate) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(piece);
        self.scan(false, out);
    }

    /// The stream is over.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.scan(true, out);
    }

    /// Secrets that overlap are masked as one: what is left of the second beside the first would be seen.
    fn scan(&mut self, is_over: bool, out: &mut Vec<u8>) {
        let forms = self.secrets.forms();
        let mut at = 0;
        while at < self.held.len() {
            let byte = self.held[at];
            if forms.begins[usize::from(byte)] {
                let (length, has_begun) = forms.fit(&self.held[at..]);
                if has_begun && !is_over {
                    break;
                }
                if length > 0 {
                    if at >= self.covered {
                        out.extend_from_slice(MASK);
                    }
                    self.covered = self.covered.max(at + length);
                }
            }
            if at >= self.covered {
                out.push(byte);
            }
            at += 1;
        }
        self.held.drain(..at);
        self.covered = self.covered.saturating_sub(at);
    }
}

#[cfg(test)]
mod tests;
