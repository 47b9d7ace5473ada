//! What is shown of requests, and that no secret is in it.

use tokctl_proto::ProfileName;

use super::*;
use crate::config;
use crate::oauth::jose::PrivateKey;

fn made(settings: &str, until: Until) -> DryRun {
    let text = format!("[profiles.one]\ngrant = \"api_key\"\n[profiles.acme]\n{settings}\n");
    let config = config::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let name = ProfileName::parse("acme").unwrap();
    let profile = &config.profiles[&name];
    let private_key = wants_key(profile).map(|alg| PrivateKey::generate(alg).unwrap());
    dry_run(WallMs(1_800_000_000_000), profile, &TokenKey::plain(name), until, private_key).unwrap()
}

fn requests(settings: &str) -> Vec<String> {
    made(settings, Until::NextToken).requests
}

const AT: &str = "token_endpoint = \"https://acme.example/token?t=1\"\nclient_id = \"cc\"\n";
const POST: &str = "POST https://acme.example/token?t=1 HTTP/1.1\nAccept: application/json\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\n";

#[test]
fn a_request_is_shown_without_what_proves_its_client() {
    for (settings, shown) in [
        (
            "client_auth = \"basic\"\nscope = \"b a\"\n",
            format!(
                "{POST}{FORM}Authorization: Basic [redacted]\n\ngrant_type=client_credentials&scope=a+b\n"
            ),
        ),
        (
            "client_auth = \"post\"\nparams = { pin = \"x{secret:pin}\", org = \"acme\" }\n",
            format!(
                "{POST}{FORM}\nclient_id=cc&client_secret=[redacted]&grant_type=client_credentials\
                 &org=acme&pin=x[redacted]\n"
            ),
        ),
        (
            "client_auth = \"none\"\nbody = \"json\"\nheaders = { X-Key = \"{secret:k}\", X-Version = \"2\" }\n",
            format!(
                "{POST}Content-Type: application/json\nX-Key: [redacted]\nX-Version: 2\n\n\
                 {{\"client_id\":\"cc\",\"grant_type\":\"client_credentials\"}}\n"
            ),
        ),
        (
            "client_auth = \"post\"\nbody = \"get\"\n",
            "GET https://acme.example/token?t=1&client_id=cc&client_secret=[redacted]\
             &grant_type=client_credentials HTTP/1.1\nAccept: application/json\n"
                .to_owned(),
        ),
    ] {
        let made = requests(&format!("grant = \"client_credentials\"\n{AT}{settings}"));
        assert_eq!(made, [shown], "{settings}");
    }
}

#[test]
fn what_is_presented_is_left_out_and_what_is_signed_says_what_it_says() {
    let refresh = requests(&format!(
        "grant = \"refresh_token\"\n{AT}client_auth = \"none\"\nrefresh_endpoint = \"https://acme.example/r\"\n"
    ));
    let shown = "client_id=cc&grant_type=refresh_token&refresh_token=[redacted]\n";
    assert!(refresh[0].ends_with(shown), "{refresh:?}");
    assert!(refresh[0].starts_with("POST https://acme.example/r HTTP/1.1\n"), "{refresh:?}");

    let bearer = made(
        "grant = \"jwt_bearer\"\ntoken_endpoint = \"https://acme.example/token\"\niss = \"me\"\nalg = \"ES256\"\n",
        Until::NextToken,
    );
    let shown =
        "\nassertion=[redacted]&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\n";
    assert!(bearer.requests[0].ends_with(shown), "{bearer:?}");
    assert!(bearer.notes[0].contains("\"iss\":\"me\""), "{bearer:?}");

    let exchange = requests(
        "grant = \"token_exchange\"\ntoken_endpoint = \"https://sts.example/token\"\nsubject = \"env:ID\"\n\
         impersonate = \"bot@acme.iam.gserviceaccount.com\"\n",
    );
    let [exchanged, impersonated] = &exchange[..] else { panic!("{exchange:?}") };
    assert!(exchanged.contains("&subject_token=[redacted]&"), "{exchanged}");
    assert!(impersonated.contains("\nAuthorization: Bearer [redacted]\n"), "{impersonated}");

    let aws = requests(
        "grant = \"aws_web_identity\"\nrole_arn = \"arn:aws:iam::1:role/x\"\nsubject = \"gitlab\"\n",
    );
    assert!(aws[0].contains("&WebIdentityToken=[redacted]"), "{aws:?}");

    let app = requests("grant = \"github_app\"\nclient_id = \"Iv1\"\ninstallation_id = \"4\"\n");
    assert!(
        app[0].starts_with(
            "POST https://api.github.com/app/installations/4/access_tokens HTTP/1.1\n"
        )
    );
    assert!(app[0].contains("\nAuthorization: Bearer [redacted]\n"), "{app:?}");
}

