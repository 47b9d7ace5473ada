//! The parameters of a token request and their two encodings.
//!
//! No parameter appears twice and none is empty (RFC 6749 section 3.1): a map holds them, and an
//! empty value is never put in. `resource` and `audience` alone may repeat, with different values
//! (RFC 8707 section 2, RFC 8693 section 2.1). What is encoded is written into buffers that are
//! wiped.

use std::collections::{BTreeMap, BTreeSet};

use tokctl_proto::Secret;
use url::Url;

use crate::config::Body;
use crate::oauth::buffer::Buffer;

/// The name of a parameter that a provider fails over, so that it is left out.
const NOT_SENT: &str = "-";

/// The parameters of one request, by name.
#[derive(Debug, Default)]
pub struct Parameters(BTreeMap<String, Value>);

#[derive(Debug)]
enum Value {
    One(Secret),
    /// At least one, all different.
    Each(BTreeSet<String>),
}

impl Parameters {
    /// Puts a parameter in, in place of an earlier one of that name. An empty value takes it out.
    pub fn set(&mut self, name: &str, value: Secret) {
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), Value::One(value));
        }
    }

    /// As [`Self::set`], for what is no secret.
    pub fn set_text(&mut self, name: &str, value: &str) {
        self.set(name, Secret::new(value.to_owned()));
    }

    /// Puts in a parameter that may repeat, in place of an earlier one of that name.
    pub fn set_each(&mut self, name: &str, values: &BTreeSet<String>) {
        let values: BTreeSet<_> =
            values.iter().filter(|value| !value.is_empty()).cloned().collect();
        if values.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), Value::Each(values));
        }
    }

    /// Gives parameters other names: those of `names`, from the standard's to the provider's. All at once, so
    /// that two of them can change places. One that is called `-` is taken out.
    pub fn rename(&mut self, names: &BTreeMap<String, String>) {
        let taken: Vec<_> = names
            .iter()
            .filter_map(|(from, to)| Some((to.clone(), self.0.remove(from)?)))
            .filter(|(to, _)| to != NOT_SENT && !to.is_empty())
            .collect();
        self.0.extend(taken);
    }

    /// The address with the parameters behind what its query holds already (RFC 6749 section 3.1).
    pub fn behind(&self, endpoint: &Url) -> Url {
        let mut url = endpoint.clone();
        let encoded = self.encode(Body::Form);
        let query = match url.query().filter(|query| !query.is_empty()) {
            Some(own) => Secret::new(format!("{own}&{}", encoded.expose())),
            None => encoded,
        };
        url.set_query(Some(query.expose()).filter(|query| !query.is_empty()));
        url
    }

    pub fn encode(&self, body: Body) -> Secret {
        let encoded = match body {
            Body::Json => self.json(),
            Body::Form | Body::Query | Body::Get => self.form(),
        };
        encoded.into_secret().expect("both encodings are ASCII or UTF-8")
    }

    /// `application/x-www-form-urlencoded` (RFC 6749 appendix B).
    fn form(&self) -> Buffer {
        let mut out = Buffer::default();
        let mut pair = |name: &str, value: &str| {
            if !out.is_empty() {
                out.push_str("&");
            }
            push_form_encoded(&mut out, name);
            out.push_str("=");
            push_form_encoded(&mut out, value);
        };
        for (name, value) in &self.0 {
            match value {
                Value::One(secret) => pair(name, secret.expose()),
                Value::Each(values) => values.iter().for_each(|value| pair(name, value)),
            }
        }
        out
    }

    /// One JSON object; what repeats in a form is an array here, and a string while there is one
    /// alone.
    fn json(&self) -> Buffer {
        let mut out = Buffer::default();
        out.push_str("{");
        for (at, (name, value)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push_str(",");
            }
            push_json(&mut out, name);
            out.push_str(":");
            match value {
                Value::One(secret) => push_json(&mut out, secret.expose()),
                Value::Each(values) => match values.first() {
                    Some(only) if values.len() == 1 => push_json(&mut out, only),
                    _ => push_json(&mut out, values),
                },
            }
        }
        out.push_str("}");
        out
    }
}

/// The media type of a body, where there is one.
pub fn content_type(body: Body) -> Option<&'static str> {
    match body {
        Body::Form => Some("application/x-www-form-urlencoded"),
        Body::Json => Some("application/json"),
        Body::Query | Body::Get => None,
    }
}

