//! The name of a profile, made of what another program calls it.

use tokctl_proto::ProfileName;
use tokctl_proto::profile::NAME_BYTES_MAX;

/// For what has no letter or digit in its name.
const NAMELESS: &str = "imported";

/// The nearest name that a profile can have: `My Account` becomes `my-account`.
pub(super) fn profile_name(text: &str) -> ProfileName {
    let mut name = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' | '0'..='9' => name.push(letter),
            '.' | '_' if !name.is_empty() => name.push(letter),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
        if name.len() == NAME_BYTES_MAX {
            break;
        }
    }
    let name = name.trim_end_matches(['-', '.', '_']);
    let name = if name.is_empty() { NAMELESS } else { name };
    ProfileName::parse(name).expect("only letters that a name can have were taken")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_a_name() {
        let (long, longest) = ("x".repeat(100), "x".repeat(64));
        for (text, name) in [
            ("acme", "acme"),
            ("My Account", "my-account"),
            ("ada@work.example", "ada-work.example"),
            ("..hidden", "hidden"),
            ("-a--b-", "a-b"),
            ("GitHub_2", "github_2"),
            ("Zürich", "z-rich"),
            ("", "imported"),
            ("日本", "imported"),
            (long.as_str(), longest.as_str()),
        ] {
            assert_eq!(profile_name(text).as_str(), name, "{text}");
        }
    }
}
