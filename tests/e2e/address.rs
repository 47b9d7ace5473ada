//! Requests that stand in an address, at providers that will have it so.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokctl_tests::api::{Api, Reply};
use tokctl_tests::{Home, Provider, eventually};

/// As Instagram: each token renews itself, by GET.
#[test]
fn a_token_that_renews_itself_is_shown_for_the_next_one_and_to_nobody_else() {
    let issued = AtomicUsize::new(1);
    let api = Api::start(move |message| match message.word(0) {
        "GET" => {
            let token = format!("SENTINEL-{}", issued.fetch_add(1, Ordering::SeqCst));
            let body = json!({ "access_token": token, "token_type": "bearer", "expires_in": 600 });
            Reply::json(if token.ends_with('3') { 404 } else { 200 }, &body)
        }
        _ => Reply::json(405, &json!({})),
    });
    let home = Home::new().init_bare();
    home.add_refresh_token("acme", "c1", "SENTINEL-0")
        .args([
            "--token-endpoint",
            &api.url("/refresh?v=2"),
            "--client-auth",
            "none",
            "--body",
            "get",
        ])
        .args(["--grant-type", "ig_refresh_token", "--set", "rename.refresh_token=access_token"])
        .args(["--set", "rename.client_id=-", "--set", "response.refresh_token=access_token"])
        .run()
        .ok();
    assert_eq!(home.get("acme"), "SENTINEL-1");
    home.stop_agent();
    home.tokctl(["refresh", "acme"]).run().ok();
    assert_eq!(home.get("acme"), "SENTINEL-2");
    let asked: Vec<_> = api.requests().iter().map(|request| request.first_line.clone()).collect();
    let line = |at: usize| {
        format!("GET /refresh?v=2&access_token=SENTINEL-{at}&grant_type=ig_refresh_token HTTP/1.1")
    };
    assert_eq!(asked, [line(0), line(1)]);
    // What stands in the address stands in no error, history or log.
    let refused = eventually("the provider is asked again", || {
        let output = home.tokctl(["refresh", "acme"]).run();
        (output.code != 0).then_some(output)
    });
    let refused = refused.fails(6, &["token endpoint"]);
    drop(api);
    let unreachable = home.tokctl(["refresh", "acme"]).run().fails(7, &["127.0.0.1"]);
    for output in [
        refused,
        unreachable,
        home.tokctl(["why", "acme"]).run(),
        home.tokctl(["status", "--json"]).run(),
        home.tokctl(["agent", "log"]).run(),
        home.tokctl(["get", "acme", "--dry-run"]).run(),
    ] {
        let text = format!("{}{}", output.stdout, output.stderr);
        assert!(!text.contains("SENTINEL"), "{output:?}");
    }
}

#[test]
fn a_secret_in_an_address_goes_to_its_own_place_alone() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let api = Api::start(|_| Reply::json(200, &json!({ "access_token": "t1", "expires_in": 600 })));
    home.add("acme", "c1", "s3cr3t")
        .args(["--token-endpoint", &api.url("/t"), "--client-auth", "post", "--body", "query"])
        .run()
        .ok();
    assert_eq!(home.get("acme"), "t1");
    let [request] = &api.requests()[..] else { panic!("one request") };
    let line = "POST /t?client_id=c1&client_secret=s3cr3t&grant_type=client_credentials HTTP/1.1";
    assert_eq!((request.first_line.as_str(), request.body.len()), (line, 0));
    home.tokctl(["set", "acme", &format!("token_endpoint={}", provider.token_endpoint())])
        .run()
        .ok();
    home.tokctl(["refresh", "acme"]).run().fails(10, &["tokctl set-secret acme"]);
    assert_eq!(provider.token_requests().len(), 0);
}