/// Space becomes `+`; letters, digits and `*-._` stay; every other byte becomes `%XX`.
pub fn push_form_encoded(out: &mut Buffer, text: &str) {
    for piece in form_urlencoded::byte_serialize(text.as_bytes()) {
        out.push_str(piece);
    }
}

fn push_json(out: &mut Buffer, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("strings encode and the buffer takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    #[test]
    fn both_encodings_hold_the_same() {
        let mut parameters = Parameters::default();
        parameters.set_text("grant_type", "client_credentials");
        parameters.set("q", Secret::new("a \"b\"&=\u{e4}".into()));
        parameters.set_each("resource", &set(&["https://a/", "https://b/"]));
        parameters.set_each("audience", &set(&["one"]));
        parameters.set_text("scope", "");
        parameters.set_each("empty", &set(&[""]));
        assert_eq!(
            parameters.encode(Body::Form).expose(),
            "audience=one&grant_type=client_credentials&q=a+%22b%22%26%3D%C3%A4\
             &resource=https%3A%2F%2Fa%2F&resource=https%3A%2F%2Fb%2F"
        );
        assert_eq!(
            parameters.encode(Body::Json).expose(),
            "{\"audience\":\"one\",\"grant_type\":\"client_credentials\",\"q\":\"a \\\"b\\\"&=\u{e4}\",\
             \"resource\":[\"https://a/\",\"https://b/\"]}"
        );
    }

    #[test]
    fn no_parameters_make_an_empty_body() {
        assert_eq!(Parameters::default().encode(Body::Form).expose(), "");
        assert_eq!(Parameters::default().encode(Body::Json).expose(), "{}");
    }

    #[test]
    fn a_later_value_takes_the_place_of_an_earlier_one() {
        let mut parameters = Parameters::default();
        parameters.set_text("a", "1");
        parameters.set_text("a", "2");
        parameters.set_text("b", "1");
        parameters.set_text("b", "");
        assert_eq!(parameters.encode(Body::Form).expose(), "a=2");
    }

    #[test]
    fn renamed_parameters_may_change_places() {
        let names = [("a", "b"), ("b", "a"), ("absent", "c"), ("x", "y")]
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .into();
        let mut parameters = Parameters::default();
        for (name, value) in [("a", "1"), ("b", "2"), ("x", "3"), ("y", "4"), ("z", "5")] {
            parameters.set_text(name, value);
        }
        parameters.rename(&names);
        assert_eq!(parameters.encode(Body::Form).expose(), "a=2&b=1&y=3&z=5");
        parameters.rename(&[("b".to_owned(), NOT_SENT.to_owned())].into());
        assert_eq!(parameters.encode(Body::Form).expose(), "a=2&y=3&z=5");
    }

    #[test]
    fn an_address_takes_parameters_behind_its_own() {
        for (endpoint, made) in [
            ("https://a.example/t", "https://a.example/t?n=%26+1"),
            ("https://a.example/t?", "https://a.example/t?n=%26+1"),
            ("https://a.example/t?x=1", "https://a.example/t?x=1&n=%26+1"),
        ] {
            let endpoint = Url::parse(endpoint).unwrap();
            let mut parameters = Parameters::default();
            parameters.set_text("n", "& 1");
            assert_eq!(parameters.behind(&endpoint).as_str(), made);
        }
        let bare = Url::parse("https://a.example/t").unwrap();
        assert_eq!(Parameters::default().behind(&bare), bare);
    }

    proptest! {
        #[test]
        fn no_parameter_appears_twice_and_none_is_empty(
            pairs in prop::collection::vec(("\\PC{1,8}", "\\PC{0,8}"), 0..12),
        ) {
            let mut parameters = Parameters::default();
            for (name, value) in &pairs {
                parameters.set_text(name, value);
            }
            let expected: BTreeMap<_, _> =
                pairs.iter().cloned().collect::<BTreeMap<_, _>>().into_iter()
                .filter(|(_, value)| !value.is_empty()).collect();

            let form = parameters.encode(Body::Form);
            let decoded: Vec<(String, String)> =
                form_urlencoded::parse(form.expose().as_bytes()).into_owned().collect();
            prop_assert_eq!(decoded.len(), expected.len());
            prop_assert_eq!(&decoded.into_iter().collect::<BTreeMap<_, _>>(), &expected);

            let json = parameters.encode(Body::Json);
            let decoded: BTreeMap<String, String> = serde_json::from_str(json.expose()).unwrap();
            prop_assert_eq!(&decoded, &expected);
        }
    }
}
