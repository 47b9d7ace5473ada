//! What providers want to be sent in another way than RFC 6749 has it.

use super::Played;

const POST: &str = "POST https://acme.example/token\n";

#[test]
fn a_client_proves_itself_in_the_way_of_its_provider() {
    for (settings, sent) in [
        // RFC 6749 appendix B, and those who do not decode what it encodes.
        (
            "client_auth = \"basic\"",
            "Authorization: Basic YyUyNjE6czM=\ngrant_type=client_credentials",
        ),
        (
            "client_auth = \"basic_raw\"",
            "Authorization: Basic YyYxOnMz\ngrant_type=client_credentials",
        ),
        (
            "client_auth = \"post\"",
            "client_id=c%261&client_secret=s3&grant_type=client_credentials",
        ),
        ("client_auth = \"none\"", "client_id=c%261&grant_type=client_credentials"),
        // WeChat, TikTok, ZoomInfo, Agiloft: names of their own.
        (
            "client_auth = \"post\"\nrename = { client_id = \"appid\", client_secret = \"secret\" }",
            "appid=c%261&grant_type=client_credentials&secret=s3",
        ),
        (
            "client_auth = \"none\"\nrename = { client_id = \"client_key\" }",
            "client_key=c%261&grant_type=client_credentials",
        ),
        (
            "client_auth = \"post\"\nrename = { client_id = \"username\", client_secret = \"password\" }",
            "grant_type=client_credentials&password=s3&username=c%261",
        ),
        // A header of its own kind.
        (
            "client_auth = \"none\"\nheaders = { X-Api-Key = \"{secret:pin}\" }",
            "X-Api-Key: p1\nclient_id=c%261&grant_type=client_credentials",
        ),
        (
            "client_auth = \"none\"\nheaders = { Authorization = \"Token {secret:pin}\" }",
            "Authorization: Token p1\nclient_id=c%261&grant_type=client_credentials",
        ),
    ] {
        assert_eq!(Played::client(settings).asked(), format!("{POST}{sent}"), "{settings}");
    }
}

#[test]
fn nothing_proves_a_client_a_second_time() {
    use crate::oauth::grant::client_credentials;
    for (settings, said) in [
        (
            "headers = { authorization = \"Token {secret:pin}\" }",
            "headers.authorization would prove",
        ),
        ("headers = { X-Key = \"{secret:absent}\" }", "no secret `absent` is stored"),
    ] {
        let played = Played::client(&format!("client_auth = \"basic\"\n{settings}"));
        let refused = played.with_secrets(|held| {
            client_credentials::request(played.as_client(), &played.endpoint(), &played.key(), held)
        });
        let message = refused.unwrap_err().message;
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_body_is_a_form_or_json() {
    let json = "client_auth = \"post\"\nbody = \"json\"\nscope = \"a b\"";
    // Auth0, Notion, Braintree, Cal.com and two dozen others.
    let body = "{\"client_id\":\"c&1\",\"client_secret\":\"s3\",\"grant_type\":\"client_credentials\",\"scope\":\"a b\"}";
    assert_eq!(Played::client(json).asked(), format!("{POST}{body}"));
    let played = Played::client(json);
    let request = played.with_secrets(|held| {
        crate::oauth::grant::client_credentials::request(
            played.as_client(),
            &played.endpoint(),
            &played.key(),
            held,
        )
    });
    let headers = request.unwrap().headers;
    let sent: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_ref(), value.expose())).collect();
    assert!(sent.contains(&("Content-Type", "application/json")), "{sent:?}");
}

#[test]
fn a_header_of_ours_gives_way_to_the_providers() {
    let played = Played::client(
        "client_auth = \"none\"\nheaders = { accept = \"*/*\", Notion-Version = \"2022-06-28\" }",
    );
    let sent =
        "Notion-Version: 2022-06-28\naccept: */*\nclient_id=c%261&grant_type=client_credentials";
    assert_eq!(played.asked(), format!("{POST}{sent}"));
}

