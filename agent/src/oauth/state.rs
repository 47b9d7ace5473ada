//! Values that tie an answer to the question it belongs to: `state` (RFC 6749 section 10.12) and `nonce` (OpenID
//! Connect Core section 3.1.2.1).

use subtle::ConstantTimeEq;
use tokctl_proto::Secret;

use super::jose::base64url;

/// A value that nobody guesses, drawn for one login.
#[derive(Clone, Debug)]
pub struct Unguessable(Secret);

impl Unguessable {
    /// From random bytes: 256 bits.
    pub fn new(random: [u8; 32]) -> Self {
        Self(Secret::new(base64url(&random)))
    }

    /// The one door out, into the request that carries it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether this is what came back, by a comparison that tells nothing of how far it is right.
    pub fn is(&self, answered: &str) -> bool {
        self.0.expose().as_bytes().ct_eq(answered.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_same_value_is_it() {
        let state = Unguessable::new([7; 32]);
        let text = state.expose().to_owned();
        for (answered, is_it) in [
            (text.as_str(), true),
            (&text[1..], false),
            ("", false),
            (&format!("{text}x"), false),
            (&text.to_uppercase(), false),
        ] {
            assert_eq!(state.is(answered), is_it, "{answered}");
        }
        assert_eq!(format!("{state:?}"), "Unguessable(Secret(..))");
    }
}
