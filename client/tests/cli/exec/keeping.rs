//! Files that are kept, and programs that are restarted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::*;
use crate::script::WAIT_MAX;

/// Reads until a file has that text.
fn becomes(path: &Path, text: &str) {
    let deadline = Instant::now() + WAIT_MAX;
    while fs::read_to_string(path).unwrap_or_default() != text {
        assert!(Instant::now() < deadline, "{} never became {text}", path.display());
        std::thread::yield_now();
    }
}

#[test]
fn a_program_is_started_anew_when_its_token_was_renewed_and_not_when_it_was_not() {
    // The first of the two events brings the token that is there.
    let script = [FOLLOW, TOKEN, WATCH, "pause", RENEWED, "switch", GET, TOKEN, "switch", RENEWED];
    let script = [&script[..], &["switch", GET, &token("eyJ1")]].concat().join("\n");
    play(&script, |home, agent| {
        let arguments = ["acme", "--restart", "--", "sh", "-c", "echo \"$ACME_TOKEN\"; exec cat"];
        let mut run = Run::start(exec(home, &arguments));
        assert_eq!(run.line(), "eyJ0");
        agent.go_on();
        assert_eq!(run.line(), "eyJ1");
        assert_eq!(run.ends(), (Some(0), String::new()));
    });
}

#[test]
fn a_program_that_does_not_end_is_killed_after_the_grace() {
    play(&renewal(&[]), |home, agent| {
        let script = "trap '' TERM; echo \"$ACME_TOKEN\"; exec cat";
        let arguments = ["acme", "--restart", "--grace", "0", "--", "sh", "-c", script];
        let mut run = Run::start(exec(home, &arguments));
        assert_eq!(run.line(), "eyJ0");
        agent.go_on();
        assert_eq!(run.line(), "eyJ1");
        assert_eq!(run.ends(), (Some(0), String::new()));
    });
}

#[test]
fn without_a_terminal_what_the_program_started_ends_with_it() {
    play(&renewal(&[]), |home, agent| {
        // A shell that waits ends at once, and its child would be left.
        let script = "mkfifo $ACME_TOKEN; echo $ACME_TOKEN; tail -f /dev/null >$ACME_TOKEN & wait";
        let mut run = Run::start(exec(home, &["acme", "--restart", "--", "sh", "-c", script]));
        assert_eq!(run.line(), "eyJ0");
        let mut held = fs::File::open(home.join("eyJ0")).unwrap();
        agent.go_on();
        // Ends with the last process that has the other end open.
        assert_eq!(held.read(&mut [0]).unwrap(), 0);
        assert_eq!(run.line(), "eyJ1");
        kill(run.pid(), Signal::SIGTERM).unwrap();
        assert_eq!(run.ends().0, Some(143));
    });
}

#[test]
fn whoever_ends_it_during_a_restart_ends_it() {
    play(&renewal(&[]), |home, agent| {
        // The first SIGTERM is tokctl's, the second is passed on.
        let script = "n=0; trap 'n=$((n+1)); echo $n; [ $n = 1 ] || exit 4' TERM; \
                      echo ready; while :; do read x; done";
        let mut run = Run::start(exec(home, &["acme", "--restart", "--", "sh", "-c", script]));
        assert_eq!(run.line(), "ready");
        agent.go_on();
        assert_eq!(run.line(), "1");
        kill(run.pid(), Signal::SIGTERM).unwrap();
        assert_eq!(run.ends(), (Some(4), "2\n".to_owned()));
    });
}

