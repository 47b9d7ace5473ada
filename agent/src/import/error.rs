//! Why a file cannot be taken over.

use thiserror::Error;
use tokctl_proto::escape::shown;
use tokctl_proto::nearest::nearest;

/// In words for a person; the path of the file goes before it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    #[error("this is no {what}: {why}")]
    NotThis { what: &'static str, why: String },
    #[error("the file is encrypted, and its passphrase is needed")]
    PassphraseNeeded,
    #[error("the passphrase does not open the file")]
    WrongPassphrase,
    /// It is of the right kind, but not as its program writes it.
    #[error("{why}")]
    Damaged { why: String },
    #[error("{why}")]
    Unsupported { why: String, hint: Option<String> },
    #[error("there is no {kind} `{}` in it", shown(name))]
    NotThere { kind: &'static str, name: String, known: Vec<String> },
    #[error("there is nothing in it that can be taken over: {why}")]
    Nothing { why: String, hint: Option<String> },
}

/// Names that a hint lists; a longer list is no help.
const KNOWN_MAX: usize = 12;

impl ImportError {
    pub(super) fn not_this(what: &'static str, why: impl Into<String>) -> Self {
        Self::NotThis { what, why: why.into() }
    }

    pub(super) fn damaged(why: impl Into<String>) -> Self {
        Self::Damaged { why: why.into() }
    }

    pub(super) fn unsupported(why: impl Into<String>) -> Self {
        Self::Unsupported { why: why.into(), hint: None }
    }

    /// Adds what to type in its place.
    pub(super) fn instead(mut self, instead: impl Into<String>) -> Self {
        if let Self::Unsupported { hint, .. } | Self::Nothing { hint, .. } = &mut self {
            *hint = Some(instead.into());
        }
        self
    }

    /// What to do about it, when we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { hint, .. } | Self::Nothing { hint, .. } => hint.clone(),
            Self::PassphraseNeeded => {
                Some("use `--passphrase-file FILE` or `--passphrase-stdin`".to_owned())
            }
            Self::NotThere { name, known, .. } => {
                if let Some(meant) = nearest(name, known.iter().map(String::as_str)) {
                    return Some(format!("did you mean `{}`?", shown(meant)));
                }
                let names: Vec<String> =
                    known.iter().take(KNOWN_MAX).map(|name| format!("`{}`", shown(name))).collect();
                (!names.is_empty()).then(|| format!("there is {}", names.join(", ")))
            }
            Self::NotThis { .. } | Self::WrongPassphrase | Self::Damaged { .. } => None,
        }
    }
}

/// Those of the selected names, in the order of the file; all where none is selected.
pub(super) fn pick<T>(
    kind: &'static str,
    found: Vec<(String, T)>,
    select: &[String],
) -> Result<Vec<(String, T)>, ImportError> {
    let missing = select.iter().find(|wanted| !found.iter().any(|(name, _)| name == *wanted));
    if let Some(name) = missing {
        let known = found.into_iter().map(|(name, _)| name).collect();
        return Err(ImportError::NotThere { kind, name: name.clone(), known });
    }
    let wanted = |name: &String| select.is_empty() || select.contains(name);
    Ok(found.into_iter().filter(|(name, _)| wanted(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_selected_is_there_or_named_with_what_is() {
        let found = || ["work", "home"].map(|name| (name.to_owned(), ())).to_vec();
        let picked = |select: &[&str]| {
            let select: Vec<String> = select.iter().map(|&name| name.to_owned()).collect();
            pick("account", found(), &select)
        };
        assert_eq!(picked(&[]).unwrap().len(), 2);
        assert_eq!(picked(&["home"]).unwrap(), [("home".to_owned(), ())]);
        for (name, hint) in
            [("hone", "did you mean `home`?"), ("elsewhere", "there is `work`, `home`")]
        {
            let error = picked(&[name]).unwrap_err();
            assert_eq!(error.to_string(), format!("there is no account `{name}` in it"));
            assert_eq!(error.hint().as_deref(), Some(hint));
        }
    }
}
