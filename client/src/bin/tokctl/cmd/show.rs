//! `tokctl show`: a profile's settings, and which secrets it has. No secret is shown.
//!
//! As they stand in config.toml, or with `--resolved` as they hold, each with the layer that it comes from.

use serde::Serialize;
use tokctl_client::proto::request::{Show, Show2};
use tokctl_client::proto::response::{Done, Item};
use tokctl_client::{Error, ProfileName, Request};

use crate::exit::Stop;
use crate::output::safe;
use crate::session::Session;

#[derive(clap::Args, Debug)]
pub(crate) struct ShowArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// Show the settings that are in effect, and where each comes from
    #[arg(long)]
    resolved: bool,
}

/// Longer lines say where they are from behind themselves, out of the column.
const COLUMN_MAX: usize = 64;

#[derive(Serialize)]
struct Effective {
    key: String,
    value: String,
    layer: String,
}

#[derive(Serialize)]
struct Resolved<'a> {
    profile: &'a str,
    settings: Vec<Effective>,
}

#[derive(Serialize)]
struct Shown<'a> {
    profile: &'a str,
    toml: &'a str,
    secrets: &'a Option<Vec<String>>,
    origins: &'a Option<Vec<String>>,
}

pub(crate) fn run(args: &ShowArgs, session: &Session) -> Result<(), Stop> {
    if args.resolved {
        return resolved(&args.profile, session);
    }
    let mut client = session.client()?;
    let request = Request::Show(Show { profile: args.profile.as_str().into() });
    let Done::Profile(profile) = client.request(&request, &mut session.conversation())? else {
        return Err(Error::Unexpected.into());
    };
    if session.output.json {
        return session.output.json(&Shown {
            profile: &profile.profile,
            toml: &profile.toml,
            secrets: &profile.secrets,
            origins: &profile.origins,
        });
    }
    let name = safe(&profile.profile);
    let mut text = match profile.toml.is_empty() {
        true => format!(
            "# {name} is not in config.toml; `tokctl remove {name}` removes what is kept of it\n"
        ),
        false => format!("[profiles.{name}]\n"),
    };
    for line in profile.toml.lines() {
        text.push_str(&format!("{}\n", safe(line)));
    }
    text.push_str(&format!("# secrets: {}\n", names(profile.secrets.as_deref())));
    text.push_str(&format!("# sent only to: {}\n", names(profile.origins.as_deref())));
    session.output.data(text.as_bytes())
}

fn resolved(profile: &ProfileName, session: &Session) -> Result<(), Stop> {
    let mut settings = Vec::new();
    let request = Request::Show2(Show2 { profile: profile.as_str().into() });
    session.collect(&mut session.client()?, &request, &mut |item| {
        if let Item::Setting(setting) = item {
            settings.push(Effective {
                key: setting.key.to_string(),
                value: setting.value.to_string(),
                layer: setting.layer.to_string(),
            });
        }
    })?;
    if session.output.json {
        return session.output.json(&Resolved { profile: profile.as_str(), settings });
    }
    let preset = settings.iter().find(|setting| setting.key == "preset");
    let preset = preset.map(|setting| setting.value.trim_matches('"').to_owned());
    let lines: Vec<(String, String)> = settings
        .iter()
        .map(|Effective { key, value, layer }| {
            let layer = match (layer.as_str(), &preset) {
                ("preset", Some(name)) => format!("preset {name}"),
                ("agent", _) => "[agent]".to_owned(),
                (layer, _) => layer.to_owned(),
            };
            (safe(&format!("{key} = {value}")).into_owned(), safe(&layer).into_owned())
        })
        .collect();
    let lengths = lines.iter().map(|(line, _)| line.chars().count());
    let width = lengths.filter(|length| *length <= COLUMN_MAX).max().unwrap_or_default();
    let mut text = format!("[profiles.{}]\n", safe(profile.as_str()));
    for (line, layer) in lines {
        text.push_str(&format!("{line:width$}  # {layer}\n"));
    }
    session.output.data(text.as_bytes())
}

fn names(of: Option<&[String]>) -> String {
    match of {
        None => "unknown while the vault is locked".to_owned(),
        Some([]) => "none".to_owned(),
        Some(names) => safe(&names.join(", ")).into_owned(),
    }
}
