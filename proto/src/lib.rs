//! What `tokctl` and `tokctl-agent` agree on: names, times, errors, messages, their bytes, and where things lie.
//!
//! `PROTOCOL.md` beside this crate is normative; where the code differs, the code is wrong. There is no
//! runtime and no socket in here: the only I/O is looking up paths.

pub mod codec;
pub mod endpoint;
pub mod error;
pub mod escape;
pub mod frame;
pub mod nearest;
pub mod profile;
pub mod request;
pub mod response;
pub mod secret;
pub mod setting;
pub mod time;
pub mod token;
pub mod version;

pub use error::{Failure, Kind};
pub use profile::ProfileName;
pub use request::Request;
pub use response::Response;
pub use secret::{Secret, SecretStr};
pub use time::{BootMs, Now, WallMs};
pub use token::TokenKey;
