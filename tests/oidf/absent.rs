//! The modules that ask for something which tokctl does not do, or which no client does, each with the reason.

use super::run::{Module, absent};

const USERINFO: &str =
    "no userinfo endpoint is asked: what a person's claims are is for whoever uses the token";
const NO_WEBFINGER: &str =
    "a profile names its issuer; none is looked up by a person's name or address";
const NO_FRONT_CHANNEL_TOKENS: &str =
    "of implicit and hybrid flows: tokctl takes tokens from the token endpoint alone";
const NO_REQUEST_OBJECTS: &str =
    "no request objects are sent: what must not go through the browser is pushed (RFC 9126)";
const NO_JARM: &str =
    "no signed answers (JARM) are asked for: an answer is told by its state and `iss` (RFC 9207)";
const OF_A_SERVER: &str = "tests an authorization server with wrong requests; that tokctl's are right, the happy path sees";

const MODULES: &[(&str, &str)] = &[
    (
        "oidcc-client-test-3rd-party-init-login",
        "logins begin with the person who types `tokctl login`; there is no address that begins one",
    ),
    ("oidcc-client-test-aggregated-claims", USERINFO),
    ("oidcc-client-test-distributed-claims", USERINFO),
    ("oidcc-client-test-scope-userinfo-claims", USERINFO),
    ("oidcc-client-test-userinfo-bearer-body", USERINFO),
    ("oidcc-client-test-userinfo-bearer-header", USERINFO),
    ("oidcc-client-test-userinfo-invalid-sub", USERINFO),
    ("oidcc-client-test-userinfo-signed", USERINFO),
    ("oidcc-client-test-discovery-webfinger-acct", NO_WEBFINGER),
    ("oidcc-client-test-discovery-webfinger-url", NO_WEBFINGER),
    (
        "oidcc-client-test-dynamic-registration",
        "a person registers the client at the provider; tokctl registers none",
    ),
    (
        "oidcc-client-test-form-post-error",
        "answers come in the query of the redirect; `response_mode=form_post` is not asked for",
    ),
    ("oidcc-client-test-invalid-chash", NO_FRONT_CHANNEL_TOKENS),
    ("oidcc-client-test-missing-chash", NO_FRONT_CHANNEL_TOKENS),
    ("oidcc-client-test-missing-athash", NO_FRONT_CHANNEL_TOKENS),
    ("oidcc-client-test-nonce-unless-code-flow", NO_FRONT_CHANNEL_TOKENS),
    ("oidcc-client-test-request-uri-signed-none", NO_REQUEST_OBJECTS),
    ("oidcc-client-test-request-uri-signed-rs256", NO_REQUEST_OBJECTS),
    ("fapi2-security-profile-final-client-test-ensure-jarm-signature-is-not-none", NO_JARM),
    ("fapi2-security-profile-final-client-test-ensure-jarm-with-expired-exp-fails", NO_JARM),
    ("fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-aud-fails", NO_JARM),
    ("fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-iss-fails", NO_JARM),
    ("fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-sig-fails", NO_JARM),
    ("fapi2-security-profile-final-client-test-ensure-jarm-without-aud-fails", NO_JARM),
    ("fapi2-security-profile-final-client-test-ensure-jarm-without-exp-fails", NO_JARM),
    ("fapi2-security-profile-final-client-test-ensure-jarm-without-iss-fails", NO_JARM),
    (
        "fapi2-security-profile-final-client-test-invalid-openbanking-intent-id",
        "of Open Banking UK alone, whose consents tokctl does not know",
    ),
    (
        "fapi2-security-profile-final-client-test-rs-dpop-auth-scheme-case-insensitivity",
        "the caller reads what an API says and passes its nonce on with `get --nonce`; tokctl calls none",
    ),
    ("fapi2-security-profile-final-ensure-authorization-code-is-bound-to-client", OF_A_SERVER),
    ("fapi2-security-profile-final-ensure-client-assertion-in-token-endpoint", OF_A_SERVER),
    (
        "fapi2-security-profile-final-ensure-client-assertion-with-exp-is-5-minutes-in-past-fails",
        OF_A_SERVER,
    ),
    ("fapi2-security-profile-final-ensure-client-assertion-with-no-sub-fails", OF_A_SERVER),
    ("fapi2-security-profile-final-ensure-client-assertion-with-wrong-aud-fails", OF_A_SERVER),
    ("fapi2-security-profile-final-ensure-client-id-in-token-endpoint", OF_A_SERVER),
    ("fapi2-security-profile-final-ensure-signed-client-assertion-with-RS256-fails", OF_A_SERVER),
    (
        "fapi2-security-profile-final-par-attempt-to-use-request_uri-for-different-client",
        OF_A_SERVER,
    ),
    (
        "fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted",
        OF_A_SERVER,
    ),
    (
        "fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails",
        OF_A_SERVER,
    ),
];

pub(crate) fn modules() -> Vec<Module> {
    MODULES.iter().map(|&(name, why)| absent(name, why)).collect()
}
