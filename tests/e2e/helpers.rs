//! Tokens for docker, cargo, kubectl, AWS and bazel: by the real programs where they are to be had, else by their
//! protocols as they document them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tokctl_tests::api::{Api, Reply};
use tokctl_tests::ca::PrivateCa;
use tokctl_tests::idp::{self, Idp};
use tokctl_tests::machine::not_run;
use tokctl_tests::moto::Moto;
use tokctl_tests::provider::{CLIENT_ID, CLIENT_SECRET};
use tokctl_tests::{Home, Output, Provider, Run, python};

/// Adds a profile whose token may be used there.
fn add(home: &Home, profile: &str, provider: &Provider, api_url: &str) {
    home.add(profile, CLIENT_ID, CLIENT_SECRET)
        .args(["--token-endpoint", &provider.token_endpoint(), "--api-urls", api_url])
        .run()
        .ok();
}

/// The program under another name, in a directory for PATH.
fn link(home: &Home, name: &str) -> PathBuf {
    let directory = home.root().join("links");
    fs::create_dir_all(&directory).unwrap();
    std::os::unix::fs::symlink(&home.programs().tokctl, directory.join(name)).unwrap();
    directory
}

/// PATH with directories in front.
fn path_with(directories: &[PathBuf]) -> std::ffi::OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let all = directories.iter().cloned().chain(std::env::split_paths(&rest));
    std::env::join_paths(all).unwrap()
}

/// What an API that wants this profile's token answers.
fn guarded(provider: &Provider, authorization: Option<&str>, reply: &Value) -> Reply {
    match authorization.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(token) if provider.is_live(token) => Reply::json(200, reply),
        _ => Reply::json(401, &json!({})).with("www-authenticate", "Bearer realm=\"acme\""),
    }
}

#[test]
fn docker_is_answered_by_its_verbs() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    add(&home, "acme", &provider, "https://registry.acme.example/");
    let helper = link(&home, "docker-credential-tokctl").join("docker-credential-tokctl");
    let docker = |verb: &str, input: &str| -> Output {
        home.with_environment(Run::new(&helper)).arg(verb).stdin(input).run()
    };
    let first = home.get("acme");
    let answer = docker("get", "registry.acme.example\n").json();
    let expected = json!({
        "ServerURL": "registry.acme.example", "Username": "oauth2", "Secret": first,
    });
    assert_eq!(answer, expected);
    // docker goes by the text on stdout alone.
    for server in
        ["registry.other.example", "https://index.docker.io/v1/", "a\\@registry.acme.example"]
    {
        let output = docker("get", server);
        let text = "credentials not found in native keychain\n";
        assert_eq!((output.code, &*output.stdout, &*output.stderr), (1, text, ""), "{server}");
    }
    assert_eq!(docker("get", "").exits(1).stdout, "no credentials server URL\n");
    assert_eq!(docker("list", "unused").ok(), "{}");
    docker("store", &expected.to_string()).ok();
    docker("erase", "registry.other.example").ok();
    assert_eq!(home.get("acme"), first);
    docker("erase", "registry.acme.example").ok();
    assert_ne!(home.get("acme"), first);
    assert_eq!(provider.token_requests().len(), 2);

    // A key cannot be replaced, and nobody refused it.
    let key = home.secret_file("key", "k-1\n");
    let keys = ["add", "key", "--grant", "api_key", "--api-urls", "https://keys.acme.example/"];
    home.tokctl(keys).arg("--key-file").arg(key).run().ok();
    docker("erase", "keys.acme.example").ok();
    assert_eq!(docker("get", "keys.acme.example").json()["Secret"], "k-1");
    assert_eq!(home.status("key")["warnings"], json!([]));

    home.tokctl(["lock"]).run().ok();
    let output = docker("get", "registry.acme.example").exits(4);
    assert!(
        output.stdout.contains("sealed") && output.stdout.contains("tokctl unlock"),
        "{output:?}"
    );
}

#[test]
fn docker_is_told_of_its_registries_and_its_file_stays_as_it_was() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    add(&home, "acme", &provider, "https://registry.acme.example/");
    let config = home.root().join("user/.docker/config.json");
    fs::create_dir(config.parent().unwrap()).unwrap();
    let before = "{\n  \"zeta\": 1.50,\n  \"auths\": { }\n}\n";
    fs::write(&config, before).unwrap();
    let installed = home.tokctl(["helper", "install", "docker", "acme", "--yes"]).run();
    // Docker calls it by its name alone.
    installed.fails(0, &["docker-credential-tokctl", "ln -s"]).ok();
    let after = fs::read_to_string(&config).unwrap();
    assert!(
        after.starts_with("{\n  \"zeta\": 1.50,\n  \"auths\": { },\n  \"credHelpers\": {"),
        "{after}"
    );
    let read: Value = serde_json::from_str(&after).unwrap();
    assert_eq!(read["credHelpers"], json!({ "registry.acme.example": "tokctl" }));
    home.tokctl(["helper", "uninstall", "docker", "acme", "--yes"]).run().ok();
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
}

