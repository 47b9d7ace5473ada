//! The end of `login`: what it brought takes its place in the entry, in one write.
//!
//! The answer itself is in the entry already; a crash before the write leaves it to be read when the
//! entry is next loaded. No renewal is under way meanwhile, so none of it is taken for its successor.

use tokctl_core::{Token, missing_scopes};
use tokctl_proto::Failure;
use tokctl_proto::time::Spoken;

use super::{Changed, changed_meanwhile, profile};
use crate::clock;
use crate::oauth::grant::authorization_code::OPENID;
use crate::shell::login::{Finished, finish};
use crate::shell::rotate;
use crate::shell::worker::{Refused, Worker};

pub(super) fn login(worker: &mut Worker, finished: Finished) -> Result<Changed, Refused> {
    let name = finished.profile.name.clone();
    match store(worker, finished) {
        Ok(changed) => Ok(changed),
        Err(failure) => {
            // What it brought is not for the profile as it is now.
            let _kept = finish::forget(worker, &name);
            Err(failure.into())
        }
    }
}

fn store(worker: &mut Worker, finished: Finished) -> Result<Changed, Failure> {
    let Finished { profile: planned, login, scope } = finished;
    let name = &planned.name;
    if profile(worker, name)?.grant != planned.grant {
        return Err(changed_meanwhile(name));
    }
    let (vault, keys) = worker.open()?;
    let of = |error| Failure::from(&error).of(name);
    let entry = vault.read(keys, name).map_err(of)?;
    let mut entry = entry.filter(|entry| entry.unread_login().is_some());
    let Some(entry) = &mut entry else { return Err(changed_meanwhile(name)) };
    let token = login.token.clone();
    let left = entry.log_in(clock::now().wall, login);
    rotate::report_quarantined(vault.write_for_good(keys, name, entry).map_err(of)?);
    worker.logins.remove(name);
    let mut said = format!("logged in to {name}{}", validity(&token));
    if left.is_another {
        said.push_str(
            "; this is another account than before, and what was held for that one is gone",
        );
    }
    let mut warnings = Vec::new();
    if !left.is_renewable {
        let ask_for = match scope.contains(OPENID) && !scope.contains("offline_access") {
            true => ", unless the provider gives one for the scope `offline_access`",
            false => "",
        };
        warnings.push(format!(
            "{name}: the provider gave no refresh token, so another login is needed when the token \
             ends{ask_for}"
        ));
    }
    let missing = missing_scopes(&scope, token.scope.as_deref());
    if !missing.is_empty() {
        let missing = missing.join(" ");
        warnings.push(format!("{name}: the provider did not grant all scopes: {missing}"));
    }
    let name = name.clone();
    // Tokens of before are not served any more, whoever's they are.
    let (entries, forget) = (vec![name.clone()], vec![name]);
    Ok(Changed { entries, forget, warnings, ..Changed::said(said) })
}

fn validity(token: &Token) -> String {
    let lifetime = token.expires_at.map(|end| end.since(token.issued_at));
    let lifetime = lifetime.filter(|lifetime| !lifetime.is_zero());
    lifetime
        .map(|lifetime| format!("; its token is valid {}", Spoken(lifetime)))
        .unwrap_or_default()
}
