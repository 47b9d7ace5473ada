//! An encrypted account file as oidc-agent has written it since 2.1.0: lines of base64.
//!
//! The length of what is encrypted, nonce, salt, parameters, what is encrypted, a check of the passphrase, and the
//! version that wrote it. Argon2 makes 64 bytes of the passphrase: the key of libsodium's secretbox, and the
//! check. oidc-agent itself does not read the parameters back and takes libsodium's defaults; the file says what they
//! were when it was written.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::{AeadInPlace, KeyInit};
use crypto_secretbox::{Nonce, Tag, XSalsa20Poly1305};
use subtle::ConstantTimeEq;
use tokctl_proto::Secret;
use zeroize::Zeroizing;

use crate::import::ImportError;

const NONCE_BYTES: usize = 24;
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
/// libsodium's `sodium_base64_VARIANT_ORIGINAL`.
const BASE64_VARIANT: u64 = 1;
/// libsodium's default for interactive use, whatever its version: 2 today, 4 when Argon2i was the default. A file that
/// asks for more was not written by oidc-agent.
const PASSES_MAX: u64 = 4;
/// Likewise: 64 MiB today, 32 MiB then. As much as the agent allocates for a file that somebody hands it.
const HASH_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// libsodium's least.
const HASH_BYTES_MIN: u64 = 8 * 1024;

const DATA: &str = "the file is cut off or damaged";

/// A file that is taken apart, and not opened yet.
#[derive(Debug)]
pub(super) struct Sealed {
    nonce: Vec<u8>,
    salt: Vec<u8>,
    cost: Cost,
    /// The tag, then the ciphertext.
    sealed: Vec<u8>,
    check: Vec<u8>,
    /// What wrote it, as `5.3.3`; empty where the file does not say.
    pub(super) version: String,
}

/// How much work the key is.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    algorithm: Algorithm,
    passes: u32,
    kib: u32,
}

impl Sealed {
    /// Takes a file apart whose first line is a number; `None` where that is not so.
    pub(super) fn parse(text: &str) -> Option<Result<Self, ImportError>> {
        let mut lines = text.lines().map(str::trim_end);
        let length = lines.next()?.parse().ok()?;
        Some(Self::parts(length, lines))
    }

    fn parts<'a>(
        length: usize,
        mut lines: impl Iterator<Item = &'a str>,
    ) -> Result<Self, ImportError> {
        let mut line = || lines.next().ok_or_else(|| ImportError::damaged(DATA));
        let (nonce, salt) = (bytes(line()?, NONCE_BYTES)?, bytes(line()?, SALT_BYTES)?);
        let cost = cost(line()?)?;
        let sealed = bytes(line()?, length)?;
        let check = bytes(line()?, KEY_BYTES)?;
        if sealed.len() <= TAG_BYTES {
            return Err(ImportError::damaged(DATA));
        }
        let version = lines.next().unwrap_or_default();
        let version = version.rsplit(' ').next().unwrap_or_default().to_owned();
        Ok(Self { nonce, salt, cost, sealed, check, version })
    }

    /// The text inside.
    pub(super) fn open(self, passphrase: &Secret) -> Result<Secret, ImportError> {
        let Self { nonce, salt, cost, sealed, check, .. } = self;
        let keys = cost.keys(passphrase, &salt)?;
        let (key, expected) = keys.split_at(KEY_BYTES);
        if !bool::from(expected.ct_eq(&check)) {
            return Err(ImportError::WrongPassphrase);
        }
        let (tag, sealed) = sealed.split_at(TAG_BYTES);
        let mut plain = Zeroizing::new(sealed.to_vec());
        let secretbox = XSalsa20Poly1305::new_from_slice(key).expect("it is as long as a key");
        secretbox
            .decrypt_in_place_detached(
                Nonce::from_slice(&nonce),
                &[],
                &mut plain,
                Tag::from_slice(tag),
            )
            .map_err(|_| ImportError::damaged(DATA))?;
        Secret::from_utf8(std::mem::take(&mut *plain)).ok_or_else(|| ImportError::damaged(DATA))
    }
}

impl Cost {
    /// The key, and the check after it.
    fn keys(
        &self,
        passphrase: &Secret,
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; 2 * KEY_BYTES]>, ImportError> {
        let mut keys = Zeroizing::new([0; 2 * KEY_BYTES]);
        let params = Params::new(self.kib, self.passes, 1, Some(2 * KEY_BYTES));
        let params = params.expect("the limits are within Argon2's own");
        Argon2::new(self.algorithm, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), salt, &mut *keys)
            // Longer than 4 GiB, which no message is.
            .map_err(|_| ImportError::WrongPassphrase)?;
        Ok(keys)
    }
}

