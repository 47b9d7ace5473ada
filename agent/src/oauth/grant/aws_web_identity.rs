//! AWS's `AssumeRoleWithWebIdentity`: a token of somebody else, for a role's temporary credentials.
//!
//! STS is asked with a form and without a signature, and answers in XML. Its answer is read as the token reply that it
//! would be, so that it is saved, classified and served like any other.

use serde::Deserialize;
use serde_json::json;
use tokctl_proto::{Failure, Kind, Secret, TokenKey, WallMs};

use crate::config::{AwsRole, Body};
use crate::oauth::form::Parameters;
use crate::oauth::grant::aws_credentials::Credentials;
use crate::oauth::grant::{Held, token_request};
use crate::oauth::message::{self, HttpReply, HttpRequest};
use crate::oauth::{provider_clock, reply, subject};

const API_VERSION: &str = "2011-06-15";

/// The request for the role's credentials.
pub fn request(role: &AwsRole, key: &TokenKey, held: Held<'_>) -> Result<HttpRequest, Failure> {
    let profile = &key.profile;
    if !key.scope.is_empty() || !key.audience.is_empty() || !key.resource.is_empty() {
        let message = "a role's credentials have no scope, audience or resource to choose";
        return Err(Failure::new(Kind::Usage, message).of(profile));
    }
    let whose = Some(&role.subject);
    let token = held.subject.ok_or_else(|| subject::required(profile, whose))?;
    let mut parameters = Parameters::default();
    for (name, value) in [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", API_VERSION),
        ("RoleArn", &role.role_arn),
        ("RoleSessionName", &role.session_name),
    ] {
        parameters.set_text(name, value);
    }
    if let Some(duration) = role.duration {
        parameters.set_text("DurationSeconds", &duration.as_secs().to_string());
    }
    parameters.set("WebIdentityToken", token.clone());
    Ok(token_request::carry(role.endpoint.clone(), None, &parameters, Body::Form))
}

/// Either of the two documents that STS answers with; the name of the outermost element does not matter.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    assume_role_with_web_identity_result: Option<Granted>,
    error: Option<Refused>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Granted {
    credentials: Parts,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parts {
    access_key_id: String,
    #[serde(deserialize_with = "message::secret")]
    secret_access_key: Secret,
    #[serde(deserialize_with = "message::secret")]
    session_token: Secret,
    expiration: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refused {
    code: String,
    #[serde(default)]
    message: String,
}

/// What STS has answered, as the text of a token reply (RFC 6749 sections 5.1 and 5.2); `None` where it is neither of
/// its documents.
pub fn token_reply(reply: &HttpReply) -> Option<Secret> {
    let text = std::str::from_utf8(&reply.body).ok()?;
    let document: Document = quick_xml::de::from_str(text).ok()?;
    if let Some(Refused { code, message }) = document.error {
        let refused = json!({ "error": code, "error_description": message });
        return Some(Secret::new(refused.to_string()));
    }
    let parts = document.assume_role_with_web_identity_result?.credentials;
    let at = reply::rfc3339(&parts.expiration);
    let at = at.map(|at: WallMs| provider_clock::on_our_clock(at, provider_clock::ahead_s(reply)));
    let credentials = Credentials {
        access_key_id: parts.access_key_id,
        secret_access_key: parts.secret_access_key,
        session_token: Some(parts.session_token),
        expiration: at.map(|at| (parts.expiration, at)),
    };
    Some(credentials.reply(reply.sent_at))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde_json::Value;
    use tokctl_proto::ProfileName;
    use url::Url;
    use zeroize::Zeroizing;

    use super::*;
    use crate::config::{Network, Subject};

    const GRANTED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>ada</SubjectFromWebIdentityToken>
    <AssumedRoleUser><Arn>arn:aws:sts::1:x</Arn></AssumedRoleUser>
    <Credentials>
      <SessionToken>AQoD&amp;YXdz</SessionToken>
      <SecretAccessKey>wJalr/+=</SecretAccessKey>
      <Expiration>2027-01-15T09:00:00Z</Expiration>
      <AccessKeyId>ASIA</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>c6</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>"#;
    const REFUSED: &str = r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>Token expired</Message></Error>
  <RequestId>c6</RequestId>
</ErrorResponse>"#;

    fn role() -> AwsRole {
        AwsRole {
            endpoint: Url::parse("https://sts.amazonaws.com/").unwrap(),
            role_arn: "arn:aws:iam::1:role/ci".into(),
            session_name: "tokctl".into(),
            duration: Some(Duration::from_secs(900)),
            subject: Subject::GithubActions,
            subject_audience: None,
            network: Network::default(),
        }
    }

    fn key() -> TokenKey {
        TokenKey::plain(ProfileName::parse("acme").unwrap())
    }

    fn read(body: &str) -> Option<Value> {
        let reply = HttpReply {
            status: 200,
            content_type: Some("text/xml".into()),
            retry_after: None,
            date: None,
            sent_at: WallMs(1_800_000_000_000),
            received_at: WallMs(1_800_000_000_000),
            body: Zeroizing::new(body.as_bytes().to_vec()),
        };
        Some(serde_json::from_str(token_reply(&reply)?.expose()).unwrap())
    }

    #[test]
    fn the_request_is_the_one_of_the_api() {
        let (secrets, token) = (BTreeMap::new(), Secret::new("eyJ0".into()));
        let held = Held { subject: Some(&token), ..Held::only(&secrets) };
        let made = request(&role(), &key(), held).unwrap();
        assert_eq!(
            made.body.expose(),
            "Action=AssumeRoleWithWebIdentity&DurationSeconds=900\
             &RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fci&RoleSessionName=tokctl\
             &Version=2011-06-15&WebIdentityToken=eyJ0"
        );
        let scoped = TokenKey { scope: ["x".to_owned()].into(), ..key() };
        for (key, held, kind) in
            [(&scoped, held, Kind::Usage), (&key(), Held::only(&secrets), Kind::SubjectRequired)]
        {
            assert_eq!(request(&role(), key, held).unwrap_err().kind, kind);
        }
    }

    #[test]
    fn what_sts_answers_reads_as_a_token_reply() {
        let granted = read(GRANTED).unwrap();
        assert_eq!(granted["expires_in"], 3600.0);
        assert_eq!(granted["aws_session_token"], "AQoD&YXdz");
        let process: Value =
            serde_json::from_str(granted["access_token"].as_str().unwrap()).unwrap();
        assert_eq!(process["SecretAccessKey"], "wJalr/+=");
        let refused = read(REFUSED).unwrap();
        assert_eq!(
            refused,
            json!({ "error": "ExpiredTokenException", "error_description": "Token expired" })
        );
    }

    #[test]
    fn what_is_none_of_its_documents_is_nothing() {
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
            <r><Error><Code>&b;</Code></Error></r>"#;
        for body in ["", "{}", "<html><body>Login</body></html>", &GRANTED[..400], bomb] {
            assert_eq!(read(body), None, "{body}");
        }
    }
}
