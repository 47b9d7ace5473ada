//! Changes against a real vault and a real config.toml. Profiles name their token endpoint, so no
//! provider is asked.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokctl_core::{Kept, Token, Vault};
use tokctl_proto::TokenKey;
use tokctl_proto::endpoint::Holder;

use super::*;
use crate::config;
use crate::config::ConfigFile;
use crate::config::file::FILE_BYTES_MAX;
use crate::shell::http::{Http, MetadataCache};
use crate::shell::live::revision;
use crate::shell::pin::Pin;
use crate::shell::worker::Jobs;
use crate::shell::{rotate, stored};
use crate::vault::{Entry, VaultDir};

const ACME: &str = "https://id.acme.example/token";
const EVIL: &str = "https://id.evil.example/token";

mod keys;
pub(in crate::shell) mod logout;
mod standing;

pub(in crate::shell) struct Bench {
    pub(in crate::shell) home: TempDir,
    pub(in crate::shell) means: Means,
}

/// A home without a vault.
fn empty() -> Bench {
    let home = tempfile::tempdir().unwrap();
    let holder = Holder { pid: 1, socket: "/s".into() };
    let vault = VaultDir::acquire(&home.path().join("vault"), &holder).unwrap();
    let config = ConfigFile::new(home.path().join("config.toml"));
    let (jobs, _thread) =
        Jobs::start(Worker::new(vault, config, home.path().join("state"))).unwrap();
    let means = Means {
        http: Arc::new(Http::default()),
        metadata: Arc::new(MetadataCache::default()),
        jobs,
    };
    Bench { home, means }
}

/// A home with an open vault.
pub(in crate::shell) async fn bench() -> Bench {
    let bench = empty();
    bench.init(None, false).await.result.unwrap();
    bench
}

pub(in crate::shell) fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

pub(in crate::shell) fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// A secret without an end.
fn new(name: &str, value: &str) -> NewSecret {
    NewSecret { name: name.to_owned(), value: secret(value), expires_at: None }
}

fn assignment(key: &str, value: &str) -> Assignment {
    let own = |text: &str| text.to_owned().into();
    Assignment { key: own(key), values: vec![own(value)] }
}

/// What an `add` asks for that replaces nothing.
fn profile_of(at: &str, settings: Vec<Assignment>, secrets: Vec<NewSecret>) -> NewProfile {
    NewProfile { name: name(at), settings, secrets, replace: false, generate_key: None }
}

fn settings(token_endpoint: &str) -> Vec<Assignment> {
    let pairs = [
        ("grant", "client_credentials"),
        ("token_endpoint", token_endpoint),
        ("client_id", "cc"),
        ("client_auth", "basic"),
    ];
    pairs.into_iter().map(|(key, value)| assignment(key, value)).collect()
}

impl Bench {
    pub(in crate::shell) async fn change(&self, change: Change) -> Changed {
        carry_out(self.means.clone(), change).await
    }

    async fn init(&self, passphrase: Option<&str>, replace: bool) -> Changed {
        let passphrase = passphrase.map(secret);
        self.change(Change::Init { passphrase, replace, network: Vec::new() }).await
    }

    fn adding(&self, at: &str, endpoint: &str, stored: &[(&str, &str)], replace: bool) -> Change {
        let secrets = stored.iter().map(|&(name, value)| new(name, value)).collect();
        Change::Add(NewProfile { replace, ..profile_of(at, settings(endpoint), secrets) })
    }

    async fn add(&self, at: &str, stored: &[(&str, &str)]) -> Changed {
        self.change(self.adding(at, ACME, stored, false)).await
    }

    async fn set(&self, at: &str, key: &str, value: &str) {
        let assignments = vec![assignment(key, value)];
        self.change(Change::Set { name: name(at), assignments }).await.result.unwrap();
    }

