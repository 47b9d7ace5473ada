//! Providers that no preset stands for and that are known to deviate, by name: what each is sent, and what the replies
//! that it gives come to, the refusals included.
//!
//! `machines` ask for themselves, `renewals` show a refresh token or what stands for one, `signed` sign something, and
//! `steps` log in without OAuth. How a provider is to be set up stands in its row, ready to be copied.

mod machines;
mod renewals;
mod signed;
mod steps;

use super::{NOW, Played, answer};

/// A provider, played.
pub(super) struct Row {
    pub(super) provider: &'static str,
    pub(super) grant: For,
    pub(super) settings: &'static str,
    pub(super) asked: &'static str,
    /// Status, body, and what they come to.
    pub(super) replies: &'static [(u16, &'static str, &'static str)],
}

/// Whose token is asked for.
#[derive(Clone, Copy)]
pub(super) enum For {
    Client,
    /// Whoever has the refresh token `r1`.
    Holder,
    /// The settings say all.
    Whole,
}

const AT: &str = "token_endpoint = \"https://acme.example/token\"\nclient_id = \"c1\"\n";

impl Row {
    fn played(&self) -> Played {
        Played::new(&match self.grant {
            For::Client => format!("grant = \"client_credentials\"\n{AT}{}", self.settings),
            For::Holder => format!("grant = \"refresh_token\"\n{AT}{}", self.settings),
            For::Whole => self.settings.to_owned(),
        })
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    machines::ROWS.iter().chain(renewals::ROWS).chain(steps::ROWS)
}

/// The names of all that are here.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    rows().map(|row| row.provider).chain(signed::PROVIDERS.iter().chain(steps::PROVIDERS).copied())
}

#[test]
fn each_provider_is_asked_in_its_way_and_its_replies_are_understood() {
    let mut wrong = Vec::new();
    let mut compare = |provider: &str, made: &str, expected: &str| {
        if made != expected {
            wrong.push(format!("{provider}:\n  {made}\nin place of\n  {expected}"));
        }
    };
    for row in rows() {
        let (played, provider) = (row.played(), row.provider);
        let method = if row.asked.starts_with("GET ") { "" } else { "POST " };
        let asked = played.asked();
        let shown = asked.replacen("https://acme.example/token", "", 1);
        let shown = shown.strip_prefix(method).unwrap_or(&shown).trim_start_matches('\n');
        compare(provider, shown, row.asked);
        for (status, body, told) in row.replies {
            compare(provider, &played.reads(&answer(*status, body)), told);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
