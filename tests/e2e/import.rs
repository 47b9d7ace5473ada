//! Files of other programs, taken over by the real programs. The encrypted ones were written by oidc-agent itself.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokctl_tests::Home;
use tokctl_tests::idp::Idp;

const PASSPHRASE: &str = "correct horse";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("import").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(fixture(name)).unwrap()
}

/// What `oidc-gen --print` says of an account at the test provider. It writes the issuer with a slash at its end.
fn account(idp: &Idp) -> String {
    let (client, minted) = (idp.client("rt-openid"), idp.mint("rt-openid"));
    json!({
        "name": "acme",
        "issuer_url": format!("{}/", idp.issuer()),
        "client_id": client.id,
        "client_secret": client.secret,
        "refresh_token": minted.refresh_token,
        "cert_path": "/etc/ssl/certs/ca-certificates.crt",
        "scope": "api openid offline_access",
        "audience": "",
        "redirect_uris": ["http://localhost:4242"],
    })
    .to_string()
}

#[test]
fn an_account_of_oidc_agent_goes_on_with_its_refresh_token() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let account = account(&idp);
    let import = || home.tokctl(["import", "oidc-agent", "-"]).stdin(account.clone());
    let ran = import().run();
    assert!(ran.stderr.contains("still holds the refresh token"), "{ran:?}");
    ran.ok();
    let token = home.get("acme");
    assert_eq!(idp.call_api(&token).0, 200);
    let shown = home.tokctl(["show", "acme"]).run().ok();
    assert!(shown.contains("grant = \"authorization_code\""), "{shown}");
    assert!(shown.contains(&format!("issuer = \"{}\"", idp.issuer())), "{shown}");
    // It is there already, and what is there stays.
    import().run().fails(2, &["acme", "--replace"]);
    assert_eq!(home.get("acme"), token);
    // Another account takes its place, and another name stands beside it.
    let other = self::account(&idp);
    home.tokctl(["import", "oidc-agent", "-", "--replace"]).stdin(other.clone()).run().ok();
    assert_ne!(home.get("acme"), token, "the token of the account before is served");
    let third = self::account(&idp);
    home.tokctl(["import", "oidc-agent", "-", "--name", "third"]).stdin(third).run().ok();
    assert_eq!(idp.call_api(&home.get("third")).0, 200);
}

#[test]
fn an_encrypted_account_is_opened_with_its_passphrase_alone() {
    let home = Home::new().init_bare();
    let passphrase = home.secret_file("passphrase", PASSPHRASE);
    for file in ["oidc-agent-4.2.6", "oidc-agent-5.3.3"] {
        let import = || home.tokctl(["import", "oidc-agent", "--dry-run"]).arg(fixture(file));
        let shown = import().arg("--passphrase-file").arg(&passphrase).run().ok();
        for line in
            ["[profiles.acme]", "client_id = \"desk\"", "# secrets: client_secret, refresh_token"]
        {
            assert!(shown.contains(line), "{shown}");
        }
        assert!(!shown.contains("s3cret") && !shown.contains("refresh-token-of-acme"), "{shown}");
        let wrong = home.secret_file("wrong", "correct house");
        import().arg("--passphrase-file").arg(&wrong).run().fails(4, &["does not open the file"]);
        import().run().fails(2, &["encrypted", "--passphrase-file"]);
    }
    assert_eq!(home.profiles(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_cut_off_or_of_another_kind_adds_nothing() {
    let home = Home::new().init_bare();
    let passphrase = home.secret_file("passphrase", PASSPHRASE);
    let cut = home.secret_file("cut", &text("oidc-agent-5.3.3")[..400]);
    home.tokctl(["import", "oidc-agent"])
        .arg(cut)
        .arg("--passphrase-file")
        .arg(&passphrase)
        .run()
        .fails(2, &["cut off or damaged"]);
    for (source, file, words) in [
        ("google", "hosts.yml", "no credentials file of Google"),
        ("gh", "pizauth.conf", "no hosts.yml of gh"),
        ("pizauth", "google-service-account.json", "no pizauth.conf"),
        ("aws", "hosts.yml", "no config file of AWS"),
    ] {
        home.tokctl(["import", source]).arg(fixture(file)).run().fails(2, &[words]);
    }
    let large = home.secret_file("large", &"#".repeat(49 * 1024));
    home.tokctl(["import", "dotenv", "--var", "A"])
        .arg(large)
        .run()
        .fails(2, &["larger than 48 KiB"]);
    assert_eq!(home.profiles(), Vec::<String>::new());
}

#[test]
fn hosts_of_gh_and_keys_of_a_dotenv_are_handed_out() {
    let home = Home::new().init_bare();
    home.tokctl(["import", "gh"]).arg(fixture("hosts.yml")).run().ok();
    assert_eq!(home.get("github"), "gho_ada0123456789");
    assert_eq!(home.get("git.work.example"), "ghp_work: 0123");

    let dotenv = home.secret_file("env", "export ACME_API_KEY='k-1' # mine\nDEBUG=1\n");
    let import = || home.tokctl(["import", "dotenv"]).arg(&dotenv);
    import().run().fails(2, &["ACME_API_KEY, DEBUG"]);
    import().args(["--var", "ACME_API_KEY"]).run().ok();
    assert_eq!(home.get("acme"), "k-1");
    import().args(["--var", "ACME_API_KAY"]).run().fails(2, &["did you mean `ACME_API_KEY`?"]);
}

#[test]
fn several_profiles_are_told_one_by_one_and_one_that_is_there_holds_up_no_other() {
    let home = Home::new().init_bare();
    let import = || home.tokctl(["import", "pizauth", "--json"]).arg(fixture("pizauth.conf"));
    home.tokctl(["import", "pizauth", "--account", "My Lab"])
        .arg(fixture("pizauth.conf"))
        .run()
        .ok();
    let ran = import().run();
    let rows: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let told: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["profile"].as_str().unwrap(), row["error"].is_null()))
        .collect();
    assert_eq!(told, [("officesmtp", true), ("my-lab", false)]);
    ran.fails(2, &["1 of 2 profiles"]);
    assert_eq!(home.profiles(), ["my-lab", "officesmtp"]);
    import().args(["--name", "mail"]).run().fails(2, &["a name is for one profile"]);
}

#[test]
fn a_service_account_and_a_role_of_aws_are_set_up() {
    let home = Home::new().init_bare();
    home.tokctl(["import", "google"]).arg(fixture("google-service-account.json")).run().ok();
    let shown = home.tokctl(["show", "ci-deploy"]).run().ok();
    assert!(shown.contains("preset = \"google-service-account\""), "{shown}");
    home.tokctl(["import", "aws", "--aws-profile", "deploy"]).arg(fixture("aws-config")).run().ok();
    let shown = home.tokctl(["show", "deploy"]).run().ok();
    assert!(shown.contains("file:/var/run/secrets/token"), "{shown}");
    assert_eq!(home.profiles(), ["ci-deploy", "deploy"]);
}
