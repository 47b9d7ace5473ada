//! Families of refresh tokens: what a login began, and what became of it.

use serde_json::Value;

use super::Idp;

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
    /// A burnt token was presented again or one was revoked, and so the whole family is gone.
    pub revoked: bool,
    /// When the last token was burnt, on CLOCK_MONOTONIC.
    pub committed_ns: Option<u64>,
}

impl Idp {
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
