//! One login from its first request to its tokens.

use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{Failure, Kind, ProfileName, Secret};
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::info;

use super::known::Known;
use super::{Finished, Method, Teller, Wish, browser, device, paste};
use crate::config::{Grant, Profile};
use crate::shell::obtain::Means;

/// A person who has not come back by then has done something else. Providers give up earlier.
pub(super) const TIME_MAX: Duration = Duration::from_secs(600);

/// What a login begins with.
pub(in crate::shell) struct Begin {
    pub means: Means,
    pub profile: Arc<Profile>,
    pub revision: u64,
    pub wish: Wish,
    /// What people paste.
    pub pasted: UnboundedReceiver<Secret>,
}

/// Goes through a login. What it brings is on the disk as it came, and is not in its place yet.
pub(in crate::shell) async fn run(begin: Begin, teller: Teller) -> Result<Box<Finished>, Failure> {
    let Begin { means, profile, revision, wish, mut pasted } = begin;
    let known = Known::gather(means, profile, revision, &wish).await?;
    let (method, is_chosen) = method(&known, &wish);
    info!(profile = %known.profile.name, method = method.name(), "a login begins");
    let gone_through = match method {
        Method::Browser => browser::run(&known, &teller).await,
        Method::Paste => paste::run(&known, &teller, &mut pasted).await,
        Method::Device => match device::begin(&known).await {
            Ok(begun) => device::run(&known, &teller, begun).await,
            // The endpoint is there, but not for this client.
            Err(failure) if !is_chosen && failure.kind == Kind::ProviderRefused => {
                teller.warn(format!(
                    "{}: the provider does not let this client log in by device ({})",
                    known.profile.name, failure.message
                ));
                paste::run(&known, &teller, &mut pasted).await
            }
            Err(failure) => Err(failure),
        },
    };
    gone_through.map(Box::new)
}

/// How the person gets there, and whether there is no other way that would do.
fn method(known: &Known, wish: &Wish) -> (Method, bool) {
    let method = match wish.method {
        Some(method) => return (without_port(known, method), true),
        None => &known.profile.grant,
    };
    let by_device = known.endpoints.device_authorization.is_some();
    match method {
        Grant::DeviceCode(_) => (Method::Device, true),
        _ if wish.has_browser => (without_port(known, Method::Browser), true),
        _ if by_device => (Method::Device, known.endpoints.authorization.is_none()),
        _ => (Method::Paste, true),
    }
}

/// A redirect URI that is on another machine ends in the browser's address bar.
fn without_port(known: &Known, method: Method) -> Method {
    let redirect_uri = known.client().login.redirect_uri.as_ref();
    match (method, redirect_uri.is_some_and(|uri| uri.url().scheme() == "https")) {
        (Method::Browser, true) => Method::Paste,
        _ => method,
    }
}

/// Nobody finished the login in time.
pub(super) fn expired(profile: &ProfileName) -> Failure {
    Failure::new(Kind::LoginExpired, "nobody finished the login in time")
        .of(profile)
        .hint(format!("run `tokctl login {profile}` again"))
}
