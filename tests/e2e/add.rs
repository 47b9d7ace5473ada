//! `add` on a terminal asks for what is missing: what a preset leaves open, or what one of five kinds takes.

use serde_json::json;
use tokctl_tests::api::{Api, Reply};
use tokctl_tests::jwt::Key;
use tokctl_tests::login::Address;
use tokctl_tests::provider::{self, Answer};
use tokctl_tests::pty::Terminal;
use tokctl_tests::{Home, Provider};

/// The question of the five kinds.
const WHICH: &str = "1 to 5, or a provider [1] ";

/// Somebody who types `tokctl add` and these arguments.
fn person(home: &Home, arguments: &[&str]) -> Terminal {
    Terminal::start(home.tokctl(["add"]).args(arguments).env_remove("TOKCTL_NO_PROMPT"))
}

/// Answers questions in their order; what a secret's question is answered with is never shown.
fn answers(terminal: &mut Terminal, answers: &[(&str, &str)]) {
    for (question, answer) in answers {
        match question.strip_prefix('*') {
            Some(question) => terminal.expect_hidden(question),
            None => terminal.expect(question),
        }
        terminal.type_line(answer);
    }
}

#[test]
fn add_asks_for_what_is_missing_and_ends_with_a_token() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let run = home
        .tokctl(["add", "acme", "--grant", "client_credentials", "--client-id", "cc"])
        .args(["--token-endpoint", &provider.token_endpoint()])
        .env_remove("TOKCTL_NO_PROMPT");
    let mut terminal = Terminal::start(run);
    terminal.expect_hidden("ecret");
    terminal.type_line("cc-secret");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("cc-secret"), "{screen}");
    assert_eq!(provider.token_requests().len(), 1);
    home.get("acme");
}

#[test]
fn add_offers_init_where_there_is_no_vault() {
    let (home, provider) = (Home::new(), Provider::start());
    let secret = home.secret_file("secret", "cc-secret");
    let run = home
        .tokctl(["add", "acme", "--grant", "client_credentials", "--client-id", "cc"])
        .args(["--token-endpoint", &provider.token_endpoint(), "--secret-file"])
        .arg(secret)
        .env_remove("TOKCTL_NO_PROMPT");
    let mut terminal = Terminal::start(run);
    terminal.expect("make one now?");
    terminal.type_line("y");
    for prompt in ["passphrase", "once more"] {
        terminal.expect_hidden(prompt);
        terminal.type_line("open sesame");
    }
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    home.get("acme");
}

#[test]
fn plain_http_on_loopback_is_said() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let added = home
        .add("acme", "cc", "cc-secret")
        .args(["--token-endpoint", &provider.token_endpoint()])
        .run();
    let added = added.fails(0, &["http"]);
    assert_eq!(added.stdout, "", "{added:?}");
    let config = std::fs::read_to_string(home.config()).unwrap();
    assert!(config.contains("allow_http_loopback = true"), "{config}");
}

#[test]
fn plain_http_to_anywhere_else_is_refused() {
    let home = Home::new().init_bare();
    home.add("acme", "cc", "cc-secret")
        .args(["--token-endpoint", "http://provider.example/token"])
        .run()
        .fails(10, &["http"]);
    assert_eq!(home.profiles(), Vec::<String>::new());
}

#[test]
fn an_issuer_is_written_as_its_provider_spells_it() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let issuer = provider.issuer();
    let said = format!("its provider spells the issuer {issuer}\n");
    for (profile, typed, is_said) in
        [("exact", issuer.clone(), false), ("slash", format!("{issuer}/"), true)]
    {
        let added = home.add(profile, "cc", "cc-secret").args(["--issuer", &typed]).run().exits(0);
        assert_eq!(added.stderr.contains(&said), is_said, "{added:?}");
        let settings = home.tokctl(["show", profile, "--json"]).run().json();
        let text = settings.to_string();
        assert!(text.contains(&format!("{issuer}\\\"")), "{text}");
        home.get(profile);
    }
}

