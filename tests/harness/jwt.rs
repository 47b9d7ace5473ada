//! Keys for the profiles of tests, and a second opinion on what tokctl signs: `jose` under node, which shares no line
//! with ours.

use std::path::Path;

use serde_json::{Value, json};

use crate::process::Run;

/// A private key, and what it takes to check what is signed with it.
#[derive(Clone, Debug)]
pub struct Key {
    /// PKCS#8 in PEM, or hex where it is a secret.
    pub private: String,
    /// Of the public half, as `SHA256:` and base64; empty where there is none.
    pub fingerprint: String,
    check: Value,
}

/// A token whose signature and times are good.
#[derive(Clone, Debug)]
pub struct Checked {
    pub header: Value,
    pub claims: Value,
}

impl Key {
    /// A new key pair for this algorithm.
    #[track_caller]
    pub fn generate(algorithm: &str) -> Self {
        let made = node(&["new", algorithm]).run().json();
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        Self {
            private: text("private"),
            fingerprint: text("fingerprint"),
            check: json!({ "public": text("public") }),
        }
    }

    /// A secret for HS256, in hex.
    pub fn secret(hex: &str) -> Self {
        let check = json!({ "secret": hex });
        Self { private: hex.to_owned(), fingerprint: String::new(), check }
    }

    /// What a token says, if this key has signed it and it is valid now.
    #[track_caller]
    pub fn check(&self, token: &str) -> Checked {
        let mut question = self.check.clone();
        question["token"] = token.into();
        let mut checked = node(&["check"]).stdin(question.to_string()).run().json();
        Checked { header: checked["header"].take(), claims: checked["claims"].take() }
    }
}

fn node(arguments: &[&str]) -> Run {
    Run::new("node")
        .arg("jwt.mjs")
        .args(arguments)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("idp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515 appendix A.1; it ended in 2011.
    const EXPIRED: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    #[should_panic(expected = "not exit 0")]
    fn a_token_that_is_not_good_is_not_passed() {
        Key::secret("00").check(EXPIRED);
    }
}