    async fn set_secret(&self, at: &str, called: Option<&str>, value: &str) -> Changed {
        let secret_name = called.map(str::to_owned);
        let (next, expires_at) = (false, None);
        let value = secret(value);
        self.change(Change::SetSecret { name: name(at), secret_name, value, next, expires_at })
            .await
    }

    async fn rename(&self, from: &str, to: &str) -> Changed {
        self.change(Change::Rename { from: name(from), to: name(to) }).await
    }

    async fn remove(&self, at: &str) -> Changed {
        self.change(Change::Remove { name: name(at), local: true }).await
    }

    pub(in crate::shell) async fn on_worker<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> T {
        self.means.jobs.ask(move |worker| Ok(job(worker))).await.unwrap()
    }

    pub(in crate::shell) async fn entry(&self, at: &str) -> Option<Entry> {
        let at = name(at);
        self.on_worker(move |worker| {
            let (vault, keys) = worker.open().unwrap();
            vault.read(keys, &at).unwrap()
        })
        .await
    }

    /// `name=value`, for each secret of an entry.
    async fn secrets(&self, at: &str) -> Vec<String> {
        let secrets = self.entry(at).await.map(|entry| entry.secrets).unwrap_or_default();
        secrets.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect()
    }

    fn config(&self) -> PathBuf {
        self.home.path().join("config.toml")
    }

    fn config_text(&self) -> String {
        std::fs::read_to_string(self.config()).unwrap_or_default()
    }

    /// Leaves so many bytes until the file is too large, which shows only when it is written.
    fn fill_config(&self, left: usize) {
        let text = self.config_text();
        let padding = FILE_BYTES_MAX - left - text.len() - 2;
        std::fs::write(self.config(), format!("#{}\n{text}", "x".repeat(padding))).unwrap();
    }
}

#[tokio::test]
async fn a_profile_is_added_with_its_secret_for_its_origin_alone() {
    let bench = bench().await;
    let changed = bench.add("acme", &[("client_secret", "one")]).await;
    let said = changed.result.unwrap();
    assert_eq!(said, "added acme; its secret is sent to https://id.acme.example:443 alone");
    assert_eq!(changed.entries, [name("acme")]);
    assert!(changed.live.unwrap().config.profiles.contains_key(&name("acme")));
    let entry = bench.entry("acme").await.unwrap();
    assert_eq!(entry.origins.into_iter().collect::<Vec<_>>(), ["https://id.acme.example:443"]);
    assert_eq!(bench.secrets("acme").await, ["client_secret=one"]);
}

#[tokio::test]
async fn an_add_without_a_secret_says_that_it_needs_one() {
    let none = "; no secret is stored for it: run `tokctl set-secret acme`";
    let sent = "; its secret is sent to https://id.acme.example:443 alone";
    for (auth, stored, said) in [
        ("basic", &[][..], none.to_owned()),
        ("none", &[], String::new()),
        (
            "private_key_jwt",
            &[],
            "; no private key is stored for it: run `tokctl set-secret acme --name private_key`"
                .to_owned(),
        ),
        (
            "tls",
            &[],
            "; no certificate is stored for it: run `tokctl set-secret acme --name tls_certificate`"
                .to_owned(),
        ),
        ("basic", &[("password", "pw")], format!("{sent}{none}")),
    ] {
        let bench = bench().await;
        let mut add = bench.adding("acme", ACME, stored, false);
        let Change::Add(NewProfile { settings, .. }) = &mut add else { unreachable!() };
        settings.retain(|setting| setting.key != "client_auth");
        settings.push(assignment("client_auth", auth));
        let changed = bench.change(add).await;
        assert_eq!(changed.result.unwrap(), format!("added acme{said}"));
    }
    // One that was there all along is no longer missing.
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    std::fs::write(bench.config(), "").unwrap();
    let changed = bench.add("acme", &[]).await;
    assert_eq!(changed.result.unwrap(), format!("added acme{sent}"));
}

