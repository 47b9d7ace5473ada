//! `probe`: one call of an API with a profile's token and the same without, and what that means.
//!
//! The token goes where `api_urls` allow it and as `header` or `query` have it. Nothing is reported to the core by it:
//! a probe is a question, and an answer that means something is there for a person to act on. What is shown of an
//! answer is without the token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::Value;
use tokctl_core::Served;
use tokctl_proto::escape::{SHOWN_CHARS_MAX, shown};
use tokctl_proto::response::{Answered, Done, Probed};
use tokctl_proto::{Failure, Secret};
use url::Url;

use super::command::ProofFor;
use super::http::{ApiAnswer, ApiCall, HttpError};
use super::live::Live;
use super::obtain::Means;
use super::perform::prove;
use super::reply::ReplyTo;
use super::rows;
use crate::config::{self, Network, Profile};
use crate::oauth::buffer::Buffer;
use crate::oauth::claims;

mod verdict;

use verdict::{Facts, Heard};

/// What is called.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub method: Method,
    pub url: Url,
    pub body: Option<Secret>,
    pub content_type: String,
}

/// Whether the profile's token may be used there.
pub(super) fn check(live: &Live, served: &Served, url: &Url) -> Result<(), Failure> {
    let owners = [Some(&served.profile), served.member.as_ref()];
    let at = Some(url.as_str());
    let mut owners = owners.into_iter().flatten();
    owners.try_for_each(|name| config::usage(&live.config, Some(name), at, None).map(drop))
}

/// Calls, and answers the client.
pub(super) async fn probe(
    means: Means,
    live: Live,
    served: Served,
    endpoint: Endpoint,
    is_bound: bool,
    reply: ReplyTo,
) {
    match probed(&means, &live, &served, &endpoint, is_bound).await {
        Ok(Told { with, without, verdict, hint, asked, granted, audience }) => {
            let forms = seen_as(&served.token.access_token);
            reply.done(Done::Probed(Probed {
                with: answered(&with, &forms),
                without: answered(&without, &forms),
                verdict: verdict.into(),
                hint: hint.map(Into::into),
                asked: asked.into(),
                granted: granted.into(),
                audience,
            }));
        }
        Err(failure) => reply.failed(&failure.of(&served.profile)),
    }
}

type Outcome = Result<ApiAnswer, HttpError>;

struct Told {
    with: Outcome,
    without: Outcome,
    verdict: String,
    hint: Option<String>,
    asked: String,
    granted: String,
    audience: Vec<String>,
}

async fn probed(
    means: &Means,
    live: &Live,
    served: &Served,
    endpoint: &Endpoint,
    is_bound: bool,
) -> Result<Told, Failure> {
    check(live, served, &endpoint.url)?;
    let owner = served.member.as_ref().unwrap_or(&served.profile);
    let usage = config::usage(&live.config, Some(owner), None, None)?;
    let profile = usage.profile;
    let network = profile.grant.network().cloned().unwrap_or_else(|| Network {
        allow_http_loopback: profile.allow_http_loopback,
        ..live.config.network.clone()
    });
    let bare = bare(endpoint);
    let carrying = match usage.query {
        Some(name) => in_query(&bare, name, &served.token.access_token),
        None if is_bound => bare.clone(),
        None => in_header(&bare, usage.header, &served.token.access_token),
    };
    let with = async {
        match is_bound {
            true => with_proof(means, &network, served, &bare, usage.header).await,
            false => Ok(means.http.call(&network, carrying).await),
        }
    };
    let (with, without) = tokio::join!(with, means.http.call(&network, bare.clone()));
    let with = with?;
    let asked = asked(served, profile);
    let granted = rows::token2(served, live).scope.into_owned();
    let audience = audience(served, profile);
    let (verdict, hint) = verdict::of(&Facts {
        profile: owner.as_str(),
        grant: profile.grant.name(),
        method: endpoint.method.as_str(),
        asked: &asked,
        granted: &granted,
        is_bound,
        with: heard(&with),
        without: heard(&without),
    });
    Ok(Told { with, without, verdict, hint, asked, granted, audience })
}

