//! A login that is not OAuth: one or two requests, whose last reply holds a token somewhere.
//!
//! Holes are filled with secrets of the entry (`{secret:NAME}`) and, in the second request, with what the first reply
//! has at a dotted path (`{step1:PATH}`). What is put in is encoded for the place where it stands, and decides neither
//! the host nor the shape of a request.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokctl_core::{Class, Reached, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind, ProfileName, Secret};
use url::Url;

use crate::config::{Body, Step, StepBody, Steps};
use crate::oauth::buffer::Buffer;
use crate::oauth::client_auth::{secret_required, set_secret};
use crate::oauth::form::{self, Parameters};
use crate::oauth::message::{HttpReply, HttpRequest, Method};

/// The name in config.toml.
const NAME: &str = "steps";
const SECRET: &str = "{secret:";
const FIRST_REPLY: &str = "{step1:";

/// What holes are filled with.
#[derive(Debug)]
pub struct Filling<'a> {
    pub profile: &'a ProfileName,
    pub secrets: &'a BTreeMap<String, Secret>,
    /// The first reply, for the second request.
    pub first: Option<&'a Value>,
}

/// The request of a step.
pub fn request(step: &Step, filling: &Filling<'_>) -> Result<HttpRequest, Failure> {
    let text = |value: &str| Secret::new(value.to_owned());
    let mut headers = vec![("Accept".into(), text("application/json"))];
    let of_body =
        |body| ("Content-Type".into(), text(form::content_type(body).unwrap_or_default()));
    let body = match &step.body {
        StepBody::None => Secret::default(),
        StepBody::Form(fields) => {
            headers.push(of_body(Body::Form));
            let mut parameters = Parameters::default();
            for (name, template) in fields {
                parameters.set(name, filling.fill(template, Buffer::push_str)?);
            }
            parameters.encode(Body::Form)
        }
        StepBody::Json(template) => {
            headers.push(of_body(Body::Json));
            let mut value = serde_json::from_str(template).expect("it was checked to be JSON");
            filling.fill_json(&mut value)?;
            Secret::new(value.to_string())
        }
    };
    for (name, template) in &step.headers {
        let value = filling.fill(template, Buffer::push_str)?;
        headers.retain(|(known, _): &(std::borrow::Cow<'static, str>, Secret)| {
            !known.eq_ignore_ascii_case(name)
        });
        headers.push((name.clone().into(), value));
    }
    let url = filling.fill(&step.url, push_url_encoded)?;
    Ok(HttpRequest {
        method: if step.method == "GET" { Method::Get } else { Method::Post },
        url: Url::parse(url.expose()).map_err(|_| {
            let message = "a step's `url` is no URL once its holes are filled";
            Failure::new(Kind::ConfigInvalid, message).of(filling.profile)
        })?,
        headers,
        body,
    })
}

/// Where a step sends to. Its holes come after the host.
pub fn place(step: &Step) -> Option<Url> {
    Url::parse(step.url.split('{').next().unwrap_or_default()).ok()
}