#[test]
fn cargo_reads_a_registry_that_wants_a_token() {
    let (home, provider) = (Home::new().init_bare(), std::sync::Arc::new(Provider::start()));
    let line = json!({
        "name": "acme-thing", "vers": "1.2.3", "deps": [], "features": {}, "yanked": false,
        "cksum": "0".repeat(64),
    });
    let registry = {
        let provider = std::sync::Arc::clone(&provider);
        Api::start(move |request| {
            let base = format!("http://{}", request.header("host").unwrap_or_default());
            let body = match request.word(1) {
                "/index/config.json" => {
                    json!({ "dl": format!("{base}/dl"), "auth-required": true })
                }
                "/index/ac/me/acme-thing" => line.clone(),
                _ => return Reply::json(404, &json!({})),
            };
            guarded(&provider, request.header("authorization"), &body)
        })
    };
    add(&home, "acme", &provider, &registry.url("/index/"));
    let links = link(&home, "cargo-credential-tokctl");
    let config = home.root().join("user/.cargo/config.toml");
    fs::create_dir(config.parent().unwrap()).unwrap();
    let index = registry.url("/index/");
    fs::write(&config, format!("[registries.crates]\nindex = \"sparse+{index}\"\n")).unwrap();
    home.tokctl(["helper", "install", "cargo", "acme", "--name", "crates", "--yes"])
        .env("PATH", path_with(std::slice::from_ref(&links)))
        .run()
        .ok();

    let package = home.root().join("package");
    fs::create_dir_all(package.join("src")).unwrap();
    fs::write(package.join("src/lib.rs"), "").unwrap();
    let manifest = "[package]\nname = \"user\"\nedition = \"2021\"\n[dependencies]\n\
                    acme-thing = { version = \"1\", registry = \"crates\" }\n";
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    // The one that runs this test, past rustup, which would look for toolchains in the home.
    let cargo = PathBuf::from(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    let lock = || {
        home.with_environment(Run::new(&cargo))
            .env("PATH", path_with(&[links.clone(), cargo.parent().unwrap().to_owned()]))
            .env("CARGO_TERM_QUIET", "true")
            .current_dir(&package)
            .arg("generate-lockfile")
            .run()
    };
    lock().ok();
    let locked = fs::read_to_string(package.join("Cargo.lock")).unwrap();
    assert!(locked.contains("name = \"acme-thing\"\nversion = \"1.2.3\""), "{locked}");
    assert_eq!(provider.token_requests().len(), 1);
    // What cargo itself does not come to here.
    let ask = |kind: &str, index: &str| {
        let request = json!({ "v": 1, "kind": kind, "registry": { "index-url": index } });
        let run = home.tokctl(["helper", "cargo", "--cargo-plugin"]);
        let said = run.stdin(format!("{request}\n{request}\n")).run().ok();
        let lines: Vec<Value> =
            said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0], &lines[1]), (&json!({ "v": [1] }), &lines[2]));
        lines[1].clone()
    };
    let given = ask("get", &format!("sparse+{index}"));
    let token = format!("Bearer {}", home.get("acme"));
    assert_eq!((&given["Ok"]["token"], &given["Ok"]["cache"]), (&json!(token), &json!("expires")));
    assert!(given["Ok"]["expiration"].is_i64(), "{given}");
    let foreign = ask("get", "sparse+https://crates.other.example/");
    assert_eq!(foreign, json!({ "Err": { "kind": "url-not-supported" } }));
    let login = ask("login", &format!("sparse+{index}"));
    assert_eq!(login, json!({ "Err": { "kind": "operation-not-supported" } }));

    home.tokctl(["lock"]).run().ok();
    lock().fails(101, &["the vault is sealed", "tokctl unlock"]);
    home.tokctl(["helper", "uninstall", "cargo", "--yes"]).run().ok();
    let left = fs::read_to_string(&config).unwrap();
    assert_eq!(left, format!("[registries.crates]\nindex = \"sparse+{index}\"\n"));
}

