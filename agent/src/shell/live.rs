//! The configuration in use, and what it means to the core.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokctl_core::{Lanes, Source, Subject};
use tokctl_proto::ProfileName;

use crate::config::{self, Config, Fingerprint, Grant, Profile, Provider};
use crate::oauth::Origin;
use crate::oauth::grant::steps;

/// A configuration that was checked, and the bytes it was read from.
#[derive(Clone, Debug)]
pub struct Live {
    pub config: Arc<Config>,
    pub fingerprint: Fingerprint,
    /// Counts readings of the file, from 1: of two, the greater is what is there now.
    pub reading: u64,
}

impl Live {
    pub fn new(config: Config, fingerprint: Fingerprint, reading: u64) -> Self {
        Self { config: Arc::new(config), fingerprint, reading }
    }

    /// In place of a configuration, for an agent that starts on a file it cannot use.
    pub fn none() -> Self {
        Self::new(Config::default(), Fingerprint::of(b""), 0)
    }

    /// Whether no configuration has been good since the agent started.
    pub fn is_none(&self) -> bool {
        self.reading == 0
    }

    /// The profiles as the core sees them.
    pub fn profiles(&self) -> BTreeMap<ProfileName, tokctl_core::Profile> {
        self.config
            .profiles
            .iter()
            .map(|(name, profile)| {
                let client = profile.grant.client();
                let core = tokctl_core::Profile {
                    source: source(profile),
                    revision: revision(profile),
                    policy: profile.policy,
                    grant: profile.grant.name(),
                    origin: origin(&profile.grant).unwrap_or_default().into(),
                    scope: Arc::new(client.map(|client| client.scope.clone()).unwrap_or_default()),
                    subject: profile.grant.subject().and_then(subject).map(Box::new),
                };
                (name.clone(), core)
            })
            .collect()
    }
}

/// What the core has to come by. A file is read when the request is made.
fn subject(subject: &config::Subject) -> Option<Subject> {
    match subject {
        config::Subject::GithubActions | config::Subject::Gitlab | config::Subject::Env(_) => {
            Some(Subject::Caller)
        }
        config::Subject::Profile(name) => Some(Subject::Profile(name.clone())),
        config::Subject::File(_) => None,
    }
}

/// Where a profile's provider is, as far as config.toml says: its metadata may put the token endpoint
/// elsewhere, but who is down is the issuer all the same. Nowhere where no provider is asked.
fn origin(grant: &Grant) -> Option<String> {
    let url = match grant {
        Grant::AwsWebIdentity(role) => role.endpoint.clone(),
        Grant::GithubApp(app) => app.api.clone(),
        Grant::Steps(login) => steps::place(login.steps.last()?)?,
        grant => match &grant.client()?.provider {
            Provider::Issuer { url, .. } | Provider::TokenEndpoint(url) => url.clone(),
        },
    };
    Origin::of(&url).map(|origin| origin.as_str().to_owned())
}

fn source(profile: &Profile) -> Source {
    match &profile.grant {
        grant if grant.has_refresh_token() => Source::Provider(Lanes::Shared),
        Grant::Pool(pool) => Source::Pool(Arc::clone(pool)),
        Grant::ApiKey => Source::Stored,
        // Nothing is spent by asking twice, so keys need not wait for one another.
        _ => Source::Provider(Lanes::PerKey),
    }
}

