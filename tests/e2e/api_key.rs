//! A key that is stored and handed out as it is.

use tokctl_tests::Home;

#[test]
fn a_stored_key_is_served_with_its_header() {
    let home = Home::new().init_bare();
    let key = home.secret_file("key", "key-0123456789\n");
    home.tokctl(["add", "maps", "--grant", "api_key", "--header", "X-Api-Key: {token}"])
        .arg("--key-file")
        .arg(key)
        .run()
        .ok();
    assert_eq!(home.get("maps"), "key-0123456789");
    let header = home.tokctl(["get", "maps", "--header"]).run().ok();
    assert_eq!(header, "X-Api-Key: key-0123456789");
    let json = home.tokctl(["get", "maps", "--json"]).run().json();
    assert!(json["expires_at"].is_null(), "{json}");
}

#[test]
fn every_way_to_give_a_secret_gives_the_same() {
    let home = Home::new().init_bare();
    let key = "key-0123456789";
    let file = home.secret_file("key", key);
    let add = |name: &str| home.tokctl(["add", name, "--grant", "api_key"]);
    add("from-file").arg("--key-file").arg(&file).run().ok();
    add("from-stdin").arg("--key-stdin").stdin(format!("{key}\r\n")).run().ok();
    add("from-fd").args(["--key-fd", "0"]).stdin(format!("{key}\n")).run().ok();
    add("from-env").args(["--key-env", "MAPS_KEY"]).env("MAPS_KEY", key).run().ok();
    for name in ["from-file", "from-stdin", "from-fd", "from-env"] {
        assert_eq!(home.get(name), key, "{name}");
    }
    add("empty").arg("--key-stdin").stdin("\n").run().exits(2);
    add("value").args(["--key", key]).run().exits(2);
}