#[test]
fn what_only_the_metadata_knows_goes_by_its_name() {
    let made = made(
        "grant = \"client_credentials\"\nissuer = \"https://acme.example/x/\"\nclient_id = \"cc\"\n",
        Until::NextToken,
    );
    let [metadata, token] = &made.requests[..] else { panic!("{made:?}") };
    assert!(
        metadata
            .starts_with("GET https://acme.example/x/.well-known/openid-configuration HTTP/1.1\n")
    );
    assert!(token.starts_with("POST [token_endpoint of the metadata] HTTP/1.1\n"), "{token}");
    assert_eq!(made.notes, ["what the metadata says is not known before it is fetched"]);
}

#[test]
fn a_new_login_begins_with_a_person() {
    let device = made(
        &format!(
            "grant = \"device_code\"\n{AT}client_auth = \"none\"\ndevice_authorization_endpoint = \"https://acme.example/d\"\n"
        ),
        Until::FirstToken,
    );
    let [begun, ended] = &device.requests[..] else { panic!("{device:?}") };
    assert!(begun.starts_with("POST https://acme.example/d HTTP/1.1\n"), "{begun}");
    assert!(ended.contains("&device_code=[redacted]&"), "{ended}");

    let browser = made(
        &format!(
            "grant = \"authorization_code\"\n{AT}client_auth = \"none\"\nauthorization_endpoint = \"https://acme.example/a\"\nscope = \"x\"\n"
        ),
        Until::FirstToken,
    );
    let [opened, ended] = &browser.requests[..] else { panic!("{browser:?}") };
    assert_eq!(
        opened,
        "GET https://acme.example/a?client_id=cc&code_challenge=[redacted]&code_challenge_method=S256\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3APORT%2Fcallback&response_type=code&scope=x&state=[redacted] HTTP/1.1\n"
    );
    assert!(ended.contains("code=[redacted]&code_verifier=[redacted]&"), "{ended}");
}

#[test]
fn steps_are_shown_with_their_holes() {
    let made = requests(
        "grant = \"steps\"\nresponse = { token = \"t\" }\nsteps = [\
         { url = \"https://a.example/login?k={secret:key}\", json = { user = \"ada\", pw = \"{secret:pw}\" } },\
         { url = \"https://a.example/t\", headers = { X-Session = \"{step1:data.0.id}\" } }]\n",
    );
    assert_eq!(
        made,
        [
            "POST https://a.example/login?k=[redacted] HTTP/1.1\nAccept: application/json\n\
             Content-Type: application/json\n\n{\"pw\":\"[redacted]\",\"user\":\"ada\"}\n",
            "GET https://a.example/t HTTP/1.1\nAccept: application/json\nX-Session: [redacted]\n",
        ]
    );
}

#[test]
fn who_sends_nothing_says_so() {
    for (settings, said) in [
        ("grant = \"api_key\"\n", "nothing is sent: the key is handed out as it is stored"),
        (
            "grant = \"self_signed_jwt\"\niss = \"me\"\n",
            "nothing is sent: the token is signed here",
        ),
        (
            "grant = \"command\"\ncommand = [\"pass\", \"show\"]\n",
            "nothing is sent: a program is run, `pass` `show`",
        ),
        ("pool = [\"one\"]\n", "nothing is sent: the tokens are those of `one`"),
    ] {
        let made = made(settings, Until::NextToken);
        assert_eq!((made.requests.len(), made.notes), (0, vec![said.to_owned()]));
    }
}

#[test]
fn every_way_to_prove_a_client_can_be_shown() {
    for auth in
        ["basic", "basic_raw", "post", "private_key_jwt", "client_secret_jwt", "tls", "none"]
    {
        let made =
            requests(&format!("grant = \"client_credentials\"\n{AT}client_auth = \"{auth}\"\n"));
        assert!(!made[0].contains("eyJ") && !made[0].contains("000000"), "{made:?}");
    }
}
