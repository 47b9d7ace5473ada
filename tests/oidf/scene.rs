//! One profile at one provider, and the test in the place of the person, of the browser and of whoever uses the token.

use std::path::Path;

use serde_json::Value;
use tokctl_tests::http::Call;
use tokctl_tests::login::Login;
use tokctl_tests::{Home, Output};

use crate::oidf::provider::{CLIENT_ID, CLIENT_SECRET, Client, Provider, Script};

/// Where one module is played.
pub(crate) struct Place<'a> {
    pub(crate) home: &'a Home,
    pub(crate) profile: String,
}

/// A profile that is there, and its provider.
pub(crate) struct Scene<'a> {
    pub(crate) place: &'a Place<'a>,
    pub(crate) provider: Provider,
    bound: bool,
}

impl Place<'_> {
    /// `tokctl add` of a profile at this provider.
    #[track_caller]
    pub(crate) fn add(&self, provider: &Provider, options: &[&str]) -> Output {
        self.home
            .tokctl(["add", &self.profile, "--grant", "authorization_code"])
            .args(["--client-id", CLIENT_ID, "--issuer", provider.issuer()])
            .args(["--scope", "openid api"])
            .args(options)
            .run()
    }

    /// A client whose ways are found in the metadata alone.
    #[track_caller]
    pub(crate) fn plain(&self, script: Script) -> Scene<'_> {
        self.plain_with(script, &[])
    }

    #[track_caller]
    pub(crate) fn plain_with(&self, script: Script, options: &[&str]) -> Scene<'_> {
        let provider = Provider::start(script);
        let secret = self.secret_file("client_secret", CLIENT_SECRET);
        let secret = ["--secret-file", &secret];
        self.add(&provider, &[&secret, options].concat()).ok();
        Scene { place: self, provider, bound: false }
    }

    /// As FAPI 2.0 has it: a key that proves the client, another that its tokens are bound to, pushed requests, and an
    /// algorithm that id_tokens are signed with.
    #[track_caller]
    pub(crate) fn fapi(&self, script: Script) -> Scene<'_> {
        let key = tokctl_tests::keys::Key::generate(tokctl_tests::keys::Algorithm::ES256);
        let file = self.secret_file("private_key", key.pem());
        let provider =
            Provider::start(Script { client: Client::PrivateKey(key), fapi: true, ..script });
        let options = ["--client-auth", "private_key_jwt", "--dpop", "--id-token-alg", "ES256"];
        self.add(&provider, &options).ok();
        self.set_secret("private_key", Path::new(&file));
        Scene { place: self, provider, bound: true }
    }

    /// At a provider of the caller's own making.
    pub(crate) fn at(&self, provider: Provider) -> Scene<'_> {
        Scene { place: self, provider, bound: false }
    }

    #[track_caller]
    pub(crate) fn set_secret(&self, name: &str, file: &Path) {
        let run = self.home.tokctl(["set-secret", &self.profile, "--name", name, "--secret-file"]);
        run.arg(file).run().ok();
    }

    fn secret_file(&self, name: &str, text: &str) -> String {
        let file = self.home.secret_file(&format!("{}.{name}", self.profile), text);
        file.to_string_lossy().into_owned()
    }
}

