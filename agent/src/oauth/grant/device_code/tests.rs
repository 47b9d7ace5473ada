//! How a device login begins, and how often the provider is asked about it.

use std::collections::BTreeMap;

use serde_json::json;
use tokctl_proto::WallMs;
use zeroize::Zeroizing;

use super::*;
use crate::config::ClientAuth;

fn acme() -> ProfileName {
    ProfileName::parse("acme").unwrap()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn reply(body: impl ToString) -> HttpReply {
    HttpReply {
        status: 200,
        content_type: None,
        retry_after: None,
        date: None,
        sent_at: WallMs(0),
        received_at: WallMs(0),
        body: Zeroizing::new(body.to_string().into_bytes()),
    }
}

fn begun(field: &str, value: Value) -> Result<Begun, Failure> {
    let mut fields = json!({
        "device_code": "d-1",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://as.example/device",
        "verification_uri_complete": "https://as.example/device?user_code=WDJB-MJHT",
        "expires_in": 1800,
        "interval": 7,
    });
    fields[field] = value;
    read_begun(&acme(), false, &reply(fields))
}

#[test]
fn a_login_begins_as_the_rfc_says() {
    let begun = begun("more", json!(1)).unwrap();
    assert_eq!((begun.device_code.expose(), begun.user_code.as_str()), ("d-1", "WDJB-MJHT"));
    assert_eq!(begun.verification_uri.as_str(), "https://as.example/device");
    let complete = begun.verification_uri_complete.unwrap();
    assert_eq!(complete.as_str(), "https://as.example/device?user_code=WDJB-MJHT");
    let lasts = (begun.lifetime, begun.interval);
    assert_eq!(lasts, (Duration::from_secs(1800), Duration::from_secs(7)));
}

#[test]
fn intervals_and_lifetimes_are_kept_within_bounds() {
    for (written, interval_s) in [
        (json!(null), 5),
        (json!(0), 5),
        (json!(-3), 5),
        (json!("x"), 5),
        (json!(0.2), 1),
        (json!(1), 1),
        (json!("8"), 8),
        (json!(60), 60),
        (json!(61), 60),
        (json!(86_400), 60),
        (json!(1e300), 5),
    ] {
        let read = begun("interval", written.clone()).unwrap().interval;
        assert_eq!(read, Duration::from_secs(interval_s), "{written}");
    }
    for (written, lifetime_s) in [
        (json!(null), 600),
        (json!(0), 600),
        (json!("900"), 900),
        (json!(3600), 3600),
        (json!(3601), 3600),
        (json!(1e18), 3600),
    ] {
        let read = begun("expires_in", written.clone()).unwrap().lifetime;
        assert_eq!(read, Duration::from_secs(lifetime_s), "{written}");
    }
}

#[test]
fn people_are_sent_to_https_alone_and_to_what_can_be_read() {
    for (field, value, fails_with) in [
        ("device_code", json!(null), Some("the provider began a login without a device_code")),
        ("user_code", json!(""), Some("the provider began a login without a user_code")),
        (
            "user_code",
            json!("x".repeat(65)),
            Some("the provider began a login without a user_code"),
        ),
        (
            "verification_uri",
            json!(7),
            Some("the provider began a login without a verification_uri"),
        ),
        (
            "verification_uri",
            json!("http://as.example/"),
            Some("the provider sends people to `http://as.example/`, which is not https"),
        ),
        (
            "verification_uri",
            json!("javascript:alert(1)//\u{1b}"),
            Some("the provider sends people to `javascript:alert(1)//\\u{1b}`, which is not https"),
        ),
        (
            "verification_uri",
            json!("https://as.example@evil.example/"),
            Some(
                "the provider sends people to `https://as.example@evil.example/`, which is not https",
            ),
        ),
        (
            "verification_uri",
            json!(format!("https://as.example/{}", "a".repeat(2048))),
            Some("the provider sends people to an address of more than 2 KiB"),
        ),
        // Short as it is written, and longer than that as it is sent.
        (
            "verification_uri",
            json!(format!("https://as.example/{}", "\u{202e}".repeat(600))),
            Some("the provider sends people to `https://as.example/"),
        ),
        ("verification_uri_complete", json!("http://as.example/"), None),
    ] {
        let failure = begun(field, value).err().map(|failure| failure.message);
        let begins = fails_with.is_some_and(|with| failure.iter().any(|it| it.starts_with(with)));
        assert!(begins || failure.as_deref() == fails_with, "{field}: {failure:?}");
    }
    let with = |value: &str| begun("verification_uri", json!(value)).unwrap().verification_uri;
    assert_eq!(
        with("https://b\u{fc}cher.example/\u{e4}").as_str(),
        "https://xn--bcher-kva.example/%C3%A4"
    );
    assert_eq!(begun("user_code", json!("A\u{1b}[2J")).unwrap().user_code, "A\\u{1b}[2J");
    for complete in ["http://as.example/", &format!("https://as.example/{}", "a".repeat(2048))] {
        let complete = begun("verification_uri_complete", json!(complete)).unwrap();
        assert_eq!(complete.verification_uri_complete, None);
    }
}

#[test]
fn what_is_older_than_the_rfc_is_read() {
    let fields = json!({"device_code": "d", "user_code": "u", "verification_url": "https://g.example/device"});
    let begun = read_begun(&acme(), false, &reply(fields)).unwrap();
    assert_eq!(begun.verification_uri.as_str(), "https://g.example/device");
}

#[test]
fn what_begins_no_login_is_a_failure() {
    for body in ["", "[]", "<html>", "{}", "null"] {
        let failure = read_begun(&acme(), false, &reply(body)).unwrap_err();
        assert_eq!(failure.kind, Kind::ProviderFailed, "{body}");
    }
    let local =
        json!({"device_code": "d", "user_code": "u", "verification_uri": "http://127.0.0.1:1/"});
    assert!(read_begun(&acme(), false, &reply(&local)).is_err());
    assert!(read_begun(&acme(), true, &reply(&local)).is_ok());
}

#[test]
fn the_interval_grows_for_good_when_we_are_told_and_for_a_while_when_nobody_answers() {
    let mut pace = Pace::new(&begun("interval", json!(5)).unwrap());
    let waits_s = |pace: &Pace| pace.wait().as_secs();
    assert_eq!(waits_s(&pace), 5);
    pace.answered();
    assert_eq!(waits_s(&pace), 5);
    let slow_down = json!({"error": "slow_down"});
    pace.slow_down(&reply(&slow_down));
    assert_eq!(waits_s(&pace), 10);
    pace.slow_down(&reply(&slow_down));
    assert_eq!(waits_s(&pace), 15);
    for waits in [30, 60, 60] {
        pace.trouble();
        assert_eq!(waits_s(&pace), waits);
    }
    pace.answered();
    assert_eq!(waits_s(&pace), 15);
    // GitHub says how much.
    for (told, waits) in [(json!(17), 20), (json!(31), 31), (json!("40"), 40), (json!(86_400), 60)]
    {
        pace.slow_down(&reply(json!({"error": "slow_down", "interval": told})));
        assert_eq!(waits_s(&pace), waits, "{told}");
    }
    pace.slow_down(&reply("not JSON"));
    assert_eq!(waits_s(&pace), 65);
    (0..100).for_each(|_| pace.trouble());
    assert_eq!(waits_s(&pace), 65);
}

#[test]
fn the_words_of_the_rfc_are_known() {
    for (code, word) in [
        (Some("authorization_pending"), Word::Pending),
        (Some("slow_down"), Word::SlowDown),
        (Some("access_denied"), Word::Denied),
        (Some("expired_token"), Word::Expired),
        (Some("invalid_grant"), Word::Other),
        (None, Word::Other),
    ] {
        assert_eq!(Word::of(code), word, "{code:?}");
    }
}

#[test]
fn the_requests_are_those_of_the_rfc() {
    let mut client =
        Client { scope: ["never".to_owned()].into(), ..Client::plain(url("https://t/")) };
    client.login.params = [("audience2".to_owned(), "x".to_owned())].into();
    let scope = ["b", "a"].map(str::to_owned).into();
    let at = url("https://as.example/device_authorization");
    let secrets = BTreeMap::from([("client_secret".to_owned(), Secret::new("s3".into()))]);
    for (auth, body) in [
        (ClientAuth::None, "audience2=x&client_id=cc&scope=a+b"),
        (ClientAuth::Basic, "audience2=x&client_id=cc&scope=a+b"),
        (ClientAuth::Post, "audience2=x&client_id=cc&client_secret=s3&scope=a+b"),
    ] {
        let endpoint =
            Endpoint { auth, ..Endpoint::configured(url("https://as.example/token"), &client) };
        let held = Held::only(&secrets);
        let made = begin(&client, &at, &endpoint, &acme(), &scope, held).unwrap();
        assert_eq!((made.url, made.body.expose()), (at.clone(), body), "{auth:?}");
    }
    let endpoint = Endpoint::configured(url("https://as.example/token"), &client);
    let key = TokenKey::plain(acme());
    let code = Secret::new("d 1".into());
    let made = token_request(&client, &endpoint, &key, Held::only(&secrets), &code).unwrap();
    assert_eq!(
        made.body.expose(),
        "client_id=cc&device_code=d+1&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
    );
}
