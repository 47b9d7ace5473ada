use super::*;
use crate::config::parse;

#[test]
fn a_place_holds_what_lies_below_its_path() {
    for (place, url, length) in [
        ("https://a.example/", "https://a.example", Some(0)),
        ("https://a.example", "https://a.example/v1?x=/v2", Some(0)),
        ("https://a.example/v1", "https://a.example/v1", Some(3)),
        ("https://a.example/v1", "https://a.example/v1/", Some(3)),
        ("https://a.example/v1/", "https://a.example/v1", Some(3)),
        ("https://a.example/v1/", "https://a.example/v1/x/y", Some(3)),
        ("https://a.example/v1", "https://a.example/v1?x", Some(3)),
        ("https://a.example/v1", "https://a.example/v12", None),
        ("https://a.example/v1", "https://a.example/v1;x", None),
        ("https://a.example/v1", "https://a.example/V1", None),
        ("https://a.example/v1", "https://a.example/", None),
        ("https://a.example/v1", "https://a.example//v1/x", None),
        // Where a dot leads out of the place, however it is written.
        ("https://a.example/v1", "https://a.example/v1/../admin", None),
        ("https://a.example/v1", "https://a.example/v1/%2e%2E/admin", None),
        ("https://a.example/v1", "https://a.example/v1/..%2fadmin", None),
        ("https://a.example/v1", "https://a.example/v1/x%5c..%5c..%5cadmin", None),
        ("https://a.example/v1", "https://a.example/v1/..;/admin", None),
        ("https://a.example/v1", "https://a.example/x/../v1/y", Some(3)),
        ("https://a.example/v1", "https://a.example/./v1/y", Some(3)),
        // An escape that says nothing.
        ("https://a.example/v1", "https://a.example/%761/y", Some(3)),
        ("https://a.example/%7ev1", "https://a.example/~v1/y", Some(4)),
        ("https://a.example/a%2fb", "https://a.example/a%2Fb/c", Some(6)),
        ("https://a.example/v1", "https://a.example/v1%2fx", None),
        ("https://a.example/v1", "https://a.example/v1/%zz", None),
        // Another origin.
        ("https://a.example/", "https://A.EXAMPLE:443/x", Some(0)),
        ("https://a.example/", "https://a.example:444/", None),
        ("https://a.example/", "http://a.example/", None),
        ("https://a.example/", "https://b.example/", None),
        ("https://a.example/", "https://a.example./", None),
        ("https://a.example/", "https://a.example.evil.example/", None),
        ("https://a.example:8443/", "https://a.example:8443/x", Some(0)),
    ] {
        let (place, url) = (Url::parse(place).unwrap(), Url::parse(url).unwrap());
        assert_eq!(holds(&place, &url), length, "{place} {url}");
    }
}

#[test]
fn what_two_programs_would_read_in_two_ways_is_no_url() {
    for (text, fits) in [
        ("https://a.example/x?q=%20&r=a@b#part", true),
        ("HTTPS://a.example", true),
        ("http://a.example/", true),
        ("a.example/x", false),
        ("https:a.example", false),
        ("https://a.example\\@evil.example/", false),
        ("https://user:hunter2@a.example/", false),
        ("https://a.example/\tx", false),
        ("https://a.example/a b", false),
        ("https://\u{e4}.example/", false),
        ("ftp://a.example/", false),
        ("file:///etc/passwd", false),
        ("", false),
    ] {
        let read = asked(text);
        assert_eq!(read.is_ok(), fits, "{text:?}");
        assert!(read.is_ok() || !format!("{read:?}").contains("hunter2"));
    }
}

const PROFILES: &str = r#"
[profiles.open]
grant = "api_key"
[profiles.here]
grant = "api_key"
allow_http_loopback = true
[profiles.acme]
grant = "api_key"
api_urls = ["https://a.example/", "https://b.example/v1"]
[profiles.deep]
grant = "api_key"
query = "key"
api_urls = "https://a.example/deep/er"
[profiles.twin]
grant = "api_key"
api_urls = "https://a.example/deep/er/"
[profiles.m1]
grant = "api_key"
query = "k"
api_urls = ["https://pool.example/", "https://m1.example/"]
[profiles.m2]
grant = "api_key"
api_urls = "https://pool.example/x"
[profiles.both]
pool = ["m1", "m2"]
[profiles.apart]
pool = ["m2", "deep"]
[profiles.bounded]
pool = ["open", "m1"]
api_urls = "https://pool.example/y"
"#;

