//! `hosts.yml` of GitHub's command line: a token for each host.
//!
//! gh keeps tokens in the desktop's keyring where there is one, and in this file where there is none. The token of a
//! host is that of the user who is active there.

use tokctl_proto::Secret;
use tokctl_proto::escape::shown;
use tokctl_proto::secret::SecretStr;

use super::error::pick;
use super::yaml::{self, Leaf};
use super::{Draft, File, ImportError};

const KIND: &str = "hosts.yml of gh";
const GITHUB: &str = "github.com";
/// Where a tenant of its own has its hosts.
const TENANTS: &str = ".ghe.com";
const TOKEN: &str = "oauth_token";
const WITH_KEYRING: &str = "run `gh auth token | tokctl add github --grant api_key --key-stdin`";

#[derive(Default)]
struct Host {
    user: String,
    token: Option<Secret>,
    /// Everybody who is logged in there, and the token that the file has of them.
    users: Vec<(String, Option<Secret>)>,
}

pub(super) fn read(file: &File<'_>) -> Result<Vec<Draft>, ImportError> {
    let hosts = hosts(yaml::leaves(file.text.expose(), KIND)?);
    if hosts.is_empty() {
        return Err(ImportError::not_this(KIND, "no host is in it"));
    }
    let hosts = pick("host", hosts, file.select)?;
    let mut without = Vec::new();
    let mut drafts = Vec::new();
    for (name, host) in hosts {
        match host.active_token() {
            Some(token) => drafts.push(draft(file, &name, &host, token)),
            None => without.push(name),
        }
    }
    if drafts.is_empty() {
        let hosts = shown(&without.join(", "));
        let why = format!("gh keeps its token for {hosts} in the keyring of the desktop");
        return Err(ImportError::Nothing { why, hint: None }.instead(WITH_KEYRING));
    }
    for host in without {
        let host = shown(&host);
        let note = format!(
            "the token for {host} is in the keyring of the desktop: run \
             `gh auth token --hostname {host} | tokctl add NAME --grant api_key --key-stdin`"
        );
        drafts[0].notes.push(note);
    }
    Ok(drafts)
}

fn hosts(leaves: Vec<Leaf>) -> Vec<(String, Host)> {
    let mut hosts: Vec<(String, Host)> = Vec::new();
    for (path, value) in leaves {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        let (name, rest) = match keys.split_first() {
            // A version or the like at the top is no host.
            Some((name, rest)) if !rest.is_empty() => (*name, rest),
            _ => continue,
        };
        let at = hosts.iter().position(|(host, _)| host == name).unwrap_or_else(|| {
            hosts.push((name.to_owned(), Host::default()));
            hosts.len() - 1
        });
        let host = &mut hosts[at].1;
        match rest {
            [TOKEN] => host.token = Some(value).filter(|token| !token.is_empty()),
            ["user"] => host.user = value.expose().to_owned(),
            ["users", user] => host.user_entry(user),
            ["users", user, key] => {
                host.user_entry(user);
                let known = host.users.iter_mut().find(|(known, _)| known == user);
                if let (TOKEN, Some((_, token))) = (*key, known) {
                    *token = Some(value).filter(|token| !token.is_empty());
                }
            }
            _ => {}
        }
    }
    hosts
}

impl Host {
    fn user_entry(&mut self, user: &str) {
        if !self.users.iter().any(|(known, _)| known == user) {
            self.users.push((user.to_owned(), None));
        }
    }

    fn active_token(&self) -> Option<&Secret> {
        let own = self.users.iter().find(|(user, _)| *user == self.user);
        self.token.as_ref().or_else(|| own?.1.as_ref())
    }
}

