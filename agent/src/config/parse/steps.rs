//! `steps`: the one or two requests of a login that is not OAuth.

use std::collections::BTreeMap;

use tokctl_proto::escape::shown;
use toml_edit::{Item, TableLike, Value};

use super::super::error::{Broken, ConfigError, suggestion};
use super::super::section::Section;
use super::super::{Network, Step, StepBody, Steps, address, check, template};
use super::client::response;
use super::{lacking, network};

const KEY: &str = "steps";
/// A login of three requests is a program: `grant = "command"`.
const STEPS_MAX: usize = 2;
const KEYS: &[&str] = &["method", "url", "headers", "form", "json"];

pub(super) fn steps(section: &Section<'_>, agent: &Network) -> Result<Steps, ConfigError> {
    let network = network(section, agent)?;
    let tables = section.tables(KEY);
    let offset = section.offset(KEY).unwrap_or_default();
    let refuse = |broken: Broken| section.refuse(offset, KEY, broken);
    if tables.is_empty() {
        return Err(section.lacks(lacking("`steps`")));
    }
    if tables.len() > STEPS_MAX {
        let broken = Broken::new(format!("are more than {STEPS_MAX}"));
        return Err(refuse(broken.hint("a program can do more: `grant = \"command\"`")));
    }
    let steps = tables.iter().map(|table| step(*table, network.allow_http_loopback));
    let steps = steps.collect::<Result<Vec<_>, _>>().map_err(refuse)?;
    let response = response(section)?;
    if response.path("token").is_none() {
        return Err(section.lacks(lacking("`response.token`").hint(
            "say where the last reply holds the token, as in \
                `response = { token = \"data.token\" }`",
        )));
    }
    Ok(Steps { steps, response, assume_ttl: section.duration("assume_ttl"), network })
}

fn step(table: &dyn TableLike, http_loopback: bool) -> Result<Step, Broken> {
    if let Some((unknown, _)) = table.iter().find(|(name, _)| !KEYS.contains(name)) {
        let hint = suggestion(unknown, KEYS.iter().copied());
        return Err(Broken::new(format!("have no key `{}`", shown(unknown))).hint(hint));
    }
    let url = text(table, "url")?.ok_or_else(|| Broken::new("need a `url` each"))?;
    // What stands in a hole must not decide where the request goes.
    let origin = url.split_once('{').map_or(url.as_str(), |(before, _)| before);
    let has_path = origin.splitn(4, '/').count() == 4;
    if url.contains('{') && !has_path {
        return Err(Broken::new("have a hole in the host of a `url`"));
    }
    address::endpoint(origin, http_loopback)?;
    template::parameter(&url)?;
    let body = body(table)?;
    let default = if body == StepBody::None { "GET" } else { "POST" };
    let method = text(table, "method")?.unwrap_or_else(|| default.to_owned());
    if !["GET", "POST"].contains(&method.as_str()) {
        return Err(Broken::new(format!("cannot use the method `{}`", shown(&method)))
            .hint("use GET or POST"));
    }
    let headers = texts(table, "headers")?;
    for (name, value) in &headers {
        check::header_name(name)?;
        check::plain_text(value)?;
    }
    Ok(Step { method, url, headers, body })
}

fn body(table: &dyn TableLike) -> Result<StepBody, Broken> {
    match (table.get("form"), table.get("json")) {
        (None, None) => Ok(StepBody::None),
        (Some(_), None) => Ok(StepBody::Form(texts(table, "form")?)),
        (None, Some(item)) => Ok(StepBody::Json(json(item)?.to_string())),
        (Some(_), Some(_)) => Err(Broken::new("have `form` and `json` in one step")),
    }
}

/// The TOML of a body as the JSON that it stands for.
fn json(item: &Item) -> Result<serde_json::Value, Broken> {
    let value =
        item.clone().into_value().map_err(|_| Broken::new("have a `json` without value"))?;
    json_of(&value)
}

