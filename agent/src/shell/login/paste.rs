//! A login with a browser on another machine: at the end its address bar holds what we need, and a
//! person brings it here.

use tokctl_proto::{Failure, Kind, Secret};
use tokio::sync::mpsc::UnboundedReceiver;

use super::authorize::{Authorization, random};
use super::deadline::Deadline;
use super::flow::{TIME_MAX, expired};
use super::known::Known;
use super::{Finished, Method, News, Step, Teller, finish};
use crate::config::RedirectUri;
use crate::oauth::redirect::{Judged, judge, pasted_query};

/// Who pastes something else so often has something else.
const TRIES_MAX: usize = 5;
/// Where nobody has registered anything else.
const REDIRECT_URI: &str = "http://127.0.0.1/callback";
/// Ports that nobody is assigned (RFC 6335 section 6), so that hardly ever somebody answers there.
const PORT_MIN: u16 = 49_152;

pub(super) async fn run(
    known: &Known,
    teller: &Teller,
    pasted: &mut UnboundedReceiver<Secret>,
) -> Result<Finished, Failure> {
    let profile = &known.profile.name;
    let authorization = Authorization::draw(known, redirect_uri(known)?.text())?;
    let url = authorization.url(known).await?;
    let deadline = Deadline::after(TIME_MAX);
    teller.tell(News::Step(Step {
        method: Method::Paste,
        url,
        code: None,
        url_complete: None,
        expires_at: deadline.wall,
    }));
    let expected = authorization.expected(known);
    for _ in 0..TRIES_MAX {
        teller.tell(News::Ask);
        let text = tokio::select! {
            text = pasted.recv() => text.ok_or_else(|| expired(profile))?,
            () = deadline.passed() => return Err(expired(profile)),
        };
        match judge(pasted_query(text.expose()), &expected) {
            Judged::Stray => {
                let text = format!("{profile}: that is not the address at which this login ended");
                teller.warn(text);
            }
            Judged::Answer(Err(refusal)) => {
                return Err(finish::again(known, refusal.failure(profile)));
            }
            Judged::Answer(Ok(code)) => {
                teller.tell(News::Committed);
                return finish::with_code(known, &authorization, &code).await;
            }
        }
    }
    let message = "none of what was pasted is the address at which the login ended";
    Err(Failure::new(Kind::Usage, message)
        .of(profile)
        .hint("copy the whole address bar, when the browser shows that it cannot connect"))
}

/// The registered one, or a port of the browser's machine at which nobody answers.
fn redirect_uri(known: &Known) -> Result<RedirectUri, Failure> {
    let registered = match &known.client().login.redirect_uri {
        Some(registered) => registered.clone(),
        None => RedirectUri::read(REDIRECT_URI).expect("the default is a URL"),
    };
    if registered.url().scheme() == "https" {
        return Ok(registered);
    }
    let drawn = random().map_err(|error| Failure::new(Kind::Machine, error.to_string()))?;
    Ok(registered.at_port(PORT_MIN | u16::from_be_bytes(drawn)))
}
