//! Further sockets, each for some profiles alone.

use tokctl_tests::wire::Raw;
use tokctl_tests::{Home, Provider, eventually};

#[test]
fn its_profiles_are_served_and_nothing_of_others_is_seen() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    for name in ["acme", "hub", "secretshop"] {
        home.add_at(name, &provider);
    }
    let token = home.get("acme");
    let socket = home.socket_for("acme,hub", &[]);
    let at = |arguments: &[&str]| home.tokctl_at(&socket, arguments).run();
    assert_eq!(at(&["get", "acme"]).ok(), token);
    assert_eq!(at(&["get", "acme", "--json"]).json()["access_token"], token);
    assert_eq!(at(&["get", "hub", "--uses", "2", "--header"]).exits(0).stdout.lines().count(), 1);
    for arguments in [
        &["get", "secretsho"][..],
        &["get", "secretshop"],
        &["why", "secretshop"],
        &["report", "secretshop", "--status", "429"],
        &["status", "secretshop"],
    ] {
        let output = at(arguments).exits(3);
        let said = output.stderr.replace("tokctl: error: secretshop:", "");
        assert!(!said.contains("secretshop"), "{output:?}");
    }
    at(&["get", "acem"]).fails(3, &["did you mean `acme`?"]);
    let rows = at(&["status", "--json"]).json();
    let names: Vec<_> = rows.as_array().unwrap().iter().map(|row| &row["profile"]).collect();
    assert_eq!(names, ["acme", "hub"]);
    assert_eq!(at(&["why", "acme", "--json"]).json()["profile"], "acme");
    at(&["report", "acme", "--status", "429", "--retry-after", "60"]).ok();
    at(&["get", "acme"]).fails(7, &["slow down"]);
    for arguments in [
        &["list"][..],
        &["show", "acme"],
        &["refresh", "acme"],
        &["add", "more", "--grant", "api_key", "--key-stdin"],
        &["remove", "acme", "--yes"],
        &["lock"],
        &["agent", "status"],
        &["agent", "stop"],
        &["socket", "list"],
        &["socket", "create", "/tmp/more.sock", "--only", "secretshop"],
    ] {
        let run = home.tokctl_at(&socket, arguments).stdin("key");
        let output = run.run().fails(8, &["does nothing else", "TOKCTL_SOCK"]);
        assert!(!output.stderr.contains("secretshop"), "{output:?}");
    }
    assert_eq!(home.profiles(), ["acme", "hub", "secretshop"]);
}

#[test]
fn a_configuration_that_cannot_be_used_is_told_without_what_is_in_it() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let socket = home.socket_for("acme", &[]);
    let at = |arguments: &[&str]| home.tokctl_at(&socket, arguments).run();
    let text = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), format!("{text}\n[profiles.shop]\ngrant = \"secretshop\"\n"))
        .unwrap();
    home.tokctl(["agent", "reload"]).run().fails(10, &["secretshop"]);
    for arguments in [&["status"][..], &["why", "acme"], &["get", "acme"], &["get", "gone"]] {
        let output = at(arguments);
        assert!(!format!("{output:?}").contains("secretshop"), "{output:?}");
    }
    home.tokctl(["status"]).run().fails(0, &["secretshop"]);
}

#[test]
fn a_narrowed_scope_is_asked_for_at_most() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let socket = home.socket_for("acme", &["--scope", "read list"]);
    let at = |arguments: &[&str]| home.tokctl_at(&socket, arguments).run();
    let scopes = || {
        let requests = provider.token_requests();
        let scope = |request: &tokctl_tests::provider::Received| {
            let mut words: Vec<_> =
                request.param("scope").unwrap_or_default().split(' ').map(str::to_owned).collect();
            words.sort();
            words.join(" ")
        };
        requests.iter().map(scope).collect::<Vec<_>>()
    };
    at(&["get", "acme"]).ok();
    at(&["get", "acme", "--scope", "read"]).ok();
    assert_eq!(scopes(), ["list read", "read"]);
    at(&["get", "acme", "--scope", "read write"]).fails(8, &["`write`", "`list read`"]);
    at(&["get", "acme", "--scope", "api"]).fails(8, &["`api`"]);
    assert_eq!(scopes().len(), 2);
    home.get("acme");
    assert_eq!(scopes()[2], "api");
}

