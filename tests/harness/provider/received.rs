//! A token request as it came.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::http::Message;

/// What a test can say of a token request.
#[derive(Clone, Debug)]
pub struct Received {
    /// Where it was sent, without a query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Parameters of the form or members of the JSON object, in order; one that repeats is there repeatedly.
    pub params: Vec<(String, String)>,
    /// Id and secret after Basic, decoded as RFC 6749 section 2.3.1 says.
    pub basic: Option<(String, String)>,
    /// Whether the body was JSON.
    pub json: bool,
}

impl Received {
    pub fn new(message: &Message) -> Self {
        let content_type = message.header("content-type").unwrap_or_default();
        let json = content_type.starts_with("application/json");
        let path = message.word(1).split('?').next().unwrap_or_default();
        Self {
            path: path.to_owned(),
            headers: message.headers.clone(),
            params: match json {
                true => members(&message.body),
                false => form_urlencoded::parse(&message.body).into_owned().collect(),
            },
            basic: message.header("authorization").and_then(basic),
            json,
        }
    }

    /// A parameter's first value.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The client and its secret, however it gave them.
    pub fn client(&self) -> Option<(&str, &str)> {
        match &self.basic {
            Some((id, secret)) => Some((id, secret)),
            None => self.param("client_id").zip(self.param("client_secret")),
        }
    }
}

fn members(body: &[u8]) -> Vec<(String, String)> {
    let object: BTreeMap<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    object.into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn basic(header: &str) -> Option<(String, String)> {
    let bytes = BASE64_STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((decoded(id), decoded(secret)))
}

fn decoded(text: &str) -> String {
    form_urlencoded::parse(format!("={text}").as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}
