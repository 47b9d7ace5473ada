//! What an access token says of itself, where it is a JWT (RFC 9068, RFC 7519), for a person to look at.
//!
//! Nothing is verified: the token is made for the API that it is sent to, and nothing here is decided by what is in
//! it. To the client a token is opaque (RFC 9068 section 6).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use tokctl_proto::Secret;
use zeroize::Zeroizing;

/// The claims of a signed JWT, as its text has them; `None` for what is none: an opaque token, one that is
/// encrypted (RFC 7516), one whose claims are no JSON object.
pub fn of(token: &Secret) -> Option<Secret> {
    let mut parts = token.expose().split('.');
    let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    // A header that is none would make three words with dots a JWT.
    object(header)?;
    object(claims)
}

fn object(part: &str) -> Option<Secret> {
    // As large as what comes out can be, so that it never grows.
    let mut bytes = Zeroizing::new(vec![0; part.len().div_ceil(4) * 3]);
    let length = URL_SAFE_NO_PAD.decode_slice(part, &mut bytes).ok()?;
    bytes.truncate(length);
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    serde_json::from_slice::<IgnoredAny>(&bytes).ok().filter(|_| is_object)?;
    Secret::from_utf8(std::mem::take(&mut *bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    #[test]
    fn the_claims_of_a_jwt_are_read_as_they_stand() {
        let header = r#"{"alg":"RS256","typ":"at+jwt"}"#;
        let good = jwt(header, r#"{"iss":"https://a.example","exp":1e3, "sub":"ä"}"#);
        for (token, claims) in [
            (good.clone(), Some(r#"{"iss":"https://a.example","exp":1e3, "sub":"ä"}"#)),
            (jwt(header, "{}"), Some("{}")),
            (jwt(header, "[]"), None),
            (jwt(header, "\"text\""), None),
            (jwt(header, "{\"a\":"), None),
            (jwt("no header", "{}"), None),
            (format!("{good}.x.y"), None),
            (good.rsplit_once('.').unwrap().0.to_owned(), None),
            ("opaque".to_owned(), None),
            ("a.b.c".to_owned(), None),
            ("..".to_owned(), None),
            (String::new(), None),
            // An installation token of GitHub's: a JWT behind a prefix is none.
            (format!("ghs_123_{good}"), None),
        ] {
            let read = of(&Secret::new(token.clone()));
            assert_eq!(read.as_ref().map(Secret::expose), claims, "{token}");
        }
    }
}
