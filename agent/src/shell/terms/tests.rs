//! What is taken, what is left of it, and what is told.

use tokctl_core::RequestId;
use tokctl_proto::codec;
use tokctl_proto::request::Request;

use super::*;

fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

fn terms(only: &[&str], scope: &[&str]) -> Terms {
    Terms {
        only: only.iter().map(|text| name(text)).collect(),
        scope: scope.iter().map(|&text| text.to_owned()).collect(),
        allow_uid: None,
        expires_at: None,
    }
}

fn taken(terms: &Terms, line: &str) -> Result<Command, Failure> {
    let request: Request<'_> = codec::decode_line(line.as_bytes()).unwrap();
    terms.admit(&request)?;
    terms.narrow(Command::parse(RequestId(1), request)?)
}

#[test]
fn only_what_hands_out_and_tells_of_tokens_is_taken_and_of_its_own_profiles_alone() {
    let terms = terms(&["acme", "hub"], &[]);
    for (line, kind) in [
        (r#"{"get":{"profile":"acme"}}"#, None),
        (r#"{"get2":{"profile":"hub","uses":2}}"#, None),
        (r#"{"get3":{"profile":"hub"}}"#, None),
        (r#"{"report":{"profile":"acme","status":429}}"#, None),
        (r#"{"why":{"profile":"acme"}}"#, None),
        (r#"{"usage":{"profile":"acme"}}"#, None),
        (r#"{"usage":{"url":"https://a.example/"}}"#, None),
        (r#"{"usage":{"profile":"shop"}}"#, Some(Kind::NoSuchProfile)),
        (r#"{"status":{}}"#, None),
        (r#"{"status2":{}}"#, None),
        (r#"{"get":{"profile":"shop"}}"#, Some(Kind::NoSuchProfile)),
        (r#"{"get2":{"profile":"shop"}}"#, Some(Kind::NoSuchProfile)),
        (r#"{"get3":{"profile":"shop"}}"#, Some(Kind::NoSuchProfile)),
        (r#"{"report":{"profile":"shop","status":429}}"#, Some(Kind::NoSuchProfile)),
        (r#"{"why":{"profile":"shop"}}"#, Some(Kind::NoSuchProfile)),
        (r#"{"list":{}}"#, Some(Kind::SocketScoped)),
        (r#"{"show":{"profile":"acme"}}"#, Some(Kind::SocketScoped)),
        (r#"{"show2":{"profile":"acme"}}"#, Some(Kind::SocketScoped)),
        (r#"{"refresh":{"profile":"acme"}}"#, Some(Kind::SocketScoped)),
        (r#"{"login":{"profile":"acme"}}"#, Some(Kind::SocketScoped)),
        (r#"{"revoke":{"profile":"acme"}}"#, Some(Kind::SocketScoped)),
        (r#"{"remove":{"profile":"not a name"}}"#, Some(Kind::SocketScoped)),
        (r#"{"inspect":{"profile":"acme"}}"#, Some(Kind::SocketScoped)),
        (r#"{"dry_run":{"profile":"acme"}}"#, Some(Kind::SocketScoped)),
        (r#"{"watch":{"profiles":["acme"]}}"#, Some(Kind::SocketScoped)),
        (r#"{"probe":{"profile":"acme","url":"https://a.example/"}}"#, Some(Kind::SocketScoped)),
        (r#"{"unlock":{"passphrase":"p"}}"#, Some(Kind::SocketScoped)),
        (r#"{"lock":{}}"#, Some(Kind::SocketScoped)),
        (r#"{"purge":{}}"#, Some(Kind::SocketScoped)),
        (r#"{"presets":{}}"#, Some(Kind::SocketScoped)),
        (r#"{"config_read":{}}"#, Some(Kind::SocketScoped)),
        (r#"{"agent_status":{}}"#, Some(Kind::SocketScoped)),
        (r#"{"agent_stop":{}}"#, Some(Kind::SocketScoped)),
        (r#"{"socket_create":{"only":["shop"]}}"#, Some(Kind::SocketScoped)),
        (r#"{"socket_list":{}}"#, Some(Kind::SocketScoped)),
        (r#"{"socket_remove":{"path":"/s"}}"#, Some(Kind::SocketScoped)),
    ] {
        let refused = taken(&terms, line).err();
        assert_eq!(refused.as_ref().map(|failure| failure.kind), kind, "{line}");
        // A name that the client itself said may come back.
        let told = refused.map(|failure| failure.message + &failure.hint.unwrap_or_default());
        assert!(!told.unwrap_or_default().contains("shop"), "{line}");
    }
}

#[test]
fn a_narrowed_scope_is_what_is_asked_for_at_most() {
    for (narrowed, asked, left) in [
        (&[][..], "", Ok("")),
        (&[], "write", Ok("write")),
        (&["read"], "", Ok("read")),
        (&["read", "list"], "", Ok("list read")),
        (&["read", "list"], "read", Ok("read")),
        (&["read"], "read write", Err(Kind::SocketScoped)),
        (&["read"], "write", Err(Kind::SocketScoped)),
        (&["read"], "Read", Err(Kind::SocketScoped)),
    ] {
        let terms = terms(&["acme"], narrowed);
        for request in ["get", "get2", "get3"] {
            let line = format!(r#"{{"{request}":{{"profile":"acme","scope":["{asked}"]}}}}"#);
            let scope = taken(&terms, &line).map(|command| match command {
                Command::Get(get) | Command::Get2(get) | Command::Get3(get, _) => {
                    get.key.scope.into_iter().collect::<Vec<_>>().join(" ")
                }
                other => panic!("{other:?}"),
            });
            let scope = scope.map_err(|failure| failure.kind);
            assert_eq!(scope, left.map(str::to_owned), "{narrowed:?} {line}");
        }
    }
}

#[test]
fn nobody_is_asked_for_a_passphrase() {
    let line = r#"{"get":{"profile":"acme","interactive":true}}"#;
    match taken(&terms(&["acme"], &[]), line).unwrap() {
        Command::Get(get) => assert!(!get.interactive),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_name_of_another_profile_is_in_a_failure_that_is_told() {
    let terms = terms(&["acme", "hub"], &[]);
    let of = |kind, profile: Option<&str>| {
        let failure = Failure::new(kind, "config.toml:7: shop: no").hint("did you mean `shop`?");
        Failure { profile: profile.map(name), ..failure }
    };
    for (failure, told) in [
        (of(Kind::NoSuchProfile, Some("acmo")), "did you mean `acme`?"),
        (of(Kind::NoSuchProfile, Some("acme")), "this socket knows acme, hub"),
        (of(Kind::NoSuchProfile, Some("zzz")), "this socket knows acme, hub"),
        (of(Kind::ConfigInvalid, None), "`tokctl agent status` tells its owner why"),
        (of(Kind::ConfigInvalid, Some("shop")), "`tokctl agent status` tells its owner why"),
        (of(Kind::ConfigInvalid, Some("acme")), "did you mean `shop`?"),
        (of(Kind::LoginRequired, Some("acme")), "did you mean `shop`?"),
    ] {
        assert_eq!(terms.told(&failure).hint.as_deref(), Some(told), "{failure:?}");
        assert_eq!(terms.told(&failure).kind, failure.kind);
    }
}

#[test]
fn the_agents_own_user_is_let_in_and_one_more_if_it_was_said() {
    for (allow, uid, is_let_in) in [
        (None, 1000, true),
        (None, 0, false),
        (None, 1001, false),
        (Some(1001), 1001, true),
        (Some(1001), 1000, true),
        (Some(1001), 1002, false),
        (Some(1001), 0, false),
        (Some(0), 0, true),
    ] {
        let terms = Terms { allow_uid: allow, ..terms(&["acme"], &[]) };
        assert_eq!(terms.lets_in(uid, 1000), is_let_in, "{allow:?} {uid}");
    }
}

#[test]
fn it_has_ended_at_its_end() {
    for (now, ended) in [(999, false), (1000, true), (1001, true)] {
        let terms = Terms { expires_at: Some(WallMs(1000)), ..terms(&["acme"], &[]) };
        assert_eq!(terms.has_ended(WallMs(now)), ended, "{now}");
    }
    assert!(!terms(&["acme"], &[]).has_ended(WallMs(i64::MAX)));
}

#[test]
fn whose_token_is_used_at_a_place_is_sought_among_its_own() {
    let terms = terms(&["acme", "hub"], &[]);
    let command = taken(&terms, r#"{"usage":{"url":"https://a.example/"}}"#).unwrap();
    let Command::Usage { among, .. } = command else { panic!("{command:?}") };
    assert_eq!(among, Some(terms.only));
}
