//! What is made of the answer to a login.
//!
//! The code is spent when it is sent, so before that the disk has shown that it takes what will come,
//! and what came is on it before anybody reads it. Then it is read, the id_token is checked where one
//! was asked for, and what was obtained waits for its turn at the entry (`change/login.rs`). An answer
//! that a crash left unread is read when the entry is next loaded; then nobody is asked for keys, and
//! what stands for the id_token is that it came over TLS from the token endpoint (OpenID Connect Core
//! section 3.1.3.7 point 6).

use std::sync::Arc;

use tokctl_core::{Obtained, Outcome, Token};
use tokctl_proto::{Failure, Kind, Secret};
use tracing::warn;

use super::authorize::Authorization;
use super::known::Known;
use crate::clock;
use crate::config::{Client, Profile, Provider};
use crate::oauth::grant::authorization_code::OPENID;
use crate::oauth::id_token::{self, Expected, Person, Refused, To};
use crate::oauth::jose::Jwks;
use crate::oauth::provider_clock;
use crate::oauth::reply::{self, Asked, Purpose};
use crate::oauth::state::Unguessable;
use crate::shell::http::Need;
use crate::shell::obtain::Answer;
use crate::shell::pin::{During, Pin, sends_secrets};
use crate::shell::rotate;
use crate::shell::stored;
use crate::shell::worker::Worker;
use crate::vault::{Entry, Login, Subject, VaultError};

/// A login that has brought tokens.
#[derive(Debug)]
pub struct Finished {
    pub profile: Arc<Profile>,
    pub login: Login,
    /// What was asked for.
    pub scope: std::collections::BTreeSet<String>,
}

/// Spends a code, and reads what it brings.
pub(super) async fn with_code(
    known: &Known,
    authorization: &Authorization,
    code: &Secret,
) -> Result<Finished, Failure> {
    let ready = known.means.jobs.ask(|worker| {
        let (vault, _) = worker.open()?;
        vault.ensure_ballast().map_err(|error| Failure::from(&error))
    });
    ready.await.map_err(|failure| failure.of(&known.profile.name))?;
    let replied =
        authorization.exchange(known, code).await.map_err(|failure| again(known, failure))?;
    with_answer(known, known.answer(replied), authorization.nonce()).await
}

/// Reads what a login was answered with. `nonce` is what its id_token must hold.
pub(super) async fn with_answer(
    known: &Known,
    answer: Answer,
    nonce: Option<&Unguessable>,
) -> Result<Finished, Failure> {
    let (name, means) = (known.profile.name.clone(), &known.means);
    let pin = Pin::of(&known.profile, &means.http, &means.metadata, During::SetSecret).await?;
    let saving = move |worker: &mut Worker| save(worker, &answer, pin).map(|()| answer);
    let answer = means.jobs.ask(saving).await?;
    let read = read(known, &answer, nonce).await;
    if read.is_err() {
        means.jobs.run(move |worker| forget(worker, &name), drop);
    }
    read.map_err(|failure| again(known, failure))
}

/// Whatever went wrong, the way to a token begins anew.
pub(super) fn again(known: &Known, failure: Failure) -> Failure {
    let name = &known.profile.name;
    match failure.hint {
        Some(_) => failure,
        None => failure.of(name).hint(format!("run `tokctl login {name}` again")),
    }
}

/// Keeps an answer as it came. What the entry holds for another place goes, unless it is a secret of
/// the client: then nothing would have been sent.
fn save(worker: &mut Worker, answer: &Answer, pin: Pin) -> Result<(), Failure> {
    let name = &answer.profile.name;
    if !worker.known.contains(name) {
        return Err(Failure::new(Kind::NoSuchProfile, "the profile was removed meanwhile").of(name));
    }
    let (vault, keys) = worker.open()?;
    let of = |error: VaultError| Failure::from(&error).of(name);
    let mut entry = match vault.read(keys, name) {
        Ok(Some(entry)) => entry,
        Ok(None) => Entry::new(stored::new_id()?),
        // The write sets it apart: what is to be saved exists nowhere else.
        Err(error) if error.is_unreadable() => Entry::new(stored::new_id()?),
        Err(error) => return Err(of(error)),
    };
    if !sends_secrets(&entry) && !pin.is_of(&entry) {
        entry.refresh = None;
        entry.subject = None;
        entry.tokens.clear();
        pin.record(&mut entry);
    }
    entry.receive_login(answer.to_raw());
    rotate::report_quarantined(vault.write_for_good(keys, name, &mut entry).map_err(of)?);
    worker.logins.insert(name.clone());
    Ok(())
}

