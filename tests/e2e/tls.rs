//! https with a certificate authority that only the profile names.

use tokctl_tests::Home;
use tokctl_tests::ca::PrivateCa;
use tokctl_tests::idp::{Idp, Settings};

fn provider(ca: &PrivateCa, names: &[&str], host: &str) -> Idp {
    let leaf = ca.leaf(names).unwrap();
    Idp::start_with(&Settings { tls: Some(leaf), host: Some(host.into()), ..Settings::default() })
}

#[test]
fn a_private_ca_is_trusted_where_the_profile_names_it() {
    let (home, ca) = (Home::new().init_bare(), PrivateCa::new().unwrap());
    for (profile, host) in [("by-address", "127.0.0.1"), ("by-name", "localhost")] {
        let idp = provider(&ca, &["127.0.0.1", "localhost"], host);
        let client = idp.client("basic");
        home.add(profile, &client.id, &client.secret)
            .args(["--issuer", idp.issuer(), "--ca-file"])
            .arg(ca.file())
            .run()
            .ok();
        home.get(profile);
        assert_eq!(idp.token_requests().len(), 1, "{profile}");
    }
}

#[test]
fn nobody_else_trusts_it() {
    let (home, ca) = (Home::new().init_bare(), PrivateCa::new().unwrap());
    let idp = provider(&ca, &["127.0.0.1"], "127.0.0.1");
    let client = idp.client("basic");
    home.add("acme", &client.id, &client.secret)
        .args(["--token-endpoint", idp.token_endpoint()])
        .run()
        .ok();
    home.tokctl(["get", "acme"]).run().fails(7, &["certificate"]);
    assert_eq!(idp.token_requests().len(), 0);
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let (home, ca) = (Home::new().init_bare(), PrivateCa::new().unwrap());
    let idp = provider(&ca, &["other.example"], "127.0.0.1");
    let client = idp.client("basic");
    home.add("acme", &client.id, &client.secret)
        .args(["--token-endpoint", idp.token_endpoint(), "--ca-file"])
        .arg(ca.file())
        .run()
        .ok();
    home.tokctl(["get", "acme"]).run().fails(7, &["certificate"]);
    assert_eq!(idp.token_requests().len(), 0);
}
