//! Starts tests/idp, the certified oidc-provider under node, and ends it.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::ca::Leaf;
use crate::http;

/// Node takes a second where there is nothing else to do.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

pub struct Idp {
    child: Child,
    /// Closing it ends the provider, even where nothing of ours can run any more.
    _stdin: ChildStdin,
    ready: Value,
}

/// How the provider is to be.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Seconds that a token lives; 600 unless set.
    pub token_ttl_s: Option<u32>,
    /// How long a token request takes at least.
    pub token_delay: Option<Duration>,
    /// https with this certificate, in place of http.
    pub tls: Option<Leaf>,
    /// The host that its issuer names; 127.0.0.1 unless set.
    pub host: Option<String>,
}

/// One of the clients that the provider knows.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    pub secret: String,
}

/// A first refresh token, and the family that its successors will belong to.
#[derive(Clone, Debug)]
pub struct Minted {
    pub refresh_token: String,
    pub family: String,
}

/// What became of a family of refresh tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// How often a refresh was granted.
    pub refreshes: u64,
    /// How often that burnt the token that was presented.
    pub rotations: u64,
    /// A burnt token was presented again, and so the whole family is gone.
    pub revoked: bool,
    /// When the last token was burnt, on CLOCK_MONOTONIC.
    pub committed_ns: Option<u64>,
}

impl Idp {
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&Settings::default())
    }

    #[track_caller]
    pub fn start_with(settings: &Settings) -> Self {
        Self::try_start(settings).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn try_start(settings: &Settings) -> Result<Self> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("idp");
        if !directory.join("node_modules/oidc-provider").is_dir() {
            bail!("tests/idp has no node_modules: run `cargo xtask test`, or `npm ci` there");
        }
        let mut command = Command::new("node");
        command.arg("server.mjs").current_dir(&directory);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in
            ["TOKEN_TTL", "TOKEN_DELAY_MS", "TLS_KEY", "TLS_CERT", "TLS_HOST", "NODE_OPTIONS"]
        {
            command.env_remove(name);
        }
        if let Some(ttl) = settings.token_ttl_s {
            command.env("TOKEN_TTL", ttl.to_string());
        }
        if let Some(delay) = settings.token_delay {
            command.env("TOKEN_DELAY_MS", delay.as_millis().to_string());
        }
        if let Some(leaf) = &settings.tls {
            command.env("TLS_KEY", &leaf.key).env("TLS_CERT", &leaf.certificate);
        }
        if let Some(host) = &settings.host {
            command.env("TLS_HOST", host);
        }
        let mut child = command.spawn().context("cannot start `node`, which the provider needs")?;
        let stdin = child.stdin.take().context("stdin is piped")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut stderr = child.stderr.take().context("stderr is piped")?;
        let mut idp = Self { child, _stdin: stdin, ready: Value::Null };

        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            // Read to the end, so that the provider never waits for us.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        let said = std::thread::spawn(move || {
            let mut text = String::new();
            drop(stderr.read_to_string(&mut text));
            text
        });
        match receiver.recv_timeout(STARTS_WITHIN) {
            Ok(line) => {
                idp.ready = serde_json::from_str(&line)
                    .with_context(|| format!("the provider said {line:?}"))?;
                Ok(idp)
            }
            Err(_) => {
                drop(idp);
                bail!("the provider did not start: {}", said.join().unwrap_or_default())
            }
        }
    }

    pub fn issuer(&self) -> &str {
        self.text("issuer")
    }

    pub fn token_endpoint(&self) -> &str {
        self.text("token_endpoint")
    }

    /// Takes a body of JSON alone, with an `audience` in place of a `resource`.
    pub fn json_token_endpoint(&self) -> &str {
        self.text("json_token_endpoint")
    }

    /// An API that takes the provider's tokens; what it answers comes as JSON.
    #[track_caller]
    pub fn call_api(&self, token: &str) -> (u16, Value) {
        http::get_json(self.text("api"), Some(token)).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// `basic`, `reserved` (its id and secret are full of reserved characters) or `post`; and for refresh
    /// tokens `rt` (each use burns the token), `rt-third` (every third does), `rt-none`,
    /// or `rt-openid` (as `rt`, for client programs that insist on the scope `openid`).
    #[track_caller]
    pub fn client(&self, name: &str) -> Client {
        let known = self.ready["clients"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(client) = known.iter().find(|client| client["name"] == name) else {
            panic!("the provider has no client {name}");
        };
        let text = |key: &str| client[key].as_str().unwrap_or_default().to_owned();
        Client { id: text("id"), secret: text("secret") }
    }

    /// Every token request so far: `client`, `basic`, `params` and `status`.
    #[track_caller]
    pub fn token_requests(&self) -> Vec<Value> {
        let url = format!("{}/requests", self.text("control"));
        match http::get_json(&url, None) {
            Ok((200, Value::Array(requests))) => requests,
            other => panic!("the provider does not tell its requests: {other:?}"),
        }
    }

    /// A refresh token of a family of its own, as a login of that client would have brought it.
    #[track_caller]
    pub fn mint(&self, client: &str) -> Minted {
        let value = self.control(&format!("mint?client={client}"));
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Minted { refresh_token: text("refresh_token"), family: text("family") }
    }

    #[track_caller]
    pub fn family(&self, id: &str) -> Family {
        family(&self.control(&format!("family?id={id}")))
    }

    /// Every family of a client.
    #[track_caller]
    pub fn families(&self, client: &str) -> Vec<Family> {
        let families = self.control(&format!("families?client={client}"));
        families.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(family).collect()
    }

    /// Gives a client for refresh tokens another secret.
    #[track_caller]
    pub fn change_secret(&self, client: &str, secret: &str) {
        self.control(&format!("secret?client={client}&secret={secret}"));
    }

    #[track_caller]
    fn control(&self, what: &str) -> Value {
        match http::post_json(&format!("{}/{what}", self.text("control"))) {
            Ok((200, value)) => value,
            other => panic!("the provider does not do {what}: {other:?}"),
        }
    }

    fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap_or_default()
    }
}

