//! Origin pinning: a stored secret goes where it was stored for, and on the way it was stored for.
//!
//! Where that is was recorded with the secret. An edit of config.toml that points a profile at
//! another host, another authority or another proxy does not take the secret along.

use std::collections::BTreeSet;

use tokctl_core::{Class, Trouble};
use tokctl_proto::{Failure, Kind, ProfileName};
use url::Url;

use super::http::{Http, MetadataCache, Undiscovered, other_issuer};
use crate::clock;
use crate::config::{ClientAuth, Grant, Network, Profile, Provider};
use crate::oauth::certificate::TLS_CERTIFICATE;
use crate::oauth::grant::{github_app, impersonation, steps};
use crate::oauth::jose::dpop::DPOP_KEY;
use crate::oauth::origin::Origin;
use crate::vault::{Entry, Via};

/// Where a profile's secrets may be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    pub origins: BTreeSet<String>,
    /// Where they may be sent too by a client that shows a certificate (RFC 8705 section 5).
    pub aliases: BTreeSet<String>,
    pub via: Via,
}

/// Which command asks where a secret may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum During {
    /// The profile is not in config.toml yet.
    Add,
    SetSecret,
}

impl Pin {
    /// Works out the pin that a profile's settings call for now. An issuer is asked for its
    /// metadata: without it nobody knows where the secret would go.
    pub async fn of(
        profile: &Profile,
        http: &Http,
        metadata: &MetadataCache,
        during: During,
    ) -> Result<Self, Failure> {
        let Some(client) = profile.grant.client() else {
            let places = places(&profile.grant).iter().filter_map(origin).collect();
            let via = profile.grant.network().map(via).unwrap_or_default();
            return Ok(Self { origins: places, aliases: BTreeSet::new(), via });
        };
        let mut aliases = BTreeSet::new();
        let mut origins: BTreeSet<String> = match &client.provider {
            Provider::TokenEndpoint(url) => origin(url).into_iter().collect(),
            Provider::Issuer { text, url } => {
                let issuer = (text.as_str(), url);
                let now = clock::now().wall;
                let found = metadata
                    .discover(now, http, &profile.name, issuer, &client.network)
                    .await
                    .map_err(|undiscovered| {
                        without_metadata(undiscovered, &profile.name, during)
                    })?;
                let own = texts(&found.origins);
                aliases = texts(&found.over_mtls().origins);
                own
            }
        };
        origins.extend(client.endpoints.of_client().filter_map(origin));
        origins.extend(impersonation::endpoint(client).as_ref().and_then(origin));
        if client.client_auth == Some(ClientAuth::Tls) {
            origins.append(&mut aliases);
        }
        Ok(Self { origins, aliases, via: via(&client.network) })
    }

    /// Whether an entry's secrets were stored for this, with a certificate or without one.
    pub fn is_of(&self, entry: &Entry) -> bool {
        let is_known =
            |origin: &String| self.origins.contains(origin) || self.aliases.contains(origin);
        let is_where = self.origins.is_subset(&entry.origins) && entry.origins.iter().all(is_known);
        is_where && entry.network == self.via
    }

    /// Records the pin in an entry, for all that the entry holds.
    pub fn record(self, entry: &mut Entry) {
        entry.origins = self.origins;
        if entry.secrets.contains_key(TLS_CERTIFICATE) {
            entry.origins.extend(self.aliases);
        }
        entry.network = self.via;
    }
}

/// Whether an entry holds what is sent to a provider. The key that tokens are bound to never is.
pub fn holds_secrets(entry: &Entry) -> bool {
    entry.refresh.is_some() || sends_secrets(entry)
}

/// The same without a refresh token, which another login replaces.
pub fn sends_secrets(entry: &Entry) -> bool {
    entry.secrets.keys().any(|name| name != DPOP_KEY)
}

/// Where the secrets of a grant go that is no client's at a token endpoint.
fn places(grant: &Grant) -> Vec<Url> {
    match grant {
        Grant::AwsWebIdentity(role) => vec![role.endpoint.clone()],
        Grant::GithubApp(app) => vec![github_app::endpoint(app)],
        Grant::Steps(login) => login.steps.iter().filter_map(steps::place).collect(),
        _ => Vec::new(),
    }
}

