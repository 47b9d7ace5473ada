//! Those that are logged in to in one or two requests that are not OAuth, and those that only a program can talk to.

use serde_json::json;

use super::For::Whole;
use super::{NOW, Played, Row, answer};
use crate::config::Grant;
use crate::oauth::grant::command;
use crate::oauth::grant::steps::{self, Filling};

/// All that are played by tests of their own.
pub(super) const PROVIDERS: &[&str] =
    &["Salesforce Data Cloud (CDP)", "Sage Intacct", "Workday Adaptive"];

pub(super) const ROWS: &[Row] = &[
    Row {
        provider: "Bullhorn",
        grant: Whole,
        settings: "grant = \"steps\"\nresponse = { token = \"BhRestToken\" }\nassume_ttl = \"10m\"\n\
                   header = \"BhRestToken: {token}\"\n\
                   steps = [{ url = \"https://rest.bullhornstaffing.com/rest-services/login?version=2.0&access_token={secret:pin}\", method = \"POST\" }]",
        asked: "https://rest.bullhornstaffing.com/rest-services/login?version=2.0&access_token=p1\n",
        replies: &[(
            200,
            r#"{"BhRestToken":"7c2","restUrl":"https://rest9.bullhornstaffing.com/rest-services/abc/"}"#,
            "7c2 Bearer 600s {\"restUrl\":\"https://rest9.bullhornstaffing.com/rest-services/abc/\"}",
        )],
    },
    Row {
        provider: "Docker registries",
        grant: Whole,
        settings: "grant = \"steps\"\nresponse = { token = \"token\" }\nassume_ttl = \"60s\"\n\
                   steps = [{ url = \"https://auth.docker.io/token?service=registry.docker.io&scope=repository:acme/app:pull\", headers = { Authorization = \"Basic {secret:pin}\" } }]",
        asked: "GET https://auth.docker.io/token?service=registry.docker.io&scope=repository:acme/app:pull\n\
                Authorization: Basic p1\n",
        replies: &[
            (
                200,
                r#"{"token":"eyJ0","access_token":"eyJ0","expires_in":300,"issued_at":"2027-01-15T08:00:00Z"}"#,
                "eyJ0 Bearer 300s {\"issued_at\":\"2027-01-15T08:00:00Z\"}",
            ),
            (200, r#"{"token":"eyJ0"}"#, "eyJ0 Bearer 60s"),
            (
                401,
                r#"{"details":"incorrect username or password"}"#,
                "Permanent: the provider refused the client (HTTP 401)",
            ),
        ],
    },
    Row {
        provider: "DocuWare",
        grant: Whole,
        settings: "grant = \"steps\"\nresponse = { token = \"access_token\" }\n\
                   steps = [{ url = \"https://login.docuware.com/acme/connect/token\", form = { grant_type = \"password\", username = \"ada\", password = \"{secret:pin}\", client_id = \"docuware.platform.net.client\" } }]",
        asked: "https://login.docuware.com/acme/connect/token\n\
                client_id=docuware.platform.net.client&grant_type=password&password=p1&username=ada",
        replies: &[(
            200,
            r#"{"access_token":"eyJ0","expires_in":3600,"token_type":"Bearer","scope":"docuware.platform"}"#,
            "eyJ0 Bearer 3600s scope=docuware.platform",
        )],
    },
    Row {
        provider: "JobDiva",
        grant: Whole,
        settings: "grant = \"steps\"\nresponse = { token = \"body\" }\nassume_ttl = \"1d\"\n\
                   steps = [{ url = \"https://api.jobdiva.com/apiv2/authenticate?clientid=7&username=ada&password={secret:pin}\" }]",
        asked: "GET https://api.jobdiva.com/apiv2/authenticate?clientid=7&username=ada&password=p1\n",
        replies: &[(200, "eyJ0.e30.c2ln", "eyJ0.e30.c2ln Bearer 86400s")],
    },
    Row {
        provider: "Tableau",
        grant: Whole,
        settings: "grant = \"steps\"\nresponse = { token = \"credentials.token\", expires_in_dhm = \"credentials.estimatedTimeToExpiration\" }\n\
                   header = \"X-Tableau-Auth: {token}\"\n\
                   steps = [{ url = \"https://eu-west-1.online.tableau.com/api/3.22/auth/signin\", json = { credentials = { personalAccessTokenName = \"ci\", personalAccessTokenSecret = \"{secret:pin}\", site = { contentUrl = \"acme\" } } } }]",
        asked: "https://eu-west-1.online.tableau.com/api/3.22/auth/signin\n\
                {\"credentials\":{\"personalAccessTokenName\":\"ci\",\"personalAccessTokenSecret\":\"p1\",\"site\":{\"contentUrl\":\"acme\"}}}",
        replies: &[(
            200,
            r#"{"credentials":{"token":"12ab","estimatedTimeToExpiration":"0:04:00"}}"#,
            "12ab Bearer 14400s {\"credentials\":{}}",
        )],
    },
    Row {
        provider: "Redtail",
        grant: Whole,
        settings: "grant = \"steps\"\nresponse = { token = \"authenticated_user.user_key\" }\nassume_ttl = \"8h\"\n\
                   header = \"Authorization: Userkeyauth {token}\"\n\
                   steps = [{ url = \"https://smf.crm3.redtailtechnology.com/api/public/v1/authentication\", headers = { Authorization = \"Basic {secret:pin}\" } }]",
        asked: "GET https://smf.crm3.redtailtechnology.com/api/public/v1/authentication\nAuthorization: Basic p1\n",
        replies: &[(
            200,
            r#"{"authenticated_user":{"user_key":"9F2C","name":"Ada","user_id":7}}"#,
            "9F2C Bearer 28800s {\"authenticated_user\":{\"name\":\"Ada\",\"user_id\":7}}",
        )],
    },
    Row {
        provider: "Sellercloud",
        grant: Whole,
        settings: "grant = \"steps\"\nresponse = { token = \"access_token\" }\n\
                   steps = [{ url = \"https://acme.api.sellercloud.com/rest/api/token\", json = { Username = \"ada\", Password = \"{secret:pin}\" } }]",
        asked: "https://acme.api.sellercloud.com/rest/api/token\n{\"Password\":\"p1\",\"Username\":\"ada\"}",
        replies: &[(
            200,
            r#"{"access_token":"eyJ0","token_type":"Bearer","expires_in":3600,"username":"ada"}"#,
            "eyJ0 Bearer 3600s {\"username\":\"ada\"}",
        )],
    },
    Row {
        provider: "Semble",
        grant: Whole,
        settings: "grant = \"steps\"\nresponse = { token = \"data.signIn.token\" }\nassume_ttl = \"12h\"\nheader = \"X-Token: {token}\"\n\
                   steps = [{ url = \"https://open.semble.io/graphql\", json = { query = \"mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }\", variables = { e = \"ada@acme.example\", p = \"{secret:pin}\" } } }]",
        asked: "https://open.semble.io/graphql\n\
                {\"query\":\"mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }\",\"variables\":{\"e\":\"ada@acme.example\",\"p\":\"p1\"}}",
        replies: &[
            (
                200,
                r#"{"data":{"signIn":{"token":"eyJ0"}}}"#,
                "eyJ0 Bearer 43200s {\"data\":{\"signIn\":{}}}",
            ),
            // GraphQL answers 200 whatever happens.
            (
                200,
                r#"{"errors":[{"message":"Wrong email or password"}],"data":null}"#,
                "Permanent: the provider refused the request (\"Wrong email or password\")",
            ),
        ],
    },
    Row {
        provider: "Veeva Vault",
        grant: Whole,
        settings: "grant = \"steps\"\nresponse = { token = \"sessionId\" }\nassume_ttl = \"20m\"\nheader = \"Authorization: {token}\"\n\
                   steps = [{ url = \"https://acme.veevavault.com/api/v24.1/auth\", form = { username = \"ada\", password = \"{secret:pin}\" } }]",
        asked: "https://acme.veevavault.com/api/v24.1/auth\npassword=p1&username=ada",
        replies: &[
            (
                200,
                r#"{"responseStatus":"SUCCESS","sessionId":"3B3C","userId":61579}"#,
                "3B3C Bearer 1200s {\"responseStatus\":\"SUCCESS\",\"userId\":61579}",
            ),
            (
                200,
                r#"{"responseStatus":"FAILURE","errors":[{"type":"USERNAME_OR_PASSWORD_INCORRECT","message":"Authentication failed"}]}"#,
                "Permanent: the provider refused the request (USERNAME_OR_PASSWORD_INCORRECT: \"Authentication failed\")",
            ),
        ],
    },
];

#[test]
fn salesforce_data_cloud_takes_the_token_of_the_first_step() {
    let played = Played::new(
        "grant = \"steps\"\nresponse = { token = \"access_token\" }\n\
         steps = [{ url = \"https://acme.my.salesforce.com/services/oauth2/token\", form = { grant_type = \"client_credentials\", client_id = \"c1\", client_secret = \"{secret:pin}\" } }, \
         { url = \"https://acme.my.salesforce.com/services/a360/token\", form = { grant_type = \"urn:salesforce:grant-type:external:cdp\", subject_token = \"{step1:access_token}\", subject_token_type = \"urn:ietf:params:oauth:token-type:access_token\" } }]",
    );
    let first =
        json!({ "access_token": "00D!A", "instance_url": "https://acme.my.salesforce.com" });
    let Grant::Steps(login) = &played.profile().grant else { panic!("another grant") };
    let name = &played.profile().name;
    let filling = Filling { profile: name, secrets: &[].into(), first: Some(&first) };
    let second = steps::request(&login.steps[1], &filling).unwrap();
    assert_eq!(
        second.body.expose(),
        "grant_type=urn%3Asalesforce%3Agrant-type%3Aexternal%3Acdp&subject_token=00D%21A\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
    );
    let reply = r#"{"access_token":"eyJ0","instance_url":"acme.c360a.salesforce.com","token_type":"Bearer","expires_in":"7193"}"#;
    let read = "eyJ0 Bearer 7193s {\"instance_url\":\"acme.c360a.salesforce.com\"}";
    assert_eq!(played.reads(&answer(200, reply)), read);
    // A host that a reply names is none that a secret was stored for.
    let elsewhere = "[profiles.a]\ngrant = \"steps\"\nresponse = { token = \"t\" }\n\
                     steps = [{ url = \"https://a.example/\" }, { url = \"https://{step1:host}/\" }]\n";
    assert!(crate::config::parse(elsewhere).is_err());
}

#[test]
fn who_speaks_xml_is_spoken_to_by_a_program() {
    // Sage Intacct, Workday Adaptive: `grant = "command"`, with a program that prints this.
    let printed = br#"{"access_token":"QkFLcn","expires_at":1800007200}"#;
    let reply = command::reply(NOW, printed).unwrap();
    let played = Played::new("grant = \"command\"\ncommand = [\"intacct-session\"]\n");
    assert_eq!(played.reads(&answer(200, reply.expose())), "QkFLcn Bearer 7200s");
}