#[test]
fn a_preset_tells_what_to_click_and_asks_for_the_rest() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let issuer = provider.issuer();
    let mut terminal = person(&home, &["kc", "--preset", "keycloak", "--issuer", &issuer]);
    terminal.expect("Keycloak (`keycloak`)\r\n");
    terminal.expect("- In the realm's admin console: Clients, Create client.\r\n");
    // 80 columns are what a terminal has that does not say.
    terminal.expect("`--grant\r\n  authorization_code`, with the redirect URI");
    answers(
        &mut terminal,
        &[
            ("\r\n\r\nclient id: ", ""),
            ("it cannot be empty\r\nclient id: ", "cc"),
            ("scopes, or empty for the client's own: ", ""),
            ("*client secret of kc: ", "cc-secret"),
        ],
    );
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("cc-secret") && !screen.contains("issuer, as in"), "{screen}");
    assert!(screen.contains("kc: got a token"), "{screen}");
    let config = std::fs::read_to_string(home.config()).unwrap();
    assert!(config.contains("preset = \"keycloak\"") && !config.contains("grant ="), "{config}");
    home.get("kc");
}

#[test]
fn a_preset_of_a_login_ends_by_it() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let authorization = format!("{}/auth", provider.issuer());
    let token = provider.token_endpoint();
    let arguments = ["ds", "--preset", "discord", "--token-endpoint", &token];
    let arguments = [&arguments[..], &["--authorization-endpoint", &authorization]].concat();
    // Any port will do: the preset's own may be taken on this machine.
    let arguments = [&arguments[..], &["--redirect-uri", "http://127.0.0.1/"]].concat();
    let run = home.tokctl(["add"]).args(arguments).env_remove("TOKCTL_NO_PROMPT");
    let mut terminal = Terminal::start(run.env("BROWSER", "/bin/true"));
    terminal.expect("- Redirect: http://localhost:8642/\r\n");
    answers(&mut terminal, &[("client id: ", "cc"), ("scopes [identify] ", "")]);
    answers(&mut terminal, &[("*client secret of ds: ", "cc-secret")]);
    let address = address(&mut terminal);
    assert_eq!(address.parameter("scope"), "identify");
    provider.answer_next(logged_in());
    assert!(address.come_back("code=c").contains("You are logged in"));
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(home.get("ds"), "t1");
}

/// What a code is exchanged for.
fn logged_in() -> Answer {
    let tokens = json!({
        "access_token": "t1", "refresh_token": "r1", "expires_in": 3600, "token_type": "Bearer",
    });
    Answer::json(200, &tokens.to_string())
}

/// Where a login on that terminal sends its person.
fn address(terminal: &mut Terminal) -> Address {
    terminal.expect("open this address:\r\n  ");
    terminal.expect("waiting for the login");
    let screen = terminal.screen();
    let (_, rest) = screen.split_once("open this address:").unwrap();
    Address(rest.lines().nth(1).unwrap().trim().to_owned())
}

#[test]
fn without_a_terminal_a_preset_asks_nothing_and_says_what_is_missing() {
    let home = Home::new().init_bare();
    home.tokctl(["add", "hub", "--preset", "gihub", "--client-id", "c"])
        .run()
        .fails(2, &["no such provider is known", "did you mean `github`?"]);
    home.tokctl(["add", "hub", "--preset", "github"]).run().fails(10, &["client_id"]);
    home.tokctl(["add", "box", "--preset", "zoom", "--client-id", "c"])
        .run()
        .fails(10, &["vars.account_id"]);
    assert_eq!(home.profiles(), Vec::<String>::new());
    let unverified = "the preset `dropbox` has not been verified against the provider";
    home.tokctl(["add", "box", "--preset", "dropbox", "--client-id", "c"])
        .run()
        .fails(0, &[unverified]);
    let hub = home.tokctl(["add", "hub", "--preset", "github", "--client-id", "c"]).run();
    assert!(!hub.fails(0, &[]).stderr.contains("verified"));
}

