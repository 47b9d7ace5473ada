//! The person's browser: whether there is one here, and how it is opened.
//!
//! It runs on by itself, away from this terminal's signals, with nothing of ours open. No shell reads the
//! address.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::identity;

/// What opens an address where nobody says how.
const OPENERS: &[&str] = match cfg!(target_os = "macos") {
    true => &["open"],
    false => &["xdg-open", "x-www-browser"],
};

/// Whether a browser would come up before the person who typed this.
pub(super) fn is_at_hand() -> bool {
    is_at_hand_in(&|name| std::env::var_os(name))
}

fn is_at_hand_in(variable: &dyn Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
    match () {
        () if is_set(&"BROWSER") => true,
        // A display, if there is one, is on the machine that this was typed into.
        () if ["SSH_CONNECTION", "SSH_TTY"].iter().any(&is_set) => false,
        () => cfg!(target_os = "macos") || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(is_set),
    }
}

/// Opens an address; false where nothing could be started.
pub(super) fn open(url: &str) -> bool {
    let browser = std::env::var("BROWSER").unwrap_or_default();
    is_address(url) && commands(&browser, url).into_iter().any(|words| start(&words))
}

/// Whether it is something for a browser, and nothing that a program could take for an option.
fn is_address(url: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme))
        && url.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What to try, in order: $BROWSER may name several, with colons between them, each with the place of the address
/// as `%s` or without.
fn commands(browser: &str, url: &str) -> Vec<Vec<String>> {
    let named = browser.split(':').filter(|command| !command.trim().is_empty());
    let openers = OPENERS.iter().copied().filter(|_| browser.trim().is_empty());
    named
        .chain(openers)
        .map(|command| {
            let mut words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            match words.iter().any(|word| word.contains("%s")) {
                true => words.iter_mut().for_each(|word| *word = word.replace("%s", url)),
                false => words.push(url.to_owned()),
            }
            words
        })
        .collect()
}

fn start(words: &[String]) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    let mut command = identity::program(program);
    let started = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C here is not meant for it.
        .process_group(0)
        .spawn();
    started.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_at_hand_where_its_window_would_be_seen() {
        for (variables, at_hand) in [
            (&[][..], cfg!(target_os = "macos")),
            (&["DISPLAY"][..], true),
            (&["WAYLAND_DISPLAY"][..], true),
            (&["DISPLAY", "SSH_CONNECTION"][..], false),
            (&["DISPLAY", "SSH_TTY"][..], false),
            (&["SSH_TTY", "BROWSER"][..], true),
            (&["BROWSER"][..], true),
        ] {
            let variable = |name: &str| variables.contains(&name).then(|| OsString::from("x"));
            assert_eq!(is_at_hand_in(&variable), at_hand, "{variables:?}");
        }
        assert_eq!(is_at_hand_in(&|_| Some(OsString::new())), cfg!(target_os = "macos"));
    }

    #[test]
    fn the_address_takes_its_place_and_no_shell_sees_it() {
        let url = "https://as.example/?a=1&b=$(id)";
        for (browser, tried) in [
            ("firefox", vec![vec!["firefox", url]]),
            (
                "w3m -o x:firefox --new %s",
                vec![vec!["w3m", "-o", "x", url], vec!["firefox", "--new", url]],
            ),
            ("app --url=%s", vec![vec!["app", "--url=https://as.example/?a=1&b=$(id)"]]),
            (": :", vec![]),
        ] {
            assert_eq!(commands(browser, url), tried, "{browser}");
        }
        let opened: Vec<_> = commands("", url).into_iter().map(|words| words.join(" ")).collect();
        assert_eq!(opened[0], format!("{} {url}", OPENERS[0]));
    }

    #[test]
    fn nothing_but_an_address_is_opened() {
        for (url, fits) in [
            ("https://as.example/auth?x=1", true),
            ("http://127.0.0.1:9/auth", true),
            ("--incognito", false),
            ("file:///etc/passwd", false),
            ("javascript:alert(1)", false),
            ("https://as.example/ x", false),
            ("https://as.example/\u{1b}", false),
        ] {
            assert_eq!(is_address(url), fits, "{url}");
        }
    }
}
