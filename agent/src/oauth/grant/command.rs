//! What a program printed, read as a token: the token alone, or one of the shapes that programs for other programs
//! print (Kubernetes' ExecCredential, AWS's credential_process, a token reply, `{"version":1,"value":…}`).

use serde_json::{Map, Value, json};
use tokctl_proto::{Secret, WallMs};

use super::aws_credentials::Credentials;
use crate::oauth::reply::rfc3339;

/// The text of a token reply (RFC 6749 section 5.1) for what was printed; `None` where no token is in it.
pub fn reply(now: WallMs, printed: &[u8]) -> Option<Secret> {
    let text = std::str::from_utf8(printed).ok()?.trim();
    if !text.starts_with('{') {
        let is_one = !text.is_empty() && !text.contains(char::is_whitespace);
        return is_one.then(|| token(text, None, now));
    }
    let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    let of = |fields: &Map<String, Value>, name: &str| {
        fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    if fields.get("kind").is_some_and(|kind| kind == "ExecCredential") {
        let status = fields.get("status")?.as_object()?;
        let until = of(status, "expirationTimestamp");
        return Some(token(&of(status, "token")?, until.as_deref(), now));
    }
    if let Some(access_key_id) = of(&fields, "AccessKeyId") {
        let expiration = of(&fields, "Expiration");
        let credentials = Credentials {
            access_key_id,
            secret_access_key: Secret::new(of(&fields, "SecretAccessKey")?),
            session_token: of(&fields, "SessionToken").map(Secret::new),
            expiration: expiration.and_then(|text| Some((text.clone(), rfc3339(&text)?))),
        };
        return Some(credentials.reply(now));
    }
    if let Some(value) = of(&fields, "value") {
        return Some(with_end(&value, fields.get("expires_at"), now));
    }
    let access_token = of(&fields, "access_token")?;
    match (fields.get("expires_in"), fields.get("expires_at")) {
        (None, end @ Some(_)) => Some(with_end(&access_token, end, now)),
        _ => Some(Secret::new(text.to_owned())),
    }
}

fn with_end(value: &str, end: Option<&Value>, now: WallMs) -> Secret {
    match end {
        Some(Value::Number(seconds)) => {
            let left_s = seconds.as_f64().unwrap_or_default() - now.0 as f64 / 1000.0;
            reply_of(value, Some(left_s))
        }
        Some(Value::String(text)) => token(value, Some(text), now),
        _ => token(value, None, now),
    }
}

fn token(text: &str, until: Option<&str>, now: WallMs) -> Secret {
    let left_ms = until.and_then(rfc3339).map(|at| at.0.saturating_sub(now.0));
    reply_of(text, left_ms.map(|left_ms| left_ms as f64 / 1000.0))
}

fn reply_of(text: &str, left_s: Option<f64>) -> Secret {
    let mut reply = json!({ "access_token": text });
    if let Some(left_s) = left_s {
        reply["expires_in"] = json!(left_s);
    }
    Secret::new(reply.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: WallMs = WallMs(1_800_000_000_000);

    #[test]
    fn every_shape_that_programs_print_is_read() {
        let hour = json!(3600.0);
        for (printed, token, expires_in) in [
            ("tok\n".to_owned(), Some("tok"), None),
            ("  tok  ".to_owned(), Some("tok"), None),
            (
                json!({ "access_token": "tok", "expires_in": 60 }).to_string(),
                Some("tok"),
                Some(json!(60)),
            ),
            (json!({ "access_token": "tok" }).to_string(), Some("tok"), None),
            (
                json!({ "access_token": "tok", "expires_at": 1_800_003_600 }).to_string(),
                Some("tok"),
                Some(hour.clone()),
            ),
            (
                json!({ "version": 1, "value": "tok", "expires_at": "2027-01-15T09:00:00Z" })
                    .to_string(),
                Some("tok"),
                Some(hour.clone()),
            ),
            (
                json!({
                    "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                    "status": { "token": "tok", "expirationTimestamp": "2027-01-15T09:00:00Z" },
                })
                .to_string(),
                Some("tok"),
                Some(hour),
            ),
            (String::new(), None, None),
            ("two words".to_owned(), None, None),
            ("two\nlines".to_owned(), None, None),
            ("{}".to_owned(), None, None),
            ("{\"access_token\":\"\"}".to_owned(), None, None),
            ("{\"kind\":\"ExecCredential\",\"status\":{}}".to_owned(), None, None),
        ] {
            let made = reply(NOW, printed.as_bytes());
            let made: Option<Value> =
                made.map(|reply| serde_json::from_str(reply.expose()).unwrap());
            let read = made.as_ref().and_then(|made| made["access_token"].as_str());
            assert_eq!(read, token, "{printed}");
            let left = made.as_ref().and_then(|made| made.get("expires_in"));
            assert_eq!(left, expires_in.as_ref(), "{printed}");
        }
        assert!(reply(NOW, b"\xff").is_none());
    }

    #[test]
    fn credentials_of_aws_are_one_token_with_its_parts_beside_it() {
        let printed = json!({
            "Version": 1, "AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t",
            "Expiration": "2027-01-15T09:00:00Z",
        });
        let made = reply(NOW, printed.to_string().as_bytes()).unwrap();
        let made: Value = serde_json::from_str(made.expose()).unwrap();
        let token: Value = serde_json::from_str(made["access_token"].as_str().unwrap()).unwrap();
        assert_eq!(token, printed);
        assert_eq!(made["aws_secret_access_key"], "s");
    }

    proptest! {
        #[test]
        fn no_output_makes_the_reader_panic(printed in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ignored = reply(NOW, &printed);
        }
    }
}
