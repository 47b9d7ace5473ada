//! A profile's secrets in its entry. All of them were stored for one pin: what was stored for
//! another does not follow, and who stores a secret is told what went.

use tokctl_proto::token::is_vschar;
use tokctl_proto::{Failure, Kind, ProfileName};
use tracing::error;

use super::NewSecret;
use crate::clock;
use crate::config::{ClientAuth, Grant, Profile};
use crate::oauth::client_auth::{CLIENT_SECRET, CLIENT_SECRET_NEXT, PRIVATE_KEY};
pub(super) use crate::oauth::grant::refresh_token::REFRESH_TOKEN;
use crate::shell::pin::Pin;
use crate::shell::stored::new_id;
use crate::shell::worker::Worker;
use crate::vault::Entry;

/// What was stored, and what was there before.
pub(super) struct Stored {
    pub(super) warnings: Vec<String>,
    before: Option<Entry>,
}

/// Stores secrets beside those that the entry holds for the same pin, or alone.
pub(super) fn store(
    worker: &Worker,
    profile: &Profile,
    secrets: Vec<NewSecret>,
    pin: Pin,
    replace: bool,
) -> Result<Stored, Failure> {
    let name = &profile.name;
    let (vault, keys) = worker.open()?;
    let before = match vault.read(keys, name) {
        Ok(before) => before,
        // The old file is set apart by the write, so this is the way out of a damaged entry.
        Err(error) if error.is_unreadable() => None,
        Err(error) => return Err(Failure::from(&error).of(name)),
    };
    let mut entry = match &before {
        Some(before) if !replace => before.clone(),
        _ => Entry::new(new_id()?),
    };
    if !pin.is_of(&entry) {
        entry.secrets.clear();
        entry.secrets_expire.clear();
        entry.refresh = None;
        entry.tokens.clear();
    }
    for secret in secrets {
        put(&mut entry, &profile.grant, secret);
    }
    pin.record(&mut entry);
    let held = names(&entry);
    let gone: Vec<String> = before.as_ref().map(names).unwrap_or_default();
    let gone: Vec<String> = gone.into_iter().filter(|old| !held.contains(old)).collect();
    let mut warnings = Vec::new();
    if !gone.is_empty() {
        let gone = gone.join(", ");
        warnings.push(format!("{name}: what was stored before is gone: {gone}"));
    }
    let apart =
        vault.write(keys, name, &mut entry).map_err(|error| Failure::from(&error).of(name))?;
    if let Some(apart) = apart {
        let moved_to = apart.moved_to.display();
        warnings.push(format!("{name}: the entry that did not open is now {moved_to}"));
    }
    Ok(Stored { warnings, before })
}

/// The name that a secret is stored by. Whoever signs has a private key where others have a key or a secret of a
/// client, and who types `--key-file` or `--secret-file` means that.
pub(super) fn stored_name(grant: &Grant, given: &str) -> String {
    match (grant, given) {
        (Grant::JwtBearer(_), "key") => PRIVATE_KEY,
        (Grant::GithubApp(_) | Grant::SelfSignedJwt(_), "key" | CLIENT_SECRET) => PRIVATE_KEY,
        (Grant::ApiKey, CLIENT_SECRET) => "key",
        (grant, "key") if is_proved_by_key(grant) => PRIVATE_KEY,
        (_, given) => given,
    }
    .to_owned()
}

/// Whether callers get this very secret as their token.
fn is_handed_out(grant: &Grant, given: &str) -> bool {
    *grant == Grant::ApiKey && stored_name(grant, given) == "key"
}

fn is_proved_by_key(grant: &Grant) -> bool {
    grant.client().is_some_and(|client| client.client_auth == Some(ClientAuth::PrivateKeyJwt))
}

