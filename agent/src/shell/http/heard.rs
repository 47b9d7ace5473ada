//! What servers say of themselves beside their answers, the newest of it: what their next proof of possession has to
//! hold (RFC 9449 section 8), and what their clock shows. It is kept in memory alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokctl_proto::WallMs;

use crate::oauth::Origin;

/// More servers than anybody has providers.
const ORIGINS_MAX: usize = 256;
/// Providers' nonces are well below a hundred bytes; this goes into a header and comes out of one.
const NONCE_BYTES_MAX: usize = 1024;

/// What is known of every server that was asked.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Locked for a look-up, never across an await.
    origins: Mutex<BTreeMap<Origin, Said>>,
}

#[derive(Clone, Debug, Default)]
struct Said {
    nonce: Option<String>,
    clock_ahead_s: Option<i64>,
    at: WallMs,
}

impl Heard {
    /// Notes what came with an answer.
    pub(super) fn note(
        &self,
        now: WallMs,
        origin: &Origin,
        nonce: Option<&str>,
        clock_ahead_s: Option<i64>,
    ) {
        let nonce = nonce.filter(|nonce| is_nonce(nonce)).map(str::to_owned);
        if nonce.is_none() && clock_ahead_s.is_none() {
            return;
        }
        let mut origins = self.lock();
        if origins.len() >= ORIGINS_MAX && !origins.contains_key(origin) {
            let oldest = origins.iter().min_by_key(|(_, said)| said.at).map(|(at, _)| at.clone());
            oldest.and_then(|origin| origins.remove(&origin));
        }
        let before = origins.remove(origin).unwrap_or_default();
        let said = Said {
            nonce: nonce.or(before.nonce),
            clock_ahead_s: clock_ahead_s.or(before.clock_ahead_s),
            at: now,
        };
        origins.insert(origin.clone(), said);
    }

    pub(super) fn nonce(&self, origin: &Origin) -> Option<String> {
        self.lock().get(origin)?.nonce.clone()
    }

    pub(super) fn clock_ahead_s(&self, origin: &Origin) -> Option<i64> {
        self.lock().get(origin)?.clock_ahead_s
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Origin, Said>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 9449 section 8.1: 1*NQCHAR.
fn is_nonce(text: &str) -> bool {
    let is_character = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    (1..=NONCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_character)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(&Url::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn the_newest_of_each_server_is_kept_and_silence_changes_nothing() {
        let heard = Heard::default();
        let (one, other) = (origin("https://one.example/"), origin("https://other.example/"));
        for (nonce, ahead_s, known) in [
            (None, None, (None, None)),
            (Some("n1"), None, (Some("n1"), None)),
            (None, Some(90), (Some("n1"), Some(90))),
            (Some("n2"), Some(-5), (Some("n2"), Some(-5))),
            (Some("no\"nonce"), None, (Some("n2"), Some(-5))),
            (Some(""), None, (Some("n2"), Some(-5))),
        ] {
            heard.note(WallMs(0), &one, nonce, ahead_s);
            assert_eq!(heard.nonce(&one).as_deref(), known.0, "{nonce:?}");
            assert_eq!(heard.clock_ahead_s(&one), known.1, "{ahead_s:?}");
        }
        assert_eq!((heard.nonce(&other), heard.clock_ahead_s(&other)), (None, None));
    }

    #[test]
    fn the_server_that_was_silent_longest_is_forgotten_first() {
        let heard = Heard::default();
        let at = |number: usize| origin(&format!("https://{number}.example/"));
        for number in 0..=ORIGINS_MAX {
            let now = WallMs(i64::try_from(number).unwrap());
            heard.note(now, &at(number), Some("n"), None);
        }
        assert_eq!(heard.nonce(&at(0)), None);
        for number in [1, ORIGINS_MAX] {
            assert!(heard.nonce(&at(number)).is_some(), "{number}");
        }
    }

    #[test]
    fn a_nonce_has_a_limit_and_an_alphabet() {
        for (text, fits) in [
            ("", false),
            ("a", true),
            ("!#[]~", true),
            ("a b", false),
            ("a\\b", false),
            ("a\u{7f}", false),
            ("\u{e4}", false),
            (&"x".repeat(NONCE_BYTES_MAX), true),
            (&"x".repeat(NONCE_BYTES_MAX + 1), false),
        ] {
            assert_eq!(is_nonce(text), fits, "{text:.10}");
        }
    }
}
