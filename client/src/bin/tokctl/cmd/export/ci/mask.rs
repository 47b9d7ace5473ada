//! Masks on stderr: where GitHub's runner reads what a step says, so that a token that a script then prints by mistake is
//! hidden. stdout is the caller's.

use std::io::Write;

use tokctl_client::Secret;
use zeroize::Zeroizing;

use super::{forgejo, github, is_true};

/// Sends them where GITHUB_ACTIONS=true, and looks at nothing else before.
pub(crate) fn send(secrets: impl FnOnce() -> Vec<Secret>) {
    let variable = |name: &str| std::env::var_os(name);
    if !is_true(&variable, "GITHUB_ACTIONS") {
        return;
    }
    let secrets = secrets();
    let room = secrets.iter().map(|secret| 64 + 6 * secret.expose().len()).sum();
    let mut lines = Zeroizing::new(String::with_capacity(room));
    for secret in &secrets {
        match (forgejo::VENDOR.is_here)(&variable) {
            true => forgejo::mask(secret.expose(), &mut lines),
            false => github::mask(secret.expose(), &mut lines),
        }
    }
    // In one write, so that nobody else's line gets between. A stderr that is gone hides nothing and shows nothing.
    let _gone = std::io::stderr().write_all(lines.as_bytes());
}
