//! ~/.docker/config.json: the registries under `credHelpers`.

use super::change::{self, Change};
use super::json_text;
use super::{Entry, Tool, Wanted, file, host};
use crate::exit::Stop;
use std::path::PathBuf;

pub(super) const LINK: &str = "docker-credential-tokctl";
/// Docker puts it behind `docker-credential-`.
const HELPER: &str = "tokctl";
const KEY: &str = "credHelpers";

fn path() -> Result<PathBuf, Stop> {
    match std::env::var_os("DOCKER_CONFIG").filter(|value| !value.is_empty()) {
        Some(directory) => Ok(PathBuf::from(directory).join("config.json")),
        None => file(None, ".docker/config.json"),
    }
}

pub(super) fn install(wanted: &Wanted<'_>) -> Result<Change, Stop> {
    let path = path()?;
    let before = change::read(&path)?;
    let text = before.clone().filter(|text| !text.trim().is_empty()).unwrap_or("{}\n".to_owned());
    let after = wanted.api_urls.iter().try_fold(text, |text, url| with(&text, host(url)));
    let after = after.ok_or_else(|| broken(&path))?;
    Ok(Change::edit(path, before, after))
}

pub(super) fn uninstall(entries: &[Entry]) -> Result<Change, Stop> {
    let path = path()?;
    let before = change::read(&path)?;
    let text = before.clone().unwrap_or_default();
    let after = entries.iter().try_fold(text, |text, entry| without(&text, &entry.at));
    let after = after.ok_or_else(|| broken(&path))?;
    Ok(Change::edit(path, before, after))
}

fn broken(path: &std::path::Path) -> Stop {
    Stop::usage(format!("{} is no JSON object, and is left as it is", path.display()))
}

fn with(text: &str, registry: &str) -> Option<String> {
    let value = format!("\"{HELPER}\"");
    let helpers = json_text::members(text, 0)?.into_iter().find(|member| member.name == KEY);
    match helpers {
        Some(helpers) => json_text::set(text, helpers.value.start, registry, &value, "\t\t"),
        None => {
            let inner = json_text::set("{}", 0, registry, &value, "\t\t")?;
            json_text::set(text, 0, KEY, &inner, "\t")
        }
    }
}

fn without(text: &str, registry: &str) -> Option<String> {
    let of =
        |text: &str| json_text::members(text, 0)?.into_iter().find(|member| member.name == KEY);
    let text = json_text::remove(text, of(text)?.value.start, registry)?;
    match json_text::members(&text, of(&text)?.value.start)?.is_empty() {
        true => json_text::remove(&text, 0, KEY),
        false => Some(text),
    }
}

pub(super) fn entries() -> Result<Vec<Entry>, Stop> {
    let text = change::read(&path()?)?.unwrap_or_default();
    Ok(registries(&text).unwrap_or_default())
}

fn registries(text: &str) -> Option<Vec<Entry>> {
    let helpers = json_text::members(text, 0)?.into_iter().find(|member| member.name == KEY)?;
    let members = json_text::members(text, helpers.value.start)?;
    let ours = members.into_iter().filter(|it| text[it.value.clone()] == *"\"tokctl\"");
    let entry = |it: json_text::Member| Entry { program: Tool::Docker, at: it.name, profile: None };
    Some(ours.map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_comes_and_goes_and_the_rest_stays() {
        for (before, after) in [
            ("{}\n", "{\n\t\"credHelpers\": {\n\t\t\"r.example\": \"tokctl\"\n\t}\n}\n"),
            (
                "{\n\t\"auths\": {\n\t\t\"x\": {}\n\t},\n\t\"z\": 1\n}",
                "{\n\t\"auths\": {\n\t\t\"x\": {}\n\t},\n\t\"z\": 1,\n\t\"credHelpers\": {\n\t\t\"r.example\": \"tokctl\"\n\t}\n}",
            ),
            (
                "{\"credHelpers\": {\"a.example\": \"pass\"}, \"b\": 2}",
                "{\"credHelpers\": {\"a.example\": \"pass\",\"r.example\": \"tokctl\"}, \"b\": 2}",
            ),
        ] {
            assert_eq!(with(before, "r.example").as_deref(), Some(after), "{before}");
            assert_eq!(with(after, "r.example").as_deref(), Some(after), "{before}");
            let entry = Entry { program: Tool::Docker, at: "r.example".to_owned(), profile: None };
            assert_eq!(registries(after), Some(vec![entry]));
            assert_eq!(without(after, "r.example").as_deref(), Some(before), "{after}");
        }
        assert_eq!(with("[]", "r.example"), None);
        assert_eq!(with("{\"credHelpers\": 1}", "r.example"), None);
    }
}
