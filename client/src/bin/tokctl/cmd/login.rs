//! `tokctl login`: a person proves at the provider who they are.
//!
//! The agent does the login and says what the person is to do. Here that is shown, the browser is
//! opened, since the agent's idea of a display is stale, and what the agent asks for is asked of the
//! person. The agent is heard by a thread of its own, so that Ctrl-C ends this at once; it then sees that
//! nobody waits any more.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};

use serde::Serialize;
use tokctl_client::proto::request::Login;
use tokctl_client::{Error, ProfileName, Request, Secret};

use crate::exit::Stop;
use crate::session::Session;
use crate::terminal::{Signals, Terminal, Typed, is_for_us};
use feed::{Answer, Feed, News, Step, Woken};
use progress::Countdown;

mod browser;
mod feed;
mod progress;
mod qr;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Without --browser, --device or --paste, a browser is opened where there is a display. Over ssh, or without a display, \
you are shown a code to type on another device where the provider can do that; else you open an address \
wherever you have a browser, and paste the one at which it ends. $BROWSER names the browser.

The address that is registered at the provider for browsers is http://127.0.0.1/callback, with any port; `tokctl set \
NAME redirect_uri=URL` says another one.

Scopes that --scope adds hold for this login alone: the plain token is renewed for the profile's, and `tokctl get NAME \
--scope SCOPE` has the others.

With --json there is a line on stdout when you are to do something (profile, method, url, code, url_complete, \
expires_at, when the login ends without you) and one at the end (profile, method, logged_in, message).

Examples:
  tokctl login acme
  tokctl login acme --device --scope repo
  ssh host -t tokctl login acme --paste")]
pub(crate) struct LoginArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// Use a browser on this machine, which comes back to it
    #[arg(long, group = "method")]
    browser: bool,
    /// Type a code on any other device
    #[arg(long, group = "method")]
    device: bool,
    /// Use a browser anywhere, and paste the address at which it ends
    #[arg(long, group = "method")]
    paste: bool,
    /// Ask for these scopes too; repeat it or separate them by spaces
    #[arg(long)]
    scope: Vec<String>,
}

pub(crate) fn run(args: &LoginArgs, session: &Session) -> Result<(), Stop> {
    let method = match () {
        () if args.browser => Some("browser"),
        () if args.device => Some("device"),
        () if args.paste => Some("paste"),
        () => None,
    };
    log_in(&args.profile, method, &args.scope, session)
}

/// Logs in in whatever way fits, as what follows from another command.
pub(crate) fn run_for(profile: &ProfileName, session: &Session) -> Result<(), Stop> {
    log_in(profile, None, &[], session)
}

fn log_in(
    profile: &ProfileName,
    method: Option<&'static str>,
    scope: &[String],
    session: &Session,
) -> Result<(), Stop> {
    let request = Request::Login(Login {
        profile: profile.to_string().into(),
        scope: scope.iter().map(|scope| scope.clone().into()).collect(),
        method: method.map(Into::into),
        has_browser: method == Some("browser") || browser::is_at_hand(),
        interactive: session.can_ask(),
    });
    let client = session.client()?;
    let mut signals = Some(Signals::hold()?);
    // Begun while the signals are held, so that none of them is delivered to it.
    let mut guide = Guide { profile, session, step: None, countdown: None };
    let feed = Feed::start(client, request, session.can_ask())?;
    loop {
        if signals.is_none() {
            signals = Some(Signals::hold()?);
        }
        let Some(held) = &signals else { continue };
        match feed.wait(held, guide.countdown.as_ref().map(Countdown::next))? {
            Woken::Late => guide.count_down(),
            Woken::Signal(signal) => {
                guide.clear();
                if is_for_us(signal) {
                    return Err(Error::Cancelled.into());
                }
                signals.take().map(|held| held.deliver(signal)).transpose()?;
                guide.count_down();
            }
            Woken::News(News::Ask { prompt, hidden, agent, answer }) => {
                guide.clear();
                // Whoever asks holds signals itself.
                signals = None;
                let answered = ask(&prompt, hidden, &agent, session);
                // The agent may have gone meanwhile; then that is the next thing that is heard.
                let _gone = answer.send(answered?);
            }
            Woken::News(News::Step(step)) => guide.show(step)?,
            Woken::News(News::Talk { text, is_warning }) => guide.talk(&text, is_warning),
            Woken::News(News::Ended(ended)) => return guide.end(ended),
        }
    }
}

/// Asks at the terminal; where there is none, what is not secret may come from stdin.
fn ask(prompt: &str, hidden: bool, agent: &OwnedFd, session: &Session) -> Result<Answer, Stop> {
    if session.can_ask() {
        return Ok(match Terminal::open()?.ask(prompt, hidden, Some(agent.as_fd()))? {
            Typed::Line(text) => Answer::Line(text),
            Typed::Settled => Answer::Settled,
        });
    }
    if hidden {
        return Ok(Answer::Cancelled);
    }
    let mut line = String::new();
    match io::stdin().read_line(&mut line) {
        Ok(read) if read > 0 => Ok(Answer::Line(Secret::new(line))),
        Ok(_) => Ok(Answer::Cancelled),
        Err(error) => Err(Stop::machine(format!("cannot read stdin: {error}"))),
    }
}

/// Shows a person the way.
struct Guide<'a> {
    profile: &'a ProfileName,
    session: &'a Session,
    step: Option<Step>,
    /// While there is something to wait for.
    countdown: Option<Countdown>,
}

/// What a program is told, a line each.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Step {
        profile: &'a str,
        method: &'a str,
        url: &'a str,
        code: Option<&'a str>,
        url_complete: Option<&'a str>,
        expires_at: i64,
    },
    End {
        profile: &'a str,
        method: Option<&'a str>,
        logged_in: bool,
        message: &'a str,
    },
}

impl Guide<'_> {
    fn show(&mut self, step: Step) -> Result<(), Stop> {
        self.clear();
        let output = &self.session.output;
        if output.json {
            output.json(&Line::Step {
                profile: self.profile.as_str(),
                method: &step.method,
                url: &step.url,
                code: step.code.as_deref(),
                url_complete: step.url_complete.as_deref(),
                expires_at: step.expires_at,
            })?;
        }
        let name = self.profile;
        let opened = step.opens && browser::open(&step.url);
        let first = match (step.method.as_str(), opened) {
            ("browser" | "paste", true) => {
                format!(
                    "opening a browser to log in to {name}; if none comes up, open this address:"
                )
            }
            ("browser", false) => {
                format!("to log in to {name}, open this address in a browser on this machine:")
            }
            ("paste", false) => format!("to log in to {name}, open this address in any browser:"),
            _ => format!("to log in to {name}, open this address on any device:"),
        };
        output.notice(&first);
        output.notice(&format!("  {}", step.url));
        if step.method == "paste" {
            output.notice(
                "at its end the browser shows that it cannot connect, or a page that means nothing: \
                 then copy its address bar",
            );
        }
        if let Some(code) = &step.code {
            output.notice("and type this code:");
            output.notice(&format!("  {code}"));
            let url = step.url_complete.as_deref().unwrap_or(&step.url);
            if let Some(lines) = qr::lines(url, output) {
                output.picture(&lines);
            }
        }
        // Whoever is asked for something sees a prompt instead.
        self.countdown = match step.method == "paste" {
            true => None,
            false => Some(Countdown::start(step.expires_at, output)),
        };
        self.step = Some(step);
        Ok(())
    }

    fn count_down(&mut self) {
        if let Some(countdown) = &mut self.countdown {
            countdown.draw();
        }
    }

    fn clear(&mut self) {
        if let Some(countdown) = &mut self.countdown {
            countdown.clear();
        }
    }

    fn talk(&mut self, text: &str, is_warning: bool) {
        self.clear();
        match is_warning {
            true => self.session.output.warn(text),
            false => self.session.output.talk(text),
        }
        self.count_down();
    }

    fn end(mut self, ended: Result<String, Error>) -> Result<(), Stop> {
        self.clear();
        let message = ended?;
        let output = &self.session.output;
        output.talk(&message);
        if output.json {
            output.json(&Line::End {
                profile: self.profile.as_str(),
                method: self.step.as_ref().map(|step| step.method.as_str()),
                logged_in: true,
                message: &message,
            })?;
        }
        Ok(())
    }
}

/// Whether stderr is a terminal on which lines can be drawn over.
fn can_draw() -> bool {
    io::stderr().is_terminal()
        && std::env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb")
}
