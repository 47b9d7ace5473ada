//! `[agent.hooks]` and `notify`.

use super::*;

#[test]
fn a_hook_is_a_program_with_its_arguments() {
    let text = "[agent]\nnotify = false\n[agent.hooks]\nlogin_needed = [\"mail\", \"-s\", \"a b\", \"me\"]\n\
                renewed = [\"/usr/bin/true\"]\n";
    let notify = parse(text).unwrap().notify;
    assert!(notify.is_silent);
    assert_eq!(notify.hooks["login_needed"], ["mail", "-s", "a b", "me"]);
    assert_eq!(notify.hooks["renewed"], ["/usr/bin/true"]);
    assert_eq!(notify.hooks.len(), 2);
    assert!(!parse("[agent]\nnotify = true\n").unwrap().notify.is_silent);
    assert!(!parse("[agent]\n").unwrap().notify.is_silent);
    assert_eq!(
        parse("agent = { hooks = { locked = [\"x\"] } }").unwrap().notify.hooks["locked"],
        ["x"]
    );
}

#[test]
fn what_is_wrong_with_a_hook_is_told_with_its_line() {
    for (hooks, message, hint) in [
        (
            "renwed = [\"x\"]",
            "config.toml:2: `renwed` is not a key of [agent.hooks]",
            Some("did you mean `renewed`?"),
        ),
        (
            "failed = \"logger -t tokctl\"",
            "config.toml:2: `failed` must be a list: a program and its arguments",
            Some("write `failed = [\"/PATH/TO/PROGRAM\", \"ARGUMENT\"]`"),
        ),
        ("failed = []", "config.toml:2: `failed` names no program", None),
        (
            "failed = [\"x\",\n\"\"]",
            "config.toml:3: `failed` is empty",
            Some("remove the key or give it a value"),
        ),
        (
            "failed = [\"./x\"]",
            "config.toml:2: `failed` must begin with an absolute path, or with a name on PATH",
            None,
        ),
        (
            "failed = [1]",
            "config.toml:2: `failed` must be text or a list of text, not an integer",
            None,
        ),
    ] {
        let error = parse(&format!("[agent.hooks]\n{hooks}\n")).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint.as_deref()), (message, hint), "{hooks}");
    }
    let error = parse("[agent]\nhooks = 1\n").unwrap_err();
    let message =
        "config.toml:2: `hooks` must be a table with a list for each event, not an integer";
    assert_eq!(error.to_string(), message);
    let error = parse("[agent]\nhook = {}\n").unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean `hooks`?"));
}