#[test]
fn a_client_id_and_secret_are_the_first_of_five_kinds() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let issuer = format!("{}/", provider.issuer());
    let mut terminal = person(&home, &["acme"]);
    answers(
        &mut terminal,
        &[
            (WHICH, "saml"),
            ("`saml` is none of these", ""),
            ("issuer URL", "nowhere"),
            ("or its host", &issuer),
            ("client id: ", "cc"),
            ("*client secret of acme: ", "cc-secret"),
            ("scope, or empty", ""),
        ],
    );
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    let spelled = format!("\nits provider spells the issuer {}\n", provider.issuer());
    assert!(screen.contains(&spelled) && screen.contains("acme: got a token"), "{screen}");
}

#[test]
fn a_person_is_logged_in_at_once() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let authorization = format!("{}/auth", provider.issuer());
    let run = home.tokctl(["add", "acme"]).env_remove("TOKCTL_NO_PROMPT");
    let mut terminal = Terminal::start(run.env("BROWSER", "/bin/true"));
    answers(
        &mut terminal,
        &[
            (WHICH, "2"),
            ("with a browser or a code [browser] ", ""),
            ("issuer URL", ""),
            ("token endpoint URL: ", &provider.token_endpoint()),
            ("authorization endpoint URL: ", &authorization),
            ("client id: ", "cc"),
            ("*client secret of acme, or empty where there is none: ", provider::CLIENT_SECRET),
            ("scope, or empty", "api"),
        ],
    );
    let address = address(&mut terminal);
    provider.answer_next(logged_in());
    assert!(address.come_back("code=c").contains("You are logged in"));
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(home.get("acme"), "t1");
}

#[test]
fn a_service_accounts_file_is_named() {
    let (home, key) = (Home::new().init_bare(), Key::generate("RS256"));
    let token = json!({"access_token": "token-0", "token_type": "Bearer", "expires_in": 3600});
    let api = Api::start(move |_| Reply::json(200, &token));
    let file = json!({
        "type": "service_account", "project_id": "p", "private_key_id": "k1",
        "private_key": key.private, "client_email": "ci@p.iam.gserviceaccount.com",
        "client_id": "117", "token_uri": api.url("/token"),
    });
    let file = home.secret_file("account.json", &file.to_string());
    let mut terminal = person(&home, &["ci", "--allow-http-loopback"]);
    answers(
        &mut terminal,
        &[
            (WHICH, "service account"),
            ("path of the JSON file: ", "/nowhere"),
            ("path of the JSON file: ", file.to_str().unwrap()),
        ],
    );
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(home.get("ci"), "token-0");
}

#[test]
fn a_key_and_a_program_are_kinds_too() {
    let home = Home::new().init_bare();
    let mut terminal = person(&home, &["shop"]);
    let header = ("header [Authorization: Bearer {token}] ", "X-Api-Key");
    answers(
        &mut terminal,
        &[
            (WHICH, "4"),
            header,
            ("as in `X-Api-Key: {token}`", "X-Api-Key: {token}"),
            ("*key of shop: ", "k-1"),
        ],
    );
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(home.tokctl(["get", "shop", "--header"]).run().ok(), "X-Api-Key: k-1");

    let mut terminal = person(&home, &["cloud"]);
    answers(
        &mut terminal,
        &[(WHICH, "5"), ("command line", "sh -c 'echo"), ("not closed", "sh -c 'echo \"tok-1\"'")],
    );
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(home.get("cloud"), "tok-1");
}

#[test]
fn a_job_that_may_not_have_a_subject_hears_of_it_when_it_adds_the_profile() {
    let home = Home::new().init_bare();
    let add = |name: &str| {
        home.tokctl(["add", name, "--grant", "aws_web_identity", "--subject", "github-actions"])
            .args(["--role-arn", "arn:aws:iam::123456789012:role/ci"])
            .args(["--subject-audience", "sts.amazonaws.com"])
    };
    add("without").env("GITHUB_ACTIONS", "true").run().fails(
        0,
        &["may not ask GitHub for its token", "permissions: id-token: write", "added without"],
    );
    let with = add("with")
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", "https://run.example/")
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "eyJ0");
    let said = with.run().exits(0).stderr;
    assert!(!said.contains("warning"), "{said}");
}