impl Scene<'_> {
    /// Begins a login, and gives where the browser is sent.
    #[track_caller]
    pub(crate) fn begin(&self) -> (Login, String) {
        let login = Login::start(self.place.home, &self.place.profile, &["--browser"]);
        let address = login.address().0;
        (login, address)
    }

    /// A login from its beginning to its end.
    #[track_caller]
    pub(crate) fn log_in(&self) -> Output {
        let (login, address) = self.begin();
        let page = visit(&self.provider.authorize(&address));
        let output = login.finish();
        let says = match output.code {
            0 => "You are logged in",
            _ => "The login did not work",
        };
        assert!(page.contains(says), "{page}\n{output:?}");
        output
    }

    /// Expects that logins work and that the API takes their tokens.
    #[track_caller]
    pub(crate) fn accepted(&self) -> String {
        self.log_in().ok();
        assert_eq!(self.call_api(), 200);
        "accepted, and the API takes the token".to_owned()
    }

    /// Expects that what the misbehaving provider does is refused in these words, that nothing comes of it, and that
    /// it takes nothing away: neither the next login nor the tokens of one before.
    #[track_caller]
    pub(crate) fn refused(&self, words: &str) -> String {
        self.provider.misbehave(true);
        let told = self.refused_login(words);
        self.assert_no_token();
        self.provider.misbehave(false);
        self.log_in().ok();
        let token = self.token();
        self.provider.misbehave(true);
        self.refused_login(words);
        assert_eq!(self.token(), token, "the token of the login before is gone");
        self.provider.misbehave(false);
        self.renew().ok();
        assert_ne!(self.token(), token, "the refresh token of the login before is gone");
        format!("refused: {told}")
    }

    #[track_caller]
    pub(crate) fn refused_login(&self, words: &str) -> String {
        let output = self.log_in();
        let told = failure(&output, 7, words);
        assert!(output.stderr.contains("run `tokctl login "), "no hint: {output:?}");
        told
    }

    /// Expects that no token is to be had, and that this says what to do.
    #[track_caller]
    pub(crate) fn assert_no_token(&self) {
        let hint = format!("run `tokctl login {}`", self.place.profile);
        self.get(&[]).fails(5, &[&hint]);
    }

    #[track_caller]
    pub(crate) fn renew(&self) -> Output {
        self.place.home.tokctl(["refresh", &self.place.profile]).run()
    }

    /// `tokctl get`, with a proof where the token is bound.
    #[track_caller]
    pub(crate) fn get(&self, options: &[&str]) -> Output {
        let run = self.place.home.tokctl(["get", &self.place.profile]);
        let run = match self.bound {
            true => run.args(["--dpop", "--method", "GET", "--url", &self.provider.api()]),
            false => run.arg("--header"),
        };
        run.args(options).run()
    }

    /// The access token.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        let printed = self.get(&[]).ok();
        let line = printed.lines().next().unwrap_or_default();
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    }

    /// Calls the API as a caller does, who gives the proof a nonce when the API asks for one. The status.
    #[track_caller]
    pub(crate) fn call_api(&self) -> u16 {
        let reply = self.call_api_with(&[]);
        match reply.header("dpop-nonce") {
            Some(nonce) => self.call_api_with(&["--nonce", nonce]).status,
            None => reply.status,
        }
    }

    #[track_caller]
    fn call_api_with(&self, options: &[&str]) -> tokctl_tests::http::Reply {
        let printed = self.get(options).ok();
        let call = printed.lines().fold(Call::get(&self.provider.api()), |call, line| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{printed}"));
            call.header(name, value)
        });
        call.send().unwrap_or_else(|error| panic!("{error:#}"))
    }
}

/// Goes where the provider sends the browser back to, and gives what it shows.
#[track_caller]
pub(crate) fn visit(address: &str) -> String {
    match Call::get(address).send() {
        Ok(reply) => reply.text(),
        Err(error) => panic!("nobody waits for the browser: {error:#}"),
    }
}

/// What a failure says, which must be this exit status and hold these words.
#[track_caller]
pub(crate) fn failure(output: &Output, code: i32, words: &str) -> String {
    let output = output.clone().fails(code, &[]);
    let last = output.stderr.lines().last().unwrap_or_default();
    let told = match serde_json::from_str::<Value>(last) {
        Ok(object) => object["error"]["message"].as_str().map(str::to_owned),
        Err(_) => output.stderr.lines().find_map(|line| {
            Some(line.strip_prefix("tokctl: error: ")?.split_once(": ")?.1.to_owned())
        }),
    };
    let told = told.unwrap_or_else(|| panic!("no message: {output:?}"));
    assert!(told.contains(words), "not in these words, {words:?}: {output:?}");
    told
}
