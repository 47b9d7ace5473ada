//! Logins with id_tokens that are somebody else's, or signed with keys that are none.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokctl_tests::keys::{Algorithm, Key, hs256, unsigned};
use tokctl_tests::login::Login;
use tokctl_tests::provider::{Answer, CLIENT_ID};
use tokctl_tests::{Home, Output, Provider, api};

use super::{home_with_good, is_harmless, json as answer};

const HOUR_S: i64 = 3600;

fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// One login.
struct Case {
    name: &'static str,
    /// What the metadata says otherwise.
    metadata: Value,
    jwks: Answer,
    /// They are what is waited for, and not the tokens.
    keys_are_late: bool,
    /// Makes an id_token of the claims that an honest one has.
    sign: Box<dyn Fn(Value) -> String>,
    /// The clock that the provider shows with its answer.
    date: Option<&'static str>,
    code: i32,
    words: &'static str,
}

impl Case {
    fn new(name: &'static str, words: &'static str) -> Self {
        let key = Key::rsa();
        Self {
            name,
            metadata: json!({}),
            keys_are_late: false,
            jwks: jwks(vec![key.public_jwk().clone()]),
            sign: Box::new(move |claims| key.sign(&key.header(), &claims)),
            date: None,
            code: 7,
            words,
        }
    }

    fn metadata(self, metadata: Value) -> Self {
        Self { metadata, ..self }
    }

    fn jwks(self, jwks: Answer) -> Self {
        Self { jwks, keys_are_late: true, ..self }
    }

    fn sign(self, sign: impl Fn(Value) -> String + 'static) -> Self {
        Self { sign: Box::new(sign), ..self }
    }

    /// With a claim that is another.
    fn claim(self, name: &'static str, value: Value) -> Self {
        let key = Key::rsa();
        self.sign(move |mut claims| {
            claims[name] = value.clone();
            key.sign(&key.header(), &claims)
        })
    }
}

fn jwks(keys: Vec<Value>) -> Answer {
    answer(&json!({ "keys": keys }))
}

/// Adds a profile whose issuer is at a path of its own, and gives that path.
#[track_caller]
fn add(home: &Home, provider: &Provider, profile: &str, case: &Case) -> String {
    let path = format!("/{profile}");
    let issuer = provider.url(&path);
    let mut metadata = json!({
        "issuer": issuer, "token_endpoint": format!("{issuer}/token"),
        "authorization_endpoint": format!("{issuer}/auth"), "jwks_uri": format!("{issuer}/jwks"),
    });
    metadata.as_object_mut().unwrap().extend(case.metadata.as_object().unwrap().clone());
    provider.serve(&format!("{path}/.well-known/openid-configuration"), answer(&metadata));
    home.tokctl(["add", profile, "--grant", "authorization_code", "--client-id", CLIENT_ID])
        .args(["--client-auth", "none", "--scope", "openid", "--issuer", &issuer])
        .run()
        .ok();
    path
}

/// Logs in; another profile is answered before the tokens come, or the keys.
fn log_in(home: &Home, provider: &Provider, profile: &str, path: &str, case: &Case) -> Output {
    let login = Login::start(home, profile, &["--browser", "-q"]);
    let address = login.address();
    let claims = json!({
        "iss": provider.url(path), "sub": "ada", "aud": CLIENT_ID, "nonce": address.parameter("nonce"),
        "iat": now_s(), "exp": now_s() + HOUR_S,
    });
    let tokens = json!({
        "access_token": "t1", "token_type": "Bearer", "expires_in": 600, "refresh_token": "r1",
        "id_token": (case.sign)(claims),
    });
    let mut headers = vec![("content-type", "application/json".to_owned())];
    headers.extend(case.date.map(|words| ("date", api::date(words))));
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let tokens = Answer::canned(200, &headers, &tokens.to_string());
    let (tokens, keys) = match case.keys_are_late {
        true => (tokens, case.jwks.clone().held()),
        false => (tokens.held(), case.jwks.clone()),
    };
    provider.serve(&format!("{path}/token"), tokens);
    provider.serve(&format!("{path}/jwks"), keys);
    let browser = std::thread::spawn(move || address.come_back("code=c"));
    provider.wait_for_hanging(1);
    home.get("good");
    // Keys that do not fit are looked for once more.
    provider.serve(&format!("{path}/jwks"), case.jwks.clone());
    provider.release();
    let page = browser.join().unwrap();
    let output = login.finish();
    assert_eq!(page.contains("You are logged in"), output.code == 0, "{}: {page}", case.name);
    output
}

/// Without the line that says where to go.
fn without_step(mut output: Output) -> Output {
    output.stdout = output.stdout.lines().skip(1).map(|line| format!("{line}\n")).collect();
    output
}