#[tokio::test]
async fn a_new_passphrase_needs_the_present_one_of_an_open_vault_too() {
    let bench = empty();
    bench.init(Some("present"), false).await.result.unwrap();
    let passwd = |passphrase: Option<&str>| {
        let passphrase = passphrase.map(secret);
        bench.change(Change::Passwd { passphrase, new_passphrase: Some(secret("new")) })
    };
    let failure = passwd(None).await.result.unwrap_err();
    assert_eq!(failure.kind, Kind::WrongPassphrase);
    assert_eq!(failure.message, "the present passphrase is needed to change it");
    passwd(Some("present")).await.result.unwrap();
}

#[tokio::test]
async fn the_oldest_token_of_33_goes_and_the_plain_one_stays() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    bench
        .on_worker(|worker| {
            for number in 0..=tokctl_proto::token::KEYS_PER_PROFILE_MAX {
                let mut key = TokenKey::plain(name("acme"));
                key.scope.extend((number > 0).then(|| format!("s{number}")));
                let token = token(i64::try_from(number).unwrap());
                rotate::save_tokens(worker, &key, &kept(token)).unwrap();
            }
        })
        .await;
    let tokens = bench.entry("acme").await.unwrap().tokens;
    let scopes: Vec<_> = tokens.keys().map(|key| key.scope.first().cloned()).collect();
    assert_eq!(scopes.len(), tokctl_proto::token::KEYS_PER_PROFILE_MAX);
    assert!(scopes.contains(&None) && !scopes.contains(&Some("s1".to_owned())), "{scopes:?}");
}

/// What a grant without a refresh token has obtained.
fn kept(token: Token) -> Kept {
    Kept { token: Some(Arc::new(token)), refresh: None, promote: false }
}

fn token(issued_at_ms: i64) -> Token {
    Token {
        access_token: secret("access"),
        token_type: "Bearer".into(),
        issued_at: WallMs(issued_at_ms),
        expires_at: None,
        scope: None,
        extra: Secret::default(),
        revision: 7,
    }
}

#[tokio::test]
async fn of_two_that_add_one_name_at_once_one_is_told_and_takes_nothing_away() {
    let bench = bench().await;
    let add = |value| bench.change(bench.adding("acme", ACME, &[("client_secret", value)], false));
    let (one, two) = tokio::join!(add("one"), add("two"));
    let (stored, refused) = match one.result {
        Ok(_) => ("client_secret=one", two),
        Err(_) => {
            two.result.as_ref().unwrap();
            ("client_secret=two", one)
        }
    };
    assert_eq!(refused.result.unwrap_err().kind, Kind::ProfileExists);
    assert_eq!(bench.secrets("acme").await, [stored]);
}

#[tokio::test]
async fn a_secret_is_not_stored_for_settings_that_changed_while_the_provider_was_asked() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    let add = profile_of("other", settings(ACME), vec![new("client_secret", "two")]);
    let config = bench.config();
    let kinds = bench
        .on_worker(move |worker| {
            let planned = add::plan(worker, &add).unwrap();
            let of_acme = profile(worker, &name("acme")).unwrap();
            let text = std::fs::read_to_string(&config).unwrap();
            std::fs::write(&config, format!("[agent]\nproxy = \"http://p:3128\"\n{text}")).unwrap();
            let added = add::store(worker, add, &planned, Pin::default(), None);
            let secret = new("client_secret", "two");
            let set = set_secret::store(worker, &of_acme, secret, Pin::default());
            [added, set].map(|result| result.unwrap_err().failure.kind)
        })
        .await;
    assert_eq!(kinds, [Kind::Machine; 2]);
    assert!(bench.entry("other").await.is_none());
    assert_eq!(bench.secrets("acme").await, ["client_secret=one"]);
}

