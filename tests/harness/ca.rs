//! A certificate authority that nobody trusts but who is told to.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;

#[derive(Debug)]
pub struct PrivateCa {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
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
        let file = names.first().copied().unwrap_or("leaf");
        let mut params = params_of(names, ExtendedKeyUsagePurpose::ServerAuth)?;
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        self.written(file, &certificate.pem(), &key)
    }

    /// A client certificate whose common name and DNS name are this one.
    pub fn client(&self, name: &str) -> Result<Leaf> {
        let params = client_params(name)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        self.written(name, &certificate.pem(), &key)
    }

    /// A client certificate that only its own key vouches for.
    pub fn self_signed_client(&self, name: &str) -> Result<Leaf> {
        let key = KeyPair::generate()?;
        let certificate = client_params(name)?.self_signed(&key)?;
        self.written(name, &certificate.pem(), &key)
    }

    fn written(&self, name: &str, certificate: &str, key: &KeyPair) -> Result<Leaf> {
        let directory = self.directory.path();
        Ok(Leaf {
            certificate: written(directory, name, "pem", certificate)?,
            key: written(directory, name, "key", &key.serialize_pem())?,
        })
    }
}

fn params_of(names: &[&str], purpose: ExtendedKeyUsagePurpose) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    Ok(params)
}

fn client_params(name: &str) -> Result<CertificateParams> {
    let mut params = params_of(&[name], ExtendedKeyUsagePurpose::ClientAuth)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

fn written(directory: &Path, name: &str, extension: &str, text: &str) -> Result<PathBuf> {
    let path = directory.join(format!("{name}.{extension}"));
    fs::write(&path, text)?;
    Ok(path)
}