/// A refresh token that is presented has a place of its own; a parameter of that name has none.
fn put(entry: &mut Entry, grant: &Grant, secret: NewSecret) {
    let NewSecret { name, value, expires_at } = secret;
    let name = stored_name(grant, &name);
    if grant.has_refresh_token() && name == REFRESH_TOKEN {
        return entry.set_refresh_token(clock::now().wall, value, expires_at);
    }
    match expires_at {
        Some(at) => entry.secrets_expire.insert(name.clone(), at),
        // An expiry that nobody knows is not that of the secret before.
        None => entry.secrets_expire.remove(&name),
    };
    entry.secrets.insert(name, value);
}

/// What an entry holds, sorted.
pub(in crate::shell) fn names(entry: &Entry) -> Vec<String> {
    let refresh = entry.refresh.as_ref().map(|_| REFRESH_TOKEN);
    let mut names: Vec<String> =
        entry.secrets.keys().map(String::as_str).chain(refresh).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// Puts back what was there, because the rest of the change failed. If that fails too, the new
/// secrets stay: they are pinned, so the settings of before do not send them anywhere else.
pub(super) fn put_back(worker: &Worker, name: &ProfileName, stored: Stored) {
    let Ok((vault, keys)) = worker.open() else { return };
    let result = match stored.before {
        Some(mut before) => vault.write(keys, name, &mut before).map(drop),
        None => vault.remove(keys, name).map(drop),
    };
    if let Err(error) = result {
        error!(profile = %name, %error, "cannot put back what was stored before");
    }
}

/// Whether these can be stored for a profile of this grant. Their names stand in `{secret:NAME}` too.
pub(super) fn check(grant: &Grant, secrets: &[NewSecret]) -> Result<(), Failure> {
    let usage = |message: String| Failure::new(Kind::Usage, message);
    if matches!(grant, Grant::Pool(_)) && !secrets.is_empty() {
        return Err(usage("a pool has no secret: its members have theirs".to_owned())
            .hint("name a member of it"));
    }
    for NewSecret { name, value, .. } in secrets {
        if name != CLIENT_SECRET_NEXT && !crate::config::is_secret_name(name) {
            let shown = tokctl_proto::escape::shown(name);
            return Err(
                usage(format!("`{shown}` is not a name for a secret")).hint("use a-z, 0-9 and `_`")
            );
        }
        if value.is_empty() {
            return Err(usage(format!("the secret `{name}` is empty")));
        }
        if is_handed_out(grant, name) && !is_vschar(value.expose()) {
            return Err(usage(
                "the key has characters that no token may have (RFC 6749 appendix A): ASCII from \
                 space to `~` can be handed out"
                    .to_owned(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn a_secret_is_stored_by_the_name_that_its_grant_reads() {
        let github = "grant = \"github_app\"\nclient_id = \"1\"\ninstallation_id = \"2\"";
        let client = "token_endpoint = \"https://id.example/\"\nclient_id = \"cc\"";
        let (bearer, machine) = (
            format!("grant = \"jwt_bearer\"\n{client}"),
            format!("grant = \"client_credentials\"\n{client}"),
        );
        let signing = format!("{machine}\nclient_auth = \"private_key_jwt\"");
        for (profile, given, stored) in [
            (github, "key", "private_key"),
            (github, "client_secret", "private_key"),
            (github, "other", "other"),
            ("grant = \"self_signed_jwt\"", "client_secret", "private_key"),
            (&bearer, "key", "private_key"),
            (&bearer, "client_secret", "client_secret"),
            (&machine, "key", "key"),
            (&signing, "key", "private_key"),
            (&signing, "client_secret", "client_secret"),
            (&machine, "client_secret", "client_secret"),
            ("grant = \"api_key\"", "key", "key"),
            ("grant = \"api_key\"", "client_secret", "key"),
        ] {
            let config = config::parse(&format!("[profiles.acme]\n{profile}\n")).unwrap();
            let (_, read) = config.profiles.into_iter().next().unwrap();
            assert_eq!(stored_name(&read.grant, given), stored, "{profile} {given}");
        }
    }
}
