//! A certificate authority that nobody trusts but who is told to.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

#[derive(Debug)]
pub struct PrivateCa {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl PrivateCa {
    pub fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "tokctl's tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        fs::write(directory.path().join("ca.pem"), params.self_signed(&key)?.pem())?;
        Ok(Self { directory, issuer: Issuer::new(params, key) })
    }

    /// The certificate, for `ca_file`.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A server certificate for these names and addresses.
    pub fn leaf(&self, names: &[&str]) -> Result<Leaf> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let file = names.first().map_or("leaf", String::as_str).to_owned();
        let mut params = CertificateParams::new(names)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Leaf {
            certificate: written(self.directory.path(), &file, "pem", &certificate.pem())?,
            key: written(self.directory.path(), &file, "key", &key.serialize_pem())?,
        })
    }
}

fn written(directory: &Path, name: &str, extension: &str, text: &str) -> Result<PathBuf> {
    let path = directory.join(format!("{name}.{extension}"));
    fs::write(&path, text)?;
    Ok(path)
}
