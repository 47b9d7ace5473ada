//! SIGKILL at system calls all over a refresh.

use tokctl_tests::rotation::kills::Kills;
use tokctl_tests::{machine, trace};

/// Enough to hit each step of a refresh; `cargo xtask sweep` does a hundred times as many.
const KILLS: u64 = 50;

#[test]
fn a_killed_agent_loses_no_refresh_token_whose_answer_it_wrote() {
    if !trace::is_allowed() {
        return machine::not_run("ptrace is not allowed");
    }
    let kills = Kills::run(machine::number_from("TOKCTL_KILLS", KILLS), |_| {});
    assert_eq!(kills.corrupt, 0, "{kills}");
    assert!(kills.lost.is_empty(), "{kills}\n{:#?}", kills.lost);
    assert!(kills.unanswered.is_empty(), "{kills}\n{:#?}", kills.unanswered);
    assert!(kills.committed > 0 && kills.recovered > 0, "nothing was tried: {kills}");
    // The window is a few calls of several hundred.
    assert!(kills.lost_in_window * 4 < kills.kills, "{kills}");
}
