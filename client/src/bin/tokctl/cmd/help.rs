//! `tokctl help`: a command's help, or a topic that all commands share.

use clap::CommandFactory;
use tokctl_client::proto::nearest::nearest;
use tokctl_client::proto::{Failure, Kind};

use crate::args::{Cli, HelpArgs};
use crate::cmd::presets;
use crate::exit::Stop;
use crate::session::Session;

const TOPICS: &[(&str, &str)] =
    &[("environment", ENVIRONMENT), ("exit-codes", EXIT_CODES), ("secrets", SECRETS)];

/// The agent has the text of this one.
const PRESETS: &str = "presets";

const ENVIRONMENT: &str = "\
TOKCTL_HOME       one directory for configuration, vault, state and socket: tests, CI jobs, second identities
TOKCTL_SOCK       the socket of somebody else's agent, or one of `tokctl socket`; no agent is started there
TOKCTL_SOCK_UID   the user id that agent must have, when it is not yours; any: whichever it has
TOKCTL_IDENTITY   the age identity that opens the vault, in a CI job; no agent and no program has it in its environment
TOKCTL_EPHEMERAL  1: an agent that is started belongs to this job, as `tokctl agent start --ephemeral`
TOKCTL_NO_PROMPT  ask nothing, as --no-prompt; so does CI
TOKCTL_LOG        what the agent logs: error, warn, info, debug, trace
GITHUB_ACTIONS    where it is true, `get`, `export` and `exec` send masks on stderr, unless --no-mask is given
NO_COLOR          no colour, as --color never
VISUAL, EDITOR    the editor of `tokctl edit`
BROWSER           the browser of `tokctl login`; several with colons between them, `%s` for the address
XDG_CONFIG_HOME   config.toml is in its directory tokctl (else ~/.config)
XDG_DATA_HOME     the vault (else ~/.local/share)
XDG_STATE_HOME    logs and state (else ~/.local/state)
XDG_RUNTIME_DIR   the socket (else /run/user/UID)

An agent that is started keeps HOME PATH LANG LC_* TZ XDG_* TOKCTL_* (but TOKCTL_IDENTITY)
DBUS_SESSION_BUS_ADDRESS DISPLAY WAYLAND_DISPLAY XAUTHORITY RUNNER_TRACKING_ID and nothing else. `tokctl
init` takes HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE over into the configuration.
";

const EXIT_CODES: &str = "  0  done
  1  internal error
  2  usage
  3  no such profile
  4  the vault is locked, or there is none yet
  5  a login or a secret is needed
  6  the provider refused
  7  the provider cannot be reached, failed, or said to slow down
  8  denied here
  9  no agent, and none could be started
 10  the configuration is invalid
 11  this machine: disk, permission, limits
130  Ctrl-C

`tokctl status --check` and `tokctl refresh --all` exit with the worst of their profiles, by how much it asks of
a person: 0, 7, 5, 6, 4, 10, 11, 1.
`tokctl exec` exits as its program does; 126 and 127 are a shell's, 125 is tokctl's own failure.

With --json an error is one object, the last line on stderr: {\"error\":{\"exit\",\"kind\",\"profile\",\"message\",\"hint\",\"retry_at\"}}.
";

const SECRETS: &str = "\
No option takes a secret as its value: every user of a machine can read the arguments of every process, and
shells remember them. A secret that X names is given by one of

  --X-stdin         what is piped in
  --X-file FILE     a file; one that others can read is warned about
  --X-fd N          an open descriptor, as in 3< <(pass show acme)
  --X-env NAME      a variable; it is not handed to an agent that is started

where X is secret, refresh-token, key, token, passphrase, identity or new-passphrase. One line end is taken off. On a
terminal a secret that is missing is asked for, without echo. A client's certificate and its key come by
--certificate-file and --certificate-key-file; with --generate-key the agent makes a private key itself.
Client secrets, keys and refresh tokens never come out again; tokens do, by `tokctl get`.
";

pub(crate) fn run(args: &HelpArgs, session: &Session) -> Result<(), Stop> {
    let subject = args.subject.first().map(String::as_str);
    if subject == Some(PRESETS) {
        return presets::help(args.subject.get(1).map(String::as_str), session);
    }
    if let Some((_, text)) = TOPICS.iter().find(|(topic, _)| Some(*topic) == subject) {
        return session.output.data(text.as_bytes());
    }
    let mut command = Cli::command();
    command.build();
    let mut at = &mut command;
    for name in &args.subject {
        let known: Vec<String> =
            at.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        at = match at.find_subcommand_mut(name) {
            Some(command) => command,
            None => return Err(unknown(name, &known)),
        };
    }
    session.output.line(at.render_help().to_string().trim_end())
}

fn unknown(name: &str, known: &[String]) -> Stop {
    let failure = Failure::new(Kind::Usage, format!("there is no command or topic `{name}`"));
    let topics = TOPICS.iter().map(|(topic, _)| *topic).chain([PRESETS]);
    match nearest(name, known.iter().map(String::as_str).chain(topics)) {
        Some(near) => failure.hint(format!("did you mean `tokctl help {near}`?")).into(),
        None => failure.hint("run `tokctl --help`").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_status_is_explained() {
        for kind in Kind::ALL {
            let line = format!("{:3}  ", kind.exit());
            assert!(EXIT_CODES.lines().any(|text| text.starts_with(&line)), "{kind:?}");
        }
    }
}
