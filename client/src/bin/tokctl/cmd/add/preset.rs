//! A provider that is known: what to click there, and then what only its client's owner knows.
//!
//! What a preset says is not asked for, and what was given goes before it. What the preset leaves open is asked for in its order.

use tokctl_client::Client;

use super::draft::Draft;
use super::needs;
use super::questions::{answer, anything, ask_for_secrets, issuer, something};
use crate::cmd::presets::{Preset, Question, about, known};
use crate::exit::Stop;
use crate::session::Session;

/// Looks the preset up that was named, so that a mistyped one is told before anything is asked.
pub(super) fn find(
    draft: &mut Draft<'_>,
    client: &mut Client,
    session: &Session,
) -> Result<(), Stop> {
    if let Some(name) = draft.settings.value("preset") {
        draft.preset = known(client, Some(name), session)?.pop();
    }
    Ok(())
}

/// For those who are shown nothing else of it.
pub(super) fn warn_of_unverified(draft: &Draft<'_>, session: &Session) {
    if let Some(preset) = draft.preset.as_ref().filter(|preset| !preset.verified) {
        session.output.warn(&format!(
            "the preset `{}` has not been verified against the provider",
            preset.name
        ));
    }
}

/// Tells what to do at the provider, and asks for what comes of it.
pub(super) fn ask(draft: &mut Draft<'_>, session: &Session) -> Result<(), Stop> {
    let open = open(draft);
    if open.is_empty() && needs::of(draft).is_empty() {
        warn_of_unverified(draft, session);
        return Ok(());
    }
    for line in draft.preset.iter().flat_map(about) {
        session.output.prose(&line);
    }
    session.output.notice("");
    for question in open {
        let typed = answer(session, &question.prompt, |typed| check(&question, typed))?;
        if !typed.is_empty() {
            draft.settings.put(&question.key, &typed);
        }
    }
    ask_for_secrets(draft, session)
}

/// The questions to which no option was an answer. Who names another provider is not asked for a part of its address.
fn open(draft: &Draft<'_>) -> Vec<Question> {
    let given = &draft.settings;
    let names_provider = given.has("issuer") || given.has("token_endpoint");
    let is_answered = |question: &Question| {
        let is_of_address = question.optional && question.key.starts_with("vars.");
        given.has(&question.key) || (names_provider && (question.key == "issuer" || is_of_address))
    };
    let questions = draft.preset.iter().flat_map(|preset: &Preset| &preset.ask);
    questions.filter(|question| !is_answered(question)).cloned().collect()
}

fn check(question: &Question, typed: &str) -> Result<(), String> {
    match &*question.key {
        _ if typed.is_empty() && question.optional => anything(typed),
        "issuer" => issuer(typed),
        "subject" => subject(typed),
        _ => something(typed),
    }
}

fn subject(typed: &str) -> Result<(), String> {
    let is_named = ["file:", "env:", "profile:"]
        .iter()
        .any(|kind| typed.strip_prefix(kind).is_some_and(|name| !name.is_empty()));
    match is_named || matches!(typed, "github-actions" | "gitlab") {
        true => Ok(()),
        false => {
            Err("write github-actions, gitlab, file:PATH, env:NAME or profile:NAME".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use tokctl_client::ProfileName;

    use super::*;
    use crate::settings::Assignments;

    #[test]
    fn what_was_given_is_not_asked_for() {
        let ask =
            [("vars.host", true), ("vars.account", false), ("issuer", false), ("scope", true)];
        let ask = ask.map(|(key, optional)| {
            let (key, prompt) = (key.to_owned(), key.to_owned());
            Question { key, prompt, optional }
        });
        let profile = ProfileName::parse("acme").unwrap();
        for (given, asked) in [
            (&[][..], "vars.host vars.account issuer scope"),
            (&["vars.host"], "vars.account issuer scope"),
            (&["issuer"], "vars.account scope"),
            (&["token_endpoint"], "vars.account scope"),
            (&["scope", "vars.account"], "vars.host issuer"),
        ] {
            let mut settings = Assignments::default();
            given.iter().for_each(|key| settings.put(key, "x"));
            let preset = Preset {
                name: "acme".to_owned(),
                title: String::new(),
                grant: "client_credentials".to_owned(),
                verified: true,
                setup_url: String::new(),
                setup: Vec::new(),
                ask: ask.to_vec(),
                secrets: Vec::new(),
            };
            let draft = Draft {
                profile: &profile,
                settings,
                secrets: Vec::new(),
                from_json: None,
                has_proof: false,
                preset: Some(preset),
            };
            let open: Vec<_> = open(&draft).into_iter().map(|question| question.key).collect();
            assert_eq!(open.join(" "), asked, "{given:?}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_right_is_known() {
        for (key, optional, typed, passes) in [
            ("client_id", false, "", false),
            ("client_id", false, "kX3", true),
            ("scope", true, "", true),
            ("issuer", false, "acme.eu.auth0.com", true),
            ("issuer", false, "acme", false),
            ("subject", false, "github-actions", true),
            ("subject", false, "env:TOKEN", true),
            ("subject", false, "env:", false),
            ("subject", false, "github", false),
        ] {
            let question = Question { key: key.to_owned(), prompt: String::new(), optional };
            assert_eq!(check(&question, typed).is_ok(), passes, "{key} {typed}");
        }
    }
}
