//! `tokctl add` as a person at a terminal meets it.

use std::fs;

use crate::person::{Person, scene};
use crate::prompts::{NO_VAULT, NOT_THERE, THERE, VAULT};
use crate::script::TOKEN;

/// The question of the five kinds.
const WHICH: &str = "1 to 5, or a provider [1] ";
const ADDED: &str = r#"< {"done":{"said":{"text":"acme: added"}}}"#;
const GETS: &str = r#"> {"get":{"profile":"acme","interactive":true}}"#;
/// A login that is over before anybody looks.
const LOGS_IN: &str = r#"> {"login":{"profile":"acme","interactive":true}}
    < {"done":{"said":{"text":"logged in to acme"}}}"#;

const GITHUB: &str = r#"{"name":"github","title":"GitHub, as yourself","grant":"device_code","verified":true,"setup_url":"https://github.example/new","setup":["Register an OAuth app; any name and homepage will do, and a long line is broken where it ends.","Copy the client id."],"ask":[{"key":"client_id","prompt":"client id","optional":false},{"key":"scope","prompt":"scopes, or empty for what is public","optional":true}],"secrets":[]}"#;
const ZOOM: &str = r#"{"name":"zoom","title":"Zoom","grant":"client_credentials","verified":false,"setup_url":"https://zoom.example/","setup":["Create an app."],"ask":[{"key":"vars.account_id","prompt":"account id","optional":false},{"key":"client_id","prompt":"client id","optional":false}],"secrets":["client_secret"]}"#;

/// The agent is asked for all presets, and knows this one.
fn listed(preset: &str) -> String {
    let asked = r#"> {"presets":{}}"#;
    format!(
        "{asked}\n< {{\"item\":{{\"preset\":{preset}}}}}\n{}",
        r#"< {"done":{"said":{"text":""}}}"#
    )
}

/// The agent is asked for the preset of that name.
fn found(name: &str, preset: &str) -> String {
    listed(preset).replace("{}}", &format!("{{\"name\":\"{name}\"}}}}"))
}

fn adds(settings: &str, secrets: &str) -> String {
    let secrets = match secrets {
        "" => String::new(),
        secrets => format!("\"secrets\":[{secrets}],"),
    };
    format!(
        "> {{\"add\":{{\"profile\":\"acme\",\"settings\":[{settings}],{secrets}\"interactive\":true}}}}\n{ADDED}"
    )
}

#[test]
fn add_asks_for_everything_and_ends_with_a_token() {
    let script = format!(
        "{NO_VAULT}\n{}\n{}\n{NOT_THERE}\n{}\n{}\n{}\n{TOKEN}",
        r#"> {"init":{"passphrase":"horse"}}"#,
        r#"< {"done":{"said":{"text":"made"}}}"#,
        r#"> {"add":{"profile":"acme","settings":[{"key":"grant","values":["client_credentials"]},{"key":"issuer","values":["https://acme.example/"]},{"key":"client_id","values":["kX3"]},{"key":"scope","values":["a","b"]}],"secrets":[{"name":"client_secret","value":"hunter2"}],"interactive":true}}"#,
        r#"< {"done":{"said":{"text":"acme: added"}}}"#,
        r#"> {"get":{"profile":"acme","interactive":true}}"#,
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["add", "acme"], &[]);
        person.sees("make one now? [Y/n] ").types("\n");
        person.sees("passphrase for the new vault: ").types("horse\n");
        person.sees("once more: ").types("horse\n");
        person.sees("made\r\nWhat gives acme its token?\r\n").sees(WHICH).types("\n");
        person.sees("issuer URL, or empty for a token endpoint: ");
        person.types("https://acme.example/\n").sees("client id: ").types("kX3\n");
        person.sees("client secret of acme: ").types("hunter2\n");
        person.sees("\r\nscope, or empty for the provider's default: ").types("a b\n");
        person.sees("acme: added\r\n").sees("acme: got a token, valid 1h\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn a_name_that_is_taken_is_said_before_anything_is_asked() {
    scene(&format!("{VAULT}\n{THERE}"), |home, _| {
        let mut person = Person::runs(home, &["add", "acme"], &[]);
        person.sees("tokctl: error: acme: there is a profile of this name already");
        assert_eq!(person.ends().code(), Some(2));
    });
}

#[test]
fn an_answer_that_cannot_be_right_is_asked_for_again() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{}\n{}\n{}\n{TOKEN}",
        listed(GITHUB),
        r#"> {"add":{"profile":"acme","settings":[{"key":"grant","values":["client_credentials"]},{"key":"token_endpoint","values":["https://acme.example/token"]},{"key":"client_id","values":["kX3"]}],"secrets":[{"name":"client_secret","value":"hunter2"}],"interactive":true}}"#,
        r#"< {"done":{"said":{"text":"acme: added"}}}"#,
        r#"> {"get":{"profile":"acme","interactive":true}}"#,
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["add", "acme"], &[]);
        person.sees(WHICH).types("6\n").sees("`6` is none of these: type a number from 1 to 5");
        person.sees(WHICH).types("clent\n").sees("did you mean `client`?\r\n");
        person.sees(WHICH).types("1\n");
        person.sees("issuer URL, or empty for a token endpoint: ").types("acme\n");
        person.sees("a URL that starts with https://");
        person.sees("issuer URL, or empty for a token endpoint: ").types("\n");
        person.sees("token endpoint URL: ").types("\n").sees("a URL that starts with https://");
        person.sees("token endpoint URL: ").types("https://acme.example/token\n");
        person.sees("client id: ").types("\n").sees("it cannot be empty");
        person.sees("client id: ").types("kX3\n");
        person.sees("client secret of acme: ").types("\n").sees("it cannot be empty");
        person.sees("client secret of acme: ").types("hunter2\n");
        person.sees("\r\nscope, or empty for the provider's default: ").types("\n");
        person.sees("acme: got a token");
        assert!(person.ends().success());
    });
}