fn draft(file: &File<'_>, name: &str, host: &Host, token: &Secret) -> Draft {
    let title = if name == GITHUB { "github" } else { name };
    let api_urls = match name {
        GITHUB => vec![
            "https://api.github.com/".to_owned(),
            "https://uploads.github.com/".to_owned(),
            "https://github.com/".to_owned(),
        ],
        tenant if tenant.ends_with(TENANTS) => {
            vec![format!("https://api.{tenant}/"), format!("https://{tenant}/")]
        }
        own => vec![format!("https://{own}/")],
    };
    let mut draft = Draft::new(title, "api_key")
        .set("header", "Authorization: Bearer {token}")
        .set_all("api_urls", api_urls.iter().map(String::as_str))
        .secret("key", Some(&SecretStr::from(token)));
    let others: Vec<String> = host
        .users
        .iter()
        .map(|(user, _)| user)
        .filter(|user| **user != host.user)
        .map(|user| format!("`{}`", shown(user)))
        .collect();
    if !others.is_empty() {
        draft = draft.note(format!(
            "{} is logged in to {} too and was left out: run `gh auth switch`, then import again with \
             `--name`",
            others.join(", "),
            shown(name)
        ));
    }
    let (place, name) = (file.place(), shown(name));
    draft.leaves(format!(
        "{place} still holds the token, and gh goes on using it: `gh auth logout --hostname {name}` \
         takes it out there, without revoking it"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read_all, read_some, refused};
    use super::*;
    use crate::import::Source;

    const HOSTS: &str = include_str!("../../../tests/import/hosts.yml");

    #[test]
    fn every_host_becomes_a_key() {
        let drafts = read_all(Source::Gh, HOSTS).unwrap();
        let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
        assert_eq!(names, ["github", "git.work.example"]);
        assert_eq!(
            drafts[0].toml(),
            "grant = \"api_key\"\nheader = \"Authorization: Bearer {token}\"\napi_urls = \
             [\"https://api.github.com/\", \"https://uploads.github.com/\", \"https://github.com/\"]\n"
        );
        assert!(drafts[1].toml().contains("api_urls = [\"https://git.work.example/\"]"));
        assert_eq!(drafts[0].held("key"), Some("gho_ada0123456789"));
        assert_eq!(drafts[1].held("key"), Some("ghp_work: 0123"));
        assert!(drafts[0].notes[0].starts_with("`grace` is logged in to github.com too"));
        assert!(drafts[0].leftover.as_deref().unwrap().contains("~/file still holds the token"));
    }

    #[test]
    fn a_host_can_be_chosen() {
        let drafts = read_some(Source::Gh, HOSTS, &["git.work.example"]).unwrap();
        assert_eq!(drafts.len(), 1);
        let error = read_some(Source::Gh, HOSTS, &["github"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no host `github` in it");
    }

    #[test]
    fn the_token_of_the_active_user_is_taken_where_the_host_has_none() {
        let users = "    a:\n      oauth_token: ta\n    b:\n      oauth_token: tb\n";
        let text = &format!("github.com:\n  user: b\n  users:\n{users}");
        assert_eq!(read_all(Source::Gh, text).unwrap()[0].held("key"), Some("tb"));
    }

    #[test]
    fn a_token_in_the_keyring_is_had_by_another_command() {
        let text =
            "github.com:\n    git_protocol: https\n    users:\n        ada:\n    user: ada\n";
        let (message, hint) = refused(Source::Gh, text);
        assert!(message.contains("in the keyring of the desktop"), "{message}");
        assert_eq!(hint.as_deref(), Some(WITH_KEYRING));
        let both = format!("{text}acme.ghe.com:\n    oauth_token: t\n    user: ada\n");
        let drafts = read_all(Source::Gh, &both).unwrap();
        assert!(drafts[0].toml().contains("\"https://api.acme.ghe.com/\""));
        assert!(
            drafts[0].notes[0].contains("gh auth token --hostname github.com"),
            "{:?}",
            drafts[0].notes
        );
    }

    #[test]
    fn what_is_no_such_file_is_refused_in_words() {
        for text in
            ["", "just text", "- a\n- b\n", "version: 1\n", "{\"a\": ", "[profile x]\nregion = y\n"]
        {
            let (message, _) = refused(Source::Gh, text);
            assert!(message.starts_with("this is no hosts.yml of gh"), "{message}");
        }
    }
}
