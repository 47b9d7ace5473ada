//! What a provider repeats of our secrets is taken out before anybody sees it.
//!
//! `error_description: "unknown refresh token 8xLOxBtZ"` is common, and not always does it mean that the
//! token is worth nothing. Done before the text is cut or escaped, so that no half of a secret is left.

use tokctl_proto::Secret;
use zeroize::Zeroize;

/// Stands for a secret.
const REDACTED: &str = "[redacted]";
/// A shorter secret protects nothing, and would be taken out of words that have nothing to do with it.
const SECRET_BYTES_MIN: usize = 6;

/// The text without these secrets, as they are and as a form carries them.
pub(in crate::oauth) fn without(secrets: &[Secret], mut text: String) -> String {
    let long = secrets.iter().map(Secret::expose).filter(|it| it.len() >= SECRET_BYTES_MIN);
    let mut long: Vec<&str> = long.collect();
    // One may begin like another.
    long.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in long {
        let mut encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for spelling in [secret, &encoded] {
            if text.contains(spelling) {
                let redacted = text.replace(spelling, REDACTED);
                text.zeroize();
                text = redacted;
            }
        }
        encoded.zeroize();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_in_every_spelling() {
        let secrets = ["r+1 /=x", "hunter22", "s3", "hunter22-longer"]
            .map(|text| Secret::new(text.to_owned()));
        for (text, safe) in [
            ("token r+1 /=x is unknown, r+1 /=x!", "token [redacted] is unknown, [redacted]!"),
            ("refresh_token=r%2B1+%2F%3Dx&", "refresh_token=[redacted]&"),
            ("s3 is no bucket", "s3 is no bucket"),
            ("hunter22-longer", "[redacted]"),
            ("nothing", "nothing"),
            ("", ""),
        ] {
            assert_eq!(without(&secrets, text.to_owned()), safe);
        }
    }
}
