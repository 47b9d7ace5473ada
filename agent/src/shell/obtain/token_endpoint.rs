//! Asking a token endpoint (RFC 6749 section 3.2), whose place the profile or its issuer's metadata names.

use std::collections::BTreeMap;

use tokctl_core::{Cause, Class, Credential, Outcome, Trouble};
use tokctl_proto::{Failure, Kind, Secret};
use url::Url;

use super::{Answer, Asking, subject};
use crate::clock;
use crate::config::Client;
use crate::oauth::client_auth::{self, Holds};
use crate::oauth::grant::{self, Endpoint, Held, impersonation};
use crate::oauth::message::{HttpReply, HttpRequest};
use crate::oauth::reply::{self, Asked, Purpose};
use crate::shell::rotate::no_refresh_token;
use crate::shell::speaker::{Speaker, Wants};
use crate::shell::{bound_key, provider};
use crate::vault::{Entry, NoRefreshToken};

pub(super) async fn ask(mut asking: Asking) -> Result<Answer, Trouble> {
    let subject = subject::take(&mut asking).await?;
    let client = client_of(&asking)?;
    bound_key::ensure(&asking.means, &asking.profile).await?;
    let (name, grant) = (&asking.profile.name, asking.profile.grant.name());
    let entry = asking.entry().await?;
    let holds = entry.as_ref().map(|entry| Holds::of(grant, &entry.secrets)).unwrap_or_default();
    let endpoint = provider::find(&asking.means, name, client, holds).await?.endpoint;
    let endpoint = match asking.profile.grant.has_refresh_token() {
        true => endpoint.of_refreshes(client),
        false => endpoint,
    };
    let account = impersonation::endpoint(client);
    asking.check(entry.as_ref(), std::slice::from_ref(&endpoint.token_endpoint))?;
    asking.check(entry.as_ref(), account.as_slice())?;
    let mut sent = entry.as_ref().map(Entry::secrets_to_send).unwrap_or_default();
    let logged_in = entry.as_ref().and_then(|entry| entry.subject.clone());
    // Another than the one of the intent would be sent without a trace on the disk.
    let presented: Option<Secret> = entry.as_ref().and_then(Entry::presented).cloned();
    let secrets = secrets(&asking, entry)?;
    let speaker = Speaker {
        http: &asking.means.http,
        profile: name,
        grant,
        client,
        auth: endpoint.auth,
        secrets: &secrets,
        subject: subject.as_ref(),
    };
    let make = |held: Held<'_>| request(&asking, client, &endpoint, held, presented.as_ref());
    let reply = speaker.send(&endpoint.token_endpoint, Wants::Tokens, make).await?;
    drop(secrets);
    sent.extend(subject);
    match account {
        Some(account) => impersonate(asking, &endpoint.token_endpoint, &account, reply, sent).await,
        None => {
            let answer = asking.answered(endpoint.token_endpoint, reply, sent);
            Ok(Answer { subject: logged_in, ..answer })
        }
    }
}

/// Presents the token of the first answer to act as somebody else.
async fn impersonate(
    asking: Asking,
    endpoint: &Url,
    account: &Url,
    reply: HttpReply,
    mut sent: Vec<Secret>,
) -> Result<Answer, Trouble> {
    let (key, grant) = (&asking.key, &asking.profile.grant);
    let asked = Asked { key, grant, endpoint, sent: &sent, purpose: Purpose::Intermediate };
    let token = match reply::classify(clock::now().wall, &asked, &reply) {
        Outcome::Tokens(obtained) => obtained.token.access_token,
        Outcome::Failed(trouble) => return Err(trouble),
    };
    let request = impersonation::request(client_of(&asking)?, key, account, &token);
    sent.push(token);
    let reply = asking.send(request).await?;
    Ok(asking.answered(account.clone(), reply, sent))
}

/// What an entry holds, the client secret that is to be tried among it.
fn secrets(asking: &Asking, entry: Option<Entry>) -> Result<BTreeMap<String, Secret>, Trouble> {
    let name = &asking.profile.name;
    let secrets = entry.map(|entry| entry.secrets).unwrap_or_default();
    match asking.credential {
        Credential::Present => Ok(secrets),
        Credential::Next => client_auth::with_next(secrets).ok_or_else(|| {
            let failure = Failure::new(Kind::SecretRequired, "no further client secret is stored")
                .of(name)
                .hint(format!("run `tokctl set-secret {name} --next`"));
            Trouble::new(Class::Permanent, failure).because(Cause::InvalidClient)
        }),
    }
}

fn request(
    asking: &Asking,
    client: &Client,
    endpoint: &Endpoint,
    held: Held<'_>,
    presented: Option<&Secret>,
) -> Result<HttpRequest, Failure> {
    let (name, grant) = (&asking.profile.name, &asking.profile.grant);
    if grant.has_refresh_token() && presented.is_none() {
        return Err(no_refresh_token(name, NoRefreshToken::Absent));
    }
    grant::request(grant, client, endpoint, &asking.key, held, presented)
}

fn client_of(asking: &Asking) -> Result<&Client, Trouble> {
    asking.profile.grant.client().ok_or_else(|| {
        let failure = Failure::new(Kind::Internal, "a stored key was to be renewed");
        Trouble::new(Class::Permanent, failure.of(&asking.profile.name))
    })
}