fn family(value: &Value) -> Family {
    let count = |key: &str| value[key].as_u64().unwrap_or_default();
    Family {
        refreshes: count("refreshes"),
        rotations: count("rotations"),
        revoked: value["revoked"] == true,
        committed_ns: value["committed_ns"].as_str().and_then(|text| text.parse().ok()),
    }
}

impl fmt::Debug for Idp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Idp(pid {}, {})", self.child.id(), self.issuer())
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        // Its pid is ours until it is waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::PrivateCa;

    #[test]
    fn the_provider_says_where_it_is_and_whom_it_knows() {
        let idp = Idp::start();
        assert!(idp.issuer().starts_with("http://127.0.0.1:"), "{idp:?}");
        assert_eq!(idp.client("basic").id, "cc");
        assert!(idp.client("reserved").secret.contains("+r%e t&="));
        assert_eq!(idp.token_requests(), Vec::<Value>::new());
        assert_eq!(idp.call_api("no-such-token").0, 401);
    }

    #[test]
    fn a_minted_refresh_token_begins_a_family() {
        let idp = Idp::start();
        let minted = idp.mint("rt");
        assert!(!minted.refresh_token.is_empty());
        let untouched = Family { refreshes: 0, rotations: 0, revoked: false, committed_ns: None };
        assert_eq!(idp.family(&minted.family), untouched);
        assert_eq!(idp.families("rt"), [untouched]);
        assert_eq!(idp.families("rt-none"), []);
    }

    #[test]
    fn the_provider_speaks_tls_with_a_certificate_of_ours() {
        let ca = PrivateCa::new().unwrap();
        let leaf = ca.leaf(&["127.0.0.1", "localhost"]).unwrap();
        let idp = Idp::start_with(&Settings {
            tls: Some(leaf),
            host: Some("localhost".into()),
            ..Settings::default()
        });
        assert!(idp.issuer().starts_with("https://localhost:"), "{idp:?}");
        assert_eq!(idp.token_requests(), Vec::<Value>::new());
    }
}
