//! The keys of a client at a token endpoint, whatever its grant.

use std::collections::BTreeMap;

use url::Url;

use super::super::error::{Broken, ConfigError};
use super::super::section::{Section, Spot};
use super::super::{
    Algorithm, Body, Client, ClientAuth, Endpoints, Exchange, Jwt, KeyEncoding, Login, Network,
    Provider, Quirks, ResponseShape, Subject, address, check, subject, template,
};
use super::{lacking, network};

/// Grants whose request may go without a client id.
const WITHOUT_CLIENT_ID: &[&str] = &["jwt_bearer", "token_exchange"];

pub(super) fn client(section: &Section<'_>, agent: &Network) -> Result<Client, ConfigError> {
    let network = network(section, agent)?;
    let provider = provider(section, network.allow_http_loopback)?;
    let client_auth = client_auth(section);
    let subject = section.checked(subject::KEY, subject::subject)?;
    if client_auth == Some(ClientAuth::Federated) && subject.is_none() {
        return Err(section.lacks(lacking("`subject`, which `client_auth = \"federated\"` sends")));
    }
    let subject_audience = section.checked(subject::AUDIENCE, check::plain_text)?;
    if subject == Some(Subject::GithubActions) && subject_audience.is_none() {
        return Err(section.lacks(
            lacking("`subject_audience`, whom GitHub is to make the job's token for").hint(
                "write what the provider expects as `aud`: for Microsoft Entra \
             `subject_audience = \"api://AzureADTokenExchange\"`",
            ),
        ));
    }
    Ok(Client {
        provider,
        client_id: client_id(section, client_auth)?,
        client_auth,
        scope: section.all_checked("scope", check::scope)?,
        audience: section.all_checked("audience", check::audience)?,
        resource: section.all_checked("resource", address::resource)?,
        params: parameters(section, "params", check::parameter_name)?,
        body: match section.text("body").map(|spot| spot.text) {
            Some("json") => Body::Json,
            Some("query") => Body::Query,
            Some("get") => Body::Get,
            _ => Body::Form,
        },
        assume_ttl: section.duration("assume_ttl"),
        endpoints: endpoints(section, network.allow_http_loopback)?,
        login: Login {
            redirect_uri: section.checked("redirect_uri", address::redirect_uri)?,
            params: parameters(
                section,
                "authorization_params",
                check::authorization_parameter_name,
            )?,
            id_token_alg: algorithm(section, "id_token_alg"),
        },
        quirks: quirks(section)?,
        jwt: jwt(section)?,
        subject,
        exchange: Exchange {
            subject_audience,
            subject_token_type: section.checked("subject_token_type", check::plain_text)?,
            requested_token_type: section.checked("requested_token_type", check::plain_text)?,
            impersonate: section.checked("impersonate", |text| {
                address::account(text, network.allow_http_loopback)
            })?,
        },
        dpop: section.flag("dpop"),
        network,
    })
}

/// A client that somebody logs in with. Without metadata it must name where.
pub(super) fn of_login(section: &Section<'_>, agent: &Network) -> Result<Client, ConfigError> {
    let client = client(section, agent)?;
    let Endpoints { authorization, device_authorization, .. } = &client.endpoints;
    let is_known = matches!(client.provider, Provider::Issuer { .. });
    match section.text("grant").map(|spot| spot.text) {
        _ if is_known => Ok(client),
        Some("device_code") if device_authorization.is_none() => Err(section
            .lacks(lacking("`device_authorization_endpoint`, and no `issuer` that would name it"))),
        Some("authorization_code") if authorization.is_none() => {
            Err(section
                .lacks(lacking("`authorization_endpoint`, and no `issuer` that would name it")))
        }
        _ => Ok(client),
    }
}

/// A client whose assertion says who it is: it need not prove itself besides (RFC 7523 section 3.1).
pub(super) fn of_assertion(section: &Section<'_>, agent: &Network) -> Result<Client, ConfigError> {
    let client = client(section, agent)?;
    Ok(Client { client_auth: client.client_auth.or(Some(ClientAuth::None)), ..client })
}

pub(super) fn of_exchange(section: &Section<'_>, agent: &Network) -> Result<Client, ConfigError> {
    let client = client(section, agent)?;
    match client.subject {
        Some(_) => Ok(client),
        None => Err(section.lacks(lacking("`subject`").hint(
            "name whose token is exchanged: `github-actions`, `gitlab`, `file:PATH`, `env:NAME` \
             or `profile:NAME`",
        ))),
    }
}

fn client_auth(section: &Section<'_>) -> Option<ClientAuth> {
    match section.text("client_auth")?.text {
        "basic" => Some(ClientAuth::Basic),
        "basic_raw" => Some(ClientAuth::BasicRaw),
        "post" => Some(ClientAuth::Post),
        "private_key_jwt" => Some(ClientAuth::PrivateKeyJwt),
        "client_secret_jwt" => Some(ClientAuth::ClientSecretJwt),
        "tls" => Some(ClientAuth::Tls),
        "federated" => Some(ClientAuth::Federated),
        "none" => Some(ClientAuth::None),
        _ => None,
    }
}

fn client_id(
    section: &Section<'_>,
    client_auth: Option<ClientAuth>,
) -> Result<String, ConfigError> {
    let client_id = section.checked("client_id", |text| {
        if client_auth == Some(ClientAuth::BasicRaw) {
            check::client_id_of_raw_basic(text)?;
        }
        check::client_id(text)
    })?;
    let grant = section.text("grant").map(|spot| spot.text).unwrap_or_default();
    match client_id {
        Some(client_id) => Ok(client_id),
        None if WITHOUT_CLIENT_ID.contains(&grant) => Ok(String::new()),
        None => Err(section.lacks(lacking("`client_id`"))),
    }
}

