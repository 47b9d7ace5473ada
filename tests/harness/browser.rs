//! A real Chromium without a window, used as a person uses it: through chromedriver, which speaks WebDriver
//! (W3C Recommendation of 2018) on loopback.
//!
//! Where one of the two is missing, the test fails and says what to install: a login that nobody has seen in a browser
//! is not taken for one that works.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Call;
use crate::wait::{self, eventually};

/// As root, without a display, and with nothing to say to anybody but the pages it is sent to.
const ARGUMENTS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
/// What chromedriver says when it listens, before the port.
const LISTENS: &str = "was started successfully on port ";
/// Runs chromedriver for as long as our end of its standard input is open, so that the two never outlive the test, also
/// where that is killed.
const WITH_US: &str = r#""$0" --port=0 </dev/null & read -r over; kill -KILL 0"#;
/// What an element's id goes by (WebDriver section 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// A browser that takes longer to close is killed.
const CLOSES_WITHIN: Duration = Duration::from_secs(10);

/// A browser with a new profile. It ends with its value, also in a test that fails.
#[derive(Debug)]
pub struct Browser {
    /// The URL of its session.
    session: String,
    /// It goes before the directory does.
    _driver: Driver,
    /// Its profile and its HOME.
    _directory: TempDir,
}

impl Browser {
    #[track_caller]
    pub fn start() -> Self {
        Self::try_start().unwrap_or_else(|error| panic!("no browser: {error:#}"))
    }

    fn try_start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let (driver, port) = Driver::start(directory.path())?;
        let sessions = format!("http://127.0.0.1:{port}/session");
        let profile = directory.path().join("profile");
        // Where there are several, the driver belongs to one of them and turns the others down.
        let mut begun = Err(missing("chromium"));
        for program in programs(&["chromium", "google-chrome"]) {
            begun = begun.or_else(|_| begin(&sessions, &program, &profile));
        }
        let id = begun.context("chromedriver starts no Chromium")?;
        Ok(Self { session: format!("{sessions}/{id}"), _driver: driver, _directory: directory })
    }

    /// Goes to an address, as one who types it in or follows a link.
    #[track_caller]
    pub fn visit(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// Loads the page again, whether or not anybody answers there.
    pub fn reload(&self) {
        drop(answer(&Call::post(&format!("{}/refresh", self.session)).json(&json!({}))));
    }

    /// Clicks what is found by a CSS selector, once it is there.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("element/{element}/click"), &json!({}));
    }

    /// The same, where that leads to a place that does not answer.
    #[track_caller]
    pub fn click_to_nowhere(&self, selector: &str) {
        let element = self.element(selector);
        let url = format!("{}/element/{element}/click", self.session);
        // Whether it is this call that is told of the place or the next is a matter of time.
        drop(answer(&Call::post(&url).json(&json!({}))));
    }

    #[track_caller]
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("element/{element}/value"), &json!({ "text": text }));
    }

    /// Waits until the page has this title.
    #[track_caller]
    pub fn shows(&self, title: &str) {
        if wait::within(wait::PATIENCE, || (self.title() == title).then_some(())).is_none() {
            panic!("the browser never showed {title:?}, but {}", self.source());
        }
    }

    #[track_caller]
    pub fn title(&self) -> String {
        self.text("title")
    }

    /// What is in the address bar.
    #[track_caller]
    pub fn address(&self) -> String {
        self.text("url")
    }

    /// The page as it stands.
    #[track_caller]
    pub fn source(&self) -> String {
        self.text("source")
    }

    /// What a script in the page returns.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let wanted = json!({ "using": "css selector", "value": selector });
        let call = Call::post(&format!("{}/element", self.session)).json(&wanted);
        let found = eventually(&format!("there is {selector} in the page"), || answer(&call).ok());
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("no element: {found}")).to_owned()
    }

    #[track_caller]
    fn post(&self, command: &str, parameters: &Value) -> Value {
        let call = Call::post(&format!("{}/{command}", self.session)).json(parameters);
        answer(&call).unwrap_or_else(|error| panic!("the browser does not {command}: {error:#}"))
    }

    #[track_caller]
    fn text(&self, what: &str) -> String {
        match answer(&Call::get(&format!("{}/{what}", self.session))) {
            Ok(Value::String(text)) => text,
            other => panic!("the browser has no {what}: {other:?}"),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It closes its files; whatever is left of it then goes with the driver.
        let close = Call::new("DELETE", &self.session).patience(CLOSES_WITHIN);
        drop(answer(&close));
    }
}

