//! What the agent says. Any number of `Progress`, `Item` and `Ask`, then exactly one `Done` or `Error`.
//!
//! Every struct is frozen; enums only grow at the end. In JSON a client ignores keys it does not know.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::WireFailure;
use crate::secret::SecretStr;

mod hand_over;
mod login;
mod setup;
mod token;

pub use hand_over::{Answered, Event, Probed, Socket, Usage};
pub use login::{AskSubject, LoginStep};
pub use setup::{HttpRequest, Imported, Preset, PublicKey, Question, Setting};
pub use token::{Inspected, Token3};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response<'a> {
    /// Talk for stderr while the request goes on.
    #[serde(borrow)]
    Progress(Progress<'a>),
    /// One row of a listing.
    #[serde(borrow)]
    Item(Item<'a>),
    /// A question; the client sends an `Answer`. If the matter is settled elsewhere, the agent goes on without one.
    #[serde(borrow)]
    Ask(Ask<'a>),
    #[serde(borrow)]
    Done(Done<'a>),
    #[serde(borrow)]
    Error(WireFailure<'a>),
    /// A token that only the client can bring. It is asked for of whoever waits for a token, interactive or not.
    #[serde(borrow)]
    AskSubject(AskSubject<'a>),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Progress<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// Something the user should act on, shown even with `-q`.
    pub warning: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Ask<'a> {
    #[serde(borrow)]
    pub prompt: Cow<'a, str>,
    /// The answer must not be echoed.
    pub hidden: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item<'a> {
    #[serde(borrow)]
    Profile(ProfileRow<'a>),
    #[serde(borrow)]
    Status(StatusRow<'a>),
    /// TOML for the user to put into config.toml by hand.
    #[serde(borrow)]
    Paste(Paste<'a>),
    #[serde(borrow)]
    Status2(StatusRow2<'a>),
    #[serde(borrow)]
    Attempt(AttemptRow<'a>),
    #[serde(borrow)]
    Login(LoginStep<'a>),
    #[serde(borrow)]
    PublicKey(PublicKey<'a>),
    #[serde(borrow)]
    HttpRequest(HttpRequest<'a>),
    #[serde(borrow)]
    Imported(Imported<'a>),
    #[serde(borrow)]
    Setting(Setting<'a>),
    #[serde(borrow)]
    Preset(Preset<'a>),
    #[serde(borrow)]
    Event(Event<'a>),
    #[serde(borrow)]
    Socket(Socket<'a>),
}

/// A profile as `list` shows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProfileRow<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// Empty for an entry that has no profile in config.toml.
    #[serde(borrow)]
    pub grant: Cow<'a, str>,
    /// The issuer or the token endpoint; empty when there is neither.
    #[serde(borrow)]
    pub provider: Cow<'a, str>,
    /// Whether the vault has an entry of this name.
    pub stored: bool,
}

/// What a profile's plain token is doing, as `status` shows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct StatusRow<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// `valid`, `expired`, `none`, `renewing`, `failing`, `stored`, `sealed` while the vault is not open,
    /// `orphan` for an entry that has no profile; text, so that it can grow.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// Unix seconds; null when there is no token or it never expires.
    pub expires_at: Option<i64>,
    /// When it is renewed or tried again, Unix seconds.
    pub next_at: Option<i64>,
    #[serde(borrow)]
    pub error: Option<Cow<'a, str>>,
    /// Whether the newest token is in memory only because the vault could not be written.
    pub unsaved: bool,
}

/// What a profile's plain token is doing, as `status` shows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct StatusRow2<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// As in [`StatusRow`], and `login` where a person is needed, `cooling` while the API said to slow down,
    /// `pool` where its members have the tokens.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// Unix seconds; null when there is no token.
    pub issued_at: Option<i64>,
    /// Unix seconds; null when there is no token or it never expires.
    pub expires_at: Option<i64>,
    /// When it is renewed or tried again, Unix seconds.
    pub next_at: Option<i64>,
    /// When somebody last asked for it, Unix seconds.
    pub last_used_at: Option<i64>,
    /// Why the last attempt failed.
    #[serde(borrow)]
    pub error: Option<WireFailure<'a>>,
    /// What `tokctl get` would exit with, as far as is known without asking the provider; 0: it has a token.
    pub exit: u8,
    /// Whether the newest token is in memory only because the vault could not be written.
    pub unsaved: bool,
    /// What a person should see to before it becomes an error, one line each.
    pub warnings: Vec<String>,
    /// The members of a pool.
    pub members: Vec<Member>,
}

/// A member of a pool.
#[derive(Debug, Serialize, Deserialize)]
pub struct Member {
    pub profile: String,
    /// Whether it is handed out in its turn.
    pub free: bool,
    /// When it is free again, Unix seconds, where that is known.
    pub free_at: Option<i64>,
    /// Uses that are left in the present period; null without a limit.
    pub uses_left: Option<u32>,
}

/// One attempt to obtain a token, or one report of what an API said to it.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttemptRow<'a> {
    /// Unix milliseconds.
    pub at_ms: i64,
    pub took_ms: u64,
    /// What was sent, without secrets: `client_credentials scope=read`.
    #[serde(borrow)]
    pub what: Cow<'a, str>,
    /// Where to; empty for a report.
    #[serde(borrow)]
    pub origin: Cow<'a, str>,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// What came of it.
    #[serde(borrow)]
    pub result: Cow<'a, str>,
    /// The kind of the failure; null when a token came.
    #[serde(borrow)]
    pub kind: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Paste<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done<'a> {
    #[serde(borrow)]
    Token(Token<'a>),
    /// Done, with nothing more to say than this (may be empty).
    #[serde(borrow)]
    Said(Said<'a>),
    #[serde(borrow)]
    Profile(Profile<'a>),
    #[serde(borrow)]
    Config(Config<'a>),
    #[serde(borrow)]
    Agent(Agent<'a>),
    #[serde(borrow)]
    Token2(Token2<'a>),
    #[serde(borrow)]
    Why(Why<'a>),
    #[serde(borrow)]
    Token3(Token3<'a>),
    #[serde(borrow)]
    Inspected(Inspected<'a>),
    #[serde(borrow)]
    Usage(Usage<'a>),
    #[serde(borrow)]
    Probed(Probed<'a>),
}

/// An access token, good now.
#[derive(Debug, Serialize, Deserialize)]
pub struct Token<'a> {
    #[serde(borrow)]
    pub access_token: SecretStr<'a>,
    #[serde(borrow)]
    pub token_type: Cow<'a, str>,
    /// Unix seconds; null when it never expires or the provider does not say.
    pub expires_at: Option<i64>,
    /// Seconds left when the agent answered.
    pub expires_in: Option<i64>,
    /// The granted scopes where the provider named them, else those asked for, separated by spaces.
    #[serde(borrow)]
    pub scope: Cow<'a, str>,
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// How the token is used, with `{token}` or `{basic}` in it.
    #[serde(borrow)]
    pub header: Cow<'a, str>,
    /// False when the provider gives no token that lives as long as was wanted.
    pub min_valid_met: bool,
    /// For stderr.
    #[serde(borrow)]
    pub warning: Option<Cow<'a, str>>,
    /// The provider's further fields, one JSON object as text; empty when there are none.
    #[serde(borrow)]
    pub extra: SecretStr<'a>,
}

/// An access token, good now.
#[derive(Debug, Serialize, Deserialize)]
pub struct Token2<'a> {
    #[serde(borrow)]
    pub access_token: SecretStr<'a>,
    #[serde(borrow)]
    pub token_type: Cow<'a, str>,
    /// Unix seconds; null when it never expires or the provider does not say.
    pub expires_at: Option<i64>,
    /// Seconds left when the agent answered.
    pub expires_in: Option<i64>,
    /// The granted scopes where the provider named them, else those asked for, separated by spaces.
    #[serde(borrow)]
    pub scope: Cow<'a, str>,
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// How the token is used, with `{token}` or `{basic}` in it.
    #[serde(borrow)]
    pub header: Cow<'a, str>,
    /// False when the provider gives no token that lives as long as was wanted.
    pub min_valid_met: bool,
    /// For stderr.
    #[serde(borrow)]
    pub warning: Option<Cow<'a, str>>,
    /// The provider's further fields, one JSON object as text; empty when there are none.
    #[serde(borrow)]
    pub extra: SecretStr<'a>,
    /// The member whose token it is, where the profile is a pool.
    #[serde(borrow)]
    pub member: Option<Cow<'a, str>>,
}

/// How a profile stands, after its attempts.
#[derive(Debug, Serialize, Deserialize)]
pub struct Why<'a> {
    #[serde(borrow)]
    pub status: StatusRow2<'a>,
    /// What happens next and when, or who has to do what.
    #[serde(borrow)]
    pub next: Cow<'a, str>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Said<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// A profile's settings as they stand in config.toml.
#[derive(Debug, Serialize, Deserialize)]
pub struct Profile<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// `KEY = VALUE` lines of TOML.
    #[serde(borrow)]
    pub toml: Cow<'a, str>,
    /// Names of the stored secrets; null while the vault is sealed.
    pub secrets: Option<Vec<String>>,
    /// Origins the secrets may be sent to; null while the vault is sealed.
    pub origins: Option<Vec<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Config<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// Names exactly these bytes.
    #[serde(borrow)]
    pub fingerprint: Cow<'a, str>,
    /// Where the file is, for messages.
    #[serde(borrow)]
    pub path: Cow<'a, str>,
}

/// The agent and its vault.
#[derive(Debug, Serialize, Deserialize)]
pub struct Agent<'a> {
    pub pid: u32,
    #[serde(borrow)]
    pub version: Cow<'a, str>,
    #[serde(borrow)]
    pub socket: Cow<'a, str>,
    #[serde(borrow)]
    pub vault: Cow<'a, str>,
    /// `none`, `sealed`, `sealing` until a renewal under way is saved, `unlocked`; text, so that it can grow.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// Unix seconds.
    pub started_at: i64,
    pub profiles: u32,
    pub connections: u32,
    /// Why the configuration in use is not the one in the file.
    #[serde(borrow)]
    pub config_problem: Option<Cow<'a, str>>,
    /// Other things a user should know, one line each.
    pub warnings: Vec<String>,
}