#[tokio::test]
async fn a_refused_add_writes_nothing() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    let before = bench.config_text();
    for (at, endpoint, stored, kind) in [
        ("acme", ACME, &[("client_secret", "two")][..], Kind::ProfileExists),
        ("other", ACME, &[("client secret", "two")], Kind::Usage),
        ("other", ACME, &[("client_secret", "")], Kind::Usage),
        ("other", "nowhere", &[("client_secret", "two")], Kind::ConfigInvalid),
    ] {
        let changed = bench.change(bench.adding(at, endpoint, stored, false)).await;
        assert_eq!(changed.result.unwrap_err().kind, kind);
    }
    assert_eq!(bench.config_text(), before);
    assert_eq!(bench.secrets("acme").await, ["client_secret=one"]);
    assert!(bench.entry("other").await.is_none());
}

#[tokio::test]
async fn an_add_whose_profile_cannot_be_written_leaves_the_entry_as_it_was() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one"), ("password", "pw")]).await.result.unwrap();
    bench.fill_config(20);
    let before = bench.config_text();
    // Longer than the line it replaces.
    let longer = format!("{ACME}{}", "x".repeat(100));
    for at in ["acme", "new"] {
        let add = bench.adding(at, &longer, &[("client_secret", "two")], at == "acme");
        let failure = bench.change(add).await.result.unwrap_err();
        assert!(failure.message.contains("larger"), "{failure:?}");
    }
    assert_eq!(bench.config_text(), before);
    assert_eq!(bench.secrets("acme").await, ["client_secret=one", "password=pw"]);
    assert!(bench.entry("new").await.is_none());
}

#[tokio::test]
async fn a_replaced_profile_keeps_nothing_of_the_old_and_says_so() {
    for (given, kept, warned) in [
        (&[("client_secret", "two")][..], &["client_secret=two"][..], "gone: password"),
        (&[], &[], "gone: client_secret, password"),
        (&[("client_secret", "two"), ("password", "p")], &["client_secret=two", "password=p"], ""),
    ] {
        let bench = bench().await;
        bench.add("acme", &[("client_secret", "one"), ("password", "pw")]).await.result.unwrap();
        let changed = bench.change(bench.adding("acme", ACME, given, true)).await;
        changed.result.unwrap();
        assert_eq!(bench.secrets("acme").await, kept);
        assert_eq!(changed.warnings.is_empty(), warned.is_empty());
        assert!(changed.warnings.concat().ends_with(warned), "{:?}", changed.warnings);
    }
}

#[tokio::test]
async fn an_entry_without_a_profile_comes_back_with_it_unless_it_goes_elsewhere() {
    for (endpoint, kept) in
        [(ACME, &["client_secret=one", "password=pw"][..]), (EVIL, &["password=pw"][..])]
    {
        let bench = bench().await;
        bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
        std::fs::write(bench.config(), "").unwrap();
        let add = bench.adding("acme", endpoint, &[("password", "pw")], false);
        let changed = bench.change(add).await;
        assert_eq!(changed.warnings.is_empty(), endpoint == ACME);
        assert_eq!(bench.secrets("acme").await, kept);
    }
}

#[tokio::test]
async fn a_secret_does_not_follow_one_that_is_stored_for_another_origin_or_way() {
    for (key, value) in [("token_endpoint", EVIL), ("proxy", "http://p.example:3128")] {
        let bench = bench().await;
        bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
        let changed = bench.set_secret("acme", Some("password"), "pw").await;
        assert_eq!((changed.result.is_ok(), changed.warnings.len()), (true, 0));
        assert_eq!(bench.secrets("acme").await, ["client_secret=one", "password=pw"]);
        bench.set("acme", key, value).await;
        // Changing it alone changes nothing that is stored.
        assert_eq!(bench.secrets("acme").await.len(), 2);
        let changed = bench.set_secret("acme", Some("password"), "new").await;
        assert_eq!(bench.secrets("acme").await, ["password=new"]);
        assert!(changed.warnings.concat().ends_with("gone: client_secret"), "{key}");
    }
}