fn bytes(line: &str, length: usize) -> Result<Vec<u8>, ImportError> {
    let bytes = STANDARD.decode(line).ok().filter(|bytes| bytes.len() == length);
    bytes.ok_or_else(|| ImportError::damaged(DATA))
}

/// `nonce:salt:tag:key:base64:passes:memory:algorithm`, the first four in bytes.
fn cost(line: &str) -> Result<Cost, ImportError> {
    let numbers: Result<Vec<u64>, _> = line.split(':').map(str::parse).collect();
    let sizes = [NONCE_BYTES, SALT_BYTES, TAG_BYTES, KEY_BYTES].map(|size| size as u64);
    let Ok([nonce, salt, tag, key, base64, passes, memory, algorithm]) =
        numbers.as_deref().map(|numbers| <[u64; 8]>::try_from(numbers).unwrap_or_default())
    else {
        return Err(ImportError::damaged(DATA));
    };
    if [nonce, salt, tag, key] != sizes || base64 != BASE64_VARIANT {
        return Err(ImportError::damaged(DATA));
    }
    let algorithm = match algorithm {
        1 => Algorithm::Argon2i,
        2 => Algorithm::Argon2id,
        _ => return Err(ImportError::damaged(DATA)),
    };
    if !(1..=PASSES_MAX).contains(&passes) || !(HASH_BYTES_MIN..=HASH_BYTES_MAX).contains(&memory) {
        return Err(ImportError::unsupported(format!(
            "to open it takes {passes} passes over {memory} bytes, and oidc-agent never asks for more \
             than {PASSES_MAX} over {HASH_BYTES_MAX}"
        )));
    }
    let small = |number: u64| u32::try_from(number).expect("it is below its limit");
    Ok(Cost { algorithm, passes: small(passes), kib: small(memory / 1024) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cannot_ask_for_more_work_than_oidc_agent_ever_does() {
        for (line, taken) in [
            ("24:16:16:32:1:2:67108864:2", true),
            ("24:16:16:32:1:4:33554432:1", true),
            ("24:16:16:32:1:1:8192:2", true),
            ("24:16:16:32:1:4:67108864:2", true),
            ("24:16:16:32:1:5:67108864:2", false),
            ("24:16:16:32:1:0:67108864:2", false),
            ("24:16:16:32:1:2:67108865:2", false),
            ("24:16:16:32:1:2:8191:2", false),
            ("24:16:16:32:1:2:18446744073709551615:2", false),
            ("24:16:16:32:1:4294967298:67108864:2", false),
            ("24:16:16:32:1:2:67108864:0", false),
            ("24:16:16:32:1:2:67108864:3", false),
            ("24:16:16:32:7:2:67108864:2", false),
            ("12:16:16:32:1:2:67108864:2", false),
            ("24:16:16:32:1:2:67108864", false),
            ("24:16:16:32:1:2:67108864:2:1", false),
            ("24:16:16:32:1:-2:67108864:2", false),
            ("", false),
        ] {
            assert_eq!(cost(line).is_ok(), taken, "{line}");
        }
    }

    #[test]
    fn what_argon2i_made_is_opened_too() {
        // The defaults of libsodium before 1.0.15. Little work, since this test is not about the work.
        let cost = Cost { algorithm: Algorithm::Argon2i, passes: 4, kib: 64 };
        let passphrase = Secret::new("hunter2".into());
        let keys = cost.keys(&passphrase, &[1; SALT_BYTES]).unwrap();
        let mut sealed = b"{}".to_vec();
        let secretbox = XSalsa20Poly1305::new_from_slice(&keys[..KEY_BYTES]).unwrap();
        let nonce = [2; NONCE_BYTES];
        let tag = secretbox
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), &[], &mut sealed)
            .unwrap();
        let sealed = [&tag[..], &sealed].concat();
        let lines = [
            sealed.len().to_string(),
            STANDARD.encode(nonce),
            STANDARD.encode([1; SALT_BYTES]),
            "24:16:16:32:1:4:65536:1".to_owned(),
            STANDARD.encode(&sealed),
            STANDARD.encode(&keys[KEY_BYTES..]),
        ];
        let file = lines.join("\n");
        let open = |passphrase: &str| {
            let sealed = Sealed::parse(&file).unwrap().unwrap();
            sealed.open(&Secret::new(passphrase.to_owned())).map(|text| text.expose().to_owned())
        };
        assert_eq!(open("hunter2").as_deref(), Ok("{}"));
        assert_eq!(open("hunter3"), Err(ImportError::WrongPassphrase));
    }
}
