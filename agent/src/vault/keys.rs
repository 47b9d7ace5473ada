//! What an unlocked vault has in memory: its identity, and what is derived from it.
//!
//! The text is that of an identity file as `age-keygen` writes it. It may hold more than one
//! identity: the first is the one that writes, the others only read, which is how `rekey` gets from
//! the old to the new.

use std::fmt;

use age::x25519;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;
use tokctl_proto::{Secret, WallMs};
use zeroize::Zeroizing;

/// HKDF's `info` for the key of the entries' MAC. There is no salt, and the input is the identity's
/// text, `AGE-SECRET-KEY-1…`, so that a few lines of script can check a recovered entry.
const MAC_KEY_INFO: &[u8] = b"tokctl entry mac 1";

/// The identities of a vault, and the file that they were read from.
pub struct Keys {
    text: Secret,
    /// Not empty; the first writes.
    all: Vec<Key>,
}

/// One identity with its recipient and the key of its MAC.
pub(super) struct Key {
    pub(super) identity: x25519::Identity,
    recipient: x25519::Recipient,
    mac_key: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Makes a new identity, in the text that `age-keygen` would write at this time.
    pub fn generate(now: WallMs) -> Self {
        let identity = x25519::Identity::generate();
        let recipient = identity.to_public().to_string();
        let created = rfc3339(now);
        let key = identity.to_string();
        let lines = [
            "# created: ",
            &created,
            "\n# public key: ",
            &recipient,
            "\n",
            key.expose_secret(),
            "\n",
        ];
        Self { text: Secret::new(lines.concat()), all: vec![Key::new(identity)] }
    }

    /// Reads an identity file's text; `None` when a line is neither empty, a comment nor an X25519
    /// identity, or when there is no identity at all.
    pub fn parse(text: Secret) -> Option<Self> {
        let all = text
            .expose()
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.parse().ok().map(Key::new))
            .collect::<Option<Vec<_>>>()?;
        (!all.is_empty()).then_some(Self { text, all })
    }

    /// The text of the identity file.
    pub(super) fn text(&self) -> &Secret {
        &self.text
    }

    /// The recipient that entries are written to: `age1…`, not a secret.
    pub fn recipient(&self) -> String {
        self.writer().recipient.to_string()
    }

    pub(super) fn writer(&self) -> &Key {
        &self.all[0]
    }

    /// Every identity that may have written an entry, the present one first.
    pub(super) fn readers(&self) -> impl Iterator<Item = &Key> {
        self.all.iter()
    }
}

impl Key {
    fn new(identity: x25519::Identity) -> Self {
        let mut mac_key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, identity.to_string().expose_secret().as_bytes())
            .expand(MAC_KEY_INFO, mac_key.as_mut())
            .expect("HKDF-SHA256 gives up to 8160 bytes");
        Self { recipient: identity.to_public(), identity, mac_key }
    }

    pub(super) fn recipient(&self) -> &x25519::Recipient {
        &self.recipient
    }

    /// The MAC of a file's body under its name. Names hold no NUL, so the two cannot be shifted.
    pub(super) fn mac(&self, name: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.mac_key.as_ref())
            .expect("HMAC takes a key of any length");
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(body);
        mac
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.recipient())
    }
}

/// The time in UTC as `age-keygen` writes it (RFC 3339).
fn rfc3339(at: WallMs) -> String {
    let (days, second) = (at.unix_s().div_euclid(86_400), at.unix_s().rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar. Years are counted from
/// March, so that the leap day is the last of its year, in eras of 400 years, which are alike.
fn civil(days: i64) -> (i64, i64, i64) {
    let from_march_of_year_0 = days + 719_468;
    let (era, day_of_era) =
        (from_march_of_year_0.div_euclid(146_097), from_march_of_year_0.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let month =
        if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An identity made for these tests.
    const IDENTITY: &str =
        "AGE-SECRET-KEY-1PMXNXCRTEWHCFRHVD3U6QLY92AMCTHUEXARJ2MPPS7N4R7H2VD2SPXLQ7Y";

    #[test]
    fn a_made_identity_reads_back() {
        let made = Keys::generate(WallMs(1_795_228_170_999));
        let text = made.text().expose();
        assert!(text.starts_with("# created: 2026-11-21T02:29:30Z\n# public key: age1"));
        let read = Keys::parse(made.text().clone()).unwrap();
        assert_eq!(read.recipient(), made.recipient());
        assert_eq!(read.text().expose(), text);
    }

    #[test]
    fn an_identity_file_is_identities_comments_and_nothing_else() {
        let two = format!("# mine\r\n{IDENTITY}\r\n\n{IDENTITY}");
        for (text, identities) in [
            (IDENTITY, Some(1)),
            (&two, Some(2)),
            ("", None),
            ("# created: now\n", None),
            ("AGE-SECRET-KEY-1PMX", None),
            ("age12w890ggnqjgnavvc4c2rh6mccfl2h2kmltxsmj4rhezgzupggghscj6ecw", None),
            (&format!("{IDENTITY}\nhello"), None),
        ] {
            let read = Keys::parse(Secret::new(text.to_owned()));
            assert_eq!(read.map(|keys| keys.readers().count()), identities, "{text}");
        }
    }

    #[test]
    fn the_mac_is_what_another_program_works_out() {
        // In Python: prk = hmac(32 * NUL, identity), key = hmac(prk, info + 0x01), hmac(key,
        // b"acme\0" + body).
        let keys = Keys::parse(Secret::new(IDENTITY.to_owned())).unwrap();
        let mac = keys.writer().mac("acme", br#"{"id":"00"}"#);
        let hex: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "cc414360503cd72ac7eaf2b8c52669a28efc823de3a370ffde121e96933dcef5");
    }

    #[test]
    fn keys_never_print() {
        let keys = Keys::parse(Secret::new(IDENTITY.to_owned())).unwrap();
        assert_eq!(
            format!("{keys:?}"),
            "Keys(age12w890ggnqjgnavvc4c2rh6mccfl2h2kmltxsmj4rhezgzupggghscj6ecw)"
        );
    }

    #[test]
    fn days_are_dates() {
        for (unix_s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(WallMs::from_unix_s(unix_s)), text);
        }
    }
}
