//! How the provider is to be.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ca::Leaf;

#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Seconds that a token lives; 600 unless set.
    pub token_ttl_s: Option<u32>,
    /// How long a token request takes at least.
    pub token_delay: Option<Duration>,
    /// https with this certificate, in place of http.
    pub tls: Option<Leaf>,
    /// The host that its issuer names; 127.0.0.1 unless set.
    pub host: Option<String>,
    /// With `tls`: the authority of client certificates. They are asked for at the metadata's
    /// `mtls_endpoint_aliases`, not at the usual endpoints.
    pub client_ca: Option<PathBuf>,
    /// What it does not offer, of `par`, `device`, `revocation` and `introspection`.
    pub without: Vec<&'static str>,
    /// The metadata asks everybody to push authorization requests.
    pub par_required: bool,
    /// How often a device may poll at most, in seconds: told in the answer, and who is faster is slowed down.
    pub device_interval_s: Option<u32>,
    /// Seconds that a device code lives; 600 unless set.
    pub device_ttl_s: Option<u32>,
}

impl Settings {
    /// As tests/idp/settings.mjs reads them.
    pub(super) fn as_json(&self) -> Value {
        let tls = self.tls.as_ref();
        let mut value = json!({
            "token_ttl_s": self.token_ttl_s,
            "token_delay_ms": self.token_delay.map(|delay| delay.as_millis() as u64),
            "tls": tls.map(|leaf| json!({ "key": leaf.key, "certificate": leaf.certificate })),
            "host": self.host,
            "ca": self.client_ca,
            "without": self.without,
            "par_required": self.par_required,
            "device_interval_s": self.device_interval_s,
            "device_ttl_s": self.device_ttl_s,
        });
        if let Some(members) = value.as_object_mut() {
            members.retain(|_, member| !member.is_null());
        }
        value
    }
}
