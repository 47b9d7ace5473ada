//! A request to take the file of another program over.

use tokctl_proto::escape::shown;
use tokctl_proto::nearest::nearest;
use tokctl_proto::request::Import;
use tokctl_proto::{Failure, Kind};

use super::{Command, name, secret};
use crate::import::Source;
use crate::shell::import::Wanted;

pub(super) fn import(import: Import<'_>) -> Result<Command, Failure> {
    let Import { source, text, path, passphrase, select, name: named, .. } = import;
    let wanted = Wanted {
        source: Source::named(&source).ok_or_else(|| unknown(&source))?,
        text: text.to_secret(),
        path: path.into_owned(),
        passphrase: secret(passphrase),
        select: select.into_iter().map(|one| one.into_owned()).collect(),
        name: named.as_deref().map(name).transpose()?,
        replace: import.replace,
        dry_run: import.dry_run,
    };
    Ok(Command::Import { wanted: Box::new(wanted), interactive: import.interactive })
}

fn unknown(source: &str) -> Failure {
    let names = Source::ALL.map(Source::name);
    let message = format!("`{}` is no program whose files are known", shown(source));
    Failure::new(Kind::Usage, message).hint(match nearest(source, names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("they are {}", names.join(", ")),
    })
}