#[test]
fn who_is_connected_is_hung_up_on_when_it_is_removed() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let socket = home.socket_for("acme", &[]);
    let mut raw = Raw::connect(&socket);
    assert!(raw.line(r#"{"get":{"profile":"acme"}}"#).answer_line().unwrap()["done"].is_object());
    let rows = || home.tokctl(["socket", "list", "--json"]).run().json();
    assert_eq!(rows()[0]["connections"], 1);
    home.tokctl(["socket", "remove"]).arg(&socket).run().ok();
    assert_eq!(raw.rest(), b"");
    assert!(!socket.exists());
    assert_eq!(rows(), serde_json::json!([]));
    home.tokctl_at(&socket, &["get", "acme"]).run().fails(9, &["no agent listens"]);
    home.get("acme");
}

#[test]
fn who_is_connected_is_hung_up_on_when_its_time_is_over_whatever_is_under_way() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    provider.answer_next(tokctl_tests::provider::Answer::json(200, "{}").held());
    let socket = home.socket_for("acme", &["--expires", "3"]);
    let mut silent = Raw::connect(&socket);
    let mut busy = Raw::connect(&socket);
    busy.line(r#"{"get":{"profile":"acme"}}"#);
    assert_eq!((busy.rest(), silent.rest()), (Vec::new(), Vec::new()));
    eventually("the socket is gone", || (!socket.exists()).then_some(()));
    provider.release();
    home.stop_agent();
    home.profiles();
    assert!(!socket.exists());
}

#[test]
fn it_is_there_again_with_the_next_agent_also_after_a_kill() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let socket = home.socket_for("acme", &["--scope", "api", "--expires", "1h"]);
    let row = || home.tokctl(["socket", "list", "--json"]).run().json()[0].clone();
    let before = row();
    for end in [Home::stop_agent, Home::kill_agent] {
        end(&home);
        // Nobody is started at a socket that is somebody's.
        home.tokctl_at(&socket, &["get", "acme"]).run().fails(9, &["no agent listens"]);
        assert_eq!(row(), before);
        let own = home.tokctl(["get", "acme", "--scope", "api"]).run().ok();
        assert_eq!(home.tokctl_at(&socket, &["get", "acme"]).run().ok(), own);
    }
    home.tokctl(["socket", "remove"]).arg(&socket).run().ok();
    home.kill_agent();
    home.profiles();
    assert!(!socket.exists());
}

#[test]
fn a_private_socket_is_gone_with_whoever_had_it_made() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.add_at("shop", &provider);
    let mut holder = Raw::connect(&home.socket());
    let item = holder.line(r#"{"socket_create":{"only":["acme"]}}"#).answer_line().unwrap();
    let socket = std::path::PathBuf::from(item["item"]["socket"]["path"].as_str().unwrap());
    assert_eq!(home.tokctl_at(&socket, &["get", "acme"]).run().ok(), home.get("acme"));
    home.tokctl_at(&socket, &["get", "shop"]).run().fails(3, &["this socket knows acme"]);
    assert!(holder.is_pending());
    let mut connected = Raw::connect(&socket);
    // What the kernel does for a program that is killed.
    drop(holder);
    assert_eq!(connected.rest(), b"");
    eventually("the socket is gone", || (!socket.exists()).then_some(()));
}

