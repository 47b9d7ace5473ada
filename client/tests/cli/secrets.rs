//! Secrets come in by stdin, files and descriptors; they never come from the arguments.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::script::Script;

const UNLOCK: &str = r#"> {"unlock":{"passphrase":"correct horse"}}
                        < {"done":{"said":{"text":""}}}"#;

/// Runs a line of shell in a home where the agent expects the passphrase, with something on stdin.
fn run(script: &str, home: &Path, line: &str, stdin: &[u8]) -> Output {
    let agent = Script::listen(&home.join("agent.sock"), script);
    let mut child = Command::new("sh")
        .args(["-c", line])
        .env("TOKCTL", env!("CARGO_BIN_EXE_tokctl"))
        .env("TOKCTL_HOME", home)
        .env("TOKCTL_SOCK", home.join("agent.sock"))
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(agent.finish(), [""; 0], "{output:?}");
    output
}

#[test]
fn a_secret_is_read_from_wherever_it_is() {
    for (line, stdin) in [
        (r#""$TOKCTL" unlock --passphrase-stdin"#, &b"correct horse\n"[..]),
        (r#""$TOKCTL" unlock --passphrase-stdin"#, b"correct horse"),
        (r#""$TOKCTL" unlock --passphrase-fd 0"#, b"correct horse\r\n"),
        (r#""$TOKCTL" unlock --passphrase-fd 3 3<pass"#, b""),
        (r#""$TOKCTL" unlock --passphrase-file pass"#, b""),
        (r#"cat pass | "$TOKCTL" unlock --passphrase-file /dev/stdin"#, b""),
        (r#"P='correct horse' "$TOKCTL" unlock --passphrase-env P"#, b""),
    ] {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("pass"), "correct horse\n").unwrap();
        std::fs::set_permissions(home.path().join("pass"), Permissions::from_mode(0o600)).unwrap();
        let output = run(UNLOCK, home.path(), line, stdin);
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{line}");
    }
}

#[test]
fn a_file_that_others_can_read_is_warned_about() {
    for (mode, warns) in [(0o600, false), (0o640, true), (0o604, true), (0o400, false)] {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("pass"), "correct horse\n").unwrap();
        std::fs::set_permissions(home.path().join("pass"), Permissions::from_mode(mode)).unwrap();
        let output = run(UNLOCK, home.path(), r#""$TOKCTL" unlock --passphrase-file pass"#, b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.contains("other users can read pass"), warns, "{mode:o}: {said}");
    }
}

#[test]
fn a_certificate_proves_its_client_where_nothing_else_does_and_its_key_alone_is_secret() {
    const TLS: &str = r#"{"key":"client_auth","values":["tls"]},"#;
    const BOTH: &str =
        r#"{"name":"tls_certificate","value":"CERT"},{"name":"tls_key","value":"KEY"}"#;
    const SECRET: &str = r#"{"name":"client_secret","value":"s"},"#;
    for (options, secret, grant, auth) in [
        ("", "", r#"{"key":"grant","values":["client_credentials"]}"#, TLS),
        (
            "--grant device_code --client-auth none",
            "",
            r#"{"key":"grant","values":["device_code"]},{"key":"client_auth","values":["none"]}"#,
            "",
        ),
        (
            "--grant client_credentials --secret-env S",
            SECRET,
            r#"{"key":"grant","values":["client_credentials"]}"#,
            "",
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        for (name, text, mode) in [("cert", "CERT\n", 0o644), ("key", "KEY\n", 0o640)] {
            std::fs::write(home.path().join(name), text).unwrap();
            let mode = Permissions::from_mode(mode);
            std::fs::set_permissions(home.path().join(name), mode).unwrap();
        }
        let settings = format!("{grant},{auth}");
        let settings = settings.trim_end_matches(',');
        let script = format!(
            "> {{\"add\":{{\"profile\":\"acme\",\"settings\":[{settings}],\"secrets\":[{secret}{BOTH}]}}}}\n\
             < {{\"done\":{{\"said\":{{\"text\":\"\"}}}}}}"
        );
        let line = format!(
            "S=s \"$TOKCTL\" add acme {options} --certificate-file cert --certificate-key-file key"
        );
        let output = run(&script, home.path(), &line, b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("other users can read key;") && !said.contains("cert"), "{said}");
    }
}

#[test]
fn stdin_holds_one_secret() {
    let home = tempfile::tempdir().unwrap();
    let line = r#""$TOKCTL" passwd --passphrase-stdin --new-passphrase-stdin"#;
    let output = run("", home.path(), line, b"correct horse\n");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "tokctl: error: only one secret can come from stdin\n");
}

#[test]
fn a_reported_token_is_read_from_stdin_where_that_is_the_only_way() {
    let report = |status: u16, token: &str| {
        format!(
            r#"> {{"report":{{"profile":"acme","status":{status}{token}}}}}
               < {{"done":{{"said":{{"text":""}}}}}}"#
        )
    };
    let with_token = r#","token":"eyJ0""#;
    for (script, line, rest) in [
        (report(401, with_token), r#""$TOKCTL" report acme --status 401; cat"#, ""),
        (report(401, with_token), r#""$TOKCTL" report acme --status 401 --token-stdin; cat"#, ""),
        (
            report(401, with_token),
            r#"T=eyJ0 "$TOKCTL" report acme --status 401 --token-env T; cat"#,
            "eyJ0\n",
        ),
        (report(403, ""), r#""$TOKCTL" report acme --status 403; cat"#, "eyJ0\n"),
        (report(429, ""), r#""$TOKCTL" report acme --status 429; cat"#, "eyJ0\n"),
        (report(429, with_token), r#""$TOKCTL" report acme --status 429 --token-stdin; cat"#, ""),
    ] {
        let home = tempfile::tempdir().unwrap();
        let output = run(&script, home.path(), line, b"eyJ0\n");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{line}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), rest, "{line}");
    }
}