/// The profile, or the kind of the error.
fn whose(profile: Option<&str>, url: Option<&str>) -> String {
    let config = parse(PROFILES).unwrap();
    let name = profile.map(|name| ProfileName::parse(name).unwrap());
    match usage(&config, name.as_ref(), url, None) {
        Ok(usage) => usage.profile.name.to_string(),
        Err(failure) => failure.kind.name().to_owned(),
    }
}

#[test]
fn the_longest_place_finds_the_profile() {
    for (url, found) in [
        ("https://a.example/", "acme"),
        ("https://a.example/deep", "acme"),
        ("https://a.example/deep/ers", "acme"),
        ("https://b.example/v1/x", "acme"),
        ("https://b.example/", "no_such_profile"),
        ("https://nobody.example/", "no_such_profile"),
        // Two are equally good.
        ("https://a.example/deep/er/x", "usage"),
        // A pool stands for its members, where all of them may go.
        ("https://pool.example/x/1", "both"),
        ("https://pool.example/y", "bounded"),
        ("https://pool.example/", "m1"),
        ("https://m1.example/", "m1"),
        ("nonsense", "usage"),
    ] {
        assert_eq!(whose(None, Some(url)), found, "{url}");
    }
    assert_eq!(whose(None, None), "usage");
}

#[test]
fn whoever_may_know_some_profiles_alone_finds_no_other() {
    let config = parse(PROFILES).unwrap();
    for (among, found) in [
        (&["acme", "twin"][..], Ok("twin")),
        (&["acme", "deep"], Ok("deep")),
        (&["deep", "twin"], Err(Kind::Usage)),
        (&["m1"], Err(Kind::NoSuchProfile)),
    ] {
        let among = among.iter().map(|name| ProfileName::parse(name).unwrap()).collect();
        let usage = usage(&config, None, Some("https://a.example/deep/er/x"), Some(&among));
        let name = usage.as_ref().map(|usage| usage.profile.name.as_str());
        assert_eq!(name.map_err(|failure| failure.kind), found);
    }
}

#[test]
fn a_profile_is_refused_outside_of_its_places() {
    for (profile, url, found) in [
        ("acme", "https://a.example/x", "acme"),
        ("acme", "https://c.example/x", "url_refused"),
        ("acme", "http://a.example/x", "url_refused"),
        ("open", "https://anywhere.example/", "open"),
        ("open", "http://anywhere.example/", "url_refused"),
        ("open", "http://127.0.0.1:1/", "url_refused"),
        ("here", "http://127.0.0.1:1/", "here"),
        ("here", "http://10.0.0.1/", "url_refused"),
        ("both", "https://pool.example/x/y", "both"),
        ("both", "https://pool.example/", "url_refused"),
        ("both", "https://m1.example/", "url_refused"),
        ("bounded", "https://pool.example/y/z", "bounded"),
        ("bounded", "https://pool.example/x", "url_refused"),
        ("nobody", "https://a.example/", "no_such_profile"),
    ] {
        assert_eq!(whose(Some(profile), Some(url)), found, "{profile} {url}");
    }
    assert_eq!(whose(Some("apart"), None), "url_refused");
}

#[test]
fn a_refusal_names_both_who_fit_and_no_query() {
    let config = parse(PROFILES).unwrap();
    let url = "https://a.example/deep/er?key=hunter2";
    let failure = usage(&config, None, Some(url), None).unwrap_err();
    assert_eq!(failure.message, "`deep` and `twin` are both for https://a.example/deep/er");
    let acme = ProfileName::parse("acme").unwrap();
    let failure =
        usage(&config, Some(&acme), Some("https://c.example/?k=hunter2"), None).unwrap_err();
    assert_eq!(failure.message, "its token may not be used at https://c.example/");
    assert_eq!(
        failure.hint.unwrap(),
        "`tokctl show acme` says where it may be; `tokctl set acme api_urls=URL\u{2026}` lists the \
         places anew"
    );
}

#[test]
fn a_usage_says_how_and_where() {
    let config = parse(PROFILES).unwrap();
    for (profile, header, query, urls) in [
        ("open", "Authorization: Bearer {token}", None, &[][..]),
        ("deep", "", Some("key"), &["https://a.example/deep/er"]),
        // Of a pool as of its first member; where all of them may go.
        ("both", "", Some("k"), &["https://pool.example/x"]),
        ("bounded", "Authorization: Bearer {token}", None, &["https://pool.example/y"]),
    ] {
        let name = ProfileName::parse(profile).unwrap();
        let found = usage(&config, Some(&name), None, None).unwrap();
        let places: Vec<&str> = found.api_urls.iter().map(|url| url.as_str()).collect();
        assert_eq!((found.header, found.query, places.as_slice()), (header, query, urls));
    }
}
