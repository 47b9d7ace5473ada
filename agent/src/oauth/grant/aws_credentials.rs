//! AWS's temporary credentials as one token: three values that are of use together alone.
//!
//! The token is the JSON that AWS programs take from a `credential_process`, in one line and without a space, so that
//! it is a token like any other. The parts stand beside it as further fields.

use serde_json::json;
use tokctl_proto::{Secret, WallMs};

/// Temporary credentials.
#[derive(Debug)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    /// Absent where the credentials are not temporary.
    pub session_token: Option<Secret>,
    /// As AWS wrote it (RFC 3339), and when that is.
    pub expiration: Option<(String, WallMs)>,
}

impl Credentials {
    /// The text of a token reply (RFC 6749 section 5.1), read like any other.
    pub fn reply(&self, now: WallMs) -> Secret {
        let mut process = json!({
            "Version": 1,
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key.expose(),
        });
        let mut reply = json!({
            "token_type": "AWS4-HMAC-SHA256",
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key.expose(),
        });
        if let Some(token) = &self.session_token {
            process["SessionToken"] = json!(token.expose());
            reply["aws_session_token"] = json!(token.expose());
        }
        if let Some((written, at)) = &self.expiration {
            process["Expiration"] = json!(written);
            reply["expires_in"] = json!(at.0.saturating_sub(now.0) as f64 / 1000.0);
            reply["expiration"] = json!(written);
        }
        reply["access_token"] = json!(process.to_string());
        Secret::new(reply.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokctl_proto::token::is_token;

    use super::*;

    #[test]
    fn the_token_is_what_a_credential_process_prints() {
        let credentials = Credentials {
            access_key_id: "ASIA".into(),
            secret_access_key: Secret::new("s/+=".into()),
            session_token: Some(Secret::new("tok".into())),
            expiration: Some(("2027-01-15T09:00:00Z".into(), WallMs(1_800_003_600_000))),
        };
        let reply: Value =
            serde_json::from_str(credentials.reply(WallMs(1_800_000_000_000)).expose()).unwrap();
        let token = reply["access_token"].as_str().unwrap();
        assert!(is_token(token), "{token}");
        let process: Value = serde_json::from_str(token).unwrap();
        assert_eq!(
            process,
            json!({
                "Version": 1, "AccessKeyId": "ASIA", "SecretAccessKey": "s/+=",
                "SessionToken": "tok", "Expiration": "2027-01-15T09:00:00Z",
            })
        );
        assert_eq!(
            (&reply["expires_in"], &reply["aws_session_token"]),
            (&json!(3600.0), &json!("tok"))
        );
    }
}
