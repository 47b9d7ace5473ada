//! A profile whose refresh token is exchanged at each use, and what it is put through: kills, failing disks,
//! herds. The tests do little of it and `cargo xtask sweep` much.

pub mod errors;
pub mod kills;
pub mod race;
pub mod window;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::home::Home;
use crate::idp::{Family, Idp, Minted, Settings};
use crate::process::Run;
use crate::wait;
use crate::wire::Raw;

/// The profile that is put through it.
pub const PROFILE: &str = "acme";
/// The provider's client whose refresh tokens are burnt at each use.
pub const CLIENT: &str = "rt";

/// An audience that nobody has asked for yet, so that its token has to be fetched with the refresh token of all.
/// `--refresh` would be content with a token that is a few seconds old.
pub fn new_audience() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("https://api{}.example/", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `tokctl get` of a token that only a refresh can bring.
pub fn refresh(home: &Home, profile: &str) -> Run {
    home.tokctl(["get", profile, "--audience", &new_audience()])
}

/// A home with one profile at the certified provider.
#[derive(Debug)]
pub struct Rotating {
    pub home: Home,
    pub idp: Idp,
    pub minted: Minted,
}

impl Rotating {
    /// With tokens that live so long, and an agent that has not got one yet.
    #[track_caller]
    pub fn start(token_ttl: Duration) -> Self {
        Self::within(Home::new().init_bare(), CLIENT, token_ttl)
    }

    /// In a home of which an agent runs, with one of the provider's clients.
    #[track_caller]
    pub fn within(home: Home, client: &str, token_ttl: Duration) -> Self {
        let token_ttl_s = Some(u32::try_from(token_ttl.as_secs()).expect("a short life"));
        let idp = Idp::start_with(&Settings { token_ttl_s, ..Settings::default() });
        let minted = idp.mint(client);
        add_at(&home, PROFILE, &idp, client, &minted.refresh_token).run().ok();
        Self { home, idp, minted }
    }

    /// The provider's side of the present family.
    #[track_caller]
    pub fn family(&self) -> Family {
        self.idp.family(&self.minted.family)
    }

    /// Another home with another family, at the same provider.
    #[track_caller]
    pub fn begin_anew(&mut self) {
        self.home = Home::new().init_bare();
        self.minted = self.idp.mint(CLIENT);
        let token = &self.minted.refresh_token;
        add_at(&self.home, PROFILE, &self.idp, CLIENT, token).run().ok();
    }

    /// Begins another family, as somebody who logs in again does.
    #[track_caller]
    pub fn log_in_again(&mut self) {
        self.minted = self.idp.mint(CLIENT);
        let file = self.home.secret_file("again", &self.minted.refresh_token);
        self.home.tokctl(["set-secret", PROFILE, "--refresh-token-file"]).arg(file).run().ok();
    }

    /// Asks over the socket for the token that is there: the answer, or `None` where the agent is gone.
    #[track_caller]
    pub fn ask(&self) -> Option<Reply> {
        self.get(json!({ "profile": PROFILE }))
    }

    /// Asks over the socket for a token that only a refresh can bring.
    #[track_caller]
    pub fn refresh(&self) -> Option<Reply> {
        self.get(json!({ "profile": PROFILE, "audience": [new_audience()] }))
    }

    /// As [`Self::refresh`], but waits no longer than this.
    #[track_caller]
    pub fn refresh_within(&self, wait: Duration) -> Option<Reply> {
        let (audience, timeout_ms) = (new_audience(), wait.as_millis() as u64);
        self.get(json!({
            "profile": PROFILE, "audience": [audience], "timeout_ms": timeout_ms,
        }))
    }

    #[track_caller]
    fn get(&self, get: Value) -> Option<Reply> {
        let mut raw = Raw::connect(&self.home.socket());
        raw.line(&json!({ "get": get }).to_string());
        // What it says meanwhile is for a person.
        std::iter::from_fn(|| raw.answer_line())
            .find(|line| line.get("progress").is_none())
            .map(Reply)
    }

    /// Waits until the access token is no longer taken by the provider.
    #[track_caller]
    pub fn wait_for_expiry(&self, token: &str) {
        wait::eventually("the token expires", || (self.idp.call_api(token).0 == 401).then_some(()));
    }
}

/// The agent's answer to a `get`.
#[derive(Clone)]
pub struct Reply(Value);

impl Reply {
    pub fn token(&self) -> Option<&str> {
        let done = &self.0["done"];
        ["token", "token2"].iter().find_map(|name| done[name]["access_token"].as_str())
    }

    /// Its exit status, kind and message, where it is an error.
    pub fn error(&self) -> Option<(i64, String)> {
        let error = self.0.get("error")?;
        let text = |key: &str| error[key].as_str().unwrap_or_default();
        let words = format!("{}: {} ({})", text("kind"), text("message"), text("hint"));
        Some((error["exit"].as_i64().unwrap_or_default(), words))
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.error() {
            Some(error) => write!(f, "{error:?}"),
            None => write!(f, "a token: {}", self.token().is_some()),
        }
    }
}

/// `tokctl add` of a profile with a refresh token of one of the provider's clients.
#[track_caller]
pub fn add_at(home: &Home, profile: &str, idp: &Idp, client: &str, refresh_token: &str) -> Run {
    let client = idp.client(client);
    let secret = home.secret_file(&format!("{profile}.secret"), &client.secret);
    home.add_refresh_token(profile, &client.id, refresh_token)
        .args(["--issuer", idp.issuer(), "--secret-file"])
        .arg(secret)
}