#[tokio::test]
async fn a_key_is_handed_out_only_if_it_was_stored_for_that() {
    let bench = bench().await;
    bench.add("acme", &[("key", "for the provider")]).await.result.unwrap();
    let api_key = "[profiles.acme]\ngrant = \"api_key\"\n";
    std::fs::write(bench.config(), api_key).unwrap();
    let load = |worker: &mut Worker| {
        let profile = profile(worker, &name("acme")).unwrap();
        let revision = revision(&profile);
        stored::load(worker, profile.into(), revision)
    };
    let refused = bench.on_worker(load).await.unwrap_err();
    assert_eq!(refused.kind, Kind::OriginChanged);
    bench.set_secret("acme", None, "for everybody").await.result.unwrap();
    let loaded = bench.on_worker(load).await.unwrap();
    assert_eq!(loaded.contents.tokens[0].1.access_token.expose(), "for everybody");
}

#[tokio::test]
async fn a_rename_takes_the_entry_along_and_completes_one_that_was_cut_short() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    bench.rename("acme", "acme-eu").await.result.unwrap();
    assert!(bench.entry("acme").await.is_none());
    assert_eq!(bench.secrets("acme-eu").await, ["client_secret=one"]);
    // As a crash between its steps leaves it.
    bench
        .on_worker(|worker| {
            let (vault, keys) = worker.open().unwrap();
            vault.rename(keys, &name("acme-eu"), &name("acme-us")).unwrap();
        })
        .await;
    let changed = bench.rename("acme-eu", "acme-us").await;
    changed.result.unwrap();
    assert_eq!(bench.secrets("acme-us").await, ["client_secret=one"]);
    assert!(bench.config_text().contains("[profiles.acme-us]"));
}

#[tokio::test]
async fn a_rename_that_fails_half_way_leaves_both_under_the_old_name() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    bench.fill_config(10);
    let before = bench.config_text();
    assert!(bench.rename("acme", "a-much-longer-name-than-before").await.result.is_err());
    assert_eq!(bench.config_text(), before);
    assert_eq!(bench.secrets("acme").await, ["client_secret=one"]);
}

#[tokio::test]
async fn a_rename_onto_anything_that_is_there_changes_nothing() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    bench.add("other", &[("client_secret", "two")]).await.result.unwrap();
    assert_eq!(bench.rename("acme", "other").await.result.unwrap_err().kind, Kind::ProfileExists);
    // An entry without a profile is kept, so its name is taken too.
    bench.add("orphan", &[("client_secret", "three")]).await.result.unwrap();
    let text = bench.config_text();
    let without = config::remove_profile(&text, &name("orphan")).unwrap();
    std::fs::write(bench.config(), &without).unwrap();
    assert_eq!(bench.rename("acme", "orphan").await.result.unwrap_err().kind, Kind::ProfileExists);
    assert_eq!(bench.config_text(), without);
    for (at, stored) in [("acme", "one"), ("other", "two"), ("orphan", "three")] {
        assert_eq!(bench.secrets(at).await, [format!("client_secret={stored}")]);
    }
}

#[tokio::test]
async fn what_is_removed_is_gone_and_a_token_on_its_way_does_not_bring_it_back() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    let save = |worker: &mut Worker| {
        rotate::save_tokens(worker, &TokenKey::plain(name("acme")), &kept(token(1)))
    };
    bench.on_worker(save).await.unwrap();
    assert_eq!(bench.entry("acme").await.unwrap().tokens.len(), 1);
    let changed = bench.remove("acme").await;
    assert_eq!(changed.result.as_deref(), Ok("removed acme"));
    bench.on_worker(save).await.unwrap();
    assert!(bench.entry("acme").await.is_none());
    assert_eq!(bench.remove("acme").await.result.unwrap_err().kind, Kind::NoSuchProfile);
}

#[tokio::test]
async fn a_profile_whose_entry_cannot_be_removed_is_gone_all_the_same() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    // A directory in the place of the file: not to be read, and not to be removed as a file.
    let path = bench.home.path().join("vault/entries/acme.age");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let changed = bench.remove("acme").await;
    assert!(changed.result.is_err());
    assert!(changed.live.unwrap().config.profiles.is_empty());
}