/// The hint of a failure speaks of the settings as the command at hand takes them.
fn without_metadata(undiscovered: Undiscovered, profile: &ProfileName, during: During) -> Failure {
    let answered = undiscovered.answered;
    let failure = undiscovered.trouble_of(profile).failure;
    match (during, &failure.hint) {
        (During::Add, _) if answered => failure.hint(
            "give `--issuer` exactly as the provider spells it, or `--token-endpoint URL` in its \
             place, which needs no metadata",
        ),
        (During::Add, None) => failure.hint(
            "see that the host of `--issuer` is right and can be reached; `--token-endpoint URL` in its \
             place needs no metadata",
        ),
        (During::SetSecret, None) if answered => failure.hint(other_issuer(profile)),
        (During::SetSecret, None) => {
            failure.hint("run it again when the provider can be reached: nothing was stored")
        }
        _ => failure,
    }
}

/// Whether an entry's secrets may be sent to `endpoint` on this way.
pub fn check(
    name: &ProfileName,
    entry: &Entry,
    network: &Network,
    endpoint: &Url,
) -> Result<(), Trouble> {
    check_pinned(name, (&entry.origins, &entry.network), network, endpoint)
}

/// The same of secrets that may go to these origins, on that way.
pub(super) fn check_pinned(
    name: &ProfileName,
    (origins, way): (&BTreeSet<String>, &Via),
    network: &Network,
    endpoint: &Url,
) -> Result<(), Trouble> {
    let origin = origin(endpoint).unwrap_or_default();
    let message = if !origins.contains(&origin) {
        let stored: Vec<&str> = origins.iter().map(String::as_str).collect();
        match stored.is_empty() {
            true => format!("what is stored was stored for no provider, and {origin} is asked now"),
            false => {
                format!(
                    "the secret was stored for {}, and {origin} is asked now",
                    stored.join(", ")
                )
            }
        }
    } else if *way != via(network) {
        "the secret was stored for another `ca_file` or `proxy`".to_owned()
    } else {
        return Ok(());
    };
    Err(Trouble::new(Class::Permanent, origin_changed(name, message)))
}

/// Whether an entry's key may be handed out: not if it was stored to be sent to a provider, where
/// it may be what clients never get to see.
pub fn check_handed_out(name: &ProfileName, entry: &Entry) -> Result<(), Failure> {
    match entry.origins.first() {
        None => Ok(()),
        Some(origin) => {
            let message = format!("the secret was stored for {origin}, not to be handed out");
            Err(origin_changed(name, message))
        }
    }
}

fn origin_changed(name: &ProfileName, message: String) -> Failure {
    Failure::new(Kind::OriginChanged, message)
        .of(name)
        .hint(format!("if that is meant, run `tokctl set-secret {name}`"))
}

fn texts(origins: &BTreeSet<Origin>) -> BTreeSet<String> {
    origins.iter().map(|origin| origin.as_str().to_owned()).collect()
}

fn origin(url: &Url) -> Option<String> {
    Origin::of(url).map(|origin| origin.as_str().to_owned())
}

fn via(network: &Network) -> Via {
    Via {
        ca_file: network.ca_file.as_ref().map(|path| path.to_string_lossy().into_owned()),
        proxy: network.proxy.clone(),
    }
}

#[cfg(test)]
mod tests {
    use tokctl_proto::Secret;

    use super::*;
    use crate::config::{self, Client};
    use crate::vault::EntryId;

    fn client(settings: &str) -> Client {
        let text = format!(
            "[profiles.acme]\ngrant = \"client_credentials\"\nclient_id = \"cc\"\n{settings}\n"
        );
        let (_, profile) = config::parse(&text).unwrap().profiles.pop_first().unwrap();
        profile.grant.client().unwrap().clone()
    }

    /// An entry whose secrets were stored for `https://id.example:443`, on the way that `settings`
    /// say.
    fn entry(settings: &str) -> Entry {
        let client = client(&format!("token_endpoint = \"https://id.example/token\"\n{settings}"));
        let mut entry = Entry::new(EntryId::draw(&mut |bytes| bytes.fill(1)));
        let origins = ["https://id.example:443".to_owned()].into();
        Pin { origins, via: via(&client.network), ..Pin::default() }.record(&mut entry);
        entry
    }