#[test]
fn kubectl_is_given_a_token_of_the_clusters_profile() {
    // Over https, since kubectl shows nobody anything otherwise.
    let (home, ca) = (Home::new().init_bare(), PrivateCa::new().unwrap());
    let leaf = ca.leaf(&["127.0.0.1"]).unwrap();
    let cluster = Idp::start_with(&idp::Settings { tls: Some(leaf), ..Default::default() });
    let client = cluster.client("basic");
    let (server, path) = cluster.api().split_at(cluster.api().find("/api").unwrap());
    home.add("acme", &client.id, &client.secret)
        .args(["--issuer", cluster.issuer(), "--api-urls", server, "--ca-file"])
        .arg(ca.file())
        .run()
        .ok();
    let info = |server: &str| {
        json!({
            "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
            "spec": { "interactive": false, "cluster": { "server": server } },
        })
        .to_string()
    };
    let ask =
        |info: &str| home.tokctl(["helper", "kubectl"]).env("KUBERNETES_EXEC_INFO", info).run();
    let answer = ask(&info(server)).json();
    let token = home.get("acme");
    assert_eq!(answer["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(answer["kind"], "ExecCredential");
    assert_eq!(answer["status"]["token"], token);
    let end = answer["status"]["expirationTimestamp"].as_str().unwrap();
    assert!(end.len() == 20 && end.ends_with('Z'), "{end}");
    ask(&info("https://k8s.other.example")).fails(2, &["k8s.other.example"]);

    let install = || home.tokctl(["helper", "install", "kubectl", "acme", "--yes"]).run();
    let output = install();
    if output.stderr.contains("add this to") {
        let printed = output.ok();
        assert!(printed.contains("args: [helper, kubectl, acme]"), "{printed}");
        return not_run("there is no `kubectl` of 1.31 or later");
    }
    output.ok();
    let kubectl = |arguments: &[&str]| home.with_environment(Run::new("kubectl")).args(arguments);
    install().fails(0, &["nothing to change"]).ok();
    kubectl(&["config", "set-cluster", "here", "--server", server, "--certificate-authority"])
        .arg(ca.file())
        .run()
        .ok();
    kubectl(&["config", "set-context", "here", "--cluster", "here", "--user", "acme"]).run().ok();
    kubectl(&["--context", "here", "get", "--raw", path]).run().ok();
    home.tokctl(["helper", "uninstall", "kubectl", "acme", "--yes"]).run().ok();
    assert_eq!(home.tokctl(["helper", "list", "--json"]).run().json(), json!([]));
}

#[test]
fn the_aws_sdk_has_a_role_by_credential_process() {
    let (home, moto) = (Home::new().init_bare(), Moto::start());
    let token = home.secret_file("projected", "pod.to.ken\n");
    home.tokctl(["add", "ci", "--grant", "aws_web_identity"])
        .args([
            "--role-arn",
            "arn:aws:iam::123456789012:role/ci",
            "--token-endpoint",
            moto.endpoint(),
        ])
        .args(["--subject", &format!("file:{}", token.display())])
        .run()
        .ok();
    home.tokctl(["helper", "install", "aws", "ci", "--name", "deploy", "--yes"]).run().ok();
    let config = fs::read_to_string(home.root().join("user/.aws/config")).unwrap();
    assert_eq!(config, "[profile deploy]\ncredential_process = tokctl helper aws ci\n");
    let identity = home
        .with_environment(Run::new(python::interpreter().unwrap()))
        .args(["-I", "-B"])
        .arg(python::script("caller_identity.py"))
        .args(["deploy", moto.endpoint()])
        .run()
        .json();
    let ours = home.tokctl(["helper", "aws", "ci"]).run().json();
    assert_eq!(identity["access_key"], ours["AccessKeyId"]);
    assert!(identity["arn"].as_str().unwrap().contains(":assumed-role/ci/"), "{identity}");
    assert_eq!(ours["Version"], 1);
    home.tokctl(["helper", "uninstall", "aws", "ci", "--yes"]).run().ok();
    assert_eq!(fs::read_to_string(home.root().join("user/.aws/config")).unwrap(), "");

    let provider = Provider::start();
    home.add_at("acme", &provider);
    home.tokctl(["helper", "aws", "acme"])
        .run()
        .fails(2, &["acme: its tokens are no credentials of AWS"]);
}

#[test]
fn bazel_is_answered_with_headers_however_many_it_starts_at_once() {
    const AT_ONCE: usize = 100;
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    add(&home, "acme", &provider, "https://build.acme.example/");
    let helper = link(&home, "bazel-credential-tokctl").join("bazel-credential-tokctl");
    let ask = |uri: &str| {
        let input = json!({ "uri": uri, "extensions": [1] }).to_string();
        home.with_environment(Run::new(&helper)).arg("get").stdin(input).start()
    };
    let asked: Vec<_> =
        (0..AT_ONCE).map(|_| ask("grpcs://build.acme.example/google.Execution/Execute")).collect();
    let answers: Vec<Value> = asked.into_iter().map(|one| one.finish().json()).collect();
    let header = format!("Bearer {}", home.get("acme"));
    for answer in &answers {
        assert_eq!(answer["headers"], json!({ "Authorization": [header] }));
        assert!(answer["expires"].as_str().is_some_and(|end| end.ends_with('Z')), "{answer}");
    }
    assert_eq!(provider.token_requests().len(), 1);
    let output = ask("https://build.other.example/").finish().fails(3, &["build.other.example"]);
    assert_eq!(output.stdout, "");

    let rc = home.root().join("user/.bazelrc");
    fs::write(&rc, "build --jobs=2").unwrap();
    home.tokctl(["helper", "install", "bazel", "acme", "--yes"]).run().ok();
    let line = "common --credential_helper=build.acme.example=bazel-credential-tokctl\n";
    assert_eq!(fs::read_to_string(&rc).unwrap(), format!("build --jobs=2\n{line}"));
    home.tokctl(["helper", "uninstall", "bazel", "--yes"]).run().ok();
    assert_eq!(fs::read_to_string(&rc).unwrap(), "build --jobs=2\n");
}
