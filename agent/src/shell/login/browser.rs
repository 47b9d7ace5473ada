//! A login with a browser on this machine, which comes back to a port of it (RFC 8252).

use tokctl_proto::{Failure, Kind};

use super::authorize::Authorization;
use super::deadline::Deadline;
use super::flow::{TIME_MAX, expired};
use super::known::Known;
use super::page::Page;
use super::redirect::{Arrived, Loopback};
use super::{Finished, Method, News, Step, Teller, finish};

pub(super) async fn run(known: &Known, teller: &Teller) -> Result<Finished, Failure> {
    let (profile, client) = (&known.profile.name, known.client());
    // Open before anybody is sent there.
    let loopback = Loopback::open(profile, client.login.redirect_uri.as_ref()).await?;
    let authorization = Authorization::draw(known, loopback.redirect_uri())?;
    let url = authorization.url(known).await?;
    let deadline = Deadline::after(TIME_MAX);
    teller.tell(News::Step(Step {
        method: Method::Browser,
        url,
        code: None,
        url_complete: None,
        expires_at: deadline.wall,
    }));
    let Arrived { said, browser } = tokio::select! {
        arrived = loopback.answer(authorization.expected(known)) => arrived,
        () = deadline.passed() => return Err(expired(profile)),
    };
    teller.tell(News::Committed);
    let finished = match said {
        Ok(code) => finish::with_code(known, &authorization, &code).await,
        Err(refusal) => Err(finish::again(known, refusal.failure(profile))),
    };
    let page = match &finished {
        Ok(_) => Page::Done,
        Err(failure) if failure.kind == Kind::LoginDenied => Page::Denied,
        Err(_) => Page::Failed,
    };
    browser.show(page).await;
    finished
}