/// The leader of the process group that chromedriver and its Chromium are in.
#[derive(Debug)]
struct Driver(Child);

impl Driver {
    /// On a port of its own choice.
    fn start(home: &Path) -> Result<(Self, u16)> {
        let program = programs(&["chromedriver"]);
        let program = program.first().ok_or_else(|| missing("chromedriver"))?;
        let mut command = Command::new("sh");
        command.args(["-c", WITH_US]).arg(program).process_group(0);
        command.env_clear().env("HOME", home).env("LANG", "C.UTF-8");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("cannot start `sh`")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let driver = Self(child);
        let (tell, told) = channel();
        std::thread::spawn(move || {
            // Read to its end, so that it never waits for us.
            for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
                let port = line.split_once(LISTENS).map(|(_, port)| port.trim_end_matches('.'));
                if let Some(port) = port.and_then(|port| port.parse().ok()) {
                    // Nobody listens any more where it came too late.
                    let _late = tell.send(port);
                }
            }
        });
        let port = told.recv_timeout(wait::PATIENCE).context("chromedriver did not start")?;
        Ok((driver, port))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The group is ours until its leader is waited for.
        if let Ok(group) = i32::try_from(self.0.id()) {
            let _gone = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        drop(self.0.wait());
    }
}

/// Starts a browser, and gives the id of its session.
fn begin(sessions: &str, program: &Path, profile: &Path) -> Result<String> {
    let profile = format!("--user-data-dir={}", profile.display());
    let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
    let options = json!({ "binary": program, "args": arguments });
    let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": options });
    let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
    let begun = answer(&Call::post(sessions).json(&wanted))?;
    let id = begun["sessionId"].as_str().context("a session without an id")?;
    Ok(id.to_owned())
}

/// Where programs of these names lie, in this order.
fn programs(names: &[&str]) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let all = names.iter().flat_map(|name| directories.iter().map(move |it| it.join(name)));
    all.filter(|file| file.is_file()).collect()
}

fn missing(program: &str) -> anyhow::Error {
    anyhow!(
        "{program} is not installed: run `cargo xtask prepare`, or install the packages chromium and \
         chromium-driver"
    )
}

/// What a command comes to (WebDriver section 6.3).
fn answer(call: &Call) -> Result<Value> {
    let (status, mut body) = call.send()?.json()?;
    match status {
        200 => Ok(body["value"].take()),
        _ => {
            let text = |key: &str| body["value"][key].as_str().unwrap_or_default().to_owned();
            bail!("{}: {}", text("error"), text("message"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(browser: &Browser) -> Pid {
        Pid::from_raw(i32::try_from(browser._driver.0.id()).unwrap())
    }

    #[test]
    fn a_browser_ends_with_its_value() {
        let browser = Browser::start();
        browser.visit("data:text/html,<title>here</title><p id=there>there</p>");
        browser.shows("here");
        let (group, session) = (group(&browser), browser.session.clone());
        drop(browser);
        assert!(answer(&Call::get(&format!("{session}/title"))).is_err());
        eventually("nobody of its group is left", || is_over(group).then_some(()));
    }

    #[test]
    fn a_browser_ends_with_a_test_that_is_killed() {
        let mut browser = Browser::start();
        let group = group(&browser);
        // All that the kernel does for a process that can do nothing any more.
        drop(browser._driver.0.stdin.take());
        eventually("nobody of its group is left", || is_over(group).then_some(()));
    }

    /// Whether nobody of a group runs; who is not waited for yet does not.
    fn is_over(group: Pid) -> bool {
        let Ok(processes) = std::fs::read_dir("/proc") else { return true };
        processes.filter_map(Result::ok).all(|process| {
            let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            // The name may hold anything, so what follows its last parenthesis is read.
            let words: Vec<&str> = match stat.rsplit_once(')') {
                Some((_, rest)) => rest.split_whitespace().collect(),
                None => return true,
            };
            words.get(2) != Some(&group.to_string().as_str()) || words[0] == "Z"
        })
    }
}
