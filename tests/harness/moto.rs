//! Starts moto, AWS without Amazon, for AssumeRoleWithWebIdentity of STS.

use anyhow::Result;

use crate::python;
use crate::service::Service;

/// A running moto. It takes any role and any web identity, and ends with its value.
#[derive(Debug)]
pub struct Moto {
    service: Service,
}

impl Moto {
    #[track_caller]
    pub fn start() -> Self {
        Self::try_start().unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn try_start() -> Result<Self> {
        Ok(Self { service: python::start("sts.py", &[])? })
    }

    /// Where STS is.
    pub fn endpoint(&self) -> &str {
        self.service.text("endpoint")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Call;

    #[test]
    fn a_web_identity_is_exchanged_for_credentials() {
        let moto = Moto::start();
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", "arn:aws:iam::123456789012:role/deploy"),
            ("RoleSessionName", "job"),
            ("WebIdentityToken", "a.b.c"),
            ("DurationSeconds", "900"),
        ];
        let reply = Call::post(moto.endpoint()).form(&form).send().unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        for part in ["<AccessKeyId>ASIA", "<SecretAccessKey>", "assumed-role/deploy/job"] {
            assert!(reply.text().contains(part), "no {part} in {}", reply.text());
        }
    }
}