/// Names the settings that a profile's tokens depend on: how they are used and when they are renewed
/// is not among them. It is stored beside each token, so a token from before an edit is not served
/// after it, restart or not. It is made of the settings' debug text: a version of tokctl that knows
/// more of them obtains its tokens anew once.
pub fn revision(profile: &Profile) -> u64 {
    let depends_on = match &profile.grant {
        // It has no tokens but those of its members, and they go by their own.
        Grant::Pool(_) => "Pool".to_owned(),
        grant => format!("{grant:?}"),
    };
    let digest = Sha256::digest(depends_on);
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use tokctl_core::{Keep, Pool};

    use super::*;

    const REFRESHING: &str = "grant = \"refresh_token\"\ntoken_endpoint = \
        \"https://as.example/t?x=1\"\nclient_id = \"cc\"\nscope = \"b a\"\n";
    const CREDENTIALS: &str = "grant = \"client_credentials\"\n\
        issuer = \"https://as.example:8443/realm\"\nclient_id = \"cc\"\n";
    const API_KEY: &str = "grant = \"api_key\"\n";

    fn live(profile: &str) -> Live {
        let text = format!("[profiles.acme]\n{profile}\n[profiles.beta]\n{API_KEY}");
        Live::new(config::parse(&text).unwrap(), Fingerprint::of(text.as_bytes()), 1)
    }

    fn seen(profile: &str) -> tokctl_core::Profile {
        live(profile).profiles().remove("acme").unwrap()
    }

    #[test]
    fn the_core_sees_where_tokens_come_from() {
        let pool = Pool { members: vec![ProfileName::parse("beta").unwrap()], rate: None };
        for (profile, grant, source, origin, scope) in [
            (
                REFRESHING,
                "refresh_token",
                Source::Provider(Lanes::Shared),
                "https://as.example:443",
                &["a", "b"][..],
            ),
            (
                CREDENTIALS,
                "client_credentials",
                Source::Provider(Lanes::PerKey),
                "https://as.example:8443",
                &[],
            ),
            (API_KEY, "api_key", Source::Stored, "", &[]),
            ("pool = \"beta\"", "pool", Source::Pool(pool.into()), "", &[]),
        ] {
            let seen = seen(profile);
            assert_eq!((seen.grant, &seen.source, &*seen.origin), (grant, &source, origin));
            assert_eq!(seen.scope.iter().collect::<Vec<_>>(), scope, "{grant}");
        }
    }

    #[test]
    fn the_core_sees_whose_token_is_presented() {
        let beta = ProfileName::parse("beta").unwrap();
        for (subject, expected) in [
            ("env:ID_TOKEN", Some(Subject::Caller)),
            ("gitlab", Some(Subject::Caller)),
            ("github-actions", Some(Subject::Caller)),
            ("profile:beta", Some(Subject::Profile(beta))),
            ("file:/var/run/token", None),
        ] {
            let exchange = format!(
                "grant = \"token_exchange\"\ntoken_endpoint = \"https://as.example/t\"\n\
                 subject = \"{subject}\"\nsubject_audience = \"x\"\n"
            );
            assert_eq!(seen(&exchange).subject.as_deref(), expected.as_ref(), "{subject}");
        }
        assert_eq!(seen(CREDENTIALS).subject, None);
    }

    #[test]
    fn when_and_how_a_token_is_used_does_not_make_it_another() {
        for (profile, settings, same) in [
            (REFRESHING, "keep = \"always\"", true),
            (REFRESHING, "keep_idle = \"1d\"", true),
            (REFRESHING, "refresh_ahead = \"30%\"", true),
            (REFRESHING, "refresh_ahead_max = \"5m\"", true),
            (REFRESHING, "rotation = \"grace\"", true),
            (REFRESHING, "refresh_token_idle = \"30d\"", true),
            (REFRESHING, "header = \"X: {token}\"", true),
            (REFRESHING, "body = \"json\"", false),
            (CREDENTIALS, "keep = \"always\"", true),
            (CREDENTIALS, "audience = \"x\"", false),
            ("pool = \"beta\"", "rate_limit = \"1/s\"", true),
        ] {
            let (before, after) = (seen(profile), seen(&format!("{profile}\n{settings}")));
            assert_eq!(before.revision == after.revision, same, "{settings}");
        }
        assert_eq!(seen(&format!("{CREDENTIALS}keep = \"always\"")).policy.keep, Keep::Always);
    }

    #[test]
    fn a_token_of_an_earlier_version_is_still_this_profiles() {
        assert_eq!(seen(CREDENTIALS).revision, 17_733_725_009_182_537_827);
    }
}
