//! Which secrets a grant cannot do without, as far as this side can know: what is not asked for, the agent names.

use tokctl_client::proto::setting::secret_of;

use super::draft::Draft;
use crate::cmd::presets::Preset;

/// A secret to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Secret(&'static str),
    /// Programs on people's own machines have none.
    MaybeClientSecret,
}

/// The secrets that are not there yet.
pub(super) fn of(draft: &Draft<'_>) -> Vec<Need> {
    let grant = draft.grant().unwrap_or_default();
    let client_auth = draft.settings.value("client_auth");
    let is_given = |need: &Need| match need {
        Need::MaybeClientSecret | Need::Secret("client_secret" | "private_key")
            if draft.has_proof =>
        {
            true
        }
        Need::Secret("private_key") => {
            let signs = matches!(grant, "github_app" | "self_signed_jwt");
            draft.has_secret("private_key")
                || draft.has_secret("key")
                || (signs && draft.has_secret("client_secret"))
        }
        Need::Secret("key") => draft.has_secret("key") || draft.has_secret("client_secret"),
        Need::Secret(name) => draft.has_secret(name),
        Need::MaybeClientSecret => draft.has_secret("client_secret"),
    };
    let mut needs = of_grant(grant, client_auth, draft.preset.as_ref());
    if grant == "token_exchange" && !draft.settings.has("client_id") {
        needs.clear();
    }
    needs.retain(|need| !is_given(need));
    needs
}

fn of_grant(grant: &str, client_auth: Option<&str>, preset: Option<&Preset>) -> Vec<Need> {
    match grant {
        "steps" | "command" | "aws_web_identity" => Vec::new(),
        "refresh_token" => {
            let client = of_client(grant, client_auth, preset);
            client.into_iter().chain([Need::Secret("refresh_token")]).collect()
        }
        _ => match secret_of(grant) {
            "client_secret" => of_client(grant, client_auth, preset).into_iter().collect(),
            name => vec![Need::Secret(name)],
        },
    }
}

/// By what a client proves itself.
fn of_client(grant: &str, client_auth: Option<&str>, preset: Option<&Preset>) -> Option<Need> {
    match client_auth {
        Some("none" | "federated" | "tls") => return None,
        Some("private_key_jwt") => return Some(Need::Secret("private_key")),
        Some(_) => return Some(Need::Secret("client_secret")),
        None => {}
    }
    // Of a preset whose own grant signs, nothing is known of clients of another.
    let preset = preset.filter(|preset| secret_of(&preset.grant) == "client_secret");
    let takes = |name: &str| {
        preset.is_some_and(|preset| preset.secrets.iter().any(|secret| secret == name))
    };
    match preset {
        Some(_) if takes("private_key") => Some(Need::Secret("private_key")),
        Some(_) if takes("client_secret") => Some(Need::Secret("client_secret")),
        // A client that proves nothing gets nothing for itself.
        Some(preset) if grant != "client_credentials" || preset.grant == grant => None,
        _ if grant == "client_credentials" => Some(Need::Secret("client_secret")),
        _ => Some(Need::MaybeClientSecret),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preset(grant: &str, secrets: &[&str]) -> Preset {
        Preset {
            name: "acme".to_owned(),
            title: "Acme".to_owned(),
            grant: grant.to_owned(),
            verified: true,
            setup_url: String::new(),
            setup: Vec::new(),
            ask: Vec::new(),
            secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
        }
    }

    #[test]
    fn a_grant_needs_what_it_proves_itself_by() {
        const SECRET: Need = Need::Secret("client_secret");
        const KEY: Need = Need::Secret("private_key");
        for (grant, client_auth, needs) in [
            ("client_credentials", None, &[SECRET][..]),
            ("client_credentials", Some("none"), &[]),
            ("client_credentials", Some("basic"), &[SECRET]),
            ("client_credentials", Some("private_key_jwt"), &[KEY]),
            ("authorization_code", None, &[Need::MaybeClientSecret]),
            ("device_code", Some("post"), &[SECRET]),
            ("refresh_token", None, &[Need::MaybeClientSecret, Need::Secret("refresh_token")]),
            ("refresh_token", Some("none"), &[Need::Secret("refresh_token")]),
            ("jwt_bearer", None, &[KEY]),
            ("api_key", None, &[Need::Secret("key")]),
            ("command", None, &[]),
            ("steps", None, &[]),
        ] {
            assert_eq!(of_grant(grant, client_auth, None), needs, "{grant} {client_auth:?}");
        }
    }

    #[test]
    fn a_preset_says_whether_its_clients_have_a_secret() {
        const SECRET: Need = Need::Secret("client_secret");
        for (own, secrets, grant, client_auth, needs) in [
            (
                "authorization_code",
                &["client_secret"][..],
                "authorization_code",
                None,
                &[SECRET][..],
            ),
            ("authorization_code", &["client_secret"], "authorization_code", Some("none"), &[]),
            ("authorization_code", &[], "authorization_code", None, &[]),
            ("authorization_code", &[], "device_code", None, &[]),
            ("authorization_code", &[], "refresh_token", None, &[Need::Secret("refresh_token")]),
            ("authorization_code", &[], "client_credentials", None, &[SECRET]),
            ("client_credentials", &["client_secret"], "authorization_code", None, &[SECRET]),
            (
                "client_credentials",
                &["private_key"],
                "device_code",
                None,
                &[Need::Secret("private_key")],
            ),
            (
                "jwt_bearer",
                &["private_key"],
                "authorization_code",
                None,
                &[Need::MaybeClientSecret],
            ),
            ("token_exchange", &[], "token_exchange", None, &[]),
            ("api_key", &["key"], "api_key", None, &[Need::Secret("key")]),
        ] {
            let preset = preset(own, secrets);
            assert_eq!(of_grant(grant, client_auth, Some(&preset)), needs, "{own} as {grant}");
        }
    }
}