#[test]
fn a_key_is_asked_for_with_the_header_it_goes_into() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{}\n{}\n{TOKEN}",
        r#"> {"add":{"profile":"acme","settings":[{"key":"grant","values":["api_key"]},{"key":"header","values":["X-Api-Key: {token}"]}],"secrets":[{"name":"key","value":"k-1"}],"interactive":true}}"#,
        r#"< {"done":{"said":{"text":"acme: added"}}}"#,
        r#"> {"get":{"profile":"acme","interactive":true}}"#,
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["add", "acme"], &[]);
        person.sees(WHICH).types("4\n");
        person.sees("header [Authorization: Bearer {token}] ").types("X-Api-Key: {token}\n");
        person.sees("key of acme: ").types("k-1\n").sees("acme: got a token");
        assert!(person.ends().success());
    });
}

#[test]
fn a_refresh_token_is_asked_for_hidden_and_its_client_may_have_no_secret() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{}\n{}\n{TOKEN}",
        r#"> {"add":{"profile":"acme","settings":[{"key":"grant","values":["refresh_token"]},{"key":"issuer","values":["https://acme.example/"]},{"key":"client_id","values":["kX3"]},{"key":"client_auth","values":["none"]}],"secrets":[{"name":"refresh_token","value":"r-1"}],"interactive":true}}"#,
        r#"< {"done":{"said":{"text":"acme: added"}}}"#,
        r#"> {"get":{"profile":"acme","interactive":true}}"#,
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["add", "acme", "--grant", "refresh_token"], &[]);
        person.sees("issuer URL, or empty for a token endpoint: ").types("https://acme.example/\n");
        person.sees("client id: ").types("kX3\n");
        person.sees("client secret of acme, or empty where there is none: ").types("\n");
        person.sees("refresh token of acme: ");
        assert!(!person.is_echoed());
        person.types("r-1\n").sees("acme: got a token");
        assert!(person.ends().success());
    });
}

#[test]
fn nothing_is_asked_about_a_pool() {
    let script = format!(
        "{VAULT}\n{}\n{}\n{}\n{}\n{TOKEN}",
        NOT_THERE.replace("acme", "search"),
        r#"> {"add":{"profile":"search","settings":[{"key":"pool","values":["acct1","acct2"]},{"key":"rate_limit","values":["60/min"]}],"interactive":true}}"#,
        r#"< {"done":{"said":{"text":"search: added"}}}"#,
        r#"> {"get":{"profile":"search","interactive":true}}"#,
    );
    scene(&script, |home, _| {
        let arguments =
            ["add", "search", "--pool", "acct1", "--pool", "acct2", "--rate-limit", "60/min"];
        let mut person = Person::runs(home, &arguments, &[]);
        person.sees("search: added\r\n").sees("search: got a token");
        assert!(person.ends().success());
    });
}

