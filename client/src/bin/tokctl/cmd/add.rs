//! `tokctl add`: adds a profile with its secrets.
//!
//! In a script everything is said by options, nothing is asked, and no token is requested without
//! `--check`. On a terminal what is missing is asked for, a vault is made where there is none, and it ends
//! with a token or with a login, so that a mistyped secret is found now and not tonight.

mod command_line;
mod draft;
mod keys;
mod kind;
mod needs;
mod preset;
mod questions;
mod request;
mod subject;

use std::path::PathBuf;
use std::time::Duration;

use tokctl_client::proto::request::Show;
use tokctl_client::proto::response::Done;
use tokctl_client::proto::setting::{PROFILE, Shape, find};
use tokctl_client::proto::time::Spoken;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{Client, GetOptions, ProfileName, Request, Secret};

use crate::cmd::{dry_run, init, login};
use crate::exit::Stop;
use crate::expires::Expires;
use crate::secret_input::{ClientSecret, Key, RefreshToken, SecretInput};
use crate::session::Session;
use crate::settings::{Assignments, SettingOptions, pair};
use draft::{Draft, JsonFile};
use keys::{KeyOptions, Next};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Without options, on a terminal, it asks which of five kinds of credential it is (a client id and secret, a login, a \
service account's file, an API key, a program that prints a token), and for what that kind takes. With --preset it \
says first what to set up at the provider; `tokctl help presets` lists those that are known.

A subject of this environment (github-actions, gitlab, env:NAME) is looked for, and not sent; you are warned where it \
is missing.

Examples:

  tokctl add acme
  tokctl add hub --preset github
  tokctl add acme --grant client_credentials --issuer https://acme.eu.auth0.com/ \\
      --client-id kX3 --secret-file secret --scope read:data --audience https://api.acme.example/
  tokctl add shop --grant refresh_token --issuer https://id.shop.example/ \\
      --client-id kX3 --client-auth none --refresh-token-file token
  tokctl add ci --from-json service-account.json --scope https://www.googleapis.com/auth/cloud-platform
  tokctl add ci --grant client_credentials --issuer https://id.acme.example/ --client-id kX3 \\
      --generate-key ES256
  tokctl add app --grant github_app --client-id Iv23 --installation-id 42 --key-file app.pem
  tokctl add cloud -- gcloud auth print-access-token
  tokctl add search --pool acct1 --pool acct2 --rate-limit 60/min
  tokctl add weather --grant api_key --header 'X-Api-Key: {token}' --key-stdin < key")]
pub(crate) struct AddArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    #[command(flatten)]
    settings: SettingOptions,
    /// Set any key, such as `params.tenant=x`
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Settings", value_parser = pair)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    secret: SecretInput<ClientSecret>,
    #[command(flatten)]
    refresh_token: SecretInput<RefreshToken>,
    #[command(flatten)]
    key: SecretInput<Key>,
    #[command(flatten)]
    keys: KeyOptions,
    /// When the secret or the key ends: a date (its beginning in UTC), a time, or a duration from now
    #[arg(long, value_name = "WHEN", help_heading = "Secrets", value_parser = Expires::parse)]
    secret_expires: Option<Expires>,
    /// When the refresh token ends, if it is not used before
    #[arg(long, value_name = "WHEN", help_heading = "Secrets", value_parser = Expires::parse)]
    refresh_token_expires: Option<Expires>,
    /// Get a token at once, to see that everything is right
    #[arg(long)]
    check: bool,
    /// Take settings and key from a service account's or a GitHub App's JSON file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["secret", "key", "refresh-token", "secret_expires", "refresh_token_expires"])]
    from_json: Option<PathBuf>,
    /// A program that prints the token, and its arguments
    #[arg(last = true, value_name = "PROGRAM", conflicts_with_all = ["command", "from_json"])]
    program: Vec<String>,
    /// Take the place of a profile of this name
    #[arg(long)]
    replace: bool,
    /// Print what would be written and which requests would be sent for a token, without secrets; do neither
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,
}

