//! AWS's `credential_process`: JSON on stdout, version 1, which every SDK reads.
//!
//! A token of an AWS profile is that JSON already. It is read and written anew, so that nothing else gets through. SDKs
//! ask again some minutes before the end that they were told.

use serde::{Deserialize, Serialize};
use tokctl_client::Secret;
use tokctl_client::proto::secret::SecretStr;

use super::ask::{self, unfit};
use super::{AwsCall, field};
use crate::exit::Stop;
use crate::session::Session;

const VERSION: u32 = 1;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials<'a> {
    version: u32,
    #[serde(borrow)]
    access_key_id: SecretStr<'a>,
    #[serde(borrow)]
    secret_access_key: SecretStr<'a>,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    session_token: Option<SecretStr<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
}

pub(super) fn run(call: &AwsCall, session: &Session) -> Result<(), Stop> {
    let token = ask::token(&mut session.client()?, &call.profile, session)?;
    session.output.json(&credentials(&token.access_token, token.expires_at, &token.profile)?)
}

fn credentials<'a>(
    token: &'a Secret,
    expires_at: Option<i64>,
    profile: &str,
) -> Result<Credentials<'a>, Stop> {
    let read: Result<Credentials<'a>, _> = serde_json::from_str(token.expose());
    let Some(mut credentials) = read.ok().filter(|read| read.version == VERSION) else {
        return Err(unfit(profile, "its tokens are no credentials of AWS"));
    };
    let parts = [Some(&credentials.access_key_id), Some(&credentials.secret_access_key)];
    for part in parts.into_iter().chain([credentials.session_token.as_ref()]).flatten() {
        field::checked("credentials", part.expose())?;
    }
    if credentials.expiration.is_none() {
        credentials.expiration = expires_at.and_then(ask::rfc3339);
    }
    if let Some(expiration) = &credentials.expiration {
        field::checked("Expiration", expiration)?;
    }
    Ok(credentials)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_are_handed_on_with_their_end() {
        let whole = json!({
            "Version": 1, "AccessKeyId": "ASIA0", "SecretAccessKey": "wJalr", "SessionToken": "AQoD",
            "Expiration": "2027-01-15T08:00:00Z",
        });
        let bare = json!({ "Version": 1, "AccessKeyId": "AKIA0", "SecretAccessKey": "w" });
        let mut dated = bare.clone();
        dated["Expiration"] = json!("1970-01-01T00:00:09Z");
        let mut more = whole.clone();
        more["Other"] = json!("x");
        for (token, expires_at, expected) in [
            (&whole, Some(9), &whole),
            (&more, None, &whole),
            (&bare, None, &bare),
            (&bare, Some(9), &dated),
        ] {
            let token = Secret::new(token.to_string());
            let read = credentials(&token, expires_at, "ci").unwrap();
            assert_eq!(&serde_json::to_value(read).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_credentials_of_aws_is_refused() {
        for token in [
            "eyJ0".to_owned(),
            "{}".to_owned(),
            json!({ "Version": 2, "AccessKeyId": "A", "SecretAccessKey": "w" }).to_string(),
            json!({ "Version": 1, "AccessKeyId": "A" }).to_string(),
            json!({ "Version": 1, "AccessKeyId": "A\nB", "SecretAccessKey": "w" }).to_string(),
            json!({ "Version": 1, "AccessKeyId": "A", "SecretAccessKey": "w\0" }).to_string(),
            json!({ "Version": 1, "AccessKeyId": "A", "SecretAccessKey": "w", "SessionToken": "\r" })
                .to_string(),
            json!({ "Version": 1, "AccessKeyId": "A", "SecretAccessKey": "w", "Expiration": "\n" })
                .to_string(),
        ] {
            assert!(credentials(&Secret::new(token.clone()), None, "ci").is_err(), "{token}");
        }
    }
}
