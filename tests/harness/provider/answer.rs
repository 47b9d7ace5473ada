//! What a token request can be answered with.

use std::time::Duration;

use serde_json::Value;

/// One way to answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// As the standards say: a token, or why there is none.
    Token,
    /// Accepts and never answers, until it is released; then as the standards say.
    Hang,
    /// As the standards say, after so long.
    Late(Duration),
    /// Exactly this, whoever asks.
    Canned { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Hangs until it is released, and then answers like this.
    Held(Box<Self>),
    /// A body that goes on until the other side has enough.
    Endless,
    /// Closes the connection after the answer's headers.
    CloseAfterHeaders,
    /// Closes the connection without a word.
    Close,
    /// Does as the standards say, a refresh token's exchange included, and then closes without a word.
    CommitAndClose,
    /// As the standards say, but closes in the middle of the answer's body.
    Torn,
    /// As the standards say, but with the answer changed.
    Changed(fn(&mut Value)),
}

impl Answer {
    /// A canned answer of JSON.
    pub fn json(status: u16, body: &str) -> Self {
        Self::canned(status, &[("content-type", "application/json")], body)
    }

    pub fn canned(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Self::Canned { status, headers: headers.collect(), body: body.as_bytes().to_vec() }
    }

    /// This one, but not before it is released.
    pub fn held(self) -> Self {
        Self::Held(Box::new(self))
    }

    /// 503 with a Retry-After in seconds.
    pub fn unavailable(retry_after_s: u32) -> Self {
        Self::canned(503, &[("retry-after", &retry_after_s.to_string())], "come back later")
    }
}