fn bare(endpoint: &Endpoint) -> ApiCall {
    let content_type = ("content-type".to_owned(), Secret::new(endpoint.content_type.clone()));
    ApiCall {
        method: endpoint.method.clone(),
        url: endpoint.url.clone(),
        headers: endpoint.body.iter().map(|_| content_type.clone()).collect(),
        body: endpoint.body.clone().unwrap_or_else(|| Secret::new(String::new())),
    }
}

fn in_query(bare: &ApiCall, name: &str, token: &Secret) -> ApiCall {
    let mut call = bare.clone();
    call.url.query_pairs_mut().append_pair(name, token.expose());
    call
}

fn in_header(bare: &ApiCall, template: &str, token: &Secret) -> ApiCall {
    let mut call = bare.clone();
    // A template was checked when the configuration was read.
    let (name, value) = template.split_once(':').unwrap_or(("Authorization", template));
    let mut text = Buffer::default();
    let mut pieces = |before: &str, put: &str, after: &str| {
        [before, put, after].iter().for_each(|piece| text.push_str(piece));
    };
    let value = value.trim();
    match (value.split_once("{token}"), value.split_once("{basic}")) {
        (Some((before, after)), _) => pieces(before, token.expose(), after),
        (None, Some((before, after))) => {
            let basic = Secret::new(STANDARD.encode(token.expose()));
            pieces(before, basic.expose(), after);
        }
        (None, None) => pieces(value, "", ""),
    }
    let value = text.into_secret().expect("made of text alone");
    call.headers.push((name.trim().to_ascii_lowercase(), value));
    call
}

/// With a proof for this request (RFC 9449), and with another one where the API wants its nonce in it.
async fn with_proof(
    means: &Means,
    network: &Network,
    served: &Served,
    bare: &ApiCall,
    header: &str,
) -> Result<Outcome, Failure> {
    let header = rows::bound_header(header);
    let mut outcome = None;
    for _ in 0..2 {
        let wanted = ProofFor {
            method: bare.method.as_str().to_owned(),
            url: bare.url.clone(),
            nonce: means.http.nonce(&bare.url),
        };
        let served = served.clone();
        let token = served.token.access_token.clone();
        let proof = means.jobs.ask(move |worker| prove(worker, &served, &wanted)).await?;
        let mut call = in_header(bare, header, &token);
        call.headers.push(("dpop".to_owned(), proof));
        let called = means.http.call(network, call).await;
        let wants_nonce =
            called.as_ref().is_ok_and(|answer| answer.status == 401 && answer.is_nonce_new);
        outcome = Some(called);
        if !wants_nonce {
            break;
        }
    }
    Ok(outcome.expect("it was called at least once"))
}

fn asked(served: &Served, profile: &Profile) -> String {
    let own = profile.grant.client().map(|client| &client.scope);
    let asked = if served.asked.is_empty() { own } else { Some(&served.asked) };
    asked.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Whom the token says that it is for, or else whom it was asked for.
fn audience(served: &Served, profile: &Profile) -> Vec<String> {
    let claims = claims::of(&served.token.access_token);
    let claims = claims.and_then(|text| serde_json::from_str::<Value>(text.expose()).ok());
    let texts = |value: &Value| match value {
        Value::String(text) => vec![shown(text)],
        Value::Array(values) => {
            values.iter().filter_map(Value::as_str).take(AUDIENCES_MAX).map(shown).collect()
        }
        _ => Vec::new(),
    };
    match claims.and_then(|claims| claims.get("aud").map(texts)) {
        Some(told) => told,
        None => profile.grant.client().iter().flat_map(|it| &it.audience).cloned().collect(),
    }
}

/// More than a person reads.
const AUDIENCES_MAX: usize = 16;

fn heard(outcome: &Outcome) -> Heard<'_> {
    match outcome {
        Ok(answer) => Heard {
            status: Some(answer.status),
            problem: None,
            challenge: answer.www_authenticate.as_deref(),
            retry_after_s: answer.retry_after.map(|wait| wait.as_secs()),
            location: answer.location.as_deref(),
            body: &answer.body,
        },
        Err(error) => Heard { problem: Some(error.to_string()), ..Heard::default() },
    }
}

