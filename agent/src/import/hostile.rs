//! Files that somebody has made to fall over them: each is read or refused, and no refusal shows what is in it.

use super::testing::{read_all, secret};
use super::{File, Source, read, read_key_file};
use crate::mutants::{floods, mutants, texts};

const MUTANTS: usize = 1000;

/// A good file for each reader.
const FILES: &[(Source, &str)] = &[
    (Source::Aws, include_str!("../../../tests/import/aws-config")),
    (
        Source::Dotenv,
        "# keys\nOPENAI_API_KEY=\"sk-1\\n2\"\nexport HF_TOKEN='hf_1' # mine\nSTRIPE_SECRET_KEY=sk_3\n",
    ),
    (Source::Gh, include_str!("../../../tests/import/hosts.yml")),
    (Source::Google, include_str!("../../../tests/import/google-service-account.json")),
    (Source::OidcAgent, include_str!("../../../tests/import/oidc-agent-5.3.3")),
    (Source::Pizauth, include_str!("../../../tests/import/pizauth.conf")),
];

/// Of those that are in them.
const SECRETS: &[&str] = &["gho_ada0123456789", "s3cret", "sk-1", "hf_1", "BEGIN PRIVATE KEY"];

/// Whether a terminal that shows it does nothing else.
fn is_harmless(text: &str) -> bool {
    !text.chars().any(tokctl_proto::escape::is_hidden)
}

#[track_caller]
fn is_read_or_refused(source: Source, text: &str) {
    match read_all(source, text) {
        Ok(drafts) => {
            for draft in drafts {
                // What is taken over is a profile, or is said not to be one.
                let made = crate::config::add_profile("", &draft.name, &draft.settings, false);
                drop(made.map(|text| crate::config::parse(&text)));
                assert!(draft.notes.iter().all(|note| is_harmless(note)), "{:?}", draft.notes);
            }
        }
        Err(error) => {
            let said = format!("{error}{}", error.hint().unwrap_or_default());
            assert!(is_harmless(&said), "{} {text:?}: {said:?}", source.name());
            assert!(!SECRETS.iter().any(|secret| said.contains(secret)), "{text:?}: {said:?}");
        }
    }
}

#[test]
fn no_file_makes_a_reader_fall_over() {
    for (at, (source, sample)) in (0..).zip(FILES) {
        for text in texts(at, sample, MUTANTS) {
            is_read_or_refused(*source, &text);
        }
    }
}

#[test]
fn no_file_of_another_program_does_either() {
    for (source, _) in FILES {
        for (_, sample) in FILES {
            is_read_or_refused(*source, sample);
        }
    }
}

#[test]
fn nesting_and_length_are_borne() {
    for (source, sample) in FILES {
        for flood in floods() {
            is_read_or_refused(*source, &flood);
            is_read_or_refused(*source, &format!("{sample}{flood}"));
        }
    }
}

#[test]
fn a_sealed_account_that_was_changed_is_not_opened() {
    let sample = include_str!("../../../tests/import/oidc-agent-5.3.3");
    let wrong = secret("wrong");
    // Each costs as much as a good one, up to where the file says that it needs more.
    for text in texts(7, sample, 12) {
        let text = secret(&text);
        let file = File { text: &text, path: "f", passphrase: Some(&wrong), select: &[] };
        assert!(read(Source::OidcAgent, &file).is_err());
    }
}

#[test]
fn no_key_file_makes_its_reader_fall_over() {
    for sample in [
        include_str!("../../../tests/import/google-service-account.json"),
        "{\"pem\":\"-----BEGIN RSA PRIVATE KEY-----\\nAAAA\\n-----END RSA PRIVATE KEY-----\\n\",\"client_id\":\"Iv1\",\"id\":7}",
    ] {
        let bytes =
            mutants(9, sample, MUTANTS).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        for text in bytes.chain(floods()) {
            if let Err(error) = read_key_file(&secret(&text)) {
                assert!(is_harmless(&error.to_string()), "{text:?}: {error}");
            }
        }
    }
}