fn provider(section: &Section<'_>, http_loopback: bool) -> Result<Provider, ConfigError> {
    let issuer = section.checked("issuer", |text| {
        let url = address::issuer(text, http_loopback)?;
        Ok(Provider::Issuer { text: text.to_owned(), url })
    })?;
    let endpoint = section.checked("token_endpoint", |text| {
        address::endpoint(text, http_loopback).map(Provider::TokenEndpoint)
    })?;
    match (issuer, endpoint) {
        (Some(provider), None) | (None, Some(provider)) => Ok(provider),
        (None, None) => Err(section.lacks(lacking("`issuer` and no `token_endpoint`"))),
        (Some(_), Some(_)) => {
            let offset = section.offset("token_endpoint").unwrap_or_default();
            let broken = Broken::new("cannot stand beside `issuer`, whose metadata names it");
            Err(section.refuse(offset, "token_endpoint", broken.hint("remove one of the two")))
        }
    }
}

fn endpoints(section: &Section<'_>, http_loopback: bool) -> Result<Endpoints, ConfigError> {
    let endpoint = |name: &str| -> Result<Option<Url>, ConfigError> {
        section.checked(name, |text| address::endpoint(text, http_loopback))
    };
    Ok(Endpoints {
        authorization: endpoint("authorization_endpoint")?,
        device_authorization: endpoint("device_authorization_endpoint")?,
        pushed_authorization_request: endpoint("pushed_authorization_request_endpoint")?,
        revocation: endpoint("revocation_endpoint")?,
        introspection: endpoint("introspection_endpoint")?,
        refresh: endpoint("refresh_endpoint")?,
    })
}

fn quirks(section: &Section<'_>) -> Result<Quirks, ConfigError> {
    let headers = pairs(section, "headers", |name, value| {
        Ok((check::header_name(name)?, template::parameter(&check::plain_text(value)?)?))
    })?;
    let rename = pairs(section, "rename", |name, value| {
        Ok((check::plain_text(name)?, check::plain_text(value)?))
    })?;
    let grant = section.text("grant").map(|spot| spot.text.to_owned()).unwrap_or_default();
    Ok(Quirks {
        grant_type: section.checked("grant_type", check::plain_text)?.map(|sent| (grant, sent)),
        rename,
        headers,
        refresh_params: parameters(section, "refresh_params", check::parameter_name)?,
        scope_separator: section.checked("scope_separator", check::plain_text)?,
        response: response(section)?,
        errors: pairs(section, "errors", |code, meaning| {
            Ok((check::plain_text(code)?, check::error_code(meaning)?))
        })?,
    })
}

/// Where replies hold what.
pub(super) fn response(section: &Section<'_>) -> Result<ResponseShape, ConfigError> {
    let known = |name: &str| match ResponseShape::NAMES.contains(&name) {
        true => Ok(name.to_owned()),
        false => {
            let names = ResponseShape::NAMES.iter().copied();
            let hint = super::suggestion(name, names);
            Err(Broken::new(format!("has no `{}`", tokctl_proto::escape::shown(name))).hint(hint))
        }
    };
    pairs(section, "response", |name, path| Ok((known(name)?, check::path(path)?)))
        .map(ResponseShape)
}

pub(super) fn jwt(section: &Section<'_>) -> Result<Jwt, ConfigError> {
    let claims = pairs(section, "claims", |name, value| {
        Ok((check::plain_text(name)?, check::plain_text(value)?))
    })?;
    Ok(Jwt {
        alg: algorithm(section, "alg"),
        kid: section.checked("kid", check::plain_text)?,
        iss: section.checked("iss", check::plain_text)?,
        sub: section.checked("sub", check::plain_text)?,
        claims,
        audience: section.checked("assertion_audience", check::plain_text)?,
        lifetime: section.duration("assertion_lifetime"),
        backdate: section.duration("assertion_backdate"),
        key_encoding: match section.text("key_encoding").map(|spot| spot.text) {
            Some("hex") => KeyEncoding::Hex,
            Some("base64") => KeyEncoding::Base64,
            _ => KeyEncoding::Text,
        },
    })
}

fn algorithm(section: &Section<'_>, name: &str) -> Option<Algorithm> {
    section.text(name).and_then(|spot| Algorithm::named(spot.text))
}

/// Further parameters of a request: none that tokctl sets itself.
fn parameters(
    section: &Section<'_>,
    key: &str,
    name_of: impl Fn(&str) -> Result<String, Broken>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let read = |(name, spot): &(&str, Spot<'_>)| {
        let name = section.obey(key, spot.offset, name_of(name))?;
        let value = template::parameter(spot.text);
        Ok((name.clone(), section.obey(&format!("{key}.{name}"), spot.offset, value)?))
    };
    section.pairs(key).iter().map(read).collect()
}

/// The entries of a table, each checked.
pub(super) fn pairs(
    section: &Section<'_>,
    key: &str,
    rule: impl Fn(&str, &str) -> Result<(String, String), Broken>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let read = |(name, spot): &(&str, Spot<'_>)| {
        let key = format!("{key}.{name}");
        section.obey(&key, spot.offset, rule(name, spot.text))
    };
    section.pairs(key).iter().map(read).collect()
}
