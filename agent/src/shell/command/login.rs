//! A request for a login.

use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind, request};

use super::name;
use super::token::scopes;
use crate::shell::login::{Method, Wish};

pub(super) fn login(login: request::Login<'_>) -> Result<Wish, Failure> {
    let profile = name(&login.profile)?;
    let method = login.method.as_deref().map(|named| {
        Method::named(named).ok_or_else(|| {
            let message = format!("`{}` is no way to log in", shown(named));
            Failure::new(Kind::Usage, message)
                .of(&profile)
                .hint("the ways are `browser`, `device` and `paste`")
        })
    });
    Ok(Wish {
        scope: scopes(&profile, &login.scope)?,
        method: method.transpose()?,
        has_browser: login.has_browser,
        interactive: login.interactive,
        profile,
    })
}