#[test]
fn an_agent_that_cannot_tell_is_asked_when_the_token_is_about_to_end() {
    let refusal = r#"< {"error":{"exit":2,"kind":"usage","profile":null,"message":"this agent does not know the request","hint":null,"retry_at":null}}"#;
    let ending = TOKEN.replace(r#""expires_in":3600"#, r#""expires_in":3"#);
    let script = [FOLLOW, &ending, WATCH, refusal, GET, &token("eyJ1")].join("\n");
    play(&script, |home, _| {
        let arguments = ["acme", "--restart", "--", "sh", "-c", "echo \"$ACME_TOKEN\"; exec cat"];
        let mut command = exec(home, &arguments);
        command.stderr(Stdio::piped());
        let mut run = Run::start(command);
        assert_eq!((run.line(), run.line()), ("eyJ0".to_owned(), "eyJ1".to_owned()));
        let mut stderr = run.child.stderr.take().unwrap();
        run.ends();
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!(
            said,
            "tokctl: warning: this agent does not know the request: tokens are asked for only when they are \
             about to end\nacme was renewed: restarting `sh`\n"
        );
    });
}

#[test]
fn files_and_templates_are_private_follow_a_renewal_and_go_at_the_end() {
    play(&renewal(&[]), |home, agent| {
        fs::write(home.join("in"), "key = \"{{ acme }}\"\n").unwrap();
        let arguments = [
            "--file",
            "token=acme",
            "--template",
            "in:out",
            "--",
            "sh",
            "-c",
            "cat token out; cat",
        ];
        let mut run = Run::start(exec(home, &arguments));
        assert_eq!(run.line(), "eyJ0key = \"eyJ0\"");
        for name in ["token", "out"] {
            let mode = home.join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        agent.go_on();
        becomes(&home.join("token"), "eyJ1");
        becomes(&home.join("out"), "key = \"eyJ1\"\n");
        run.types("the same program\n");
        assert_eq!(run.ends(), (Some(0), "the same program\n".to_owned()));
        assert!(!home.join("token").exists() && !home.join("out").exists());
        assert!(home.join("in").exists());
    });
}

#[test]
fn files_go_when_a_signal_ends_the_program_and_when_it_cannot_be_run() {
    for (program, signal, code) in [
        (&["tail", "-f", "/dev/null"][..], Some(Signal::SIGTERM), 143),
        (&["none-such"], None, 127),
    ] {
        with_watch(|home| {
            let arguments = [&["--file", "token=acme", "--"], program].concat();
            let run = Run::start(exec(home, &arguments));
            if let Some(signal) = signal {
                becomes(&home.join("token"), "eyJ0");
                has_started(run.pid(), "tail");
                kill(run.pid(), signal).unwrap();
            }
            assert_eq!(run.ends().0, Some(code));
            assert!(!home.join("token").exists());
        });
    }
}

/// With an agent that may or may not be asked to tell about renewals, as the program ends so soon.
fn with_watch(scene: impl FnOnce(&Path)) {
    let home = tempfile::tempdir().unwrap();
    let agent = Script::listen(&home.path().join("agent.sock"), &[FOLLOW, TOKEN, WATCH].join("\n"));
    scene(home.path());
    drop(agent.finish());
}

/// Waits until a process has a child of that name.
fn has_started(parent: Pid, name: &str) {
    let deadline = Instant::now() + WAIT_MAX;
    let children = format!("/proc/{parent}/task/{parent}/children");
    let is_it = |child: &str| {
        fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|comm| comm.trim() == name)
    };
    while !fs::read_to_string(&children).unwrap_or_default().split(' ').any(is_it) {
        assert!(Instant::now() < deadline, "{name} never started");
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_is_somebodys_is_left_alone() {
    play(&[FOLLOW, TOKEN].join("\n"), |home, _| {
        fs::write(home.join("token"), "mine").unwrap();
        fs::set_permissions(home.join("token"), fs::Permissions::from_mode(0o644)).unwrap();
        let mut command = exec(home, &["--file", "token=acme", "--", "cat"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "tokctl: error: token is there already, and is no private file of yours\n\
             tokctl: hint: name another path: the file is removed at the end\n"
        );
        assert_eq!(fs::read_to_string(home.join("token")).unwrap(), "mine");
    });
}

#[test]
fn of_a_pool_the_member_whose_token_it_is_is_followed() {
    let pooled = TOKEN.replace(r#""token":"#, r#""token2":"#).replace("acme", "search");
    let pooled = pooled.replace(r#""extra":"""#, r#""extra":"","member":"acct2""#);
    let script = [
        r#"> {"get2":{"profile":"search"}}"#,
        &pooled,
        r#"> {"watch":{"profiles":["acct2"]}}"#,
        "pause",
        &RENEWED.replace("acme", "acct2"),
        "switch",
        r#"> {"get":{"profile":"acct2"}}"#,
        &token("eyJ1").replace("acme", "acct2"),
    ];
    play(&script.join("\n"), |home, agent| {
        let arguments = ["--restart", "T=search", "--", "sh", "-c", "echo \"$T\"; exec cat"];
        let mut run = Run::start(exec(home, &arguments));
        assert_eq!(run.line(), "eyJ0");
        agent.go_on();
        assert_eq!(run.line(), "eyJ1");
        assert_eq!(run.ends().0, Some(0));
    });
}

#[test]
fn what_was_renewed_before_the_agent_was_listened_to_is_noticed() {
    let watching = r#"< {"progress":{"text":"watching","warning":false}}"#;
    let script = [FOLLOW, TOKEN, WATCH, "pause", watching, "switch", GET, &token("eyJ1")];
    play(&script.join("\n"), |home, agent| {
        let arguments = ["acme", "--restart", "--", "sh", "-c", "echo \"$ACME_TOKEN\"; exec cat"];
        let mut run = Run::start(exec(home, &arguments));
        assert_eq!(run.line(), "eyJ0");
        agent.go_on();
        assert_eq!(run.line(), "eyJ1");
        assert_eq!(run.ends().0, Some(0));
    });
}
