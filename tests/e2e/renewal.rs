//! Tokens are renewed ahead of expiry, and once for all who wait.

use std::collections::BTreeSet;
use std::time::Duration;

use tokctl_tests::provider::{Answer, Settings};
use tokctl_tests::{Home, Provider, eventually};

/// Long enough for a busy machine to see it, short enough to see it expire.
const SHORT: Duration = Duration::from_secs(6);

fn short_lived() -> Provider {
    Provider::start_with(Settings { lifetime: SHORT, ..Settings::default() })
}

#[test]
fn a_token_is_renewed_before_it_expires() {
    let (home, provider) = (Home::new().init_bare(), short_lived());
    home.add_at("acme", &provider);
    let first = home.get("acme");
    // Nobody asks; the agent goes by itself.
    provider.wait_for_requests(2);
    assert!(provider.is_live(&first), "it was renewed too late");
    let second = eventually("the new token is served", || {
        Some(home.get("acme")).filter(|token| *token != first)
    });
    assert!(provider.is_live(&second));
}

#[test]
fn two_hundred_clients_at_expiry_make_one_request() {
    const CLIENTS: usize = 200;
    let (home, provider) = (Home::new().init_bare(), short_lived());
    home.add_at("acme", &provider);
    provider.answer_next(Answer::Token);
    provider.answer_next(Answer::Hang);
    let first = home.get("acme");
    // The renewal hangs, and so the token expires under everybody.
    provider.wait_for_hanging(1);
    provider.wait_for_expiry(&first);
    provider.set_lifetime(Duration::from_secs(600));

    let clients: Vec<_> = (0..CLIENTS).map(|_| home.tokctl(["get", "acme"]).start()).collect();
    eventually("every client waits at the agent", || {
        let connections = home.agent_status()["connections"].as_u64()?;
        (connections >= CLIENTS as u64).then_some(())
    });
    provider.release();
    let tokens: BTreeSet<_> = clients.into_iter().map(|client| client.finish().ok()).collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert!(!tokens.contains(&first));
    // One for the first token, one for all two hundred.
    assert_eq!(provider.token_requests().len(), 2);
}

#[test]
fn clients_of_a_token_that_is_not_there_yet_share_one_request() {
    const CLIENTS: usize = 50;
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    provider.answer_next(Answer::Hang);
    let clients: Vec<_> = (0..CLIENTS).map(|_| home.tokctl(["get", "acme"]).start()).collect();
    provider.wait_for_hanging(1);
    eventually("every client waits at the agent", || {
        let connections = home.agent_status()["connections"].as_u64()?;
        (connections >= CLIENTS as u64).then_some(())
    });
    provider.release();
    let tokens: BTreeSet<_> = clients.into_iter().map(|client| client.finish().ok()).collect();
    assert_eq!((tokens.len(), provider.token_requests().len()), (1, 1));
}

#[test]
fn an_expired_token_is_never_served() {
    let (home, provider) = (Home::new().init_bare(), short_lived());
    home.add_at("acme", &provider);
    provider.answer_next(Answer::Token);
    provider.answer(Answer::json(500, "{}"));
    let token = home.get("acme");
    provider.wait_for_expiry(&token);
    home.tokctl(["get", "acme", "--timeout", "2s"]).run().fails(7, &["acme"]);
}

#[test]
fn a_validity_that_no_token_has_is_refused_without_a_request() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.get("acme");
    home.tokctl(["get", "acme", "--min-valid", "2h"]).run().fails(7, &["acme"]);
    assert_eq!(provider.token_requests().len(), 1);
    home.tokctl(["get", "acme", "--min-valid", "2h", "--best-effort"]).run().ok();
}