/// Drops an answer that came to nothing.
pub(in crate::shell) fn forget(
    worker: &mut Worker,
    name: &tokctl_proto::ProfileName,
) -> Result<(), Failure> {
    worker.logins.remove(name);
    let (vault, keys) = worker.open()?;
    let of = |error: VaultError| Failure::from(&error).of(name);
    let Some(mut entry) = vault.read(keys, name).map_err(of)? else { return Ok(()) };
    if entry.unread_login().is_none() {
        return Ok(());
    }
    entry.forget_login();
    vault.write(keys, name, &mut entry).map(drop).map_err(of)
}

async fn read(
    known: &Known,
    answer: &Answer,
    nonce: Option<&Unguessable>,
) -> Result<Finished, Failure> {
    let obtained = obtained(answer)?;
    let person = match known.scope.contains(OPENID) {
        true => believed(known, answer, &obtained.token, nonce).await?,
        false => None,
    };
    Ok(Finished {
        profile: Arc::clone(&known.profile),
        login: login(answer, obtained, person),
        scope: known.scope.clone(),
    })
}

/// The tokens in an answer.
fn obtained(answer: &Answer) -> Result<Obtained, Failure> {
    let Answer { key, endpoint, sent, profile, .. } = answer;
    let (grant, purpose) = (&profile.grant, Purpose::Login);
    let asked = Asked { key, grant, endpoint, sent, purpose };
    match reply::classify(clock::now().wall, &asked, &answer.reply) {
        Outcome::Tokens(obtained) => Ok(obtained),
        Outcome::Failed(trouble) => Err(trouble.failure),
    }
}

fn login(answer: &Answer, obtained: Obtained, person: Option<Person>) -> Login {
    Login {
        key: answer.key.clone(),
        token: Token { revision: answer.revision, ..obtained.token },
        refresh_token: obtained.successor.map(|found| (found.secret, found.expires_at)),
        subject: person.map(|Person { iss, sub }| Subject { iss, sub }),
    }
}

/// Who logged in, by an id_token that has passed every check; `None` where nobody knows whose it would
/// have to be.
async fn believed(
    known: &Known,
    answer: &Answer,
    token: &Token,
    nonce: Option<&Unguessable>,
) -> Result<Option<Person>, Failure> {
    let name = &known.profile.name;
    let Some(issuer) = known.issuer() else {
        warn!(profile = %name, "its id_token is not looked at, since it names no issuer");
        return Ok(None);
    };
    let id_token = reply::id_token(&answer.reply).ok_or_else(|| {
        Failure::new(Kind::ProviderFailed, "`openid` was asked for, and no id_token came").of(name)
    })?;
    let to = nonce.map_or(To::Recovered, To::Login);
    let secret = client_secret(known).await?;
    let expected = Expected {
        client_secret: secret.as_ref(),
        ..expected(known.client(), issuer, answer, token, to)
    };
    let refused = |refused: Refused| untrue(name, &refused);
    let needs_keys = id_token::algorithm(&id_token, &expected).map_err(refused)?
        != crate::config::Algorithm::Hs256;
    let now = clock::now().wall;
    if !needs_keys {
        let person = id_token::check(now, &id_token, &Jwks::default(), &expected);
        return person.map(Some).map_err(refused);
    }
    let keys = keys(known, Need::Any).await?;
    let person = match id_token::check(now, &id_token, &keys, &expected) {
        Err(refused) if refused.newer_keys_may_help() => {
            let keys = self::keys(known, Need::Newer).await?;
            id_token::check(now, &id_token, &keys, &expected)
        }
        checked => checked,
    };
    person.map(Some).map_err(refused)
}