fn json_of(value: &Value) -> Result<serde_json::Value, Broken> {
    Ok(match value {
        Value::String(text) => {
            template::parameter(text.value())?;
            text.value().clone().into()
        }
        Value::Integer(number) => (*number.value()).into(),
        Value::Float(number) => (*number.value()).into(),
        Value::Boolean(flag) => (*flag.value()).into(),
        Value::Datetime(_) => return Err(Broken::new("have a date in `json`: put it in quotes")),
        Value::Array(values) => {
            serde_json::Value::Array(values.iter().map(json_of).collect::<Result<_, _>>()?)
        }
        Value::InlineTable(table) => {
            let pair = |(name, value): (&str, &Value)| Ok((name.to_owned(), json_of(value)?));
            serde_json::Value::Object(table.iter().map(pair).collect::<Result<_, Broken>>()?)
        }
    })
}

fn text(table: &dyn TableLike, name: &str) -> Result<Option<String>, Broken> {
    let Some(item) = table.get(name) else { return Ok(None) };
    match item.as_str() {
        Some(text) => check::plain_text(text).map(Some),
        None => Err(Broken::new(format!("need text in quotes as `{name}`"))),
    }
}

fn texts(table: &dyn TableLike, name: &str) -> Result<BTreeMap<String, String>, Broken> {
    let Some(item) = table.get(name) else { return Ok(BTreeMap::new()) };
    let wrong = || Broken::new(format!("need a table of text as `{name}`"));
    let pair = |(name, item): (&str, &Item)| {
        let text = item.as_str().ok_or_else(wrong)?;
        Ok((name.to_owned(), template::parameter(text)?))
    };
    item.as_table_like().ok_or_else(wrong)?.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::{Grant, parse};
    use super::*;

    const HEAD: &str = "[profiles.a]\ngrant = \"steps\"\nresponse = { token = \"data.token\" }\n";

    fn read(steps: &str) -> Result<Steps, String> {
        let config = parse(&format!("{HEAD}steps = {steps}\n"));
        let mut profiles = config.map_err(|error| error.message)?.profiles;
        match profiles.pop_first().map(|(_, profile)| profile.grant) {
            Some(Grant::Steps(steps)) => Ok(steps),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_step_is_a_request() {
        let read = read(
            "[{ url = \"https://a.example/login\", form = { user = \"ada\", pw = \"{secret:pw}\" } }, \
             { url = \"https://a.example/t?x=1\", headers = { X-Session = \"{step1:id}\" } }]",
        )
        .unwrap();
        let [first, second] = &read.steps[..] else { panic!("{read:?}") };
        assert_eq!((first.method.as_str(), second.method.as_str()), ("POST", "GET"));
        assert_eq!(second.headers["X-Session"], "{step1:id}");
        assert_eq!(second.body, StepBody::None);
    }

    #[test]
    fn a_json_body_keeps_its_types() {
        let read = read(
            "[{ url = \"https://a.example/\", json = { n = 1, on = true, deep = { list = [\"{secret:a}\", 1.5] } } }]",
        )
        .unwrap();
        let json = r#"{"deep":{"list":["{secret:a}",1.5]},"n":1,"on":true}"#;
        assert_eq!(read.steps[0].body, StepBody::Json(json.to_owned()));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (steps, said) in [
            ("[]", "must be an array of tables"),
            ("[{}]", "need a `url` each"),
            ("[{ url = \"http://a.example/\" }]", "plain http"),
            ("[{ url = \"https://{secret:host}/\" }]", "hole in the host"),
            ("[{ url = \"https://a.example{secret:x}/\" }]", "hole in the host"),
            ("[{ url = \"https://a.example/\", method = \"PUT\" }]", "cannot use the method"),
            ("[{ url = \"https://a.example/\", form = {}, json = {} }]", "in one step"),
            ("[{ url = \"https://a.example/\", from = {} }]", "have no key `from`"),
            ("[{ url = \"https://a.example/\", headers = { \"a b\" = \"c\" } }]", "no header"),
            ("[{ url = \"https://a.example/\", form = { a = \"{secret:A}\" } }]", "placeholder"),
            (
                "[{ url = \"https://a/\" }, { url = \"https://a/\" }, { url = \"https://a/\" }]",
                "more than 2",
            ),
        ] {
            let refused = read(steps).unwrap_err();
            assert!(refused.contains(said), "{steps}: {refused}");
        }
        let without =
            "[profiles.a]\ngrant = \"steps\"\nsteps = [{ url = \"https://a.example/\" }]\n";
        assert!(parse(without).unwrap_err().message.contains("`response.token`"));
    }
}