#[test]
fn a_grant_is_called_what_its_provider_calls_it() {
    for name in [
        "account_credentials",
        "openapi_2lo",
        "password-realm",
        "http://auth0.com/oauth/grant-type/x",
    ] {
        let played = Played::client(&format!("client_auth = \"none\"\ngrant_type = \"{name}\""));
        let encoded = name.replace(':', "%3A").replace('/', "%2F");
        assert_eq!(played.asked(), format!("{POST}client_id=c%261&grant_type={encoded}"));
    }
    // A refresh of such a login is one all the same.
    let login = "grant = \"authorization_code\"\nauthorization_endpoint = \"https://acme.example/\"\n\
                 client_auth = \"none\"\ngrant_type = \"code\"\nredirect_uri = \"http://127.0.0.1/\"\n";
    let login = Played::new(&format!("{}{login}", super::AT));
    assert!(login.asked_with_code().contains("&grant_type=code&"), "{}", login.asked_with_code());
    assert!(login.asked().contains("grant_type=refresh_token"), "{}", login.asked());
    // Workday and its like: a refresh token that somebody was given, under another name.
    let own = Played::refreshing("client_auth = \"none\"\ngrant_type = \"renew\"");
    assert!(own.asked().contains("grant_type=renew&refresh_token=r1"), "{}", own.asked());
}

#[test]
fn further_parameters_are_sent() {
    for (settings, sent) in [
        // Auth0, Pax8, Chartboost.
        (
            "audience = \"https://api/\"",
            "audience=https%3A%2F%2Fapi%2F&grant_type=client_credentials",
        ),
        // Azure v1, Dynamics, SharePoint.
        ("resource = \"https://r/\"", "grant_type=client_credentials&resource=https%3A%2F%2Fr%2F"),
        // Azure v2.
        (
            "scope = \"https://r/.default\"",
            "grant_type=client_credentials&scope=https%3A%2F%2Fr%2F.default",
        ),
        // Zendesk, Shopify.
        (
            "params = { expires_in = \"1800\", expiring = \"1\", tenant_alias = \"acme\" }",
            "expires_in=1800&expiring=1&grant_type=client_credentials&tenant_alias=acme",
        ),
        ("params = { password = \"{secret:pin}\" }", "grant_type=client_credentials&password=p1"),
    ] {
        let sent = format!("{POST}Authorization: Basic YyUyNjE6czM=\n{sent}");
        assert_eq!(Played::client(&format!("client_auth = \"basic\"\n{settings}")).asked(), sent);
    }
}

#[test]
fn scopes_are_separated_and_called_as_the_provider_likes() {
    for (settings, sent) in [
        ("", "scope=a+b"),
        // Figma, Slack, TikTok, Braintree and twenty others.
        ("scope_separator = \",\"", "scope=a%2Cb"),
        // Workable, Pennylane.
        ("scope_separator = \"+\"", "scope=a%2Bb"),
        // Optimizely; others call them advanced_scopes.
        ("rename = { scope = \"scopes\" }", "scopes=a+b"),
        ("rename = { scope = \"user_scope\" }\nscope_separator = \",\"", "user_scope=a%2Cb"),
    ] {
        let settings = format!("client_auth = \"none\"\nscope = \"b a\"\n{settings}");
        let played = Played::client(&settings);
        assert_eq!(
            played.asked(),
            format!("{POST}client_id=c%261&grant_type=client_credentials&{sent}")
        );
        // A browser is sent with the same.
        assert_eq!(
            played.browsed(),
            format!("https://acme.example/authorize?client_id=c%261&{sent}")
        );
    }
}

#[test]
fn a_browser_is_sent_with_what_gets_a_refresh_token() {
    let login =
        "grant = \"authorization_code\"\nauthorization_endpoint = \"https://acme.example/a?t=1\"\n";
    for (params, sent) in [
        // Google.
        (
            "access_type = \"offline\", prompt = \"consent\"",
            "access_type=offline&client_id=c%261&prompt=consent",
        ),
        // Dropbox.
        ("token_access_type = \"offline\"", "client_id=c%261&token_access_type=offline"),
        // Reddit.
        ("duration = \"permanent\"", "client_id=c%261&duration=permanent"),
    ] {
        let played =
            Played::new(&format!("{}{login}authorization_params = {{ {params} }}", super::AT));
        assert_eq!(played.browsed(), format!("https://acme.example/a?t=1&{sent}"));
    }
}

