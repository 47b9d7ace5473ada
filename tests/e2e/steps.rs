//! A login of one or two requests that are not OAuth, with the API's part played by a script.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokctl_tests::api::Reply;
use tokctl_tests::http::Message;
use tokctl_tests::{Api, Home};

const PASSWORD: &str = "p&w \"1\" hunter2";

fn is(request: &Message, line: &str) -> bool {
    request.first_line == format!("{line} HTTP/1.1")
}

/// A login that opens a session, and a token of the session.
fn api() -> Api {
    let end_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() + 600_000;
    Api::start(move |request| match () {
        () if is(request, "POST /login") => {
            Reply::json(200, &json!({ "session": { "id": "s/1", "number": 7 } }))
        }
        () if is(request, "POST /sessions/s%2F1/token?x=1") => Reply::json(
            201,
            &json!({ "data": { "token": "tok-1", "until": end_ms }, "region": "eu" }),
        ),
        () => Reply::json(404, &json!({})),
    })
}

#[track_caller]
fn add(home: &Home, steps: &str) {
    home.tokctl(["add", "old", "--grant", "steps", "--allow-http-loopback", "--replace"])
        .args(["--response", "token=data.token", "--response", "expires_at=data.until"])
        .args(["--steps", steps])
        .run()
        .ok();
    let file = home.secret_file("password", PASSWORD);
    let named = ["set-secret", "old", "--name", "password", "--secret-file"];
    home.tokctl(named).arg(file).run().ok();
}

fn two_steps(api: &Api) -> String {
    format!(
        "[{{ url = \"{}\", form = {{ user = \"ada\", password = \"{{secret:password}}\" }} }},\n\
         {{ url = \"{}/{{step1:session.id}}/token?x=1\", \
         headers = {{ X-Session = \"no {{step1:session.number}}\" }}, \
         json = {{ password = \"{{secret:password}}\", n = 1 }} }}]",
        api.url("/login"),
        api.url("/sessions"),
    )
}

#[test]
fn the_second_request_goes_on_with_what_the_first_was_answered() {
    let (home, api) = (Home::new().init_bare(), api());
    add(&home, &two_steps(&api));
    let json = home.tokctl(["get", "old", "--json"]).run().json();
    assert_eq!((&json["access_token"], &json["region"]), (&json!("tok-1"), &json!("eu")));
    assert!((590..=600).contains(&json["expires_in"].as_i64().unwrap()), "{json}");

    let [login, token] = &api.requests()[..] else { panic!("not two requests") };
    let form: Vec<(String, String)> = form_urlencoded::parse(&login.body).into_owned().collect();
    let sent = [("password", PASSWORD), ("user", "ada")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(form, sent);
    assert_eq!(token.header("x-session"), Some("no 7"));
    let body: serde_json::Value = serde_json::from_slice(&token.body).unwrap();
    assert_eq!(body, json!({ "password": PASSWORD, "n": 1 }));
    assert_eq!(home.get("old"), "tok-1");
    assert_eq!(api.requests().len(), 2, "a token that is good was asked for again");
}

#[test]
fn a_refusal_of_either_step_is_told_without_the_secret() {
    let home = Home::new().init_bare();
    for (failing, first) in [("/login", true), ("/token", false)] {
        let api = Api::start(move |request| match request.word(1).contains(failing) {
            // A provider that says too much.
            true => {
                let message = format!("no user ada with {PASSWORD}");
                Reply::json(401, &json!({ "error": "bad_password", "error_description": message }))
            }
            false => Reply::json(200, &json!({ "session": { "id": "s", "number": 7 } })),
        });
        add(&home, &two_steps(&api));
        let output = home.tokctl(["get", "old"]).run().fails(6, &["bad_password"]);
        assert!(!output.stderr.contains("hunter2"), "{output:?}");
        assert_eq!(api.requests().len(), if first { 1 } else { 2 });
    }
}

#[test]
fn a_step_that_is_down_or_busy_is_tried_again_when_it_says() {
    let home = Home::new().init_bare();
    for failing in ["/login", "/token"] {
        let api = Api::start(move |request| match request.word(1).contains(failing) {
            true => Reply::json(503, &json!({})).with("retry-after", "600"),
            false => Reply::json(200, &json!({ "session": { "id": "s", "number": 7 } })),
        });
        add(&home, &two_steps(&api));
        let json = home.tokctl(["get", "old", "--json"]).run().exits(7);
        let text = if json.stdout.is_empty() { &json.stderr } else { &json.stdout };
        let error: serde_json::Value = serde_json::from_str(text).unwrap();
        assert!(error["error"]["retry_at"].is_i64(), "{failing}: {error}");
        let asked = api.requests().len();
        home.tokctl(["get", "old"]).run().exits(7);
        assert_eq!(api.requests().len(), asked, "{failing}: it asked again before the time");
    }
}

#[test]
fn no_step_is_led_elsewhere() {
    let (home, elsewhere) = (Home::new().init_bare(), api());
    for failing in ["/login", "/token"] {
        let place = elsewhere.url("/login");
        let api = Api::start(move |request| match request.word(1).contains(failing) {
            true => Reply::json(307, &json!({})).with("location", place.clone()),
            false => Reply::json(200, &json!({ "session": { "id": "s", "number": 7 } })),
        });
        add(&home, &two_steps(&api));
        home.tokctl(["get", "old"]).run().fails(7, &["redirect"]);
    }
    // Nor by an edit.
    let api = api();
    add(&home, &two_steps(&api));
    let edited = format!("steps={}", two_steps(&elsewhere));
    home.tokctl(["set", "old", &edited]).run().ok();
    home.tokctl(["get", "old"]).run().fails(10, &["tokctl set-secret old"]);
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn what_is_missing_is_named() {
    let (home, api) = (Home::new().init_bare(), api());
    add(&home, &two_steps(&api).replace("{step1:session.id}", "{step1:session.key}"));
    home.tokctl(["get", "old"]).run().fails(7, &["`session.key`"]);

    add(&home, &two_steps(&api).replace("{secret:password}", "{secret:pin}"));
    home.tokctl(["get", "old"]).run().fails(5, &["`pin`", "tokctl set-secret old --name pin"]);
}