#[test]
fn a_preset_says_what_to_click_before_it_asks_for_what_it_leaves_open() {
    let script = format!(
        "{}\n{VAULT}\n{NOT_THERE}\n{}\n{LOGS_IN}",
        found("github", GITHUB),
        adds(
            r#"{"key":"preset","values":["github"]},{"key":"client_id","values":["Iv1"]},{"key":"scope","values":["repo","read:org"]}"#,
            "",
        ),
    );
    scene(&script, |home, _| {
        let arguments = ["add", "acme", "--preset", "github"];
        let mut person = Person::runs_on(Some(80), home, &arguments, &[]);
        person.sees(
            "GitHub, as yourself (`github`)\r\nhttps://github.example/new\r\n\
             - Register an OAuth app; any name and homepage will do, and a long line is\r\n  \
             broken where it ends.\r\n- Copy the client id.\r\n\r\nclient id: ",
        );
        person.types("\n").sees("it cannot be empty").sees("client id: ").types("Iv1\n");
        person.sees("scopes, or empty for what is public: ").types("repo read:org\n");
        person.sees("acme: added\r\n").sees("logged in to acme\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn what_was_given_is_not_asked_for_and_an_unverified_preset_says_so_first() {
    let script = format!(
        "{}\n{VAULT}\n{NOT_THERE}\n{}\n{GETS}\n{TOKEN}",
        found("zoom", ZOOM),
        adds(
            r#"{"key":"preset","values":["zoom"]},{"key":"vars.account_id","values":["A1"]},{"key":"client_id","values":["c1"]}"#,
            r#"{"name":"client_secret","value":"hunter2"}"#,
        ),
    );
    scene(&script, |home, _| {
        let arguments = ["add", "acme", "--preset", "zoom", "--vars", "account_id=A1"];
        let mut person = Person::runs(home, &arguments, &[]);
        person.sees("- Create an app.\r\nthis preset has not been verified against the provider");
        person.sees("\r\n\r\nclient id: ").types("c1\n");
        person.sees("client secret of acme: ");
        assert!(!person.is_echoed());
        person.types("hunter2\n").sees("acme: added\r\n").sees("acme: got a token");
        assert!(person.ends().success());
    });
}

#[test]
fn an_unverified_preset_says_so_where_nothing_is_left_to_ask() {
    let settings = r#"{"key":"preset","values":["zoom"]},{"key":"vars.account_id","values":["A1"]},{"key":"client_id","values":["c1"]}"#;
    let secret = r#"{"name":"client_secret","value":"hunter2"}"#;
    let script = format!(
        "{}\n{VAULT}\n{NOT_THERE}\n{}\n{GETS}\n{TOKEN}",
        found("zoom", ZOOM),
        adds(settings, secret),
    );
    scene(&script, |home, _| {
        let arguments = ["add", "acme", "--preset", "zoom", "--vars", "account_id=A1"];
        let arguments = [&arguments[..], &["--client-id", "c1", "--secret-env", "S"]].concat();
        let mut person = Person::runs(home, &arguments, &[("S", "hunter2")]);
        person.sees("tokctl: warning: the preset `zoom` has not been verified");
        person.sees("acme: got a token");
        assert!(person.ends().success());
    });
}

#[test]
fn another_grant_than_the_presets_is_what_a_person_logs_in_by() {
    let script = format!(
        "{}\n{VAULT}\n{NOT_THERE}\n{}\n{LOGS_IN}",
        found("zoom", ZOOM),
        adds(
            r#"{"key":"preset","values":["zoom"]},{"key":"grant","values":["authorization_code"]},{"key":"client_auth","values":["none"]},{"key":"vars.account_id","values":["A1"]},{"key":"client_id","values":["c1"]}"#,
            "",
        ),
    );
    scene(&script, |home, _| {
        let arguments = ["add", "acme", "--preset", "zoom", "--client-auth", "none"];
        let arguments = [&arguments[..], &["--grant", "authorization_code"]].concat();
        let mut person = Person::runs(home, &arguments, &[]);
        person.sees("account id: ").types("A1\n").sees("client id: ").types("c1\n");
        person.sees("logged in to acme\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn a_mistyped_preset_is_told_before_anything_is_asked() {
    let script = concat!(
        r#"> {"presets":{"name":"gihub"}}"#,
        "\n",
        r#"< {"error":{"exit":2,"kind":"usage","profile":null,"message":"`preset` cannot be `gihub`: no such provider is known","hint":"did you mean `github`?","retry_at":null}}"#
    );
    scene(script, |home, _| {
        let mut person = Person::runs(home, &["add", "acme", "--preset", "gihub"], &[]);
        person.sees("tokctl: hint: did you mean `github`?\r\n");
        assert_eq!(person.ends().code(), Some(2));
    });
}

#[test]
fn a_providers_name_is_an_answer_to_the_first_question() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{}\n{LOGS_IN}",
        listed(GITHUB),
        adds(r#"{"key":"preset","values":["github"]},{"key":"client_id","values":["Iv1"]}"#, ""),
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["add", "acme"], &[]);
        person.sees("`tokctl help presets` lists those that are known.\r\n");
        person.sees(WHICH).types("gihub\n").sees("did you mean `github`?\r\n");
        person.sees(WHICH).types("GitHub\n").sees("GitHub, as yourself (`github`)\r\n");
        person.sees("client id: ").types("Iv1\n").sees("what is public: ").types("\n");
        person.sees("logged in to acme\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn a_person_logs_in_with_a_browser_and_may_have_no_secret() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{LOGS_IN}",
        adds(
            r#"{"key":"grant","values":["authorization_code"]},{"key":"issuer","values":["acme.eu.auth0.com"]},{"key":"client_id","values":["kX3"]},{"key":"client_auth","values":["none"]},{"key":"scope","values":["openid"]}"#,
            "",
        ),
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["add", "acme"], &[]);
        person.sees(WHICH).types("2\n");
        person.sees("with a browser or a code [browser] ").types("telephone\n");
        person.sees("type `browser` or `code`\r\n");
        person.sees("with a browser or a code [browser] ").types("\n");
        person.sees("Register the redirect URI http://127.0.0.1/callback (any port) at");
        person.sees("issuer URL, or empty for a token endpoint: ").types("acme.eu.auth0.com\n");
        person.sees("client id: ").types("kX3\n");
        person.sees("client secret of acme, or empty where there is none: ").types("\n");
        person.sees("scope, or empty for the provider's default: ").types("openid\n");
        person.sees("logged in to acme\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn a_login_by_code_at_named_endpoints_asks_where_it_begins() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{LOGS_IN}",
        adds(
            r#"{"key":"grant","values":["device_code"]},{"key":"token_endpoint","values":["https://a.example/t"]},{"key":"device_authorization_endpoint","values":["https://a.example/d"]},{"key":"client_id","values":["kX3"]}"#,
            r#"{"name":"client_secret","value":"hunter2"}"#,
        ),
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["add", "acme"], &[]);
        person.sees(WHICH).types("log in\n");
        person.sees("with a browser or a code [browser] ").types("code\n");
        person.sees("issuer URL, or empty for a token endpoint: ").types("\n");
        person.sees("token endpoint URL: ").types("https://a.example/t\n");
        person.sees("device authorization endpoint URL: ").types("https://a.example/d\n");
        person.sees("client id: ").types("kX3\n");
        person.sees("client secret of acme, or empty where there is none: ").types("hunter2\n");
        person.sees("scope, or empty for the provider's default: ").types("\n");
        person.sees("logged in to acme\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn a_service_accounts_file_is_asked_for_until_one_can_be_read() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{ADDED}\n{GETS}\n{TOKEN}",
        r#"> {"add3":{"profile":"acme","interactive":true,"from_json":"{\"type\":\"service_account\"}"}}"#,
    );
    scene(&script, |home, _| {
        let file = home.join("account.json");
        fs::write(&file, "{\"type\":\"service_account\"}\n").unwrap();
        let mut person = Person::runs(home, &["add", "acme"], &[]);
        person.sees(WHICH).types("file\n");
        person.sees("path of the JSON file: ").types("/no/such/file\n").sees("No such file");
        person.sees("path of the JSON file: ").types(&format!("{}\n", file.display()));
        person.sees("acme: got a token");
        assert!(person.ends().success());
    });
}

#[test]
fn a_programs_command_line_is_taken_apart_without_a_shell() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{GETS}\n{TOKEN}",
        adds(
            r#"{"key":"grant","values":["command"]},{"key":"command","values":["gcloud","auth","a b"]}"#,
            "",
        ),
    );
    scene(&script, |home, _| {
        let question = "its command line, as in gcloud auth print-access-token: ";
        let mut person = Person::runs(home, &["add", "acme"], &[]);
        person.sees(WHICH).types("5\n");
        person.sees(question).types("gcloud 'auth\n").sees("a `'` is not closed\r\n");
        person.sees(question).types("gcloud auth | cat\n").sees("no shell runs this");
        person.sees(question).types("gcloud auth 'a b'\n").sees("acme: got a token");
        assert!(person.ends().success());
    });
}

#[test]
fn three_answers_that_fit_nothing_are_enough() {
    scene(&format!("{VAULT}\n{NOT_THERE}\n{}", listed(GITHUB)), |home, _| {
        let mut person = Person::runs(home, &["add", "acme"], &[]);
        for _ in 0..3 {
            person.sees(WHICH).types("x\n").sees("`x` is none of these");
        }
        person.sees("tokctl: error: no answer that fits after 3 attempts");
        assert_eq!(person.ends().code(), Some(2));
    });
}

#[test]
fn a_program_is_asked_for_no_secret() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{GETS}\n{TOKEN}",
        adds(r#"{"key":"command","values":["true"]},{"key":"grant","values":["command"]}"#, ""),
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["add", "acme", "--", "true"], &[]);
        person.sees("acme: got a token");
        assert!(person.ends().success());
    });
}

