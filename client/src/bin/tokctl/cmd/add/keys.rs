//! `tokctl add` with a private key that the agent makes, and with a client's certificate.

use std::path::PathBuf;

use serde_json::{Value, json};
use tokctl_client::proto::response::Item;
use tokctl_client::{Client, ProfileName, Request};

use super::Named;
use crate::exit::Stop;
use crate::secret_input::{CertificateFile, CertificateKeyFile};
use crate::session::Session;
use crate::settings::Assignments;

/// What private keys can be made for.
const ALGORITHMS: [&str; 4] = ["ES256", "EdDSA", "RS256", "PS256"];

#[derive(clap::Args, Debug)]
pub(super) struct KeyOptions {
    /// Have the agent make a private key, and print its public half to be registered at the provider
    #[arg(
        long,
        value_name = "ALG",
        help_heading = "Secrets",
        value_parser = ALGORITHMS,
        conflicts_with_all = ["secret", "key", "from_json"]
    )]
    pub(super) generate_key: Option<String>,
    /// Read the certificate that the client shows from a file (PEM; those above it follow)
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Secrets",
        requires = "certificate_key_file",
        conflicts_with = "from_json"
    )]
    certificate_file: Option<PathBuf>,
    /// Read the certificate's private key from a file
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Secrets",
        requires = "certificate_file",
        conflicts_with = "from_json"
    )]
    certificate_key_file: Option<PathBuf>,
}

impl KeyOptions {
    /// Whether there is something here that a client proves itself by.
    pub(super) fn is_given(&self) -> bool {
        self.generate_key.is_some() || self.certificate_file.is_some()
    }

    /// Reads certificate and key. The certificate is the proof where there is no other; else tokens are bound to it.
    pub(super) fn read(
        &self,
        settings: &mut Assignments,
        secrets: &mut Vec<Named>,
        session: &Session,
    ) -> Result<(), Stop> {
        let (Some(certificate), Some(key)) = (&self.certificate_file, &self.certificate_key_file)
        else {
            return Ok(());
        };
        let is_proof = |(name, _): &Named| *name != "refresh_token";
        let has_other = self.generate_key.is_some() || secrets.iter().any(is_proof);
        if !has_other && settings.value("client_auth").is_none() {
            settings.put("client_auth", "tls");
        }
        secrets.push(("tls_certificate", CertificateFile::read(certificate)?));
        secrets.push(("tls_key", CertificateKeyFile::read(key, session)?));
        Ok(())
    }
}

/// Sends a request that has a key made, and prints its public half. Nobody knows the key yet, so no token is asked for.
pub(super) fn add(
    client: &mut Client,
    request: &Request<'_>,
    profile: &ProfileName,
    next: Next,
    session: &Session,
) -> Result<(), Stop> {
    let mut told = None;
    session.collect(client, request, &mut |item| {
        if let Item::PublicKey(key) = item {
            told = Some((key.jwk.to_string(), key.pem.to_string()));
        }
    })?;
    let Some((jwk, pem)) = told else { return Err(tokctl_client::Error::Unexpected.into()) };
    let jwk: Value = serde_json::from_str(&jwk).map_err(|_| tokctl_client::Error::Unexpected)?;
    if next.is_asked_for {
        session.output.talk("no token was asked for: nobody knows the key yet");
    }
    let command = if next.is_login { "login" } else { "get" };
    session.output.talk(&format!(
        "register this public key at the provider, then run `tokctl {command} {profile}`"
    ));
    match session.output.json {
        true => session.output.json(&json!({ "public_key": jwk, "pem": pem })),
        false => session.output.json(&jwk),
    }
}

/// What comes after an `add`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) is_login: bool,
    /// A token would have been asked for.
    pub(super) is_asked_for: bool,
}
