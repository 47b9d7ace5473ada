//! Proof Key for Code Exchange (RFC 7636): only who began a login can end it. S256 always, `plain` never.

use sha2::{Digest, Sha256};
use tokctl_proto::Secret;

use super::jose::base64url;

/// Begins a login: what is kept, and what is shown.
#[derive(Clone, Debug)]
pub struct Pkce {
    /// 43 characters (section 4.1); sent with the code alone.
    pub verifier: Secret,
    /// Sent with the authorization request (section 4.2).
    pub challenge: String,
}

impl Pkce {
    /// From random bytes, drawn for this login alone (section 7.1: 256 bits).
    pub fn new(random: [u8; 32]) -> Self {
        Self::of(Secret::new(base64url(&random)))
    }

    fn of(verifier: Secret) -> Self {
        let challenge = base64url(&Sha256::digest(verifier.expose()));
        Self { verifier, challenge }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let pkce = Pkce::of(Secret::new(verifier.to_owned()));
        assert_eq!(pkce.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_verifier_is_as_long_as_it_must_be() {
        for byte in [0, 0xff] {
            let pkce = Pkce::new([byte; 32]);
            assert_eq!((pkce.verifier.expose().len(), pkce.challenge.len()), (43, 43));
            let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            assert!(pkce.verifier.expose().bytes().all(is_unreserved));
        }
    }
}