#[test]
fn a_private_key_is_asked_for_by_the_name_of_its_file() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{GETS}\n{TOKEN}",
        adds(
            r#"{"key":"grant","values":["github_app"]},{"key":"client_id","values":["Iv1"]},{"key":"installation_id","values":["42"]}"#,
            r#"{"name":"private_key","value":"-----BEGIN\nk\n-----END"}"#,
        ),
    );
    scene(&script, |home, _| {
        let file = home.join("key.pem");
        fs::write(&file, "-----BEGIN\nk\n-----END\n").unwrap();
        let arguments = ["add", "acme", "--grant", "github_app", "--client-id", "Iv1"];
        let arguments = [&arguments[..], &["--installation-id", "42"]].concat();
        let mut person = Person::runs(home, &arguments, &[]);
        person.sees("file of the private key of acme (PEM or JWK): ");
        person.types(&format!("{}\n", file.display())).sees("acme: got a token");
        assert!(person.ends().success());
    });
}

#[test]
fn a_job_elsewhere_has_the_subject_and_no_token_is_asked_for_here() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}",
        adds(
            r#"{"key":"grant","values":["aws_web_identity"]},{"key":"subject","values":["env:TOKCTL_TEST_NOT_THERE"]},{"key":"role_arn","values":["arn"]}"#,
            "",
        ),
    );
    scene(&script, |home, _| {
        let arguments = ["add", "acme", "--grant", "aws_web_identity", "--role-arn", "arn"];
        let arguments = [&arguments[..], &["--subject", "env:TOKCTL_TEST_NOT_THERE"]].concat();
        let mut person = Person::runs(home, &arguments, &[]);
        person.sees("tokctl: warning: acme: $TOKCTL_TEST_NOT_THERE is empty or not set\r\n");
        person.sees("tokctl: hint: export it\r\n").sees("acme: added\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn no_secret_is_asked_for_beside_a_key_that_is_made_and_no_token_follows() {
    let script = format!(
        "{VAULT}\n{NOT_THERE}\n{}\n{}\n{}",
        r#"> {"add3":{"profile":"acme","settings":[{"key":"grant","values":["client_credentials"]},{"key":"issuer","values":["https://id.acme.example/"]},{"key":"client_id","values":["kX3"]}],"secrets":[],"interactive":true,"generate_key":"ES256"}}"#,
        r#"< {"item":{"public_key":{"jwk":"{\"kid\":\"k1\"}","pem":"PEM"}}}"#,
        r#"< {"done":{"said":{"text":"added acme"}}}"#,
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["add", "acme", "--generate-key", "ES256"], &[]);
        person.sees("issuer URL").types("https://id.acme.example/\n");
        person.sees("client id: ").types("kX3\n");
        person.sees("added acme").sees("no token was asked for");
        person.sees("register this public key").sees("{\"kid\":\"k1\"}");
        assert!(person.ends().success());
    });
}

#[test]
fn a_dry_run_asks_nothing() {
    let script = [
        r#"> {"add3":{"profile":"acme","settings":[{"key":"grant","values":["client_credentials"]}],"secrets":[],"dry_run":true}}"#,
        r#"< {"error":{"exit":10,"kind":"config_invalid","profile":"acme","message":"no client","hint":null,"retry_at":null}}"#,
    ];
    scene(&script.join("\n"), |home, _| {
        let words = ["add", "acme", "--grant", "client_credentials", "--dry-run"];
        let mut person = Person::runs(home, &words, &[]);
        person.sees("tokctl: error: acme: no client");
        assert_eq!(person.ends().code(), Some(10));
    });
}
