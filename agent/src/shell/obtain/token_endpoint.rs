//! Asking a token endpoint (RFC 6749 section 3.2), whose place the profile or its issuer's metadata names.

use tokctl_core::{Cause, Class, Credential, Outcome, Reached, Trouble};
use tokctl_proto::{Failure, Kind, Secret};
use url::Url;

use super::{Answer, Asking, subject, unique};
use crate::clock;
use crate::config::{Client, Grant, Provider};
use crate::oauth::client_auth;
use crate::oauth::grant::{
    Endpoint, Held, client_credentials, impersonation, jwt_bearer, refresh_token, refused,
    token_exchange,
};
use crate::oauth::message::{HttpReply, HttpRequest};
use crate::oauth::reply::{self, Asked, Purpose};
use crate::shell::rotate::no_refresh_token;
use crate::vault::{Entry, NoRefreshToken};

pub(super) async fn ask(mut asking: Asking) -> Result<Answer, Trouble> {
    let subject = subject::take(&mut asking).await?;
    let client = client_of(&asking)?;
    let endpoint = endpoint(&asking, client).await?;
    let endpoint = match asking.profile.grant.has_refresh_token() {
        true => endpoint.of_refreshes(client),
        false => endpoint,
    };
    let place = std::slice::from_ref(&endpoint.token_endpoint);
    let entry = asking.entry_for(place).await?;
    let mut sent = entry.as_ref().map(Entry::secrets_to_send).unwrap_or_default();
    let logged_in = entry.as_ref().and_then(|entry| entry.subject.clone());
    let request = request(&asking, client, &endpoint, entry, subject.as_ref())?;
    sent.extend(subject);
    let reply = asking.send(request).await?;
    match impersonation::endpoint(client) {
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

/// The request, made of what the entry holds; the rest of that is wiped when it is made.
fn request(
    asking: &Asking,
    client: &Client,
    endpoint: &Endpoint,
    entry: Option<Entry>,
    subject: Option<&Secret>,
) -> Result<HttpRequest, Trouble> {
    let (name, key) = (&asking.profile.name, &asking.key);
    // Another than the one of the intent would be sent without a trace on the disk.
    let presented: Option<Secret> = entry.as_ref().and_then(Entry::presented).cloned();
    let secrets = entry.map(|entry| entry.secrets).unwrap_or_default();
    let secrets = match asking.credential {
        Credential::Present => secrets,
        Credential::Next => client_auth::with_next(secrets).ok_or_else(|| {
            let failure = Failure::new(Kind::SecretRequired, "no further client secret is stored")
                .of(name)
                .hint(format!("run `tokctl set-secret {name} --next`"));
            Trouble::new(Class::Permanent, failure).because(Cause::InvalidClient)
        })?,
    };
    let now = clock::now().wall;
    let held = Held { secrets: &secrets, subject, now, unique: unique()? };
    let made = match &asking.profile.grant {
        grant if grant.has_refresh_token() => {
            let presented =
                presented.ok_or_else(|| refused(no_refresh_token(name, NoRefreshToken::Absent)))?;
            refresh_token::request(client, endpoint, key, held, &presented)
        }
        Grant::JwtBearer(_) => jwt_bearer::request(client, endpoint, key, held),
        Grant::TokenExchange(_) => token_exchange::request(client, endpoint, key, held),
        _ => client_credentials::request(client, endpoint, key, held),
    };
    made.map_err(refused)
}

async fn endpoint(asking: &Asking, client: &Client) -> Result<Endpoint, Trouble> {
    let name = &asking.profile.name;
    match &client.provider {
        Provider::TokenEndpoint(url) => Ok(Endpoint::configured(url.clone(), client)),
        Provider::Issuer { text, url } => {
            let now = clock::now().wall;
            let issuer = (text.as_str(), url);
            let metadata = asking
                .means
                .metadata
                .discover(now, &asking.means.http, name, issuer, &client.network)
                .await
                // The token endpoint has heard nothing yet, whatever the issuer has.
                .map_err(|missed| missed.trouble_of(name).reached(Reached::Nobody))?;
            Endpoint::discovered(name, text, &metadata, client).map_err(refused)
        }
    }
}

fn client_of(asking: &Asking) -> Result<&Client, Trouble> {
    asking.profile.grant.client().ok_or_else(|| {
        let failure = Failure::new(Kind::Internal, "a stored key was to be renewed");
        Trouble::new(Class::Permanent, failure.of(&asking.profile.name))
    })
}
