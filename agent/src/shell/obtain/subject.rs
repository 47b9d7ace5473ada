//! Getting hold of the token that is presented for another.
//!
//! Where it is somebody else's to keep fresh, a file, it is read for each request. Where the client has brought the
//! means to ask for it, it is asked for here, since the client is not to know what it is for.

use std::path::Path;

use tokctl_core::{Cause, Class, Reached, Trouble};
use tokctl_proto::{Failure, Kind, ProfileName, Secret};
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use super::Asking;
use crate::config::{Client, ClientAuth, Subject};
use crate::oauth::subject::{self, SUBJECT_BYTES_MAX};

/// The token to present for this profile, if it presents one.
pub(super) async fn take(asking: &mut Asking) -> Result<Option<Secret>, Trouble> {
    let name = &asking.profile.name;
    let Some(whose) = asking.profile.grant.subject() else { return Ok(None) };
    let brought = asking.subject.take();
    match whose {
        Subject::File(path) => read(name, path).await.map(Some),
        Subject::GithubActions => {
            let brought = brought.ok_or_else(|| missing(name, whose))?;
            github_actions(asking, &brought).await.map(Some)
        }
        Subject::Gitlab | Subject::Env(_) | Subject::Profile(_) => {
            brought.map(Some).ok_or_else(|| missing(name, whose))
        }
    }
}

/// What proves a client at this moment, outside an exchange, where nobody has to be asked for it.
pub(in crate::shell) async fn at_hand(
    name: &ProfileName,
    client: &Client,
) -> Result<Option<Secret>, Trouble> {
    match (client.client_auth, &client.subject) {
        (Some(ClientAuth::Federated), Some(Subject::File(path))) => {
            read(name, path).await.map(Some)
        }
        _ => Ok(None),
    }
}

fn missing(name: &ProfileName, whose: &Subject) -> Trouble {
    Trouble::new(Class::Retry, subject::required(name, Some(whose)))
}

async fn read(name: &ProfileName, path: &Path) -> Result<Secret, Trouble> {
    let failed = |why: String| {
        let message = format!("cannot read the token in {}: {why}", path.display());
        let failure = Failure::new(Kind::SubjectRequired, message).of(name);
        Trouble::new(Class::Retry, failure)
    };
    let mut text = Zeroizing::new(Vec::with_capacity(SUBJECT_BYTES_MAX + 1));
    let file = tokio::fs::File::open(path).await.map_err(|error| failed(error.to_string()))?;
    file.take(SUBJECT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut text)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let token = std::str::from_utf8(&text).ok().and_then(subject::read);
    token.ok_or_else(|| failed("it holds no token".to_owned()))
}

async fn github_actions(asking: &Asking, brought: &Secret) -> Result<Secret, Trouble> {
    let name = &asking.profile.name;
    let audience = asking.profile.grant.subject_audience();
    let loopback = asking.network().allow_http_loopback;
    // It would be the same again: whoever brought it is told at once.
    let refused = |failure| Trouble::new(Class::Permanent, failure);
    let request = subject::github_actions(name, brought, audience, loopback).map_err(refused)?;
    let reach = asking.means.http.reach(asking.network(), &request.url).await;
    // Nothing has gone to the provider yet, and it has no part in what GitHub does.
    let apart = |trouble: Trouble| trouble.because(Cause::Other).reached(Reached::Nobody);
    let reach = reach.map_err(|error| apart(error.trouble(name)))?;
    subject::check_reach(name, &request.url, reach, loopback).map_err(refused)?;
    let reply = asking.send(request).await.map_err(apart)?;
    subject::read_github_actions(name, &reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_anew_for_each_request_and_says_what_is_wrong_with_it() {
        let name = ProfileName::parse("acme").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        for (content, token) in [
            (Some("eyJ0\n"), Some("eyJ0")),
            (Some("eyJ1"), Some("eyJ1")),
            (Some(""), None),
            (Some("two words"), None),
            (None, None),
        ] {
            match content {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let read = read(&name, &path).await;
            assert_eq!(read.as_ref().ok().map(Secret::expose), token, "{content:?}");
            if let Err(trouble) = read {
                assert_eq!(trouble.failure.kind, Kind::SubjectRequired);
                assert!(trouble.failure.message.contains(path.to_str().unwrap()));
            }
        }
    }
}
