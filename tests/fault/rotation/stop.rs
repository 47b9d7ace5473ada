//! An agent that is asked to stop while the provider works on a refresh waits for the answer and saves it.

use nix::sys::signal::Signal;
use tokctl_tests::process::Running;
use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider, eventually};

use super::{refresh, rotating};

#[test]
fn an_answer_that_comes_after_a_stop_is_saved() {
    let stop: [fn(&Home) -> Option<Running>; 2] = [
        |home| {
            home.signal_agent(Signal::SIGTERM);
            None
        },
        // It is told that the agent is gone only when it is.
        |home| Some(home.tokctl(["agent", "stop"]).start()),
    ];
    for stop in stop {
        let (home, provider) = (Home::new().init_bare(), Provider::start());
        rotating(&home, &provider);
        provider.answer_next(Answer::Hang);
        let get = || home.tokctl(["get", "acme", "--audience", "https://api.example/"]);
        let _asking = get().start();
        provider.wait_for_hanging(1);
        let _stopping = stop(&home);
        provider.release();
        eventually("the agent is gone", || home.agent_pid().is_none().then_some(()));
        assert_eq!(provider.rotations(), 2, "it did not wait for the answer");

        get().run().ok();
        assert_eq!(provider.token_requests().len(), 2, "the saved token was not served");
        refresh(&home).run().ok();
        assert_eq!(provider.revoked_families(), 0);
    }
}
