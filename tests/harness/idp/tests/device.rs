//! Device codes, approved and denied without a browser.

use super::*;

fn begin(idp: &Idp) -> Value {
    let endpoint = idp.metadata()["device_authorization_endpoint"].as_str().unwrap().to_owned();
    let (status, answer) = post(&endpoint, &[("client_id", "native"), ("scope", "openid api")]);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn poll(idp: &Idp, device: &Value) -> Value {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "native"),
        ("device_code", text(device, "device_code")),
    ];
    post(idp.token_endpoint(), &form).1
}

#[test]
fn a_device_gets_its_token_when_the_person_says_so() {
    let idp = Idp::start();
    let device = begin(&idp);
    assert!(device.get("interval").is_none(), "this provider leaves it out unless told: {device}");
    assert_eq!(poll(&idp, &device)["error"], "authorization_pending");
    idp.approve_device(text(&device, "user_code"));
    let tokens = poll(&idp, &device);
    assert_eq!(idp.call_api(text(&tokens, "access_token")).1["sub"], "ada");

    let device = begin(&idp);
    idp.deny_device(text(&device, "user_code"));
    assert_eq!(poll(&idp, &device)["error"], "access_denied");
}

#[test]
fn who_polls_too_often_is_slowed_down() {
    let idp = Idp::start_with(&Settings { device_interval_s: Some(30), ..Settings::default() });
    let device = begin(&idp);
    assert_eq!(device["interval"], 30);
    assert_eq!(poll(&idp, &device)["error"], "authorization_pending");
    assert_eq!(poll(&idp, &device)["error"], "slow_down");
    let other = begin(&idp);
    idp.slow_devices_down(1);
    assert_eq!(poll(&idp, &other)["error"], "slow_down");
    let polls = idp.token_requests();
    assert_eq!(polls[2]["error"], "slow_down");
    assert!(polls[0]["at_ms"].as_u64().unwrap() <= polls[2]["at_ms"].as_u64().unwrap());
}