/// A secret, and what it is called in its entry.
type Named = (&'static str, Secret);

pub(crate) fn run(args: AddArgs, session: &Session) -> Result<(), Stop> {
    let mut settings = given_settings(&args)?;
    // A refresh token and the key of its client are two things.
    let is_alone = args.refresh_token.is_given() && settings.value("grant").is_none();
    if args.key.is_given() && (args.secret.is_given() || is_alone) {
        return Err(Stop::usage("give the secret or the key, not both"));
    }
    let from_json =
        args.from_json.as_ref().map(|path| JsonFile::read(path, session)).transpose()?;
    let says_how = ["grant", "pool", "preset"].iter().any(|key| settings.value(key).is_some());
    if !says_how && from_json.is_none() {
        if args.key.is_given() {
            settings.put("grant", "api_key");
        } else if args.refresh_token.is_given() {
            settings.put("grant", "refresh_token");
        } else if args.keys.is_given() {
            settings.put("grant", "client_credentials");
        } else if args.dry_run {
            return Err(session.nobody_to_ask(
                "no grant was given, and a dry run asks nothing",
                "use `--grant GRANT` or `--preset NAME`",
            ));
        } else if !session.can_ask() {
            return Err(session.nobody_to_ask(
                "no grant was given, and there is no terminal to ask on",
                "use `--grant client_credentials`, `--grant refresh_token` or `--grant api_key`, or \
                 `--pool NAME`",
            ));
        }
    }
    let mut secrets = given_secrets(&args, settings.value("grant"), session)?;
    args.keys.read(&mut settings, &mut secrets, session)?;

    let mut client = session.client()?;
    let profile = &args.profile;
    let has_proof = args.keys.is_given();
    let mut draft = Draft { profile, settings, secrets, has_proof, from_json, preset: None };
    preset::find(&mut draft, &mut client, session)?;
    if session.can_ask() && !args.dry_run {
        offer_vault(&mut client, session)?;
        if !args.replace {
            see_that_it_is_new(&mut client, &args.profile, session)?;
        }
        questions::ask(&mut draft, &mut client, session)?;
    } else {
        preset::warn_of_unverified(&draft, session);
    }
    let has_subject = subject::is_here(&draft, session);
    let is_login = draft.is_login();
    let Draft { mut settings, secrets, from_json, .. } = draft;
    allow_loopback(&mut settings, session);
    let settings = settings.into_inner();
    let is_asked = session.can_ask() && !args.dry_run;
    let request = request::request(
        &args,
        settings,
        &secrets,
        from_json.as_ref().map(|file| &file.text),
        is_asked,
    )?;
    if args.dry_run {
        return dry_run::show(&mut client, &request, session);
    }
    let is_asked_for = args.check || (session.can_ask() && has_subject);
    if args.keys.generate_key.is_some() {
        let next = Next { is_login, is_asked_for };
        return keys::add(&mut client, &request, &args.profile, next, session);
    }
    session.tell(&mut client, &request)?;
    if let Some(file) = &from_json {
        let place = file.path.display();
        session.output.warn(&format!(
            "{place} still holds the private key: remove the file when nothing else reads it"
        ));
    }
    match is_asked_for {
        true if is_login => {
            // It is heard over a connection of its own.
            drop(client);
            login::run_for(&args.profile, session)
        }
        true => check(&mut client, &args.profile, session),
        false => Ok(()),
    }
}

fn given_settings(args: &AddArgs) -> Result<Assignments, Stop> {
    let mut settings = Assignments::default();
    for (key, typed) in &args.settings.given {
        if find(PROFILE, key).is_none_or(|setting| setting.shape != Shape::Table) {
            settings.put(key, typed);
            continue;
        }
        let option = key.replace('_', "-");
        let (name, value) =
            pair(typed).map_err(|why| Stop::usage(format!("`--{option} {typed}`: {why}")))?;
        settings.put(&format!("{key}.{name}"), &value);
    }
    for word in &args.program {
        settings.put("command", word);
    }
    if !args.program.is_empty() && settings.value("grant").is_none() {
        settings.put("grant", "command");
    }
    for (key, value) in &args.set {
        settings.put(key, value);
    }
    Ok(settings)
}

fn given_secrets(
    args: &AddArgs,
    grant: Option<&str>,
    session: &Session,
) -> Result<Vec<Named>, Stop> {
    let mut secrets = Vec::new();
    if let Some(key) = args.key.read(session)? {
        secrets.push(("key", key));
    }
    if let Some(token) = args.refresh_token.read(session)? {
        secrets.push(("refresh_token", token));
    }
    if let Some(secret) = args.secret.read(session)? {
        secrets.push((if grant == Some("api_key") { "key" } else { "client_secret" }, secret));
    }
    Ok(secrets)
}

fn offer_vault(client: &mut Client, session: &Session) -> Result<(), Stop> {
    if !init::is_missing(client)? {
        return Ok(());
    }
    session
        .output
        .talk("there is no vault yet: it keeps your secrets encrypted under a passphrase");
    if !session.confirm("make one now?", true)? {
        return Err(tokctl_client::Error::Cancelled.into());
    }
    let passphrase = init::new_passphrase(session, "passphrase for the new vault")?;
    init::make(client, Some(&passphrase), false, session)
}

/// Says that the name is taken before anything is asked; the agent would only say so afterwards.
fn see_that_it_is_new(
    client: &mut Client,
    profile: &ProfileName,
    session: &Session,
) -> Result<(), Stop> {
    let request = Request::Show(Show { profile: profile.as_str().into() });
    match client.request(&request, &mut session.conversation()).map_err(Stop::from) {
        // An entry without a profile is no obstacle here.
        Ok(Done::Profile(shown)) if shown.toml.is_empty() => Ok(()),
        Ok(_) => Err(Failure::new(Kind::ProfileExists, "there is a profile of this name already")
            .of(profile)
            .hint(format!(
                "run `tokctl set {profile} KEY=VALUE` to change it, `tokctl set-secret {profile}` \
                 for another secret, or `tokctl add {profile} --replace` to replace it"
            ))
            .into()),
        Err(stop) if stop.is(Kind::NoSuchProfile) => Ok(()),
        Err(stop) => Err(stop),
    }
}

/// Plain http is for this machine alone, and is said where it is allowed.
fn allow_loopback(settings: &mut Assignments, session: &Session) {
    let plain = ["issuer", "token_endpoint"]
        .into_iter()
        .filter_map(|key| settings.value(key))
        .any(is_plain_loopback);
    if plain && settings.value("allow_http_loopback").is_none() {
        session.output.warn(
            "the provider is plain http on this machine: setting `allow_http_loopback = true`",
        );
        settings.put("allow_http_loopback", "true");
    }
}

pub(super) fn is_plain_loopback(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_loopback = match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    };
    scheme.eq_ignore_ascii_case("http") && is_loopback
}

fn check(client: &mut Client, profile: &ProfileName, session: &Session) -> Result<(), Stop> {
    let token = client.get_with(profile, &GetOptions::default(), &mut session.conversation())?;
    if let Some(warning) = &token.warning {
        session.output.warn(&format!("{profile}: {warning}"));
    }
    let left = token.expires_in.and_then(|seconds| u64::try_from(seconds).ok());
    session.output.talk(&match left {
        Some(seconds) => {
            format!("{profile}: got a token, valid {}", Spoken(Duration::from_secs(seconds)))
        }
        None => format!("{profile}: got a token"),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_known_for_this_machine_alone() {
        for (url, plain) in [
            ("http://127.0.0.1:9400", true),
            ("HTTP://LOCALHOST/issuer", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]:80/", true),
            ("https://127.0.0.1:9400", false),
            ("http://127.0.0.1.example/", false),
            ("http://acme.example/127.0.0.1", false),
            ("http://localhost@acme.example/", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(is_plain_loopback(url), plain, "{url}");
        }
    }
}