/// The paths into the first reply that a text has holes for.
pub fn first_reply_paths(text: &str) -> impl Iterator<Item = &str> {
    text.split(FIRST_REPLY).skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// What a first reply holds, once it is known to be no refusal.
pub fn first_reply(profile: &ProfileName, reply: &HttpReply) -> Result<Value, Trouble> {
    serde_json::from_slice::<Value>(&reply.body).map_err(|_| {
        let status = reply.status;
        let message =
            format!("the first step was answered with something that is no JSON (HTTP {status})");
        let failure = Failure::new(Kind::ProviderFailed, message).of(profile);
        Trouble::new(Class::Retry, failure).reached(Reached::Answered(status))
    })
}

/// What to type when a secret that the requests send is not the one; `None` where they send none.
pub fn set_secrets(profile: &ProfileName, login: &Steps) -> Option<String> {
    let names: BTreeSet<&str> = login.steps.iter().flat_map(texts).flat_map(secrets_in).collect();
    let mut names = names.into_iter();
    let first = set_secret(profile, NAME, names.next()?);
    Some(names.fold(first, |hint, name| format!("{hint} or `--name {name}`")))
}

/// The texts of a step that may have holes.
pub fn texts(step: &Step) -> impl Iterator<Item = &str> {
    let (form, json) = match &step.body {
        StepBody::None => (None, None),
        StepBody::Form(fields) => (Some(fields), None),
        StepBody::Json(text) => (None, Some(text.as_str())),
    };
    let form = form.into_iter().flat_map(BTreeMap::values).map(String::as_str);
    let headers = step.headers.values().map(String::as_str);
    std::iter::once(step.url.as_str()).chain(headers).chain(form).chain(json)
}

fn secrets_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(SECRET).skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

impl Filling<'_> {
    /// The template with its holes filled, each value written by `push`.
    fn fill(&self, template: &str, push: fn(&mut Buffer, &str)) -> Result<Secret, Failure> {
        let mut filled = Buffer::default();
        let mut rest = template;
        while let Some(at) = next_hole(rest) {
            filled.push_str(&rest[..at]);
            let hole = &rest[at..];
            let Some((inside, after)) = hole.split_once('}') else { break };
            push(&mut filled, self.value(inside)?.expose());
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled.into_secret().expect("made of text alone"))
    }

    fn fill_json(&self, value: &mut Value) -> Result<(), Failure> {
        match value {
            Value::String(text) => {
                *text = self.fill(text, Buffer::push_str)?.expose().to_owned();
                Ok(())
            }
            Value::Array(values) => values.iter_mut().try_for_each(|value| self.fill_json(value)),
            Value::Object(fields) => {
                fields.values_mut().try_for_each(|value| self.fill_json(value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    /// What a hole, from its brace to before the closing one, stands for.
    fn value(&self, inside: &str) -> Result<Secret, Failure> {
        if let Some(name) = inside.strip_prefix(SECRET) {
            let secret = self.secrets.get(name).filter(|secret| !secret.is_empty());
            return secret.cloned().ok_or_else(|| secret_required(self.profile, NAME, name));
        }
        let path = inside.strip_prefix(FIRST_REPLY).unwrap_or_default();
        let found = self.first.and_then(|first| at(first, path));
        let text = found.and_then(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        text.map(Secret::new).ok_or_else(|| {
            let message = format!("the first step's reply has nothing at `{}`", shown(path));
            Failure::new(Kind::ProviderFailed, message).of(self.profile)
        })
    }
}

fn next_hole(text: &str) -> Option<usize> {
    [SECRET, FIRST_REPLY].into_iter().filter_map(|opening| text.find(opening)).min()
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(values) => values.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Every byte but unreserved ones (RFC 3986 section 2.3), so that a value is neither a path nor a query.
fn push_url_encoded(out: &mut Buffer, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(&[byte]);
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokctl_proto::WallMs;
    use zeroize::Zeroizing;

    use super::*;

    fn step(url: &str, body: StepBody) -> Step {
        Step { method: "POST".into(), url: url.into(), headers: BTreeMap::new(), body }
    }

    fn made(step: &Step, first: Option<&Value>) -> Result<HttpRequest, Failure> {
        let secrets = [("pw", "p&w \"1\""), ("user", "ada")]
            .map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned())))
            .into();
        let profile = ProfileName::parse("acme").unwrap();
        request(step, &Filling { profile: &profile, secrets: &secrets, first })
    }

    #[test]
    fn secrets_are_encoded_for_the_place_where_they_stand() {
        let fields = [("user", "{secret:user}"), ("pw", "x{secret:pw}")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let form = step("https://a.example/login", StepBody::Form(fields.into()));
        let request = made(&form, None).unwrap();
        assert_eq!(request.body.expose(), "pw=xp%26w+%221%22&user=ada");

        let body = r#"{"n":1,"user":{"pw":"{secret:pw}"}}"#;
        let json = step("https://a.example/login", StepBody::Json(body.into()));
        let request = made(&json, None).unwrap();
        assert_eq!(request.body.expose(), r#"{"n":1,"user":{"pw":"p&w \"1\""}}"#);

        let url = step("https://a.example/u/{secret:pw}?x=1", StepBody::None);
        assert_eq!(
            made(&url, None).unwrap().url.as_str(),
            "https://a.example/u/p%26w%20%221%22?x=1"
        );
    }

    #[test]
    fn the_second_request_takes_what_the_first_reply_has() {
        let first = json!({ "session": { "id": 7, "keys": ["k/../1"] } });
        let mut second = step("https://a.example/s/{step1:session.keys.0}/t", StepBody::None);
        second.headers = [("X-Session".to_owned(), "id {step1:session.id}".to_owned())].into();
        second.method = "GET".into();
        let request = made(&second, Some(&first)).unwrap();
        assert_eq!(request.url.as_str(), "https://a.example/s/k%2F..%2F1/t");
        let header = request.headers.iter().find(|(name, _)| name == "X-Session").unwrap();
        assert_eq!((header.1.expose(), request.method), ("id 7", Method::Get));
        assert_eq!(place(&second).unwrap().host_str(), Some("a.example"));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (url, first, kind, said) in [
            ("https://a.example/{secret:nope}", None, Kind::SecretRequired, "`nope`"),
            ("https://a.example/{step1:a.b}", None, Kind::ProviderFailed, "`a.b`"),
            (
                "https://a.example/{step1:a.b}",
                Some(json!({ "a": { "b": {} } })),
                Kind::ProviderFailed,
                "`a.b`",
            ),
        ] {
            let failure = made(&step(url, StepBody::None), first.as_ref()).unwrap_err();
            assert_eq!(failure.kind, kind);
            assert!(failure.message.contains(said), "{}", failure.message);
        }
    }

    #[test]
    fn a_first_reply_is_json() {
        let profile = ProfileName::parse("acme").unwrap();
        for (body, class) in [("{}", None), ("[]", None), ("<html>", Some(Class::Retry))] {
            let reply = HttpReply {
                status: 200,
                content_type: None,
                retry_after: None,
                date: None,
                sent_at: WallMs(0),
                received_at: WallMs(0),
                body: Zeroizing::new(body.as_bytes().to_vec()),
            };
            let made = first_reply(&profile, &reply);
            assert_eq!(made.err().map(|trouble| trouble.class), class, "{body}");
        }
    }
}
