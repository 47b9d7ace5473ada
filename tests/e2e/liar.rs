//! Logins at a provider whose code is neither ours nor the certified one's, and that lies in its id_tokens.

use tokctl_tests::http::Call;
use tokctl_tests::liar::Liar;
use tokctl_tests::login::Login;
use tokctl_tests::{Home, Output};

#[track_caller]
fn log_in(home: &Home, liar: &Liar, profile: &str) -> Output {
    let login = Login::start(home, profile, &["--browser"]);
    let back = liar.authorize(&login.address().0);
    Call::get(&back).send().unwrap();
    login.finish()
}

#[test]
fn a_lie_is_refused_and_what_is_left_out_without_need_is_not() {
    let (home, liar) = (Home::new().init_bare(), Liar::start());
    for (lie, refused) in [
        ("honest", None),
        // The only key is the one.
        ("no-kid", None),
        ("other-audience", Some("the id_token is for another client")),
        ("expired", Some("the id_token had expired when it came")),
        ("other-nonce", Some("the id_token does not belong to this login (`nonce`)")),
        ("no-nonce", Some("the id_token lacks `nonce`")),
        ("other-kid", Some("no key of the provider's has signed the id_token")),
    ] {
        home.tokctl(["add", lie, "--grant", "authorization_code", "--client-id", lie])
            .args(["--issuer", liar.issuer(), "--client-auth", "none", "--scope", "openid api"])
            .run()
            .ok();
        let output = log_in(&home, &liar, lie);
        let hint = format!("run `tokctl login {lie}`");
        match refused {
            None => {
                output.ok();
                home.get(lie);
            }
            Some(words) => {
                output.fails(7, &[words, &hint]);
                home.tokctl(["get", lie]).run().fails(5, &[&hint]);
            }
        }
    }
}
