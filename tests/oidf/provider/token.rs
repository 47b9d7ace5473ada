//! The token endpoint, and an API that takes its tokens.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::serve::Reply;
use super::{CLIENT_ID, Params, Request, Shared, State, proof, required};

/// Who logs in.
const PERSON: &str = "ada";
const LIFETIME_S: i64 = 3600;

/// RFC 6749 sections 4.1.3 and 6.
pub(super) fn answer(shared: &Shared, state: &mut State, request: &Request) -> Reply {
    let received = &request.received;
    if shared.script.fapi {
        let url = format!("{}/token", shared.issuer);
        if shared.script.dpop_nonce && !proof::holds_nonce(received) {
            let why = "the proof lacks the nonce";
            return Reply::refusal(400, "use_dpop_nonce", why).with("DPoP-Nonce", proof::NONCE);
        }
        match proof::possession(state, received, ("POST", &url), None) {
            Ok(thumbprint) => state.thumbprint = Some(thumbprint),
            Err(why) => return Reply::refusal(400, "invalid_dpop_proof", &why),
        }
    }
    if let Err(why) = proof::client(shared, state, request) {
        return Reply::refusal(401, "invalid_client", &why);
    }
    let asked = match received.param("grant_type") {
        Some("authorization_code") => spend(state, request),
        Some("refresh_token") => {
            let presented = received.param("refresh_token").unwrap_or_default();
            match state.refresh_tokens.remove(presented) {
                true => Ok(None),
                false => Err("a refresh token that is spent, or was never there".to_owned()),
            }
        }
        other => Err(format!("nobody grants {other:?}")),
    };
    match asked {
        Ok(asked) => Reply::new(200, issue(shared, state, asked.as_ref())),
        Err(why) => Reply::refusal(400, "invalid_grant", &why),
    }
}

/// What was asked for with the code.
fn spend(state: &mut State, request: &Request) -> Result<Option<Params>, String> {
    let param = |name| request.received.param(name).unwrap_or_default();
    let asked = state.codes.remove(param("code")).ok_or("no such code")?;
    if param("redirect_uri") != required(&asked, "redirect_uri") {
        return Err("another redirect_uri".to_owned());
    }
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(param("code_verifier")));
    match challenge == required(&asked, "code_challenge") {
        true => Ok(Some(asked)),
        false => Err("another verifier".to_owned()),
    }
}

/// Tokens for a login that asked for this, or for a renewal.
fn issue(shared: &Shared, state: &mut State, asked: Option<&Params>) -> Value {
    let (script, misbehaves) = (&shared.script, state.misbehaves);
    let access_token = state.draw("access");
    let refresh_token = state.draw("refresh");
    state.access_tokens.insert(access_token.clone());
    state.refresh_tokens.insert(refresh_token.clone());
    let now = proof::now_s();
    let half_hash = BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(&access_token)[..16]);
    let mut claims = json!({
        "iss": shared.issuer, "sub": PERSON, "aud": CLIENT_ID, "iat": now, "exp": now + 600,
        "at_hash": half_hash,
    });
    if let Some(asked) = asked {
        claims["nonce"] = required(asked, "nonce").into();
    }
    let change = match asked {
        Some(_) => script.wrong.claims,
        None => script.wrong.renewed_claims,
    };
    let id_token = match misbehaves {
        false => (script.signed)(&state.signer, &claims),
        true => {
            change(&mut claims);
            if script.wrong.new_keys {
                shared.replace_keys(state);
            }
            (script.wrong.signed)(&state.signer, &claims)
        }
    };
    let mut body = json!({
        "access_token": access_token,
        "token_type": if script.fapi { "DPoP" } else { "Bearer" },
        "expires_in": LIFETIME_S,
        "refresh_token": refresh_token,
        "id_token": id_token,
        "scope": "openid api",
    });
    if misbehaves {
        (script.wrong.answer)(&mut body);
    }
    body
}

/// Takes a token that was issued here and not taken back, with a proof where it is bound to a key.
pub(super) fn api(shared: &Shared, state: &mut State, request: &Request) -> Reply {
    let received = &request.received;
    let mut headers = received.headers.iter().filter(|(name, _)| name == "authorization");
    let authorization = headers.next().map_or("", |(_, value)| value.as_str());
    let scheme = if shared.script.fapi { "DPoP " } else { "Bearer " };
    let token = authorization.strip_prefix(scheme).unwrap_or_default();
    if !state.access_tokens.contains(token) {
        return Reply::refusal(401, "invalid_token", "no such token");
    }
    if shared.script.fapi {
        let url = format!("{}/api", shared.issuer);
        if shared.script.dpop_nonce && !proof::holds_nonce(received) {
            let why = "the proof lacks the nonce";
            return Reply::refusal(401, "use_dpop_nonce", why).with("DPoP-Nonce", proof::NONCE);
        }
        match proof::possession(state, received, ("GET", &url), Some(token)) {
            Ok(thumbprint) if Some(&thumbprint) == state.thumbprint.as_ref() => {}
            other => return Reply::refusal(401, "invalid_dpop_proof", &format!("{other:?}")),
        }
    }
    Reply::new(200, json!({ "sub": PERSON }))
}
