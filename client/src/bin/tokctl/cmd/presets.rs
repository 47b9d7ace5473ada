//! What the agent knows of providers: for `tokctl help presets`, and for `tokctl add --preset`.

use serde::Serialize;
use tokctl_client::proto::request::Presets;
use tokctl_client::proto::response::Item;
use tokctl_client::{Client, Request};

use crate::exit::Stop;
use crate::output::safe;
use crate::prose::wrapped;
use crate::screen::page;
use crate::session::Session;
use crate::table;

/// A provider that is known.
#[derive(Debug, Serialize)]
pub(crate) struct Preset {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) grant: String,
    pub(crate) verified: bool,
    pub(crate) setup_url: String,
    pub(crate) setup: Vec<String>,
    pub(crate) ask: Vec<Question>,
    pub(crate) secrets: Vec<String>,
}

/// A key that it leaves open.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Question {
    pub(crate) key: String,
    pub(crate) prompt: String,
    pub(crate) optional: bool,
}

/// Those of the agent: one, or all.
pub(crate) fn known(
    client: &mut Client,
    name: Option<&str>,
    session: &Session,
) -> Result<Vec<Preset>, Stop> {
    let mut found = Vec::new();
    let request = Request::Presets(Presets { name: name.map(Into::into) });
    session.collect(client, &request, &mut |item| {
        if let Item::Preset(preset) = item {
            let question = |question: &tokctl_client::proto::response::Question| Question {
                key: question.key.clone(),
                prompt: question.prompt.clone(),
                optional: question.optional,
            };
            found.push(Preset {
                name: preset.name.to_string(),
                title: preset.title.to_string(),
                grant: preset.grant.to_string(),
                verified: preset.verified,
                setup_url: preset.setup_url.to_string(),
                setup: preset.setup.clone(),
                ask: preset.ask.iter().map(question).collect(),
                secrets: preset.secrets.clone(),
            });
        }
    })?;
    Ok(found)
}

/// `tokctl help presets`, and `tokctl help presets NAME`.
pub(crate) fn help(name: Option<&str>, session: &Session) -> Result<(), Stop> {
    let found = known(&mut session.client()?, name, session)?;
    if session.output.json {
        return session.output.json(&found);
    }
    if name.is_some() {
        // A line that nobody looks at is not broken.
        let columns = page(&session.output).width.unwrap_or(usize::MAX);
        let lines = found.iter().flat_map(about);
        let rows = lines.flat_map(|line| wrapped(&safe(&line), columns));
        let text: String = rows.map(|row| format!("{row}\n")).collect();
        return session.output.data(text.as_bytes());
    }
    let row = |preset: &Preset| {
        let verified = if preset.verified { "" } else { " (not verified)" };
        let title = format!("{}{verified}", preset.title);
        [&preset.name, &preset.grant, &title].map(|cell| safe(cell).into_owned()).to_vec()
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let mut text = table::render(&["PRESET", "GRANT", "PROVIDER"], &rows);
    text.push_str(
        "\n`tokctl help presets NAME` tells what to set up there; `tokctl add PROFILE --preset NAME` asks for the rest.\n",
    );
    session.output.data(text.as_bytes())
}

/// What a person has to know of a preset before any question.
pub(crate) fn about(preset: &Preset) -> Vec<String> {
    let mut lines = vec![format!("{} (`{}`)", preset.title, preset.name), preset.setup_url.clone()];
    lines.extend(preset.setup.iter().map(|line| format!("- {line}")));
    if !preset.verified {
        lines.push("this preset has not been verified against the provider".to_owned());
    }
    lines
}
