//! OAuth: bytes in, values out. There is no socket in here; the shell carries requests and replies.

pub mod about_token;
pub mod buffer;
pub mod certificate;
pub mod claims;
pub mod client_auth;
#[cfg(test)]
mod deviations;
pub mod discovery;
pub mod dry_run;
pub mod form;
pub mod grant;
#[cfg(test)]
mod hostile;
pub mod id_token;
pub mod introspection;
pub mod jose;
pub mod message;
pub mod origin;
pub mod pkce;
pub mod placeholder;
pub mod provider_clock;
pub mod redirect;
pub mod reply;
pub mod retry_after;
pub mod revocation;
pub mod state;
pub mod subject;

pub use discovery::Metadata;
pub use grant::Endpoint;
pub use message::{HttpReply, HttpRequest, Method};
pub use origin::Origin;
