//! A certificate and its key, looked at before they are stored: a pair that cannot be shown is found now and not tonight.

use tokctl_proto::{Failure, Kind, Secret};

use super::NewSecret;
use crate::oauth::certificate::{ClientCertificate, TLS_CERTIFICATE, TLS_KEY, Unfit};
use crate::shell::http::Http;

/// Refuses a certificate that cannot be shown with the key beside it. Where one of the two is missing, the other may be
/// in the vault or follow.
pub(in crate::shell) async fn check(http: &Http, secrets: &[NewSecret]) -> Result<(), Failure> {
    let (Some(certificate), Some(key)) = (given(secrets, TLS_CERTIFICATE), given(secrets, TLS_KEY))
    else {
        return Ok(());
    };
    let certificate = ClientCertificate::read(certificate, Some(key)).map_err(unfit)?;
    match http.unfit(certificate).await {
        Some(reason) => {
            let message = format!("cannot use the certificate and its key: {reason}");
            Err(Failure::new(Kind::Usage, message).hint(
                "`--certificate-key-file` takes the private key of the first certificate in \
                 `--certificate-file`",
            ))
        }
        None => Ok(()),
    }
}

fn given<'a>(secrets: &'a [NewSecret], name: &str) -> Option<&'a Secret> {
    secrets.iter().find(|secret| secret.name == name).map(|secret| &secret.value)
}

fn unfit(unfit: Unfit) -> Failure {
    let (name, what) = match unfit {
        Unfit::NoKey => (TLS_KEY, "is missing".to_owned()),
        Unfit::Broken { name, what } => (name, what),
    };
    let option = match name {
        TLS_CERTIFICATE => "certificate-file",
        _ => "certificate-key-file",
    };
    Failure::new(Kind::Usage, format!("the secret `{name}` {what}"))
        .hint(format!("`--{option}` takes PEM"))
}