#[test]
fn what_a_provider_fails_over_is_left_out() {
    // LinkedIn and some eighty others know no PKCE, and a few of them refuse what they do not know.
    let played = Played::new(&format!(
        "{}grant = \"authorization_code\"\nauthorization_endpoint = \"https://acme.example/a\"\n\
         client_auth = \"post\"\nredirect_uri = \"http://127.0.0.1/\"\n\
         rename = {{ code_challenge = \"-\", code_challenge_method = \"-\", code_verifier = \"-\" }}\n",
        super::AT
    ));
    let (browsed, asked) = (played.browsed_whole(), played.asked_with_code());
    assert!(browsed.contains("&state=") && !browsed.contains("challenge"), "{browsed}");
    assert!(asked.contains("&code=c1&") && !asked.contains("verifier"), "{asked}");
}

#[test]
fn a_refresh_goes_where_and_as_the_provider_likes() {
    for (settings, sent) in [
        (
            "",
            "POST https://acme.example/token\nclient_id=c%261&grant_type=refresh_token&refresh_token=r1",
        ),
        // Figma, HeyGen, Clover, Trustpilot and a dozen others.
        (
            "refresh_endpoint = \"https://acme.example/refresh\"",
            "POST https://acme.example/refresh\nclient_id=c%261&grant_type=refresh_token&refresh_token=r1",
        ),
        // Parameters that refreshes have and other requests have not.
        (
            "params = { a = \"1\", b = \"1\" }\nrefresh_params = { b = \"2\", c = \"{secret:pin}\" }",
            "POST https://acme.example/token\na=1&b=2&c=p1&client_id=c%261&grant_type=refresh_token&refresh_token=r1",
        ),
        // Or have not.
        (
            "params = { a = \"1\" }\nrefresh_params = { a = \"\" }",
            "POST https://acme.example/token\nclient_id=c%261&grant_type=refresh_token&refresh_token=r1",
        ),
        (
            "rename = { refresh_token = \"token\" }",
            "POST https://acme.example/token\nclient_id=c%261&grant_type=refresh_token&token=r1",
        ),
    ] {
        let played = Played::refreshing(&format!("client_auth = \"none\"\n{settings}"));
        assert_eq!(played.asked(), sent, "{settings}");
    }
    let login = format!(
        "{}grant = \"authorization_code\"\nauthorization_endpoint = \"https://acme.example/\"\n\
         client_auth = \"none\"\nredirect_uri = \"http://127.0.0.1/\"\nrefresh_params = {{ b = \"2\" }}\n",
        super::AT
    );
    assert!(!Played::new(&login).asked_with_code().contains("b=2"));
    assert!(
        Played::new(&login).asked().contains("&b=2")
            || Played::new(&login).asked().contains("\nb=2")
    );
}

#[test]
fn an_address_has_holes_for_a_tenant() {
    let played = Played::new(
        "preset = \"microsoft\"\ngrant = \"client_credentials\"\nclient_id = \"c1\"\nclient_auth = \"post\"\n\
         scope = \"https://graph.microsoft.com/.default\"\nvars = { tenant = \"acme.example\" }\n",
    );
    let sent = "POST https://login.microsoftonline.com/acme.example/oauth2/v2.0/token\n";
    assert!(played.asked().starts_with(sent), "{}", played.asked());
}

#[test]
fn how_a_token_is_used_is_data() {
    for header in [
        // Shopify, Amazon, Walmart, Bullhorn, Ghost.
        "X-Shopify-Access-Token: {token}",
        "x-amz-access-token: {token}",
        "WM_SEC.ACCESS_TOKEN: {token}",
        "BhRestToken: {token}",
        "Authorization: Ghost {token}",
    ] {
        let played = Played::client(&format!("header = \"{header}\""));
        assert_eq!(played.profile().header, header);
    }
}
