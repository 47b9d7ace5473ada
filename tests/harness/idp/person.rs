//! A person at the provider's pages, without a browser: follows redirects, fills in the forms, keeps cookies.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use super::Idp;
use crate::http::{Call, Reply};

/// A login takes fewer steps than this.
const STEPS_MAX: usize = 20;

/// Who signs in, and what they say when they are asked.
#[derive(Clone, Debug)]
pub struct Person {
    pub name: String,
    pub allows: bool,
}

impl Default for Person {
    fn default() -> Self {
        Self { name: "ada".into(), allows: true }
    }
}

impl Idp {
    /// Signs in as `ada` at an authorization URL and allows what is asked for. Returns where the provider then sends
    /// the browser; nobody has gone there yet.
    #[track_caller]
    pub fn authorize(&self, url: &str) -> String {
        self.authorize_as(&Person::default(), url)
    }

    /// Signs in and says no.
    #[track_caller]
    pub fn deny(&self, url: &str) -> String {
        self.authorize_as(&Person { allows: false, ..Person::default() }, url)
    }

    #[track_caller]
    pub fn authorize_as(&self, person: &Person, url: &str) -> String {
        self.try_authorize(person, url).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// An error is what the provider's page says where it does not send the browser back.
    pub fn try_authorize(&self, person: &Person, url: &str) -> Result<String> {
        match Visit::new(self.issuer(), person).from(url)? {
            End::Away(url) => Ok(url),
            End::Page(page) => bail!("the provider stays at: {page}"),
        }
    }

    /// Types in the code that a device shows, signs in as `ada` and allows what it asks for.
    #[track_caller]
    pub fn approve_device(&self, user_code: &str) {
        self.connect_device(user_code, true);
    }

    /// Types in the code and turns the device down.
    #[track_caller]
    pub fn deny_device(&self, user_code: &str) {
        self.connect_device(user_code, false);
    }

    #[track_caller]
    fn connect_device(&self, user_code: &str, allows: bool) {
        let person = Person { allows, ..Person::default() };
        let url = format!("{}/device?user_code={user_code}", self.issuer());
        let page = match Visit::new(self.issuer(), &person).from(&url) {
            Ok(End::Page(page)) => page,
            other => panic!("no page at the end of {url}: {other:?}"),
        };
        let last = if allows { "id=\"done\"" } else { "aborted" };
        assert!(page.contains(last), "the device is not done with: {page}");
    }
}

/// Where a visit ends.
#[derive(Debug)]
enum End {
    /// At a redirect to another site.
    Away(String),
    /// At a page with nothing to do.
    Page(String),
}

struct Visit<'a> {
    origin: &'a str,
    person: &'a Person,
    cookies: BTreeMap<String, String>,
}

impl<'a> Visit<'a> {
    fn new(origin: &'a str, person: &'a Person) -> Self {
        Self { origin, person, cookies: BTreeMap::new() }
    }

    fn from(mut self, url: &str) -> Result<End> {
        let mut call = Call::get(url);
        for _ in 0..STEPS_MAX {
            let reply = self.send(call)?;
            if let Some(location) = reply.header("location") {
                let url = self.absolute(location);
                if !url.strip_prefix(self.origin).is_some_and(|rest| rest.starts_with('/')) {
                    return Ok(End::Away(url));
                }
                call = Call::get(&url);
                continue;
            }
            let page = reply.text();
            ensure!(reply.status == 200, "status {}: {page}", reply.status);
            match self.next(&page)? {
                Some(next) => call = next,
                None => return Ok(End::Page(page)),
            }
        }
        bail!("no end after {STEPS_MAX} steps")
    }

    fn send(&mut self, call: Call) -> Result<Reply> {
        let jar: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let reply = call.header("cookie", &jar.join("; ")).send()?;
        for cookie in reply.headers("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie without a value")?;
            match value {
                "" => self.cookies.remove(name),
                _ => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        Ok(reply)
    }

    /// What the person does on a page.
    fn next(&self, page: &str) -> Result<Option<Call>> {
        let button = match self.person.allows {
            // Where there is a choice at all.
            false => ["id=\"abort\"", "id=\"deny\""].into_iter().find(|mark| page.contains(mark)),
            true => None,
        };
        let mut forms = page.split("<form").skip(1);
        let form = match button {
            // The second form of a page of ours; on the confirmation of a device the button is outside the only one.
            Some("id=\"deny\"") if !page.contains("name=\"login\"") => {
                forms.find(|form| form.contains("/deny\""))
            }
            _ => forms.next(),
        };
        let Some(form) = form else { return Ok(None) };
        let form = form.split("</form>").next().unwrap_or_default();
        let action = attribute(form, "action").context("a form without an action")?;
        if form.contains("id=\"op.deviceInputForm\"") {
            // The code was wrong, or the request was aborted: the same page again.
            return Ok(None);
        }
        let mut fields: Vec<(String, String)> = Vec::new();
        for input in form.split("<input").skip(1) {
            let name = attribute(input, "name").context("a field without a name")?;
            let value = match name.as_str() {
                "login" => self.person.name.clone(),
                _ => attribute(input, "value").unwrap_or_default(),
            };
            fields.push((name, value));
        }
        if button == Some("id=\"abort\"") {
            fields.push(("abort".into(), "yes".into()));
        }
        Ok(Some(Call::post(&self.absolute(&action)).form(&fields)))
    }

    fn absolute(&self, url: &str) -> String {
        match url.starts_with('/') {
            true => format!("{}{url}", self.origin),
            false => url.to_owned(),
        }
    }
}

/// The value of an attribute of the tag that the text begins with. Ours and the provider's hold no entities.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split('"').next()?.to_owned())
}