    #[test]
    fn a_secret_goes_where_it_was_stored_for_and_on_that_way_alone() {
        let (ca, proxy) = ("ca_file = \"/ca.pem\"", "proxy = \"http://p.example:3128\"");
        for (stored, asked, now, goes) in [
            ("", "https://id.example/token", "", true),
            ("", "https://id.example:443/another/path?x=1", "", true),
            ("", "https://id.example:444/token", "", false),
            ("", "https://id.example.evil.example/token", "", false),
            ("", "https://evil.example/token", "", false),
            ("", "https://id.example@evil.example/token", "", false),
            ("", "http://id.example:443/token", "", false),
            ("", "https://id.example/token", ca, false),
            ("", "https://id.example/token", proxy, false),
            (ca, "https://id.example/token", ca, true),
            (ca, "https://id.example/token", "", false),
            (proxy, "https://id.example/token", proxy, true),
            (proxy, "https://id.example/token", "", false),
            (proxy, "https://id.example/token", "proxy = \"http://q.example:3128\"", false),
        ] {
            let endpoint = Url::parse(asked).unwrap();
            let client = client(&format!("token_endpoint = \"https://id.example/token\"\n{now}"));
            let name = ProfileName::parse("acme").unwrap();
            let checked = check(&name, &entry(stored), &client.network, &endpoint);
            assert_eq!(checked.is_ok(), goes, "stored with {stored:?}, {asked} {now}");
            if let Err(trouble) = checked {
                assert_eq!(
                    (trouble.class, trouble.failure.kind),
                    (Class::Permanent, Kind::OriginChanged)
                );
            }
        }
    }

    #[tokio::test]
    async fn every_endpoint_that_the_profile_names_is_where_its_secrets_may_go() {
        let text = "[profiles.acme]\ngrant = \"device_code\"\nclient_id = \"cc\"\n\
            token_endpoint = \"https://id.example/token\"\n\
            authorization_endpoint = \"https://login.example/\"\n\
            device_authorization_endpoint = \"https://device.example/\"\n\
            refresh_endpoint = \"https://id.example/refresh\"\n";
        let (_, profile) = config::parse(text).unwrap().profiles.pop_first().unwrap();
        let (http, metadata) = (Http::default(), MetadataCache::default());
        let pin = Pin::of(&profile, &http, &metadata, During::Add).await.unwrap();
        let origins: Vec<&str> = pin.origins.iter().map(String::as_str).collect();
        assert_eq!(origins, ["https://device.example:443", "https://id.example:443"]);
    }

    #[test]
    fn whoever_shows_a_certificate_may_go_by_the_aliases_and_nobody_else() {
        let (one, alias) = ("https://id.example:443", "https://mtls.id.example:443");
        let set = |origins: &[&str]| origins.iter().map(|&it| it.to_owned()).collect();
        let pin = Pin { origins: set(&[one]), aliases: set(&[alias]), ..Pin::default() };
        for (holds, origins) in [
            (&["client_secret"][..], &[one][..]),
            (&["client_secret", TLS_CERTIFICATE], &[one, alias]),
        ] {
            let mut entry = Entry::new(EntryId::draw(&mut |bytes| bytes.fill(1)));
            let secrets = holds.iter().map(|&it| (it.to_owned(), Secret::new("s".to_owned())));
            entry.secrets = secrets.collect();
            pin.clone().record(&mut entry);
            assert_eq!(entry.origins, set(origins));
        }
        for (stored_for, is_of) in [
            (&[one][..], true),
            (&[one, alias], true),
            (&[alias], false),
            (&[], false),
            (&[one, "https://evil.example:443"], false),
        ] {
            let mut entry = Entry::new(EntryId::draw(&mut |bytes| bytes.fill(1)));
            entry.origins = set(stored_for);
            assert_eq!(pin.is_of(&entry), is_of, "{stored_for:?}");
        }
    }

    #[test]
    fn what_was_stored_for_nobody_is_sent_to_nobody_and_the_other_way_round() {
        let name = ProfileName::parse("acme").unwrap();
        let unpinned = Entry::new(EntryId::draw(&mut |bytes| bytes.fill(1)));
        let client = client("token_endpoint = \"https://id.example/token\"");
        let endpoint = Url::parse("https://id.example/token").unwrap();
        assert!(check(&name, &unpinned, &client.network, &endpoint).is_err());
        assert!(check_handed_out(&name, &unpinned).is_ok());
        assert!(check_handed_out(&name, &entry("")).is_err());
    }
}
