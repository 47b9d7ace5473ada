//! authorization_code with PKCE: signed in, allowed or denied, exchanged, refreshed, revoked.

use super::*;

#[test]
fn a_login_ends_with_tokens_that_the_api_takes() {
    let idp = Idp::start();
    let url = authorization_url(&idp, "native", "openid email api offline_access");
    let back = idp.authorize(&url);
    assert!(back.starts_with(REDIRECT), "{back}");
    assert_eq!(param(&back, "state").as_deref(), Some("s"));
    assert_eq!(param(&back, "iss").as_deref(), Some(idp.issuer()));

    let code = param(&back, "code").unwrap();
    let (status, tokens) = post(idp.token_endpoint(), &code_form("native", &code));
    assert_eq!(status, 200, "{tokens}");
    let me = idp.call_api(text(&tokens, "access_token")).1;
    assert_eq!((&me["sub"], &me["bound_to"]), (&json!("ada"), &Value::Null));
    let (_, claims) = crate::keys::parts(text(&tokens, "id_token")).unwrap();
    assert_eq!((&claims["nonce"], &claims["sub"]), (&json!("n"), &json!("ada")));

    let refresh = |token: &str| {
        let form =
            [("grant_type", "refresh_token"), ("client_id", "native"), ("refresh_token", token)];
        post(idp.token_endpoint(), &form)
    };
    let (status, second) = refresh(text(&tokens, "refresh_token"));
    assert_eq!(status, 200, "{second}");
    assert_eq!(idp.families("native").len(), 1);
    assert_eq!(idp.families("native")[0].rotations, 1);

    let form = [("client_id", "native"), ("token", text(&second, "refresh_token"))];
    let metadata = idp.metadata();
    let introspected = post(text(&metadata, "introspection_endpoint"), &form).1;
    assert_eq!(introspected["active"], true);
    let revoked = Call::post(text(&metadata, "revocation_endpoint")).form(&form).send().unwrap();
    assert_eq!(revoked.status, 200);
    assert_eq!(refresh(text(&second, "refresh_token")).1["error"], "invalid_grant");
    assert_eq!(idp.requests_at("revocation").len(), 1);
}

#[test]
fn a_person_who_says_no_is_heard() {
    let idp = Idp::start();
    let back = idp.deny(&authorization_url(&idp, "native", "openid"));
    assert_eq!(param(&back, "error").as_deref(), Some("access_denied"), "{back}");
    let stranger = authorization_url(&idp, "nobody", "openid");
    let error = idp.try_authorize(&Person::default(), &stranger).unwrap_err().to_string();
    assert!(error.contains("invalid_client"), "{error}");
}

#[test]
fn requests_are_pushed_where_the_client_has_to() {
    let idp = Idp::start();
    let metadata = idp.metadata();
    let direct = idp.authorize(&authorization_url(&idp, "par", "openid"));
    assert_eq!(param(&direct, "error").as_deref(), Some("invalid_request"), "{direct}");

    let endpoint = text(&metadata, "pushed_authorization_request_endpoint");
    let (status, pushed) = post(endpoint, &authorization_params("par", "openid"));
    assert_eq!(status, 201, "{pushed}");
    let endpoint = text(&metadata, "authorization_endpoint");
    let uri = text(&pushed, "request_uri");
    let url = format!("{endpoint}?client_id=par&request_uri={uri}");
    let code = param(&idp.authorize(&url), "code").unwrap();
    assert_eq!(post(idp.token_endpoint(), &code_form("par", &code)).0, 200);
    assert_eq!(idp.requests_at("pushed_authorization_request").len(), 1);
}

#[test]
fn id_tokens_are_signed_with_keys_that_change() {
    let idp = Idp::start();
    let key_ids = || {
        let jwks = Call::get(text(&idp.metadata(), "jwks_uri")).send().unwrap().json().unwrap().1;
        let keys = jwks["keys"].as_array().unwrap().iter();
        keys.map(|key| text(key, "kid").to_owned()).collect::<Vec<_>>()
    };
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let client = idp.register(&json!({
            "token_endpoint_auth_method": "none",
            "id_token_signed_response_alg": algorithm,
        }));
        let back = idp.authorize(&authorization_url(&idp, &client.id, "openid"));
        let code = param(&back, "code").unwrap();
        let tokens = post(idp.token_endpoint(), &code_form(&client.id, &code)).1;
        let (header, _) = crate::keys::parts(text(&tokens, "id_token")).unwrap();
        assert_eq!(header["alg"], algorithm);
        assert!(key_ids().contains(&text(&header, "kid").to_owned()), "{algorithm}");
    }
    let first = key_ids();
    idp.rotate_keys();
    let second = key_ids();
    assert!(first.iter().all(|id| !second.contains(id)));
    idp.add_keys();
    let third = key_ids();
    assert!(third.len() == 2 * second.len() && third.ends_with(&second));
}
