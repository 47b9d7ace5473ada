//! Pools: what they may name, and what may stand beside it.

use tokctl_core::{Pool, Rate};

use super::*;

/// Two members and a pool whose keys stand from line 7 on.
fn with_pool(keys: &str) -> String {
    format!(
        "[profiles.acct1]\ngrant = \"api_key\"\n[profiles.acct2]\ngrant = \"api_key\"\n\
         [profiles.other]\npool = \"acct1\"\n[profiles.search]\n{keys}\n"
    )
}

fn named(name: &str) -> ProfileName {
    ProfileName::parse(name).unwrap()
}

#[test]
fn a_pool_is_its_members_in_order_and_what_each_stands() {
    let minute = Duration::from_secs(60);
    for (keys, members, rate) in [
        ("pool = [\"acct2\", \"acct1\"]", &["acct2", "acct1"][..], None),
        ("pool = \"acct1\"", &["acct1"][..], None),
        (
            "pool = [\"acct1\"]\nrate_limit = \"60/min\"",
            &["acct1"][..],
            Some(Rate { uses: 60, period: minute }),
        ),
    ] {
        let config = parse(&with_pool(keys)).unwrap();
        let members = members.iter().map(|member| named(member)).collect();
        let search = &config.profiles["search"];
        assert_eq!(search.grant, Grant::Pool(Pool { members, rate }.into()), "{keys}");
        assert_eq!((search.grant.name(), search.policy), ("pool", Policy::DEFAULT));
    }
}

#[test]
fn a_pool_has_a_header_and_addresses_of_its_own() {
    let keys = "pool = \"acct1\"\nheader = \"X-Key: {token}\"\n\
                api_urls = [\"http://127.0.0.1:1/\"]\nallow_http_loopback = true";
    let config = parse(&with_pool(keys)).unwrap();
    assert_eq!(config.profiles["search"].header, "X-Key: {token}");
}

#[test]
fn a_pool_says_what_is_wrong_with_it_and_where() {
    for (keys, line, said, hint) in [
        ("pool = []", 8, "`pool` names no profile", "name at least one"),
        (
            "pool = [\n  \"acct1\",\n  \"acct9\",\n]",
            10,
            "`pool` names `acct9`, which is no profile",
            "did you mean `acct1`?",
        ),
        (
            "pool = \"nobody\"",
            8,
            "`pool` names `nobody`, which is no profile",
            "`tokctl list` shows what there is",
        ),
        (
            "pool = [\"acct1\", \"acct2\",\n\"acct1\"]",
            9,
            "`pool` names `acct1` twice",
            "remove one of the two",
        ),
        (
            "pool = [\"acct1\", \"other\"]",
            8,
            "`pool` names `other`, which is a pool itself",
            "name the members of that pool in its place",
        ),
        (
            "pool = \"search\"",
            8,
            "`pool` names `search`, which is a pool itself",
            "name the members of that pool in its place",
        ),
        (
            "pool = \"acct1\"\ngrant = \"api_key\"",
            9,
            "`grant` cannot stand beside `pool`, which hands out the tokens of other profiles",
            "remove one of the two",
        ),
        (
            "pool = \"acct1\"\nclient_id = \"x\"",
            9,
            "`client_id` means nothing with `pool`: its members have their own",
            "remove `client_id`",
        ),
        (
            "pool = \"acct1\"\nkeep = \"always\"",
            9,
            "`keep` means nothing with `pool`: its members have their own",
            "remove `keep`",
        ),
        (
            "pool = \"acct1\"\nrefresh_ahead = \"1m\"",
            9,
            "`refresh_ahead` means nothing with `pool`: its members have their own",
            "remove `refresh_ahead`",
        ),
        (
            "pool = \"acct1\"\nrate_limit = \"60\"",
            9,
            "`rate_limit` must be a number of uses, a slash and a time",
            "as in `10/s`, `60/min`, `5000/h` or `100/5m`",
        ),
        (
            "rate_limit = \"60/s\"",
            7,
            "the profile has no `grant`",
            "known are `client_credentials`, `authorization_code`, `device_code`, `refresh_token`, `jwt_bearer`, `token_exchange`, `aws_web_identity`, `github_app`, `self_signed_jwt`, `steps`, `command`, `api_key`",
        ),
    ] {
        let error = parse(&with_pool(keys)).unwrap_err();
        assert_eq!((error.line, error.message.as_str()), (line, said), "{keys}");
        assert_eq!(error.hint.as_deref(), Some(hint), "{keys}");
    }
    let error = parse(&with_pool("pool = \"A b\"")).unwrap_err();
    assert!(error.message.starts_with("`pool` does not fit: "), "{error}");
}

#[test]
fn no_pools_can_make_a_circle() {
    let text = "[profiles.a]\npool = \"b\"\n[profiles.b]\npool = \"a\"\n";
    let error = parse(text).unwrap_err();
    assert_eq!(
        (error.line, error.message.as_str()),
        (2, "`pool` names `b`, which is a pool itself")
    );
}