#[test]
fn a_place_that_is_not_fit_is_refused_and_said_how_to_mend() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let create = |path: &std::path::Path, more: &[&str]| {
        let run = home.tokctl(["socket", "create"]).arg(path).args(["--only", "acme"]);
        run.args(more).run()
    };
    let missing = home.root().join("missing/agent.sock");
    create(&missing, &[]).fails(11, &["mkdir -m 700"]);
    let open = home.directory_for_socket("open", 0o755).join("agent.sock");
    create(&open, &[]).fails(11, &["can be entered by others", "chmod 700"]);
    create(&open, &["--allow-uid", "4711"]).ok();
    create(&open, &[]).fails(2, &["already", "socket remove"]);
    let shared = home.directory_for_socket("shared", 0o1777).join("agent.sock");
    create(&shared, &["--allow-uid", "4711"]).fails(11, &["others can write", "chmod go-w"]);
    let fine = home.directory_for_socket("fine", 0o700);
    create(&fine.join("x".repeat(108)), &[]).fails(2, &["107"]);
    std::fs::write(fine.join("notes"), "notes").unwrap();
    create(&fine.join("notes"), &[]).fails(11, &["in the way"]);
    assert_eq!(std::fs::read(fine.join("notes")).unwrap(), b"notes");
    create(&home.socket(), &[]).fails(11, &["another program listens"]);
    create(&fine.join("s"), &["--only", "acmo"]).fails(3, &["did you mean `acme`?"]);
    // What a kill between the socket and the list of sockets leaves behind.
    drop(std::os::unix::net::UnixListener::bind(fine.join("stale")).unwrap());
    create(&fine.join("stale"), &[]).ok();
    assert!(!home.tokctl_at(&fine.join("stale"), &["get", "acme"]).run().ok().is_empty());
    // By a relative path, as one types it.
    let relative = home.tokctl(["socket", "create", "s", "--only", "acme"]).current_dir(&fine);
    relative.run().ok();
    assert!(fine.join("s").exists());
}

#[test]
fn a_program_that_exec_gives_a_socket_of_its_own_knows_its_profiles_alone_until_it_ends() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    home.add_at("shop", &provider);
    let script = "tokctl get acme; tokctl get shop; echo $?; tokctl list; echo $?; \
                  echo $TOKCTL_SOCK; echo ${TOKCTL_SOCK_UID-unset}; echo $SHOP; exit 7";
    let run = home.tokctl(["exec", "--only", "acme", "SHOP=shop", "--", "sh", "-c", script]);
    let output = run.env("TOKCTL_SOCK_UID", "4711").run().exits(7);
    let lines: Vec<&str> = output.stdout.lines().collect();
    let (acme, shop) = (home.get("acme"), home.get("shop"));
    let [token, "3", "8", socket, "unset", variable] = lines[..] else { panic!("{output:?}") };
    assert_eq!((token, variable), (&*acme, &*shop));
    let socket = std::path::Path::new(socket);
    assert_eq!(socket.parent(), home.socket().parent());
    eventually("the socket is gone", || (!socket.exists()).then_some(()));
    // It needs no token to begin with.
    let run = home.tokctl(["exec", "--only", "acme,shop", "--only-scope", "api", "--"]);
    assert_eq!(run.args(["tokctl", "get", "shop", "--scope", "api"]).run().exits(0).stderr, "");
    let run = home.tokctl(["exec", "--only", "acme", "--only-scope", "read", "--"]);
    run.args(["tokctl", "get", "acme", "--scope", "api"]).run().fails(8, &["`read`"]);
    home.tokctl(["exec", "--only", "acmo", "--", "true"]).run().fails(125, &["`acme`"]);
}

#[test]
fn the_socket_of_an_exec_that_is_killed_goes_with_it() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let script = "echo here; while test -S $TOKCTL_SOCK; do sleep 0.05; done; echo gone";
    let exec = home.tokctl(["exec", "--only", "acme", "--", "sh", "-c", script]).start();
    eventually("the program runs", || exec.lines(1));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(exec.pid()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    eventually("the socket is gone, and the program sees it", || exec.lines(2));
}
