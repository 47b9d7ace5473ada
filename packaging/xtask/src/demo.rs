//! tokctl at work, in a minute and without a trace: a private agent, a provider whose tokens live 20 s, and
//! the agent renewing them. Nothing of the user's own is touched.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokctl_tests::bin::Programs;
use tokctl_tests::provider::{CLIENT_ID, CLIENT_SECRET, Provider, Settings};
use tokctl_tests::{Home, http};

use crate::run::{cargo, run, succeed};
use crate::say::say;

/// What becomes of it all in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    CleanUp,
    /// Goes on until Ctrl-C, and cleans up then.
    Keep,
}

const LIFETIME: Duration = Duration::from_secs(20);
/// Long enough to see two renewals.
const SHOWN: Duration = Duration::from_secs(25);
const LOOKS_EVERY: Duration = Duration::from_millis(250);

pub(crate) fn demo(after: After) -> Result<ExitCode> {
    let stop = stop_on_ctrl_c()?;
    run(&mut cargo(["build", "--quiet", "-p", "tokctl-client", "-p", "tokctl-agent"]))?;
    let home = Home::with_programs(Programs::built()?, None)?;
    let provider = Provider::try_start(Settings { lifetime: LIFETIME, ..Settings::default() })?;
    say!(
        "\nA provider on this machine, whose tokens live {} s: {}",
        LIFETIME.as_secs(),
        provider.issuer()
    );
    say!("A home of its own for tokctl: {}\n", home.path().display());

    let secret = home.secret_file("secret", CLIENT_SECRET);
    typed(&home, &["init", "--no-passphrase"])?;
    let add = ["add", "acme", "--grant", "client_credentials", "--issuer", &provider.issuer()];
    let client = ["--client-id", CLIENT_ID, "--scope", "api", "--secret-file"];
    typed(&home, &[&add[..], &client, &[path(&secret)?]].concat())?;
    let token = typed(&home, &["get", "acme"])?;
    let (api, bearer) = (provider.api(), token.as_str());
    say!("$ curl -H \"$(tokctl get acme --header)\" {api}");
    say!("{}\n", called(&api, bearer)?.1);

    let shown = watch(&home, &provider, &token, &stop);
    if shown.is_ok() && after == After::Keep && !stop.load(Ordering::SeqCst) {
        say!("\nIt goes on. In another terminal:\n");
        say!("  export TOKCTL_HOME={}", home.path().display());
        say!("  export PATH={}:$PATH", home.programs().directory.display());
        say!("  tokctl status");
        say!("  curl -H \"$(tokctl get acme --header)\" {api}\n");
        say!("Ctrl-C here ends and removes it all.");
        while !stop.load(Ordering::SeqCst) {
            std::thread::sleep(LOOKS_EVERY);
        }
    }
    typed(&home, &["agent", "stop"])?;
    drop(home);
    say!("The agent, the provider and the home are gone.");
    shown.map(|()| ExitCode::SUCCESS)
}

/// Prints a line for each new token, until the time is over.
fn watch(home: &Home, provider: &Provider, first: &str, stop: &AtomicBool) -> Result<()> {
    say!(
        "For {} s, what the agent does by itself: it renews each token ahead of its expiry.\n",
        SHOWN.as_secs()
    );
    say!("{:>7}  {:<28}{:<14}the one before it", "", "token", "good for");
    let begun = Instant::now();
    let api = provider.api();
    let mut before: Option<String> = None;
    let mut token = first.to_owned();
    let mut renewals = 0;
    while begun.elapsed() < SHOWN && !stop.load(Ordering::SeqCst) {
        if before.as_deref() != Some(&token) {
            let note = match &before {
                None => String::new(),
                Some(old) => {
                    renewals += 1;
                    match called(&api, old)? {
                        (200, left) => format!("still good for {} s", left["expires_in"]),
                        _ => "has expired".to_owned(),
                    }
                }
            };
            let (status, left) = called(&api, &token)?;
            if status != 200 {
                bail!("the API refused a token that tokctl handed out: {left}");
            }
            let seconds = begun.elapsed().as_secs_f64();
            let good = format!("{} s", left["expires_in"]);
            say!("{seconds:>5.1} s  {token:<28}{good:<14}{note}");
            before = Some(token);
        }
        std::thread::sleep(LOOKS_EVERY);
        token = succeed(home.tokctl(["get", "acme"]))?;
    }
    let requests = provider.token_requests().len();
    say!(
        "\n{renewals} renewals, {requests} requests to the provider, and every token was good when it was handed out."
    );
    Ok(())
}

/// Shows a command, runs it and shows what it says.
fn typed(home: &Home, words: &[&str]) -> Result<String> {
    say!("$ tokctl {}", words.join(" "));
    let output = home.tokctl(words).run();
    for text in [&output.stderr, &output.stdout] {
        if !text.is_empty() {
            say!("{}", text.trim_end());
        }
    }
    say!("");
    match output.code {
        0 => Ok(output.stdout.trim_end().to_owned()),
        code => bail!("`tokctl {}` ended with {code}", words[0]),
    }
}

fn called(api: &str, token: &str) -> Result<(u16, serde_json::Value)> {
    http::get_json(api, Some(token)).context("the API")
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("the temporary directory is not UTF-8")
}

/// Turns true at Ctrl-C, so that the agent is stopped and the files are removed whatever happens.
fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = Arc::clone(&stop);
    std::thread::spawn(move || {
        runtime.block_on(async {
            // Without a handler Ctrl-C ends the demo at once, which is no worse than before.
            if tokio::signal::ctrl_c().await.is_ok() {
                told.store(true, Ordering::SeqCst);
            }
        });
    });
    Ok(stop)
}
