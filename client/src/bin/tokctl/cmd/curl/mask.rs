//! A stream without the token: what `--verbose` shows of a request is read by others.

use std::io::{self, Read, Write};

use tokctl_client::Secret;
use zeroize::Zeroizing;

const CHUNK_BYTES: usize = 16 * 1024;
const MASK: &[u8] = b"***";

/// The forms that a token is seen in. None holds a line feed or a carriage return.
#[derive(Debug)]
pub(super) struct Mask(Vec<Secret>);

impl Mask {
    /// Longer forms go before those that they hold.
    pub(super) fn new(forms: impl IntoIterator<Item = Secret>) -> Self {
        let mut forms: Vec<_> = forms.into_iter().filter(|form| !form.is_empty()).collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
        Self(forms)
    }

    /// Copies to the end. A form that is cut between two reads is waited for, never longer than to the end of a line.
    pub(super) fn copy(&self, mut from: impl Read, mut to: impl Write) {
        let longest = self.0.first().map_or(0, |form| form.expose().len());
        let mut kept = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + longest));
        let mut chunk = Zeroizing::new(vec![0; CHUNK_BYTES]);
        loop {
            let count = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            kept.extend_from_slice(&chunk[..count]);
            let done = self.masked(&mut kept, longest);
            if to.write_all(&done).and_then(|()| to.flush()).is_err() {
                return;
            }
        }
        let rest = self.masked(&mut kept, 0);
        let _gone = to.write_all(&rest).and_then(|()| to.flush());
    }

    /// What can be shown of `kept`; what could be the beginning of a form stays in it.
    fn masked(&self, kept: &mut Zeroizing<Vec<u8>>, longest: usize) -> Vec<u8> {
        let mut shown = Vec::with_capacity(kept.len());
        let mut at = 0;
        while at < kept.len() {
            let rest = &kept[at..];
            let begins = |form: &Secret| {
                form.expose().len() > rest.len() && form.expose().as_bytes().starts_with(rest)
            };
            if longest > 0 && self.0.iter().any(begins) {
                break;
            }
            match self.0.iter().find(|form| rest.starts_with(form.expose().as_bytes())) {
                Some(form) => {
                    shown.extend_from_slice(MASK);
                    at += form.expose().len();
                }
                None => {
                    shown.push(rest[0]);
                    at += 1;
                }
            }
        }
        kept.drain(..at);
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what is read in pieces of that size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn a_token_is_masked_wherever_it_is_cut() {
        let mask = Mask::new(["tok3n", "tok3n+more", "dG9r"].map(|form| Secret::new(form.into())));
        let text = b"> Authorization: Bearer tok3n\r\ntok3n+more tok3 ttok3n dG9r= tok3n+mor tok";
        for size in 1..text.len() {
            let mut copied = Vec::new();
            mask.copy(Pieces(text, size), &mut copied);
            assert_eq!(
                String::from_utf8(copied).unwrap(),
                "> Authorization: Bearer ***\r\n*** tok3 t*** ***= ***+mor tok",
                "{size}"
            );
        }
    }
}
