//! Fills a home with profiles that each have an entry with a good token, as if it had been in use for long:
//! `fill HOME PROFILES [PASSPHRASE_FILE]`. For `cargo xtask bench`.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokctl_agent::config;
use tokctl_agent::shell::live::revision;
use tokctl_agent::shell::schedule_file;
use tokctl_agent::vault::{Entry, EntryId, Keys, VaultDir};
use tokctl_agent::{clock, entropy};
use tokctl_core::{Schedule, ScheduledKey, Token};
use tokctl_proto::endpoint::Holder;
use tokctl_proto::{ProfileName, Secret, TokenKey};

/// Nothing is renewed while the bench looks on.
const LIFETIME: Duration = Duration::from_secs(7 * 86_400);
/// As long as a signed one.
const TOKEN_BYTES: usize = 920;
const ORIGIN: &str = "https://id.example";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // Cargo adds an option of its own.
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let (home, profiles, passphrase) = match &words[..] {
        [home, profiles] => (home, profiles, None),
        [home, profiles, file] => {
            (home, profiles, Some(Secret::new(fs::read_to_string(file)?.trim_end().to_owned())))
        }
        _ => return Err("fill HOME PROFILES [PASSPHRASE_FILE]".into()),
    };
    let home = Path::new(home);
    let text = config_of(profiles.parse()?)?;
    let config = config::parse(&text)?;
    let own = Holder { pid: std::process::id(), socket: home.join("run/agent.sock") };
    let mut vault = VaultDir::acquire(&home.join("vault"), &own)?;
    let keys = vault.init(clock::now().wall, passphrase.as_ref())?;
    let mut schedule = Schedule::default();
    for (name, profile) in &config.profiles {
        schedule.keys.push(put(&vault, &keys, name, revision(profile))?);
    }
    fs::write(home.join("config.toml"), text)?;
    fs::create_dir_all(home.join("state"))?;
    fs::write(home.join("state/schedule.json"), schedule_file::to_bytes(&schedule))?;
    Ok(())
}

fn config_of(profiles: usize) -> Result<String> {
    let mut text = String::new();
    for at in 0..profiles {
        // Short, since config.toml has a limit.
        writeln!(
            text,
            "[profiles.p{at}]\ngrant = \"client_credentials\"\ntoken_endpoint = \"{ORIGIN}/t\"\n\
             client_id = \"c\""
        )?;
    }
    Ok(text)
}

/// Puts a profile's entry into the vault, and returns what the schedule knows of it.
fn put(vault: &VaultDir, keys: &Keys, name: &ProfileName, revision: u64) -> Result<ScheduledKey> {
    let mut drawn = Ok(());
    let mut entry = Entry::new(EntryId::draw(&mut |bytes| drawn = entropy::fill(bytes)));
    drawn?;
    let (key, issued_at) = (TokenKey::plain(name.clone()), clock::now().wall);
    let token = Token {
        access_token: Secret::new("t".repeat(TOKEN_BYTES)),
        token_type: "Bearer".to_owned(),
        issued_at,
        expires_at: Some(issued_at.plus(LIFETIME)),
        scope: None,
        extra: Secret::default(),
        revision,
    };
    let expires_at = token.expires_at;
    entry.origins.insert(ORIGIN.to_owned());
    entry.secrets.insert("client_secret".to_owned(), Secret::new("s".repeat(40)));
    entry.tokens.insert(key.clone(), token);
    vault.write(keys, name, &mut entry)?;
    Ok(ScheduledKey {
        key,
        issued_at: Some(issued_at),
        expires_at,
        last_used: Some(issued_at),
        cool_down: None,
        failures: 0,
        trouble: None,
        refused: None,
    })
}