#[tokio::test]
async fn a_damaged_entry_is_set_apart_by_the_next_secret() {
    let bench = bench().await;
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    std::fs::write(bench.home.path().join("vault/entries/acme.age"), "torn").unwrap();
    let changed = bench.set_secret("acme", None, "two").await;
    assert!(changed.warnings.concat().contains("quarantine"), "{:?}", changed.warnings);
    assert_eq!(bench.secrets("acme").await, ["client_secret=two"]);
}

#[tokio::test]
async fn nothing_is_stored_while_the_vault_is_sealed() {
    let bench = bench().await;
    bench.on_worker(|worker| worker.keys = None).await;
    for changed in [
        bench.add("acme", &[("client_secret", "one")]).await,
        bench.remove("acme").await,
        bench.rename("acme", "other").await,
    ] {
        assert_eq!(changed.result.unwrap_err().kind, Kind::VaultSealed);
    }
    assert_eq!(bench.config_text(), "");
}

#[tokio::test]
async fn a_vault_is_made_once_and_replaced_when_that_is_said() {
    let bench = empty();
    assert_eq!(bench.init(Some(""), false).await.result.unwrap_err().kind, Kind::Usage);
    let changed = bench.init(None, false).await;
    assert_eq!(changed.vault, Some(VaultChange::Made(Vault::Bare)));
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
    assert_eq!(bench.init(None, false).await.result.unwrap_err().kind, Kind::VaultExists);
    assert_eq!(bench.secrets("acme").await, ["client_secret=one"]);
    let said = bench.init(None, true).await.result.unwrap();
    assert!(said.contains("(`tokctl set-secret NAME`): acme"), "{said}");
    assert!(bench.entry("acme").await.is_none());
    assert!(bench.home.path().join("vault.replaced-1/entries/acme.age").exists());
}

#[tokio::test]
async fn a_vault_is_made_for_an_identity_that_is_given_and_another_is_never_moved_aside_for_none() {
    const IDENTITY: &str =
        "AGE-SECRET-KEY-1PMXNXCRTEWHCFRHVD3U6QLY92AMCTHUEXARJ2MPPS7N4R7H2VD2SPXLQ7Y";
    let bench = empty();
    let changed = bench.init(Some(IDENTITY), false).await;
    assert_eq!(changed.vault, Some(VaultChange::Made(Vault::Given)));
    let said = changed.result.unwrap();
    assert!(said.contains("age12w890gg") && !said.contains("SECRET"), "{said}");
    let cut = bench.init(Some(&IDENTITY[..40]), true).await;
    assert_eq!(cut.result.unwrap_err().kind, Kind::Usage);
    assert!(!bench.home.path().join("vault.replaced-1").exists());
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
}

#[tokio::test]
async fn a_panic_is_answered_and_the_next_change_is_made() {
    let bench = bench().await;
    let changed = on_vault(&bench.means, |_| panic!("a bug")).await;
    assert_eq!(changed.result.unwrap_err().kind, Kind::Internal);
    bench.add("acme", &[("client_secret", "one")]).await.result.unwrap();
}

#[tokio::test]
async fn an_edit_of_the_whole_file_is_not_written_over_somebody_elses() {
    let bench = bench().await;
    bench.add("acme", &[]).await.result.unwrap();
    let seen = config::Fingerprint::of(bench.config_text().as_bytes()).to_string();
    let write = |text: &str| {
        bench.change(Change::ConfigWrite { text: text.to_owned(), fingerprint: seen.clone() })
    };
    assert_eq!(write("[profiles.acme]\n").await.result.unwrap_err().kind, Kind::ConfigInvalid);
    assert!(write("# mine\n").await.live.unwrap().config.profiles.is_empty());
    assert_eq!(write("# mine again\n").await.result.unwrap_err().kind, Kind::Machine);
    assert_eq!(bench.config_text(), "# mine\n");
}
