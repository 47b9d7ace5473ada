//! config.toml: text in, checked profiles out; and edits that leave comments where they are.
//!
//! `layer` puts a profile over its `preset`; `parse` reads that, with `section` for shapes, `misplaced` for keys that mean nothing together, and
//! `check`, `address`, `policy`, `pool`, `rate`, `subject` and `template` for rules; `edit` changes text, with
//! `typed` for values and `layout` for comments; `excerpt` makes a text of what was read; `file` and `watch` are the only ones that touch the
//! disk.

mod address;
mod check;
pub mod edit;
mod error;
mod excerpt;
mod failure;
pub mod file;
mod layer;
mod layout;
mod line_ends;
mod links;
mod misplaced;
mod parse;
mod policy;
mod pool;
pub mod preset;
pub mod profile;
mod rate;
mod resolved;
mod section;
mod subject;
pub mod template;
mod typed;
pub mod usage;
pub mod watch;

pub use address::is_http_loopback;
pub use edit::{
    EditError, add_profile, profile_toml, remove_profile, rename_profile, set, set_agent,
};
pub use error::ConfigError;
pub use excerpt::excerpt;
pub use file::{ConfigFile, FileError, Fingerprint, Snapshot, UpdateError};
pub use parse::parse;
pub use profile::{
    Algorithm, AwsRole, Body, Client, ClientAuth, Config, Endpoints, Exchange, GithubApp, Grant,
    HEADER_DEFAULT, Jwt, KeyEncoding, Login, Network, Notify, Profile, Program, Provider, Quirks,
    RedirectUri, ResponseShape, Step, StepBody, Steps, Subject,
};
pub use resolved::{Effective, Layer, resolved};
pub use template::is_secret_name;
pub use usage::{Usage, usage};
pub use watch::{Watch, WatchError};