fn cases() -> Vec<Case> {
    let (mine, other, curve) = (Key::rsa(), Key::other_rsa(), Key::generate(Algorithm::ES256));
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "kid": kid });
    let public = mine.public_jwk().clone();
    let unsigned_none =
        |claims: Value| format!("{}.", unsigned(&json!({ "alg": "none" }), &claims));
    // The public key, as those who confuse algorithms would use it for a secret.
    let confused = {
        let (n, kid) = (public["n"].as_str().unwrap().to_owned(), mine.kid().to_owned());
        move |claims: Value| {
            let secret = BASE64_URL_SAFE_NO_PAD.decode(&n).unwrap();
            hs256(&secret, &json!({ "alg": "HS256", "kid": kid }), &claims)
        }
    };
    let mut wrong_kind = curve.public_jwk().clone();
    wrong_kind["kid"] = mine.kid().into();
    let mut private = public.clone();
    private["d"] = "AQAB".into();
    let many = (0..5_000).map(|at| json!({ "kty": "RSA", "kid": format!("{at}") })).collect();
    let mut beyond: Vec<_> =
        (0..1_000).map(|at| json!({ "kty": "oct", "kid": format!("{at}") })).collect();
    beyond.push(public.clone());
    let none_fits = "no key of the provider's has signed the id_token";
    let unread = "are not to be had";
    vec![
        Case::new("the cloud's credentials for keys", "jwks_uri `http://169.254.169.254/keys`")
            .metadata(json!({ "jwks_uri": "http://169.254.169.254/keys" })),
        Case::new("keys over plain http", "jwks_uri `http://evil.example/keys`")
            .metadata(json!({ "jwks_uri": "http://evil.example/keys" })),
        Case::new("keys in a file", "jwks_uri `file:///etc/passwd`")
            .metadata(json!({ "jwks_uri": "file:///etc/passwd" })),
        Case::new("no keys", "names no jwks_uri").metadata(json!({ "jwks_uri": null })),
        Case::new("keys elsewhere", unread).jwks(Answer::canned(
            302,
            &[("location", "http://127.0.0.1:1/")],
            "",
        )),
        Case::new("10 MB of keys", "is larger than 1024 KiB")
            .jwks(Answer::json(200, &" ".repeat(10 * 1024 * 1024))),
        Case::new("keys without end", "is larger than 1024 KiB").jwks(Answer::Endless),
        Case::new("thousands of keys", none_fits).jwks(jwks(many)),
        Case::new("a key behind a thousand", none_fits).jwks(jwks(beyond)),
        Case::new("a set that is none", "is no set of keys")
            .jwks(Answer::json(200, "{\"keys\":7}")),
        Case::new("keys that drive terminals", "is no set of keys")
            .jwks(Answer::json(200, "\u{1b}[2J")),
        Case::new("a key of another kind", none_fits).jwks(jwks(vec![wrong_kind])),
        Case::new("a key that everybody has", none_fits).jwks(jwks(vec![private])),
        Case::new("another's signature", none_fits).sign({
            let header = header("RS256", mine.kid());
            move |claims| other.sign(&header, &claims)
        }),
        Case::new("no signature", "signed with `none`").sign(unsigned_none),
        Case::new("the public key for a secret", "signed with `HS256`").sign(confused),
        Case::new("a curve for RSA", none_fits).sign({
            let header = header("RS256", mine.kid());
            move |claims| curve.sign(&header, &claims)
        }),
        Case::new("an algorithm that drives terminals", "signed with `\\u{1b}[2J`")
            .sign(|claims| format!("{}.AAAA", unsigned(&json!({ "alg": "\u{1b}[2J" }), &claims))),
        Case::new("no JWT", "id_token").sign(|_| "\u{1b}[2J".to_owned()),
        Case::new("half a JWT", "id_token")
            .sign(|claims| unsigned(&json!({ "alg": "RS256" }), &claims)),
        Case::new("another issuer", "of another issuer")
            .claim("iss", json!("https://evil.example/\u{1b}[2J")),
        Case::new("another client", "for another client").claim("aud", json!("somebody-else")),
        Case::new("another login", "does not belong to this login").claim("nonce", json!("n")),
        Case::new("an hour ago", "had expired").claim("exp", json!(now_s() - HOUR_S)),
        Case::new("an hour from now", "from the future").claim("iat", json!(now_s() + HOUR_S)),
        Case::new("an end that is none", "lacks `exp`").claim("exp", json!("soon")),
    ]
}

#[test]
fn nobody_is_logged_in_by_a_token_that_is_not_theirs() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    for (at, case) in cases().iter().enumerate() {
        let profile = format!("p{at}");
        let path = add(&home, &provider, &profile, case);
        let output = without_step(log_in(&home, &provider, &profile, &path, case));
        fails_clearly_in_json(case, &output);
        home.tokctl(["get", &profile]).run().fails(5, &["tokctl login"]);
    }
    // The same provider, for once honest.
    let honest = Case::new("honest", "");
    let path = add(&home, &provider, "honest", &honest);
    log_in(&home, &provider, "honest", &path, &honest).ok();
    assert_eq!(home.get("honest"), "t1");
}

/// As `fails_clearly`, of a login that a program watches.
#[track_caller]
fn fails_clearly_in_json(case: &Case, output: &Output) {
    let name = case.name;
    assert_eq!((output.code, output.stdout.as_str()), (case.code, ""), "{name}: {output:?}");
    assert!(is_harmless(&output.stderr), "{name}: {output:?}");
    // Before it stands where to go.
    let last = output.stderr.lines().last().unwrap_or_default();
    let error: Value =
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{name}: {error}: {output:?}"));
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains(case.words), "{name}: {output:?}");
}

#[test]
fn a_provider_whose_clock_is_an_hour_off_is_believed_by_its_own_clock() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    for (at, (date, off_s)) in [("1 hour", HOUR_S), ("1 hour ago", -HOUR_S)].into_iter().enumerate()
    {
        let key = Key::rsa();
        let case = Case::new(date, "").sign(move |mut claims| {
            claims["iat"] = json!(now_s() + off_s);
            claims["exp"] = json!(now_s() + off_s + 600);
            key.sign(&key.header(), &claims)
        });
        let case = Case { date: Some(date), ..case };
        let profile = format!("p{at}");
        let path = add(&home, &provider, &profile, &case);
        log_in(&home, &provider, &profile, &path, &case).ok();
        // The lifetime is counted here, whatever the provider's clock says.
        let token = home.tokctl(["get", &profile, "--json"]).run().json();
        let left = token["expires_in"].as_i64().unwrap();
        assert!((500..=600).contains(&left), "{token}");
    }
}
