//! The request of `tokctl add`, in words that the oldest agent knows, where there are such.

use tokctl_client::proto::request::{Add, Add2, Add3, Assignment, DatedSecret, NamedSecret};
use tokctl_client::proto::secret::SecretStr;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{Request, Secret};

use super::{AddArgs, Named};
use crate::exit::Stop;
use crate::expires::Expires;

pub(super) fn request<'a>(
    args: &'a AddArgs,
    settings: Vec<Assignment<'a>>,
    secrets: &'a [Named],
    from_json: Option<&'a Secret>,
    interactive: bool,
) -> Result<Request<'a>, Stop> {
    are_about_something(args, secrets)?;
    let (profile, replace) = (args.profile.as_str().into(), args.replace);
    if args.keys.generate_key.is_some() || from_json.is_some() || args.dry_run {
        return Ok(Request::Add3(Add3 {
            profile,
            settings,
            secrets: dated(args, secrets)?,
            replace,
            interactive,
            generate_key: args.keys.generate_key.as_deref().map(Into::into),
            from_json: from_json.map(SecretStr::from),
            dry_run: args.dry_run,
        }));
    }
    if args.secret_expires.is_some() || args.refresh_token_expires.is_some() {
        let secrets = dated(args, secrets)?;
        return Ok(Request::Add2(Add2 { profile, settings, secrets, replace, interactive }));
    }
    let secrets = secrets
        .iter()
        .map(|(name, value)| NamedSecret { name: (*name).into(), value: SecretStr::from(value) })
        .collect();
    Ok(Request::Add(Add { profile, settings, secrets, replace, interactive }))
}

fn is_refresh_token((name, _): &Named) -> bool {
    *name == "refresh_token"
}

/// Refuses the end of a secret that is not given.
fn are_about_something(args: &AddArgs, secrets: &[Named]) -> Result<(), Stop> {
    for (option, date, has_one) in [
        ("secret", args.secret_expires, secrets.iter().any(|secret| !is_refresh_token(secret))),
        ("refresh-token", args.refresh_token_expires, secrets.iter().any(is_refresh_token)),
    ] {
        if date.is_some() && !has_one {
            let message = format!("`--{option}-expires` is about a secret that is not given");
            return Err(Failure::new(Kind::Usage, message)
                .hint(format!("use `--{option}-file FILE` or `--{option}-stdin`"))
                .into());
        }
    }
    Ok(())
}

fn dated<'a>(args: &AddArgs, secrets: &'a [Named]) -> Result<Vec<DatedSecret<'a>>, Stop> {
    let dated = |secret: &'a Named| {
        let date = match is_refresh_token(secret) {
            true => args.refresh_token_expires,
            false => args.secret_expires,
        };
        let (name, value) = secret;
        Ok(DatedSecret {
            name: (*name).into(),
            value: SecretStr::from(value),
            expires_at: date.map(Expires::unix_s).transpose()?,
        })
    };
    secrets.iter().map(dated).collect()
}