fn answered(outcome: &Outcome, forms: &[Secret]) -> Answered<'static> {
    let safe = |text: &str| shown(&masked(text, forms));
    match outcome {
        Ok(answer) => Answered {
            status: Some(answer.status),
            problem: None,
            www_authenticate: answer.www_authenticate.as_deref().map(|text| safe(text).into()),
            retry_after_s: answer
                .retry_after
                .map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)),
            body: beginning(&safe(&String::from_utf8_lossy(&answer.body))).into(),
        },
        Err(error) => Answered {
            status: None,
            problem: Some(safe(&error.to_string()).into()),
            www_authenticate: None,
            retry_after_s: None,
            body: "".into(),
        },
    }
}

/// 300 characters, an ellipsis among them.
fn beginning(text: &str) -> String {
    match text.chars().count() > SHOWN_CHARS_MAX {
        true => text.chars().take(SHOWN_CHARS_MAX - 1).chain(['\u{2026}']).collect(),
        false => text.to_owned(),
    }
}

/// The forms in which an API may send a token back.
fn seen_as(token: &Secret) -> Vec<Secret> {
    let escaped: String = form_urlencoded::byte_serialize(token.expose().as_bytes()).collect();
    let mut forms = vec![
        token.clone(),
        Secret::new(STANDARD.encode(token.expose())),
        Secret::new(escaped),
        Secret::new(token.expose().replace('/', "\\/")),
    ];
    // Longer ones first: a shorter one may be part of it.
    forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
    forms
}

fn masked(text: &str, forms: &[Secret]) -> String {
    forms
        .iter()
        .filter(|form| !form.is_empty())
        .fold(text.to_owned(), |text, form| text.replace(form.expose(), "***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_shown_without_the_token_and_without_its_escapes() {
        let token = Secret::new("t/k+1".to_owned());
        let body = format!(
            "\x1b[2J{} t/k+1 t\\/k+1 t%2Fk%2B1 {}",
            STANDARD.encode("t/k+1"),
            "x".repeat(400)
        );
        let answer = ApiAnswer {
            status: 401,
            www_authenticate: Some("Bearer t/k+1\x07".to_owned()),
            retry_after: None,
            is_nonce_new: false,
            location: None,
            body: body.into_bytes().into(),
        };
        let told = answered(&Ok(answer), &seen_as(&token));
        assert!(told.body.starts_with("\\u{1b}[2J*** *** *** *** xxx"), "{}", told.body);
        assert_eq!(told.body.chars().count(), 300);
        assert_eq!(told.www_authenticate.as_deref(), Some("Bearer ***\\u{7}"));
    }

    #[test]
    fn a_token_goes_where_its_header_says() {
        let endpoint = Endpoint {
            method: Method::GET,
            url: Url::parse("https://a.example/x?y=1").unwrap(),
            body: None,
            content_type: String::new(),
        };
        let token = Secret::new("a b".to_owned());
        for (template, name, value) in [
            ("Authorization: Bearer {token}", "authorization", "Bearer a b"),
            ("X-Key:{token}", "x-key", "a b"),
            ("Authorization: Basic {basic}", "authorization", "Basic YSBi"),
        ] {
            let call = in_header(&bare(&endpoint), template, &token);
            assert_eq!((call.headers[0].0.as_str(), call.headers[0].1.expose()), (name, value));
        }
        let call = in_query(&bare(&endpoint), "key", &token);
        assert_eq!(call.url.as_str(), "https://a.example/x?y=1&key=a+b");
    }
}
