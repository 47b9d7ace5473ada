//! What is known of a client's provider: where its endpoints are, and how the client proves itself there.

use tokctl_core::{Reached, Trouble};
use tokctl_proto::ProfileName;

use super::obtain::Means;
use crate::clock;
use crate::config::{Client, ClientAuth, Endpoints, Provider};
use crate::oauth::Metadata;
use crate::oauth::client_auth::{self, Holds};
use crate::oauth::grant::{Endpoint, refused};

/// Where a client's provider is.
#[derive(Debug)]
pub(super) struct Found {
    /// The token endpoint.
    pub(super) endpoint: Endpoint,
    /// Those that the profile names, and those of its issuer's metadata.
    pub(super) endpoints: Endpoints,
    pub(super) metadata: Option<Metadata>,
}

/// Looks a client's provider up, and asks the issuer for its metadata where there is one. `holds` is what the
/// client has to prove itself with.
pub(super) async fn find(
    means: &Means,
    name: &ProfileName,
    client: &Client,
    holds: Holds,
) -> Result<Found, Trouble> {
    match &client.provider {
        Provider::TokenEndpoint(url) => {
            let endpoint = Endpoint::configured(url.clone(), client);
            let auth = match client.client_id.is_empty() {
                true => endpoint.auth,
                false => {
                    client_auth::choose(name, client.client_auth, &[], holds).map_err(refused)?
                }
            };
            Ok(Found {
                endpoint: Endpoint { auth, ..endpoint },
                endpoints: client.endpoints.clone(),
                metadata: None,
            })
        }
        Provider::Issuer { text, url } => {
            let (now, issuer) = (clock::now().wall, (text.as_str(), url));
            let (http, network) = (&means.http, &client.network);
            let found = means.metadata.discover(now, http, name, issuer, network).await;
            // The token endpoint has heard nothing yet, whatever the issuer has.
            let metadata =
                found.map_err(|missed| missed.trouble_of(name).reached(Reached::Nobody))?;
            let metadata = match holds.certificate || client.client_auth == Some(ClientAuth::Tls) {
                true => metadata.over_mtls(),
                false => metadata,
            };
            let endpoint = Endpoint::discovered(name, text, &metadata, client, holds);
            Ok(Found {
                endpoint: endpoint.map_err(refused)?,
                endpoints: client.endpoints.or(&metadata.endpoints),
                metadata: Some(metadata),
            })
        }
    }
}