async fn keys(known: &Known, need: Need) -> Result<Arc<Jwks>, Failure> {
    let metadata = known.metadata.as_ref();
    let jwks_uri = metadata.and_then(|metadata| metadata.jwks_uri.as_ref());
    let jwks_uri = jwks_uri.ok_or_else(|| {
        let message = metadata.map(|metadata| metadata.without("jwks_uri")).unwrap_or_default();
        Failure::new(Kind::ProviderFailed, message).of(&known.profile.name)
    })?;
    let (now, means) = (clock::now().wall, &known.means);
    let at = (jwks_uri, &known.client().network);
    means.metadata.keys.keys(now, &means.http, &known.profile.name, at, need).await
}

/// With which an id_token may be signed, where the profile says so.
async fn client_secret(known: &Known) -> Result<Option<Secret>, Failure> {
    if known.client().login.id_token_alg != Some(crate::config::Algorithm::Hs256) {
        return Ok(None);
    }
    let name = known.profile.name.clone();
    let read = known.means.jobs.ask(move |worker| {
        let (vault, keys) = worker.open()?;
        let entry = vault.read(keys, &name).map_err(|error| Failure::from(&error).of(&name))?;
        let held = entry.map(|mut entry| std::mem::take(&mut entry.secrets));
        Ok(held.and_then(|mut held| held.remove(crate::oauth::client_auth::CLIENT_SECRET)))
    });
    read.await
}

fn expected<'a>(
    client: &'a Client,
    issuer: &'a str,
    answer: &Answer,
    token: &'a Token,
    to: To<'a>,
) -> Expected<'a> {
    Expected {
        issuer,
        client_id: &client.client_id,
        algorithm: client.login.id_token_alg,
        client_secret: None,
        clock_ahead_s: provider_clock::ahead_s(&answer.reply).unwrap_or_default(),
        to,
        access_token: Some(&token.access_token),
    }
}

/// An id_token that broke a rule.
fn untrue(name: &tokctl_proto::ProfileName, refused: &Refused) -> Failure {
    Failure::new(Kind::ProviderFailed, refused.to_string()).of(name)
}

/// What an answer of an earlier run comes to.
#[derive(Debug)]
pub(in crate::shell) enum Recovered {
    Login(Box<Login>),
    /// It brings nothing, now or later.
    Refused(Failure),
    /// A success that nobody can read: another version may.
    Unreadable(Failure),
}

/// Reads an answer that was saved in an earlier run.
pub(in crate::shell) fn recover(answer: &Answer) -> Recovered {
    let name = &answer.profile.name;
    let obtained = match obtained(answer) {
        Ok(obtained) => obtained,
        Err(failure) if (200..300).contains(&answer.reply.status) => {
            return Recovered::Unreadable(failure);
        }
        Err(failure) => return Recovered::Refused(failure),
    };
    let client = match client_of(&answer.profile) {
        Ok(client) => client,
        Err(failure) => return Recovered::Refused(failure),
    };
    let person = match (&client.provider, reply::id_token(&answer.reply)) {
        (Provider::Issuer { text, .. }, Some(id_token)) => {
            let expected = expected(client, text, answer, &obtained.token, To::Recovered);
            // As of when it came: it may have lain here for a while.
            let now = answer.reply.received_at;
            match id_token::check_unsigned(now, &id_token, &expected) {
                Ok(person) => Some(person),
                Err(refused) => return Recovered::Refused(untrue(name, &refused)),
            }
        }
        _ => None,
    };
    Recovered::Login(Box::new(login(answer, obtained, person)))
}

fn client_of(profile: &Profile) -> Result<&Client, Failure> {
    profile.grant.client().ok_or_else(|| {
        Failure::new(Kind::ConfigInvalid, "the profile is none that somebody logs in with any more")
            .of(&profile.name)
    })
}
