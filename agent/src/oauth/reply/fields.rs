//! The fields of a reply, whatever it is encoded as, wiped when they are dropped.
//!
//! The content type is not asked: providers send JSON as text/html and forms as text/plain. What
//! begins like JSON is JSON; else it is a form if it has a field that a token reply has. Nesting is
//! bounded by serde_json (128), size by the shell (1 MiB).

use serde_json::{Map, Value};
use tokctl_proto::Secret;
use zeroize::Zeroize;

/// What makes a form a token reply: without one of these, any text would read as a form of one
/// field.
const FORM_FIELDS: &[&str] = &["access_token", "error", "refresh_token"];

/// The fields of one JSON object or form.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
        match body.first()? {
            b'{' => serde_json::from_slice(body).ok().map(Self),
            b'[' | b'<' | b'"' => None,
            _ => Self::read_form(body),
        }
    }

    fn read_form(body: &[u8]) -> Option<Self> {
        let pairs = form_urlencoded::parse(body);
        let fields = Self(
            pairs
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect(),
        );
        FORM_FIELDS.iter().any(|name| fields.0.contains_key(*name)).then_some(fields)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A field that is text, and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Takes a field that is text out, without a copy.
    pub(super) fn take_secret(&mut self, name: &str) -> Option<Secret> {
        take_secret(&mut self.0, name)
    }

    /// As [`Self::take_secret`], out of an object that is a field.
    pub(super) fn take_secret_in(&mut self, object: &str, name: &str) -> Option<Secret> {
        take_secret(self.0.get_mut(object)?.as_object_mut()?, name)
    }

    /// From text that is a token and nothing else.
    pub(super) fn of_token(text: String) -> Self {
        Self(Map::from_iter([("access_token".to_owned(), Value::String(text))]))
    }

    /// Takes out what stands at a dotted path; a number counts from 0 in an array.
    pub(super) fn take_at(&mut self, path: &str) -> Option<Value> {
        let (parents, last) = match path.rsplit_once('.') {
            Some((parents, last)) => (Some(parents), last),
            None => (None, path),
        };
        let Some(parents) = parents else { return self.0.remove(last) };
        let mut names = parents.split('.');
        let mut at = self.0.get_mut(names.next()?)?;
        for name in names {
            at = match at {
                Value::Object(fields) => fields.get_mut(name)?,
                Value::Array(values) => values.get_mut(name.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        match at {
            Value::Object(fields) => fields.remove(last),
            Value::Array(values) => values.get_mut(last.parse::<usize>().ok()?).map(Value::take),
            _ => None,
        }
    }

    /// What stands at a dotted path; a number counts from 0 in an array.
    pub(super) fn at(&self, path: &str) -> Option<&Value> {
        let mut names = path.split('.');
        let first = self.0.get(names.next()?)?;
        names.try_fold(first, |at, name| match at {
            Value::Object(fields) => fields.get(name),
            Value::Array(values) => values.get(name.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Puts a field in, in place of one of that name.
    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.remove(name);
        self.0.insert(name.to_owned(), value);
    }

    /// A field of an object that is a field.
    pub(super) fn get_in(&self, object: &str, name: &str) -> Option<&Value> {
        self.get(object)?.as_object()?.get(name)
    }

    /// Takes a field that is an object out.
    pub(super) fn take_object(&mut self, name: &str) -> Option<Self> {
        self.get(name)?.as_object()?;
        match self.0.remove(name)? {
            Value::Object(fields) => Some(Self(fields)),
            _ => None,
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some(mut value) = self.0.remove(name) {
            wipe(&mut value);
        }
    }

    /// Removes, at every depth, the fields whose name `goes`.
    pub(super) fn remove_at_every_depth(&mut self, goes: &impl Fn(&str) -> bool) {
        remove_from(&mut self.0, goes);
    }

    pub(super) fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

fn take_secret(fields: &mut Map<String, Value>, name: &str) -> Option<Secret> {
    fields.get(name)?.as_str().filter(|text| !text.is_empty())?;
    match fields.remove(name)? {
        Value::String(text) => Some(Secret::new(text)),
        _ => None,
    }
}

fn remove_from(fields: &mut Map<String, Value>, goes: &impl Fn(&str) -> bool) {
    fields.retain(|name, value| {
        if goes(name) {
            wipe(value);
            return false;
        }
        remove_below(value, goes);
        true
    });
}

fn remove_below(value: &mut Value, goes: &impl Fn(&str) -> bool) {
    match value {
        Value::Object(fields) => remove_from(fields, goes),
        Value::Array(values) => values.iter_mut().for_each(|value| remove_below(value, goes)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
