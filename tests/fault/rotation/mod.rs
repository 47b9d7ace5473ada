//! What a refresh token that each use burns is put through.

mod answers;
mod errors;
mod full_disk;
mod kills;
mod race;
mod stop;

use tokctl_tests::{Home, Provider};

/// A profile of the scripted provider whose refresh token is burnt at each use, and its first access token.
fn rotating(home: &Home, provider: &Provider) -> String {
    add(home, provider);
    home.get("acme")
}

fn add(home: &Home, provider: &Provider) {
    use tokctl_tests::provider::{CLIENT_ID, CLIENT_SECRET};
    let secret = home.secret_file("acme.secret", CLIENT_SECRET);
    home.add_refresh_token("acme", CLIENT_ID, &provider.mint_refresh_token())
        .args(["--token-endpoint", &provider.token_endpoint(), "--scope", "api", "--secret-file"])
        .arg(secret)
        .run()
        .ok();
}

fn refresh(home: &Home) -> tokctl_tests::Run {
    tokctl_tests::rotation::refresh(home, "acme")
}
