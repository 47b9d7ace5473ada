//! `cargo xtask COMMAND`: what is done with tokctl rather than in it. One file per command.

mod bench;
mod demo;
mod golden;
mod install;
mod prepare;
mod run;
mod say;
mod sweep;
mod test;
mod wheel;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::say::say;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  demo [--keep]   tokctl at work: a private agent, a provider whose tokens live 20 s, a profile,
                  and its renewals as they happen; --keep leaves it running
  install         builds the static client and the agent and puts them into ~/.local/bin
  prepare         installs what the tests need: Debian packages, npm's and Python's
  test            installs what the tests need and runs everything
  bench           how fast it is, as ratios; `bench [PART...] [--rounds N]`
  golden          writes the wire's golden files again
  seeds N         N histories of the simulator; names the one that fails
  wheel [DIR]     builds the Python package's wheel into DIR, or target/wheel
  sweep           the large sizes, with a report; `sweep [PART...] [--seeds N]`
";

fn main() -> ExitCode {
    match dispatch(std::env::args().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            say!("xtask: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: Vec<String>) -> Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["demo"] => demo::demo(demo::After::CleanUp),
        ["demo", "--keep"] => demo::demo(demo::After::Keep),
        ["install"] => install::install(),
        ["prepare"] => prepare::prepare(),
        ["test"] => test::test(),
        ["bench", "echo-server", socket, bytes] => {
            bench::echo::serve(socket.as_ref(), bytes.parse()?)
        }
        ["bench", words @ ..] => bench::bench(words),
        ["golden"] => golden::golden(),
        ["wheel"] => wheel::wheel(&run::target_dir()?.join("wheel")),
        ["wheel", directory] => wheel::wheel(directory.as_ref()),
        ["seeds", number] => sweep::seeds::seeds(number.parse()?),
        ["sweep", words @ ..] => sweep::sweep(words),
        [] | ["help" | "--help" | "-h"] => {
            say!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        [command, ..] => bail!("there is no `{command}` like that\n{USAGE}"),
    }
}
